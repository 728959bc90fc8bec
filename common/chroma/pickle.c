/* SPDX-License-Identifier: Apache-2.0 */
/* pickle.c - the one pickle that Chroma writes. */
#include "chroma/pickle.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/rd.h"
#include "base/utf8.h"

#define MODULE "chromadb.segment.impl.vector.local_persistent_hnsw"
#define CLASS "PersistentData"

enum {			/* the opcodes by their names in pickletools */
	PROTO = 0x80, FRAME = 0x95, MARK = '(', STOP = '.', EMPTY_DICT = '}',
	SETITEM = 's', SETITEMS = 'u', SHORT_BINUNICODE = 0x8c,
	BINUNICODE = 'X', BINUNICODE8 = 0x8d, MEMOIZE = 0x94, BINPUT = 'q',
	LONG_BINPUT = 'r', BINGET = 'h', LONG_BINGET = 'j', BININT = 'J',
	BININT1 = 'K', BININT2 = 'M', LONG1 = 0x8a, NONE = 'N',
	EMPTY_TUPLE = ')', GLOBAL = 'c', STACK_GLOBAL = 0x93, NEWOBJ = 0x81,
	BUILD = 'b',
};

enum kind { K_NONE, K_INT, K_STR, K_DICT, K_TUPLE, K_CLASS, K_OBJECT, K_MARK };

/* A value: 16 bytes, as there are millions. */
struct value {
	uint32_t kind;
	uint32_t len;		/* K_STR */
	union {
		int64_t i;	/* K_INT; K_DICT: its number */
		const char *s;	/* K_STR */
	} u;
};

/* A dict holds either numbers by string, strings by number, or (the state)
 * anything by string; entries beyond these are errors. */
struct dict {
	size_t n;		/* pairs put in */
	struct buf pairs;	/* struct pickle_pair, if kept */
	bool by_number;		/* keys are numbers */
};

#define DICTS_MAX 16		/* Chroma's file has four */
#define FIELDS_MAX 16
#define ODD_MAX 1000

struct machine {
	const uint8_t *base;
	struct rd rd;
	struct buf stack, memo;		/* struct value */
	struct dict dict[DICTS_MAX];
	size_t dicts;
	struct {
		struct value key, val;
	} state[FIELDS_MAX];
	size_t fields;
	int64_t state_dict;		/* which dict has named fields; -1 */
	size_t values, odd;		/* made so far; of them None and so on */
	bool want_maps, class_form;
	int protocol;
	struct err *e;
};

static int
bad(struct machine *m, const char *why)
{
	return err_data(m->e, "+%zu: %s", (size_t)(m->rd.p - m->base), why);
}

static size_t
depth(const struct machine *m)
{
	return m->stack.len / sizeof(struct value);
}

static struct value *
at(struct machine *m, size_t i)
{
	return (struct value *)(void *)m->stack.p + i;
}

static int
push(struct machine *m, struct value v)
{
	/* in bulk there are only numbers and strings: anything else, a byte
	 * each, would be a way to make little input need much memory */
	m->values++;
	if (v.kind != K_INT && v.kind != K_STR && m->odd++ > m->values / 100 +
	    ODD_MAX)
		return bad(m, "more marks and empty values than an index has");
	buf_add(&m->stack, &v, sizeof(v));
	return buf_ok(&m->stack) ? 0 : err_nomem(m->e);
}

static int
pop(struct machine *m, struct value *v)
{
	if (depth(m) == 0)
		return bad(m, "takes from an empty stack");
	*v = *at(m, depth(m) - 1);
	m->stack.len -= sizeof(*v);
	return 0;
}

static int
push_int(struct machine *m, int64_t i)
{
	return push(m, (struct value){ .kind = K_INT, .u.i = i });
}

static int
push_string(struct machine *m, uint64_t len)
{
	const char *s;

	if (len > UINT32_MAX)
		return bad(m, "a string of more than 4 GiB");
	s = (const char *)rd_bytes(&m->rd, (size_t)len);
	if (!s)
		return bad(m, "truncated inside a string");
	if (!utf8_valid(s, (size_t)len))
		return bad(m, "a string that is not UTF-8");
	return push(m, (struct value){ .kind = K_STR, .len = (uint32_t)len,
	    .u.s = s });
}

/* A two's complement integer of n bytes; longer ones than int64 only if they
 * are zero-padded, as serde-pickle writes u64. */
