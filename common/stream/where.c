/* SPDX-License-Identifier: Apache-2.0 */
/* where.c - Chroma's filters: a tree from JSON, and its answer to a record. */
#include "stream/where.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/f64.h"
#include "base/num.h"
#include "base/utf8.h"
#include "stream/json.h"

/* ---- the tree ---- */

enum type {
	TYPE_NONE,		/* absent, null, an object */
	TYPE_BOOL,
	TYPE_INT,
	TYPE_FLOAT,
	TYPE_STRING,
	TYPE_ARRAY,
};

/* One scalar.  Of an operand that is a number both i and f are set; which of
 * them counts is the record's choice. */
struct scalar {
	enum type type;
	bool b;
	int64_t i;
	double f;
	struct slice s;
};

enum op {
	OP_AND, OP_OR,		/* of the children */
	OP_IN,			/* value of the key is one of the set */
	OP_GT, OP_GTE, OP_LT, OP_LTE,
	OP_HAS,			/* array of the key has the element */
	OP_SEARCH,		/* the document contains the text */
};

enum source { FROM_METADATA, FROM_DOCUMENT, FROM_URI };

/* What $eq and $in compare with.  Sorted: numbers by either reading. */
struct set {
	enum type type;		/* TYPE_INT stands for both numbers */
	bool has[2];
	size_t n;
	int64_t *i;
	double *f;
	struct slice *s;
	size_t shortest;	/* bytes of the shortest of s */
};

struct node {
	enum op op;
	bool negate;
	struct node *child, *next;	/* the first; the next of my parent */
	struct node *next_leaf;		/* of those with a key */
	struct slice key;		/* as json.h has text in memory */
	enum source source;
	size_t slot;			/* FROM_METADATA: in struct where */
	struct set set;
	struct scalar want;		/* of all but OP_IN */
	bool at_end;			/* OP_SEARCH: the text ended in NUL */
};

/* A key of the metadata that the filter names, and what the record at hand
 * has there. */
struct slot {
	struct slice key;
	struct slice text;	/* of the value; absent if there is none */
	struct scalar value;	/* what text says, once it has been read */
	bool read;
};

struct where {
	struct arena mem;	/* the tree and its texts */
	struct node *root, *leaves;
	struct slot *slot;	/* by length of the key, then by bytes */
	size_t slots;
	uint64_t lengths;	/* a bit for each length of a key, mod 64 */
	struct buf scratch;
	bool document, uri;	/* are looked at */
};

/* ---- from JSON ---- */

struct parser {
	struct slice json;
	struct where *w;
	struct err *e;
};

