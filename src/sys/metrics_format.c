/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics_format.c — measurements as Prometheus and as Vault's clients read them.
 * Prometheus' text: https://prometheus.io/docs/instrumenting/exposition_formats/
 */
#include "sys/metrics_format.h"

#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"

static const char *const kinds[] = {
    [METRIC_GAUGE] = "gauge", [METRIC_COUNTER] = "counter", [METRIC_TIMES] = "histogram"};

static json_t *add(json_t *list, const struct metric_def *def)
{
    json_t *row = json_pack("{s:s, s:i, s:s}", "name", def->name, "kind", def->kind, "help", def->help);
    json_array_append_new(list, row);
    return row;
}

void metrics_add(json_t *list, const struct metric_def *def, double value)
{
    json_object_set_new(add(list, def), "value", json_real(value));
}

void metrics_add_labelled(json_t *list, const struct metric_def *def, const char *label, const char *label_value,
                          double value)
{
    json_t *row = add(list, def);
    json_object_set_new(row, "value", json_real(value));
    json_object_set_new(row, "labels", json_pack("{s:s}", label, label_value));
}

void metrics_add_times(json_t *list, const struct metric_def *def, struct metric_times *times)
{
    json_t *row = add(list, def), *buckets = json_array();
    uint64_t count = 0;
    for (size_t i = 0; i <= METRIC_BOUNDS; i++) {
        count += metric_read(&times->buckets[i]);
        json_array_append_new(buckets, json_integer((json_int_t)count));
    }
    json_object_set_new(row, "buckets", buckets);
    json_object_set_new(row, "sum", json_real((double)metric_read(&times->sum_us) / 1e6));
}

static json_int_t count_of(const json_t *row)
{
    return json_integer_value(json_array_get(json_object_get(row, "buckets"), METRIC_BOUNDS));
}

/* ---- Prometheus ---- */

static void put_name(struct buf *text, const char *name)
{
    for (; *name != '\0'; name++)
        buf_put_u8(text, *name == '.' || *name == '-' ? '_' : (uint8_t)*name);
}

/* The one label, if any; its value is a name of ours, or escaped. */
static void put_labels(struct buf *text, const json_t *labels)
{
    const char *label;
    json_t *value;
    json_object_foreach((json_t *)labels, label, value)
    {
        buf_printf(text, "{%s=\"", label);
        for (const char *p = json_string_value(value); *p != '\0'; p++)
            buf_printf(text, *p == '"' || *p == '\\' ? "\\%c" : *p == '\n' ? "\\n" : "%c", *p);
        buf_puts(text, "\"}");
    }
}

static void put_head(struct buf *text, const json_t *row)
{
    buf_puts(text, "# HELP ");
    put_name(text, json_str(row, "name", ""));
    buf_printf(text, " %s\n# TYPE ", json_str(row, "help", ""));
    put_name(text, json_str(row, "name", ""));
    buf_printf(text, " %s\n", kinds[json_int(row, "kind", 0)]);
}

static void put_times(struct buf *text, const json_t *row)
{
    const json_t *buckets = json_object_get(row, "buckets");
    const char *name = json_str(row, "name", "");
    for (size_t i = 0; i <= METRIC_BOUNDS; i++) {
        put_name(text, name);
        if (i < METRIC_BOUNDS)
            buf_printf(text, "_bucket{le=\"%g\"}", metric_bounds_us[i] / 1e6);
        else
            buf_puts(text, "_bucket{le=\"+Inf\"}");
        buf_printf(text, " %lld\n", (long long)json_integer_value(json_array_get(buckets, i)));
    }
    put_name(text, name);
    buf_printf(text, "_sum %.6f\n", json_number_value(json_object_get(row, "sum")));
    put_name(text, name);
    buf_printf(text, "_count %lld\n", (long long)count_of(row));
}

char *metrics_format_text(const json_t *list)
{
    struct buf text = BUF_INIT;
    const char *last = "";
    json_t *row;
    size_t i;
    json_array_foreach(list, i, row)
    {
        if (strcmp(last, json_str(row, "name", "")) != 0)
            put_head(&text, row);
        last = json_str(row, "name", "");
        if (json_int(row, "kind", 0) == METRIC_TIMES) {
            put_times(&text, row);
            continue;
        }
        put_name(&text, last);
        put_labels(&text, json_object_get(row, "labels"));
        buf_printf(&text, " %.15g\n", json_number_value(json_object_get(row, "value")));
    }
    return buf_detach(&text);
}

/* ---- Vault's JSON ---- */

static json_t *labels_of(const json_t *row)
{
    json_t *labels = json_object_get(row, "labels");
    return labels != NULL ? json_incref(labels) : json_object();
}

static json_t *counted(const json_t *row, double sum, json_int_t count)
{
    double mean = count > 0 ? sum / (double)count : 0;
    return json_pack("{s:s, s:I, s:f, s:f, s:o}", "Name", json_str(row, "name", ""), "Count", count, "Sum", sum, "Mean",
                     mean, "Labels", labels_of(row));
}

json_t *metrics_format_json(const json_t *list)
{
    char time_text[40];
    time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm parts;
    strftime(time_text, sizeof time_text, "%Y-%m-%d %H:%M:%S +0000 UTC", gmtime_r(&now, &parts));
    json_t *gauges = json_array(), *counters = json_array(), *samples = json_array(), *row;
    size_t i;
    json_array_foreach(list, i, row)
    {
        double value = json_number_value(json_object_get(row, "value"));
        if (json_int(row, "kind", 0) == METRIC_GAUGE)
            json_array_append_new(gauges, json_pack("{s:s, s:f, s:o}", "Name", json_str(row, "name", ""), "Value",
                                                    value, "Labels", labels_of(row)));
        else if (json_int(row, "kind", 0) == METRIC_COUNTER)
            json_array_append_new(counters, counted(row, value, (json_int_t)value));
        else
            json_array_append_new(samples, counted(row, json_number_value(json_object_get(row, "sum")), count_of(row)));
    }
    return json_pack("{s:s, s:o, s:[], s:o, s:o}", "Timestamp", time_text, "Gauges", gauges, "Points", "Counters",
                     counters, "Samples", samples);
}
