/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PGP key as a client might send it: the first byte says whether the rest is its text, or the bytes that base64
 * stands for. Any is refused with a sentence or can be encrypted to. librnp itself is not instrumented: what is found
 * in it is a crash of the process.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encoding.h"
#include "base/json.h"
#include "base/pgp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_setup();
    FILE *nowhere = fopen("/dev/null", "w");
    if (nowhere != NULL)
        stderr = nowhere; /* librnp's, which says a line about each packet; the fuzzer has kept its own */
    return 0;
}

static void try(const char *key)
{
    char fingerprint[PGP_FINGERPRINT_SIZE];
    struct buf message = BUF_INIT;
    struct err err = {0};
    int rc = pgp_encrypt(key, "share", 5, &message, &err);
    if (rc == OK ? message.len < 6 : message.len != 0 || err.text[0] == '\0')
        abort();
    if (pgp_fingerprint(key, fingerprint, &err) != OK && rc == OK)
        abort();
    buf_close(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text = BUF_INIT;
    if (size < 2)
        return 0;
    buf_reserve(&text, BASE64_SIZE(size));
    if (data[0] & 1)
        buf_put(&text, data + 1, size - 1);
    else
        base64_encode(data + 1, size - 1, (char *)text.data);
    if ((data[0] & 1) == 0)
        text.len = BASE64_SIZE(size - 1) - 1;
    try(buf_str(&text));
    buf_close(&text);
    return 0;
}
