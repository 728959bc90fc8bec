/* SPDX-License-Identifier: Apache-2.0 */
/* sha256.c - SHA-256 (FIPS 180-4), and HMAC with it (RFC 2104). */
#include "base/sha256.h"

#include <string.h>

/* The first 32 bits behind the point of the cube roots of the first 64
 * primes. */
static const uint32_t constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
	0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
	0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
	0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
	0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t
rotate(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static uint32_t
big_endian(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

static void
put_big_endian(unsigned char *p, uint32_t v)
{
	p[0] = (unsigned char)(v >> 24);
	p[1] = (unsigned char)(v >> 16);
	p[2] = (unsigned char)(v >> 8);
	p[3] = (unsigned char)v;
}

/* One block; the names are those of FIPS 180-4, 6.2.2. */
static void
compress(uint32_t h[8], const unsigned char *p)
{
	uint32_t w[64], v[8], t1, t2;
	int t;

	for (t = 0; t < 16; t++)
		w[t] = big_endian(p + (size_t)t * 4);
	for (; t < 64; t++)
		w[t] = w[t - 16] + w[t - 7] +
		    (rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^
		    w[t - 15] >> 3) +
		    (rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^
		    w[t - 2] >> 10);
	memcpy(v, h, sizeof(v));
	for (t = 0; t < 64; t++) {
		t1 = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^
		    rotate(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) +
		    constants[t] + w[t];
		t2 = (rotate(v[0], 2) ^ rotate(v[0], 13) ^
		    rotate(v[0], 22)) +
		    ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
		memmove(v + 1, v, 7 * sizeof(v[0]));
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (t = 0; t < 8; t++)
		h[t] += v[t];
}

void
sha256_init(struct sha256 *s)
{
	/* of the square roots of the first 8 primes */
	static const uint32_t h[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372,
	    0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

	memcpy(s->h, h, sizeof(h));
	s->n = 0;
}

void
sha256_add(struct sha256 *s, const void *p, size_t n)
{
	const unsigned char *b = p;
	size_t have = s->n % SHA256_BLOCK, take;

	s->n += n;
	while (n > 0) {
		if (have == 0 && n >= SHA256_BLOCK) {
			compress(s->h, b);
			take = SHA256_BLOCK;
		} else {
			take = SHA256_BLOCK - have < n ?
			    SHA256_BLOCK - have : n;
			memcpy(s->block + have, b, take);
			have = (have + take) % SHA256_BLOCK;
			if (have == 0)
				compress(s->h, s->block);
		}
		b += take;
		n -= take;
	}
}

void
sha256_end(struct sha256 *s, unsigned char digest[SHA256_SIZE])
{
	static const unsigned char pad[SHA256_BLOCK] = { 0x80 };
	uint64_t bits = s->n * 8;
	unsigned char length[8];
	int i;

	sha256_add(s, pad, 1 + (SHA256_BLOCK + 55 - s->n % SHA256_BLOCK) %
	    SHA256_BLOCK);
	put_big_endian(length, (uint32_t)(bits >> 32));
	put_big_endian(length + 4, (uint32_t)bits);
	sha256_add(s, length, 8);
	for (i = 0; i < 8; i++)
		put_big_endian(digest + (size_t)i * 4, s->h[i]);
}

void
sha256_hmac_init(struct hmac_key *k, const void *key, size_t n)
{
	unsigned char block[SHA256_BLOCK] = { 0 };
	struct sha256 s;
	int i;

	if (n > SHA256_BLOCK) {
		sha256_init(&s);
		sha256_add(&s, key, n);
		sha256_end(&s, block);
	} else {
		memcpy(block, key, n);
	}
	for (i = 0; i < SHA256_BLOCK; i++)
		block[i] ^= 0x36;
	sha256_init(&k->inner);
	sha256_add(&k->inner, block, sizeof(block));
	for (i = 0; i < SHA256_BLOCK; i++)
		block[i] ^= 0x36 ^ 0x5c;
	sha256_init(&k->outer);
	sha256_add(&k->outer, block, sizeof(block));
}

void
sha256_hmac(const struct hmac_key *k, const void *p, size_t n,
    unsigned char digest[SHA256_SIZE])
{
	struct sha256 s = k->inner;

	sha256_add(&s, p, n);
	sha256_end(&s, digest);
	s = k->outer;
	sha256_add(&s, digest, SHA256_SIZE);
	sha256_end(&s, digest);
}
