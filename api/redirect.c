/* SPDX-License-Identifier: Apache-2.0 */
#include "api/redirect.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

struct authority {
    const char *host;
    size_t host_len;
    const char *port;
    size_t port_len;
};

/* "name", "name:port", "[v6]:port", up to the end or a slash. */
static struct authority parse_authority(const char *text, const char *usual_port)
{
    struct authority ret = {.host = text, .port = usual_port, .port_len = strlen(usual_port)};
    size_t len = strcspn(text, "/?#");
    size_t after_host = text[0] == '[' ? strcspn(text, "]/?#") : 0;

    ret.host_len = after_host + strcspn(text + after_host, ":/?#");
    if (ret.host_len + 1 < len) {
        ret.port = text + ret.host_len + 1;
        ret.port_len = len - ret.host_len - 1;
    }
    return ret;
}

static bool same(const char *a, size_t a_len, const char *b, size_t b_len)
{
    return a_len == b_len && strncasecmp(a, b, a_len) == 0;
}

bool redirect_is_loop(const char *host, const char *location)
{
    const char *rest = strstr(location, "://");

    if (host == NULL || rest == NULL)
        return false;
    const char *usual_port = strncasecmp(location, "http://", 7) == 0 ? "80" : "443";
    struct authority asked = parse_authority(host, usual_port), sent = parse_authority(rest + 3, usual_port);
    return same(asked.host, asked.host_len, sent.host, sent.host_len) &&
           same(asked.port, asked.port_len, sent.port, sent.port_len);
}
