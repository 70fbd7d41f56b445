/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redirect.h — whether a redirect would go round in circles.
 *
 * Nothing that we could put into a redirect comes back with every client: command lines and SDKs keep no cookies, and
 * a parameter more would break whoever signs or matches the path. But each sends, in Host, where it believes to be. If
 * that is the address that a redirect would name, the address leads to this standby and not to the active node, and
 * following it again would end here again.
 */
#ifndef COFFER_API_REDIRECT_H
#define COFFER_API_REDIRECT_H

#include <stdbool.h>

/* host: as the client sent it, or NULL; location: an absolute URL. A port that is not named is the scheme's. */
bool redirect_is_loop(const char *host, const char *location);

#endif
