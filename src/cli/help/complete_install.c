/* SPDX-License-Identifier: Apache-2.0 */
/* complete_install.c — the lines in the shells' start files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/file.h"
#include "cli/help/complete.h"

#define FILE_BYTES_MAX (4u << 20)
#define MARK           " # completion of coffer"

/* A shell, the file it reads at its start, and what makes it ask PROGRAM. */
struct shell {
    const char *name;
    const char *file; /* below the home directory */
    const char *line;
    bool is_own_file; /* it is made and removed whole; the directory says whether there is such a shell */
};

static const struct shell shells[] = {
    {"bash", ".bashrc", "complete -o default -o bashdefault -C '%s' coffer" MARK "\n", false},
    {"zsh", ".zshrc",
     "autoload -U +X bashcompinit && bashcompinit && complete -o default -o bashdefault -C '%s' coffer" MARK "\n",
     false},
    {"fish", ".config/fish/completions/coffer.fish",
     "complete -c coffer -a '(env COMP_LINE=(commandline -cp) \"%s\")'" MARK "\n", true},
};

/* What packages install; there the program is found by its name. */
static const char *const packaged[][2] = {
    {"bash/coffer", "complete -o default -o bashdefault -C coffer coffer\n"},
    {"zsh/_coffer", "#compdef coffer\n"
                    "local -a found\n"
                    "found=(${(f)\"$(COMP_LINE=\"${(j: :)words[1,CURRENT]}\" coffer)\"})\n"
                    "(( $#found )) && compadd -a found || _files\n"},
    {"fish/coffer.fish", "complete -c coffer -a '(env COMP_LINE=(commandline -cp) coffer)'\n"},
};

/* The path of the shell's file, and whether there is such a shell here. */
static bool find_file(const struct shell *shell, char *path, size_t size)
{
    const char *home = getenv("HOME");
    char probe[4096];

    snprintf(path, size, "%s/%s", home ? home : "", shell->file);
    snprintf(probe, sizeof probe, "%s%s", home ? home : "", shell->is_own_file ? "/.config/fish" : "");
    return home && *home && file_exists(shell->is_own_file ? probe : path);
}

/* The text without the lines that are ours. */
static void drop_lines(const struct buf *text, struct buf *ret)
{
    const char *at = (const char *)text->data, *end = at + text->len;

    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = stop ? (size_t)(stop + 1 - at) : (size_t)(end - at);

        if (!memmem(at, len, MARK, strlen(MARK)))
            buf_put(ret, at, len);
        at += len;
    }
    if (ret->len && ret->data[ret->len - 1] != '\n')
        buf_puts(ret, "\n");
}

static int make_dirs(const char *path, struct err *err)
{
    char dir[4096];
    int rc = OK;

    for (const char *slash = strchr(path + 1, '/'); slash && rc == OK; slash = strchr(slash + 1, '/')) {
        snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path);
        if (!file_exists(dir))
            rc = file_make_dir(dir, 0755, err);
    }
    return rc;
}

/* Writes through what the path may be a link to, as start files often are: they are kept elsewhere. */
static int write_file(const char *path, const struct buf *text, struct err *err)
{
    char *real = realpath(path, NULL);
    struct stat info;
    int rc = make_dirs(path, err);

    if (rc == OK)
        rc = file_replace(real ? real : path, text->data, text->len, stat(path, &info) ? 0644 : info.st_mode & 0777,
                          err);
    free(real);
    return rc;
}

/* The file without our lines and, where `program` is not NULL, with them anew. */
static int change_file(const struct shell *shell, const char *path, const char *program, struct err *err)
{
    struct buf before = BUF_INIT, after = BUF_INIT;
    int rc = file_exists(path) ? file_read(path, FILE_BYTES_MAX, &before, err) : OK;

    if (rc == OK && !shell->is_own_file)
        drop_lines(&before, &after);
    if (program)
        buf_printf(&after, shell->line, program);
    if (rc == OK && !program && shell->is_own_file)
        rc = remove(path) && file_exists(path) ? err_set(err, ERR_IO, "%s cannot be removed", path) : OK;
    else if (rc == OK)
        rc = write_file(path, &after, err);
    buf_close(&before);
    buf_close(&after);
    return rc;
}

static int change_all(const char *program, const char *done, struct err *err)
{
    int rc = OK, count = 0;
    char path[4096];

    for (size_t i = 0; i < sizeof shells / sizeof *shells && rc == OK; i++) {
        if (!find_file(&shells[i], path, sizeof path))
            continue;
        count++;
        rc = change_file(&shells[i], path, program, err);
        if (rc == OK)
            printf("%s %s\n", done, path);
    }
    if (rc == OK && count == 0)
        return err_set(err, ERR_NOTFOUND, "there is no ~/.bashrc, ~/.zshrc or ~/.config/fish to add to");
    return rc;
}

int complete_install(const char *program, struct err *err)
{
    if (strpbrk(program, "'\"\\$`%\n"))
        return err_set(err, ERR_INVALID, "the path of this program cannot stand in a shell's file: %s", program);
    return change_all(program, "Completion is on in shells that read", err);
}

int complete_uninstall(const char *program, struct err *err)
{
    (void)program;
    return change_all(NULL, "Completion was taken out of", err);
}

int complete_write_files(const char *dir, struct err *err)
{
    char path[4096];
    int rc = OK;

    for (size_t i = 0; i < sizeof packaged / sizeof *packaged && rc == OK; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, packaged[i][0]);
        rc = make_dirs(path, err);
        if (rc == OK)
            rc = file_replace(path, packaged[i][1], strlen(packaged[i][1]), 0644, err);
    }
    return rc;
}