/* Refuse the text at a place: "byte N: reason". */
static int ATTR_PRINTF(3, 4)
refuse(struct parser *p, const char *at, const char *fmt, ...)
{
	char why[ERR_MSG_SIZE / 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return err_usage(p->e, "byte %zu: %s",
	    (size_t)(at - p->json.p) + 1, why);
}

/* JSON text for a message: whole characters, at most about 40 bytes. */
#define SHOWN(s) shown_len(s), (s).p

static int
shown_len(struct slice s)
{
	size_t n = s.len;

	if (n > 40)
		for (n = 40; n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80;)
			n--;
	return (int)n;
}

static bool
is_list(struct slice val)
{
	return *val.p == '[';
}

static bool
is_object(struct slice val)
{
	return *val.p == '{';
}

/* Without the white space around it. */
static struct slice
trimmed(struct slice s)
{
	static const char space[] = " \t\r\n";

	while (s.len && memchr(space, *s.p, 4))
		s = slice_of(s.p + 1, s.len - 1);
	while (s.len && memchr(space, s.p[s.len - 1], 4))
		s.len--;
	return s;
}

/* Key and value of an object that has exactly one member.  What the object
 * is to be is said in the messages. */
static int
one_member(struct parser *p, struct slice text, const char *what,
    struct slice *key, struct slice *val)
{
	struct json_iter it;
	struct slice k, v;
	int r;

	if (!is_object(text))
		return refuse(p, text.p, "%s is an object with one member, "
		    "not %.*s", what, SHOWN(text));
	if (json_object(&it, text, p->e) < 0)
		return -1;
	r = json_next(&it, key, val);
	if (r < 0)
		return -1;
	if (r == 0)
		return refuse(p, text.p, "%s has no member, but wants exactly "
		    "one%s", what, text.p == trimmed(p->json).p ?
		    "; to select everything, leave the filter out" : "");
	r = json_next(&it, &k, &v);
	if (r < 0)
		return -1;
	if (r > 0)
		return refuse(p, k.p - 1, "%s has more than one member: put "
		    "each into an object of its own, in a list under \"$and\"",
		    what);
	return 0;
}

/* What a string says, quotes included in val, into the arena. */
static int
text_of(struct parser *p, struct slice val, struct slice *out)
{
	struct buf *b = &p->w->scratch;
	char *copy;

	buf_reset(b);
	if (json_string(val, b) < 0)
		return refuse(p, val.p, "%.*s is not a string", SHOWN(val));
	if (!buf_ok(b))
		return err_nomem(p->e);
	if (!utf8_valid(buf_slice(b).p, b->len))
		return refuse(p, val.p, "a lone surrogate, which is no "
		    "character; Chroma takes no such text");
	copy = arena_copy(&p->w->mem, b->p, b->len);
	if (!copy)
		return err_nomem(p->e);
	*out = slice_of(copy, b->len);
	return 0;
}

/* With Rust's `as i64`: toward zero, and no further than the ends. */
static int64_t
cut_to_int(double f)
{
	if (f >= 0x1p63)
		return INT64_MAX;
	return f < -0x1p63 ? INT64_MIN : (int64_t)f;
}

/* A float goes from the text to Python, from there as text to serde_json. */
static int
float_of(struct parser *p, struct slice val, bool integer, double *f)
{
	char text[F64_ROOM];
	size_t n;
	int r;

	if (integer) {
		r = f64_serde(val.p, val.len, f);
	} else if (f64_parse(val.p, val.len, f) < 0) {
		return err_nomem(p->e);
	} else {
		n = *f - *f == 0 ? f64_repr(*f, text) : 0;
		r = n ? f64_serde(text, n, f) : -2;
	}
	return r < 0 ? refuse(p, val.p, "%.*s is beyond the range of float",
	    SHOWN(val)) : 0;
}

static bool
is_integer(struct slice val)
{
	return !memchr(val.p, '.', val.len) && !memchr(val.p, 'e', val.len) &&
	    !memchr(val.p, 'E', val.len);
}

/* as_float: as one of a list of floats. */
static int
number_of(struct parser *p, struct slice val, bool as_float, struct scalar *to)
{
	uint64_t beyond;

	if (slice_is(val, "-0"))	/* an int in Python */
		val = slice_of(val.p + 1, 1);
	to->type = TYPE_INT;
	if (is_integer(val) && num_i64(val.p, val.len, &to->i) == 0) {
		to->f = (double)to->i;
		if (as_float)
			to->i = cut_to_int(to->f);
		return 0;
	}
	if (!as_float && num_u64(val.p, val.len, UINT64_MAX, &beyond) == 0)
		return refuse(p, val.p, "%.*s: Chroma takes no integer from "
		    "2^63 up to 2^64; write it with a point (%.*s.0)",
		    SHOWN(val), SHOWN(val));
	to->type = TYPE_FLOAT;
	if (float_of(p, val, is_integer(val), &to->f) < 0)
		return -1;
	to->i = cut_to_int(to->f);
	return 0;
}

/* TYPE_NONE for null; TYPE_INT for both kinds of number.  (The JSON has been
 * checked.) */
static enum type
type_of(struct slice val)
{
	switch (*val.p) {
	case '"': return TYPE_STRING;
	case 't': case 'f': return TYPE_BOOL;
	case '[': return TYPE_ARRAY;
	case '{': case 'n': return TYPE_NONE;
	default:  return TYPE_INT;
	}
}

/* The operand of op, which is one scalar. */
static int
scalar_of(struct parser *p, struct slice op, struct slice val,
    struct scalar *to)
{
	*to = (struct scalar){ .type = type_of(val) };
	switch (to->type) {
	case TYPE_STRING:
		return text_of(p, val, &to->s);
	case TYPE_BOOL:
		to->b = *val.p == 't';
		return 0;
	case TYPE_INT:
		return number_of(p, val, false, to);
	case TYPE_ARRAY:
		return refuse(p, val.p, "%.*s takes one value, not a list; "
		    "several are joined with \"$or\", or \"$in\" where they "
		    "are to be equal", SHOWN(op));
	default:
		return refuse(p, val.p, "%.*s takes a string, a number, true "
		    "or false, not %.*s%s", SHOWN(op), SHOWN(val),
		    *val.p == 'n' ? "; for records without the key there is "
		    "no operator but \"$ne\" and \"$nin\"" : "");
	}
}

/* ---- lists ---- */

static int
by_int(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int
by_float(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int
compare_text(struct slice x, struct slice y)
{
	if (x.len != y.len)
		return x.len < y.len ? -1 : 1;
	return x.len ? memcmp(x.p, y.p, x.len) : 0;
}

static int
by_text(const void *a, const void *b)
{
	return compare_text(*(const struct slice *)a, *(const struct slice *)b);
}

/* Room for n values in the set. */
static int
set_room(struct parser *p, struct set *set, enum type type, size_t n)
{
	struct arena *mem = &p->w->mem;

	set->type = type;
	if (type == TYPE_STRING) {
		set->s = arena_array(mem, n, sizeof(*set->s));
	} else if (type == TYPE_INT) {
		set->i = arena_array(mem, n, sizeof(*set->i));
		set->f = arena_array(mem, n, sizeof(*set->f));
	}
	if ((type == TYPE_STRING && !set->s) ||
	    (type == TYPE_INT && (!set->i || !set->f)))
		return err_nomem(p->e);
	return 0;
}

static void
set_add(struct set *set, const struct scalar *v)
{
	switch (set->type) {
	case TYPE_BOOL:
		set->has[v->b] = true;
		break;
	case TYPE_STRING:
		set->s[set->n] = v->s;
		break;
	default:
		set->i[set->n] = v->i;
		set->f[set->n] = v->f;
		break;
	}
	set->n++;
}

static void
set_sort(struct set *set)
{
	if (set->type == TYPE_STRING) {
		qsort(set->s, set->n, sizeof(*set->s), by_text);
		set->shortest = set->s[0].len;
	} else if (set->type == TYPE_INT) {
		qsort(set->i, set->n, sizeof(*set->i), by_int);
		qsort(set->f, set->n, sizeof(*set->f), by_float);
	}
}

static int
set_of_one(struct parser *p, struct set *set, const struct scalar *v)
{
	if (set_room(p, set, v->type == TYPE_FLOAT ? TYPE_INT : v->type, 1) < 0)
		return -1;
	set_add(set, v);
	set_sort(set);
	return 0;
}

/* Elements of a list, which are of one type as Python sees it. */
static int
count_alike(struct parser *p, struct slice op, struct slice list, size_t *n)
{
	struct slice first = { NULL, 0 }, v;
	struct json_iter it;
	int r;

	*n = 0;
	if (json_array(&it, list, p->e) < 0)
		return -1;
	while ((r = json_element(&it, &v)) > 0) {
		if ((*n)++ == 0)
			first = v;
		if (type_of(v) == TYPE_NONE || type_of(v) == TYPE_ARRAY)
			return refuse(p, v.p, "the list of %.*s holds "
			    "strings, numbers, or true and false, not %.*s",
			    SHOWN(op), SHOWN(v));
		if (type_of(v) != type_of(first) || (type_of(v) == TYPE_INT &&
		    is_integer(v) != is_integer(first)))
			return refuse(p, v.p, "the values of %.*s are of one "
			    "type; %.*s and %.*s are not%s", SHOWN(op),
			    SHOWN(first), SHOWN(v), type_of(v) == TYPE_INT &&
			    type_of(first) == TYPE_INT ? " (integers and "
			    "floats: write 1.0 for 1)" : "");
	}
	return r;
}

/* The list of $in or $nin.  The first number decides what all are: an integer
 * that is one for Python but not for serde_json makes them floats. */
static int
set_of(struct parser *p, struct slice op, struct slice list, struct set *set)
{
	struct json_iter it;
	struct scalar v;
	struct slice val;
	bool as_float = false;
	size_t n;
	int r;

	if (!is_list(list))
		return refuse(p, list.p, "%.*s takes a list, such as "
		    "[\"a\", \"b\"], not %.*s", SHOWN(op), SHOWN(list));
	if (count_alike(p, op, list, &n) < 0)
		return -1;
	if (n == 0)
		return refuse(p, list.p, "the list of %.*s is empty, which "
		    "Chroma refuses", SHOWN(op));
	if (json_array(&it, list, p->e) < 0)
		return -1;
	while ((r = json_element(&it, &val)) > 0) {
		if (set->n == 0 && set_room(p, set, type_of(val), n) < 0)
			return -1;
		v = (struct scalar){ .type = TYPE_NONE };
		if (type_of(val) == TYPE_INT)
			r = number_of(p, val, as_float, &v);
		else
			r = scalar_of(p, op, val, &v);
		if (r < 0)
			return -1;
		if (set->n == 0)
			as_float = v.type == TYPE_FLOAT;
		if (v.type == TYPE_FLOAT && !as_float)
			return refuse(p, val.p, "%.*s: an integer beyond 64 "
			    "bits in a list that begins with one within; write "
			    "all with a point", SHOWN(val));
		set_add(set, &v);
	}
	if (r == 0)
		set_sort(set);
	return r;
}

/* ---- clauses ---- */

static struct node *
new_node(struct parser *p, enum op op)
{
	struct node *n = arena_alloc(&p->w->mem, sizeof(*n));

	if (!n)
		(void)err_nomem(p->e);
	else
		n->op = op;
	return n;
}

/* A search for text that reads the document; a NUL cuts the text, and with it
 * the "%" that Chroma puts behind it. */
static void
set_search(struct parser *p, struct node *n, struct slice text)
{
	const char *nul = text.len ? memchr(text.p, '\0', text.len) : NULL;

	if (nul)
		text.len = (size_t)(nul - text.p);
	n->op = OP_SEARCH;
	n->at_end = nul != NULL;
	n->want.s = text;
	p->w->document = true;
}

typedef int clause(struct parser *p, struct slice text, struct node **to);

/* The list under $and or $or. */
static int
junction(struct parser *p, enum op op, struct slice list, clause *sub,
    struct node **to)
{
	const char *name = op == OP_AND ? "$and" : "$or";
	struct node *n = new_node(p, op);
	struct node **end;
	struct json_iter it;
	struct slice v;
	size_t count = 0;
	int r;

	if (!n)
		return -1;
	if (!is_list(list))
		return refuse(p, list.p, "\"%s\" takes a list of filters, not "
		    "%.*s", name, SHOWN(list));
	if (json_array(&it, list, p->e) < 0)
		return -1;
	end = &n->child;
	while ((r = json_element(&it, &v)) > 0) {
		if (sub(p, v, end) < 0)
			return -1;
		end = &(*end)->next;
		count++;
	}
	if (r == 0 && count < 2)
		return refuse(p, list.p, "\"%s\" wants two filters or more; "
		    "one alone stands without it", name);
	*to = n;
	return r;
}

static const struct operator {
	const char *name;
	enum op op;
	bool negate, list;
} operators[] = {
	{ "$eq", OP_IN, false, false }, { "$ne", OP_IN, true, false },
	{ "$in", OP_IN, false, true }, { "$nin", OP_IN, true, true },
	{ "$gt", OP_GT, false, false }, { "$gte", OP_GTE, false, false },
	{ "$lt", OP_LT, false, false }, { "$lte", OP_LTE, false, false },
	{ "$contains", OP_HAS, false, false },
	{ "$not_contains", OP_HAS, true, false },
};

static int
operator_of(struct parser *p, struct slice key, struct slice quoted,
    const struct operator **op)
{
	size_t i;

	for (i = 0; i < sizeof(operators) / sizeof(*operators); i++)
		if (slice_is(key, operators[i].name)) {
			*op = &operators[i];
			return 0;
		}
	if (slice_is(key, "$regex") || slice_is(key, "$not_regex"))
		return refuse(p, quoted.p, "%.*s is for documents only, in a "
		    "where_document", SHOWN(quoted));
	if (slice_is(key, "$and") || slice_is(key, "$or"))
		return refuse(p, quoted.p, "%.*s joins whole filters: "
		    "{\"$and\": [{\"k\": {\"$gt\": 1}}, {\"k\": {\"$lt\": "
		    "5}}]}", SHOWN(quoted));
	return refuse(p, quoted.p, "%.*s is not an operator; there are $eq $ne "
	    "$gt $gte $lt $lte $in $nin $contains $not_contains",
	    SHOWN(quoted));
}

/* The string index of "#document" is off in every collection. */
static int
check_document_key(struct parser *p, struct slice quoted, struct slice arg)
{
	struct json_iter it;
	struct slice first = arg;

	if (is_list(arg) && (json_array(&it, arg, p->e) < 0 ||
	    json_element(&it, &first) < 0))
		return -1;
	if (type_of(first) != TYPE_STRING)
		return 0;
	return refuse(p, quoted.p, "\"#document\" takes only $contains and "
	    "$not_contains; to compare the whole document use the key "
	    "\"chroma:document\"");
}

/* Operator and operand of the leaf. */
static int
condition(struct parser *p, struct slice op, bool list, struct slice arg,
    struct node *n)
{
	if (slice_is(n->key, "#document")) {
		if (n->op == OP_HAS) {
			if (!json_is_string(arg))
				return refuse(p, arg.p, "%.*s of \"#document\" "
				    "takes a string, not %.*s", SHOWN(op),
				    SHOWN(arg));
			if (text_of(p, arg, &n->want.s) < 0)
				return -1;
			set_search(p, n, n->want.s);
			return 0;
		}
		if (check_document_key(p, op, arg) < 0)
			return -1;
	}
	if (list)
		return set_of(p, op, arg, &n->set);
	if (scalar_of(p, op, arg, &n->want) < 0)
		return -1;
	if (n->op == OP_IN)
		return set_of_one(p, &n->set, &n->want);
	if (n->op != OP_HAS && n->want.type != TYPE_INT &&
	    n->want.type != TYPE_FLOAT)
		return refuse(p, arg.p, "%.*s compares numbers only, not %.*s",
		    SHOWN(op), SHOWN(arg));
	return 0;
}

static void
add_leaf(struct where *w, struct node *n)
{
	if (slice_is(n->key, "chroma:document")) {
		n->source = FROM_DOCUMENT;
		w->document = true;
	} else if (slice_is(n->key, "chroma:uri")) {
		n->source = FROM_URI;
		w->uri = true;
	} else if (n->op != OP_SEARCH) {
		n->next_leaf = w->leaves;
		w->leaves = n;
	}
}

static int
leaf(struct parser *p, struct slice key, struct slice quoted, struct slice val,
    struct node **to)
{
	const struct operator *o = operators;	/* $eq */
	struct node *n = new_node(p, OP_IN);
	struct slice op = quoted, name, arg = val;

	if (!n)
		return -1;
	n->key = key;
	if (is_list(val))
		return refuse(p, val.p, "%.*s: a list is no operand by itself; "
		    "write {\"$in\": [...]}", SHOWN(quoted));
	if (is_object(val)) {
		if (one_member(p, val, "the condition on a key", &name,
		    &arg) < 0)
			return -1;
		op = slice_of(name.p - 1, name.len + 2);
		if (text_of(p, op, &name) < 0 ||
		    operator_of(p, name, op, &o) < 0)
			return -1;
	}
	n->op = o->op;
	n->negate = o->negate;
	if (condition(p, op, o->list, arg, n) < 0)
		return -1;
	add_leaf(p->w, n);
	*to = n;
	return 0;
}

/* A where. */
static int
metadata_clause(struct parser *p, struct slice text, struct node **to)
{
	struct slice key, val, quoted;

	if (one_member(p, text, "a filter", &key, &val) < 0)
		return -1;
	quoted = slice_of(key.p - 1, key.len + 2);
	if (text_of(p, quoted, &key) < 0)
		return -1;
	if (slice_is(key, "$and") || slice_is(key, "$or"))
		return junction(p, slice_is(key, "$and") ? OP_AND : OP_OR, val,
		    metadata_clause, to);
	if (key.len > 0 && *key.p == '$')
		return refuse(p, quoted.p, "%.*s is no key of metadata%s",
		    SHOWN(quoted), slice_is(key, "$contains") ||
		    slice_is(key, "$not_contains") ? "; documents are "
		    "searched with where_document, or with the key "
		    "\"#document\"" : ": none begins with \"$\"; conditions "
		    "are written {\"key\": {\"$gt\": 1}}");
	return leaf(p, key, quoted, val, to);
}

/* A where_document. */
static int
document_clause(struct parser *p, struct slice text, struct node **to)
{
	struct slice key, val, quoted, want;
	struct node *n;
	bool negate;

	if (one_member(p, text, "a document filter", &key, &val) < 0)
		return -1;
	quoted = slice_of(key.p - 1, key.len + 2);
	if (text_of(p, quoted, &key) < 0)
		return -1;
	if (slice_is(key, "$and") || slice_is(key, "$or"))
		return junction(p, slice_is(key, "$and") ? OP_AND : OP_OR, val,
		    document_clause, to);
	negate = slice_is(key, "$not_contains");
	if (!negate && !slice_is(key, "$contains"))
		return refuse(p, quoted.p, "%.*s is not an operator on "
		    "documents; there are $contains $not_contains $regex "
		    "$not_regex $and $or", SHOWN(quoted));
	if (!json_is_string(val) || val.len == 2)
		return refuse(p, val.p, "%.*s takes a string that is not "
		    "empty, not %.*s", SHOWN(quoted), SHOWN(val));
	n = new_node(p, OP_SEARCH);
	if (!n || text_of(p, val, &want) < 0)
		return -1;
	n->negate = negate;
	set_search(p, n, want);
	*to = n;
	return 0;
}

/* ---- keys ---- */

/* Give each key of the metadata its slot. */
static int
make_slots(struct where *w, struct err *e)
{
	struct slice *key;
	struct node *n;
	size_t count = 0, i;

	for (n = w->leaves; n; n = n->next_leaf)
		count++;
	key = arena_array(&w->mem, count, sizeof(*key));
	w->slot = arena_array(&w->mem, count, sizeof(*w->slot));
	if (!key || !w->slot)
		return err_nomem(e);
	count = 0;
	for (n = w->leaves; n; n = n->next_leaf)
		key[count++] = n->key;
	qsort(key, count, sizeof(*key), by_text);
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
		c = compare_text(key, w->slot[mid].key);
		if (c == 0)
			return &w->slot[mid];
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

/* JSON that is none, in the words of who wrote it as Python has it. */
static int
not_json(struct slice json, struct err *e)
{
	static const struct {
		const char *text, *say;
	} python[] = {
		{ "'", "strings of JSON stand in double quotes" },
		{ "True", "JSON writes true" },
		{ "False", "JSON writes false" },
		{ "None", "JSON writes null, which Chroma does not filter by" },
		{ "NaN", "Chroma does not filter by NaN" },
		{ "Infinity", "Chroma does not filter by infinity" },
	};
	size_t at, n, i;

	e->status = STATUS_USAGE;
	if (sscanf(e->msg, "byte %zu:", &at) != 1 || at == 0 || at > json.len)
		return -1;
	for (i = 0; i < sizeof(python) / sizeof(*python); i++) {
		n = strlen(python[i].text);
		if (json.len - (at - 1) >= n &&
		    memcmp(json.p + at - 1, python[i].text, n) == 0)
			return err_usage(e, "byte %zu: %s", at, python[i].say);
	}
	return -1;
}

int
where_parse(struct where **to, struct slice json, enum where_kind kind,
    struct err *e)
{
	struct where *w = calloc(1, sizeof(*w));
	struct parser p = { json, w, e };
	struct node *n;
	int r;

	if (!w)
		return err_nomem(e);
	if (!utf8_valid(json.p, json.len)) {
		r = err_usage(e, "the filter is not UTF-8");
	} else if (json_compact(json, &w->scratch, e) < 0) {
		r = buf_ok(&w->scratch) ? not_json(json, e) : err_nomem(e);
	} else {
		r = (kind == WHERE_METADATA ? metadata_clause :
		    document_clause)(&p, trimmed(json), &w->root);
	}
	if (r == 0)
		r = make_slots(w, e);
	if (r < 0) {
		where_free(w);
		return -1;
	}
	for (n = w->leaves; n; n = n->next_leaf)
		n->slot = (size_t)(find_slot(w, n->key) - w->slot);
	*to = w;
	return 0;
}

void
where_free(struct where *w)
{
	if (!w)
		return;
	arena_release(&w->mem);
	buf_release(&w->scratch);
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
	return w->document;
}

bool
where_needs_uri(const struct where *w)
{
	return w->uri;
}

/* ---- one record ---- */

struct test {
	struct where *w;
	const struct where_record *r;
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
	buf_reset(&w->scratch);
	(void)!json_string(val, &w->scratch);
	*out = buf_slice(&w->scratch);
	return buf_ok(&w->scratch) ? 0 : err_nomem(e);
}

/* Find the values of the keys that the filter names. */
static int
fill_slots(struct where *w, struct slice text, struct err *e)
{
	bool escapes = memchr(text.p, '\\', text.len) != NULL;
	struct json_iter it;
	struct slice key, val;
	struct slot *slot;
	int r;

	if (json_object(&it, text, e) < 0)
		return -1;
	it.nonfinite = true;
	while ((r = json_next(&it, &key, &val)) > 0) {
		if (escapes && plain_text(w, slice_of(key.p - 1, key.len + 2),
		    &key, e) < 0)
			return -1;
		slot = find_slot(w, key);
		if (slot)
			slot->text = val;
	}
	return r;
}

static int
bad_value(struct test *t, struct slice val)
{
	return err_data(t->e, "byte %zu: %.*s is not a value of JSON",
	    (size_t)(val.p - t->r->metadata.p) + 1, SHOWN(val));
}

/* A number of the record; TYPE_NONE for what Chroma would not keep. */
static int
read_number(struct test *t, struct slice val, struct scalar *to)
{
	int r;

	if (slice_is(val, "NaN") || slice_is(val, "Infinity") ||
	    slice_is(val, "-Infinity"))
		return 0;
	if (num_i64(val.p, val.len, &to->i) == 0) {
		to->type = TYPE_INT;
		return 0;
	}
	r = t->r->stored ? f64_parse(val.p, val.len, &to->f) :
	    f64_serde(val.p, val.len, &to->f);
	if (r == -1)
		return bad_value(t, val);
	if (r == 0 && to->f - to->f == 0)
		to->type = TYPE_FLOAT;
	return 0;
}

/* One scalar of the record, but for the text of strings. */
static int
read_scalar(struct test *t, struct slice val, struct scalar *to)
{
	*to = (struct scalar){ .type = TYPE_NONE };
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
value_of(struct test *t, const struct node *n, struct scalar *to)
{
	struct slot *slot = &t->w->slot[n->slot];
	struct slice text;

	if (n->source != FROM_METADATA) {
		text = n->source == FROM_URI ? t->r->uri : t->r->document;
		*to = (struct scalar){ .s = text,
		    .type = text.p ? TYPE_STRING : TYPE_NONE };
		return 0;
	}
	*to = (struct scalar){ .type = TYPE_NONE };
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
in_set(const struct set *set, const struct scalar *v)
{
	switch (v->type) {
	case TYPE_BOOL:
		return set->type == TYPE_BOOL && set->has[v->b];
	case TYPE_INT:
		return set->type == TYPE_INT && bsearch(&v->i, set->i, set->n,
		    sizeof(*set->i), by_int);
	case TYPE_FLOAT:
		return set->type == TYPE_INT && bsearch(&v->f, set->f, set->n,
		    sizeof(*set->f), by_float);
	case TYPE_STRING:
		return set->type == TYPE_STRING && bsearch(&v->s, set->s,
		    set->n, sizeof(*set->s), by_text);
	default:
		return false;
	}
}

static bool
in_order(const struct node *n, const struct scalar *v)
{
	int c;

	if (v->type == TYPE_INT)
		c = by_int(&v->i, &n->want.i);
	else if (v->type == TYPE_FLOAT)
		c = by_float(&v->f, &n->want.f);
	else
		return false;
	switch (n->op) {
	case OP_GT:  return c > 0;
	case OP_GTE: return c >= 0;
	case OP_LT:  return c < 0;
	default:     return c <= 0;
	}
}

/* The element, by the types that both have; whether it is the operand. */
static int
is_element(struct test *t, const struct scalar *v, const struct scalar *want)
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
has_element(struct test *t, struct slice array, const struct scalar *want)
{
	unsigned types = 0;
	struct json_iter it;
	struct scalar v;
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
search(struct slice doc, const struct node *n)
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

static int eval(struct test *t, const struct node *n);

static int
eval_leaf(struct test *t, const struct node *n)
{
	struct scalar v;

	if (n->op == OP_SEARCH)
		return search(t->r->document, n);
	if (value_of(t, n, &v) < 0)
		return -1;
	if (n->op == OP_IN)
		return in_set(&n->set, &v);
	if (n->op != OP_HAS)
		return in_order(n, &v);
	return v.type == TYPE_ARRAY ?
	    has_element(t, t->w->slot[n->slot].text, &n->want) : 0;
}

static int
eval(struct test *t, const struct node *n)
{
	const struct node *c;
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
	struct test t = { w, r, e };
	size_t i;

	for (i = 0; i < w->slots; i++) {
		w->slot[i].text.p = NULL;
		w->slot[i].read = false;
	}
	if (w->slots > 0 && r->metadata.p &&
	    fill_slots(w, r->metadata, e) < 0)
		return -1;
	return eval(&t, w->root);
}
