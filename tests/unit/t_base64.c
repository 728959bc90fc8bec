/* SPDX-License-Identifier: Apache-2.0 */
/* t_base64 - RFC 4648, and that both encoders agree. */
#include "base/base64.h"

#include "../scratch.h"
#include "../tap.h"

/* The first seven are those of RFC 4648, section 10. */
static const struct {
	struct slice bytes;
	const char *text;
} pairs[] = {
	{ SLICE(""), "" },
	{ SLICE("f"), "Zg==" },
	{ SLICE("fo"), "Zm8=" },
	{ SLICE("foo"), "Zm9v" },
	{ SLICE("foob"), "Zm9vYg==" },
	{ SLICE("fooba"), "Zm9vYmE=" },
	{ SLICE("foobar"), "Zm9vYmFy" },
	{ SLICE("foobarb"), "Zm9vYmFyYg==" },
	{ SLICE("\0"), "AA==" },
	{ SLICE("\0\0\0"), "AAAA" },
	{ SLICE("\xff\xff\xff\xff"), "/////w==" },
	{ SLICE("\xfb\xef\xbe\xfb\xef\xbe"), "++++++++" },
	{ SLICE("\x00\x10\x83\x10\x51\x87\x20\x92\x8b\x30\xd3\x8f"
	    "\x41\x14\x93\x51\x55\x97\x61\x96\x9b\x71\xd7\x9f"
	    "\x82\x18\xa3\x92\x59\xa7\xa2\x9a\xab\xb2\xdb\xaf"
	    "\xc3\x1c\xb3\xd3\x5d\xb7\xe3\x9e\xbb\xf3\xdf\xbf"),
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789+/" },
};

static const char *const refused[] = {
	"A", "AA", "AAA", "AAAAA", "AA=", "A===", "====", "=AAA", "A=AA",
	"AA=A", "AA==AAAA", "AAA=AAAA", "AA==AA==",
	"AB==", "A/==", "AAB=", "AAD=",		/* bits under the padding */
	"AAA\n", "AA A", " AAA", "AAA-", "AAA_", "AAA.", "AAA@", "AAA[",
	"AAA`", "AAA{", "AAA:", "AAA\x80", "AAA\xff", "\xff\xff\xff\xff",
	"AAAAAAA", "AA-=", "AA-A", "A-==", "-A==", "-AA=",
};

/* The alphabet by arithmetic, a character at a time. */
static char
letter(unsigned v)
{
	return (char)(v < 26 ? 'A' + v : v < 52 ? 'a' + (v - 26) :
	    v < 62 ? '0' + (v - 52) : v == 62 ? '+' : '/');
}

static void
reference(const uint8_t *p, size_t n, char *out)
{
	size_t i;
	unsigned k;

	for (i = 0; i < n; i += 3, out += 4) {
		unsigned v = (unsigned)p[i] << 16 |
		    (i + 1 < n ? (unsigned)p[i + 1] << 8 : 0) |
		    (i + 2 < n ? p[i + 2] : 0u);

		for (k = 0; k < 4; k++)
			out[k] = k > n - i ? '=' :
			    letter(v >> (18 - 6 * k) & 63);
	}
}

/* Blocks of exactly their size, so that asan sees what lies outside. */
static void
test_lengths(void)
{
	uint64_t seed = 4;
	size_t n, i, len, bad = 0;

	for (n = 0; n < 600; n++) {
		size_t room = BASE64_LEN(n);
		uint8_t *p = malloc(n ? n : 1);
		uint8_t *back = malloc(room / 4 * 3 + 1);
		char *a = malloc(room + 1), *b = malloc(room + 1);
		char *c = malloc(room + 1);

		if (!p || !back || !a || !b || !c)
			scratch_die("no memory");
		for (i = 0; i < n; i++)
			p[i] = (uint8_t)scratch_random(&seed);
		reference(p, n, c);
		bad += base64_encode(p, n, a) != room ||
		    base64_encode_portable(p, n, b) != room ||
		    memcmp(a, c, room) != 0 || memcmp(b, c, room) != 0 ||
		    base64_decode(a, room, back, &len) < 0 || len != n ||
		    memcmp(p, back, n) != 0;
		free(p);
		free(back);
		free(a);
		free(b);
		free(c);
	}
	ok(bad == 0, "0 to 599 bytes: %zu lengths are wrong", bad);
}

int
main(void)
{
	uint8_t bytes[64];
	char text[128];
	size_t i, n, len;

	for (i = 0; i < COUNT(pairs); i++) {
		struct slice b = pairs[i].bytes;

		n = strlen(pairs[i].text);
		ok(BASE64_LEN(b.len) == n && base64_encode(b.p, b.len, text)
		    == n && memcmp(text, pairs[i].text, n) == 0,
		    "'%s' is %s", shown(b), pairs[i].text);
		ok(base64_decode(pairs[i].text, n, bytes, &len) == 0 &&
		    len == b.len && memcmp(bytes, b.p, len) == 0,
		    "  and back");
	}
	for (i = 0; i < COUNT(refused); i++)
		ok(base64_decode(refused[i], strlen(refused[i]), bytes, &len)
		    == -1, "refused: %s", shown_str(refused[i]));
	ok(base64_decode("AA\0A", 4, bytes, &len) == -1, "refused: a zero");
	test_lengths();
	return tap_done();
}
