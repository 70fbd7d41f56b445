/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy_header.h — the PROXY protocol, versions 1 and 2: what a proxy says of the client before anything else.
 * Format: https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt. Pure: no sockets. The bytes are hostile.
 */
#ifndef COFFER_API_PROXY_HEADER_H
#define COFFER_API_PROXY_HEADER_H

#include <stddef.h>
#include <sys/socket.h>

#define PROXY_HEADER_MAX 4096 /* version 2 may carry notes of the proxy's own, which are passed over */

enum proxy_header {
    PROXY_MORE,    /* it may be one; more bytes are needed, up to PROXY_HEADER_MAX */
    PROXY_NONE,    /* something else begins here: TLS, HTTP */
    PROXY_BAD,     /* it begins as one and is none */
    PROXY_SILENT,  /* of the proxy's own (a health check), or of an unknown client: the connection's address holds */
    PROXY_ADDRESS, /* ret_source is the client */
};

/* ret_len: the bytes of the header, set with PROXY_SILENT and PROXY_ADDRESS. */
enum proxy_header proxy_header_parse(const void *bytes, size_t len, struct sockaddr_storage *ret_source,
                                     size_t *ret_len);

#endif
