/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot_file_read.c — reading a snapshot's file, which anybody may have made. */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/encoding.h"
#include "base/json.h"
#include "base/snapshot_file.h"
#include "base/tar.h"

#define PIECE_SIZE  65536
#define META_MAX    (1u << 20)
#define SUMS_MAX    4096
#define DIGEST_SIZE 32
/* Ciphertext hardly gets smaller by compression: what would grow more than this is made to fill a disk. */
#define RATIO_MAX 4

struct source {
    int fd;
    off_t at;
    uint64_t left;
    z_stream zip;
    bool is_over; /* the gzip stream has ended */
    unsigned char in[PIECE_SIZE];
    struct err *err;
};

static int bad(struct source *source, const char *what)
{
    return err_set(source->err, ERR_CORRUPT, "the snapshot is damaged: %s", what);
}

static int fill(struct source *source)
{
    size_t want = source->left < sizeof source->in ? (size_t)source->left : sizeof source->in;
    if (want == 0)
        return bad(source, "it ends too early");
    ssize_t n = pread(source->fd, source->in, want, source->at);
    if (n < 0)
        return err_set(source->err, ERR_IO, "the snapshot cannot be read: %s", strerror(errno));
    if (n == 0)
        return bad(source, "it ends too early");
    source->at += n;
    source->left -= (uint64_t)n;
    source->zip.next_in = source->in;
    source->zip.avail_in = (unsigned)n;
    return OK;
}

/* Exactly len bytes of the tar. */
static int pull(struct source *source, void *ret, size_t len)
{
    z_stream *zip = &source->zip;
    zip->next_out = ret;
    zip->avail_out = (unsigned)len;
    while (zip->avail_out > 0) {
        int rc = zip->avail_in == 0 && !source->is_over ? fill(source) : OK;
        if (rc != OK)
            return rc;
        int code = source->is_over ? Z_BUF_ERROR : inflate(zip, Z_NO_FLUSH);
        source->is_over |= code == Z_STREAM_END;
        if (code != Z_OK && !(code == Z_STREAM_END && zip->avail_out == 0))
            return bad(source, code == Z_STREAM_END || source->is_over ? "it ends too early" : "it is no gzip stream");
    }
    return OK;
}

static int pull_zeroes(struct source *source, size_t len)
{
    static const unsigned char zeroes[2 * TAR_BLOCK];
    unsigned char bytes[2 * TAR_BLOCK];
    int rc = pull(source, bytes, len);
    return rc == OK && memcmp(bytes, zeroes, len) != 0 ? bad(source, "what should be empty is not") : rc;
}

static int pull_header(struct source *source, const char *name, uint64_t max, uint64_t *ret_size)
{
    unsigned char block[TAR_BLOCK];
    int rc = pull(source, block, sizeof block);
    if (rc == OK && !tar_header_is(block, name, ret_size))
        rc = err_set(source->err, ERR_CORRUPT, "the snapshot is damaged: %s is not where it should be", name);
    if (rc == OK && *ret_size > max)
        rc = err_set(source->err, ERR_CORRUPT, "the snapshot is damaged: %s is too large", name);
    return rc;
}

static int pull_small(struct source *source, const char *name, size_t max, struct buf *ret)
{
    uint64_t size;
    int rc = pull_header(source, name, max, &size);
    if (rc != OK)
        return rc;
    buf_reserve(ret, size);
    rc = size > 0 ? pull(source, ret->data, (size_t)size) : OK;
    if (rc == OK)
        ret->len = (size_t)size;
    return rc == OK ? pull_zeroes(source, tar_padding(size)) : rc;
}

static int pull_meta(struct source *source, char ret_sum[2 * DIGEST_SIZE + 1], json_t **ret_meta)
{
    struct buf text = BUF_INIT;
    unsigned char sum[DIGEST_SIZE];
    json_t *meta = NULL;
    int rc = pull_small(source, "meta.json", META_MAX, &text);
    if (rc == OK && (json_parse((const char *)text.data, text.len, &meta, NULL) != OK || !json_is_object(meta)))
        rc = bad(source, "meta.json is no JSON object");
    if (rc == OK && EVP_Digest(text.data, text.len, sum, NULL, EVP_sha256(), NULL) != 1)
        abort();
    buf_close(&text);
    if (rc != OK) {
        json_decref(meta);
        return rc;
    }
    hex_encode(sum, sizeof sum, ret_sum);
    *ret_meta = meta;
    return OK;
}

