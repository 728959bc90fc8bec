/* SPDX-License-Identifier: Apache-2.0 */
/* record.c - one record of a stream, as JSON. */
#include "stream/record.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/f32.h"
#include "base/le.h"
#include "base/num.h"
#include "stream/json.h"

static const char *const type_name[] = {
	[RECORD_BEGIN] = "begin",
	[RECORD_END] = "end",
	[RECORD_WAL] = "wal",
	[RECORD_VECTOR] = "vector",
	[RECORD_PLAIN] = "record",
};

/* Keys in the order in which they are written. */
static const struct {
	const char *key;
	unsigned field;
} fields[] = {
	{ "tenant", FIELD_TENANT },
	{ "database", FIELD_DATABASE },
	{ "collection", FIELD_COLLECTION },
	{ "collection_id", FIELD_COLLECTION_ID },
	{ "seq_id", FIELD_SEQ_ID },
	{ "created_at", FIELD_CREATED_AT },
	{ "operation", FIELD_OPERATION },
	{ "label", FIELD_LABEL },
	{ "id", FIELD_ID },
	{ "level", FIELD_LEVEL },
	{ "deleted", FIELD_DELETED },
	{ "length", FIELD_LENGTH },
	{ "links", FIELD_LINKS },
	{ "embedding", FIELD_EMBEDDING },
	{ "document", FIELD_DOCUMENT },
	{ "uri", FIELD_URI },
	{ "metadata", FIELD_METADATA },
	{ "raw", FIELD_RAW },
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static const char *const operations[] = { "ADD", "UPDATE", "UPSERT", "DELETE" };

const char *
operation_name(enum operation op)
{
	return op == OPERATION_NONE ? NULL : operations[op];
}

enum operation
operation_of(struct slice name)
{
	int i;

	for (i = 0; i < 4; i++)
		if (slice_is(name, operations[i]))
			return (enum operation)i;
	return OPERATION_NONE;
}

void
record_memory_release(struct record_memory *m)
{
	buf_release(&m->text);
	buf_release(&m->floats);
	buf_release(&m->links);
}

/* The type that a string names, escapes undone. */
static enum record_type
type_of_value(struct slice val)
{
	struct slice inside = slice_of(val.p + 1, val.len - 2);
	size_t i;

	for (i = RECORD_BEGIN; i <= RECORD_PLAIN; i++)
		if (json_key_is(inside, type_name[i]))
			return (enum record_type)i;
	return RECORD_OTHER;
}

int
record_type_of(struct slice line, bool plain, enum record_type *type,
    struct err *e)
{
	static const char head[] = "{\"type\":\"";
	static const char *const key[] = { "type" };
	const size_t n = sizeof(head) - 1;
	struct slice val[1];
	const char *close;

	if (line.len > n && memcmp(line.p, head, n) == 0) {
		close = memchr(line.p + n, '"', line.len - n);
		val[0] = slice_of(line.p + n - 1, close ?
		    (size_t)(close + 1 - (line.p + n - 1)) : 0);
		if (close && !memchr(val[0].p, '\\', val[0].len)) {
			*type = type_of_value(val[0]);
			return 0;
		}
	}
	if (json_members(line, key, val, 1, e) < 0)
		return -1;
	if (!val[0].p && plain) {
		*type = RECORD_PLAIN;
		return 0;
	}
	if (!json_is_string(val[0]))
		return err_data(e, "no \"type\": not a record of a stream");
	*type = type_of_value(val[0]);
	return 0;
}

/* The text of a string: in place if it has no escapes, else decoded into the
 * memory, which has room for all of the line. */
static struct slice
text_of(struct slice val, struct record_memory *m)
{
	size_t start = m->text.len;

	if (!memchr(val.p, '\\', val.len))
		return slice_of(val.p + 1, val.len - 2);
	(void)!json_string(val, &m->text);
	return slice_of(m->text.p + start, m->text.len - start);
}

static int
want_string(struct slice val, struct slice *to, struct record_memory *m,
    struct err *e)
{
	if (!json_is_string(val))
		return err_data(e, "not a string");
	*to = text_of(val, m);
	return 0;
}

static int
string_or_null(struct slice val, struct slice *to, struct record_memory *m,
    struct err *e)
{
	*to = (struct slice){ NULL, 0 };
	if (slice_is(val, "null"))
		return 0;
	if (!json_is_string(val))
		return err_data(e, "neither a string nor null");
	*to = text_of(val, m);
	return 0;
}

static bool
all_finite(const uint8_t *le, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!f32_finite(le_u32(le + 4 * i)))
			return false;
	return true;
}

