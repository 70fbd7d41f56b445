/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cidr.h — blocks of IP addresses: "10.0.0.0/8", "2001:db8::/32", a single address (RFC 4632, RFC 4291).
 */
#ifndef COFFER_BASE_CIDR_H
#define COFFER_BASE_CIDR_H

#include <jansson.h>
#include <stdbool.h>

/* Whether the text is a block or an address. */
bool cidr_is_valid(const char *block);
/* Whether the block has the address; false for what is neither. IPv4-mapped IPv6 addresses count as IPv4. */
bool cidr_has(const char *block, const char *address);
/* Whether any block of the list has it. An empty or absent list has every address. */
bool cidr_list_has(const json_t *blocks, const char *address);

#endif