static int
push_long(struct machine *m, size_t n)
{
	const uint8_t *p = rd_bytes(&m->rd, n);
	uint64_t v = 0;
	size_t i;

	if (!p)
		return bad(m, "truncated inside an integer");
	if (n > 8 && (n > 9 || p[8] != 0 || p[7] & 0x80))
		return bad(m, "an integer beyond 64 bits");
	for (i = 0; i < n && i < 8; i++)
		v |= (uint64_t)p[i] << (8 * i);
	if (n > 0 && n < 8 && p[n - 1] & 0x80)
		v |= UINT64_MAX << (8 * n);
	return push_int(m, (int64_t)v);
}

static int
memo_put(struct machine *m, uint64_t i)
{
	size_t n = m->memo.len / sizeof(struct value);

	if (depth(m) == 0)
		return bad(m, "remembers from an empty stack");
	if (i > n || n >= m->values)
		return bad(m, "memo entries out of order");
	if (i == n)
		buf_add(&m->memo, at(m, depth(m) - 1), sizeof(struct value));
	else
		memcpy(m->memo.p + i * sizeof(struct value),
		    at(m, depth(m) - 1), sizeof(struct value));
	return buf_ok(&m->memo) ? 0 : err_nomem(m->e);
}

static int
memo_get(struct machine *m, uint64_t i)
{
	struct value v;

	if (i >= m->memo.len / sizeof(v))
		return bad(m, "a memo entry that was never made");
	memcpy(&v, m->memo.p + i * sizeof(v), sizeof(v));
	return push(m, v);
}

static int
push_dict(struct machine *m)
{
	if (m->dicts == DICTS_MAX)
		return bad(m, "more dicts than an index has");
	return push(m, (struct value){ .kind = K_DICT,
	    .u.i = (int64_t)m->dicts++ });
}

static int
check_class(struct machine *m, struct slice module, struct slice name)
{
	if (!slice_is(module, MODULE) || !slice_is(name, CLASS))
		return err_data(m->e, "+%zu: wants to import %.*s.%.*s, which "
		    "is not Chroma's: refused, nothing was executed",
		    (size_t)(m->rd.p - m->base),
		    (int)(module.len < 100 ? module.len : 100), module.p,
		    (int)(name.len < 100 ? name.len : 100), name.p);
	m->class_form = true;
	return push(m, (struct value){ .kind = K_CLASS });
}

/* A line of the text, as GLOBAL has two. */
static int
text_line(struct machine *m, struct slice *line)
{
	const uint8_t *nl = rd_left(&m->rd) ?
	    memchr(m->rd.p, '\n', rd_left(&m->rd)) : NULL;

	if (!nl)
		return bad(m, "truncated inside a name");
	*line = slice_of((const char *)m->rd.p, (size_t)(nl - m->rd.p));
	(void)rd_bytes(&m->rd, line->len + 1);
	return 0;
}

static int
global(struct machine *m)
{
	struct slice module, name;

	if (text_line(m, &module) < 0 || text_line(m, &name) < 0)
		return -1;
	return check_class(m, module, name);
}

static int
stack_global(struct machine *m)
{
	struct value name, module;

	if (pop(m, &name) < 0 || pop(m, &module) < 0)
		return -1;
	if (name.kind != K_STR || module.kind != K_STR)
		return bad(m, "an import that is not named by strings");
	return check_class(m, slice_of(module.u.s, module.len),
	    slice_of(name.u.s, name.len));
}

static int
new_object(struct machine *m)
{
	struct value args, class;

	if (pop(m, &args) < 0 || pop(m, &class) < 0)
		return -1;
	if (args.kind != K_TUPLE || class.kind != K_CLASS)
		return bad(m, "makes an object in a way that Chroma does not");
	return push(m, (struct value){ .kind = K_OBJECT });
}

/* A pair whose value or key is no plain number and string: a named field of
 * the state. */
static int
set_field(struct machine *m, int64_t dict, const struct value *key,
    const struct value *val)
{
	if (key->kind != K_STR)
		return bad(m, "a dict with keys that Chroma does not use");
	if (m->fields == FIELDS_MAX)
		return bad(m, "more fields than an index has");
	m->state_dict = dict;
	m->state[m->fields].key = *key;
	m->state[m->fields++].val = *val;
	return 0;
}

/* Names of the fields whose value is a number or None. */
static bool
scalar_field(const struct value *key)
{
	static const char *const name[] = { "dimensionality",
	    "total_elements_added", "max_seq_id", "total_elements_updated",
	    "total_invalid_operations" };
	size_t i;

	for (i = 0; i < sizeof(name) / sizeof(name[0]); i++)
		if (slice_is(slice_of(key->u.s, key->len), name[i]))
			return true;
	return false;
}

