/* SPDX-License-Identifier: Apache-2.0 */
#include "diagnose/diagnose.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "diagnose/diagnose_private.h"

enum { EXIT_OK, EXIT_FAIL, EXIT_WARN, EXIT_USAGE };

const char diagnose_usage[] =
    "Usage: coffer operator diagnose -config=PATH [options]\n"
    "\n"
    "  Looks at all that a server needs before it can start: its configuration, certificates, ports, storage, limits,\n"
    "  and the other members. Give it what \"coffer server\" is given, as the same user. It changes nothing, and may\n"
    "  run while the server does.\n"
    "\n"
    "      $ coffer operator diagnose -config=/etc/coffer/config.hcl\n"
    "\n"
    "  Ends with 0 when all is well, 1 when something fails, 2 when something should be looked at.\n"
    "\n"
    "Options:\n"
    "  -config=PATH    A file, or a directory of .hcl and .json files; may be given again.\n"
    "                  COFFER_CONFIG_PATH, BAO_CONFIG_PATH and VAULT_CONFIG_PATH stand for it.\n"
    "  -format=FORMAT  table or json.\n"
    "  -skip=CHECKS    Leave out some of listener, storage, members, audit.\n";

struct options {
    const char **configs;
    size_t n_configs;
    const char *skip;
    bool as_json, help;
};

/* ---- The command line ---- */

/* "-name=value", "-name value" or "--name…": the value, and how many arguments it was; NULL: another option. */
static const char *option_value(const char *name, int argc, char **argv, int *ret_used)
{
    const char *text = argv[0] + (argv[0][0] == '-' && argv[0][1] == '-' ? 2 : 1);
    size_t len = strlen(name);
    if (argv[0][0] != '-' || strncmp(text, name, len) != 0)
        return NULL;
    *ret_used = text[len] == '=' ? 1 : 2;
    if (text[len] == '=')
        return text + len + 1;
    return text[len] == '\0' && argc > 1 ? argv[1] : NULL;
}

static bool take_option(struct options *options, int argc, char **argv, int *ret_used)
{
    const char *value;
    *ret_used = 1;
    if (strcmp(argv[0], "-h") == 0 || strcmp(argv[0], "-help") == 0 || strcmp(argv[0], "--help") == 0)
        return options->help = true;
    if (strcmp(argv[0], "-debug") == 0)
        return true; /* there is nothing that is held back */
    if ((value = option_value("config", argc, argv, ret_used)) != NULL) {
        options->configs[options->n_configs++] = value;
        return true;
    }
    if ((value = option_value("skip", argc, argv, ret_used)) != NULL) {
        options->skip = value;
        return true;
    }
    if ((value = option_value("format", argc, argv, ret_used)) == NULL)
        return false;
    options->as_json = strcmp(value, "json") == 0;
    return options->as_json || strcmp(value, "table") == 0;
}

static bool parse(int argc, char **argv, struct options *ret)
{
    static const char *const names[] = {"COFFER_CONFIG_PATH", "BAO_CONFIG_PATH", "VAULT_CONFIG_PATH"};
    ret->configs = calloc((size_t)argc + 1, sizeof *ret->configs);
    if (ret->configs == NULL)
        abort();
    for (int i = 1, used; i < argc; i += used) {
        if (!take_option(ret, argc - i, argv + i, &used)) {
            fprintf(stderr, "no such option, or no such value: %s\n\n%s", argv[i], diagnose_usage);
            return false;
        }
    }
    for (size_t i = 0; ret->n_configs == 0 && i < sizeof names / sizeof names[0]; i++)
        if (getenv(names[i]) != NULL)
            ret->configs[ret->n_configs++] = getenv(names[i]);
    if (ret->n_configs == 0 && !ret->help)
        fputs("Must specify a configuration file using -config.\n", stderr);
    return ret->n_configs > 0 || ret->help;
}

/* ---- The checks, in order ---- */

static void take_warning(void *arg, enum log_level level, const char *text)
{
    if (level >= LOG_WARN)
        report_add(arg, VERDICT_WARN, "Check Setting", "%s", text);
}

static void drop(void *arg, enum log_level level, const char *text)
{
    (void)arg, (void)level, (void)text;
}

static struct config *load(struct report *report, const struct options *options)
{
    struct config *config = NULL;
    struct err err = {0};
    report_begin(report, "Parse Configuration");
    log_divert(take_warning, report);
    if (config_load(options->configs, options->n_configs, &config, &err) == OK)
        report_add(report, VERDICT_OK, "Read Configuration", "storage \"%s\", %zu listeners", config->storage_type,
                   config->n_listeners);
    else
        report_add(report, VERDICT_FAIL, "Read Configuration", "%s", err_text(&err));
    log_divert(drop, NULL);
    report_end(report);
    return config;
}

static void set_places(struct diagnosis *diagnosis)
{
    const struct config *config = diagnosis->config;
    const struct config_listener *listener = &config->listeners[0];
    snprintf(diagnosis->data_dir, sizeof diagnosis->data_dir, "%s", config->storage_path ? config->storage_path : "");
    snprintf(diagnosis->state_dir, sizeof diagnosis->state_dir, "%s/state", diagnosis->data_dir);
    snprintf(diagnosis->raft_dir, sizeof diagnosis->raft_dir, "%s/raft", diagnosis->data_dir);
    if (config->api_addr != NULL)
        snprintf(diagnosis->api_addr, sizeof diagnosis->api_addr, "%s", config->api_addr);
    else
        snprintf(diagnosis->api_addr, sizeof diagnosis->api_addr, "%s://%s", listener->tls_disable ? "http" : "https",
                 listener->address);
}

static const struct check {
    const char *name; /* for -skip; NULL: always */
    void (*run)(struct diagnosis *diagnosis);
} checks[] = {
    {NULL, diagnose_server},          {NULL, diagnose_system},       {"storage", diagnose_storage},
    {"listener", diagnose_listeners}, {"members", diagnose_members}, {"audit", diagnose_audit},
};

static bool is_skipped(const struct options *options, const struct check *check)
{
    return check->name != NULL && options->skip != NULL && strstr(options->skip, check->name) != NULL;
}

static void run(struct report *report, const struct options *options)
{
    struct config *config = load(report, options);
    if (config == NULL)
        return;
    struct diagnosis diagnosis = {.report = report, .config = config};
    set_places(&diagnosis);
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        if (!is_skipped(options, &checks[i]))
            checks[i].run(&diagnosis);
    json_decref(diagnosis.health);
    config_free(config);
}

int diagnose_main(int argc, char **argv)
{
    static const int codes[] = {EXIT_OK, EXIT_OK, EXIT_WARN, EXIT_FAIL};
    struct options options = {0};
    if (!parse(argc, argv, &options)) {
        free(options.configs);
        return EXIT_USAGE;
    }
    int code = EXIT_OK;
    if (options.help) {
        fputs(diagnose_usage, stdout);
    } else {
        struct report *report = report_new("Coffer Diagnose");
        run(report, &options);
        if (options.as_json)
            report_print_json(report, stdout);
        else
            report_print(report, stdout);
        code = codes[report_verdict(report)];
        report_free(report);
    }
    free(options.configs);
    return code;
}
