/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot_file.c — writing one; snapshot_file_read.c reads it. */
#include "base/snapshot_file.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/json.h"
#include "base/tar.h"

#define OUT_SIZE    65536
#define DIGEST_SIZE 32
/* Ciphertext does not get smaller: it is only put into gzip's form. */
#define LEVEL 0

struct snapshot_writer {
    int fd;
    int64_t mtime_s;
    z_stream zip;
    EVP_MD_CTX *digest;
    char meta_sum[2 * DIGEST_SIZE + 1];
    uint64_t state_size, written;
    unsigned char out[OUT_SIZE];
};

static int write_all(int fd, const unsigned char *data, size_t len, struct err *err)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, errno == ENOSPC || errno == EDQUOT ? ERR_NOSPACE : ERR_IO,
                           "the snapshot cannot be written: %s", strerror(errno));
        data += n;
        len -= (size_t)n;
    }
    return OK;
}

static int deflate_more(struct snapshot_writer *writer, const void *data, size_t len, int flush, struct err *err)
{
    z_stream *zip = &writer->zip;
    int code, rc = OK;
    zip->next_in = (unsigned char *)data;
    zip->avail_in = (unsigned)len;
    do {
        zip->next_out = writer->out;
        zip->avail_out = sizeof writer->out;
        code = deflate(zip, flush);
        assert(code != Z_STREAM_ERROR);
        rc = write_all(writer->fd, writer->out, sizeof writer->out - zip->avail_out, err);
    } while (rc == OK && zip->avail_out == 0);
    return rc;
}

static int put_header(struct snapshot_writer *writer, const char *name, uint64_t size, struct err *err)
{
    unsigned char header[TAR_BLOCK];
    tar_header(name, size, writer->mtime_s, header);
    return deflate_more(writer, header, sizeof header, Z_NO_FLUSH, err);
}

static int put_padding(struct snapshot_writer *writer, uint64_t size, struct err *err)
{
    static const unsigned char zeroes[TAR_BLOCK];
    return deflate_more(writer, zeroes, tar_padding(size), Z_NO_FLUSH, err);
}

static int put_small(struct snapshot_writer *writer, const char *name, const void *data, size_t len, struct err *err)
{
    int rc = put_header(writer, name, len, err);
    if (rc == OK)
        rc = deflate_more(writer, data, len, Z_NO_FLUSH, err);
    return rc == OK ? put_padding(writer, len, err) : rc;
}

static void sum_of(const void *data, size_t len, char ret_hex[2 * DIGEST_SIZE + 1])
{
    unsigned char sum[DIGEST_SIZE];
    if (EVP_Digest(data, len, sum, NULL, EVP_sha256(), NULL) != 1)
        abort();
    hex_encode(sum, sizeof sum, ret_hex);
}

static struct snapshot_writer *writer_new(int fd, uint64_t state_size)
{
    struct snapshot_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL)
        abort();
    writer->fd = fd;
    writer->mtime_s = clock_wall_ms() / 1000;
    writer->state_size = state_size;
    writer->digest = EVP_MD_CTX_new();
    if (writer->digest == NULL || EVP_DigestInit_ex(writer->digest, EVP_sha256(), NULL) != 1 ||
        deflateInit2(&writer->zip, LEVEL, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    return writer;
}

int snapshot_writer_begin(int fd, const json_t *meta, uint64_t state_size, struct snapshot_writer **ret_writer,
                          struct err *err)
{
    struct snapshot_writer *writer = writer_new(fd, state_size);
    char *text = json_format(meta);
    sum_of(text, strlen(text), writer->meta_sum);
    int rc = put_small(writer, "meta.json", text, strlen(text), err);
    json_text_free(text);
    if (rc == OK)
        rc = put_header(writer, "state.bin", state_size, err);
    if (rc == OK)
        *ret_writer = writer;
    else
        snapshot_writer_free(writer);
    return rc;
}

int snapshot_writer_put(struct snapshot_writer *writer, const void *data, size_t len, struct err *err)
{
    assert(len <= writer->state_size - writer->written);
    writer->written += len;
    if (EVP_DigestUpdate(writer->digest, data, len) != 1)
        abort();
    return deflate_more(writer, data, len, Z_NO_FLUSH, err);
}

int snapshot_writer_sums(struct snapshot_writer *writer, struct buf *ret_sums, struct err *err)
{
    unsigned char sum[DIGEST_SIZE];
    char hex[2 * DIGEST_SIZE + 1];
    assert(writer->written == writer->state_size);
    if (EVP_DigestFinal_ex(writer->digest, sum, NULL) != 1)
        abort();
    hex_encode(sum, sizeof sum, hex);
    buf_printf(ret_sums, "%s  meta.json\n%s  state.bin\n", writer->meta_sum, hex);
    return put_padding(writer, writer->state_size, err);
}

int snapshot_writer_end(struct snapshot_writer *writer, const struct buf *sums, const struct buf *sealed,
                        struct err *err)
{
    static const unsigned char end[2 * TAR_BLOCK];
    int rc = put_small(writer, "SHA256SUMS", sums->data, sums->len, err);
    if (rc == OK)
        rc = put_small(writer, "SHA256SUMS.sealed", sealed->data, sealed->len, err);
    return rc == OK ? deflate_more(writer, end, sizeof end, Z_FINISH, err) : rc;
}

void snapshot_writer_free(struct snapshot_writer *writer)
{
    if (writer == NULL)
        return;
    deflateEnd(&writer->zip);
    EVP_MD_CTX_free(writer->digest);
    free(writer);
}
