/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread_slot.h — a small number for each thread, to keep what is dear to make (contexts, read
 * transactions) close to the thread that uses it. Several threads may get the same one.
 */
#ifndef COFFER_STORAGE_THREAD_SLOT_H
#define COFFER_STORAGE_THREAD_SLOT_H

#define THREAD_SLOTS    64
#define CACHE_LINE_SIZE 64

/* 0 to THREAD_SLOTS - 1; the same at each call of a thread. */
unsigned thread_slot(void);

#endif
