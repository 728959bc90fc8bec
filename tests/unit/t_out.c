/* SPDX-License-Identifier: Apache-2.0 */
/* t_out - bytes out: however they are cut, and with any number of threads. */
#include "stream/out.h"

#include <zstd.h>

#include "base/crc32c.h"
#include "stream/in.h"

#include "../scratch.h"
#include "../tap.h"

#define SIZE ((size_t)20 << 20)		/* several jobs of zstd's */
#define NOT_SET 99

static char *bytes;

/* Half of it noise, half text that comes again. */
static void
make_bytes(void)
{
	uint64_t seed = 7;
	size_t i;

	bytes = malloc(SIZE);
	if (!bytes)
		scratch_die("malloc");
	for (i = 0; i < SIZE; i++)
		bytes[i] = i & 4096 ? (char)scratch_random(&seed) :
		    (char)('a' + (i * i >> 12) % 13);
}

static bool
has_threads(void)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	bool has = !ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_nbWorkers,
	    1));

	ZSTD_freeCCtx(c);
	return has;
}

/* n bytes in pieces of at most step to a file: all of it in *b. */
static bool
write_out(struct buf *b, size_t n, int level, unsigned threads, size_t step)
{
	const char *path = scratch_path("out");
	struct out out;
	struct err e = { 0 };
	uint64_t seed = step;
	size_t at, m;
	bool good;

	good = out_file(&out, path, true, level, &e) == 0 &&
	    (threads == NOT_SET || out_threads(&out, threads, &e) == 0);
	for (at = 0; good && at < n; at += m) {
		m = 1 + scratch_random(&seed) % step;
		if (m > n - at)
			m = n - at;
		good = out_write(&out, bytes + at, m, &e) == 0;
	}
	good = good && out_close(&out, &e) == 0;
	if (!good)
		scratch_die(e.msg);
	buf_reset(b);
	scratch_read(path, b);
	return b->len == out.written;
}

/* What write_out() left, read back. */
static bool
reads_back(size_t n)
{
	struct in in;
	struct err e = { 0 };
	const char *p;
	ptrdiff_t got;
	size_t at = 0;
	bool same = true;

	if (in_open(&in, scratch_path("out"), &e) < 0)
		return false;
	while (same && (got = in_peek(&in, 1 << 16, &p, &e)) > 0) {
		same = (size_t)got <= n - at &&
		    memcmp(p, bytes + at, (size_t)got) == 0;
		at += (size_t)got;
		in_skip(&in, (size_t)got);
	}
	in_close(&in);
	return same && got == 0 && at == n;
}

static bool
same_bytes(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

static void
test_cuts(void)
{
	static const size_t steps[] = { 1 << 10, 1 << 18, (1 << 18) + 1,
		1 << 20, 5 << 20 };
	struct buf first = { 0 }, b = { 0 };
	size_t i;

	for (i = 0; i < COUNT(steps); i++)
		ok(write_out(&b, SIZE, 0, i % 2 ? 2 : NOT_SET, steps[i]) &&
		    b.len == SIZE && memcmp(b.p, bytes, SIZE) == 0,
		    "plain, pieces to %zu", steps[i]);
	write_out(&first, SIZE, 1, NOT_SET, 4096);
	for (i = 0; i < COUNT(steps); i++)
		ok(write_out(&b, SIZE, 1, i % 2 ? 0 : NOT_SET, steps[i]) &&
		    same_bytes(&first, &b) && reads_back(SIZE),
		    "zstd, pieces to %zu", steps[i]);
	buf_release(&first);
	buf_release(&b);
}

static void
test_threads(void)
{
	static const unsigned threads[] = { 1, 2, 3, 1000 };
	static const int levels[] = { 1, 3 };
	struct buf none = { 0 }, first = { 0 }, b = { 0 };
	size_t i, k;
	int level;

	for (k = 0; k < COUNT(levels); k++) {
		level = levels[k];
		write_out(&none, SIZE, level, NOT_SET, 1 << 20);
		write_out(&first, SIZE, level, 1, 1 << 20);
		ok(same_bytes(&none, &first) == !has_threads(),
		    "level %d: threads are other bytes", level);
		ok(first.len < none.len + none.len / 100 && first.len <
		    SIZE / 4 * 3, "  of about the same size: %zu, %zu",
		    none.len, first.len);
		for (i = 0; i < COUNT(threads); i++)
			ok(write_out(&b, SIZE, level, threads[i],
			    i % 2 ? 70000 : 3 << 20) &&
			    reads_back(SIZE) && same_bytes(&first, &b),
			    "  %u threads are the same: %zu of %zu",
			    threads[i], b.len, first.len);
	}
	ok(write_out(&b, 0, 3, 2, 1) && b.len > 0 && reads_back(0), "nothing");
	ok(write_out(&b, 1, 3, 2, 1) && reads_back(1), "a byte");
	buf_release(&none);
	buf_release(&first);
	buf_release(&b);
}

/* The window that a frame says, which the reader has a limit for. */
static void
test_window(void)
{
	struct buf b = { 0 };
	struct in in;
	struct err e = { 0 };
	const char *p;
	int level;
	unsigned char window;

	for (level = 1; level <= ZIO_LEVEL_MAX; level++) {
		write_out(&b, 1000, level, (unsigned)level % 3, 1000);
		/* magic, descriptor, window: no single segment, so it is there */
		window = (unsigned char)b.p[5];
		ok(b.len > 6 && !(b.p[4] & 0x20) && b.p[4] & 0x04 &&
		    10 + (window >> 3) <= ZIO_WINDOW_LOG_MAX,
		    "level %d: window 2^%d, a checksum", level,
		    10 + (window >> 3));
		if (in_open(&in, scratch_path("out"), &e) < 0 ||
		    in_peek(&in, 1000, &p, &e) != 1000)
			ok(false, "%s", e.msg);
		in_close(&in);
	}
	buf_release(&b);
}

int
main(void)
{
	make_bytes();
	test_cuts();
	test_threads();
	test_window();
	free(bytes);
	return tap_done();
}
