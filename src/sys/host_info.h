/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_info.h — what Linux says of the machine, by the names that clients know. Each returns a new reference, or NULL
 * when it is not to be had. They read files and may wait for them. Threads: any.
 */
#ifndef COFFER_SYS_HOST_INFO_H
#define COFFER_SYS_HOST_INFO_H

#include <jansson.h>
#include <stdbool.h>

/* host_info.c */
json_t *host_cpus(void);
json_t *host_cpu_times(void);
json_t *host_memory(void);
/* host_machine.c */
json_t *host_disks(void);
json_t *host_machine(void);

/* Calls visit(arg, line) for each line of a text file, without its line feed; false when it cannot be read. */
bool host_each_line(const char *path, void (*visit)(void *arg, char *line), void *arg);

#endif
