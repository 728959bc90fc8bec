/* SPDX-License-Identifier: Apache-2.0 */
/* spill.c - records sorted in bounded memory. */
#include "base/spill.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define FIRST 64		/* records that there is room for at first */
#define SMALL 12		/* records: sorted by insertion */
#define AHEAD 4			/* records fetched before they are compared */
#define GATHER ((size_t)64 << 10)	/* bytes written at once */
#define LEAST 4096		/* bytes read of a run at once, if limit allows */

/* ---- the file ---- */

#define WHAT "a file for what does not fit into memory"

static int
bad_file(const struct spill *s, const char *why, struct err *e)
{
	return file_unnamed_failed(s->dir, WHAT, why, e);
}

static int
write_bytes(const struct spill *s, int fd, const char *p, size_t n,
    struct err *e)
{
	if (file_write(fd, p, n) < 0)
		return bad_file(s, strerror(errno), e);
	return 0;
}

/* ---- in memory ---- */

static inline char *
at(const struct spill *s, size_t i)
{
	return s->mem + i * s->size;
}

static void
insertion_sort(spill_compare *compare, const char **v, size_t n)
{
	const char *x;
	size_t i, k;

	for (i = 1; i < n; i++) {
		x = v[i];
		for (k = i; k > 0 && compare(v[k - 1], x) > 0; k--)
			v[k] = v[k - 1];
		v[k] = x;
	}
}

/* Stable: of equal ones the left goes first.  tmp has room for n / 2. */
static void
merge_sort(spill_compare *compare, const char **v, const char **tmp, size_t n)
{
	size_t half = n / 2, i = 0, k = half, to = 0;

	if (n <= SMALL) {
		insertion_sort(compare, v, n);
		return;
	}
	merge_sort(compare, v, tmp, half);
	merge_sort(compare, v + half, tmp, n - half);
	if (compare(v[half - 1], v[half]) <= 0)
		return;
	memcpy(tmp, v, half * sizeof(*v));
	while (i < half && k < n) {
		__builtin_prefetch(tmp[i + AHEAD < half ? i + AHEAD : i]);
		__builtin_prefetch(v[k + AHEAD < n ? k + AHEAD : k]);
		/* a choice without a branch is slower here: the branches in
		 * compare() tell the processor what this one will do */
		if (compare(tmp[i], v[k]) <= 0)
			v[to++] = tmp[i++];
		else
			v[to++] = v[k++];
	}
	memcpy(v + to, tmp + i, (half - i) * sizeof(*v));
}

/* Make s->order, unless mem is in order as it is. */
static int
sort_mem(struct spill *s, struct err *e)
{
	const char **tmp;
	size_t i;

	if (!s->unordered)
		return 0;
	s->order = malloc(s->len * sizeof(*s->order));
	tmp = malloc((s->len / 2 + 1) * sizeof(*tmp));
	if (!s->order || !tmp) {
		free(tmp);
		return err_nomem(e);
	}
	for (i = 0; i < s->len; i++)
		s->order[i] = at(s, i);
	merge_sort(s->compare, s->order, tmp, s->len);
	free(tmp);
	s->unordered = false;
	return 0;
}

static inline const char *
sorted(const struct spill *s, size_t i)
{
	return s->order ? s->order[i] : at(s, i);
}

/* ---- runs ---- */

static int
add_run(struct spill *s, uint64_t where, uint64_t n, struct err *e)
{
	struct spill_run *runs = realloc(s->runs,
	    (s->runs_n + 1) * sizeof(*runs));

	if (!runs)
		return err_nomem(e);
	s->runs = runs;
	s->runs[s->runs_n++] = (struct spill_run){ where, n };
	return 0;
}

static int
write_sorted(struct spill *s, struct err *e)
{
	size_t per = GATHER / s->size ? GATHER / s->size : 1, i, n = 0;
	char *gather;
	int r = 0;

	if (!s->order)
		return write_bytes(s, s->fd, s->mem, s->len * s->size, e);
	gather = malloc(per * s->size);
	if (!gather)
		return err_nomem(e);
	for (i = 0; i < s->len && r == 0; i++) {
		memcpy(gather + n * s->size, sorted(s, i), s->size);
		if (++n == per || i + 1 == s->len) {
			r = write_bytes(s, s->fd, gather, n * s->size, e);
			n = 0;
		}
	}
	free(gather);
	return r;
}

/* Append what is in memory to the file: to its last run, when nothing of that
 * is greater, or as a new one. */
