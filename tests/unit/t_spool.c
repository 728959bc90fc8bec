/* SPDX-License-Identifier: Apache-2.0 */
/* t_spool - what was put down comes back, in any order, from memory and from
 * the file. */
#include "base/spool.h"

#include <stdlib.h>
#include <string.h>

#include "../scratch.h"
#include "../tap.h"

#define PIECES 4000

static uint64_t at[PIECES];
static size_t len[PIECES];

static void
fill(char *p, int i, size_t n)
{
	size_t k;

	for (k = 0; k < n; k++)
		p[k] = (char)(i + (int)(k % 251));
}

/* All of them, from `from' on in steps that reach each once. */
static void
all_are_there(struct spool *s, int n, int step, const char *name)
{
	char *want = malloc(SPOOL_MEMORY * 2);
	struct slice piece;
	struct err e;
	int i, k, good = 0;

	for (i = 0; i < n; i++) {
		k = (int)((long long)i * step % n);
		fill(want, k, len[k]);
		good += spool_get(s, at[k], len[k], &piece, &e) == 0 &&
		    piece.len == len[k] &&
		    (len[k] == 0 || memcmp(piece.p, want, len[k]) == 0);
	}
	ok(good == n, "%s: %d of %d are as they were", name, good, n);
	free(want);
}

static void
put(struct spool *s, int n, size_t most)
{
	char *bytes = malloc(SPOOL_MEMORY * 2);
	struct err e;
	int i, good = 0;

	srand(7);
	for (i = 0; i < n; i++) {
		len[i] = (size_t)rand() % most;
		if (most > 4096 && i % 1000 == 500)
			len[i] = SPOOL_MEMORY / 2 + (size_t)i;
		if (most > 4096 && i == 1700)
			len[i] = SPOOL_MEMORY * 2;
		at[i] = s->size;
		fill(bytes, i, len[i]);
		good += spool_add(s, slice_of(bytes, len[i]), &e) == 0;
	}
	ok(good == n, "%d pieces put down", n);
	free(bytes);
}

int
main(void)
{
	struct spool s;
	struct err e = { 0 };

	spool_init(&s, "/no/where");
	put(&s, 1000, 100);
	all_are_there(&s, 1000, 7, "in memory");
	ok(s.fd < 0, "without a file");
	spool_release(&s);

	spool_init(&s, scratch_dir());
	put(&s, PIECES, 8192);
	ok(s.fd >= 0, "too many for memory");
	ok(s.tail.cap <= 2 * SPOOL_MEMORY, "memory: %zu", s.tail.cap);
	all_are_there(&s, PIECES, 1, "in order");
	all_are_there(&s, PIECES, 1777, "in disorder");
	put(&s, 100, 8192);
	all_are_there(&s, 100, 3, "more, after reading");
	spool_release(&s);

	spool_init(&s, "/no/where");
	while (s.size < SPOOL_MEMORY &&
	    spool_add(&s, slice_of("12345678", 8), &e) == 0)
		;
	ok(spool_add(&s, slice_of("12345678", 8), &e) < 0 &&
	    e.status == STATUS_SYSTEM &&
	    strcmp(e.msg, "/no/where: a file for records: No such file or "
	    "directory; name another place with --tmpdir=DIR") == 0,
	    "no place: %s", e.msg);
	spool_release(&s);
	return tap_done();
}
