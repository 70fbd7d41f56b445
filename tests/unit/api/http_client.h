/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_client.h — a server with a handler that does what the path says, and a client that says exactly what is to be
 * said, byte by byte.
 *
 *   /now          answers from within the handler: the body, or "hello"
 *   /later        answers from another thread after 30 ms
 *   /posted       answers through http_post()
 *   /never        answers when later_release() is called
 *   /large?N      answers N bytes
 *   /header?NAME  answers the header's value
 *   /status?N     answers with this status
 */
#ifndef COFFER_TESTS_HTTP_CLIENT_H
#define COFFER_TESTS_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "api/http.h"
#include "base/pool.h"

void test_handler(void *ctx, struct http_call *call);
/* Answers everything that "/never" has kept; returns how many. */
size_t later_release(void);
/* Waits for the threads of "/later". */
void later_join(void);

/* What the handler needs for "/later": its ctx. Made when first asked for. */
struct pool *test_pool(void);
struct http_server *server_start(const char *address);

int client_connect(int port);
void client_send(int fd, const char *text);
/* As much as comes until the end, or until `want` bytes are there, or ms are over; terminated. */
size_t client_read(int fd, char *out, size_t size, size_t want, int ms);
/* One request on a connection of its own; what comes back until the server closes. */
size_t client_ask(int port, const char *text, char *out, size_t size);
/* Whether the server ends the connection within ms. */
bool client_is_closed(int fd, int ms);
long long now_ms(void);

#endif
