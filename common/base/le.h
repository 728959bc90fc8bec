/* SPDX-License-Identifier: Apache-2.0 */
/* le.h - little-endian numbers at any alignment.
 *
 * Written by bytes, so that they mean the same on every machine; compilers
 * turn each into one instruction.
 */
#ifndef BASE_LE_H
#define BASE_LE_H

#include <stdint.h>
#include <string.h>

static inline uint16_t
le_u16(const void *at)
{
	const uint8_t *p = at;

	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t
le_u32(const void *at)
{
	const uint8_t *p = at;

	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

static inline uint64_t
le_u64(const void *at)
{
	const uint8_t *p = at;

	return (uint64_t)le_u32(p) | (uint64_t)le_u32(p + 4) << 32;
}

static inline float
le_f32(const void *at)
{
	uint32_t u = le_u32(at);
	float f;

	memcpy(&f, &u, sizeof(f));
	return f;
}

static inline double
le_f64(const void *at)
{
	uint64_t u = le_u64(at);
	double d;

	memcpy(&d, &u, sizeof(d));
	return d;
}

static inline void
le_put_u16(void *at, uint16_t v)
{
	uint8_t *p = at;

	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void
le_put_u32(void *at, uint32_t v)
{
	uint8_t *p = at;

	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

static inline void
le_put_u64(void *at, uint64_t v)
{
	uint8_t *p = at;

	le_put_u32(p, (uint32_t)v);
	le_put_u32(p + 4, (uint32_t)(v >> 32));
}

static inline void
le_put_f32(void *at, float f)
{
	uint32_t u;

	memcpy(&u, &f, sizeof(u));
	le_put_u32(at, u);
}

#endif
