/* SPDX-License-Identifier: Apache-2.0 */
/* t_glob - shell patterns: what matches, what does not, what is none. */
#include "base/glob.h"

#include <string.h>

#include "../tap.h"

static const struct {
	const char *pattern, *yes, *no;	/* texts with '|' between them */
} cases[] = {
	{ "", "", "a" },
	{ "abc", "abc", "ab|abcd|Abc|" },
	{ "*", "|a|*|a/b|.x|\xff", NULL },
	{ "a*", "a|ab|a*", "|ba" },
	{ "*a", "a|ba|aa", "|ab" },
	{ "a*b*c", "abc|aXbYc|abbcc|abcbc", "ab|abca|acb" },
	{ "**a**", "a|bab", "b" },
	{ "?", "a|\xc3\xa9|\xe2\x82\xac|\xf0\x9f\x98\x80|\xff",
	    "|ab|\xc3\xa9\xc3\xa9" },
	{ "?*", "a|ab", "" },
	{ "[abc]", "a|b|c", "d|ab|" },
	{ "[a-c]x", "ax|cx", "dx|-x" },
	{ "[!a-c]", "d|-", "a|b|" },
	{ "[^a]", "b|^", "a" },
	{ "[]a]", "]|a", "[" },
	{ "[!]]", "a", "]" },
	{ "[a-]", "a|-", "b" },
	{ "[\\]x]", "]|x", "\\" },
	{ "[\\a-c]", "a|b", "-|\\" },
	{ "[\xc3\xa0-\xc3\xbf]", "\xc3\xa9", "e|\xc3\x80" },
	{ "\\*", "*", "a|\\*" },
	{ "\\?[?]", "??", "ab" },
	{ "doc-[0-9][0-9]*", "doc-12|doc-123", "doc-1|doc-x1" },
	{ "*a*a*a*a*a*b", "aaaaaab", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
};

static void
all(const char *pattern, const char *texts, bool want)
{
	const char *end;

	for (; texts; texts = *end ? end + 1 : NULL) {
		end = texts + strcspn(texts, "|");
		ok(glob_matches(slice_str(pattern), slice_of(texts,
		    (size_t)(end - texts))) == want, "%s %s %.*s", pattern,
		    want ? "is" : "is not", (int)(end - texts), texts);
	}
}

int
main(void)
{
	static const char *const bad[] = { "[", "[a", "[]", "[!", "[b-a]",
	    "[a-", "a\\", "[a\\" };
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ok(glob_check(slice_str(cases[i].pattern), &e) == 0, "%s",
		    cases[i].pattern);
		all(cases[i].pattern, cases[i].yes, true);
		all(cases[i].pattern, cases[i].no, false);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(glob_check(slice_str(bad[i]), &e) < 0 &&
		    e.status == STATUS_USAGE, "%s: %s", bad[i], e.msg);
	ok(glob_matches(slice_of("a\0?", 3), slice_of("a\0b", 3)) &&
	    !glob_matches(slice_of("a\0b", 3), slice_str("a")), "NUL is "
	    "like any other");
	return tap_done();
}
