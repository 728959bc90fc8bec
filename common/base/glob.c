/* SPDX-License-Identifier: Apache-2.0 */
/* glob.c - shell patterns over text. */
#include "base/glob.h"

#include <stdint.h>

#include "base/utf8.h"

struct cursor {
	const char *p, *end;
};

/* The next character; a byte that begins none is one, beyond Unicode. */
static uint32_t
next(struct cursor *c)
{
	uint32_t code = 0;
	bool surrogate;
	size_t n = utf8_sequence(c->p, (size_t)(c->end - c->p), &code,
	    &surrogate);

	if (n == 0)
		return 0x110000 + (uint32_t)(unsigned char)*c->p++;
	c->p += n;
	return code;
}

/* A character of a set: 1 and *code, 0 at its "]", -1: none comes. */
static int
member(struct cursor *c, bool first, uint32_t *code)
{
	if (c->p == c->end)
		return -1;
	if (*c->p == ']' && !first) {
		c->p++;
		return 0;
	}
	if (*c->p == '\\' && ++c->p == c->end)
		return -1;
	*code = next(c);
	return 1;
}

/* A set, the cursor behind its "[": 1 if the character is one of it, 0 if
 * not, -1 if it is no set. */
static int
in_set(struct cursor *c, uint32_t code)
{
	bool negated = c->p < c->end && (*c->p == '!' || *c->p == '^');
	bool found = false, first = true;
	uint32_t from, to;
	int got;

	c->p += negated;
	while ((got = member(c, first, &from)) > 0) {
		first = false;
		to = from;
		if (c->end - c->p >= 2 && c->p[0] == '-' && c->p[1] != ']') {
			c->p++;
			got = member(c, true, &to);
			if (got < 0 || to < from)
				return -1;
		}
		found |= code >= from && code <= to;
	}
	return got < 0 ? -1 : found != negated;
}

int
glob_check(struct slice pattern, struct err *e)
{
	struct cursor c = { pattern.p, pattern.p + pattern.len };

	while (c.p < c.end) {
		char ch = *c.p++;

		if (ch == '[' && in_set(&c, 0) < 0)
			return err_usage(e, "a set without its ']', or with "
			    "a range backwards");
		if (ch == '\\' && c.p++ == c.end)
			return err_usage(e, "a '\\' with nothing behind it");
	}
	return 0;
}

/* Whether the next character matches what the pattern has next, which is not
 * a star. */
static bool
matches_one(struct cursor *pattern, struct cursor *text)
{
	uint32_t code = next(text);

	if (*pattern->p == '?') {
		pattern->p++;
		return true;
	}
	if (*pattern->p == '[') {
		pattern->p++;
		return in_set(pattern, code) > 0;
	}
	pattern->p += *pattern->p == '\\';
	return pattern->p < pattern->end && next(pattern) == code;
}

bool
glob_matches(struct slice pattern, struct slice text)
{
	struct cursor p = { pattern.p, pattern.p + pattern.len };
	struct cursor t = { text.p, text.p + text.len };
	struct cursor star = { NULL, NULL }, from = { NULL, NULL };

	for (;;) {
		if (p.p < p.end && *p.p == '*') {
			p.p++;
			star = p;	/* from here on, at first of nothing */
			from = t;
			continue;
		}
		if (p.p == p.end && t.p == t.end)
			return true;
		if (p.p < p.end && t.p < t.end && matches_one(&p, &t))
			continue;
		if (!star.p || from.p == from.end)
			return false;
		(void)next(&from);	/* the star takes one more */
		p = star;
		t = from;
	}
}
