/* SPDX-License-Identifier: Apache-2.0 */
/* rd.h - a bounded cursor over untrusted bytes.
 *
 * Running short is sticky: every later read returns zero, and the caller
 * looks at rd_ok() once, after the last read of a record.
 */
#ifndef BASE_RD_H
#define BASE_RD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/le.h"

struct rd {
	const uint8_t *p, *end;
	bool bad;
};

static inline struct rd
rd_init(const void *p, size_t n)
{
	const uint8_t *b = p;

	return (struct rd){ b, b + n, false };
}

static inline size_t
rd_left(const struct rd *r)
{
	return (size_t)(r->end - r->p);
}

static inline bool
rd_ok(const struct rd *r)
{
	return !r->bad;
}

/* The next n bytes, or NULL. */
static inline const uint8_t *
rd_bytes(struct rd *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->bad || n > rd_left(r)) {
		r->bad = true;
		return NULL;
	}
	r->p += n;
	return p;
}

static inline uint8_t
rd_u8(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 1);

	return p ? *p : 0;
}

static inline uint16_t
rd_u16(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 2);

	return p ? le_u16(p) : 0;
}

static inline uint32_t
rd_u32(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 4);

	return p ? le_u32(p) : 0;
}

static inline uint64_t
rd_u64(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 8);

	return p ? le_u64(p) : 0;
}

static inline double
rd_f64(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 8);

	return p ? le_f64(p) : 0;
}

#endif