static int
want_embedding(struct slice val, struct record *r, struct record_memory *m,
    struct err *e)
{
	struct slice text;
	size_t len;

	m->floats.len = 0;
	if (json_is_string(val)) {
		text = text_of(val, m);
		r->form = EMBEDDING_BASE64;
		if (!buf_room(&m->floats, text.len / 4 * 3 + 4))
			return err_nomem(e);
		if (base64_decode(text.p, text.len, (uint8_t *)m->floats.p,
		    &len) < 0 || len % 4)
			return err_data(e, "not the base64 of float32 numbers");
		m->floats.len = len;
		/* an array could not say these: base64 is no choice of form */
		if (!all_finite((const uint8_t *)m->floats.p, len / 4))
			r->form = EMBEDDING_ARRAY;
	} else {
		r->form = EMBEDDING_ARRAY;
		if (!buf_room(&m->floats, 4))
			return err_nomem(e);
		if (json_floats(val, &m->floats, e) < 0)
			return -1;
	}
	if (!buf_ok(&m->floats))
		return err_nomem(e);
	r->embedding = (const uint8_t *)m->floats.p;
	r->dim = (uint32_t)(m->floats.len / 4);
	return 0;
}

/* One level: an array of labels. */
static int
want_level(struct slice val, struct buf *to, struct err *e)
{
	struct json_iter it;
	struct slice one;
	size_t at = to->len;
	uint64_t label;
	uint32_t n = 0;
	char *p;
	int got;

	p = buf_room(to, 4);
	if (!p)
		return err_nomem(e);
	to->len += 4;
	if (json_array(&it, val, e) < 0)
		return -1;
	for (; (got = json_element(&it, &one)) > 0; n++) {
		if (num_u64(one.p, one.len, UINT64_MAX, &label) < 0)
			return err_data(e, "not a label: an integer from 0 "
			    "to 2^64-1");
		p = buf_room(to, 8);
		if (!p)
			return err_nomem(e);
		le_put_u64(p, label);
		to->len += 8;
	}
	le_put_u32(to->p + at, n);
	return got;
}

static int
want_links(struct slice val, struct record *r, struct record_memory *m,
    struct err *e)
{
	struct json_iter it;
	struct slice level;
	int got;

	buf_reset(&m->links);
	if (json_array(&it, val, e) < 0)
		return -1;
	while ((got = json_element(&it, &level)) > 0)
		if (want_level(level, &m->links, e) < 0)
			return -1;
	r->links = buf_slice(&m->links);
	return got;
}

/* A length of record.h. */
static int
want_length(struct slice val, float *to, struct err *e)
{
	uint32_t bits;

	if (f32_parse(val.p, val.len, &bits) < 0 || bits >> 31)
		return err_data(e, "not a length: a float32 from 0 up");
	memcpy(to, &bits, sizeof(*to));
	return 0;
}

static int
want_u64(struct slice val, uint64_t max, uint64_t *to, struct err *e)
{
	if (num_u64(val.p, val.len, max, to) < 0)
		return err_data(e, "not an integer from 0 to %llu",
		    (unsigned long long)max);
	return 0;
}

static int
want_operation(struct slice val, struct record *r, struct record_memory *m,
    struct err *e)
{
	struct slice name;

	if (want_string(val, &name, m, e) < 0)
		return -1;
	r->operation = operation_of(name);
	if (r->operation == OPERATION_NONE)
		return err_data(e, "none of ADD, UPDATE, UPSERT, DELETE");
	return 0;
}

/* One member into its field. */
static int
set_field(struct record *r, unsigned field, struct slice val,
    struct record_memory *m, struct err *e)
{
	uint64_t v;

