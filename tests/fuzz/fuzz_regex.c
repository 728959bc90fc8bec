/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_regex - a pattern and, behind a byte 0xff, a text: no harm is done, the
 * answer is the same when asked again and for the pattern written in other
 * ways, and a match found at one place is found in longer texts. */
#include "base/regex.h"

#include "base/utf8.h"

#include "fuzz.h"

/* The answer of before + pattern + behind to text; -1 if it is refused. */
static int
ask(const char *before, struct slice pattern, const char *behind,
    struct slice text, struct err *e)
{
	struct regex *r;
	struct slice copy;
	size_t a = strlen(before), b = strlen(behind);
	char *p = malloc(a + pattern.len + b + 1);
	int answer = -1;

	MUST(p);
	memcpy(p, before, a);
	memcpy(p + a, pattern.p, pattern.len);
	memcpy(p + a + pattern.len, behind, b);
	copy = fuzz_copy(p, a + pattern.len + b);
	free(p);
	if (regex_compile(&r, copy, e) == 0) {
		answer = regex_matches(r, text, e);
		MUST(answer == regex_matches(r, text, e));
		MUST(answer == 0 || answer == 1);
		regex_free(r);
	} else {
		MUST(!r && e->status == STATUS_USAGE && *e->msg);
	}
	fuzz_free(copy);
	return answer;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *mark = size ? memchr(data, 0xff, size) : NULL;
	size_t n = mark ? (size_t)(mark - data) : size;
	struct slice pattern = fuzz_copy(data, n);
	struct slice text = fuzz_copy(mark ? mark + 1 : data,
	    mark ? size - n - 1 : 0);
	struct err e;
	int plain = ask("", pattern, "", text, &e), other;

	if (plain >= 0) {
		/* another program, without a string to look for first */
		other = ask("(?:", pattern, ")|[^\\s\\S]{0}\\b\\B", text, &e);
		MUST(other == plain || other < 0);
		/* and one that is looked for from the start of the text on */
		other = ask("\\A(?s:.)*?(?:", pattern, ")", text, &e);
		MUST(other == plain || other < 0 ||
		    !utf8_valid(text.p, text.len));
		other = ask("(?:", pattern, ")(?s:.)*\\z", text, &e);
		MUST(other == plain || other < 0 ||
		    !utf8_valid(text.p, text.len));
	} else if (utf8_valid(pattern.p, pattern.len)) {
		MUST(strstr(e.msg, "byte ") == e.msg);
	}
	fuzz_free(pattern);
	fuzz_free(text);
	return 0;
}
