/* SPDX-License-Identifier: Apache-2.0 */
/* env.c — LMDB as the store uses it, and the only place where its codes are translated. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "storage/crypto.h"
#include "storage/store_private.h"

/*
 * The map is address space, not memory: as much as a store may ever hold. Where so much is not to be
 * had (ulimit -v, a sanitizer) it is halved. A power of two always: lmdb_check.c relies on it.
 */
#ifdef COFFER_SANITIZED
#define MAP_SIZE_MAX (UINT64_C(1) << 33)
#else
#define MAP_SIZE_MAX (UINT64_C(1) << 40)
#endif
#define MAP_SIZE_MIN (UINT64_C(1) << 30)

#define READERS_MAX    4096
#define LOCK_FILE_SIZE (READERS_MAX * 64 + 4096)
#define PROBE_SIZE     (1u << 20)

/* Whether a file of moderate size can still be made here. */
static bool disk_is_full(const char *dir)
{
    char path[STORE_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/probe", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == ENOSPC || errno == EDQUOT;
    int code = posix_fallocate(fd, 0, PROBE_SIZE);
    close(fd);
    unlink(path);
    return code == ENOSPC || code == EDQUOT;
}

int env_error(const char *dir, int code, const char *what, struct err *err)
{
    switch (code) {
    case MDB_SUCCESS:
        return OK;
    case MDB_NOTFOUND:
        return ERR_NOTFOUND;
    case ENOSPC:
    case EDQUOT:
    case MDB_MAP_FULL:
        return err_set(err, ERR_NOSPACE, "%s: no space left on the disk", what);
    case MDB_READERS_FULL:
        return err_set(err, ERR_UNAVAILABLE, "%s: too many requests read at the same time", what);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
    case MDB_KEYEXIST:
        return err_set(err, ERR_CORRUPT, "%s: %s", what, mdb_strerror(code));
    case EIO: /* LMDB says so, too, when only a part of what it wrote found room */
        if (dir != NULL && disk_is_full(dir))
            return err_set(err, ERR_NOSPACE, "%s: no space left on the disk", what);
        break;
    default:
        break;
    }
    return err_set(err, ERR_IO, "%s: %s", what, mdb_strerror(code));
}

/*
 * LMDB maps its table of readers writable, and a page of it that is not there yet would be a fatal signal on a full
 * disk: so the file is made in its full size before. Nobody else has it open: the store's own lock sees to that.
 */
static int make_lock_file(const char *dir, struct err *err)
{
    char path[STORE_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/lock.mdb", dir);
    unlink(path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return env_error(NULL, errno, path, err);
    int code = posix_fallocate(fd, 0, LOCK_FILE_SIZE);
    close(fd);
    return env_error(NULL, code, path, err);
}

/*
 * NOTLS: a read transaction belongs to a view, not to a thread. Memory of pages is zeroed before use (no
 * MDB_NOMEMINIT), so that nothing of the process's heap gets into the file.
 */
static int open_mdb(const char *dir, size_t map_size, MDB_env **ret_mdb)
{
    MDB_env *mdb = NULL;
    int code = mdb_env_create(&mdb);
    if (code != 0)
        return code;
    code = mdb_env_set_mapsize(mdb, map_size);
    if (code == 0)
        code = mdb_env_set_maxdbs(mdb, 2);
    if (code == 0)
        code = mdb_env_open(mdb, dir, MDB_NOTLS | MDB_NOMETASYNC | MDB_NORDAHEAD, 0600);
    if (code == 0)
        *ret_mdb = mdb;
    else
        mdb_env_close(mdb);
    return code;
}

static int open_databases(struct store_env *env, unsigned flags)
{
    static const char *const names[] = {"records", "restored"};
    MDB_txn *txn = NULL;
    int code = mdb_txn_begin(env->mdb, NULL, flags & MDB_CREATE ? 0 : MDB_RDONLY, &txn);
    if (code != 0)
        return code;
    code = mdb_dbi_open(txn, NULL, 0, &env->own);
    for (int i = 0; i < 2 && code == 0; i++) {
        unsigned found = 0;
        code = mdb_dbi_open(txn, names[i], flags, &env->tables[i]);
        if (code == 0)
            code = mdb_dbi_flags(txn, env->tables[i], &found);
        if (code == 0 && found != 0)
            code = MDB_INCOMPATIBLE;
    }
    if (code == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return code == MDB_NOTFOUND ? MDB_CORRUPTED : code;
}

static int open_with(const char *dir, unsigned flags, struct store_env **ret_env, struct err *err)
{
    char path[STORE_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    int rc = make_lock_file(dir, err);
    if (rc != OK)
        return rc;
    struct store_env *env = calloc(1, sizeof *env);
    if (env == NULL)
        abort();
    atomic_init(&env->refs, 1);
    env->witness_fd = -1;
    int code = ENOMEM;
    for (size_t size = MAP_SIZE_MAX; code == ENOMEM && size >= MAP_SIZE_MIN; size /= 2)
        code = open_mdb(dir, size, &env->mdb);
    if (code == 0)
        code = open_databases(env, flags);
    if (code == 0 && (env->witness_fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        code = errno;
    if (code != 0) {
        env_unref(env);
        return env_error(dir, code, path, err);
    }
    *ret_env = env;
    return OK;
}

int env_open(const char *dir, struct store_env **ret_env, struct err *err)
{
    return open_with(dir, 0, ret_env, err);
}

/* Without LMDB's table of readers: a writer may use pages again that are being read. So this is for a glance. */
static int peek(MDB_env *mdb, const char *dir, struct store_position *ret_position, struct buf *ret_configuration)
{
    struct store_env env = {.mdb = mdb};
    MDB_txn *txn = NULL;
    int code = mdb_env_open(mdb, dir, MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS | MDB_NORDAHEAD, 0600);
    if (code == 0)
        code = mdb_txn_begin(mdb, NULL, MDB_RDONLY, &txn);
    if (code == 0)
        code = mdb_dbi_open(txn, NULL, 0, &env.own);
    int rc = code == 0 ? position_read(txn, &env, ret_position, NULL, ret_configuration) : ERR_IO;
    if (txn != NULL)
        mdb_txn_abort(txn);
    return rc;
}

int store_peek(const char *dir, struct store_position *ret_position, struct buf *ret_configuration, struct err *err)
{
    char path[STORE_PATH_MAX + 16];
    MDB_env *mdb = NULL;
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    if (!file_exists(path))
        return err_set(err, ERR_NOTFOUND, "there is no %s", path);
    int rc = mdb_env_create(&mdb) == 0 ? peek(mdb, dir, ret_position, ret_configuration) : ERR_IO;
    if (mdb != NULL)
        mdb_env_close(mdb);
    return rc == OK ? OK : err_set(err, rc, "%s cannot be read: %s", path, err_default_text(rc));
}

int env_create(const char *dir, struct store_env **ret_env, struct err *err)
{
    int rc = file_remove_tree(dir, err);
    if (rc == OK)
        rc = file_make_dir(dir, 0700, err);
    if (rc == OK)
        rc = open_with(dir, MDB_CREATE, ret_env, err);
    if (rc == OK)
        mdb_env_set_flags((*ret_env)->mdb, MDB_NOSYNC, 1);
    return rc;
}

static int sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int code = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return code;
}

int env_publish(struct store_env *env, const char *from, const char *to, struct err *err)
{
    char source[STORE_PATH_MAX + 16], target[STORE_PATH_MAX + 16];
    snprintf(source, sizeof source, "%s/data.mdb", from);
    snprintf(target, sizeof target, "%s/data.mdb", to);
    mdb_env_set_flags(env->mdb, MDB_NOSYNC, 0);
    int code = mdb_env_sync(env->mdb, 1);
    if (code == 0 && rename(source, target) != 0)
        code = errno;
    if (code != 0)
        return env_error(to, code, target, err);
    code = sync_dir(to);
    return code == 0 ? OK : err_set(err, ERR_IO, "cannot sync %s: %s", to, strerror(code));
}

struct store_env *env_ref(struct store_env *env)
{
    atomic_fetch_add(&env->refs, 1);
    return env;
}

void env_unref(struct store_env *env)
{
    if (env == NULL || atomic_fetch_sub(&env->refs, 1) > 1)
        return;
    if (env->mdb != NULL)
        mdb_env_close(env->mdb);
    if (env->witness_fd >= 0)
        close(env->witness_fd);
    free(env);
}

uint64_t record_checksum(EVP_MAC_CTX *checksum, const void *key, size_t key_len, const void *value, size_t len)
{
    const struct aead_part parts[] = {{key, key_len}, {value, len}};
    return checksum_compute(checksum, parts, 2);
}

int env_put(MDB_txn *txn, MDB_dbi dbi, EVP_MAC_CTX *checksum, struct MDB_val key, const void *data, size_t len,
            unsigned flags)
{
    MDB_val value = {.mv_size = STORE_CHECKSUM_SIZE + len};
    uint64_t sum = htobe64(record_checksum(checksum, key.mv_data, key.mv_size, data, len));
    int code = mdb_put(txn, dbi, &key, &value, flags | MDB_RESERVE);
    if (code != 0)
        return code;
    memcpy(value.mv_data, &sum, sizeof sum);
    if (len > 0)
        memcpy((char *)value.mv_data + sizeof sum, data, len);
    return 0;
}

bool env_value(const MDB_val *stored, const void **ret_value, size_t *ret_len)
{
    if (stored->mv_size < STORE_CHECKSUM_SIZE)
        return false;
    *ret_value = (const char *)stored->mv_data + STORE_CHECKSUM_SIZE;
    *ret_len = stored->mv_size - STORE_CHECKSUM_SIZE;
    return true;
}
