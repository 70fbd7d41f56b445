/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "secrets/aws/aws_private.h"

#define POLICY_MAX 131072 /* IAM's own limits are lower, and differ by kind */

/* Drops blanks outside of strings; the order and spelling of everything else stay. */
static void drop_blanks(const char *text, struct buf *out)
{
    bool in_string = false;
    for (; *text != '\0'; text++) {
        if (!in_string && strchr(" \t\r\n", *text) != NULL)
            continue;
        buf_put_u8(out, (uint8_t)*text);
        if (*text == '\\' && in_string)
            buf_put_u8(out, (uint8_t) * ++text);
        else if (*text == '"')
            in_string = !in_string;
    }
}

int aws_policy_compact(struct arena *arena, const char *text, const char **ret_text, struct err *err)
{
    struct buf out = BUF_INIT;
    json_t *policy;

    if (strlen(text) > POLICY_MAX)
        return err_set(err, ERR_INVALID, "policy_document is longer than %d bytes", POLICY_MAX);
    int rc = json_parse(text, strlen(text), &policy, err);
    if (rc != OK) {
        err_wrap(err, "policy_document is not JSON");
        return rc;
    }
    if (!json_is_object(policy))
        rc = err_set(err, ERR_INVALID, "policy_document is not a JSON object");
    json_decref(policy);
    if (rc != OK)
        return rc;
    drop_blanks(text, &out);
    *ret_text = arena_strdup(arena, buf_str(&out));
    buf_close(&out);
    return OK;
}
