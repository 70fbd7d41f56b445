/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COFFER_TESTS_TEST_HTTP_H
#define COFFER_TESTS_TEST_HTTP_H

#define PORT    21201
#define ADDRESS "127.0.0.1:21201"

/* test_http_load.c */
void many_clients(void **state);
void vanishing_clients(void **state);
void memory_budget(void **state);

#endif
