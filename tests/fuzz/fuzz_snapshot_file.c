/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot's file as somebody sends it. The input is the file; and, since no fuzzer finds a checksum, also what is
 * packed into one: then its members are reached behind gzip's.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/snapshot_file.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    z_stream zip = {0};
    if (size > 1 << 20 || deflateInit2(&zip, 0, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return 0;
    size_t room = deflateBound(&zip, size);
    unsigned char *packed = malloc(room);
    zip.next_in = (unsigned char *)data;
    zip.avail_in = (unsigned)size;
    zip.next_out = packed;
    zip.avail_out = (unsigned)room;
    if (packed == NULL || deflate(&zip, Z_FINISH) != Z_STREAM_END)
        abort();
    read_as_file(data, size);
    read_as_file(packed, zip.total_out);
    deflateEnd(&zip);
    free(packed);
    return 0;
}
