/* SPDX-License-Identifier: Apache-2.0 */
/* t_spill - records sorted in bounded memory. */
#include "base/spill.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>

#include "../scratch.h"
#include "../tap.h"

struct rec {
	uint64_t key;
	uint64_t n;		/* the order of adding */
	char rest[24];
};

/* Records that fit, and their numbers beside them. */
#define ROOM(n) ((n) * (sizeof(struct rec) + 12))

static const void *seen_a, *seen_b;

static int
by_key(const void *a, const void *b)
{
	const struct rec *x = a, *y = b;

	seen_a = a;
	seen_b = b;
	return x->key < y->key ? -1 : x->key > y->key;
}

static int
by_key_and_n(const void *a, const void *b)
{
	const struct rec *x = a, *y = b;
	int c = by_key(a, b);

	return c ? c : x->n < y->n ? -1 : x->n > y->n;
}

static struct rec
made(uint64_t key, uint64_t n)
{
	struct rec r = { .key = key, .n = n };

	memset(r.rest, (int)(n & 0x7f), sizeof(r.rest));
	return r;
}

/* Read all: how many are not those of want. */
static size_t
wrong(struct spill *s, const struct rec *want, size_t n, struct err *e)
{
	const void *p;
	size_t i = 0, bad = 0;
	int r;

	while ((r = spill_next(s, &p, e)) > 0) {
		bad += i >= n || memcmp(p, &want[i], sizeof(*want)) != 0 ||
		    (uintptr_t)p % sizeof(uint64_t) != 0;
		i++;
	}
	return r < 0 || i != n ? n + 1 : bad;
}

/* n records with keys below `keys` into room for `room`: read twice, both
 * times in order, and from the first on after a part of them. */
static void
test_sorts(size_t n, uint64_t keys, size_t room, const char *what)
{
	struct rec *want = malloc((n + 1) * sizeof(*want));
	struct spill s;
	struct err e = { 0 };
	uint64_t seed = n;
	size_t i, bad = 0;
	const void *p;

	if (!want)
		scratch_die("malloc");
	spill_init(&s, sizeof(*want), room, scratch_dir(), by_key);
	for (i = 0; i < n; i++) {
		want[i] = made(scratch_random(&seed) % keys, i);
		bad += spill_add(&s, &want[i], &e) < 0;
	}
	qsort(want, n, sizeof(*want), by_key_and_n);
	ok(bad == 0 && s.n == n && spill_rewind(&s, &e) == 0 &&
	    wrong(&s, want, n, &e) == 0, "%zu records, %s", n, what);
	ok(room == 0 ? s.fd < 0 : s.fd >= 0 && s.cap * s.size <= room,
	    "  in the memory there is");
	ok(spill_rewind(&s, &e) == 0 && wrong(&s, want, n, &e) == 0,
	    "  and again");
	ok(spill_rewind(&s, &e) == 0 && spill_next(&s, &p, &e) == 1 &&
	    spill_next(&s, &p, &e) == 1 && spill_rewind(&s, &e) == 0 &&
	    wrong(&s, want, n, &e) == 0, "  and again from half way");
	spill_release(&s);
	free(want);
}

/* In order already, or the order of adding: nothing is sorted and there is
 * one run. */
static void
test_ordered(spill_compare *compare, const char *what)
{
	enum { N = 1000 };
	struct rec *want = malloc(N * sizeof(*want));
	struct spill s;
	struct err e = { 0 };
	size_t i, bad = 0;

	if (!want)
		scratch_die("malloc");
	spill_init(&s, sizeof(*want), ROOM(32), scratch_dir(), compare);
	for (i = 0; i < N; i++) {
		want[i] = made(compare ? i / 3 : i * 7919 % N, i);
		bad += spill_add(&s, &want[i], &e) < 0;
	}
	ok(bad == 0 && spill_rewind(&s, &e) == 0 && s.runs_n == 1 &&
	    wrong(&s, want, N, &e) == 0, "%s: one run", what);
	spill_release(&s);
	spill_init(&s, sizeof(*want), 0, scratch_dir(), compare);
	for (i = 0; i < N; i++)
		bad += spill_add(&s, &want[i], &e) < 0;
	seen_a = seen_b = NULL;
	ok(bad == 0 && spill_rewind(&s, &e) == 0 && !s.order && !seen_a &&
	    wrong(&s, want, N, &e) == 0, "  in memory: not sorted");
	spill_release(&s);
	free(want);
}

