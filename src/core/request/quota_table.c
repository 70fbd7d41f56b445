/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quota_table.c — who has asked how often. A table of sets of a few places each, found by a keyed hash of rule and
 * address; in a full set the newcomer takes the place of who began the longest ago.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "core/request/quota.h"

#define SETS    4096
#define WAYS    4
#define LOCKS   64
#define KEY_MAX 128

struct place {
    char key[KEY_MAX]; /* "rule address"; "" when free */
    int64_t began_ms;
    int64_t blocked_until_ms; /* 0: it is not */
    int64_t n_taken;
};

struct quota_table {
    uint64_t seed; /* so that nobody can choose addresses that push another's out */
    pthread_mutex_t locks[LOCKS];
    struct place places[SETS][WAYS];
};

struct quota_table *quota_table_new(void)
{
    struct quota_table *table = calloc(1, sizeof *table);
    if (table == NULL)
        abort();
    random_bytes(&table->seed, sizeof table->seed);
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&table->locks[i], NULL);
    return table;
}

void quota_table_free(struct quota_table *table)
{
    for (size_t i = 0; table != NULL && i < LOCKS; i++)
        pthread_mutex_destroy(&table->locks[i]);
    free(table);
}

size_t quota_path_fits(const char *rule_path, const char *path)
{
    size_t len = strlen(rule_path);
    if (len == 0)
        return 1;
    if (rule_path[len - 1] == '*')
        return strncmp(rule_path, path, len - 1) == 0 ? len : 0;
    if (rule_path[len - 1] == '/')
        return strncmp(rule_path, path, len) == 0 ? len : 0;
    return strcmp(rule_path, path) == 0 ? len + 2 : 0; /* the path itself before all that begin with it */
}

static size_t set_of(const struct quota_table *table, const char *key)
{
    uint64_t hash = table->seed;
    for (; *key != '\0'; key++) {
        hash = (hash ^ (unsigned char)*key) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    return hash % SETS;
}

static struct place *find_place(struct place set[WAYS], const char *key)
{
    struct place *oldest = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (strcmp(set[i].key, key) == 0)
            return &set[i];
        if (set[i].key[0] == '\0' || (oldest->key[0] != '\0' && set[i].began_ms < oldest->began_ms))
            oldest = &set[i];
    }
    memset(oldest, 0, sizeof *oldest);
    strcpy(oldest->key, key);
    oldest->began_ms = INT64_MIN / 2; /* its first request begins an interval */
    return oldest;
}

static struct quota_verdict take(struct place *place, const struct quota_rule *rule, int64_t now_ms)
{
    struct quota_verdict verdict = {.limit = rule->limit};
    if (place->blocked_until_ms > now_ms) {
        verdict.is_blocked = true;
        verdict.retry_s = (place->blocked_until_ms - now_ms + 999) / 1000;
        return verdict;
    }
    if (now_ms - place->began_ms >= rule->interval_ms) {
        place->began_ms = now_ms;
        place->n_taken = 0;
    }
    int64_t left_ms = place->began_ms + rule->interval_ms - now_ms;
    verdict.is_allowed = place->n_taken < rule->limit;
    if (verdict.is_allowed)
        place->n_taken++;
    else if (rule->block_ms > 0)
        place->blocked_until_ms = now_ms + rule->block_ms;
    verdict.remaining = rule->limit - place->n_taken;
    verdict.reset_s = (left_ms + 999) / 1000;
    verdict.retry_s = verdict.is_allowed ? 0 : rule->block_ms > 0 ? (rule->block_ms + 999) / 1000 : verdict.reset_s;
    return verdict;
}

struct quota_verdict quota_table_take(struct quota_table *table, const struct quota_rule *rule, const char *address,
                                      int64_t now_ms)
{
    char key[KEY_MAX];
    snprintf(key, sizeof key, "%s %s", address, rule->name); /* the address first: it is never cut off */
    size_t set = set_of(table, key);
    pthread_mutex_t *lock = &table->locks[set % LOCKS];
    pthread_mutex_lock(lock);
    struct quota_verdict verdict = take(find_place(table->places[set], key), rule, now_ms);
    pthread_mutex_unlock(lock);
    return verdict;
}