	switch (field) {
	case FIELD_TENANT: return want_string(val, &r->tenant, m, e);
	case FIELD_DATABASE: return want_string(val, &r->database, m, e);
	case FIELD_COLLECTION: return want_string(val, &r->collection, m, e);
	case FIELD_COLLECTION_ID:
		return want_string(val, &r->collection_id, m, e);
	case FIELD_SEQ_ID:
		if (json_i64(val, &r->seq_id) < 0)
			return err_data(e, "not a 64-bit integer");
		return 0;
	case FIELD_CREATED_AT: return want_string(val, &r->created_at, m, e);
	case FIELD_OPERATION: return want_operation(val, r, m, e);
	case FIELD_LABEL: return want_u64(val, UINT64_MAX, &r->label, e);
	case FIELD_ID: return want_string(val, &r->id, m, e);
	case FIELD_LEVEL:
		if (want_u64(val, UINT16_MAX, &v, e) < 0)
			return -1;
		r->level = (uint32_t)v;
		return 0;
	case FIELD_DELETED:
		r->deleted = slice_is(val, "true");
		if (!r->deleted && !slice_is(val, "false"))
			return err_data(e, "neither true nor false");
		return 0;
	case FIELD_LENGTH: return want_length(val, &r->length, e);
	case FIELD_LINKS: return want_links(val, r, m, e);
	case FIELD_EMBEDDING: return want_embedding(val, r, m, e);
	case FIELD_DOCUMENT: return string_or_null(val, &r->document, m, e);
	case FIELD_URI: return string_or_null(val, &r->uri, m, e);
	case FIELD_METADATA:
		if (*val.p != '{' && !slice_is(val, "null"))
			return err_data(e, "neither an object nor null");
		r->metadata = val;
		return 0;
	default:
		if (*val.p != '{')
			return err_data(e, "not an object");
		r->raw = val;
		return 0;
	}
}

/* Which field a key names; FIELDS if none.  It is nearly always the next. */
static size_t
find_field(struct slice key, size_t next)
{
	size_t i;

	for (i = next; i < FIELDS; i++)
		if (json_key_is(key, fields[i].key))
			return i;
	for (i = 0; i < next; i++)
		if (json_key_is(key, fields[i].key))
			return i;
	return FIELDS;
}

int
record_from_json(struct slice line, unsigned want, struct record *r,
    struct record_memory *m, struct err *e)
{
	struct json_iter it;
	struct slice key, val;
	size_t i, next = 0;
	bool type_seen = false;
	int got;

	*r = (struct record){ .operation = OPERATION_NONE, .exact = true };
	buf_reset(&m->text);
	if (!buf_room(&m->text, line.len + 1))
		return err_nomem(e);
	if (json_object(&it, line, e) < 0)
		return -1;
	while ((got = json_next(&it, &key, &val)) > 0) {
		if (json_key_is(key, "type")) {
			if (type_seen)
				return err_data(e, "\"type\" stands twice");
			type_seen = true;
			if (json_is_string(val))
				r->type = type_of_value(val);
			continue;
		}
		i = find_field(key, next);
		if (i == FIELDS) {
			r->exact = false;
			continue;
		}
		next = i + 1;
		if (!(want & fields[i].field))
			continue;
		if (r->has & fields[i].field)
			return err_data(e, "\"%s\" stands twice",
			    fields[i].key);
		r->has |= fields[i].field;
		if (set_field(r, fields[i].field, val, m, e) < 0)
			return err_in(e, fields[i].key);
	}
	return got;
}

static void
put_key(struct buf *out, const char *key)
{
	buf_addc(out, ',');
	buf_addc(out, '"');
	buf_adds(out, key);
	buf_add(out, "\":", 2);
}

static void
put_text(struct buf *out, const char *key, struct slice text)
{
	put_key(out, key);
	if (text.p)
		json_put_string(out, text);
	else
		buf_adds(out, "null");
}

static void
put_embedding(struct buf *out, const struct record *r)
{
	if (r->form == EMBEDDING_BASE64 ||
	    !json_put_floats(out, r->embedding, r->dim))
		json_put_base64(out, r->embedding, (size_t)r->dim * 4);
}

