/* SPDX-License-Identifier: Apache-2.0 */
/* select.c - names on a command line to collections. */
#include "chroma/select.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"

#define CANDIDATES_MAX 8

bool
select_matches(const char *spec, struct slice id, struct slice tenant,
    struct slice database, struct slice name)
{
	const char *first = strchr(spec, '/'), *last = strrchr(spec, '/');

	if (first && first != last)
		return slice_eq(tenant,
		    slice_of(spec, (size_t)(first - spec))) &&
		    slice_eq(database,
		    slice_of(first + 1, (size_t)(last - first - 1))) &&
		    slice_is(name, last + 1);
	return slice_is(name, spec) || (id.p && id.len == strlen(spec) &&
	    strncasecmp(id.p, spec, id.len) == 0);
}

static bool
matches(const struct collection *col, const char *spec)
{
	return select_matches(spec, slice_str(col->id), slice_str(col->tenant),
	    slice_str(col->database), slice_str(col->name));
}

static void
put_name(struct buf *b, const struct collection *col)
{
	buf_adds(b, b->len ? ", " : "");
	if (col->tenant && col->database)
		buf_addf(b, "%s/%s/%s", col->tenant, col->database, col->name);
	else
		buf_addf(b, "%s", col->id);
}

/* The collection of that name: its number, or -1 with *e set. */
static ptrdiff_t
find(const struct catalog *c, const char *spec, struct err *e)
{
	struct buf names = { 0 };
	ptrdiff_t found = -1;
	size_t i, n = 0;

	for (i = 0; i < c->n; i++)
		if (matches(&c->collection[i], spec)) {
			found = (ptrdiff_t)i;
			if (n++ < CANDIDATES_MAX)
				put_name(&names, &c->collection[i]);
		}
	if (n == 1) {
		buf_release(&names);
		return found;
	}
	if (n > 1) {
		err_usage(e, "'%s' is %zu collections: %.700s; name one as "
		    "TENANT/DATABASE/NAME or by its id", spec, n,
		    buf_str(&names));
	} else if (c->n == 0) {
		err_usage(e, "no collection '%s': there are none", spec);
	} else {
		for (i = 0; i < c->n && i < CANDIDATES_MAX; i++)
			put_name(&names, &c->collection[i]);
		err_usage(e, "no collection '%s'; there %s %.700s%s", spec,
		    c->n == 1 ? "is" : "are", buf_str(&names),
		    c->n > CANDIDATES_MAX ? ", ..." : "");
	}
	buf_release(&names);
	return -1;
}

int
select_apply(struct catalog *c, const struct select *sel, struct err *e)
{
	size_t i;
	ptrdiff_t k;

	for (i = 0; i < c->n; i++)
		c->collection[i].selected = sel->n_only == 0;
	for (i = 0; i < sel->n_only; i++) {
		k = find(c, sel->only[i], e);
		if (k < 0)
			return -1;
		c->collection[k].selected = true;
	}
	for (i = 0; i < sel->n_skip; i++) {
		k = find(c, sel->skip[i], e);
		if (k < 0)
			return -1;
		c->collection[k].selected = false;
	}
	return 0;
}
