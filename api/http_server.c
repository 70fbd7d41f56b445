/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/http_private.h"
#include "base/clock.h"

#define H2O_NEVER_MS 3600000 /* our sweep is stricter, and does not depend on the wall clock */

/* ---- Listeners ---- */

static char *copy_text(const char *text)
{
    char *copy = text != NULL ? strdup(text) : NULL;

    if (text != NULL && copy == NULL)
        abort();
    return copy;
}

static int listener_init(struct listener *listener, const struct http_listener *from, struct err *err)
{
    listener->address = copy_text(from->address);
    listener->is_tls = !from->tls_disable;
    listener->require_client_cert = from->require_client_cert;
    listener->cert_file = copy_text(from->cert_file);
    listener->key_file = copy_text(from->key_file);
    listener->min_version = copy_text(from->min_version);
    listener->max_version = copy_text(from->max_version);
    listener->client_ca_file = copy_text(from->client_ca_file);
    listener->body_max = from->max_request_size > 0 ? from->max_request_size : HTTP_BODY_MAX_DEFAULT;
    listener->proxy = from->proxy;
    listener->proxy_authorized = calloc(from->n_proxy_authorized + 1, sizeof *listener->proxy_authorized);
    if (listener->proxy_authorized == NULL)
        abort();
    for (size_t i = 0; i < from->n_proxy_authorized; i++)
        listener->proxy_authorized[listener->n_proxy_authorized++] = copy_text(from->proxy_authorized[i]);
    listener->reply_ms = from->max_request_ms > 0 ? from->max_request_ms : HTTP_REPLY_MS;
    int rc = listen_probe(listener->address, err);
    if (rc != OK || !listener->is_tls)
        return rc;
    if (listener->cert_file == NULL || listener->key_file == NULL)
        return err_set(err, ERR_INVALID, "listener %s has no certificate", listener->address);
    rc = tls_context_new(listener, &listener->ssl, err);
    return rc == OK ? OK : err_wrap(err, "listener %s", listener->address);
}

static void listener_close(struct listener *listener)
{
    free(listener->address);
    free(listener->cert_file);
    free(listener->key_file);
    free(listener->min_version);
    free(listener->max_version);
    free(listener->client_ca_file);
    for (size_t i = 0; i < listener->n_proxy_authorized; i++)
        free(listener->proxy_authorized[i]);
    free(listener->proxy_authorized);
    SSL_CTX_free(listener->ssl);
}

static int init_listeners(struct http_server *server, const struct http_listener *listeners, size_t n, struct err *err)
{
    int rc = OK;

    server->listeners = calloc(n, sizeof *server->listeners);
    if (server->listeners == NULL)
        abort();
    for (size_t i = 0; rc == OK && i < n; i++) {
        server->n_listeners++;
        rc = listener_init(&server->listeners[i], &listeners[i], err);
    }
    return rc;
}

/* ---- Starting ---- */

static void init_conf(struct http_server *server)
{
    h2o_globalconf_t *conf = &server->conf;
    const struct http_uploads *uploads = server->uploads;
    size_t body_max = 0;

    for (size_t i = 0; i < server->n_listeners; i++)
        body_max = server->listeners[i].body_max > body_max ? server->listeners[i].body_max : body_max;
    h2o_config_init(conf);
    conf->server_name = (h2o_iovec_t){NULL, 0};
    if (uploads != NULL && uploads->max_size > body_max)
        body_max = uploads->max_size; /* what exceeds its listener's limit is looked after by the sweep */
    conf->max_request_entity_size = body_max + HTTP_BODY_SLACK;
    conf->handshake_timeout = (uint64_t)server->limits.first_ms;
    conf->http1.req_timeout = H2O_NEVER_MS;
    conf->http1.upgrade_to_http2 = 0;
    h2o_hostconf_t *host = h2o_config_register_host(conf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    call_register(host);
    reply_register_errors(host);
    /* Larger buffers become files: only of uploads, which are ciphertext, and where we want them. */
    h2o_socket_buffer_mmap_settings.threshold = uploads != NULL ? HTTP_MEMORY_MAX : SIZE_MAX;
    if (uploads != NULL)
        snprintf(h2o_socket_buffer_mmap_settings.fn_template, sizeof h2o_socket_buffer_mmap_settings.fn_template,
                 "%s/upload-XXXXXX", uploads->dir);
}

/* Half of our descriptors may be clients; the rest are for the store, peers and what is yet to come. */
static size_t count_conns_max(size_t n_workers)
{
    struct rlimit files;
    size_t conns = HTTP_CONNS_MAX;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur / 2 < conns)
        conns = files.rlim_cur / 2;
    return conns / n_workers + 1;
}

static size_t count_workers(int threads)
{
    long n = threads > 0 ? threads : sysconf(_SC_NPROCESSORS_ONLN);

    return n < 1 ? 1 : n > HTTP_THREADS_MAX ? HTTP_THREADS_MAX : (size_t)n;
}

static int init_workers(struct http_server *server, int threads, struct err *err)
{
    size_t n = count_workers(threads);
    int rc = OK;

    server->conns_max = count_conns_max(n);
    server->workers = calloc(n, sizeof *server->workers);
    if (server->workers == NULL)
        abort();
    while (rc == OK && server->n_workers < n)
        rc = worker_init(&server->workers[server->n_workers++], server, err);
    return rc;
}

