/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.c - which bytes are text. */
#include "base/utf8.h"

#include <string.h>

static bool
tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

size_t
utf8_sequence(const char *at, size_t n, uint32_t *code, bool *surrogate)
{
	const unsigned char *p = (const unsigned char *)at;
	uint32_t c;

	*surrogate = false;
	if (n == 0)
		return 0;
	if (p[0] < 0x80) {
		*code = p[0];
		return 1;
	}
	if (p[0] < 0xc2)		/* a tail, or an overlong form */
		return 0;
	if (p[0] < 0xe0) {
		if (n < 2 || !tail(p[1]))
			return 0;
		*code = (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
		return 2;
	}
	if (p[0] < 0xf0) {
		if (n < 3 || !tail(p[1]) || !tail(p[2]))
			return 0;
		c = (uint32_t)(p[0] & 0x0f) << 12 |
		    (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
		if (c < 0x800)
			return 0;
		*surrogate = c >= 0xd800 && c < 0xe000;
		*code = c;
		return 3;
	}
	if (p[0] > 0xf4 || n < 4 || !tail(p[1]) || !tail(p[2]) || !tail(p[3]))
		return 0;
	c = (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 |
	    (uint32_t)(p[2] & 0x3f) << 6 | (p[3] & 0x3f);
	if (c < 0x10000 || c > 0x10ffff)
		return 0;
	*code = c;
	return 4;
}

static bool
valid(const char *p, size_t n, bool surrogates)
{
	size_t i = 0, len;
	uint32_t code;
	bool surrogate, high = false;

	while (i < n) {
		uint64_t w;

		while (n - i >= 8) {
			memcpy(&w, p + i, 8);
			if (w & UINT64_C(0x8080808080808080))
				break;
			i += 8;
			high = false;
		}
		if (i == n)
			break;
		len = utf8_sequence(p + i, n - i, &code, &surrogate);
		if (len == 0 || (surrogate && !surrogates))
			return false;
		/* the two halves of a pair have a form of four bytes */
		if (surrogate && high && code >= 0xdc00)
			return false;
		high = surrogate && code < 0xdc00;
		i += len;
	}
	return true;
}

bool
utf8_valid(const char *p, size_t n)
{
	return valid(p, n, false);
}

bool
utf8_valid_wtf8(const char *p, size_t n)
{
	return valid(p, n, true);
}

bool
utf8_valid_text(const char *p, size_t n)
{
	return !(n && memchr(p, '\0', n)) && utf8_valid(p, n);
}

size_t
utf8_put(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

size_t
utf8_width(const char *p, size_t n)
{
	size_t i, width = 0;

	for (i = 0; i < n; i++)
		width += !tail((unsigned char)p[i]);
	return width;
}
