/* SPDX-License-Identifier: Apache-2.0 */
#include "api/probe.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/secret.h"

#define CALLS      4 /* a load balancer spreads them */
#define WAIT_S     1 /* until the listeners are up */
#define TIMEOUT_MS 2000L
#define HEADER     "x-coffer-probe"

struct probe {
    char api_addr[300];
    char word[37];
    atomic_int seen;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t stop;
    bool is_stopping;
};

static size_t drop(char *data, size_t size, size_t n, void *arg)
{
    (void)data;
    (void)arg;
    return size * n;
}

static int on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
    struct probe *probe = arg;

    (void)total, (void)now, (void)up_total, (void)up_now;
    pthread_mutex_lock(&probe->mutex);
    bool is_stopping = probe->is_stopping;
    pthread_mutex_unlock(&probe->mutex);
    return is_stopping;
}

/* Nothing but the word is told, and nothing is believed: so whose certificate it is does not matter. */
static void set_options(CURL *curl, struct probe *probe, const char *url)
{
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, probe);
}

/* Whether anybody answered. */
static bool call_once(struct probe *probe)
{
    char url[400], header[80];
    CURL *curl = curl_easy_init();
    long status = 0;

    if (curl == NULL)
        return false;
    snprintf(url, sizeof url, "%s/v1/sys/health", probe->api_addr);
    snprintf(header, sizeof header, HEADER ": %s", probe->word);
    struct curl_slist *headers = curl_slist_append(NULL, header);
    set_options(curl, probe, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    bool is_answered =
        curl_easy_perform(curl) == CURLE_OK && curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK;
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return is_answered && status > 0;
}

static bool waits_in_vain(struct probe *probe)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&probe->mutex);
    while (!probe->is_stopping && pthread_cond_timedwait(&probe->stop, &probe->mutex, &until) == 0)
        ;
    bool is_stopping = probe->is_stopping;
    pthread_mutex_unlock(&probe->mutex);
    return is_stopping;
}

static void *run(void *arg)
{
    struct probe *probe = arg;
    int answered = 0;

    pthread_setname_np(pthread_self(), "probe");
    if (waits_in_vain(probe))
        return NULL;
    for (int i = 0; i < CALLS; i++)
        answered += call_once(probe);
    int seen = atomic_load(&probe->seen);
    if (on_progress(probe, 0, 0, 0, 0) != 0)
        return NULL;
    if (answered == 0 && seen == 0)
        log_info("server", "api_addr %s cannot be reached from this node itself; clients are redirected to it",
                 probe->api_addr);
    else if (seen < answered)
        log_warn("server",
                 "api_addr %s leads to other servers than this one, as a load balancer's address does: clients that "
                 "standbys redirect to it may not arrive. Set api_addr on every node to an address of that node alone",
                 probe->api_addr);
    return NULL;
}

struct probe *probe_start(const char *api_addr)
{
    struct probe *probe = calloc(1, sizeof *probe);

    if (probe == NULL)
        abort();
    snprintf(probe->api_addr, sizeof probe->api_addr, "%s", api_addr);
    random_uuid(probe->word);
    pthread_mutex_init(&probe->mutex, NULL);
    pthread_cond_init(&probe->stop, NULL);
    if (pthread_create(&probe->thread, NULL, run, probe) != 0)
        abort();
    return probe;
}

void probe_note(struct probe *probe, const struct http_call *call)
{
    const char *word = probe != NULL ? http_call_header(call, HEADER) : NULL;

    if (word != NULL && strcmp(word, probe->word) == 0)
        atomic_fetch_add(&probe->seen, 1);
}

void probe_stop(struct probe *probe)
{
    if (probe == NULL)
        return;
    pthread_mutex_lock(&probe->mutex);
    probe->is_stopping = true;
    pthread_cond_broadcast(&probe->stop);
    pthread_mutex_unlock(&probe->mutex);
    pthread_join(probe->thread, NULL);
    pthread_mutex_destroy(&probe->mutex);
    pthread_cond_destroy(&probe->stop);
    free(probe);
}
