/* SPDX-License-Identifier: Apache-2.0 */
/* t_utf8 - which bytes are text. */
#include "base/utf8.h"

#include "../scratch.h"
#include "../tap.h"

static const struct {
	struct slice bytes;
	bool utf8, wtf8, text;
} strings[] = {
	{ SLICE(""), 1, 1, 1 },
	{ SLICE("plain text of more than eight bytes"), 1, 1, 1 },
	{ SLICE("\x7f"), 1, 1, 1 },
	{ SLICE("a\0b"), 1, 1, 0 },
	{ SLICE("\xc2\x80"), 1, 1, 1 },		/* U+0080 */
	{ SLICE("\xdf\xbf"), 1, 1, 1 },		/* U+07FF */
	{ SLICE("\xe0\xa0\x80"), 1, 1, 1 },	/* U+0800 */
	{ SLICE("\xed\x9f\xbf"), 1, 1, 1 },	/* U+D7FF */
	{ SLICE("\xed\xa0\x80"), 0, 1, 0 },	/* U+D800 */
	{ SLICE("\xed\xbf\xbf"), 0, 1, 0 },	/* U+DFFF */
	{ SLICE("\xee\x80\x80"), 1, 1, 1 },	/* U+E000 */
	{ SLICE("\xef\xbf\xbf"), 1, 1, 1 },	/* U+FFFF */
	{ SLICE("\xf0\x90\x80\x80"), 1, 1, 1 },	/* U+10000 */
	{ SLICE("\xf4\x8f\xbf\xbf"), 1, 1, 1 },	/* U+10FFFF */
	{ SLICE("\xf4\x90\x80\x80"), 0, 0, 0 },	/* U+110000 */
	{ SLICE("\xf5\x80\x80\x80"), 0, 0, 0 },
	{ SLICE("\xff"), 0, 0, 0 },
	{ SLICE("\xfe"), 0, 0, 0 },
	/* tails without a head, heads without a tail */
	{ SLICE("\x80"), 0, 0, 0 },
	{ SLICE("\xbf"), 0, 0, 0 },
	{ SLICE("a\x80"), 0, 0, 0 },
	{ SLICE("\xc2"), 0, 0, 0 },
	{ SLICE("\xc2" "a"), 0, 0, 0 },
	{ SLICE("\xc2\xc2\x80"), 0, 0, 0 },
	{ SLICE("\xe2\x82"), 0, 0, 0 },
	{ SLICE("\xe2\x82" "a"), 0, 0, 0 },
	{ SLICE("\xe2" "aa"), 0, 0, 0 },
	{ SLICE("\xf0\x9f\x98"), 0, 0, 0 },
	{ SLICE("\xf0\x9f\x98" "a"), 0, 0, 0 },
	{ SLICE("\xf0\x9f" "aa"), 0, 0, 0 },
	{ SLICE("\xf0" "aaa"), 0, 0, 0 },
	/* overlong */
	{ SLICE("\xc0\x80"), 0, 0, 0 },
	{ SLICE("\xc1\xbf"), 0, 0, 0 },
	{ SLICE("\xe0\x80\x80"), 0, 0, 0 },
	{ SLICE("\xe0\x9f\xbf"), 0, 0, 0 },
	{ SLICE("\xf0\x80\x80\x80"), 0, 0, 0 },
	{ SLICE("\xf0\x8f\xbf\xbf"), 0, 0, 0 },
	/* a pair is one character, in four bytes */
	{ SLICE("\xed\xa0\x80\xed\xb0\x80"), 0, 0, 0 },
	{ SLICE("\xed\xaf\xbf\xed\xbf\xbf"), 0, 0, 0 },
	{ SLICE("\xed\xb0\x80\xed\xa0\x80"), 0, 1, 0 },
	{ SLICE("\xed\xa0\x80\xed\xa0\x80"), 0, 1, 0 },
	{ SLICE("\xed\xa0\x80" "a\xed\xb0\x80"), 0, 1, 0 },
	{ SLICE("\xed\xa0\x80" "12345678\xed\xb0\x80"), 0, 1, 0 },
	/* at every place of the word that is looked at at once */
	{ SLICE("1234567\xff"), 0, 0, 0 },
	{ SLICE("12345678\xff"), 0, 0, 0 },
	{ SLICE("12345678\xc3\xa9" "12345678\xed\xa0\x80"), 0, 1, 0 },
	{ SLICE("1234567\xc3\xa9" "12345678"), 1, 1, 1 },
	{ SLICE("1234567\xf0\x9f\x98\x80\xe2\x82\xac" "a"), 1, 1, 1 },
};

static void
test_strings(void)
{
	size_t i;

	for (i = 0; i < COUNT(strings); i++) {
		size_t n = strings[i].bytes.len;
		char *p = malloc(n ? n : 1);	/* asan sees a read beyond */

		if (!p)
			scratch_die("no memory");
		memcpy(p, strings[i].bytes.p, n);
		ok(utf8_valid(p, n) == strings[i].utf8 &&
		    utf8_valid_wtf8(p, n) == strings[i].wtf8 &&
		    utf8_valid_text(p, n) == strings[i].text, "'%s'",
		    shown(strings[i].bytes));
		free(p);
	}
}

/* Every code point, put and taken again; and none of its prefixes. */
static void
test_codes(void)
{
	uint32_t c, back, bad = 0, cut = 0;
	bool surrogate;
	char p[4];
	size_t n, k;

	for (c = 0; c <= 0x10ffff; c++) {
		n = utf8_put(p, c);
		bad += utf8_sequence(p, n, &back, &surrogate) != n ||
		    back != c || surrogate != (c >= 0xd800 && c < 0xe000) ||
		    n != (c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4);
		for (k = 0; k < n; k++)
			cut += utf8_sequence(p, k, &back, &surrogate) != 0;
	}
	ok(bad == 0 && cut == 0, "every code point: %u wrong, %u cut short",
	    (unsigned)bad, (unsigned)cut);
}

int
main(void)
{
	test_strings();
	test_codes();
	ok(utf8_width("", 0) == 0 && utf8_width("abc", 3) == 3 &&
	    utf8_width("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10) == 4,
	    "width");
	return tap_done();
}