/* One pair into a dict.  An id may be called like a field: which of the two
 * it is depends on the dict, and the state is the one that already has a
 * field, or gets a dict or None, or has no pairs yet and a field's name. */
static int
set_pair(struct machine *m, int64_t number, const struct value *key,
    const struct value *val)
{
	struct dict *d = &m->dict[number];
	struct pickle_pair pair;

	if (m->state_dict == number || val->kind == K_DICT ||
	    val->kind == K_NONE || (m->state_dict < 0 && number == 0 &&
	    d->n == 0 && key->kind == K_STR && scalar_field(key))) {
		if ((m->state_dict >= 0 && m->state_dict != number) || d->n)
			return bad(m, "a dict inside a map");
		return set_field(m, number, key, val);
	}
	if (key->kind == K_STR && val->kind == K_INT) {
		pair.id = slice_of(key->u.s, key->len);
		pair.number = val->u.i;
	} else if (key->kind == K_INT && val->kind == K_STR) {
		pair.id = slice_of(val->u.s, val->len);
		pair.number = key->u.i;
	} else {
		return bad(m, "a pair that is no id and number");
	}
	if (d->n && d->by_number != (key->kind == K_INT))
		return bad(m, "a map with keys of two kinds");
	d->by_number = key->kind == K_INT;
	d->n++;
	if (m->want_maps) {
		buf_add(&d->pairs, &pair, sizeof(pair));
		if (!buf_ok(&d->pairs))
			return err_nomem(m->e);
	}
	return 0;
}

/* The pairs from stack position first on go into the dict below them. */
static int
set_items(struct machine *m, size_t first, size_t below)
{
	size_t n = depth(m) - first, i;
	int64_t number;

	if (first < below || n % 2)
		return bad(m, "sets items without their dict");
	if (at(m, first - below)->kind != K_DICT)
		return bad(m, "sets items of something that is no dict");
	number = at(m, first - below)->u.i;
	for (i = 0; i < n; i += 2)
		if (set_pair(m, number, at(m, first + i),
		    at(m, first + i + 1)) < 0)
			return -1;
	m->stack.len = (first - below + 1) * sizeof(struct value);
	return 0;
}

static int
set_marked(struct machine *m)
{
	size_t i = depth(m);

	while (i > 0 && at(m, i - 1)->kind != K_MARK)
		i--;
	return i < 2 ? bad(m, "sets items without a mark") :
	    set_items(m, i, 2);
}

static int
build(struct machine *m)
{
	struct value state, object;

	if (pop(m, &state) < 0 || pop(m, &object) < 0)
		return -1;
	if (object.kind != K_OBJECT || state.kind != K_DICT)
		return bad(m, "builds something that is not Chroma's object");
	return push(m, state);		/* from here on the two are one */
}

/* One instruction: 0; 1 at STOP; -1. */
static int
step(struct machine *m)
{
	uint8_t op = rd_u8(&m->rd);

	if (!rd_ok(&m->rd))
		return bad(m, "truncated: no end");
	switch (op) {
	case PROTO:
		m->protocol = rd_u8(&m->rd);
		return m->protocol < 2 || m->protocol > 5 ?
		    bad(m, "not protocol 2 to 5") : 0;
	case FRAME:
		/* its length says where the next begins; we need not know */
		return rd_u64(&m->rd) > rd_left(&m->rd) || !rd_ok(&m->rd) ?
		    bad(m, "truncated inside a frame") : 0;
	case MARK: return push(m, (struct value){ .kind = K_MARK });
	case NONE: return push(m, (struct value){ .kind = K_NONE });
	case EMPTY_TUPLE: return push(m, (struct value){ .kind = K_TUPLE });
	case EMPTY_DICT: return push_dict(m);
	case BININT: return push_int(m, (int32_t)rd_u32(&m->rd));
	case BININT1: return push_int(m, rd_u8(&m->rd));
	case BININT2: return push_int(m, rd_u16(&m->rd));
	case LONG1: return push_long(m, rd_u8(&m->rd));
	case SHORT_BINUNICODE: return push_string(m, rd_u8(&m->rd));
	case BINUNICODE: return push_string(m, rd_u32(&m->rd));
	case BINUNICODE8: return push_string(m, rd_u64(&m->rd));
	case MEMOIZE: return memo_put(m, m->memo.len / sizeof(struct value));
	case BINPUT: return memo_put(m, rd_u8(&m->rd));
	case LONG_BINPUT: return memo_put(m, rd_u32(&m->rd));
	case BINGET: return memo_get(m, rd_u8(&m->rd));
	case LONG_BINGET: return memo_get(m, rd_u32(&m->rd));
	case GLOBAL: return global(m);
	case STACK_GLOBAL: return stack_global(m);
	case NEWOBJ: return new_object(m);
	case SETITEM:
		return depth(m) < 3 ? bad(m, "sets an item without its dict") :
		    set_items(m, depth(m) - 2, 1);
	case SETITEMS: return set_marked(m);
	case BUILD: return build(m);
	case STOP: return 1;
	default:
		m->rd.p--;
		return err_data(m->e, "+%zu: instruction 0x%02x, which Chroma "
		    "never writes: refused, nothing was executed",
		    (size_t)(m->rd.p - m->base), op);
	}
}

