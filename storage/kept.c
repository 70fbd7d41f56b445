/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/kept.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define WAYS 2 /* values whose tags fall on the same place */
#define SETS (KEPT_MAX / WAYS)

struct slot {
    unsigned char key[STORE_KEY_SIZE];
    unsigned char tag[BARRIER_TAG_SIZE];
    json_t *value; /* NULL: free */
};

struct set {
    pthread_mutex_t lock;
    bool is_open;
    struct slot slots[WAYS]; /* the newest first */
};

struct kept {
    struct set sets[SETS];
};

struct kept *kept_new(void)
{
    struct kept *kept = calloc(1, sizeof *kept);
    if (kept == NULL)
        abort();
    for (size_t i = 0; i < SETS; i++)
        pthread_mutex_init(&kept->sets[i].lock, NULL);
    return kept;
}

void kept_free(struct kept *kept)
{
    if (kept == NULL)
        return;
    kept_open(kept, false);
    for (size_t i = 0; i < SETS; i++)
        pthread_mutex_destroy(&kept->sets[i].lock);
    free(kept);
}

static void empty_set(struct set *set)
{
    for (size_t i = 0; i < WAYS; i++) {
        json_decref(set->slots[i].value);
        set->slots[i].value = NULL;
    }
}

void kept_open(struct kept *kept, bool is_open)
{
    for (size_t i = 0; i < SETS; i++) {
        struct set *set = &kept->sets[i];
        pthread_mutex_lock(&set->lock);
        set->is_open = is_open;
        if (!is_open)
            empty_set(set);
        pthread_mutex_unlock(&set->lock);
    }
}

/* Tags are as good as random. */
static struct set *set_of(struct kept *kept, const unsigned char *tag)
{
    uint32_t number;
    memcpy(&number, tag, sizeof number);
    return &kept->sets[number % SETS];
}

/* The key too: a record that was moved on disk has its old tag, and must not pass for the one whose place it took. */
static bool is_of(const struct slot *slot, const unsigned char *key, const unsigned char *tag)
{
    return slot->value != NULL && memcmp(slot->tag, tag, BARRIER_TAG_SIZE) == 0 &&
           memcmp(slot->key, key, STORE_KEY_SIZE) == 0;
}

json_t *kept_get(struct kept *kept, const unsigned char key[STORE_KEY_SIZE], const unsigned char tag[BARRIER_TAG_SIZE])
{
    struct set *set = set_of(kept, tag);
    json_t *value = NULL;
    pthread_mutex_lock(&set->lock);
    for (size_t i = 0; i < WAYS && value == NULL; i++)
        if (is_of(&set->slots[i], key, tag))
            value = json_incref(set->slots[i].value);
    pthread_mutex_unlock(&set->lock);
    return value;
}

void kept_put(struct kept *kept, const unsigned char key[STORE_KEY_SIZE], const unsigned char tag[BARRIER_TAG_SIZE],
              json_t *value)
{
    struct set *set = set_of(kept, tag);
    json_t *oldest = NULL;
    pthread_mutex_lock(&set->lock);
    if (set->is_open) {
        oldest = set->slots[WAYS - 1].value;
        memmove(&set->slots[1], &set->slots[0], (WAYS - 1) * sizeof set->slots[0]);
        set->slots[0].value = json_incref(value);
        memcpy(set->slots[0].key, key, STORE_KEY_SIZE);
        memcpy(set->slots[0].tag, tag, BARRIER_TAG_SIZE);
    }
    pthread_mutex_unlock(&set->lock);
    json_decref(oldest);
}
