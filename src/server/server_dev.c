/* SPDX-License-Identifier: Apache-2.0 */
#include "server/server_dev.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "core/mount/mount.h"
#include "core/request/request.h"
#include "core/seal/seal.h"

static char *copy(const char *text)
{
    char *text_copy = strdup(text);
    if (text_copy == NULL)
        abort();
    return text_copy;
}

/* Built as if it had been read: config_free() frees it. */
int server_dev_config(const struct server_options *options, struct config **ret_config, struct err *err)
{
    struct config *config = calloc(1, sizeof *config);
    struct config_listener *listener = calloc(1, sizeof *listener);
    const char *address = options->dev_listen_address != NULL ? options->dev_listen_address : "127.0.0.1:8200";
    if (config == NULL || listener == NULL)
        abort();
    (void)err;
    listener->address = copy(address);
    listener->tls_disable = true;
    config->listeners = listener;
    config->n_listeners = 1;
    config->storage_type = copy("inmem");
    config->node_id = copy("dev");
    config->disable_mlock = true;
    *ret_config = config;
    return OK;
}

static int mount_secret(struct request *req, void *arg)
{
    const struct server_options *options = arg;
    json_t *params = json_pack("{s:{s:s}, s:s}", "options", "version", options->dev_kv_v1 ? "1" : "2", "description",
                               "key/value secret storage");
    int rc = mount_enable(req, ENGINE_SECRET, "secret/", "kv", params);
    json_decref(params);
    return rc;
}

static void print_welcome(const char *api_addr, const char *key, const char *token)
{
    printf("WARNING! dev mode is enabled! In this mode, Coffer runs entirely in a temporary\n"
           "directory and starts unsealed with a single unseal key. The root token is already\n"
           "authenticated to the CLI, so you can immediately begin using it.\n\n"
           "You may need to set the following environment variables:\n\n"
           "    $ export VAULT_ADDR='%s'\n\n"
           "The unseal key and root token are displayed below in case you want to\n"
           "seal/unseal the node or re-authenticate.\n\n"
           "Unseal Key: %s\nRoot Token: %s\n\n"
           "Development mode should NOT be used in production installations!\n\n",
           api_addr, key, token);
    fflush(stdout);
}

static int store_token(const char *token, struct err *err)
{
    char path[4096];
    const char *home = getenv("HOME");
    if (home == NULL)
        return OK;
    snprintf(path, sizeof path, "%s/.vault-token", home);
    return file_replace(path, token, strlen(token), 0600, err);
}

int server_dev_prepare(const struct server_options *options, struct core *core, const char *api_addr, struct err *err)
{
    json_t *keys;
    const struct seal_birth wish = {.shares = 1, .threshold = 1, .root_token = options->dev_root_token_id};
    int rc = seal_init(core, &wish, &keys, err);
    if (rc != OK)
        return rc;
    const char *key = json_string_value(json_array_get(json_object_get(keys, "keys_base64"), 0));
    const char *token = json_str(keys, "root_token", "");
    rc = seal_unseal(core, key, err);
    if (rc == OK)
        rc = request_run_internal(core, 0, mount_secret, (void *)options, err);
    if (rc == OK && !options->dev_no_store_token)
        rc = store_token(token, err);
    if (rc == OK)
        print_welcome(api_addr, key, token);
    json_decref(keys);
    return rc;
}
