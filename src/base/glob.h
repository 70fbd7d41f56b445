/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glob.h — patterns in which '*' stands for any text, also an empty one. There is no other special character.
 */
#ifndef COFFER_BASE_GLOB_H
#define COFFER_BASE_GLOB_H

#include <jansson.h>
#include <stdbool.h>

/* Whether the whole text fits. Takes no longer than the product of the two lengths. */
bool glob_fits(const char *pattern, const char *text);
/* Whether it fits any pattern of an array of strings; NULL and an empty one have none. */
bool glob_list_fits(const json_t *patterns, const char *text);

#endif
