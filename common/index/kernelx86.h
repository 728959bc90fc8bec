/* SPDX-License-Identifier: Apache-2.0 */
/* kernelx86.h - what the kernels for x86 have in common. */
#ifndef INDEX_KERNELX86_H
#define INDEX_KERNELX86_H

#ifdef __x86_64__
#include <immintrin.h>

/* Four rows of four 32-bit numbers become four columns. */
static inline void
transpose4(__m128i r[4])
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
#endif

#endif
