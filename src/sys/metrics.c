/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.c — sys/metrics: what this node counts, for Prometheus and for people. Every number is there already, in
 * constant time: looking at a busy node does not make it busier. docs/metrics.md lists them.
 */
#include "core/metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "core/core.h"
#include "core/request/request.h"
#include "storage/barrier.h"
#include "sys/handlers.h"
#include "sys/metrics_format.h"

/* ---- Standing ---- */

static void add_standing(json_t *list, struct core *core)
{
    static const struct metric_def unsealed = {"vault.core.unsealed", METRIC_GAUGE, "1: this node is unsealed."},
                                   active = {"vault.core.active", METRIC_GAUGE, "1: this node is the active one."},
                                   in_flight = {"vault.core.in_flight_requests", METRIC_GAUGE,
                                                "Requests that are being worked on."};
    metrics_add(list, &unsealed, !barrier_is_sealed(core_barrier(core)));
    metrics_add(list, &active, core_standing(core) == CORE_ACTIVE);
    metrics_add(list, &in_flight, core_in_flight(core));
}

/* ---- Raft ---- */

static void add_raft(json_t *list, const struct cluster_status *status)
{
    static const char *const roles[] = {[CLUSTER_OUTSIDE] = "outside",
                                        [CLUSTER_FOLLOWER] = "follower",
                                        [CLUSTER_CANDIDATE] = "candidate",
                                        [CLUSTER_LEADER] = "leader"};
    static const struct metric_def state = {"coffer.raft.state", METRIC_GAUGE,
                                            "1 for what this node is in its Raft group."},
                                   term = {"vault.raft-storage.stats.term", METRIC_GAUGE, "The term."},
                                   commit = {"vault.raft-storage.stats.commit_index", METRIC_GAUGE,
                                             "The last entry known to be committed."},
                                   applied = {"vault.raft-storage.stats.applied_index", METRIC_GAUGE,
                                              "The last entry applied to the state."},
                                   pending = {"vault.raft-storage.stats.fsm_pending", METRIC_GAUGE,
                                              "Entries committed and not yet applied."},
                                   last = {"coffer.raft.last_index", METRIC_GAUGE, "The last entry of the log."};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        metrics_add_labelled(list, &state, "state", roles[i], (size_t)status->role == i);
    metrics_add(list, &term, (double)status->term);
    metrics_add(list, &commit, (double)status->commit_index);
    metrics_add(list, &applied, (double)status->applied_index);
    metrics_add(list, &pending, (double)(status->commit_index - status->applied_index));
    metrics_add(list, &last, (double)status->last_index);
}

/* What only the leader knows of its followers. */
static void add_followers(json_t *list, const struct cluster_status *status, const struct cluster_member *members,
                          int n)
{
    static const struct metric_def delta = {"vault.raft_storage.follower.applied_index_delta", METRIC_GAUGE,
                                            "How many entries a follower is behind the leader's log."},
                                   heard = {"vault.raft_storage.follower.last_heartbeat_ms", METRIC_GAUGE,
                                            "Milliseconds since the leader heard of a follower."};
    if (status->role != CLUSTER_LEADER)
        return;
    for (int i = 0; i < n; i++)
        if (!members[i].self && members[i].match_index <= status->last_index)
            metrics_add_labelled(list, &delta, "peer_id", members[i].node_id,
                                 (double)(status->last_index - members[i].match_index));
    for (int i = 0; i < n; i++)
        if (!members[i].self && members[i].last_contact_ms >= 0)
            metrics_add_labelled(list, &heard, "peer_id", members[i].node_id, (double)members[i].last_contact_ms);
}

static void add_cluster(json_t *list, struct core *core)
{
    static const struct metric_def peers = {"vault.raft.peers", METRIC_GAUGE, "Members of the Raft group."};
    struct cluster_member members[CLUSTER_MEMBERS_MAX];
    struct cluster_status status;
    uint64_t index;
    cluster_status(core_cluster(core), &status);
    int n = cluster_members(core_cluster(core), members, &index);
    add_raft(list, &status);
    metrics_add(list, &peers, n);
    add_followers(list, &status, members, n);
}

/* ---- Commits, leases, requests ---- */

