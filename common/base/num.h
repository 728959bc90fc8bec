/* SPDX-License-Identifier: Apache-2.0 */
/* num.h - decimal integers, strictly; sizes that cannot wrap. */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* The n bytes at p as a decimal integer: digits only, no sign, no space, no
 * leading zero, at most max.  0, or -1 and *out untouched. */
ATTR_NODISCARD int num_u64(const char *p, size_t n, uint64_t max,
    uint64_t *out);

/* Likewise with an optional '-' ("-0" is refused). */
ATTR_NODISCARD int num_i64(const char *p, size_t n, int64_t *out);

/* v in decimal to out (not NUL-terminated), which has room for
 * NUM_DIGITS_MAX bytes.  The number of bytes. */
#define NUM_DIGITS_MAX 20
size_t num_format_u64(uint64_t v, char *out);
size_t num_format_i64(int64_t v, char *out);

/* *r = a * b, a + b.  false, and *r undefined, when that does not fit. */
static inline bool
num_mul(uint64_t a, uint64_t b, uint64_t *r)
{
	return !__builtin_mul_overflow(a, b, r);
}

static inline bool
num_add(uint64_t a, uint64_t b, uint64_t *r)
{
	return !__builtin_add_overflow(a, b, r);
}

#endif
