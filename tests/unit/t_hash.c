/* SPDX-License-Identifier: Apache-2.0 */
/* t_hash - keyed fingerprints. */
#include "base/hash.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/le.h"

#include "../scratch.h"
#include "../tap.h"

#define MANY ((size_t)1000000)

static struct hash_key key;

static int
compare(const void *a, const void *b)
{
	const struct hash *x = a, *y = b;

	if (x->a != y->a)
		return x->a < y->a ? -1 : 1;
	return x->b < y->b ? -1 : x->b > y->b;
}

static int
compare_a(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* How many are the same as another one. */
static size_t
same(struct hash *h, size_t n)
{
	size_t i, bad = 0;

	qsort(h, n, sizeof(*h), compare);
	for (i = 1; i < n; i++)
		bad += hash_equal(h[i - 1], h[i]);
	return bad;
}

/* How many have a half that is the same as that of another one. */
static size_t
half_same(const struct hash *h, size_t n)
{
	uint64_t *half = malloc(2 * n * sizeof(*half));
	size_t i, bad = 0;

	if (!half)
		scratch_die("malloc");
	for (i = 0; i < n; i++) {
		half[i] = h[i].a;
		half[n + i] = h[i].b;
	}
	qsort(half, 2 * n, sizeof(*half), compare_a);
	for (i = 1; i < 2 * n; i++)
		bad += half[i - 1] == half[i];
	free(half);
	return bad;
}

/* Of n things into 2^16 slots by 16 bits of theirs, from shift on: how far
 * that is from even; chi-squared over its degrees of freedom, in 1/100. */
static int
uneven(const struct hash *h, size_t n, unsigned shift)
{
	static uint32_t a[65536], b[65536];
	double want = (double)n / 65536, chi = 0;
	size_t i;

	memset(a, 0, sizeof(a));
	memset(b, 0, sizeof(b));
	for (i = 0; i < n; i++) {
		a[h[i].a >> shift & 0xffff]++;
		b[h[i].b >> shift & 0xffff]++;
	}
	for (i = 0; i < 65536; i++)
		chi += (a[i] - want) * (a[i] - want) / want +
		    (b[i] - want) * (b[i] - want) / want;
	return (int)(100 * chi / (2 * 65535));
}

/* A million inputs, all different: numbers that count up, zeros of every
 * length, and 9 and more
 * random bytes with one of their bits changed. */
static void
test_many(void)
{
	struct hash *h = malloc(MANY * sizeof(*h));
	static uint8_t zeros[4096], p[3000];
	uint64_t seed = 5;
	size_t n = 0, i, bit;

	if (!h)
		scratch_die("malloc");
	for (; n < sizeof(zeros); n++)
		h[n] = hash_bytes(&key, zeros, n);
	for (i = 0; i < sizeof(p); i++)
		p[i] = (uint8_t)scratch_random(&seed);
	for (i = 9; i <= sizeof(p); i += 1 + i / 8)
		for (bit = 0; bit < i * 8; bit++) {
			p[bit / 8] ^= (uint8_t)(1 << bit % 8);
			h[n++] = hash_bytes(&key, p, i);
			p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	ok(n < MANY / 2, "  %zu with a bit changed, or zeros", n);
	for (i = 1; n < MANY; i++)
		h[n++] = hash_bytes(&key, &i, 3 + i % 6);
	for (i = 0; i < 64; i += 16)
		ok(uneven(h, n, (unsigned)i) < 105, "even in bits %zu to %zu",
		    i, i + 15);
	ok(half_same(h, n) == 0, "%zu halves, all different", 2 * n);
	ok(same(h, n) == 0, "%zu fingerprints, all different", n);
	free(h);
}

/* A changed bit of the input changes each bit of the fingerprint half the
 * time. */
static void
test_bits(void)
{
	size_t flips[128] = { 0 }, i, k, tries = 4000, bad = 0;
	uint8_t p[40] = { 0 };
	uint64_t seed = 6;
	struct hash x, y;

	for (i = 0; i < tries; i++) {
		le_put_u64(p + i % 33, scratch_random(&seed));
		x = hash_bytes(&key, p, sizeof(p));
		p[i % 40] ^= (uint8_t)(1 << i % 8);
		y = hash_bytes(&key, p, sizeof(p));
		for (k = 0; k < 64; k++) {
			flips[k] += (x.a ^ y.a) >> k & 1;
			flips[64 + k] += (x.b ^ y.b) >> k & 1;
		}
	}
	for (k = 0; k < 128; k++)
		bad += flips[k] < tries * 4 / 10 || flips[k] > tries * 6 / 10;
	ok(bad == 0, "every bit depends on every bit: %zu do not", bad);
}

/* Never a byte beyond the end is read, nor counts; nor does where it lies. */
static void
test_ends(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n, bad = 0;
	char *p = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char other[4200];
	uint64_t seed = 7;

	if (p == MAP_FAILED || mprotect(p + 2 * page, page, PROT_NONE) < 0)
		scratch_die("mmap");
	for (n = 0; n < 2 * page; n++)
		p[n] = (char)scratch_random(&seed);
	for (n = 0; n <= 4096; n++) {
		const char *from = p + 2 * page - n;

		memset(other, 0xa5, sizeof(other));
		memcpy(other + n % 9, from, n);
		bad += !hash_equal(hash_bytes(&key, from, n),
		    hash_bytes(&key, other + n % 9, n));
	}
	ok(bad == 0, "at the end of a page, at any place: %zu differ", bad);
	munmap(p, 3 * page);
}

static void
test_little(void)
{
	static const char a[] = "\0\0a", z[2048];
	struct hash_key second;
	struct err e = { 0 };

	ok(hash_equal(hash_bytes(&key, NULL, 0), hash_bytes(&key, "x", 0)),
	    "nothing is nothing");
	ok(!hash_equal(hash_bytes(&key, a, 3), hash_bytes(&key, a + 1, 2)) &&
	    !hash_equal(hash_bytes(&key, a + 1, 2), hash_bytes(&key, a + 2,
	    1)), "zeros in front count");
	ok(!hash_equal(hash_bytes(&key, "a\0", 2), hash_bytes(&key, "a", 1)),
	    "zeros behind count");
	ok(!hash_equal(hash_bytes(&key, z, 1024), hash_bytes(&key, z, 2048)),
	    "so do blocks of zeros");
	ok(hash_key_init(&second, &e) == 0 &&
	    memcmp(&second, &key, sizeof(key)) != 0 &&
	    !hash_equal(hash_bytes(&key, "a", 1), hash_bytes(&second, "a",
	    1)), "another key, other fingerprints");
	memset(&second, 0, sizeof(second));
	ok(hash_key_init(&second, &e) == 0 &&
	    second.k[0] && second.k[HASH_KEY_WORDS - 1],
	    "a key is full of random bits");
}

/* Blocks of 1 KiB in another order are another thing, and so are the words
 * and the 16-byte pairs in one. */
static void
test_order(void)
{
	char p[4096], q[4096];
	size_t unit, i, bad = 0;
	uint64_t seed = 8;

	for (i = 0; i < sizeof(p); i++)
		p[i] = (char)scratch_random(&seed);
	for (unit = 1; unit <= 2048; unit *= 2)
		for (i = 0; i + 2 * unit <= sizeof(p); i += unit) {
			memcpy(q, p, sizeof(p));
			memcpy(q + i, p + i + unit, unit);
			memcpy(q + i + unit, p + i, unit);
			bad += memcmp(p, q, sizeof(p)) != 0 &&
			    hash_equal(hash_bytes(&key, p, sizeof(p)),
			    hash_bytes(&key, q, sizeof(q)));
		}
	ok(bad == 0, "parts that change places: %zu go unseen", bad);
}

int
main(void)
{
	struct err e = { 0 };

	ok(hash_key_init(&key, &e) == 0, "a key");
	test_little();
	test_order();
	test_ends();
	test_bits();
	test_many();
	return tap_done();
}
