/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pgp_packets.h — a first look at a PGP key, before librnp gets it.
 *
 * librnp checks a key's signatures when it reads it, each with the numbers in the key, whatever their size: 130 KB made
 * for that keep it busy for hours. So the packets (RFC 4880, 4) are walked here, and a key is let through if its
 * numbers and its packets are no more than keys of people have. Nothing is decided of what they mean. Threads: any.
 */
#ifndef COFFER_BASE_PGP_PACKETS_H
#define COFFER_BASE_PGP_PACKETS_H

#include "base/buf.h"

/* ERR_INVALID, with the reason: damaged, a private key, or beyond a limit. */
int pgp_packets_check(const void *key, size_t len, struct err *err) MUST_CHECK;

/*
 * What is between the head and the checksum of an armored public key (RFC 4880, 6.2) is base64 already: appends it,
 * without line ends. ERR_NOTFOUND when there is no such key; ERR_INVALID when there are several.
 */
int pgp_dearmor(const char *text, struct buf *ret_base64) MUST_CHECK;

#endif
