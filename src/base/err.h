/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err.h — the error codes of the whole program, and the sentence that goes with one.
 *
 * A function that can fail returns OK or an ERR_ code. Who knows why it failed writes the
 * sentence once, with err_set(); everybody above passes both on unchanged. Codes of libraries
 * (MDB_, RAFT_, OpenSSL, curl) are translated in the one file that calls the library.
 */
#ifndef COFFER_BASE_ERR_H
#define COFFER_BASE_ERR_H

#include <stddef.h>

/*  code            HTTP  text when nobody gave a better one */
#define ERR_MAP(X)                                                                                                     \
    X(ERR_INVALID, 400, "invalid request")                                                                             \
    X(ERR_DENIED, 403, "permission denied")                                                                            \
    X(ERR_NOTFOUND, 404, "not found")                                                                                  \
    X(ERR_UNSUPPORTED, 405, "unsupported operation")                                                                   \
    X(ERR_TOO_LARGE, 413, "request is too large")                                                                      \
    X(ERR_MEDIA_TYPE, 415, "unsupported media type")                                                                   \
    X(ERR_BUSY, 429, "too many requests")                                                                              \
    X(ERR_INTERNAL, 500, "internal error")                                                                             \
    X(ERR_IO, 500, "input/output error")                                                                               \
    X(ERR_CORRUPT, 500, "stored data is damaged")                                                                      \
    X(ERR_NOSPACE, 503, "nothing can be committed now: a full disk, or no majority")                                   \
    X(ERR_UPSTREAM, 502, "the remote service failed")                                                                  \
    X(ERR_UPSTREAM_BUSY, 502, "the remote service limits the rate")                                                    \
    X(ERR_SEALED, 503, "Vault is sealed")                                                                              \
    X(ERR_STANDBY, 503, "node is not active")                                                                          \
    X(ERR_NOTLEADER, 503, "leadership was lost")                                                                       \
    X(ERR_UNAVAILABLE, 503, "service unavailable")                                                                     \
    X(ERR_UNINITIALIZED, 503, "Vault is not initialized")                                                              \
    X(ERR_TIMEOUT, 503, "the operation took too long")                                                                 \
    X(ERR_CONFLICT, 500, "another request changed what was read")                                                      \
    X(ERR_EXISTS, 400, "already exists")

enum err_code {
    OK = 0,
#define ERR_ENUM(code, status, text) code,
    ERR_MAP(ERR_ENUM)
#undef ERR_ENUM
};

#define MUST_CHECK              __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

/* Where a failing function says why. Never holds a secret. A zeroed one is valid. */
struct err {
    int code;
    char text[512];
};

/* Writes the sentence and returns `code`, so that `return err_set(err, …)` reads well. err may be NULL. */
int err_set(struct err *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "context: " before the sentence; returns err's code. err may be NULL: then it is ERR_INTERNAL. */
int err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The sentence, or the code's own text when there is none. Never NULL. */
const char *err_text(const struct err *err);

int err_http_status(int code);
const char *err_name(int code);
const char *err_default_text(int code);

#endif
