/* SPDX-License-Identifier: Apache-2.0 */
/* t_crc32c - known sums, and that both ways to compute them agree. */
#include "base/crc32c.h"

#include "../scratch.h"
#include "../tap.h"

#define TEN(s) s s s s s s s s s s

/* RFC 3720, section B.4, and the check value of the catalogues. */
static const struct {
	const char *name;
	struct slice bytes;
	uint32_t crc;
} known[] = {
	{ "nothing", SLICE(""), 0 },
	{ "123456789", SLICE("123456789"), 0xe3069283 },
	{ "a", SLICE("a"), 0xc1d04330 },
	{ "32 zeros", SLICE(TEN("\0\0\0") "\0\0"), 0x8a9136aa },
	{ "32 ones", SLICE(TEN("\xff\xff\xff") "\xff\xff"), 0x62a8ab43 },
	{ "0 to 31", SLICE("\0\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
	    "\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f"),
	    0x46dd794e },
	{ "31 to 0", SLICE("\x1f\x1e\x1d\x1c\x1b\x1a\x19\x18\x17\x16\x15\x14"
	    "\x13\x12\x11\x10\x0f\x0e\x0d\x0c\x0b\x0a\x09\x08\7\6\5\4\3\2\1\0"),
	    0x113fdb5c },
	{ "an iSCSI command", SLICE("\1\xc0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	    "\x14\0\0\0\0\0\4\0\0\0\0\x14\0\0\0\x18"
	    "\x28\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0"), 0xd9963a56 },
};

/* Bit by bit, as the polynomial says. */
static uint32_t
reference(uint32_t crc, const uint8_t *p, size_t n)
{
	int k;

	crc = ~crc;
	while (n-- > 0)
		for (crc ^= *p++, k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	return ~crc;
}

int
main(void)
{
	static uint8_t bytes[1024];
	uint64_t seed = 3;
	size_t i, n, at, cut, bad = 0;

	for (i = 0; i < COUNT(known); i++)
		ok(crc32c(0, known[i].bytes.p, known[i].bytes.len) ==
		    known[i].crc && crc32c_portable(0, known[i].bytes.p,
		    known[i].bytes.len) == known[i].crc, "%s", known[i].name);
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)scratch_random(&seed);
	for (n = 0; n < 300; n++)
		for (at = 0; at < 9; at++) {
			uint32_t start = (uint32_t)scratch_random(&seed);
			uint32_t want = reference(start, bytes + at, n);

			cut = n ? scratch_random(&seed) % n : 0;
			bad += crc32c(start, bytes + at, n) != want ||
			    crc32c_portable(start, bytes + at, n) != want ||
			    crc32c(crc32c(start, bytes + at, cut),
			    bytes + at + cut, n - cut) != want;
		}
	ok(bad == 0, "any length, alignment and start: %zu wrong", bad);
	return tap_done();
}
