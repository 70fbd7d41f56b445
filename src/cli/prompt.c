/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/prompt.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/options.h"

#define ANSWER_BYTES_MAX 65536

/* Signals that end or stop the process while nothing is echoed; the terminal is put right first. */
static const int deadly_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
#define DEADLY_SIGNALS (sizeof deadly_signals / sizeof *deadly_signals)

static struct termios shown;

static void on_deadly_signal(int signal_number)
{
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void read_line(struct buf *line)
{
    char c;
    ssize_t n;

    while (line->len < ANSWER_BYTES_MAX) {
        n = read(STDIN_FILENO, &c, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || c == '\n')
            return;
        buf_put_u8(line, (uint8_t)c);
    }
}

static void read_hidden(struct buf *line)
{
    struct sigaction before[DEADLY_SIGNALS], during = {.sa_handler = on_deadly_signal};
    struct termios hidden = shown;

    for (size_t i = 0; i < DEADLY_SIGNALS; i++)
        sigaction(deadly_signals[i], &during, &before[i]);
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    read_line(line);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    for (size_t i = 0; i < DEADLY_SIGNALS; i++)
        sigaction(deadly_signals[i], &before[i], NULL);
}

int prompt_secret(struct cli *cli, const char *question, const char **ret_answer, struct err *err)
{
    struct buf line = BUF_INIT;

    if (option_flag(cli, "non-interactive"))
        return err_set(err, ERR_UNAVAILABLE, "-non-interactive forbids to ask for it");
    if (tcgetattr(STDIN_FILENO, &shown))
        return err_set(err, ERR_UNAVAILABLE, "standard input is not a terminal");
    fputs(question, stderr);
    read_hidden(&line);
    fputc('\n', stderr);
    *ret_answer = arena_strdup(&cli->arena, buf_str(&line));
    buf_close(&line);
    return OK;
}
