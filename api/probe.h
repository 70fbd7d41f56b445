/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.h — whether api_addr leads to this node: what others are redirected to must not be a load balancer's address.
 *
 * Soon after the start the node calls itself at its own api_addr, some times over, with a random word in a header that
 * only it knows. What answers without the word having come in is somebody else.
 */
#ifndef COFFER_API_PROBE_H
#define COFFER_API_PROBE_H

#include "api/http.h"

struct probe;

/* Begins on a thread of its own; warns in the log. */
struct probe *probe_start(const char *api_addr);
/* Tells the probe of every call that comes in. NULL is fine. */
void probe_note(struct probe *probe, const struct http_call *call);
/* Waits for the thread. NULL is fine. */
void probe_stop(struct probe *probe);

#endif
