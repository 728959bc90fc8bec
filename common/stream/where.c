/* SPDX-License-Identifier: Apache-2.0 */
/* where.c - Chroma's filters: which records they select. */
#include "stream/where.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/f64.h"
#include "base/num.h"
#include "stream/json.h"
#include "stream/whereparse.h"

/* A key of the metadata that the filter names, and what the record at hand
 * has there. */
struct slot {
	struct slice key;
	struct slice text;	/* of the value; absent if there is none */
	struct where_scalar value;	/* what text says, once read */
	bool read;
};

struct where {
	struct where_tree tree;
	struct slot *slot;	/* by length of the key, then by bytes */
	size_t slots;
	uint64_t lengths;	/* a bit for each length of a key, mod 64 */
	struct buf document, uri;	/* of a whole column, decoded */
};

/* ---- keys ---- */

/* Give each key of the metadata its slot. */
static int
make_slots(struct where *w, struct err *e)
{
	struct slice *key;
	struct where_node *n;
	size_t count = 0, i;

	for (n = w->tree.leaves; n; n = n->next_leaf)
		count++;
	key = arena_array(&w->tree.mem, count, sizeof(*key));
	w->slot = arena_array(&w->tree.mem, count, sizeof(*w->slot));
	if (!key || !w->slot)
		return err_nomem(e);
	count = 0;
	for (n = w->tree.leaves; n; n = n->next_leaf)
		key[count++] = n->key;
	qsort(key, count, sizeof(*key), whereset_by_text);
	for (i = 0; i < count; i++) {
		if (i > 0 && slice_eq(key[i], key[i - 1]))
			continue;
		w->slot[w->slots++].key = key[i];
		w->lengths |= UINT64_C(1) << (key[i].len & 63);
	}
	return 0;
}

