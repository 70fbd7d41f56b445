/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static bool lock_memory = false;

void secret_process_init(bool with_mlock)
{
    lock_memory = with_mlock;
    prctl(PR_SET_DUMPABLE, 0);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

/* The size stands in a page of its own before the memory, so that a free needs no argument to get wrong. */
static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void *secret_alloc(size_t size)
{
    size_t page = page_size(), total = page + (size + page - 1) / page * page;
    unsigned char *memory = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        abort();
    if (lock_memory && mlock(memory, total) != 0) {
        fprintf(stderr,
                "Failed to lock memory: %s. Allow it (ulimit -l, LimitMEMLOCK=, or the capability IPC_LOCK), or set "
                "disable_mlock = true and keep swap off or encrypted.\n",
                strerror(errno));
        exit(1);
    }
    madvise(memory, total, MADV_DONTDUMP);
    madvise(memory, total, MADV_DONTFORK);
    memcpy(memory, &total, sizeof total);
    return memory + page;
}

void secret_free(void *memory)
{
    if (memory == NULL)
        return;
    unsigned char *start = (unsigned char *)memory - page_size();
    size_t total;
    memcpy(&total, start, sizeof total);
    secret_wipe(start, total);
    munmap(start, total);
}

void secret_wipe(void *memory, size_t size)
{
    explicit_bzero(memory, size);
}

bool secret_equal(const void *a, const void *b, size_t size)
{
    return CRYPTO_memcmp(a, b, size) == 0;
}

bool secret_equal_str(const char *a, const char *b)
{
    size_t len = strlen(a);
    return len == strlen(b) && secret_equal(a, b, len);
}

void random_bytes(void *ret, size_t size)
{
    if (RAND_bytes(ret, (int)size) != 1) {
        fprintf(stderr, "No random numbers are to be had from the system.\n");
        abort();
    }
}

void random_base62(char *ret, size_t n)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for (size_t done = 0; done < n;) {
        unsigned char bytes[64];
        random_bytes(bytes, sizeof bytes);
        for (size_t i = 0; i < sizeof bytes && done < n; i++)
            if (bytes[i] < 248) /* 4 × 62: a remainder would favour the first digits */
                ret[done++] = digits[bytes[i] % 62];
        secret_wipe(bytes, sizeof bytes);
    }
    ret[n] = '\0';
}

void random_uuid(char *ret)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char b[16];
    random_bytes(b, sizeof b);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof b; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *ret++ = '-';
        *ret++ = digits[b[i] >> 4];
        *ret++ = digits[b[i] & 15];
    }
    *ret = '\0';
    secret_wipe(b, sizeof b);
}
