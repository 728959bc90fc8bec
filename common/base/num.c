/* SPDX-License-Identifier: Apache-2.0 */
/* num.c - decimal integers. */
#include "base/num.h"

#include <string.h>

int
num_u64(const char *p, size_t n, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	if (n == 0 || (n > 1 && p[0] == '0'))
		return -1;
	for (i = 0; i < n; i++) {
		unsigned d = (unsigned char)p[i] - (unsigned)'0';

		if (d > 9 || d > max || v > (max - d) / 10)
			return -1;
		v = v * 10 + d;
	}
	*out = v;
	return 0;
}

int
num_i64(const char *p, size_t n, int64_t *out)
{
	uint64_t v;

	if (n > 0 && *p == '-') {
		if (num_u64(p + 1, n - 1, (uint64_t)INT64_MAX + 1, &v) < 0 ||
		    v == 0)
			return -1;
		*out = (int64_t)-v;
		return 0;
	}
	if (num_u64(p, n, INT64_MAX, &v) < 0)
		return -1;
	*out = (int64_t)v;
	return 0;
}

size_t
num_format_u64(uint64_t v, char *out)
{
	char tmp[NUM_DIGITS_MAX];
	size_t n = 0;

	do
		tmp[sizeof(tmp) - ++n] = (char)('0' + v % 10);
	while (v /= 10);
	memcpy(out, tmp + sizeof(tmp) - n, n);
	return n;
}

size_t
num_format_i64(int64_t v, char *out)
{
	if (v >= 0)
		return num_format_u64((uint64_t)v, out);
	*out = '-';
	return 1 + num_format_u64(-(uint64_t)v, out + 1);
}
