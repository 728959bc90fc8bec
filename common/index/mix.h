/* SPDX-License-Identifier: Apache-2.0 */
/* mix.h - numbers that look random, from numbers that count.
 *
 * Source: Steele, Lea, Flood, "Fast splittable pseudorandom number
 * generators", OOPSLA 2014 (SplitMix64).
 */
#ifndef INDEX_MIX_H
#define INDEX_MIX_H

#include <stdint.h>

static inline uint64_t
mix64(uint64_t z)
{
	z += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

#endif
