/* SPDX-License-Identifier: Apache-2.0 */
#include "core/token/cubbyhole.h"

#include <string.h>

#include "base/json.h"
#include "core/core_private.h"

#define CLEAR_RECORDS 100        /* in one transaction */
#define RECORD_MAX    (1u << 20) /* of one value: anybody with a token may write here */

static const char *path_of(struct request *req, const char *token_hash, const char *path)
{
    return arena_printf(&req->arena, "token/cubbyhole/%s/%s", token_hash, path);
}

static int say(struct request *req, int rc, const char *what)
{
    if (rc == OK || rc == ERR_NOTFOUND || rc == ERR_CONFLICT)
        return rc;
    return fail(req, rc, "%s: %s", what, err_default_text(rc));
}

int cubbyhole_get(struct request *req, const char *token_hash, const char *path, json_t **ret_value)
{
    return say(req, txn_get(req->txn, path_of(req, token_hash, path), ret_value), "cannot read from the cubbyhole");
}

/* In the words that clients know of a store that takes no more. */
static int check_size(struct request *req, const json_t *value)
{
    char *text = json_format(value);
    size_t size = strlen(text);
    json_text_free(text);
    if (size <= RECORD_MAX)
        return OK;
    return fail(req, ERR_INTERNAL,
                "1 error occurred:\n\t* failed to write: put failed due to value being too large; got %zu bytes, "
                "max: %u bytes\n\n",
                size, RECORD_MAX);
}

int cubbyhole_put(struct request *req, const char *token_hash, const char *path, const json_t *value)
{
    int rc = check_size(req, value);
    if (rc != OK)
        return rc;
    return say(req, txn_put(req->txn, path_of(req, token_hash, path), value), "cannot write to the cubbyhole");
}

int cubbyhole_delete(struct request *req, const char *token_hash, const char *path)
{
    return say(req, txn_delete(req->txn, path_of(req, token_hash, path)), "cannot delete from the cubbyhole");
}

int cubbyhole_list(struct request *req, const char *token_hash, const char *dir, json_t **ret_names)
{
    return say(req, txn_list(req->txn, path_of(req, token_hash, dir), NULL, 0, ret_names), "cannot list the cubbyhole");
}

int cubbyhole_clear(struct request *req, const char *token_hash, bool *ret_more)
{
    return say(req, txn_delete_tree(req->txn, path_of(req, token_hash, ""), CLEAR_RECORDS, ret_more),
               "cannot clear the cubbyhole");
}
