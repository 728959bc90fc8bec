/* SPDX-License-Identifier: Apache-2.0 */
/* sha256.h - SHA-256 (FIPS 180-4), and HMAC with it (RFC 2104).
 *
 * Not for secrets of one machine against another process on it: nothing is
 * done about timing.
 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32		/* bytes of a digest */
#define SHA256_BLOCK 64

struct sha256 {
	uint32_t h[8];
	uint64_t n;			/* bytes so far */
	unsigned char block[SHA256_BLOCK];
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *p, size_t n);
/* *s is over then. */
void sha256_end(struct sha256 *s, unsigned char digest[SHA256_SIZE]);

/* A key, ready for many messages. */
struct hmac_key {
	struct sha256 inner, outer;
};

void sha256_hmac_init(struct hmac_key *k, const void *key, size_t n);
void sha256_hmac(const struct hmac_key *k, const void *p, size_t n,
    unsigned char digest[SHA256_SIZE]);

#endif
