/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics_format.h — a list of measurements, and the two forms in which clients want it: Prometheus' text (version
 * 0.0.4) and Vault's JSON.
 */
#ifndef COFFER_SYS_METRICS_FORMAT_H
#define COFFER_SYS_METRICS_FORMAT_H

#include <jansson.h>

#include "base/metric.h"

#define METRICS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metric_kind { METRIC_GAUGE, METRIC_COUNTER, METRIC_TIMES };

/* What is told of one thing. Names as Vault writes them in JSON ("vault.core.active"); Prometheus' follow from those.
 */
struct metric_def {
    const char *name;
    enum metric_kind kind;
    const char *help;
};

/* The measurements are JSON while they are gathered: an array that the functions below add to. Those of one name, which
 * differ in their label, must follow each other. */
void metrics_add(json_t *list, const struct metric_def *def, double value);
void metrics_add_labelled(json_t *list, const struct metric_def *def, const char *label, const char *label_value,
                          double value);
void metrics_add_times(json_t *list, const struct metric_def *def, struct metric_times *times);

/* The caller frees both, as buf_detach()'s and as a reference. */
char *metrics_format_text(const json_t *list);
json_t *metrics_format_json(const json_t *list);

#endif