static int
flush(struct spill *s, struct err *e)
{
	struct spill_run *run;
	uint64_t where;

	if (s->fd < 0 && (s->fd = file_unnamed(s->dir, WHAT, e)) < 0)
		return -1;
	if (!s->last && !(s->last = malloc(s->size)))
		return err_nomem(e);
	if (sort_mem(s, e) < 0 || write_sorted(s, e) < 0)
		return -1;
	run = s->runs_n ? &s->runs[s->runs_n - 1] : NULL;
	where = run ? run->at + run->n : 0;
	if (run && (!s->compare || s->compare(s->last, sorted(s, 0)) <= 0))
		run->n += s->len;
	else if (add_run(s, where, s->len, e) < 0)
		return -1;
	memcpy(s->last, sorted(s, s->len - 1), s->size);
	free(s->order);
	s->order = NULL;
	s->len = 0;
	return 0;
}

/* ---- merging ---- */

/* Whether source x is to be read before y; the earlier run, if equal. */
static inline bool
before(const struct spill *s, uint32_t x, uint32_t y)
{
	int c = s->compare ?
	    s->compare(s->sources[x].p, s->sources[y].p) : 0;

	return c < 0 || (c == 0 && x < y);
}

static void
sift_down(struct spill *s, size_t i)
{
	uint32_t x = s->heap[i];
	size_t k;

	while ((k = 2 * i + 1) < s->heap_n) {
		if (k + 1 < s->heap_n &&
		    before(s, s->heap[k + 1], s->heap[k]))
			k++;
		if (!before(s, s->heap[k], x))
			break;
		s->heap[i] = s->heap[k];
		i = k;
	}
	s->heap[i] = x;
}

/* Read on in a run, up to per records.  1, 0 at its end, -1. */
static int
fill(const struct spill *s, struct spill_source *from, size_t per,
    struct err *e)
{
	size_t m = from->rest.n < per ? (size_t)from->rest.n : per;
	ssize_t got;

	if (m == 0)
		return 0;
	got = file_pread(s->fd, from->buffer, m * s->size,
	    from->rest.at * s->size);
	if (got < 0)
		return bad_file(s, strerror(errno), e);
	if ((size_t)got < m * s->size)
		return bad_file(s, "it ends before what was written to it", e);
	from->rest.at += m;
	from->rest.n -= m;
	from->p = from->buffer;
	from->end = from->buffer + m * s->size;
	return 1;
}

/* Records of a buffer when k runs are merged, and one buffer is spare. */
static inline size_t
per_source(const struct spill *s, size_t k)
{
	return s->cap / (k + 1);
}

/* How many runs can be merged at once. */
static size_t
most_sources(const struct spill *s)
{
	size_t least = LEAST < s->limit / 64 ? LEAST : s->limit / 64;
	size_t per = least / s->size ? least / s->size : 1;

	return s->cap / per > 3 ? s->cap / per - 1 : 2;
}

/* Begin to merge k runs; mem becomes their buffers. */
static int
merge_begin(struct spill *s, const struct spill_run *runs, size_t k,
    struct err *e)
{
	size_t per = per_source(s, k), i;
	int r;

	free(s->sources);
	free(s->heap);
	s->heap_n = 0;
	s->taken = false;
	s->sources = calloc(k, sizeof(*s->sources));
	s->heap = calloc(k, sizeof(*s->heap));
	if (!s->sources || !s->heap)
		return err_nomem(e);
	for (i = 0; i < k; i++) {
		s->sources[i].buffer = at(s, i * per);
		s->sources[i].rest = runs[i];
		if ((r = fill(s, &s->sources[i], per, e)) < 0)
			return -1;
		if (r)
			s->heap[s->heap_n++] = (uint32_t)i;
	}
	for (i = s->heap_n / 2; i-- > 0; )
		sift_down(s, i);
	return 0;
}

/* The next of all sources: 1, 0, -1.  k: how many there were at first. */
static int
merge_next(struct spill *s, size_t k, const void **record, struct err *e)
{
	struct spill_source *top;
	int r = 1;

	if (s->taken && s->heap_n) {
		top = &s->sources[s->heap[0]];
		top->p += s->size;
		if (top->p == top->end)
			r = fill(s, top, per_source(s, k), e);
		if (r < 0)
			return -1;
		if (r == 0)
			s->heap[0] = s->heap[--s->heap_n];
		if (s->heap_n)
			sift_down(s, 0);
	}
	s->taken = s->heap_n > 0;
	if (s->taken)
		*record = s->sources[s->heap[0]].p;
	return s->taken;
}

