/* SPDX-License-Identifier: Apache-2.0 */
#include "api/call_reply.h"

#include <assert.h>
#include <string.h>

#include "base/json.h"

void call_send_with(struct http_call *call, int status, const struct http_header *headers, size_t n,
                    const char *content_type, const char *body)
{
    const char *namespace = http_call_header(call, "x-vault-namespace"); /* is given back */
    struct http_header all[CALL_HEADERS_MAX + 1];

    assert(n <= CALL_HEADERS_MAX);
    if (n > 0)
        memcpy(all, headers, n * sizeof *headers);
    if (namespace != NULL && namespace[0] != '\0')
        all[n++] = (struct http_header){.name = "X-Vault-Namespace", .value = namespace};
    struct http_reply reply = {.status = status,
                               .headers = all,
                               .n_headers = n,
                               .content_type = content_type,
                               .body = body,
                               .body_len = body != NULL ? strlen(body) : 0};

    http_reply(call, &reply);
}

void call_send(struct http_call *call, int status, const char *location, const char *content_type, const char *body)
{
    struct http_header header = {.name = "Location", .value = location};

    call_send_with(call, status, &header, location != NULL, content_type, body);
}

const char *call_refusal_body(const struct refusal *refusal, struct arena *arena)
{
    json_t *errors = json_array();

    if (refusal->text != NULL)
        json_array_append_new(errors, json_string(refusal->text));
    char *text = json_format(errors);
    const char *body = arena_printf(arena, "{\"errors\":%s}\n", text);
    json_text_free(text);
    json_decref(errors);
    return body;
}

void call_refuse(struct http_call *call, const struct refusal *refusal)
{
    struct arena arena;

    arena_init(&arena);
    call_send(call, refusal->status, refusal->location, NULL,
              refusal->location == NULL ? call_refusal_body(refusal, &arena) : NULL);
    arena_close(&arena);
}
