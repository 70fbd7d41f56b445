/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server_options.h — the flags of `coffer server`.
 */
#ifndef COFFER_SERVER_OPTIONS_H
#define COFFER_SERVER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

struct server_options {
    const char **configs; /* files and directories */
    size_t n_configs;
    const char *log_level, *log_format;
    bool dev;
    const char *dev_root_token_id, *dev_listen_address;
    bool dev_no_store_token, dev_kv_v1;
};

/* 0: go on; -1: help was printed, end well; else the exit code, and what is wrong was printed. */
int server_options_parse(int argc, char **argv, struct server_options *ret_options);
void server_options_free(struct server_options *options);

/* The whole help of "coffer server". */
extern const char server_usage[];

#endif
