/* SPDX-License-Identifier: Apache-2.0 */
/* hash.h - 128-bit fingerprints of bytes, keyed with a secret of the process.
 *
 * Two things that differ have the same fingerprint with a chance of about
 * 2^-120 (for up to 2^30 bytes), whoever chose them: the chance is over the
 * key, which nobody outside knows and which no two runs share.  So a
 * fingerprint may stand for what it was made of, but never leaves the
 * process.
 *
 * How: NH over blocks of 1 KiB, a polynomial over the blocks, an inner
 * product at the end, twice with keys of their own (T. Krovetz, W. Dai, VHASH,
 * 2007; J. Black et al., UMAC, 1999: the proofs are there).
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

#define HASH_BLOCK_WORDS 128	/* of 8 bytes, in a block */
#define HASH_KEY_WORDS (HASH_BLOCK_WORDS + 2 + 8)

struct hash {
	uint64_t a, b;		/* each of them good for the slot of a table */
};

/* The secret; 1104 bytes, random. */
struct hash_key {
	uint64_t k[HASH_KEY_WORDS];
};

/* A new key, from getrandom(2).  0, or -1 with *e set. */
ATTR_NODISCARD int hash_key_init(struct hash_key *key, struct err *e);

/* The fingerprint of n bytes; the length counts.  p may be NULL if n is 0. */
struct hash hash_bytes(const struct hash_key *key, const void *p, size_t n);

static inline bool
hash_equal(struct hash x, struct hash y)
{
	return x.a == y.a && x.b == y.b;
}

#endif
