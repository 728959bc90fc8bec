/* SPDX-License-Identifier: Apache-2.0 */
/* kernelx86.h - what the kernels for x86 have in common. */
#ifndef INDEX_KERNELX86_H
#define INDEX_KERNELX86_H

#ifdef __x86_64__
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

/* Four rows of four 32-bit numbers become four columns. */
static inline void
kernelx86_transpose(__m128i r[4])
{
	__m128i a = _mm_unpacklo_epi32(r[0], r[1]);
	__m128i b = _mm_unpackhi_epi32(r[0], r[1]);
	__m128i c = _mm_unpacklo_epi32(r[2], r[3]);
	__m128i d = _mm_unpackhi_epi32(r[2], r[3]);

	r[0] = _mm_unpacklo_epi64(a, c);
	r[1] = _mm_unpackhi_epi64(a, c);
	r[2] = _mm_unpacklo_epi64(b, d);
	r[3] = _mm_unpackhi_epi64(b, d);
}

/* n of so many codes, the others are as the first, as [len / 4][columns][4]
 * unsigned bytes: `up' is added to each. */
static inline void
kernelx86_panel(void *to, const int8_t *const code[], unsigned n,
    unsigned columns, size_t len, int up)
{
	const __m128i add = _mm_set1_epi8((char)up);
	unsigned j, i;
	size_t k;

	for (j = 0; j < columns; j += 4)
		for (k = 0; k < len; k += 16) {
			char *p = (char *)to + k * columns + 4 * j;
			__m128i r[4];

			for (i = 0; i < 4; i++)
				r[i] = _mm_add_epi8(_mm_load_si128(
				    (const __m128i *)(const void *)
				    (code[j + i < n ? j + i : 0] + k)), add);
			kernelx86_transpose(r);
			for (i = 0; i < 4; i++)
				_mm_store_si128((__m128i *)(void *)(p + i * 4 *
				    columns), r[i]);
		}
}
#endif

#endif
