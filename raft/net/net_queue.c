/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/net/net_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Small frames share a chunk, so that they leave in one TLS record; a large one has its own and is copied once. */
#define CHUNK_SIZE (16u << 10)

struct send_chunk {
    struct send_chunk *next;
    size_t cap;
    size_t len;
    size_t sent;
    unsigned char data[];
};

static bool add_chunk(struct send_queue *queue, size_t size)
{
    size_t cap = size < CHUNK_SIZE ? CHUNK_SIZE : size;
    struct send_chunk *chunk = malloc(sizeof *chunk + cap);
    if (chunk == NULL)
        return false;
    *chunk = (struct send_chunk){.cap = cap};
    if (queue->tail != NULL)
        queue->tail->next = chunk;
    else
        queue->head = chunk;
    queue->tail = chunk;
    return true;
}

bool queue_put(struct send_queue *queue, uint8_t type, const void *payload, size_t len)
{
    size_t size = FRAME_HEAD + len;
    bool fits = queue->tail != NULL && queue->tail->cap - queue->tail->len >= size;
    if (!fits && !add_chunk(queue, size))
        return false;
    struct send_chunk *chunk = queue->tail;
    frame_put_head(chunk->data + chunk->len, type, (uint32_t)len);
    if (len > 0)
        memcpy(chunk->data + chunk->len + FRAME_HEAD, payload, len);
    chunk->len += size;
    queue->bytes += size;
    return true;
}

const void *queue_peek(const struct send_queue *queue, size_t max, size_t *ret_len)
{
    const struct send_chunk *chunk = queue->head;
    if (chunk == NULL)
        return NULL;
    size_t left = chunk->len - chunk->sent;
    *ret_len = left < max ? left : max;
    return chunk->data + chunk->sent;
}

void queue_drop(struct send_queue *queue, size_t len)
{
    struct send_chunk *chunk = queue->head;
    assert(chunk != NULL && len <= chunk->len - chunk->sent);
    chunk->sent += len;
    queue->bytes -= len;
    if (chunk->sent < chunk->len)
        return;
    queue->head = chunk->next;
    if (queue->head == NULL)
        queue->tail = NULL;
    free(chunk);
}

void queue_close(struct send_queue *queue)
{
    while (queue->head != NULL) {
        struct send_chunk *next = queue->head->next;
        free(queue->head);
        queue->head = next;
    }
    *queue = (struct send_queue){0};
}