/* Append k runs, merged, to a new file.  mem's last buffer is the spare
 * one. */
static int
merge_into(struct spill *s, int fd, const struct spill_run *runs, size_t k,
    struct err *e)
{
	size_t per = per_source(s, k), n = 0;
	char *spare;
	const void *p;
	int r;

	if (merge_begin(s, runs, k, e) < 0)
		return -1;
	spare = at(s, k * per);
	while ((r = merge_next(s, k, &p, e)) > 0 && p) {
		memcpy(spare + n * s->size, p, s->size);
		if (++n < per)
			continue;
		if (write_bytes(s, fd, spare, n * s->size, e) < 0)
			return -1;
		n = 0;
	}
	return r < 0 ? -1 : write_bytes(s, fd, spare, n * s->size, e);
}

/* More runs than have a buffer: merge groups of them into another file, which
 * takes the place of the first. */
static int
merge_pass(struct spill *s, size_t most, struct err *e)
{
	uint64_t where = 0, n;
	size_t i, j, k, to = 0;
	int fd = file_unnamed(s->dir, WHAT, e);

	if (fd < 0)
		return -1;
	for (i = 0; i < s->runs_n; i += k) {
		k = s->runs_n - i < most ? s->runs_n - i : most;
		if (merge_into(s, fd, s->runs + i, k, e) < 0) {
			close(fd);
			return -1;
		}
		for (n = 0, j = 0; j < k; j++)
			n += s->runs[i + j].n;
		s->runs[to++] = (struct spill_run){ where, n };
		where += n;
	}
	s->runs_n = to;
	close(s->fd);
	s->fd = fd;
	return 0;
}

/* ---- what callers see ---- */

void
spill_init(struct spill *s, size_t size, size_t limit, const char *dir,
    spill_compare *compare)
{
	/* beside each record a pointer to it and half a copy of that */
	size_t beside = compare ? 3 * sizeof(char *) / 2 : 0;

	limit = limit ? limit : SPILL_DEFAULT;
	assert(size > 0 && size <= limit / 8);
	*s = (struct spill){ .size = size, .limit = limit, .dir = dir,
	    .compare = compare, .fd = -1 };
	s->max = limit / (size + beside);
	if (s->max < 3)
		s->max = 3;
	if (s->max > UINT32_MAX)
		s->max = UINT32_MAX;
}

static int
grow(struct spill *s, struct err *e)
{
	size_t cap = s->cap ? 2 * s->cap : FIRST;
	char *mem;

	if (cap > s->max)
		cap = s->max;
	mem = realloc(s->mem, cap * s->size);
	if (!mem)
		return err_nomem(e);
	s->mem = mem;
	s->cap = cap;
	return 0;
}

int
spill_add(struct spill *s, const void *record, struct err *e)
{
	assert(!s->reading);
	if (s->len == s->cap &&
	    (s->cap < s->max ? grow(s, e) : flush(s, e)) < 0)
		return -1;
	memcpy(at(s, s->len), record, s->size);
	if (s->compare && !s->unordered && s->len > 0 &&
	    s->compare(at(s, s->len - 1), at(s, s->len)) > 0)
		s->unordered = true;
	s->len++;
	s->n++;
	return 0;
}

int
spill_rewind(struct spill *s, struct err *e)
{
	size_t most;

	s->reading = true;
	s->next = 0;
	if (s->fd < 0)
		return sort_mem(s, e);
	if (s->len > 0 && flush(s, e) < 0)
		return -1;
	most = most_sources(s);
	while (s->runs_n > most)
		if (merge_pass(s, most, e) < 0)
			return -1;
	return merge_begin(s, s->runs, s->runs_n, e);
}

int
spill_next(struct spill *s, const void **record, struct err *e)
{
	assert(s->reading);
	if (s->fd >= 0)
		return merge_next(s, s->runs_n, record, e);
	if (s->next == s->len)
		return 0;
	*record = sorted(s, s->next++);
	return 1;
}

void
spill_release(struct spill *s)
{
	if (s->fd >= 0)
		close(s->fd);
	free(s->mem);
	free(s->order);
	free(s->last);
	free(s->runs);
	free(s->sources);
	free(s->heap);
	*s = (struct spill){ .fd = -1 };
}