static void add_commits(json_t *list, struct metrics *metrics)
{
    static const struct metric_def
        waiting = {"coffer.commit.waiting", METRIC_GAUGE, "Writes that wait for their entry."},
        entries = {"coffer.commit.entries_total", METRIC_COUNTER, "Entries proposed by this node."},
        batches = {"coffer.commit.writes_total", METRIC_COUNTER, "Writes that were committed by this node."},
        conflicts = {"coffer.commit.conflicts_total", METRIC_COUNTER, "Requests that ran again for another's write."},
        times = {"coffer.commit.seconds", METRIC_TIMES, "From a write until it is durable on a majority and applied."};
    metrics_add(list, &waiting, atomic_load(&metrics->commit_waiting));
    metrics_add(list, &entries, (double)metric_read(&metrics->commit_entries));
    metrics_add(list, &batches, (double)metric_read(&metrics->commit_batches));
    metrics_add(list, &conflicts, (double)metric_read(&metrics->commit_conflicts));
    metrics_add_times(list, &times, &metrics->commit);
}

static void add_revocations(json_t *list, struct core *core)
{
    static const struct metric_def overdue = {"coffer.revocation.overdue_seconds", METRIC_GAUGE,
                                              "The age of the oldest revocation that should have happened by now."},
                                   waiting = {"coffer.revocation.waiting", METRIC_GAUGE,
                                              "Leases that wait to be revoked."},
                                   running = {"coffer.revocation.running", METRIC_GAUGE,
                                              "Leases that are being revoked."},
                                   failing = {"coffer.revocation.failing_mounts", METRIC_GAUGE,
                                              "Mounts whose last revocation failed."};
    struct expiry_standing standing;
    core_expiry_standing(core, &standing);
    metrics_add(list, &overdue, (double)standing.overdue_s);
    metrics_add(list, &waiting, standing.waiting);
    metrics_add(list, &running, standing.running);
    metrics_add(list, &failing, standing.failing_targets);
}

static void add_requests(json_t *list, struct core *core)
{
    static const struct metric_def connections = {"coffer.http.connections", METRIC_GAUGE,
                                                  "Connections of clients that are open."},
                                   times = {"coffer.http.request_seconds", METRIC_TIMES,
                                            "From a request's arrival to its answer."},
                                   responses = {"coffer.http.responses_total", METRIC_COUNTER,
                                                "Answers by their status."};
    struct metrics *metrics = core_metrics(core);
    char code[12];
    metrics_add(list, &connections, (double)core_connections(core));
    metrics_add_times(list, &times, &metrics->request);
    for (int status = 0; status < METRICS_STATUS_MAX; status++) {
        uint64_t n = metric_read(&metrics->responses[status]);
        snprintf(code, sizeof code, "%d", status);
        if (n > 0)
            metrics_add_labelled(list, &responses, "code", code, (double)n);
    }
}

/* ---- The process, by the names that Prometheus' own libraries use ---- */

static int count_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;
    if (dir == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n - 1; /* without the directory's own */
}

static double read_resident_bytes(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%ld %ld", &pages, &resident) != 2)
        resident = 0;
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void add_process(json_t *list)
{
    static const struct metric_def memory = {"process_resident_memory_bytes", METRIC_GAUGE, "Memory in use."},
                                   files = {"process_open_fds", METRIC_GAUGE, "Open file descriptors."},
                                   files_max = {"process_max_fds", METRIC_GAUGE, "How many there may be."},
                                   cpu = {"process_cpu_seconds_total", METRIC_COUNTER, "Processor time used."};
    struct rusage usage;
    struct rlimit limit;
    metrics_add(list, &memory, read_resident_bytes());
    metrics_add(list, &files, count_files());
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        metrics_add(list, &files_max, (double)limit.rlim_cur);
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        metrics_add(list, &cpu, seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
}

/* ---- Answering ---- */

static json_t *gather(struct core *core)
{
    json_t *list = json_array();
    add_standing(list, core);
    add_cluster(list, core);
    add_commits(list, core_metrics(core));
    add_revocations(list, core);
    add_requests(list, core);
    add_process(list);
    return list;
}

/* These refusals are not JSON; clients know them so. */
static int refuse(struct request *req, const char *text)
{
    struct buf copy = BUF_INIT;
    buf_puts(&copy, text);
    reply_text(req, "text/plain", buf_detach(&copy));
    reply_status(req, 400);
    return OK;
}

int sys_metrics(struct request *req)
{
    const char *format = json_str(request_data(req), "format", "");
    bool as_text = strcmp(format, "prometheus") == 0;
    if (format[0] != '\0' && !as_text)
        return refuse(req, arena_printf(&req->arena, "metric response format \"%s\" unknown", format));
    if (as_text && core_options(req->core)->prometheus_disable)
        return refuse(req, "prometheus is not enabled");
    json_t *list = gather(req->core);
    if (as_text) {
        reply_text(req, METRICS_TEXT_TYPE, metrics_format_text(list));
    } else {
        reply_data(req, metrics_format_json(list));
        req->is_plain = true;
    }
    json_decref(list);
    return OK;
}
