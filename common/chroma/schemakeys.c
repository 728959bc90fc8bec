/* SPDX-License-Identifier: Apache-2.0 */
/* schemakeys.c - the metadata keys that a collection's schema_str lists. */
#include "chroma/schemakeys.h"

#include <stdlib.h>
#include <string.h>

#include "stream/json.h"

/* In the order in which Chroma writes them; each has a second name. */
static const char *const type_name[SCHEMAKEYS_TYPES] = {
	"string", "int", "float", "bool",
};
static const char *const type_alias[SCHEMAKEYS_TYPES] = {
	"#string", "#int", "#float", "#bool",
};

struct addition {
	struct slice key;	/* decoded */
	size_t type;
};

static size_t
type_of(enum meta_type t)
{
	switch (t) {
	case META_INT: return 1;
	case META_FLOAT: return 2;
	case META_BOOL: return 3;
	case META_STRING:
	case META_NULL:
		break;
	}
	return 0;
}

/* Type and key as one text, in scratch. */
static struct slice
known_as(struct schemakeys *s, struct slice key, size_t type)
{
	buf_reset(&s->scratch);
	buf_addc(&s->scratch, (char)('0' + type));
	buf_add(&s->scratch, key.p, key.len);
	return buf_slice(&s->scratch);
}

/* Which types an object has entries for; -1: it is no object, *why says. */
static int
types_in(struct slice object, struct slice of[SCHEMAKEYS_TYPES],
    struct err *why)
{
	struct slice again[SCHEMAKEYS_TYPES];
	size_t i;

	if (*object.p != '{' ||
	    json_members(object, type_name, of, SCHEMAKEYS_TYPES, why) < 0 ||
	    json_members(object, type_alias, again, SCHEMAKEYS_TYPES, why) < 0)
		return -1;
	for (i = 0; i < SCHEMAKEYS_TYPES; i++) {
		if (!of[i].p)
			of[i] = again[i];
		if (slice_is(of[i], "null"))
			of[i] = (struct slice){ NULL, 0 };
	}
	return 0;
}

/* One key that is there already.  1, 0, -1 as schemakeys_open(). */
static int
learn(struct schemakeys *s, struct slice key, struct slice val, struct err *e)
{
	struct slice of[SCHEMAKEYS_TYPES];
	struct buf name = { 0 };
	struct err why;
	size_t i;
	int r = types_in(val, of, &why) == 0 &&
	    json_string(slice_of(key.p - 1, key.len + 2), &name) == 0;

	for (i = 0; r > 0 && i < SCHEMAKEYS_TYPES; i++)
		if (of[i].p && textset_add(&s->known, known_as(s,
		    buf_slice(&name), i), e) < 0)
			r = -1;
	if (r > 0 && !(buf_ok(&name) && buf_ok(&s->scratch)))
		r = err_nomem(e);
	buf_release(&name);
	return r;
}

int
schemakeys_open(struct schemakeys *s, struct slice text, struct err *e)
{
	static const char *const part[] = { "defaults", "keys",
	    "key_overrides" };
	struct slice val[3], key, of;
	struct json_iter it;
	struct err why;
	int got, r = 1;

	*s = (struct schemakeys){ .text = text };
	if (json_members(text, part, val, 3, &why) < 0)
		return 0;
	s->keys = val[1].p ? val[1] : val[2];
	if (!val[0].p || !s->keys.p || types_in(val[0], s->of_type, &why) < 0 ||
	    json_object(&it, s->keys, &why) < 0)
		return 0;
	while (r > 0 && (got = json_next(&it, &key, &of)) != 0)
		r = got < 0 ? 0 : learn(s, key, of, e);
	return r;
}

int
schemakeys_use(struct schemakeys *s, struct slice key, enum meta_type type,
    struct err *e)
{
	struct addition new = { .type = type_of(type) };
	struct slice name;
	char *copy;

	if (key.len >= 7 && memcmp(key.p, "chroma:", 7) == 0)
		return 0;
	name = known_as(s, key, new.type);
	if (!buf_ok(&s->scratch))
		return err_nomem(e);
	if (textset_has(&s->known, name))
		return 0;
	copy = arena_copy(&s->arena, key.p, key.len);
	if (!copy)
		return err_nomem(e);
	new.key = slice_of(copy, key.len);
	buf_add(&s->news, &new, sizeof(new));
	s->added++;
	return buf_ok(&s->news) ? textset_add(&s->known, name, e) :
	    err_nomem(e);
}

