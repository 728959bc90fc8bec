/* SPDX-License-Identifier: Apache-2.0 */
/* crc32c.c - CRC-32C, eight bytes at a time. */
#include "base/crc32c.h"

#include <stdbool.h>
#include <string.h>

#include "base/attr.h"
#include "base/le.h"

#define POLY 0x82f63b78u	/* 0x1edc6f41 with its bits reversed */

/* table[k][b]: what byte b contributes when k more bytes follow it. */
static uint32_t table[8][256];
#ifdef __x86_64__
static bool have_sse42;
#endif

static void __attribute__((constructor))
fill_table(void)
{
	unsigned i, k;

	for (i = 0; i < 256; i++) {
		uint32_t c = i;

		for (k = 0; k < 8; k++)
			c = c >> 1 ^ (c & 1 ? POLY : 0);
		table[0][i] = c;
	}
	for (i = 0; i < 256; i++)
		for (k = 1; k < 8; k++)
			table[k][i] = table[k - 1][i] >> 8 ^
			    table[0][table[k - 1][i] & 0xff];
#ifdef __x86_64__
	__builtin_cpu_init();
	have_sse42 = __builtin_cpu_supports("sse4.2");
#endif
}

uint32_t
crc32c_portable(uint32_t crc, const void *from, size_t n)
{
	const uint8_t *p = from;

	crc = ~crc;
	for (; n >= 8; n -= 8, p += 8) {
		uint32_t lo = crc ^ le_u32(p), hi = le_u32(p + 4);

		crc = table[7][lo & 0xff] ^ table[6][lo >> 8 & 0xff] ^
		    table[5][lo >> 16 & 0xff] ^ table[4][lo >> 24] ^
		    table[3][hi & 0xff] ^ table[2][hi >> 8 & 0xff] ^
		    table[1][hi >> 16 & 0xff] ^ table[0][hi >> 24];
	}
	for (; n > 0; n--, p++)
		crc = crc >> 8 ^ table[0][(crc ^ *p) & 0xff];
	return ~crc;
}

#ifdef __x86_64__
static uint32_t ATTR_TARGET("sse4.2")
crc32c_sse42(uint32_t crc, const void *from, size_t n)
{
	const uint8_t *p = from;
	uint64_t c = (uint32_t)~crc, w;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&w, p, 8);
		c = __builtin_ia32_crc32di(c, w);
	}
	for (; n > 0; n--, p++)
		c = __builtin_ia32_crc32qi((uint32_t)c, *p);
	return ~(uint32_t)c;
}
#endif

uint32_t
crc32c(uint32_t crc, const void *p, size_t n)
{
#ifdef __x86_64__
	if (have_sse42)
		return crc32c_sse42(crc, p, n);
#endif
	return crc32c_portable(crc, p, n);
}
