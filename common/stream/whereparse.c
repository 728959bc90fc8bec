/* SPDX-License-Identifier: Apache-2.0 */
/* whereparse.c - a filter as a tree. */
#include "stream/whereparse.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/f64.h"
#include "base/num.h"
#include "base/utf8.h"
#include "stream/json.h"

struct parser {
	struct slice json;
	struct where_tree *t;
	struct err *e;
};

/* Refuse the text at a place: "byte N: reason".  -1. */
#define refuse(...) (say(__VA_ARGS__), -1)

static void ATTR_PRINTF(3, 4)
say(struct parser *p, const char *at, const char *fmt, ...)
{
	char why[ERR_MSG_SIZE / 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	(void)err_usage(p->e, "byte %zu: %s", (size_t)(at - p->json.p) + 1,
	    why);
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

	*key = *val = (struct slice){ NULL, 0 };
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
	struct buf *b = &p->t->scratch;
	char *copy;

	buf_reset(b);
	if (json_string(val, b) < 0)
		return refuse(p, val.p, "%.*s is not a string", SHOWN(val));
	if (!buf_ok(b))
		return err_nomem(p->e);
	if (!utf8_valid(buf_slice(b).p, b->len))
		return refuse(p, val.p, "a lone surrogate, which is no "
		    "character; Chroma takes no such text");
	copy = arena_copy(&p->t->mem, b->p, b->len);
	if (!copy)
		return err_nomem(p->e);
	*out = slice_of(copy, b->len);
	return 0;
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
number_of(struct parser *p, struct slice val, bool as_float,
    struct where_scalar *to)
{
	uint64_t beyond;
	int64_t i;
	double f;

	if (slice_is(val, "-0"))	/* an int in Python */
		val = slice_of(val.p + 1, 1);
	if (is_integer(val) && !as_float) {
		if (num_i64(val.p, val.len, &i) == 0) {
			*to = whereset_int(i);
			return 0;
		}
		if (num_u64(val.p, val.len, UINT64_MAX, &beyond) == 0)
			return refuse(p, val.p, "%.*s: Chroma takes no "
			    "integer from 2^63 up to 2^64; write it with a "
			    "point (%.*s.0)", SHOWN(val), SHOWN(val));
	}
	if (float_of(p, val, is_integer(val), &f) < 0)
		return -1;
	*to = whereset_float(f);
	return 0;
}

/* TYPE_NONE for null; TYPE_INT for both kinds of number.  (The JSON has been
 * checked.) */
static enum where_type
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
    struct where_scalar *to)
{
	*to = (struct where_scalar){ .type = type_of(val) };
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
set_of(struct parser *p, struct slice op, struct slice list,
    struct where_set *set)
{
	struct json_iter it;
	struct where_scalar v;
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
		if (set->n == 0 && whereset_room(set, &p->t->mem, type_of(val),
		    n, p->e) < 0)
			return -1;
		v = (struct where_scalar){ .type = TYPE_NONE };
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
		whereset_add(set, &v);
	}
	if (r == 0)
		whereset_sort(set);
	return r;
}

/* ---- clauses ---- */

static struct where_node *
new_node(struct parser *p, enum where_op op)
{
	struct where_node *n = arena_alloc(&p->t->mem, sizeof(*n));

	if (!n)
		(void)err_nomem(p->e);
	else
		n->op = op;
	return n;
}

/* A search for text that reads the document; a NUL cuts the text, and with it
 * the "%" that Chroma puts behind it. */
static void
set_search(struct parser *p, struct where_node *n, struct slice text)
{
	const char *nul = text.len ? memchr(text.p, '\0', text.len) : NULL;

	if (nul)
		text.len = (size_t)(nul - text.p);
	n->op = OP_SEARCH;
	n->at_end = nul != NULL;
	n->want.s = text;
	p->t->document = true;
}

typedef int clause(struct parser *p, struct slice text, struct where_node **to);

/* The list under $and or $or. */
static int
junction(struct parser *p, enum where_op op, struct slice list, clause *sub,
    struct where_node **to)
{
	const char *name = op == OP_AND ? "$and" : "$or";
	struct where_node *n = new_node(p, op);
	struct where_node **end;
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
	enum where_op op;
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
    struct where_node *n)
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
	if (n->op == OP_IN) {
		if (whereset_room(&n->set, &p->t->mem, n->want.type, 1,
		    p->e) < 0)
			return -1;
		whereset_add(&n->set, &n->want);
		whereset_sort(&n->set);
		return 0;
	}
	if (n->op != OP_HAS && n->want.type != TYPE_INT &&
	    n->want.type != TYPE_FLOAT)
		return refuse(p, arg.p, "%.*s compares numbers only, not %.*s",
		    SHOWN(op), SHOWN(arg));
	return 0;
}

static void
add_leaf(struct where_tree *t, struct where_node *n)
{
	if (slice_is(n->key, "chroma:document")) {
		n->source = FROM_DOCUMENT;
		t->document = true;
	} else if (slice_is(n->key, "chroma:uri")) {
		n->source = FROM_URI;
		t->uri = true;
	} else if (n->op != OP_SEARCH) {
		n->next_leaf = t->leaves;
		t->leaves = n;
	}
}

