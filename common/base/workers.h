/* SPDX-License-Identifier: Apache-2.0 */
/* workers.h - loops over many things, in several threads. */
#ifndef BASE_WORKERS_H
#define BASE_WORKERS_H

#include <stddef.h>

#define WORKERS_MAX 64

/* The work on one thing; worker: below the number of threads, another one in
 * each that runs at the same time. */
typedef void workers_fn(size_t i, unsigned worker, void *arg);

/* fn for each i below n, a chunk of them at a time, in up to so many threads,
 * the calling one among them.  Returns when all is done.  Where threads cannot
 * be made, fewer do it. */
void workers_run(unsigned threads, size_t n, size_t chunk, workers_fn *fn,
    void *arg);

/* Processors that this process may use, at most WORKERS_MAX. */
unsigned workers_cpus(void);

#endif