/* As record.h has it, like the links. */
static void
put_length(struct buf *out, float length)
{
	char text[F32_ROOM];
	uint32_t bits;

	memcpy(&bits, &length, sizeof(bits));
	buf_add(out, text, f32_format(bits, text));
}

/* Links are as record.h has them: whoever made the record saw to that. */
static void
put_links(struct buf *out, struct slice links)
{
	const char *p = links.p, *end = links.p + links.len;
	uint32_t n, i;

	buf_addc(out, '[');
	while (p < end) {
		if (p > links.p)
			buf_addc(out, ',');
		buf_addc(out, '[');
		n = le_u32(p);
		for (p += 4, i = 0; i < n; i++, p += 8) {
			if (i)
				buf_addc(out, ',');
			buf_add_u64(out, le_u64(p));
		}
		buf_addc(out, ']');
	}
	buf_addc(out, ']');
}

static void
put_field(struct buf *out, const struct record *r, unsigned field,
    const char *key)
{
	switch (field) {
	case FIELD_TENANT: put_text(out, key, r->tenant); break;
	case FIELD_DATABASE: put_text(out, key, r->database); break;
	case FIELD_COLLECTION: put_text(out, key, r->collection); break;
	case FIELD_COLLECTION_ID: put_text(out, key, r->collection_id); break;
	case FIELD_SEQ_ID:
		put_key(out, key);
		buf_add_i64(out, r->seq_id);
		break;
	case FIELD_CREATED_AT: put_text(out, key, r->created_at); break;
	case FIELD_OPERATION:
		put_text(out, key, slice_str(operation_name(r->operation)));
		break;
	case FIELD_LABEL:
		put_key(out, key);
		buf_add_u64(out, r->label);
		break;
	case FIELD_ID: put_text(out, key, r->id); break;
	case FIELD_LEVEL:
		put_key(out, key);
		buf_add_u64(out, r->level);
		break;
	case FIELD_DELETED:
		put_key(out, key);
		buf_adds(out, r->deleted ? "true" : "false");
		break;
	case FIELD_LENGTH:
		put_key(out, key);
		put_length(out, r->length);
		break;
	case FIELD_LINKS:
		put_key(out, key);
		put_links(out, r->links);
		break;
	case FIELD_EMBEDDING:
		put_key(out, key);
		put_embedding(out, r);
		break;
	case FIELD_DOCUMENT: put_text(out, key, r->document); break;
	case FIELD_URI: put_text(out, key, r->uri); break;
	case FIELD_METADATA:
		put_key(out, key);
		buf_add(out, r->metadata.p, r->metadata.len);
		break;
	default:
		put_key(out, key);
		buf_add(out, r->raw.p, r->raw.len);
		break;
	}
}

void
record_to_json(const struct record *r, struct buf *out)
{
	size_t i;

	buf_adds(out, "{\"type\":\"");
	buf_adds(out, type_name[r->type]);
	buf_addc(out, '"');
	for (i = 0; i < FIELDS; i++)
		if (r->has & fields[i].field)
			put_field(out, r, fields[i].field, fields[i].key);
	buf_addc(out, '}');
}

int
record_set_embedding(struct slice line, const struct record *r,
    enum embedding_form form, struct buf *out, struct err *e)
{
	struct json_iter it;
	struct slice key, val;
	size_t start = out->len;
	struct record one = { .has = FIELD_EMBEDDING, .form = form,
	    .embedding = r->embedding, .dim = r->dim };
	int got;

	if (json_object(&it, line, e) < 0)
		return -1;
	while ((got = json_next(&it, &key, &val)) > 0) {
		bool here = json_key_is(key, "embedding");

		if (here && form == EMBEDDING_NONE)
			continue;
		buf_addc(out, out->len > start ? ',' : '{');
		buf_add(out, key.p - 1, key.len + 2);
		buf_addc(out, ':');
		if (here)
			put_embedding(out, &one);
		else
			buf_add(out, val.p, val.len);
	}
	if (out->len == start)
		buf_addc(out, '{');
	buf_addc(out, '}');
	return got;
}