static int
compare_texts(struct slice a, struct slice b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int r = memcmp(a.p, b.p, n);

	return r ? r : (a.len > b.len) - (a.len < b.len);
}

static int
compare_additions(const void *a, const void *b)
{
	const struct addition *x = a, *y = b;
	int r = compare_texts(x->key, y->key);

	return r ? r : (x->type > y->type) - (x->type < y->type);
}

static int
compare_key(const void *key, const void *b)
{
	const struct slice *k = key;
	const struct addition *y = b;

	return compare_texts(*k, y->key);
}

/* The additions of one key, from a[0] on, as members of an object; empty: it
 * has none yet.  How many there are. */
static size_t
put_types(const struct schemakeys *s, const struct addition *a, size_t n,
    bool empty, struct buf *out)
{
	size_t i;

	for (i = 0; i < n && slice_eq(a[i].key, a[0].key); i++) {
		struct slice what = s->of_type[a[i].type];

		if (!what.p)
			continue;
		if (!empty)
			buf_addc(out, ',');
		empty = false;
		buf_addf(out, "\"%s\":", type_name[a[i].type]);
		buf_add(out, what.p, what.len);
	}
	return i;
}

static bool
is_empty(struct slice object)
{
	struct slice key, val;
	struct json_iter it;
	struct err ignored;

	return json_object(&it, object, &ignored) < 0 ||
	    json_next(&it, &key, &val) == 0;
}

/* Copy the text up to the end of each key that has additions, and add them in
 * front of its closing bracket.  *at is how far it came.  Additions that were
 * used lose their key. */
static int
put_known(struct schemakeys *s, struct addition *a, size_t n, const char **at,
    struct buf *out)
{
	struct slice key, val, name;
	struct buf mem = { 0 };
	struct addition *found;
	struct json_iter it;
	struct err ignored;
	bool *used = calloc(n, sizeof(*used));
	size_t i, k;
	int got = used ? json_object(&it, s->keys, &ignored) : -1;

	while (got == 0 && (got = json_next(&it, &key, &val)) > 0) {
		buf_reset(&mem);
		got = json_string(slice_of(key.p - 1, key.len + 2), &mem);
		name = buf_slice(&mem);
		found = bsearch(&name, a, n, sizeof(*a), compare_key);
		if (!found)
			continue;
		while (found > a && slice_eq(found[-1].key, name))
			found--;
		i = (size_t)(found - a);
		buf_add(out, *at, (size_t)(val.p + val.len - 1 - *at));
		*at = val.p + val.len - 1;
		for (k = put_types(s, found, n - i, is_empty(val), out); k; k--)
			used[i + k - 1] = true;
	}
	for (i = 0; used && i < n; i++)
		if (used[i])
			a[i].key.p = NULL;
	free(used);
	if (!buf_ok(&mem))
		got = -1;
	buf_release(&mem);
	return got;
}

int
schemakeys_write(struct schemakeys *s, struct buf *out, struct err *e)
{
	struct addition *a = (struct addition *)(void *)s->news.p;
	size_t n = s->added, i = 0;
	const char *at = s->text.p, *end = s->keys.p + s->keys.len - 1;
	bool first = is_empty(s->keys);

	qsort(a, n, sizeof(*a), compare_additions);
	if (put_known(s, a, n, &at, out) < 0)
		return err_nomem(e);
	buf_add(out, at, (size_t)(end - at));
	while (i < n) {
		if (!a[i].key.p) {
			i++;
			continue;
		}
		if (!first)
			buf_addc(out, ',');
		first = false;
		json_put_string(out, a[i].key);
		buf_adds(out, ":{");
		i += put_types(s, &a[i], n - i, true, out);
		buf_addc(out, '}');
	}
	buf_add(out, end, (size_t)(s->text.p + s->text.len - end));
	return buf_ok(out) ? 0 : err_nomem(e);
}

void
schemakeys_end(struct schemakeys *s)
{
	textset_release(&s->known);
	buf_release(&s->news);
	buf_release(&s->scratch);
	arena_release(&s->arena);
}
