/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.h — the audit log as a file: one write for each entry, at the end, in the order of the entries.
 *
 * Options: file_path (or "stdout", "discard"), mode (octal, "0600"; "0000" leaves a file's own).
 */
#ifndef COFFER_AUDIT_FILE_FILE_H
#define COFFER_AUDIT_FILE_FILE_H

#include "core/audit/audit.h"

extern const struct audit_device audit_file_device;

#endif