struct sink {
    int (*put)(void *arg, const void *data, size_t len, struct err *err);
    void *arg;
};

static int pull_state(struct source *source, const struct sink *sink, uint64_t max, uint64_t *ret_size,
                      char ret_sum[2 * DIGEST_SIZE + 1])
{
    unsigned char piece[PIECE_SIZE], sum[DIGEST_SIZE];
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    uint64_t size = 0;
    if (digest == NULL || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
        abort();
    int rc = pull_header(source, "state.bin", max, &size);
    for (uint64_t left = size; rc == OK && left > 0;) {
        size_t len = left < sizeof piece ? (size_t)left : sizeof piece;
        rc = pull(source, piece, len);
        if (rc == OK && EVP_DigestUpdate(digest, piece, len) != 1)
            abort();
        if (rc == OK && sink->put != NULL)
            rc = sink->put(sink->arg, piece, len, source->err);
        left -= len;
    }
    if (EVP_DigestFinal_ex(digest, sum, NULL) != 1)
        abort();
    EVP_MD_CTX_free(digest);
    hex_encode(sum, sizeof sum, ret_sum);
    *ret_size = size;
    return rc == OK ? pull_zeroes(source, tar_padding(size)) : rc;
}

/* Behind the last file: the tar's end, then the gzip's, with a sum of all of it, then nothing. */
static int pull_end(struct source *source)
{
    unsigned char none;
    int rc = pull_zeroes(source, 2 * TAR_BLOCK);
    while (rc == OK && !source->is_over) {
        z_stream *zip = &source->zip;
        rc = zip->avail_in == 0 ? fill(source) : OK;
        if (rc != OK)
            return rc;
        zip->next_out = &none;
        zip->avail_out = sizeof none;
        int code = inflate(zip, Z_NO_FLUSH);
        source->is_over = code == Z_STREAM_END;
        if (zip->avail_out == 0 || (code != Z_OK && code != Z_STREAM_END))
            return bad(source, "its end");
    }
    if (rc == OK && (source->left > 0 || source->zip.avail_in > 0))
        rc = bad(source, "something follows its end");
    return rc;
}

static int pull_all(struct source *source, uint64_t size, const struct sink *sink, struct snapshot_contents *contents)
{
    char meta_sum[2 * DIGEST_SIZE + 1], state_sum[2 * DIGEST_SIZE + 1];
    struct buf expected = BUF_INIT;
    int rc = pull_meta(source, meta_sum, &contents->meta);
    if (rc == OK)
        rc = pull_state(source, sink, RATIO_MAX * size + META_MAX, &contents->state_size, state_sum);
    if (rc == OK)
        rc = pull_small(source, "SHA256SUMS", SUMS_MAX, &contents->sums);
    if (rc == OK) {
        buf_printf(&expected, "%s  meta.json\n%s  state.bin\n", meta_sum, state_sum);
        if (expected.len != contents->sums.len || memcmp(expected.data, contents->sums.data, expected.len) != 0)
            rc = bad(source, "a checksum does not fit");
    }
    buf_close(&expected);
    if (rc == OK)
        rc = pull_small(source, "SHA256SUMS.sealed", SUMS_MAX, &contents->sealed);
    return rc == OK ? pull_end(source) : rc;
}

void snapshot_contents_close(struct snapshot_contents *contents)
{
    json_decref(contents->meta);
    contents->meta = NULL;
    buf_close(&contents->sums);
    buf_close(&contents->sealed);
}

int snapshot_file_read(int fd, off_t offset, uint64_t size,
                       int (*put)(void *arg, const void *data, size_t len, struct err *err), void *arg,
                       struct snapshot_contents *ret_contents, struct err *err)
{
    struct snapshot_contents contents = {0};
    struct sink sink = {put, arg};
    struct source *source = calloc(1, sizeof *source);
    if (source == NULL || inflateInit2(&source->zip, MAX_WBITS + 16) != Z_OK)
        abort();
    source->fd = fd;
    source->at = offset;
    source->left = size;
    source->err = err;
    int rc = pull_all(source, size, &sink, &contents);
    inflateEnd(&source->zip);
    free(source);
    if (rc == OK)
        *ret_contents = contents;
    else
        snapshot_contents_close(&contents);
    return rc;
}
