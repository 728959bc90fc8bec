/* SPDX-License-Identifier: Apache-2.0 */
/* hash.c - 128-bit fingerprints of bytes, keyed. */
#include "base/hash.h"

#include <string.h>

#include "base/entropy.h"

#define BLOCK (HASH_BLOCK_WORDS * sizeof(uint64_t))

__extension__ typedef unsigned __int128 u128;

/* Two fingerprints of one pass over a block. */
struct pair {
	u128 a, b;
};

int
hash_key_init(struct hash_key *key, struct err *e)
{
	return entropy(key->k, sizeof(key->k), e);
}

static inline uint64_t
word(const char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

/* One step of NH: the second fingerprint uses the key two words further on
 * (Toeplitz), which makes it as good as independent. */
static inline void
step(struct pair *sum, const uint64_t *k, uint64_t x, uint64_t y)
{
	sum->a += (u128)(x + k[0]) * (y + k[1]);
	sum->b += (u128)(x + k[2]) * (y + k[3]);
}

/* NH of up to BLOCK bytes, as if zeros came behind them up to 16. */
static struct pair
block(const uint64_t *k, const char *p, size_t n)
{
	struct pair even = { 0, 0 }, odd = { 0, 0 };
	char rest[16] = { 0 };

	/* two sums, so that one addition need not wait for the other */
	for (; n >= 32; n -= 32, p += 32, k += 4) {
		step(&even, k, word(p), word(p + 8));
		step(&odd, k + 2, word(p + 16), word(p + 24));
	}
	if (n >= 16) {
		step(&even, k, word(p), word(p + 8));
		n -= 16;
		p += 16;
		k += 2;
	}
	if (n > 0) {
		memcpy(rest, p, n);
		step(&odd, k, word(rest), word(rest + 8));
	}
	return (struct pair){ even.a + odd.a, even.b + odd.b };
}

/* Modulo 2^127 - 1, not the last step of it: at most 2^127. */
static inline u128
fold(u128 x)
{
	return (x & ~((u128)1 << 127)) + (x >> 127);
}

/* x * k + c modulo 2^127 - 1, where x < 2^127, the high word of k is below
 * 2^60 and c < 2^126; the result is below 2^127.  2^128 is 2. */
static u128
polynomial(u128 x, const uint64_t *k, u128 c)
{
	uint64_t x1 = (uint64_t)(x >> 64), x0 = (uint64_t)x;
	uint64_t k1 = k[1] >> 4, k0 = k[0];
	u128 middle = (u128)x1 * k0 + (u128)x0 * k1;
	u128 sum = fold((u128)x0 * k0) + 2 * ((u128)x1 * k1) +
	    2 * (middle >> 64);

	sum = fold(sum) + fold(middle << 64);
	return fold(fold(sum) + c);
}

/* Modulo 2^64 - 257, a prime: 2^64 is 257. */
static uint64_t
modulo(u128 x)
{
	const uint64_t prime = UINT64_MAX - 256;

	x = (x >> 64) * 257 + (uint64_t)x;
	x = (x >> 64) * 257 + (uint64_t)x;
	x = (x >> 64) * 257 + (uint64_t)x;
	return x >= prime ? (uint64_t)x - prime : (uint64_t)x;
}

/* 127 bits to 64, then a bijection, so that low bits are as good as high
 * ones. */
static uint64_t
finish(u128 x, const uint64_t *k)
{
	uint64_t z = modulo((u128)modulo((x >> 64) + k[0]) *
	    modulo((u128)(uint64_t)x + k[1]));

	z = (z ^ z >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return z ^ z >> 32;
}

struct hash
hash_bytes(const struct hash_key *key, const void *from, size_t n)
{
	const uint64_t *last = key->k + HASH_BLOCK_WORDS + 2;
	const u128 low126 = ~(u128)0 >> 2;
	const char *p = from;
	size_t left = n, m;
	u128 a = 0, b = 0;
	struct pair sum;

	while (left > 0) {
		m = left < BLOCK ? left : BLOCK;
		sum = block(key->k, p, m);
		a = polynomial(a, last, sum.a & low126);
		b = polynomial(b, last + 2, sum.b & low126);
		p += m;
		left -= m;
	}
	a = polynomial(a, last, n);
	b = polynomial(b, last + 2, n);
	return (struct hash){ finish(a, last + 4), finish(b, last + 6) };
}
