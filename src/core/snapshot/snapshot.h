/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.h — saving the whole state to a file, checking such a file, and putting it in the state's place.
 *
 * The file (base/snapshot_file.h) holds ciphertext. Its seal is a MAC by the keyring: it fits on the cluster whose
 * keyring the snapshot was taken under, whatever term that has reached since.
 *
 * A restore goes through the log (storage/restore.h), so every node has the same state at the same index, and only
 * after the whole file was checked. While the states are swapped this node is not active and commits nothing, so that
 * nothing that rests on the old state gets into the new one. Leases that had ended by then are in quarantine
 * (quarantine.h). If the snapshot's keyring is another than the one in use, every node seals itself.
 *
 * Threads: any that may wait.
 */
#ifndef COFFER_CORE_SNAPSHOT_H
#define COFFER_CORE_SNAPSHOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/file.h"

struct core;

/*
 * Saves the state as of now to a file without a name in the data directory, of which all is written when it returns.
 * The descriptor is the caller's. is_off: somebody else sets it to give up; NULL: nobody does. ERR_BUSY amid a restore;
 * ERR_UNAVAILABLE when it was given up; ERR_NOSPACE; ERR_CORRUPT; ERR_IO.
 */
int snapshot_save(struct core *core, const atomic_bool *is_off, struct file_range *ret, struct err *err) MUST_CHECK;

/*
 * Checks all of a file. force: its seal need not fit. ret_records may be NULL.
 * Errors: ERR_INVALID, saying what is wrong with it; ERR_IO.
 */
int snapshot_verify(struct core *core, const struct file_range *source, bool force, uint64_t *ret_records,
                    struct err *err) MUST_CHECK;

/*
 * Checks it and restores it, in an epoch. ERR_BUSY while another restore runs; ERR_UNAVAILABLE when the leadership was
 * lost in its last step: then nobody knows whether it took effect.
 */
int snapshot_restore(struct core *core, uint64_t epoch, const struct file_range *source, bool force,
                     struct err *err) MUST_CHECK;

/* After a leader has gone amid a restore, the next one clears away what it had collected. In the background. */
void snapshot_abandon_old(struct core *core, uint64_t epoch);

#endif
