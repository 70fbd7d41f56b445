/* SPDX-License-Identifier: Apache-2.0 */
#include "api/forwarded_for.h"

#include <string.h>

#include "base/cidr.h"

#define HEADER "x-forwarded-for"

static int refuse(struct refusal *refusal, const char *text)
{
    *refusal = (struct refusal){.status = 400, .text = text};
    return ERR_INVALID;
}

static bool is_authorized(const struct forwarded_rules *rules, const char *address)
{
    for (size_t i = 0; i < rules->n_authorized; i++) {
        if (cidr_has(rules->authorized[i], address))
            return true;
    }
    return false;
}

/* A header that is repeated goes on where the one before it ended. */
static char *join_lines(const struct http_call *call, struct arena *arena, size_t *ret_lines)
{
    char *chain = NULL;

    *ret_lines = 0;
    for (size_t i = 0; i < call->n_headers; i++) {
        if (strcmp(call->headers[i].name, HEADER) != 0)
            continue;
        chain =
            arena_printf(arena, "%s%s%s", chain != NULL ? chain : "", chain != NULL ? "," : "", call->headers[i].value);
        ++*ret_lines;
    }
    return chain;
}

static char *trim(char *word)
{
    word += strspn(word, " \t");
    size_t len = strlen(word);
    while (len > 0 && (word[len - 1] == ' ' || word[len - 1] == '\t'))
        word[--len] = '\0';
    return word;
}

/* The word of a chain that so many others follow; NULL when there are not as many. Cuts the chain. */
static char *word_before(char *chain, int64_t skips)
{
    char *comma = strrchr(chain, ',');

    for (; skips > 0 && comma != NULL; skips--) {
        *comma = '\0';
        comma = strrchr(chain, ',');
    }
    if (skips > 0)
        return NULL;
    return trim(comma != NULL ? comma + 1 : chain);
}

/* Some proxies put the port behind it: "192.0.2.1:4711", "[2001:db8::1]:4711". */
static void drop_port(char *address)
{
    char *colon = strchr(address, ':');

    if (address[0] == '[' && strchr(address, ']') != NULL) {
        *strchr(address, ']') = '\0';
        memmove(address, address + 1, strlen(address));
    } else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
        *colon = '\0';
    }
}

static int take_address(const struct forwarded_rules *rules, struct http_call *call, struct arena *arena,
                        struct refusal *refusal)
{
    size_t lines;
    char *address = word_before(join_lines(call, arena, &lines), rules->hop_skips);

    if (address == NULL)
        return refuse(refusal, arena_printf(arena,
                                            "malformed x-forwarded-for configuration or request, hops to skip (%lld) "
                                            "would skip before earliest chain link (chain length %zu)",
                                            (long long)rules->hop_skips, lines));
    drop_port(address);
    if (strlen(address) >= sizeof call->remote_addr || strchr(address, '/') != NULL || !cidr_is_valid(address))
        return refuse(refusal, "malformed x-forwarded-for: its address is none");
    memcpy(call->remote_addr, address, strlen(address) + 1);
    return OK;
}

int forwarded_for(const struct forwarded_rules *rules, struct http_call *call, struct arena *arena,
                  struct refusal *ret_refusal)
{
    if (rules->n_authorized == 0)
        return OK;
    if (http_call_header(call, HEADER) == NULL)
        return rules->reject_not_present
                   ? refuse(ret_refusal, "missing x-forwarded-for header and configured to reject when not present")
                   : OK;
    if (!is_authorized(rules, call->remote_addr))
        return rules->reject_not_authorized
                   ? refuse(ret_refusal, "client address not authorized for x-forwarded-for and configured to reject "
                                         "connection")
                   : OK;
    return take_address(rules, call, arena, ret_refusal);
}