static int
take_int(struct machine *m, const struct value *v, bool *has, int64_t *to)
{
	if (v->kind == K_NONE)
		return 0;
	if (v->kind != K_INT)
		return bad(m, "a field that should be a number is none");
	*has = true;
	*to = v->u.i;
	return 0;
}

static int
take_map(struct machine *m, const struct value *v, bool by_number,
    struct pickle_map *map)
{
	struct dict *d;

	if (v->kind != K_DICT)
		return bad(m, "a field that should be a dict is none");
	d = &m->dict[v->u.i];
	if (d->n && d->by_number != by_number)
		return bad(m, "a map the wrong way round");
	if (map->there)
		return bad(m, "a map that stands twice");
	map->there = true;
	map->n = d->n;
	map->pair = (struct pickle_pair *)(void *)d->pairs.p;
	*d = (struct dict){ 0 };	/* a second reference finds it empty */
	return 0;
}

static int
take_fields(struct machine *m, struct pickle *k)
{
	size_t i;
	int r = 0;

	for (i = 0; i < m->fields && r == 0; i++) {
		const struct value *v = &m->state[i].val;
		struct slice key = slice_of(m->state[i].key.u.s,
		    m->state[i].key.len);

		if (slice_is(key, "dimensionality"))
			r = take_int(m, v, &k->has_dimensionality,
			    &k->dimensionality);
		else if (slice_is(key, "total_elements_added"))
			r = take_int(m, v, &k->has_total,
			    &k->total_elements_added);
		else if (slice_is(key, "max_seq_id"))
			r = take_int(m, v, &k->has_max_seq_id, &k->max_seq_id);
		else if (slice_is(key, "id_to_label"))
			r = take_map(m, v, false, &k->id_to_label);
		else if (slice_is(key, "label_to_id"))
			r = take_map(m, v, true, &k->label_to_id);
		else if (slice_is(key, "id_to_seq_id"))
			r = take_map(m, v, false, &k->id_to_seq_id);
		/* others belong to other versions and mean nothing to us */
	}
	if (r == 0 && (!k->has_total || !k->id_to_label.there ||
	    !k->label_to_id.there))
		r = err_data(m->e, "not the metadata of an index: "
		    "id_to_label, label_to_id or total_elements_added is not "
		    "in it");
	return r;
}

int
pickle_read(struct pickle *k, const void *p, size_t n, bool want_maps,
    struct err *e)
{
	struct machine m = { .base = p, .rd = rd_init(p, n),
	    .want_maps = want_maps, .state_dict = -1, .e = e };
	size_t i;
	int r;

	*k = (struct pickle){ 0 };
	do {
		r = step(&m);
		if (r == 0 && !rd_ok(&m.rd))
			r = bad(&m, "truncated: no end");
	} while (r == 0);
	if (r > 0)
		r = depth(&m) != 1 || at(&m, 0)->kind != K_DICT ||
		    (m.fields && at(&m, 0)->u.i != m.state_dict) ?
		    bad(&m, "does not end with the metadata of an index") :
		    take_fields(&m, k);
	k->protocol = m.protocol;
	k->class_form = m.class_form;
	k->trailing = rd_left(&m.rd);
	buf_release(&m.stack);
	buf_release(&m.memo);
	for (i = 0; i < m.dicts; i++)
		buf_release(&m.dict[i].pairs);
	if (r < 0)
		pickle_release(k);
	return r;
}

void
pickle_release(struct pickle *k)
{
	free(k->id_to_label.pair);
	free(k->label_to_id.pair);
	free(k->id_to_seq_id.pair);
	k->id_to_label.pair = k->label_to_id.pair = k->id_to_seq_id.pair =
	    NULL;
}
