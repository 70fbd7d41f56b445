/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "api/http_head.h"

static void assert_problem(const char *head, const char *word)
{
    const char *problem = http_head_problem(head, strlen(head));

    if (word == NULL) {
        if (problem != NULL)
            fail_msg("refused: %s", problem);
    } else if (problem == NULL || strstr(problem, word) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", word, problem != NULL ? problem : "(accepted)");
    }
}

static void accepted(void **state)
{
    (void)state;
    assert_problem("GET / HTTP/1.1\r\nHost: a\r\n\r\n", NULL);
    assert_problem("GET / HTTP/1.0\r\n\r\n", NULL);
    assert_problem("\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n", NULL);
    assert_problem("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX-Content-Length: 4\r\n\r\nabc\n", NULL);
    assert_problem("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", NULL);
}

static void lengths(void **state)
{
    (void)state;
    assert_problem("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", "more than once");
    assert_problem("PUT / HTTP/1.1\r\nHost: a\r\ncontent-length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
                   "more than once");
    assert_problem("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\nTRANSFER-ENCODING: chunked\r\n\r\n",
                   "more than once");
    assert_problem("PUT / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1");
}

static void hosts(void **state)
{
    (void)state;
    assert_problem("GET / HTTP/1.1\r\n\r\n", "Host");
    assert_problem("GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n", "Host");
    assert_problem("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", "Host");
}

static void lines(void **state)
{
    (void)state;
    assert_problem("GET / HTTP/1.1\nHost: a\n\n", "CR LF");
    assert_problem("GET / HTTP/1.1\r\nHost: a\n\r\n", "CR LF");
    assert_problem("GET / HTTP/1.1\r\nHost: a\r\n", "CR LF");
    assert_problem("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "CR LF");
    assert_problem("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "request line");
    assert_problem("", "CR LF");
    assert_problem("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", "folded");
    assert_problem("GET / HTTP/2.0\r\nHost: a\r\n\r\n", "request line");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"heads that can be read in one way only are accepted", accepted, NULL, NULL, NULL},
        {"a body whose length is given twice is refused", lengths, NULL, NULL, NULL},
        {"no Host, and two of them, are refused", hosts, NULL, NULL, NULL},
        {"bare line feeds and folded lines are refused", lines, NULL, NULL, NULL},
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
