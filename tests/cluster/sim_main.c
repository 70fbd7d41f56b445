/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coffer_sim [--seeds A-B] [--seconds S] [--bug NAME] [--verbose]
 *
 * Runs one simulated cluster for each seed. Without --bug it succeeds when every run was good; with a planted bug when
 * at least one was not.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "sim.h"

static const struct {
    const char *name;
    enum sim_bug bug;
} bugs[] = {
    {"none", BUG_NONE},
    {"ack-before-durable", BUG_ACK_BEFORE_DURABLE},
    {"vote-not-persisted", BUG_VOTE_NOT_PERSISTED},
    {"no-r1a", BUG_NO_R1A},
    {"no-r1b", BUG_NO_R1B},
    {"no-r2", BUG_NO_R2},
    {"no-r3", BUG_NO_R3},
    {"no-promise", BUG_NO_PROMISE},
    {"restore-beside-log", BUG_RESTORE_BESIDE_LOG},
    {"restore-no-pause", BUG_RESTORE_NO_PAUSE},
    {"restore-any-epoch", BUG_RESTORE_ANY_EPOCH},
};

struct settings {
    unsigned long first, last;
    unsigned seconds;
    enum sim_bug bug;
    bool verbose;
};

static bool parse_bug(const char *name, enum sim_bug *ret)
{
    for (size_t i = 0; i < sizeof bugs / sizeof bugs[0]; i++) {
        if (strcmp(bugs[i].name, name) == 0) {
            *ret = bugs[i].bug;
            return true;
        }
    }
    return false;
}

static bool parse(int argc, char **argv, struct settings *ret)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--verbose") == 0) {
            ret->verbose = true;
            continue;
        }
        if (strcmp(argv[i], "--seeds") == 0) {
            if (sscanf(value, "%lu-%lu", &ret->first, &ret->last) == 1)
                ret->last = ret->first;
        } else if (strcmp(argv[i], "--seconds") == 0) {
            ret->seconds = (unsigned)atoi(value);
        } else if (strcmp(argv[i], "--bug") != 0 || !parse_bug(value, &ret->bug)) {
            return false;
        }
        i++;
    }
    return ret->first > 0 && ret->last >= ret->first && ret->seconds > 0;
}

static void add(struct sim_stats *sum, const struct sim_stats *stats)
{
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)stats;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
        to[i] += from[i];
}

static void summarize(const struct settings *settings, const unsigned long counts[3], const struct sim_stats *sum)
{
    printf("seeds %lu-%lu, %u s each: %lu good, %lu violations, %lu stuck\n", settings->first, settings->last,
           settings->seconds, counts[SIM_GOOD], counts[SIM_VIOLATION], counts[SIM_STUCK]);
    printf(
        "  %llu entries, %llu acknowledged, %llu reads, %llu times ready to serve, %llu elections, %llu crashes,\n"
        "  %llu pauses, %llu changes of members, %llu snapshots installed, %llu transfers, %llu trims, %llu messages,\n"
        "  %llu snapshots restored\n",
        (unsigned long long)sum->entries, (unsigned long long)sum->acked, (unsigned long long)sum->reads,
        (unsigned long long)sum->served, (unsigned long long)sum->elections, (unsigned long long)sum->crashes,
        (unsigned long long)sum->pauses, (unsigned long long)sum->members, (unsigned long long)sum->snapshots,
        (unsigned long long)sum->transfers, (unsigned long long)sum->trims, (unsigned long long)sum->messages,
        (unsigned long long)sum->restores);
}

int main(int argc, char **argv)
{
    struct settings settings = {.first = 1, .last = 60, .seconds = 20};
    if (!parse(argc, argv, &settings)) {
        fprintf(stderr, "usage: coffer_sim [--seeds A-B] [--seconds S] [--bug NAME] [--verbose]\n");
        return 2;
    }
    unsigned long counts[3] = {0};
    struct sim_stats sum = {0};
    log_set_level(settings.verbose ? LOG_DEBUG : LOG_ERROR);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (unsigned long seed = settings.first; seed <= settings.last; seed++) {
        struct sim_stats stats;
        char why[256];
        alarm(300); /* a run that hangs is a failure too */
        enum sim_outcome outcome = sim_run(seed, settings.seconds, settings.bug, settings.verbose, &stats, why);
        add(&sum, &stats);
        counts[outcome]++;
        if (outcome != SIM_GOOD)
            printf("seed %lu: %s\n", seed, why);
        if (outcome != SIM_GOOD && settings.bug != BUG_NONE) {
            printf("the planted bug was noticed after %lu seeds\n", seed - settings.first + 1);
            return 0;
        }
    }
    summarize(&settings, counts, &sum);
    bool is_clean = counts[SIM_VIOLATION] + counts[SIM_STUCK] == 0;
    if (settings.bug != BUG_NONE)
        printf("the planted bug was not noticed\n");
    return settings.bug == BUG_NONE && is_clean ? 0 : 1;
}
