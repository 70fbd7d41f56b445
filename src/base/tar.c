/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tar.h"

#include <stdio.h>
#include <string.h>

#define NAME      0
#define NAME_SIZE 100
#define MODE      100
#define UID       108
#define GID       116
#define SIZE      124
#define MTIME     136
#define FIELD     12 /* of size and time: eleven digits and their end */
#define CHECKSUM  148
#define TYPE      156
#define MAGIC     257
#define DEVICE    329 /* major and minor, of which files have none */
#define OCTAL_MAX 077777777777

static void put_octal(unsigned char *field, int digits, uint64_t value)
{
    for (int i = digits - 1; i >= 0; i--, value >>= 3)
        field[i] = (unsigned char)('0' + (value & 7));
}

static void put_size(unsigned char *field, uint64_t size)
{
    if (size <= OCTAL_MAX) {
        put_octal(field, FIELD - 1, size);
        return;
    }
    field[0] = 0x80;
    for (int i = FIELD - 1; i > 0; i--, size >>= 8)
        field[i] = (unsigned char)size;
}

static uint64_t get_number(const unsigned char *field)
{
    uint64_t value = 0;
    if (field[0] == 0x80) {
        for (int i = 1; i < FIELD; i++)
            value = value << 8 | field[i];
        return value;
    }
    for (int i = 0; i < FIELD - 1; i++)
        value = value << 3 | (field[i] & 7);
    return value;
}

/* The numbers of the device are nothing, or are written out as zeroes, as Go's programs do. */
static void make_header(const char *name, uint64_t size, int64_t mtime_s, bool has_device, unsigned char *ret)
{
    unsigned sum = 0;
    memset(ret, 0, TAR_BLOCK);
    memcpy(ret + NAME, name, strnlen(name, NAME_SIZE - 1));
    put_octal(ret + MODE, 7, 0600);
    put_octal(ret + UID, 7, 0);
    put_octal(ret + GID, 7, 0);
    put_size(ret + SIZE, size);
    put_octal(ret + MTIME, FIELD - 1, (uint64_t)mtime_s);
    memset(ret + CHECKSUM, ' ', 8); /* as which it counts in its own sum */
    ret[TYPE] = '0';
    memcpy(ret + MAGIC, "ustar\00000", 8);
    if (has_device) {
        put_octal(ret + DEVICE, 7, 0);
        put_octal(ret + DEVICE + 8, 7, 0);
    }
    for (int i = 0; i < TAR_BLOCK; i++)
        sum += ret[i];
    put_octal(ret + CHECKSUM, 6, sum);
    ret[CHECKSUM + 6] = '\0';
}

void tar_header(const char *name, uint64_t size, int64_t mtime_s, unsigned char ret[TAR_BLOCK])
{
    make_header(name, size, mtime_s, false, ret);
}

bool tar_header_is(const unsigned char block[TAR_BLOCK], const char *name, uint64_t *ret_size)
{
    unsigned char expected[TAR_BLOCK];
    uint64_t size = get_number(block + SIZE);
    make_header(name, size, (int64_t)get_number(block + MTIME), block[DEVICE] != 0, expected);
    if (memcmp(block, expected, TAR_BLOCK) != 0)
        return false;
    *ret_size = size;
    return true;
}

unsigned tar_padding(uint64_t size)
{
    return (unsigned)((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}