/* The slot of a key, NULL if the filter does not name it. */
static struct slot *
find_slot(struct where *w, struct slice key)
{
	size_t low = 0, high = w->slots, mid;
	int c;

	if (!(w->lengths >> (key.len & 63) & 1))
		return NULL;
	while (low < high) {
		mid = low + (high - low) / 2;
		c = whereset_by_text(&key, &w->slot[mid].key);
		if (c == 0)
			return &w->slot[mid];
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

int
where_parse(struct where **to, struct slice json, enum where_kind kind,
    struct err *e)
{
	struct where *w = calloc(1, sizeof(*w));
	struct where_node *n;

	if (!w)
		return err_nomem(e);
	if (whereparse(&w->tree, json, kind, e) < 0 || make_slots(w, e) < 0) {
		where_free(w);
		return -1;
	}
	for (n = w->tree.leaves; n; n = n->next_leaf)
		n->slot = (size_t)(find_slot(w, n->key) - w->slot);
	*to = w;
	return 0;
}

void
where_free(struct where *w)
{
	if (!w)
		return;
	whereparse_release(&w->tree);
	buf_release(&w->document);
	buf_release(&w->uri);
	free(w);
}

bool
where_needs_metadata(const struct where *w)
{
	return w->slots > 0;
}

bool
where_needs_document(const struct where *w)
{
	return w->tree.document;
}

bool
where_needs_uri(const struct where *w)
{
	return w->tree.uri;
}

/* ---- one record ---- */

struct test {
	struct where *w;
	struct where_record r;
	struct err *e;
};

/* A string of the metadata, with its quotes, as it is in memory: a part of
 * the text, or in the scratch until the next call. */
static int
plain_text(struct where *w, struct slice val, struct slice *out, struct err *e)
{
	*out = slice_of(val.p + 1, val.len - 2);
	if (!memchr(out->p, '\\', out->len))
		return 0;
	buf_reset(&w->tree.scratch);
	(void)!json_string(val, &w->tree.scratch);
	*out = buf_slice(&w->tree.scratch);
	return buf_ok(&w->tree.scratch) ? 0 : err_nomem(e);
}

/* What the column says of document or URI, where the record has none yet:
 * kept apart from the scratch, because it lives as long as the test. */
static int
take_hidden(struct slice val, struct buf *keep, struct slice *to,
    struct err *e)
{
	if (to->p || !val.p || !json_is_string(val))
		return 0;
	buf_reset(keep);
	(void)!json_string(val, keep);
	*to = buf_slice(keep);
	return buf_ok(keep) ? 0 : err_nomem(e);
}

/* Find the values of the keys that the filter names. */
static int
fill_slots(struct test *t)
{
	struct slice text = t->r.metadata, document = { NULL, 0 };
	struct slice uri = { NULL, 0 }, key, val;
	bool escapes = memchr(text.p, '\\', text.len) != NULL;
	struct json_iter it;
	struct slot *slot;
	int r;

	if (json_object(&it, text, t->e) < 0)
		return -1;
	it.nonfinite = true;
	while ((r = json_next(&it, &key, &val)) > 0) {
		if (escapes && plain_text(t->w, slice_of(key.p - 1,
		    key.len + 2), &key, t->e) < 0)
			return -1;
		slot = find_slot(t->w, key);
		if (slot)
			slot->text = val;
		else if (t->r.column && slice_is(key, "chroma:document"))
			document = val;
		else if (t->r.column && slice_is(key, "chroma:uri"))
			uri = val;
	}
	if (r < 0 || take_hidden(document, &t->w->document, &t->r.document,
	    t->e) < 0)
		return -1;
	return take_hidden(uri, &t->w->uri, &t->r.uri, t->e);
}

static int
bad_value(struct test *t, struct slice val)
{
	return err_data(t->e, "byte %zu: %.*s is not a value of JSON",
	    (size_t)(val.p - t->r.metadata.p) + 1,
	    val.len < 40 ? (int)val.len : 40, val.p);
}

/* A number of the record; TYPE_NONE for what Chroma would not keep. */
static int
read_number(struct test *t, struct slice val, struct where_scalar *to)
{
	int r;

	if (slice_is(val, "NaN") || slice_is(val, "Infinity") ||
	    slice_is(val, "-Infinity"))
		return 0;
	if (num_i64(val.p, val.len, &to->i) == 0) {
		to->type = TYPE_INT;
		return 0;
	}
	r = t->r.stored ? f64_parse(val.p, val.len, &to->f) :
	    f64_serde(val.p, val.len, &to->f);
	if (r == -1)
		return bad_value(t, val);
	if (r == 0 && to->f - to->f == 0)
		to->type = TYPE_FLOAT;
	return 0;
}

/* One scalar of the record, but for the text of strings. */
static int
read_scalar(struct test *t, struct slice val, struct where_scalar *to)
{
	*to = (struct where_scalar){ .type = TYPE_NONE };
	switch (*val.p) {
	case '"':
		to->type = TYPE_STRING;
		to->s = val;
		return 0;
	case '[':
		to->type = TYPE_ARRAY;
		return 0;
	case '{':
		return 0;
	case 't':
	case 'f':
		to->type = TYPE_BOOL;
		to->b = *val.p == 't';
		return slice_is(val, to->b ? "true" : "false") ? 0 :
		    bad_value(t, val);
	case 'n':
		return slice_is(val, "null") ? 0 : bad_value(t, val);
	default:
		return read_number(t, val, to);
	}
}

/* What the record has under the key of the leaf.  A string is text. */
static int
value_of(struct test *t, const struct where_node *n, struct where_scalar *to)
{
	struct slot *slot = &t->w->slot[n->slot];
	struct slice text;

	if (n->source != FROM_METADATA) {
		text = n->source == FROM_URI ? t->r.uri : t->r.document;
		*to = (struct where_scalar){ .s = text,
		    .type = text.p ? TYPE_STRING : TYPE_NONE };
		return 0;
	}
	*to = (struct where_scalar){ .type = TYPE_NONE };
	if (!slot->text.p)
		return 0;
	if (!slot->read) {
		if (read_scalar(t, slot->text, &slot->value) < 0)
			return -1;
		slot->read = true;
	}
	*to = slot->value;
	if (to->type != TYPE_STRING)
		return 0;
	if (n->op != OP_IN || n->set.type != TYPE_STRING ||
	    slot->text.len - 2 < n->set.shortest) {
		to->type = TYPE_NONE;	/* matches nothing: not decoded */
		return 0;
	}
	return plain_text(t->w, slot->text, &to->s, t->e);
}

static bool
in_order(const struct where_node *n, const struct where_scalar *v)
{
	int c;

	if (v->type != TYPE_INT && v->type != TYPE_FLOAT)
		return false;
	c = whereset_compare(v, &n->want);
	switch (n->op) {
	case OP_GT:  return c > 0;
	case OP_GTE: return c >= 0;
	case OP_LT:  return c < 0;
	default:     return c <= 0;
	}
}

/* The element, by the types that both have; whether it is the operand. */
static int
is_element(struct test *t, const struct where_scalar *v,
    const struct where_scalar *want)
{
	struct slice text;

	switch (want->type) {
	case TYPE_BOOL:
		return v->type == TYPE_BOOL && v->b == want->b;
	case TYPE_INT:
		return v->type == TYPE_INT && v->i == want->i;
	case TYPE_FLOAT:
		return (v->type == TYPE_FLOAT && v->f == want->f) ||
		    (v->type == TYPE_INT && (double)v->i == want->f);
	default:
		if (v->type != TYPE_STRING || v->s.len - 2 < want->s.len)
			return 0;
		if (plain_text(t->w, v->s, &text, t->e) < 0)
			return -1;
		return slice_eq(text, want->s);
	}
}

/* Whether the array has the operand.  An array has one type, which serde
 * finds by trying: integers, else floats; one that fits none is unreadable
 * to Chroma, and has nothing. */
static int
has_element(struct test *t, struct slice array, const struct where_scalar *want)
{
	unsigned types = 0;
	struct json_iter it;
	struct where_scalar v;
	struct slice val;
	int r, found = 0;

	if (json_array(&it, array, t->e) < 0)
		return -1;
	it.nonfinite = true;
	while ((r = json_element(&it, &val)) > 0) {
		if (read_scalar(t, val, &v) < 0)
			return -1;
		types |= 1u << v.type;
		r = found ? 0 : is_element(t, &v, want);
		if (r < 0)
			return -1;
		found |= r;
	}
	if (r < 0)
		return -1;
	if (want->type == TYPE_FLOAT && types & 1u << TYPE_FLOAT)
		types &= ~(1u << TYPE_INT);
	return found && types == 1u << want->type;
}

/* As LIKE '%text%' in SQLite, for which text ends at its first NUL. */
static bool
search(struct slice doc, const struct where_node *n)
{
	struct slice want = n->want.s;
	const char *nul;

	if (!doc.p)
		return false;
	nul = doc.len ? memchr(doc.p, '\0', doc.len) : NULL;
	if (nul)
		doc.len = (size_t)(nul - doc.p);
	if (doc.len < want.len)
		return false;
	if (want.len == 0)
		return true;
	if (n->at_end)
		return memcmp(doc.p + doc.len - want.len, want.p,
		    want.len) == 0;
	return memmem(doc.p, doc.len, want.p, want.len) != NULL;
}

static int eval(struct test *t, const struct where_node *n);

static int
eval_leaf(struct test *t, const struct where_node *n)
{
	struct where_scalar v;

	if (n->op == OP_SEARCH)
		return search(t->r.document, n);
	if (n->op == OP_REGEX)
		return t->r.document.p ? regex_matches(n->regex,
		    t->r.document, t->e) : 0;
	if (value_of(t, n, &v) < 0)
		return -1;
	if (n->op == OP_IN)
		return whereset_has(&n->set, &v);
	if (n->op != OP_HAS)
		return in_order(n, &v);
	return v.type == TYPE_ARRAY ?
	    has_element(t, t->w->slot[n->slot].text, &n->want) : 0;
}

static int
eval(struct test *t, const struct where_node *n)
{
	const struct where_node *c;
	int stop, r;

	if (n->op != OP_AND && n->op != OP_OR) {
		r = eval_leaf(t, n);
		return r < 0 ? -1 : r != n->negate;
	}
	stop = n->op == OP_OR;
	for (c = n->child; c; c = c->next) {
		r = eval(t, c);
		if (r < 0 || r == stop)
			return r;
	}
	return !stop;
}

int
where_test(struct where *w, const struct where_record *r, struct err *e)
{
	struct test t = { w, *r, e };
	size_t i;

	for (i = 0; i < w->slots; i++) {
		w->slot[i].text.p = NULL;
		w->slot[i].read = false;
	}
	if (r->metadata.p && (w->slots > 0 || (r->column &&
	    (w->tree.document || w->tree.uri))) && fill_slots(&t) < 0)
		return -1;
	return eval(&t, w->tree.root);
}
