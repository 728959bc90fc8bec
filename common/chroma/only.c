/* SPDX-License-Identifier: Apache-2.0 */
/* only.c - the one collection that several streams are about. */
#include "chroma/only.h"

#include "chroma/select.h"
#include "stream/json.h"

#define CANDIDATES_MAX 8

/* Take one apart.  0, or -1 with *e set. */
static int
read_listed(struct only_listed *c, struct slice obj, struct err *e)
{
	static const char *const key[] = { "id", "tenant", "database",
	    "name" };
	struct slice *part[] = { &c->id, &c->tenant, &c->database, &c->name };
	struct slice val[4];
	size_t start[4], i;

	c->obj = obj;
	buf_reset(&c->text);
	if (json_members(obj, key, val, 4, e) < 0)
		return -1;
	for (i = 0; i < 4; i++) {
		start[i] = c->text.len;
		if (json_string(val[i], &c->text) < 0)
			val[i].p = NULL;
		part[i]->len = c->text.len - start[i];
	}
	if (!buf_ok(&c->text))
		return err_nomem(e);
	for (i = 0; i < 4; i++)
		part[i]->p = !val[i].p ? NULL : c->text.p ?
		    c->text.p + start[i] : "";
	return c->id.p ? 0 : err_data(e, "a collection without an id");
}

/* TENANT/DATABASE/NAME, or the UUID where that is not known. */
static void
put_name(struct buf *b, const struct only_listed *c)
{
	if (!c->tenant.p || !c->database.p || !c->name.p) {
		buf_add(b, c->id.p, c->id.len);
		return;
	}
	buf_add(b, c->tenant.p, c->tenant.len);
	buf_addc(b, '/');
	buf_add(b, c->database.p, c->database.len);
	buf_addc(b, '/');
	buf_add(b, c->name.p, c->name.len);
}

/* What was found in a list. */
struct found {
	size_t all, n;			/* in it, and meant */
	struct buf names, meant;	/* owned; candidates for a message */
	struct only_listed one;		/* the last that is meant */
};

static void
note(struct buf *names, size_t n, const struct only_listed *c)
{
	if (n >= CANDIDATES_MAX)
		return;
	buf_adds(names, names->len ? ", " : "");
	put_name(names, c);
}

static int
find(const struct only *o, struct slice list, struct found *f, struct err *e)
{
	struct only_listed c = { .text.len = 0 }, was;
	struct json_iter it;
	struct slice obj;
	int got;

	if (json_array(&it, list, e) < 0)
		return -1;
	while ((got = json_element(&it, &obj)) > 0) {
		if (read_listed(&c, obj, e) < 0) {
			got = -1;
			break;
		}
		note(&f->names, f->all++, &c);
		if (o->name && !select_matches(o->name, c.id, c.tenant,
		    c.database, c.name))
			continue;
		note(&f->meant, f->n++, &c);
		was = f->one;
		f->one = c;
		c = was;
	}
	buf_release(&c.text);
	if (got == 0 && !(buf_ok(&f->names) && buf_ok(&f->meant)))
		return err_nomem(e);
	return got;
}

static int
another(const struct only *o, struct slice shown, struct err *e)
{
	struct buf before = { 0 };

	put_name(&before, &o->one);
	err_data(e, "of collection %.*s, but what came before is of %.300s",
	    (int)(shown.len < 300 ? shown.len : 300), shown.p,
	    buf_str(&before));
	buf_release(&before);
	return -1;
}

/* Whether what was found is one, and the one of the streams before. */
static int
judge(const struct only *o, struct found *f, struct err *e)
{
	const char *more = f->all > CANDIDATES_MAX ? ", ..." : "";

	if (o->name && f->n == 0 && f->all == 0)
		return err_usage(e, "no collection '%s': the stream has none",
		    o->name);
	if (o->name && f->n == 0)
		return err_usage(e, "no collection '%s'; there %s %.700s%s",
		    o->name, f->all == 1 ? "is" : "are", buf_str(&f->names),
		    more);
	if (o->name && f->n > 1)
		return err_usage(e, "'%s' is %zu collections: %.700s; name one "
		    "as TENANT/DATABASE/NAME or by its id", o->name, f->n,
		    buf_str(&f->meant));
	if (f->n > 1)
		return err_usage(e, "%zu collections: %.700s%s; which one? "
		    "--collection=NAME", f->n, buf_str(&f->names), more);
	if (!o->name && f->n == 1 && o->one.id.p &&
	    !slice_eq(f->one.id, o->one.id))
		return another(o, buf_slice(&f->meant), e);
	return 0;
}

int
only_begin(struct only *o, const struct begin *b, struct slice *col,
    struct err *e)
{
	static const char *const key[] = { "collections" };
	struct slice list[1] = { { NULL, 0 } };
	struct only_listed was = o->one;
	struct found f = { 0 };
	int r;

	*col = (struct slice){ NULL, 0 };
	o->listed = false;
	if (b->source.p && json_members(b->source, key, list, 1, e) < 0)
		return -1;
	if (!list[0].p)
		return 0;
	r = find(o, list[0], &f, e);
	if (r == 0)
		r = judge(o, &f, e);
	if (r == 0 && f.n == 1) {
		*col = f.one.obj;
		o->listed = true;
		o->one = f.one;
		f.one = was;
	}
	buf_release(&f.names);
	buf_release(&f.meant);
	buf_release(&f.one.text);
	return r;
}

/* Whether a record without an id of its collection can be of that one. */
static bool
fits(const struct only_listed *c, const struct record *r)
{
	return (!(r->has & FIELD_TENANT) || slice_eq(r->tenant, c->tenant)) &&
	    (!(r->has & FIELD_DATABASE) || slice_eq(r->database,
	    c->database)) && (!(r->has & FIELD_COLLECTION) ||
	    slice_eq(r->collection, c->name));
}

int
only_test(struct only *o, const struct record *r, struct err *e)
{
	bool id = r->has & FIELD_COLLECTION_ID;

	if (o->listed)
		return id ? slice_eq(r->collection_id, o->one.id) :
		    fits(&o->one, r);
	if (o->name)
		return !(r->has & ONLY_FIELDS) || select_matches(o->name,
		    r->collection_id, r->tenant, r->database, r->collection) ||
		    (id && slice_eq(r->collection_id, o->one.id));
	if (!id || slice_eq(r->collection_id, o->one.id))
		return 1;
	if (o->one.id.p)
		return another(o, r->collection_id, e);
	buf_add(&o->one.text, r->collection_id.p, r->collection_id.len);
	o->one.id = buf_slice(&o->one.text);
	return buf_ok(&o->one.text) ? 1 : err_nomem(e);
}

void
only_release(struct only *o)
{
	buf_release(&o->one.text);
}
