/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar.h — the one form of tar that snapshots have: POSIX ustar headers of plain files, sizes from 8 GiB on in base 256.
 *
 * tar itself, and archives of other programs, know many more forms. What is read back is compared with what would have
 * been written, so there is no parser to be fooled.
 */
#ifndef COFFER_BASE_TAR_H
#define COFFER_BASE_TAR_H

#include <stdbool.h>
#include <stdint.h>

#define TAR_BLOCK 512

void tar_header(const char *name, uint64_t size, int64_t mtime_s, unsigned char ret[TAR_BLOCK]);
/* Whether a block is tar_header() of this name and some size and time. */
bool tar_header_is(const unsigned char block[TAR_BLOCK], const char *name, uint64_t *ret_size);
/* How many zeroes follow this many bytes of a file. */
unsigned tar_padding(uint64_t size);

#endif