static void
test_little(void)
{
	struct rec want = made(1, 2);
	struct spill s;
	struct err e = { 0 };
	const void *p;

	spill_init(&s, sizeof(want), 0, NULL, by_key);
	ok(spill_rewind(&s, &e) == 0 && spill_next(&s, &p, &e) == 0 &&
	    spill_next(&s, &p, &e) == 0, "none at all");
	spill_release(&s);
	spill_init(&s, sizeof(want), 0, NULL, by_key);
	ok(spill_add(&s, &want, &e) == 0 && spill_rewind(&s, &e) == 0 &&
	    wrong(&s, &want, 1, &e) == 0, "one");
	spill_release(&s);
	spill_release(&s);
	ok(s.n == 0 && s.fd < 0, "released twice");
}

/* Small records, and as large as they may be. */
static void
test_sizes(void)
{
	struct spill s;
	struct err e = { 0 };
	const void *p;
	size_t i, bad = 0;
	uint8_t c;
	char big[4096] = { 0 };

	spill_init(&s, 1, 100, scratch_dir(), NULL);
	for (i = 0; i < 1000; i++) {
		c = (uint8_t)(i * 7);
		bad += spill_add(&s, &c, &e) < 0;
	}
	bad += spill_rewind(&s, &e) < 0;
	for (i = 0; i < 1000; i++)
		bad += spill_next(&s, &p, &e) != 1 ||
		    *(const uint8_t *)p != (uint8_t)(i * 7);
	ok(bad == 0 && spill_next(&s, &p, &e) == 0, "records of a byte");
	spill_release(&s);
	spill_init(&s, sizeof(big), 8 * sizeof(big), scratch_dir(), by_key);
	for (i = 0; i < 100; i++) {
		*(uint64_t *)(void *)big = 100 - i;
		bad += spill_add(&s, big, &e) < 0;
	}
	bad += spill_rewind(&s, &e) < 0;
	for (i = 0; i < 100; i++)
		bad += spill_next(&s, &p, &e) != 1 ||
		    *(const uint64_t *)p != i + 1;
	ok(bad == 0 && spill_next(&s, &p, &e) == 0, "records of 4 KiB");
	spill_release(&s);
}

/* How many names a directory has. */
static int
names(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n - 2;
}

/* Add until it fails, or 1000 are in. */
static int
add_many(struct spill *s, const char *dir, struct err *e)
{
	uint64_t seed = 1;
	struct rec x;
	size_t i;

	spill_init(s, sizeof(x), ROOM(32), dir, by_key);
	for (i = 0; i < 1000; i++) {
		x = made(scratch_random(&seed), i);
		if (spill_add(s, &x, e) < 0)
			return -1;
	}
	return 0;
}

static bool
says(const struct err *e, const char *dir, const char *why)
{
	char want[512];

	snprintf(want, sizeof(want), "%s: a file for what does not fit into "
	    "memory: %s; name another place with --tmpdir=DIR", dir, why);
	return e->status == STATUS_SYSTEM && strcmp(e->msg, want) == 0;
}

static void
test_errors(void)
{
	const char *none = scratch_path("none");
	struct rlimit old, small;
	struct spill s;
	struct err e = { 0 };
	const void *p;
	int r;

	ok(add_many(&s, none, &e) == -1 &&
	    says(&e, none, "No such file or directory"), "no such place");
	spill_release(&s);
	setenv("TMPDIR", none, 1);
	ok(add_many(&s, NULL, &e) == -1 &&
	    says(&e, none, "No such file or directory"), "  nor in TMPDIR");
	spill_release(&s);
	setenv("TMPDIR", scratch_dir(), 1);
	ok(add_many(&s, NULL, &e) == 0 && s.fd >= 0 &&
	    names(scratch_dir()) == 0, "a file without a name, there");
	ok(spill_rewind(&s, &e) == 0 && ftruncate(s.fd, 2000) == 0,
	    "cut short");
	while ((r = spill_next(&s, &p, &e)) > 0)
		;
	ok(r == -1 && says(&e, scratch_dir(),
	    "it ends before what was written to it"), "  is noticed");
	spill_release(&s);
	getrlimit(RLIMIT_FSIZE, &old);
	small = (struct rlimit){ 3000, old.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	r = add_many(&s, scratch_dir(), &e);
	setrlimit(RLIMIT_FSIZE, &old);
	ok(r == -1 && says(&e, scratch_dir(), "File too large"),
	    "a file that cannot grow");
	spill_release(&s);
}

int
main(void)
{
	test_little();
	test_errors();
	test_sizes();
	test_sorts(10, 5, 0, "in memory");
	test_sorts(20000, 1000, 0, "in memory");
	test_sorts(65, 9, ROOM(64), "two runs");
	test_sorts(5000, 300, ROOM(500), "a few runs");
	test_sorts(20000, 5000, ROOM(64), "hundreds of runs");
	test_sorts(3000, UINT64_MAX, ROOM(8), "many passes");
	test_ordered(by_key, "in order already");
	test_ordered(NULL, "in the order of adding");
	return tap_done();
}
