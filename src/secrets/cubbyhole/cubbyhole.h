/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cubbyhole.h — the engine at cubbyhole/: a store that each token has for itself, and nobody else sees.
 */
#ifndef COFFER_SECRETS_CUBBYHOLE_CUBBYHOLE_H
#define COFFER_SECRETS_CUBBYHOLE_CUBBYHOLE_H

#include "core/engine.h"

extern const struct engine cubbyhole_engine;

#endif
