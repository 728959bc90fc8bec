/* SPDX-License-Identifier: Apache-2.0 */
/* jsonedit.c - one member of a JSON object changed, every other byte kept. */
#include "stream/jsonedit.h"

#include "stream/json.h"

/* As far down the path as there are members: in *at the value of the last key
 * that is there, or else the object that lacks key number *depth.  0, or -1
 * with *e set. */
static int
descend(struct slice text, const char *const path[], size_t n,
    struct slice *at, size_t *depth, struct err *e)
{
	struct slice next;

	*at = text;
	for (*depth = 0; *depth < n; ++*depth) {
		if (*depth && (!at->len || *at->p != '{'))
			return err_data(e, "\"%s\" is not an object",
			    path[*depth - 1]);
		if (json_members(*at, &path[*depth], &next, 1, e) < 0)
			return -1;
		if (!next.p)
			return 0;
		*at = next;
		if (slice_is(next, "null")) {	/* to be replaced, and so is
						 * what follows */
			++*depth;
			return 0;
		}
	}
	return 0;
}

/* The value wrapped into objects of the keys path[0..n). */
static void
put_nested(struct buf *out, const char *const path[], size_t n,
    struct slice value, enum jsonedit_style style)
{
	size_t i;

	for (i = 0; i < n; i++) {
		buf_addc(out, '{');
		json_put_string(out, slice_str(path[i]));
		buf_adds(out, style == JSONEDIT_SPACED ? ": " : ":");
	}
	buf_add(out, value.p, value.len);
	for (i = 0; i < n; i++)
		buf_addc(out, '}');
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Where a new last member of an object goes: behind the last one, or behind
 * the bracket (*first) if there is none. */
static const char *
behind_last(struct slice object, bool *first)
{
	const char *p = object.p + object.len;

	while (p[-1] != '}')
		p--;
	p--;
	while (is_space(p[-1]))
		p--;
	*first = p[-1] == '{';
	return p;
}

int
jsonedit_set(struct slice text, const char *const path[], size_t n,
    struct slice value, enum jsonedit_style style, struct buf *out,
    struct err *e)
{
	const char *from, *to;
	struct slice at;
	size_t depth;
	bool first, replace;

	if (descend(text, path, n, &at, &depth, e) < 0)
		return -1;
	replace = depth == n || (depth && slice_is(at, "null"));
	from = replace ? at.p : behind_last(at, &first);
	to = replace ? at.p + at.len : from;
	buf_add(out, text.p, (size_t)(from - text.p));
	if (!replace) {
		if (!first)
			buf_adds(out, style == JSONEDIT_SPACED ? ", " : ",");
		json_put_string(out, slice_str(path[depth]));
		buf_adds(out, style == JSONEDIT_SPACED ? ": " : ":");
		depth++;
	}
	put_nested(out, path + depth, n - depth, value, style);
	buf_add(out, to, (size_t)(text.p + text.len - to));
	return buf_ok(out) ? 0 : err_nomem(e);
}

int
jsonedit_get(struct slice text, const char *const path[], size_t n,
    struct slice *value, struct err *e)
{
	size_t depth;

	if (descend(text, path, n, value, &depth, e) < 0)
		return -1;
	if (depth == n && !slice_is(*value, "null"))
		return 1;
	*value = (struct slice){ NULL, 0 };
	return 0;
}
