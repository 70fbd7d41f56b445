/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c — the program: a server, or a command line that speaks to one. The only file that knows every layer.
 *
 * To follow a request from here: server/server.c opens the core and starts the listeners; api/gateway.c makes a request
 * of what a client sent; src/core/request/request.c is the table of what happens to it.
 */
#include <string.h>

#include "audit/file/file.h"
#include "audit/socket/socket.h"
#include "audit/syslog/syslog.h"
#include "auth/approle/approle.h"
#include "auth/token/token_auth.h"
#include "auth/userpass/userpass.h"
#include "base/json.h"
#include "cli/cli.h"
#include "diagnose/diagnose.h"
#include "secrets/aws/aws.h"
#include "secrets/cubbyhole/cubbyhole.h"
#include "secrets/kv/kv.h"
#include "server/server.h"
#include "server/server_options.h"
#include "sys/sys.h"

/* A new engine or auth method: its folder, and its line here. */
static const struct engine *const engines[] = {
    &sys_engine, &token_engine, &cubbyhole_engine, &kv_engine, &aws_engine, &approle_engine, &userpass_engine, NULL,
};

static const struct audit_device *const audit_devices[] = {
    &audit_file_device,
    &audit_socket_device,
    &audit_syslog_device,
    NULL,
};

static int run_server(int argc, char **argv)
{
    return server_main(argc, argv, engines, audit_devices);
}

int main(int argc, char **argv)
{
    static const struct cli_foreign foreign[] = {
        {"server", "Start a Coffer server", run_server, server_usage},
        {"operator diagnose", "Find out why a server does not start", diagnose_main, diagnose_usage},
        {0}};
    json_setup();
    return cli_main(argc, argv, foreign);
}
