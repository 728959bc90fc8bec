/* SPDX-License-Identifier: Apache-2.0 */
/* metavalues.c - the metadata of a log row as typed values. */
#include "chroma/metavalues.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/f64.h"
#include "base/num.h"
#include "base/utf8.h"
#include "chroma/wal.h"
#include "stream/json.h"

/* What is wrong with a text, in words; NULL: nothing. */
typedef const char *fault;

static fault
not_json(void)
{
	return wal_poison_what(POISON_JSON);
}

static fault
decode_text(struct metavalues *m, struct slice val, struct slice *out)
{
	size_t start = m->mem.len;

	*out = slice_of(val.p + 1, val.len - 2);
	if (!memchr(val.p, '\\', val.len))
		return NULL;
	/* there is room: see metavalues_parse() */
	if (json_string(val, &m->mem) < 0)
		return not_json();
	*out = slice_of(m->mem.p + start, m->mem.len - start);
	return utf8_valid(out->p, out->len) ? NULL :
	    "metadata with half of a surrogate pair";
}

static bool
integral(struct slice val)
{
	size_t i;

	for (i = 0; i < val.len; i++)
		if (val.p[i] == '.' || val.p[i] == 'e' || val.p[i] == 'E')
			return false;
	return true;
}

/* serde_json: an integer that is no i64 becomes a double, as -0 does. */
static fault
rust_number(struct slice val, struct meta_scalar *v)
{
	int r;

	v->type = META_INT;
	if (num_i64(val.p, val.len, &v->i) == 0)
		return NULL;
	v->type = META_FLOAT;
	r = f64_serde(val.p, val.len, &v->real);
	return r == -2 ? "a number beyond the range of double" :
	    r < 0 ? not_json() : NULL;
}

/* Python's json: integers have any size, and SQLite's module then refuses
 * what is no i64; doubles overflow to infinity. */
static fault
python_number(struct slice val, struct meta_scalar *v)
{
	v->type = META_FLOAT;
	if (slice_is(val, "NaN"))
		v->real = (double)NAN;
	else if (slice_is(val, "Infinity"))
		v->real = HUGE_VAL;
	else if (slice_is(val, "-Infinity"))
		v->real = -HUGE_VAL;
	else if (f64_parse(val.p, val.len, &v->real) < 0)
		return not_json();
	else if (integral(val)) {
		v->type = META_INT;
		if (num_i64(val.p, val.len, &v->i) < 0 &&
		    !slice_is(val, "-0"))
			return "an integer beyond 64 bits, which Chroma "
			    "before 1.0 cannot store";
	}
	return NULL;
}

static fault
scalar(struct metavalues *m, struct slice val, const struct meta_dialect *d,
    struct meta_scalar *v)
{
	*v = (struct meta_scalar){ .type = META_NULL };
	if (*val.p == '"') {
		v->type = META_STRING;
		return decode_text(m, val, &v->text);
	}
	if (slice_is(val, "true") || slice_is(val, "false")) {
		v->type = META_BOOL;
		v->i = *val.p == 't';
		return NULL;
	}
	if (slice_is(val, "null"))
		return NULL;
	return d->rust ? rust_number(val, v) : python_number(val, v);
}

/* An element that makes a list of one type into one of another: integers
 * beside floats are floats, all else does not go together. */
static bool
agree(struct metavalues *m, struct meta_value *list,
    const struct meta_scalar *v)
{
	struct meta_scalar *all;
	size_t i;

	if (v->type == META_NULL)
		return false;
	if (list->n == 0)
		list->v.type = v->type;
	if (list->v.type == v->type ||
	    (list->v.type == META_FLOAT && v->type == META_INT))
		return true;
	if (list->v.type != META_INT || v->type != META_FLOAT)
		return false;
	list->v.type = META_FLOAT;
	all = (struct meta_scalar *)(void *)m->elements.p + list->first;
	for (i = 0; i < list->n; i++) {
		all[i].type = META_FLOAT;
		all[i].real = (double)all[i].i;
	}
	return true;
}

