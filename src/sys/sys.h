/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys.h — the sys/ API: an engine like any other. Its table of routes is in routes.c.
 */
#ifndef COFFER_SYS_SYS_H
#define COFFER_SYS_SYS_H

#include "core/engine.h"

extern const struct engine sys_engine;

#endif
