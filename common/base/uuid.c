/* SPDX-License-Identifier: Apache-2.0 */
/* uuid.c - UUIDs as text. */
#include "base/uuid.h"

#include <stdint.h>
#include <string.h>

#include "base/entropy.h"

static bool
hyphen_at(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

bool
uuid_is(struct slice text)
{
	static const char hex[] = "0123456789abcdefABCDEF";
	size_t i;

	if (!text.p || text.len != UUID_LEN)
		return false;
	for (i = 0; i < UUID_LEN; i++)
		if (hyphen_at(i) ? text.p[i] != '-' :
		    !memchr(hex, text.p[i], sizeof(hex) - 1))
			return false;
	return true;
}

int
uuid_new(char to[UUID_LEN + 1], struct err *e)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t b[16];
	size_t i, at = 0;

	if (entropy(b, sizeof(b), e) < 0)
		return -1;
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	for (i = 0; i < sizeof(b); i++) {
		if (hyphen_at(at))
			to[at++] = '-';
		to[at++] = hex[b[i] >> 4];
		to[at++] = hex[b[i] & 15];
	}
	to[at] = '\0';
	return 0;
}