static fault
list_value(struct metavalues *m, struct slice val,
    const struct meta_dialect *d, struct meta_value *list)
{
	struct meta_scalar v;
	struct json_iter it;
	struct slice text;
	struct err ignored;
	fault f;
	int got;

	if (!d->lists)
		return "a list, which Chroma knows from 1.5 on";
	*list = (struct meta_value){ .key = list->key, .list = true,
	    .v = { .type = META_BOOL },
	    .first = m->elements.len / sizeof(v) };
	got = json_array(&it, val, &ignored);
	while (got == 0 && (got = json_element(&it, &text)) > 0) {
		if (*text.p == '[' || *text.p == '{')
			return wal_poison_what(POISON_NESTED);
		f = scalar(m, text, d, &v);
		if (f)
			return f;
		if (!agree(m, list, &v))
			return "a list of values of different types";
		if (list->v.type == META_FLOAT && v.type == META_INT) {
			v.type = META_FLOAT;
			v.real = (double)v.i;
		}
		buf_add(&m->elements, &v, sizeof(v));
		list->n++;
		got = buf_ok(&m->elements) ? 0 : -1;
	}
	return got < 0 ? not_json() : NULL;
}

static fault
member(struct metavalues *m, struct slice key, struct slice val,
    const struct meta_dialect *d)
{
	struct meta_value v = { .list = false };
	bool document;
	fault f = decode_text(m, slice_of(key.p - 1, key.len + 2), &v.key);

	if (f)
		return f;
	document = slice_is(v.key, "chroma:document");
	m->no_document |= document && !d->rust && slice_is(val, "null");
	if (document && *val.p != '"' && !m->no_document)
		return "a document that is not text";
	if (!d->rust && (*val.p == '[' || *val.p == '{'))
		return NULL;
	if (*val.p == '{')
		return wal_poison_what(POISON_NESTED);
	f = *val.p == '[' ? list_value(m, val, d, &v) :
	    scalar(m, val, d, &v.v);
	if (f)
		return f;
	if (document && !m->no_document)
		m->document = v.v.text;
	buf_add(&m->values, &v, sizeof(v));
	return NULL;
}

static int
compare_keys(const void *a, const void *b)
{
	const struct slice *x = a, *y = b;
	size_t n = x->len < y->len ? x->len : y->len;
	int r = memcmp(x->p, y->p, n);

	return r ? r : (x->len > y->len) - (x->len < y->len);
}

static bool
key_twice(struct metavalues *m)
{
	struct slice *key;
	size_t i;

	if (m->n < 2)
		return false;
	buf_reset(&m->keys);
	for (i = 0; i < m->n; i++)
		buf_add(&m->keys, &m->value[i].key, sizeof(*key));
	if (!buf_ok(&m->keys))
		return false;
	key = (struct slice *)(void *)m->keys.p;
	qsort(key, m->n, sizeof(*key), compare_keys);
	for (i = 1; i < m->n; i++)
		if (compare_keys(&key[i - 1], &key[i]) == 0)
			return true;
	return false;
}

static fault
members(struct metavalues *m, struct slice text, const struct meta_dialect *d)
{
	struct json_iter it;
	struct slice key, val;
	struct err ignored;
	fault f;
	int got;

	if (!utf8_valid(text.p, text.len))
		return wal_poison_what(POISON_TEXT);
	got = json_object(&it, text, &ignored);
	it.nonfinite = !d->rust;
	while (got == 0 && (got = json_next(&it, &key, &val)) > 0) {
		f = member(m, key, val, d);
		if (f)
			return f;
		got = 0;
	}
	if (got < 0)
		return not_json();
	m->value = (struct meta_value *)(void *)m->values.p;
	m->n = m->values.len / sizeof(*m->value);
	return key_twice(m) ? "metadata with a key twice" : NULL;
}

int
metavalues_parse(struct metavalues *m, struct slice text,
    const struct meta_dialect *d, const char **why, struct err *e)
{
	buf_reset(&m->values);
	buf_reset(&m->elements);
	buf_reset(&m->mem);
	m->n = 0;
	m->no_document = false;
	m->document = (struct slice){ NULL, 0 };
	/* decoded texts are never longer: so none of them moves afterwards */
	if (text.len && !buf_room(&m->mem, text.len))
		return err_nomem(e);
	*why = members(m, text, d);
	if (!buf_ok(&m->values) || !buf_ok(&m->elements) || !buf_ok(&m->keys))
		return err_nomem(e);
	return *why ? 0 : 1;
}

const struct meta_scalar *
metavalues_element(const struct metavalues *m, size_t i)
{
	return (const struct meta_scalar *)(const void *)m->elements.p + i;
}

void
metavalues_release(struct metavalues *m)
{
	buf_release(&m->values);
	buf_release(&m->elements);
	buf_release(&m->mem);
	buf_release(&m->keys);
	*m = (struct metavalues){ 0 };
}
