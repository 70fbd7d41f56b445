/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pgp_packets.h"

#include <string.h>

#define PACKETS_MAX 200
#define KEY_MAX     1700 /* of one key packet: DSA of 4096 bits, the largest kind, has 1600 */
#define VERSION     4

enum tag { TAG_SECRET = 5, TAG_PUBLIC = 6, TAG_SECRET_SUBKEY = 7, TAG_PUBLIC_SUBKEY = 14 };

/* The numbers that a key of an algorithm begins with, and how many bits each may have. Others (curves) are short. */
static const struct {
    uint8_t algorithm;
    uint16_t bits_max[4];
} algorithms[] = {
    {1, {8192, 32}}, /* RSA: modulus, exponent */
    {2, {8192, 32}},
    {3, {8192, 32}},
    {16, {4096, 4096, 4096}},     /* Elgamal */
    {17, {4096, 512, 4096, 4096}} /* DSA: the second one is the group's order */
};

/* ---- Packets ---- */

struct packet {
    uint8_t tag;
    const unsigned char *body;
    size_t len;
};

static size_t new_length(struct reader *reader)
{
    size_t first = reader_u8(reader);
    if (first < 192)
        return first;
    if (first < 224)
        return ((first - 192) << 8) + reader_u8(reader) + 192;
    if (first == 255)
        return reader_u32(reader);
    reader->failed = true; /* in parts: data may be so, keys may not */
    return 0;
}

static size_t old_length(struct reader *reader, uint8_t type)
{
    if (type == 0)
        return reader_u8(reader);
    if (type == 1)
        return reader_u16(reader);
    if (type == 2)
        return reader_u32(reader);
    reader->failed = true; /* to the end: likewise */
    return 0;
}

static bool next_packet(struct reader *reader, struct packet *ret)
{
    uint8_t head = reader_u8(reader);
    if ((head & 0x80) == 0)
        return false;
    ret->tag = (head & 0x40) != 0 ? head & 0x3f : head >> 2 & 0x0f;
    ret->len = (head & 0x40) != 0 ? new_length(reader) : old_length(reader, head & 3);
    ret->body = reader_bytes(reader, ret->len);
    return !reader->failed;
}

/* ---- Keys ---- */

static int check_numbers(struct reader *reader, const uint16_t bits_max[4], struct err *err)
{
    for (int i = 0; i < 4 && bits_max[i] > 0; i++) {
        uint16_t bits = reader_u16(reader);
        reader_bytes(reader, (bits + 7u) / 8);
        if (bits > bits_max[i])
            return err_set(err, ERR_INVALID, "it has a number of %u bits, where %u are the most", bits, bits_max[i]);
    }
    return reader->failed ? err_set(err, ERR_INVALID, "it is damaged") : OK;
}

static int check_key(const struct packet *packet, struct err *err)
{
    struct reader reader = reader_of(packet->body, packet->len);
    if (packet->len > KEY_MAX)
        return err_set(err, ERR_INVALID, "its numbers are too large");
    uint8_t version = reader_u8(&reader);
    if (version != VERSION)
        return err_set(err, ERR_INVALID, "it is a key of version %u, and only version %d is supported", version,
                       VERSION);
    reader_u32(&reader); /* when it was made */
    uint8_t algorithm = reader_u8(&reader);
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
        if (algorithms[i].algorithm == algorithm)
            return check_numbers(&reader, algorithms[i].bits_max, err);
    return reader.failed ? err_set(err, ERR_INVALID, "it is damaged") : OK;
}

static int check_packet(const struct packet *packet, bool is_first, struct err *err)
{
    if (packet->tag == TAG_SECRET || packet->tag == TAG_SECRET_SUBKEY)
        return err_set(err, ERR_INVALID, "it is a private key; give the public one, and do not use this one any more");
    if (is_first && packet->tag != TAG_PUBLIC)
        return err_set(err, ERR_INVALID, "it is no PGP public key");
    return packet->tag == TAG_PUBLIC || packet->tag == TAG_PUBLIC_SUBKEY ? check_key(packet, err) : OK;
}

int pgp_packets_check(const void *key, size_t len, struct err *err)
{
    struct reader reader = reader_of(key, len);
    struct packet packet;
    int rc = OK;
    for (int n = 0; rc == OK && reader.at < reader.end; n++) {
        if (n == PACKETS_MAX)
            return err_set(err, ERR_INVALID, "it has more than %d packets: export it without others' signatures",
                           PACKETS_MAX);
        if (!next_packet(&reader, &packet))
            return err_set(err, ERR_INVALID, n == 0 && !reader.failed ? "it is no PGP public key" : "it is damaged");
        rc = check_packet(&packet, n == 0, err);
    }
    return rc;
}

/* ---- Armor ---- */

#define HEAD "-----BEGIN PGP PUBLIC KEY BLOCK-----"

static const char *next_line(const char *line)
{
    line += strcspn(line, "\n");
    return *line != '\0' ? line + 1 : line;
}

static bool is_blank(const char *line)
{
    return line[strspn(line, " \t\r")] == '\n';
}

int pgp_dearmor(const char *text, struct buf *ret_base64)
{
    const char *line = strstr(text, HEAD);
    if (line == NULL)
        return ERR_NOTFOUND;
    line = next_line(line);
    if (strstr(line, HEAD) != NULL)
        return ERR_INVALID;
    while (*line != '\0' && !is_blank(line))
        line = next_line(line);
    for (line = next_line(line); *line != '\0' && *line != '=' && *line != '-'; line = next_line(line))
        buf_put(ret_base64, line, strcspn(line, " \t\r\n"));
    return OK;
}
