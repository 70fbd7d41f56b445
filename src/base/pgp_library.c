/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pgp_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/log.h"

/* Of the ABI that <rnp/rnp.h> describes; Debian 12 and 13 have it in librnp0. */
#define SONAME "librnp.so.0"

/* Where each function's address goes in the table. */
static const struct {
    const char *name;
    size_t offset;
} functions[] = {
#define ENTRY(name) {#name, offsetof(struct pgp_library, name)},
    PGP_LIBRARY_FUNCTIONS(ENTRY)
#undef ENTRY
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct pgp_library library;
static bool is_loaded;

static int resolve(void *handle, struct err *err)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *address = dlsym(handle, functions[i].name);
        if (address == NULL)
            return err_set(err, ERR_INVALID, "PGP keys cannot be used here: %s has no %s", SONAME, functions[i].name);
        memcpy((char *)&library + functions[i].offset, &address, sizeof address);
    }
    return OK;
}

/* 0.18.0 encrypts to public keys with a session key of zeroes, which anybody can open (CVE-2025-13470). */
static int check_version(struct err *err)
{
    if (library.rnp_version() == library.rnp_version_for(0, 18, 0))
        return err_set(err, ERR_INVALID,
                       "PGP keys cannot be used here: librnp 0.18.0 does not encrypt (CVE-2025-13470)");
    return OK;
}

static int load(struct err *err)
{
    void *handle = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return err_set(err, ERR_INVALID, "PGP keys cannot be used here: %s; Debian's package is librnp0", dlerror());
    int rc = resolve(handle, err);
    if (rc == OK)
        rc = check_version(err);
    if (rc == OK)
        log_info("core", "%s was loaded, for PGP keys", SONAME);
    else
        dlclose(handle);
    return rc;
}

int pgp_library_load(const struct pgp_library **ret_library, struct err *err)
{
    pthread_mutex_lock(&mutex);
    int rc = is_loaded ? OK : load(err);
    is_loaded = rc == OK;
    pthread_mutex_unlock(&mutex);
    if (rc == OK)
        *ret_library = &library;
    return rc;
}
