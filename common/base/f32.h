/* SPDX-License-Identifier: Apache-2.0 */
/* f32.h - float32 to the shortest decimal that reads back to the same bits,
 * and decimals to the nearest float32. */
#ifndef BASE_F32_H
#define BASE_F32_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* Longest text ("-1.23456789e-38"), and the room that printing wants, because
 * it copies whole words. */
#define F32_TEXT_MAX 16
#define F32_ROOM 24

/* The finite number with these bits as a JSON number, to out (not
 * NUL-terminated, room for F32_ROOM).  Of the shortest digit strings that
 * read back to the same bits the one nearest to the number; plain notation
 * from 1e-4 up to below 1e10, exponents elsewhere; negative zero is "-0.0",
 * which keeps its sign in readers that take "-0" for an integer.  The number
 * of bytes. */
size_t f32_format(uint32_t bits, char *out);

/* NaN or infinity: not a JSON number. */
static inline int
f32_finite(uint32_t bits)
{
	return (bits & 0x7f800000u) != 0x7f800000u;
}

/* The JSON number in exactly these n bytes, rounded to the nearest float32
 * (ties to even).  0 with its bits; -1 if it is no JSON number; -2 if it is
 * beyond the range of float32. */
ATTR_NODISCARD int f32_parse(const char *p, size_t n, uint32_t *bits);

/* The same for a number at the start of [p, end): *after is where it ends. */
ATTR_NODISCARD int f32_scan(const char *p, const char *end, uint32_t *bits,
    const char **after);

#endif
