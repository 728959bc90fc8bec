/* SPDX-License-Identifier: Apache-2.0 */
/* t_large - large arrays: zeros, aligned, of every size. */
#include "base/large.h"

#include <stdint.h>
#include <string.h>

#include "../tap.h"

#define PAGE ((size_t)2 << 20)

static size_t
not_zero(const unsigned char *p, size_t n)
{
	size_t i, bad = 0;

	for (i = 0; i < n; i++)
		bad += p[i] != 0;
	return bad;
}

/* Twice: what was used before must be zero, too. */
static void
test_size(size_t n, size_t size)
{
	unsigned char *p, *q;
	size_t bytes = n * size, bad = 0, round;

	for (round = 0; round < 2; round++) {
		p = large_alloc(n, size);
		q = large_alloc(n, size);
		if (!p || !q) {
			ok(0, "%zu * %zu: no memory", n, size);
			return;
		}
		bad += (uintptr_t)p % LARGE_ALIGN != 0;
		bad += (uintptr_t)q % LARGE_ALIGN != 0;
		bad += not_zero(p, bytes);
		memset(p, 0xff, bytes);
		bad += not_zero(q, bytes);
		memset(q, 0xee, bytes);
		bad += bytes > 0 && (p[0] != 0xff || p[bytes - 1] != 0xff);
		large_free(p);
		large_free(q);
	}
	ok(bad == 0, "%zu * %zu bytes", n, size);
}

int
main(void)
{
	static const size_t sizes[] = { 0, 1, 63, 64, 65, 4095, 4096, 100000,
	    PAGE - 65, PAGE - 64, PAGE - 63, PAGE - 1, PAGE, PAGE + 1,
	    2 * PAGE - 65, 2 * PAGE - 64, 2 * PAGE - 63, 2 * PAGE - 1,
	    2 * PAGE, 2 * PAGE + 1, 5 * PAGE - 64 };
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		test_size(1, sizes[i]);
	test_size(0, 16);
	test_size(16, 0);
	test_size(65536, 32);
	test_size(65535, 32);
	large_free(NULL);
	ok(!large_alloc(SIZE_MAX / 2 + 1, 2), "a product that overflows");
	ok(!large_alloc(SIZE_MAX, 1) && !large_alloc(SIZE_MAX - PAGE + 1, 1) &&
	    !large_alloc(SIZE_MAX - 64, 1), "a sum that overflows");
	ok(!large_alloc(SIZE_MAX - 2 * PAGE, 1), "more than there is");
	return tap_done();
}
