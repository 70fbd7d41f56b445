/* SPDX-License-Identifier: Apache-2.0 */
/* Any query and body: an error or an object that can be written as JSON. The first byte chooses how it is read. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/params.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_query(const char *text, size_t size, json_t **ret_data, struct err *err)
{
    char *query = strndup(text, size);
    bool flag;

    (void)params_query_flag(query, "list", &flag);
    (void)params_query_has(query, "help");
    int rc = params_read_query(query, ret_data, err);
    free(query);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    json_t *params = NULL;
    int rc;

    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    if (data[0] % 3 == 0)
        rc = read_query(text, size - 1, &params, &err);
    else
        rc = params_read_body(data[0] % 3 == 1 ? "application/x-www-form-urlencoded" : NULL, text, size - 1, &params,
                              &err);
    if (rc != OK)
        return 0;
    assert(json_is_object(params));
    json_text_free(json_format(params));
    json_decref(params);
    return 0;
}
