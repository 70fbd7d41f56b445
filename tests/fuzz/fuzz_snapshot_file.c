/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot's file as somebody sends it. The input is taken three ways: as the file; packed, so that what is behind
 * gzip's checksum is reached; and, since no fuzzer finds the headers and sums of a tar either, cut into the members of
 * one. Its first byte says which member is spoilt, the next three how long they are.
 */
#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/snapshot_file.h"
#include "base/tar.h"

#define LEFT_AS_IS 4
#define SUM_SIZE   32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_as_file(const void *data, size_t size)
{
    struct snapshot_contents contents;
    int fd = -1;
    if (file_make_nameless("/tmp", &fd, NULL) != OK || write(fd, data, size) != (ssize_t)size)
        abort();
    if (snapshot_file_read(fd, 0, size, NULL, NULL, &contents, NULL) == OK)
        snapshot_contents_close(&contents);
    close(fd);
}

static void read_packed(const void *data, size_t size)
{
    z_stream zip = {0};
    if (deflateInit2(&zip, 1, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    size_t room = deflateBound(&zip, size);
    unsigned char *packed = malloc(room);
    zip.next_in = (unsigned char *)data;
    zip.avail_in = (unsigned)size;
    zip.next_out = packed;
    zip.avail_out = (unsigned)room;
    if (packed == NULL || deflate(&zip, Z_FINISH) != Z_STREAM_END)
        abort();
    read_as_file(packed, zip.total_out);
    deflateEnd(&zip);
    free(packed);
}

/* spoilt: its header claims another size than it has. */
static void put_member(struct buf *tar, const char *name, const void *data, size_t size, bool is_spoilt)
{
    static const unsigned char zeroes[TAR_BLOCK];
    unsigned char header[TAR_BLOCK];
    tar_header(name, is_spoilt ? size + 1 : size, 0, header);
    buf_put(tar, header, sizeof header);
    buf_put(tar, data, size);
    buf_put(tar, zeroes, tar_padding(size));
}

static void put_sum(struct buf *sums, const char *name, const void *data, size_t size)
{
    unsigned char sum[SUM_SIZE];
    char hex[2 * SUM_SIZE + 1];
    if (EVP_Digest(data, size, sum, NULL, EVP_sha256(), NULL) != 1)
        abort();
    hex_encode(sum, sizeof sum, hex);
    buf_printf(sums, "%s  %s\n", hex, name);
}

/* meta.json ‖ state.bin ‖ what follows the sums; the sums themselves are right, or bytes of the last. */
static void read_as_members(const uint8_t *data, size_t size)
{
    static const unsigned char zeroes[2 * TAR_BLOCK];
    struct buf tar = BUF_INIT, sums = BUF_INIT;
    unsigned spoilt = data[0] % (LEFT_AS_IS + 2);
    const uint8_t *at = data + 4;
    size_t left = size - 4, meta = left * data[1] / 256, state = (left - meta) * data[2] / 256;
    size_t seal = left - meta - state;
    put_sum(&sums, "meta.json", at, meta);
    put_sum(&sums, "state.bin", at + meta, state);
    put_member(&tar, "meta.json", at, meta, spoilt == 0);
    put_member(&tar, "state.bin", at + meta, state, spoilt == 1);
    if (spoilt == LEFT_AS_IS + 1)
        put_member(&tar, "SHA256SUMS", at + meta + state, seal, false);
    else
        put_member(&tar, "SHA256SUMS", sums.data, sums.len, spoilt == 2);
    put_member(&tar, "SHA256SUMS.sealed", at + meta + state, seal, spoilt == 3);
    buf_put(&tar, zeroes, (size_t)data[3] * sizeof zeroes / 255);
    read_packed(tar.data, tar.len);
    buf_close(&tar);
    buf_close(&sums);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 20)
        return 0;
    read_as_file(data, size);
    read_packed(data, size);
    if (size > 4)
        read_as_members(data, size);
    return 0;
}
