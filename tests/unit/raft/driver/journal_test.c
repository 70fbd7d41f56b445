/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "raft/journal/journal.h"

static char dir[64];
static struct journal *journal;

static int set_up(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/coffer-journal-XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(journal_open(dir, &journal, NULL), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (journal != NULL)
        journal_close(journal);
    return file_remove_tree(dir, NULL);
}

static int reopen(struct err *err)
{
    if (journal != NULL)
        journal_close(journal);
    journal = NULL;
    return journal_open(dir, &journal, err);
}

static void append(uint64_t first, uint64_t n, uint64_t term)
{
    struct entry *entries[64];
    for (uint64_t i = 0; i < n; i++) {
        char data[600];
        memset(data, (int)(first + i), sizeof data);
        entries[i] = entry_new(first + i, term, ENTRY_COMMAND, data, (size_t)(first + i) * 7 % sizeof data);
    }
    const struct journal_op op = {.kind = JOURNAL_APPEND, .entries = entries, .n = n};
    assert_int_equal(journal_write(journal, &op, 1, NULL), OK);
    for (uint64_t i = 0; i < n; i++)
        entry_unref(entries[i]);
}

static void assert_bounds(uint64_t first, uint64_t next)
{
    uint64_t got_first, got_next;
    journal_bounds(journal, &got_first, &got_next);
    assert_int_equal(got_first, first);
    assert_int_equal(got_next, next);
}

static uint64_t term_at(uint64_t index)
{
    struct entry *entry = journal_read(journal, index);
    uint64_t term = entry == NULL ? 0 : entry->term;
    entry_unref(entry);
    return term;
}

static void what_was_written_is_there_after_opening_again(void **state)
{
    (void)state;
    append(1, 10, 1);
    append(11, 5, 2);
    assert_int_equal(journal_set_vote(journal, 9, 77), OK);
    struct journal_vote before, after;
    journal_get_vote(journal, &before);
    assert_int_equal(reopen(NULL), OK);
    journal_get_vote(journal, &after);
    assert_bounds(1, 16);
    assert_int_equal(term_at(10), 1);
    assert_int_equal(term_at(15), 2);
    assert_int_equal(term_at(16), 0);
    assert_int_equal(after.term, 9);
    assert_int_equal(after.vote, 77);
    assert_int_equal(after.id, before.id);
    assert_int_not_equal(after.id, 0);
}

static void an_append_replaces_what_lies_behind(void **state)
{
    (void)state;
    append(1, 20, 1);
    append(8, 2, 3);
    assert_bounds(1, 10);
    assert_int_equal(reopen(NULL), OK);
    assert_bounds(1, 10);
    assert_int_equal(term_at(7), 1);
    assert_int_equal(term_at(8), 3);
    assert_int_equal(term_at(10), 0);
}

static void trimming_and_emptying_keep_the_rest_whole(void **state)
{
    (void)state;
    append(1, 30, 1);
    const struct journal_op trim = {.kind = JOURNAL_TRIM, .first = 12};
    assert_int_equal(journal_write(journal, &trim, 1, NULL), OK);
    assert_int_equal(reopen(NULL), OK);
    assert_bounds(12, 31);
    append(31, 3, 2);
    const struct journal_op reset = {.kind = JOURNAL_RESET, .first = 100};
    assert_int_equal(journal_write(journal, &reset, 1, NULL), OK);
    assert_int_equal(reopen(NULL), OK);
    assert_bounds(100, 100);
    append(100, 3, 5);
    assert_int_equal(reopen(NULL), OK);
    assert_bounds(100, 103);
}

static void several_steps_are_one_transaction(void **state)
{
    (void)state;
    append(1, 10, 1);
    struct entry *entry = entry_new(6, 2, ENTRY_COMMAND, "x", 1), *hole = entry_new(9, 2, ENTRY_COMMAND, "y", 1);
    const struct journal_op ops[] = {{.kind = JOURNAL_APPEND, .entries = &entry, .n = 1},
                                     {.kind = JOURNAL_APPEND, .entries = &hole, .n = 1}};
    assert_int_not_equal(journal_write(journal, ops, 2, NULL), OK); /* the second would leave a hole */
    assert_bounds(1, 11);
    assert_int_equal(term_at(6), 1);
    entry_unref(entry);
    entry_unref(hole);
    append(11, 1, 3);
    assert_int_equal(reopen(NULL), OK);
    assert_bounds(1, 12);
}

static void a_large_entry_is_kept_whole(void **state)
{
    (void)state;
    size_t len = 20u << 20;
    char *data = malloc(len);
    memset(data, 0x5a, len);
    struct entry *entry = entry_new(1, 1, ENTRY_COMMAND, data, len);
    const struct journal_op op = {.kind = JOURNAL_APPEND, .entries = &entry, .n = 1};
    assert_int_equal(journal_write(journal, &op, 1, NULL), OK);
    assert_int_equal(reopen(NULL), OK);
    struct entry *read = journal_read(journal, 1);
    assert_int_equal(read->len, len);
    assert_memory_equal(read->data, data, len);
    entry_unref(read);
    entry_unref(entry);
    free(data);
}

static void flip(const char *name, off_t offset, int bit)
{
    char path[128];
    unsigned char byte;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= (unsigned char)(1u << bit);
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

static off_t size_of(const char *name)
{
    char path[128];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(stat(path, &info), 0);
    return info.st_size;
}

/* 0: found; 1: opened, and all is as it was; 2: opened, and something is not. In a child: it must not crash either. */
static int open_damaged(void)
{
    pid_t child = fork();
    if (child == 0) {
        struct err err = {0};
        struct journal *damaged = NULL;
        int rc = journal_open(dir, &damaged, &err);
        if (rc != OK)
            _exit(rc == ERR_CORRUPT && strstr(err.text, dir) != NULL ? 0 : 3);
        uint64_t first, next;
        journal_bounds(damaged, &first, &next);
        bool same = first == 5 && next == 31;
        for (uint64_t index = first; index < next && same; index++) {
            struct entry *entry = journal_read(damaged, index);
            same = entry != NULL && entry->term == (index < 21 ? 1 : 2);
            for (size_t i = 0; same && i < entry->len; i++)
                same = entry->data[i] == (unsigned char)index;
            entry_unref(entry);
        }
        _exit(same ? 1 : 2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 4;
}

static void a_flipped_bit_is_found_or_harmless(void **state)
{
    (void)state;
    append(1, 20, 1);
    append(21, 10, 2);
    const struct journal_op trim = {.kind = JOURNAL_TRIM, .first = 5};
    assert_int_equal(journal_write(journal, &trim, 1, NULL), OK);
    assert_int_equal(journal_set_vote(journal, 3, 4), OK);
    journal_close(journal);
    journal = NULL;
    assert_int_equal(open_damaged(), 1);
    static const char *const files[] = {"log/data.mdb", "vote"};
    unsigned found[2] = {0}, harmless[2] = {0};
    uint32_t seed = 42;
    for (int i = 0; i < 2; i++) {
        off_t size = size_of(files[i]);
        for (int round = 0; round < 600; round++) {
            seed = seed * 1664525 + 1013904223;
            off_t offset = (off_t)((seed >> 3) % (uint32_t)size);
            if (round < 200) /* the meta pages' heads, where it is most delicate */
                offset %= i == 0 && round % 2 == 0 ? 176 : size;
            flip(files[i], offset, (int)(seed & 7));
            int outcome = open_damaged();
            found[i] += outcome == 0;
            harmless[i] += outcome == 1;
            if (outcome > 1)
                fail_msg("bit %d of byte %lld of %s: outcome %d", (int)(seed & 7), (long long)offset, files[i],
                         outcome);
            flip(files[i], offset, (int)(seed & 7));
        }
    }
    print_message("log: %u found, %u harmless; vote: %u found, %u harmless\n", found[0], harmless[0], found[1],
                  harmless[1]);
    assert_int_equal(harmless[1], 0); /* every bit of the vote counts */
    assert_true(found[0] > 100);
}

static void a_vote_without_its_file_is_not_made_up(void **state)
{
    (void)state;
    char path[128];
    struct err err = {0};
    append(1, 3, 1);
    snprintf(path, sizeof path, "%s/vote", dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(reopen(&err), ERR_CORRUPT);
    assert_non_null(strstr(err.text, "vote"));
}

#define TEST(sentence, fn)                                                                                             \
    {                                                                                                                  \
        sentence, fn, set_up, tear_down, NULL                                                                          \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST("what was written is there after opening again", what_was_written_is_there_after_opening_again),
        TEST("an append replaces what lies behind it", an_append_replaces_what_lies_behind),
        TEST("trimming and emptying keep the rest whole", trimming_and_emptying_keep_the_rest_whole),
        TEST("several steps are one transaction", several_steps_are_one_transaction),
        TEST("a large entry is kept whole", a_large_entry_is_kept_whole),
        TEST("a flipped bit is found, or harmless", a_flipped_bit_is_found_or_harmless),
        TEST("a vote without its file is not made up", a_vote_without_its_file_is_not_made_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
