/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socket.h — the audit log sent to an address: a line for each entry, or with datagrams one datagram.
 *
 * Options: address ("host:port", or a path), socket_type ("tcp", "udp", "unix" and what else Go's net.Dial knows of
 * them), write_timeout ("2s"; how long a request waits at most). The connection is made with the first entry, and made
 * anew when it breaks. An entry counts as taken once the kernel has it; a peer that acknowledges nothing for the time
 * of write_timeout is given up.
 */
#ifndef COFFER_AUDIT_SOCKET_SOCKET_H
#define COFFER_AUDIT_SOCKET_SOCKET_H

#include "core/audit/audit.h"

extern const struct audit_device audit_socket_device;

#endif
