/* SPDX-License-Identifier: Apache-2.0 */
/* workers.c - loops over many things, in several threads. */
#include "base/workers.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

struct loop {
	workers_fn *fn;
	void *arg;
	size_t n, chunk;
	_Atomic size_t next;
};

struct worker {
	pthread_t thread;
	struct loop *loop;
	unsigned number;
};

static void *
work(void *arg)
{
	struct worker *w = arg;
	struct loop *l = w->loop;
	size_t i, end;

	while ((i = atomic_fetch_add(&l->next, l->chunk)) < l->n) {
		end = l->n - i < l->chunk ? l->n : i + l->chunk;
		for (; i < end; i++)
			l->fn(i, w->number, l->arg);
	}
	return NULL;
}

void
workers_run(unsigned threads, size_t n, size_t chunk, workers_fn *fn,
    void *arg)
{
	struct loop l = { .fn = fn, .arg = arg, .n = n, .chunk = chunk };
	struct worker w[WORKERS_MAX];
	unsigned i, made;

	if (threads > WORKERS_MAX)
		threads = WORKERS_MAX;
	for (made = 1; made < threads && made * chunk < n; made++) {
		w[made] = (struct worker){ .loop = &l, .number = made };
		if (pthread_create(&w[made].thread, NULL, work, &w[made]) != 0)
			break;
	}
	w[0] = (struct worker){ .loop = &l, .number = 0 };
	work(&w[0]);
	for (i = 1; i < made; i++)
		pthread_join(w[i].thread, NULL);
}

unsigned
workers_cpus(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ?
	    CPU_COUNT(&set) : 1;

	return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : (unsigned)n;
}
