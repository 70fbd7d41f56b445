/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_writer.h — a thread that writes to one audit device which may hang, so that no request hangs with it.
 *
 * Whoever has an entry waits until it is written, but not longer than the device's bound. When that is exceeded the
 * device counts as hanging: later entries are refused at once, and one at a time is still tried, without anybody
 * waiting for it. The first one that gets through makes the device good again. So a device that hangs costs the bound
 * once, not once for each request.
 */
#ifndef COFFER_CORE_AUDIT_WRITER_H
#define COFFER_CORE_AUDIT_WRITER_H

#include <stddef.h>

#include "core/audit/audit.h"

struct audit_writer;

/* Takes over the state, which the device gave when it was opened. */
struct audit_writer *audit_writer_start(const struct audit_device *device, void *state);
/* Returns within the bound. Any thread. An error: it is not known to be written. */
int audit_writer_put(struct audit_writer *writer, const char *line, size_t len, struct err *err) MUST_CHECK;
/* Has the device reopened before the next entry. */
void audit_writer_reopen(struct audit_writer *writer);
/*
 * Closes the device. Nobody may be in audit_writer_put(). A thread that still hangs after the bound is left to itself,
 * and frees all once it comes back.
 */
void audit_writer_stop(struct audit_writer *writer);

#endif