static int
leaf(struct parser *p, struct slice key, struct slice quoted, struct slice val,
    struct where_node **to)
{
	const struct operator *o = operators;	/* $eq */
	struct where_node *n = new_node(p, OP_IN);
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
	add_leaf(p->t, n);
	*to = n;
	return 0;
}

/* What every filter begins with: its one member, whose value may be a list of
 * others like it.  1 if it was one, and is done; 0 and its key, decoded and as
 * it stands, and its value; -1. */
static int
one_clause(struct parser *p, struct slice text, const char *what, clause *self,
    struct slice *key, struct slice *quoted, struct slice *val,
    struct where_node **to)
{
	if (one_member(p, text, what, key, val) < 0)
		return -1;
	*quoted = slice_of(key->p - 1, key->len + 2);
	if (text_of(p, *quoted, key) < 0)
		return -1;
	if (!slice_is(*key, "$and") && !slice_is(*key, "$or"))
		return 0;
	return junction(p, slice_is(*key, "$and") ? OP_AND : OP_OR, *val, self,
	    to) < 0 ? -1 : 1;
}

/* A where. */
static int
metadata_clause(struct parser *p, struct slice text, struct where_node **to)
{
	struct slice key, val, quoted;
	int got = one_clause(p, text, "a filter", metadata_clause, &key,
	    &quoted, &val, to);

	if (got != 0)
		return got < 0 ? -1 : 0;
	if (key.len > 0 && *key.p == '$')
		return refuse(p, quoted.p, "%.*s is no key of metadata%s",
		    SHOWN(quoted), slice_is(key, "$contains") ||
		    slice_is(key, "$not_contains") ? "; documents are "
		    "searched with where_document, or with the key "
		    "\"#document\"" : ": none begins with \"$\"; conditions "
		    "are written {\"key\": {\"$gt\": 1}}");
	return leaf(p, key, quoted, val, to);
}

/* A pattern in the language of regex.h. */
static int
set_regex(struct parser *p, struct where_node *n, struct slice quoted,
    struct slice pattern)
{
	char why[ERR_MSG_SIZE / 2];

	if (regex_compile(&n->regex, pattern, p->e) < 0) {
		if (p->e->status != STATUS_USAGE)
			return -1;
		snprintf(why, sizeof(why), "%.500s", p->e->msg);
		return refuse(p, quoted.p, "pattern: %s", why);
	}
	n->op = OP_REGEX;
	n->next_regex = p->t->regexes;
	p->t->regexes = n;
	p->t->document = true;
	return 0;
}

static const struct {
	const char *name;
	bool negate, regex;
} document_operators[] = {
	{ "$contains", false, false }, { "$not_contains", true, false },
	{ "$regex", false, true }, { "$not_regex", true, true },
};

/* The search that the member of a where_document asks for. */
static int
document_leaf(struct parser *p, struct slice name, struct slice quoted,
    struct slice val, struct where_node **to)
{
	const size_t count = sizeof(document_operators) /
	    sizeof(*document_operators);
	struct slice want = { NULL, 0 };
	struct where_node *n;
	size_t i;

	for (i = 0; i < count; i++)
		if (slice_is(name, document_operators[i].name))
			break;
	if (i == count)
		return refuse(p, quoted.p, "%.*s is not an operator on "
		    "documents; there are $contains $not_contains $regex "
		    "$not_regex $and $or", SHOWN(quoted));
	if (!json_is_string(val) || val.len == 2)
		return refuse(p, val.p, "%.*s takes a string that is not "
		    "empty, not %.*s", SHOWN(quoted), SHOWN(val));
	n = new_node(p, OP_SEARCH);
	if (!n || text_of(p, val, &want) < 0)
		return -1;
	n->negate = document_operators[i].negate;
	*to = n;
	if (document_operators[i].regex)
		return set_regex(p, n, val, want);
	set_search(p, n, want);
	return 0;
}

/* A where_document. */
static int
document_clause(struct parser *p, struct slice text, struct where_node **to)
{
	struct slice key, val, quoted;
	int got = one_clause(p, text, "a document filter", document_clause,
	    &key, &quoted, &val, to);

	if (got != 0)
		return got < 0 ? -1 : 0;
	return document_leaf(p, key, quoted, val, to);
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
whereparse(struct where_tree *t, struct slice json, enum where_kind kind,
    struct err *e)
{
	struct parser p = { json, t, e };

	if (!json.p || !utf8_valid(json.p, json.len))
		return err_usage(e, "the filter is not UTF-8");
	if (json_compact(json, &t->scratch, e) < 0)
		return buf_ok(&t->scratch) ? not_json(json, e) : err_nomem(e);
	return (kind == WHERE_METADATA ? metadata_clause :
	    document_clause)(&p, trimmed(json), &t->root);
}

void
whereparse_release(struct where_tree *t)
{
	struct where_node *n;

	for (n = t->regexes; n; n = n->next_regex)
		regex_free(n->regex);
	arena_release(&t->mem);
	buf_release(&t->scratch);
	*t = (struct where_tree){ 0 };
}
