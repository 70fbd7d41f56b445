/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pgp_library.h — librnp, loaded when it is needed.
 *
 * Linked, it would bring Botan, SQLite and the C++ library into every server: 3 MB that are resident from the start,
 * for what most never use. So its soname is opened by hand, and its functions are called through this table; their
 * types are those of its header, so that a call is checked as if it were linked. It stays loaded then.
 */
#ifndef COFFER_BASE_PGP_LIBRARY_H
#define COFFER_BASE_PGP_LIBRARY_H

#include <rnp/rnp.h>
#include <rnp/rnp_err.h>

#include "base/err.h"

#define PGP_LIBRARY_FUNCTIONS(X)                                                                                       \
    X(rnp_version)                                                                                                     \
    X(rnp_version_for)                                                                                                 \
    X(rnp_ffi_create)                                                                                                  \
    X(rnp_ffi_destroy)                                                                                                 \
    X(rnp_buffer_destroy)                                                                                              \
    X(rnp_input_from_memory)                                                                                           \
    X(rnp_input_destroy)                                                                                               \
    X(rnp_output_to_memory)                                                                                            \
    X(rnp_output_memory_get_buf)                                                                                       \
    X(rnp_output_destroy)                                                                                              \
    X(rnp_import_keys)                                                                                                 \
    X(rnp_locate_key)                                                                                                  \
    X(rnp_key_get_default_key)                                                                                         \
    X(rnp_key_get_keyid)                                                                                               \
    X(rnp_key_is_valid)                                                                                                \
    X(rnp_key_handle_destroy)                                                                                          \
    X(rnp_op_encrypt_create)                                                                                           \
    X(rnp_op_encrypt_add_recipient)                                                                                    \
    X(rnp_op_encrypt_set_cipher)                                                                                       \
    X(rnp_op_encrypt_set_compression)                                                                                  \
    X(rnp_op_encrypt_execute)                                                                                          \
    X(rnp_op_encrypt_destroy)

struct pgp_library {
#define PGP_LIBRARY_MEMBER(name) __typeof__(name) *name;
    PGP_LIBRARY_FUNCTIONS(PGP_LIBRARY_MEMBER)
#undef PGP_LIBRARY_MEMBER
};

/*
 * Loads it, if it is not yet. Threads: any. ERR_INVALID when it is not installed, or is one that must not be used; it
 * is tried again the next time.
 */
int pgp_library_load(const struct pgp_library **ret_library, struct err *err) MUST_CHECK;

#endif
