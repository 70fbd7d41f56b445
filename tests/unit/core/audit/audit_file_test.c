/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/file/file.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"

#include <cmocka.h> /* after engine.h: it makes a macro of fail */

static char dir[] = "/tmp/coffer-audit-XXXXXX";
static char path[64];

static int open_with(const char *file, const char *mode, void **ret_state)
{
    json_t *options = json_pack("{s:s, s:s}", "file_path", file, "mode", mode);
    struct err err = {0};
    int rc = audit_file_device.open(options, ret_state, &err);
    json_decref(options);
    return rc;
}

static void expect_content(const char *file, const char *content)
{
    struct buf text = BUF_INIT;
    assert_int_equal(file_read(file, 1000, &text, NULL), OK);
    assert_string_equal(buf_str(&text), content);
    buf_close(&text);
}

static void test_append(void **state)
{
    void *device;
    struct stat stat_of;
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(open_with(path, "0640", &device), OK);
        assert_int_equal(audit_file_device.write(device, "{}\n", 3, NULL), OK);
        audit_file_device.close(device);
    }
    expect_content(path, "{}\n{}\n");
    assert_int_equal(stat(path, &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 0777, 0640);
}

static void test_rotated(void **state)
{
    void *device;
    char old[80];
    (void)state;
    assert_int_equal(open_with(path, "0600", &device), OK);
    snprintf(old, sizeof old, "%s.1", path);
    assert_int_equal(rename(path, old), 0);
    assert_int_equal(audit_file_device.reopen(device, NULL), OK);
    assert_int_equal(audit_file_device.write(device, "{1}\n", 4, NULL), OK);
    audit_file_device.close(device);
    expect_content(path, "{1}\n");
}

static void test_foreign_files(void **state)
{
    char other[80], link[80];
    void *device;
    (void)state;
    snprintf(other, sizeof other, "%s/authorized_keys", dir);
    snprintf(link, sizeof link, "%s/link", dir);
    assert_int_equal(file_replace(other, "ssh-rsa", 7, 0600, NULL), OK);
    assert_int_equal(open_with(other, "0600", &device), ERR_INVALID);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(open_with(link, "0600", &device), ERR_IO);
    assert_int_equal(open_with(dir, "0600", &device), ERR_IO);
    assert_int_equal(open_with("/dev/null", "0600", &device), ERR_INVALID);
    expect_content(other, "ssh-rsa");
}

static void test_modes(void **state)
{
    void *device;
    (void)state;
    assert_int_equal(open_with(path, "0700", &device), ERR_INVALID);
    assert_int_equal(open_with(path, "6600", &device), ERR_INVALID);
    assert_int_equal(open_with(path, "abc", &device), ERR_INVALID);
}

static void test_discard(void **state)
{
    (void)state;
    void *device;
    assert_int_equal(open_with("discard", "0600", &device), OK);
    assert_int_equal(audit_file_device.write(device, "{}\n", 3, NULL), OK);
    audit_file_device.close(device);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"entries are added at the end, with the mode that was asked for", test_append, NULL, NULL, NULL},
        {"after a rotation entries go to the new file", test_rotated, NULL, NULL, NULL},
        {"a file that is no audit log, a link or a device is not written to", test_foreign_files, NULL, NULL, NULL},
        {"a mode that lets the log be executed is refused", test_modes, NULL, NULL, NULL},
        {"what is discarded counts as taken", test_discard, NULL, NULL, NULL},
    };
    json_setup();
    if (mkdtemp(dir) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/audit.log", dir);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (file_remove_tree(dir, NULL) != OK)
        return 1;
    return failed;
}
