/* SPDX-License-Identifier: Apache-2.0 */
/* What a request and its answer held is nowhere in this process any more once the answer is out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/secret.h"
#include "http_client.h"

#define PORT       21207
#define MARKER_LEN 24

/* Inverted, so that the marker itself is not here to be found. */
static unsigned char inverted[MARKER_LEN];
static char request[16384], answer[16384];

static bool is_marker(const unsigned char *at)
{
    for (int i = 0; i < MARKER_LEN; i++) {
        if ((unsigned char)~at[i] != inverted[i])
            return false;
    }
    return true;
}

static size_t count_in(const unsigned char *start, const unsigned char *end)
{
    unsigned char first = (unsigned char)~inverted[0];
    size_t found = 0;

    for (const unsigned char *p = start; p + MARKER_LEN <= end; p++) {
        p = memchr(p, first, (size_t)(end - p) - MARKER_LEN + 1);
        if (p == NULL)
            break;
        found += is_marker(p);
    }
    return found;
}

/* Occurrences in all that this process may write to. */
static size_t count_markers(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    size_t found = 0;

    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long start, end;
        char mode[5];
        if (sscanf(line, "%lx-%lx %4s", &start, &end, mode) == 3 && mode[0] == 'r' && mode[1] == 'w' &&
            strstr(line, "[vvar") == NULL)
            found += count_in((const unsigned char *)start, (const unsigned char *)end);
    }
    fclose(maps);
    return found;
}

static void make_marker(char *ret_text)
{
    random_base62(ret_text, MARKER_LEN);
    for (int i = 0; i < MARKER_LEN; i++)
        inverted[i] = (unsigned char)~(unsigned char)ret_text[i];
}

/* Asks; the marker is put where the format has %s. The body comes back in the answer. */
static void ask(int fd, const char *format)
{
    char marker[MARKER_LEN + 1];

    make_marker(marker);
    snprintf(request, sizeof request, format, marker, marker, marker);
    assert_int_not_equal(count_markers(), 0);
    secret_wipe(marker, sizeof marker);
    client_send(fd, request);
    client_read(fd, answer, sizeof answer, 1, 2000);
    assert_non_null(strstr(answer, "200 OK"));
    secret_wipe(request, sizeof request);
    secret_wipe(answer, sizeof answer);
    usleep(50000);
}

static void wiped(void **state)
{
    static const char *const formats[] = {
        "GET /now HTTP/1.1\r\nHost: a\r\nX-Vault-Token: %s\r\n\r\n",
        "GET /later HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n",
        "PUT /now HTTP/1.1\r\nHost: a\r\nX-Vault-Token: %s\r\nContent-Length: 48\r\n\r\n%s%s",
        ("PUT /later HTTP/1.1\r\nHost: a\r\nX-Vault-Token: %s\r\nTransfer-Encoding: chunked\r\n\r\n"
         "18\r\n%s\r\n18\r\n%s\r\n0\r\n\r\n"),
    };
    int fd = client_connect(PORT);

    (void)state;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        ask(fd, formats[i]);
        size_t left = count_markers();
        if (left > 0)
            fail_msg("%zu are left of request %zu", left, i + 1);
    }
    close(fd);
}

static int start(void **state)
{
    *state = server_start("127.0.0.1:21207");
    return 0;
}

static int stop(void **state)
{
    (void)http_server_stop(*state, 0, 1000);
    later_join();
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"tokens and bodies are nowhere in memory once they are answered", wiped, NULL, NULL, NULL},
    };

    return cmocka_run_group_tests(tests, start, stop);
}