/* Signals belong to the main thread; h2o's loop takes an interrupted wait for an error. */
static void start_threads(struct http_server *server)
{
    sigset_t all, before;

    (void)signal(SIGPIPE, SIG_IGN);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (size_t i = 0; i < server->n_workers; i++) {
        if (pthread_create(&server->workers[i].thread, NULL, worker_run, &server->workers[i]) != 0)
            abort();
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    for (size_t i = 0; i < server->n_workers; i++) {
        while (sem_wait(&server->ready) != 0)
            ; /* interrupted by a signal */
    }
}

static void server_free(struct http_server *server)
{
    while (server->retired != NULL) {
        struct retired *retired = server->retired;
        server->retired = retired->next;
        SSL_CTX_free(retired->ssl);
        free(retired);
    }
    if (server->conf.hosts != NULL)
        h2o_config_dispose(&server->conf);
    for (size_t i = 0; i < server->n_workers; i++)
        worker_close(&server->workers[i]);
    for (size_t i = 0; i < server->n_listeners; i++)
        listener_close(&server->listeners[i]);
    sem_destroy(&server->ready);
    pthread_mutex_destroy(&server->reload_lock);
    free(server->listeners);
    free(server->workers);
    free(server);
}

int http_server_start(const struct http_listener *listeners, size_t n, int threads,
                      void (*handler)(void *ctx, struct http_call *call), void *ctx, struct http_server **ret_server,
                      struct err *err)
{
    struct http_server *server = calloc(1, sizeof *server);

    if (server == NULL)
        abort();
    pthread_mutex_init(&server->reload_lock, NULL);
    sem_init(&server->ready, 0, 0);
    server->limits = http_limits;
    server->handler = handler;
    server->handler_ctx = ctx;
    server->uploads = n > 0 ? listeners[0].uploads : NULL;
    int rc = init_listeners(server, listeners, n, err);
    if (rc == OK) {
        init_conf(server);
        rc = init_workers(server, threads, err);
    }
    if (rc != OK) {
        server_free(server);
        return rc;
    }
    start_threads(server);
    *ret_server = server;
    return OK;
}

/* ---- Reloading ---- */

static void free_retired(struct http_server *server, int64_t now_ms)
{
    struct retired **at = &server->retired;

    while (*at != NULL) {
        struct retired *retired = *at;
        if (now_ms - retired->since_ms < 6 * server->limits.first_ms) {
            at = &retired->next;
            continue;
        }
        *at = retired->next;
        SSL_CTX_free(retired->ssl);
        free(retired);
    }
}

static int reload_listener(struct http_server *server, size_t i, struct err *err)
{
    struct listener *listener = &server->listeners[i];
    SSL_CTX *fresh;
    int rc = tls_context_new(listener, &fresh, err);

    if (rc != OK)
        return err_wrap(err, "listener %s", listener->address);
    struct retired *retired = calloc(1, sizeof *retired);
    if (retired == NULL)
        abort();
    *retired = (struct retired){.next = server->retired, .ssl = listener->ssl, .since_ms = clock_steady_ms()};
    server->retired = retired;
    listener->ssl = fresh;
    for (size_t k = 0; k < server->n_workers; k++)
        worker_set_tls(&server->workers[k], i, fresh);
    return OK;
}

long http_server_connections(struct http_server *server)
{
    long n = 0;

    for (size_t i = 0; i < server->n_workers; i++)
        n += (long)atomic_load(&server->workers[i].n_conns);
    return n;
}

int http_server_reload(struct http_server *server, struct err *err)
{
    int rc = OK;

    pthread_mutex_lock(&server->reload_lock);
    free_retired(server, clock_steady_ms());
    for (size_t i = 0; i < server->n_listeners; i++) {
        struct err why = {0};
        if (!server->listeners[i].is_tls || reload_listener(server, i, &why) == OK)
            continue;
        rc = why.code;
        if (err != NULL)
            *err = why;
    }
    pthread_mutex_unlock(&server->reload_lock);
    return rc;
}

/* ---- Stopping ---- */

bool http_server_stop(struct http_server *server, int idle_ms, int drain_ms)
{
    bool is_clean = true;

    if (server == NULL)
        return true;
    for (size_t i = 0; i < server->n_workers; i++)
        atomic_fetch_add(&server->workers[i].n_senders, 1); /* none may end before it was woken */
    atomic_store(&server->idle_until_ms, clock_steady_ms() + idle_ms);
    atomic_store(&server->stop_at_ms, clock_steady_ms() + idle_ms + drain_ms);
    for (size_t i = 0; i < server->n_workers; i++) {
        worker_send(&server->workers[i], NULL);
        atomic_fetch_sub(&server->workers[i].n_senders, 1);
    }
    for (size_t i = 0; i < server->n_workers; i++) {
        pthread_join(server->workers[i].thread, NULL);
        is_clean = is_clean && server->workers[i].is_clean;
    }
    if (is_clean)
        server_free(server);
    return is_clean;
}
