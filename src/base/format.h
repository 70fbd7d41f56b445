/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format.h — the forms in which nodes write entries of the log and speak to each other, counted from 1.
 *
 * A program reads all forms from the first to its newest. It writes an entry in the newest form that every member of
 * the cluster reads, and a message in the newest that its receiver reads; so versions may be mixed while they are
 * exchanged one after the other. Who changes a form adds one to FORMAT_NEWEST and goes on writing the old one when
 * asked to (docs/decisions/0012-formats.md).
 */
#ifndef COFFER_BASE_FORMAT_H
#define COFFER_BASE_FORMAT_H

#include <stdint.h>

#define FORMAT_FIRST  1
#define FORMAT_NEWEST 1

/* FORMAT_NEWEST; a build with failpoints takes COFFER_TEST_FORMAT for it, to be the version after this one. */
uint8_t format_newest(void);

#endif
