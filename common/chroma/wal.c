/* SPDX-License-Identifier: Apache-2.0 */
/* wal.c - the rows of embeddings_queue, and as records. */
#include "chroma/wal.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/when.h"
#include "stream/json.h"

const char *const wal_column_name[WAL_COLUMNS] = {
	"seq_id", "created_at", "operation", "topic", "id", "vector",
	"encoding", "metadata",
};

/* ---- reading ---- */

/* A value in a batch: its bytes by offset, as the buffer may still move. */
struct stored {
	enum db_type type;
	size_t offset, len;
	int64_t i;
	double real;
};

struct stored_row {
	struct stored col[WAL_COLUMNS];
	const struct collection *collection;
};

/* How many rows there are, in short reads like everything. */
static int
count_rows(struct wal *w, int64_t from, int64_t to, struct err *e)
{
	struct walrows rows;
	int64_t seq_id;
	int got = 1;

	if (walrows_open(&rows, w->db, "", from, to, e) < 0)
		return -1;
	while (got > 0) {
		db_batch_start(w->db);
		while ((got = walrows_next(&rows, &seq_id, e)) > 0) {
			w->expected++;
			if (db_batch_over(w->db, 0))
				break;
		}
		walrows_pause(&rows);
	}
	walrows_close(&rows);
	return got;
}

void
wal_row_take(struct walrows *rows, const struct catalog *c, int64_t seq_id,
    struct wal_row *row)
{
	int i;

	row->col[WAL_SEQ_ID] = (struct db_value){ .type = DB_INTEGER,
	    .i = seq_id };
	for (i = WAL_CREATED_AT; i <= WAL_ID; i++)
		row->col[i] = db_col(&rows->st, i);
	for (i = WAL_VECTOR; i < WAL_COLUMNS; i++)
		row->col[i] = (struct db_value){ .type = DB_NULL };
	row->collection = catalog_of_topic_value(c, &row->col[WAL_TOPIC]);
}

void
wal_row_payload(struct walrows *rows, struct wal_row *row)
{
	int i;

	for (i = WAL_VECTOR; i < WAL_COLUMNS; i++)
		row->col[i] = db_col(&rows->st, i);
}

int
wal_open(struct wal *w, struct db *db, int64_t from, int64_t to,
    bool dead_too, bool identity, bool shared, struct err *e)
{
	*w = (struct wal){ .db = db, .dead_too = dead_too, .shared = shared };
	if (walrows_open(&w->scan, db, identity ?
	    ", created_at, operation, topic, id, NULL, NULL, NULL" :
	    ", created_at, operation, topic, id, vector, encoding, metadata",
	    from, to, e) < 0)
		return -1;
	if (db_version(db, &w->version, e) < 0 ||
	    (shared && count_rows(w, from, to, e) < 0)) {
		wal_close(w);
		return -1;
	}
	return 0;
}

void
wal_use(struct wal *w, const struct catalog *c)
{
	w->catalog = c;
}

void
wal_close(struct wal *w)
{
	walrows_close(&w->scan);
	buf_release(&w->rows);
	buf_release(&w->bytes);
}

/* A row into the batch, whose topic is known already. */
static void
store(struct wal *w, int64_t seq_id, const struct collection *col)
{
	struct stored_row row = { .collection = col };
	int i;

	row.col[WAL_SEQ_ID].type = DB_INTEGER;
	row.col[WAL_SEQ_ID].i = seq_id;
	for (i = WAL_SEQ_ID + 1; i < WAL_COLUMNS; i++) {
		struct db_value v = db_col(&w->scan.st, i);

		row.col[i] = (struct stored){ v.type, w->bytes.len,
		    v.bytes.len, v.i, v.real };
		buf_add(&w->bytes, v.bytes.p, v.bytes.len);
	}
	buf_add(&w->rows, &row, sizeof(row));
}

/* Rows into the batch until it is over.  1 if there may be more, 0, -1. */
static int
read_rows(struct wal *w, struct err *e)
{
	const struct collection *col;
	struct db_value topic;
	int64_t seq_id;
	int got;

	db_batch_start(w->db);
	while ((got = walrows_next(&w->scan, &seq_id, e)) > 0) {
		w->seen++;
		topic = db_col(&w->scan.st, WAL_TOPIC);
		col = catalog_of_topic_value(w->catalog, &topic);
		if (col ? col->selected : w->dead_too) {
			store(w, seq_id, col);
			if (!buf_ok(&w->rows) || !buf_ok(&w->bytes))
				return err_nomem(e);
		}
		if (db_batch_over(w->db, w->bytes.len + w->rows.len))
			break;
	}
	return got;
}

static int
read_batch(struct wal *w, struct err *e)
{
	int64_t version = w->version;
	struct err ignored;
	int got;

	buf_reset(&w->rows);
	buf_reset(&w->bytes);
	w->at = 0;
	if (db_exec(w->db, "BEGIN", e) < 0)
		return -1;
	got = read_rows(w, e);
	walrows_pause(&w->scan);
	if (got >= 0 && db_version(w->db, &version, e) < 0)
		got = -1;
	if (got < 0) {
		(void)!db_exec(w->db, "ROLLBACK", &ignored);
		return -1;
	}
	if (db_exec(w->db, "COMMIT", e) < 0)
		return -1;
	w->over = got == 0;
	if (version != w->version && !w->shared)
		return err_busy(e, "%s: somebody began to write to it while "
		    "it was read; try again", err_tail(w->db->name));
	if (w->over && w->shared && w->seen != w->expected)
		return err_busy(e, "%s: rows of the log were removed while it "
		    "was read (%llu of %llu came): a purge, or a collection "
		    "deleted; try again", err_tail(w->db->name),
		    (unsigned long long)w->seen,
		    (unsigned long long)w->expected);
	return 0;
}

int
wal_next(struct wal *w, struct wal_row *row, struct err *e)
{
	const struct stored_row *s;
	int i;

	while (w->at == w->rows.len / sizeof(*s)) {
		if (w->over)
			return 0;
		if (read_batch(w, e) < 0)
			return -1;
	}
	s = (const struct stored_row *)(const void *)w->rows.p + w->at++;
	for (i = 0; i < WAL_COLUMNS; i++) {
		struct db_value *v = &row->col[i];

		*v = (struct db_value){ s->col[i].type, s->col[i].i,
		    s->col[i].real, { NULL, 0 } };
		if (v->type == DB_TEXT || v->type == DB_BLOB)
			v->bytes = slice_of(w->bytes.p ? w->bytes.p +
			    s->col[i].offset : "", s->col[i].len);
	}
	row->collection = s->collection;
	return 1;
}

/* ---- rows as records ---- */

static const struct {
	const char *what, *effect;
} poison_words[POISONS] = {
	[POISON_NONE] = { "", "" },
	[POISON_OPERATION] = { "unknown operation",
	    "Chroma 1.x fails on every collection until it is gone" },
	[POISON_MARKER] = { "operation 4, a marker of Chroma's own",
	    "Chroma skips it from 1.3.6 on, and fails before" },
	[POISON_INT32] = { "a vector of encoding INT32",
	    "Chroma 1.x fails on every collection until it is gone" },
	[POISON_ENCODING] = { "unknown encoding of the vector",
	    "Chroma 1.x fails on this collection" },
	[POISON_VECTOR_LENGTH] = { "vector of the wrong length",
	    "Chroma refuses it, or reads beyond its end" },
	[POISON_NO_VECTOR] = { "an add or upsert without a vector",
	    "Chroma 1.x fails on this collection" },
	[POISON_JSON] = { "metadata that is not a JSON object",
	    "Chroma fails on this collection" },
	[POISON_DOCUMENT] = { "a document or URI that is not text",
	    "Chroma 1.x fails on every collection until it is gone" },
	[POISON_NESTED] = { "nested metadata",
	    "Chroma 1.x fails on this collection" },
	[POISON_TEXT] = { "text that is not UTF-8",
	    "Chroma fails on this collection" },
	[POISON_CREATED_AT] = { "a created_at that is no time",
	    "Chroma 1.x does not see the row" },
	[POISON_TOPIC] = { "of no collection that exists",
	    "Chroma never reads it" },
	[POISON_TYPE] = { "a column of the wrong type",
	    "Chroma fails on this collection" },
};

const char *
wal_poison_what(enum wal_poison p)
{
	return poison_words[p].what;
}

const char *
wal_poison_effect(enum wal_poison p)
{
	return poison_words[p].effect;
}

static void
note(enum wal_poison *p, enum wal_poison what)
{
	if (*p == POISON_NONE)
		*p = what;
}

/* Whether a metadata value holds what Chroma's flat metadata may not: an
 * object other than a sparse vector, or an array of anything but scalars. */
static bool
nested(struct slice val)
{
	static const char *const key[] = { "indices", "values" };
	struct json_iter it;
	struct slice v[2];
	struct err e;

	if (*val.p == '{')
		return json_members(val, key, v, 2, &e) < 0 || !v[0].p ||
		    !v[1].p;
	if (*val.p != '[' || json_array(&it, val, &e) < 0)
		return false;
	while (json_element(&it, &v[0]) > 0)
		if (*v[0].p == '[' || *v[0].p == '{')
			return true;
	return false;
}

/* Where a text begins and ends in a buffer that still grows. */
struct span {
	size_t start, len;
	bool there, null;
};

struct parts {
	struct span document, uri, metadata;
};

/* One of the two keys that Chroma hides in metadata. */
static int
hidden_text(struct slice val, struct buf *mem, struct span *s,
    enum wal_poison *poison)
{
	bool null = slice_is(val, "null");

	if (s->there || !(json_is_string(val) || null)) {
		note(poison, POISON_DOCUMENT);
		return 0;
	}
	*s = (struct span){ .start = mem->len, .there = true, .null = null };
	if (null)
		note(poison, POISON_DOCUMENT);
	else if (json_string(val, mem) < 0)
		return -1;
	s->len = mem->len - s->start;
	return 0;
}

/* Metadata text to document, uri and the rest.  -1: it is not JSON. */
static int
split_metadata(struct slice text, struct buf *mem, struct parts *p,
    enum wal_poison *poison)
{
	struct buf rest = { 0 };
	struct json_iter it;
	struct slice key, val;
	struct err e;
	int got = json_object(&it, text, &e);

	it.depth++;		/* in a record it stands one level deeper */
	buf_addc(&rest, '{');
	while (got == 0 && (got = json_next(&it, &key, &val)) > 0) {
		if (json_key_is(key, "chroma:document")) {
			got = hidden_text(val, mem, &p->document, poison);
			continue;
		}
		if (json_key_is(key, "chroma:uri")) {
			got = hidden_text(val, mem, &p->uri, poison);
			continue;
		}
		if (nested(val))
			note(poison, POISON_NESTED);
		if (rest.len > 1)
			buf_addc(&rest, ',');
		got = json_compact(slice_of(key.p - 1, key.len + 2), &rest, &e);
		buf_addc(&rest, ':');
		if (got == 0)
			got = json_compact(val, &rest, &e);
	}
	buf_addc(&rest, '}');
	p->metadata = (struct span){ mem->len, rest.len, got == 0, false };
	buf_add(mem, rest.p, rest.len);
	if (!buf_ok(&rest))
		mem->failed = true;
	buf_release(&rest);
	return got;
}

/* Text of a column that must be text; absent, and noted, if it is not. */
static struct slice
plain_text(const struct db_value *v, enum wal_poison *poison)
{
	if (v->type != DB_TEXT) {
		note(poison, POISON_TYPE);
		return (struct slice){ NULL, 0 };
	}
	if (!utf8_valid_text(v->bytes.p, v->bytes.len)) {
		note(poison, POISON_TEXT);
		return (struct slice){ NULL, 0 };
	}
	return v->bytes;
}

static void
take_vector(const struct wal_row *row, struct record *r,
    enum wal_poison *poison)
{
	const struct db_value *v = &row->col[WAL_VECTOR];
	const struct db_value *enc = &row->col[WAL_ENCODING];

	if (v->type == DB_NULL) {
		if (enc->type != DB_NULL)
			note(poison, POISON_ENCODING);
		if (r->operation == OPERATION_ADD ||
		    r->operation == OPERATION_UPSERT)
			note(poison, POISON_NO_VECTOR);
		return;
	}
	if (v->type != DB_BLOB) {
		note(poison, POISON_TYPE);
		return;
	}
	if (enc->type != DB_TEXT || !slice_is(enc->bytes, "FLOAT32")) {
		note(poison, enc->type == DB_TEXT &&
		    slice_is(enc->bytes, "INT32") ? POISON_INT32 :
		    POISON_ENCODING);
		return;
	}
	if (v->bytes.len % 4 || v->bytes.len / 4 > UINT32_MAX) {
		note(poison, POISON_VECTOR_LENGTH);
		return;
	}
	r->embedding = (const uint8_t *)v->bytes.p;
	r->dim = (uint32_t)(v->bytes.len / 4);
	r->has |= FIELD_EMBEDDING;
	if (row->collection && row->collection->dimension >= 0 &&
	    row->collection->dimension != r->dim)
		note(poison, POISON_VECTOR_LENGTH);
}

static void
put_raw_value(struct jsonw *w, const char *key, const struct db_value *v)
{
	char text[40];

	switch (v->type) {
	case DB_NULL:
		json_null(w, key);
		break;
	case DB_INTEGER:
		json_int(w, key, v->i);
		break;
	case DB_REAL:		/* as SQLite writes infinity */
		snprintf(text, sizeof(text), "%.17e", v->real);
		json_raw(w, key, slice_str(isfinite(v->real) ? text :
		    v->real > 0 ? "9e999" : "-9e999"));
		break;
	case DB_TEXT:
		if (utf8_valid_text(v->bytes.p, v->bytes.len)) {
			json_str(w, key, v->bytes);
			break;
		}
		/* fall through */
	case DB_BLOB:
		json_open(w, key, '{');
		json_raw(w, v->type == DB_TEXT ? "text" : "blob",
		    slice_str(""));
		json_put_base64(w->b, v->bytes.p, v->bytes.len);
		json_close(w, '}');
		break;
	}
}

static struct span
put_raw(const struct wal_row *row, struct buf *mem)
{
	struct jsonw w = { .b = mem };
	struct span s = { .start = mem->len, .there = true };
	int i;

	json_open(&w, NULL, '{');
	for (i = 0; i < WAL_COLUMNS; i++)
		put_raw_value(&w, wal_column_name[i], &row->col[i]);
	json_close(&w, '}');
	s.len = mem->len - s.start;
	return s;
}

static struct slice
resolve(const struct buf *mem, struct span s)
{
	return s.null ? (struct slice){ NULL, 0 } :
	    slice_of(mem->p + s.start, s.len);
}

static void
name_collection(const struct wal_row *row, struct record *r)
{
	const struct collection *col = row->collection;

	r->tenant = slice_str(col->tenant);
	r->database = slice_str(col->database);
	r->collection = slice_str(col->name);
	r->collection_id = slice_str(col->id);
	r->has |= FIELD_COLLECTION | FIELD_COLLECTION_ID |
	    (col->tenant ? FIELD_TENANT : 0u) |
	    (col->database ? FIELD_DATABASE : 0u);
}

/* The id in the topic of a collection that is gone, if it looks like one. */
static void
name_topic(struct slice topic, struct record *r)
{
	size_t head = strlen(TOPIC_HEAD);

	if (topic.p && topic.len == head + 36 &&
	    memcmp(topic.p, TOPIC_HEAD, head) == 0) {
		r->collection_id = slice_of(topic.p + head, 36);
		r->has |= FIELD_COLLECTION_ID;
	}
}

static void
take_operation(const struct db_value *v, struct record *r,
    enum wal_poison *poison)
{
	if (v->type == DB_INTEGER && v->i >= 0 && v->i <= OPERATION_DELETE) {
		r->operation = (enum operation)v->i;
		r->has |= FIELD_OPERATION;
	} else {
		note(poison, v->type == DB_INTEGER && v->i == 4 ?
		    POISON_MARKER : POISON_OPERATION);
	}
}

/* Topic, created_at and id.  Whether the topic is one that a collection of
 * its own has, which the record's names alone do not give back. */
static bool
take_texts(const struct wal_row *row, struct record *r,
    enum wal_poison *poison)
{
	struct slice topic = plain_text(&row->col[WAL_TOPIC], poison);
	size_t head = strlen(TOPIC_HEAD);
	int64_t ms;

	if (row->collection) {
		name_collection(row, r);
	} else {
		note(poison, POISON_TOPIC);
		name_topic(topic, r);
	}
	r->created_at = plain_text(&row->col[WAL_CREATED_AT], poison);
	if (r->created_at.p) {
		r->has |= FIELD_CREATED_AT;
		if (when_parse(r->created_at.p, r->created_at.len, &ms) < 0)
			note(poison, POISON_CREATED_AT);
	}
	r->id = plain_text(&row->col[WAL_ID], poison);
	if (r->id.p)
		r->has |= FIELD_ID;
	return row->collection && topic.p && (topic.len < head ||
	    memcmp(topic.p, TOPIC_HEAD, head) != 0);
}

/* take_texts() and all else that identifies a row. */
static bool
identify(const struct wal_row *row, struct record *r, enum wal_poison *poison)
{
	*poison = POISON_NONE;
	*r = (struct record){ .type = RECORD_WAL, .has = FIELD_SEQ_ID,
	    .seq_id = row->col[WAL_SEQ_ID].i, .operation = OPERATION_NONE };
	take_operation(&row->col[WAL_OPERATION], r, poison);
	return take_texts(row, r, poison);
}

void
wal_identity(const struct wal_row *row, struct record *r)
{
	enum wal_poison ignored;

	(void)identify(row, r, &ignored);
}

enum wal_poison
wal_row_poison(const struct wal_row *row)
{
	enum wal_poison poison;
	struct record r;

	(void)identify(row, &r, &poison);
	take_vector(row, &r, &poison);
	return poison;
}

static void
set_part(struct record *r, unsigned field, struct slice *to,
    const struct buf *mem, struct span s)
{
	if (!s.there)
		return;
	*to = resolve(mem, s);
	r->has |= field;
}

int
wal_record(const struct wal_row *row, struct record *r, struct buf *mem,
    enum wal_poison *poison, struct err *e)
{
	const struct db_value *md = &row->col[WAL_METADATA];
	struct parts parts = { 0 };
	struct span raw = { 0 };
	bool own_topic;

	buf_reset(mem);
	own_topic = identify(row, r, poison);
	take_vector(row, r, poison);
	if (md->type != DB_NULL && plain_text(md, poison).p &&
	    split_metadata(md->bytes, mem, &parts, poison) < 0) {
		note(poison, POISON_JSON);
		parts = (struct parts){ 0 };
	}
	if (*poison != POISON_NONE || own_topic)
		raw = put_raw(row, mem);
	if (!buf_ok(mem))
		return err_nomem(e);
	set_part(r, FIELD_DOCUMENT, &r->document, mem, parts.document);
	set_part(r, FIELD_URI, &r->uri, mem, parts.uri);
	set_part(r, FIELD_METADATA, &r->metadata, mem, parts.metadata);
	set_part(r, FIELD_RAW, &r->raw, mem, raw);
	return 0;
}

/* As Python's json.dumps writes a float.  (SQLite stores no NaN.) */
static void
put_real(double v, struct buf *out)
{
	char text[400];
	int digits = 0, exponent;

	if (v > DBL_MAX || v < -DBL_MAX) {
		buf_adds(out, v > 0 ? "Infinity" : "-Infinity");
		return;
	}
	do
		snprintf(text, sizeof(text), "%.*e", digits, v);
	while (digits++ < 16 && (strtod(text, NULL) < v ||
	    strtod(text, NULL) > v));
	exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
	if (exponent >= -4 && exponent < 16) {
		digits -= 1 + exponent;
		snprintf(text, sizeof(text), "%.*f", digits > 1 ? digits : 1, v);
	}
	buf_adds(out, text);
}

void
wal_columns(const struct wal_row *row, struct buf *out)
{
	int i;

	buf_addc(out, '{');
	for (i = 0; i < WAL_COLUMNS; i++) {
		const struct db_value *v = &row->col[i];

		buf_adds(out, i ? ", \"" : "\"");
		buf_adds(out, wal_column_name[i]);
		buf_adds(out, "\": ");
		if (v->type == DB_NULL) {
			buf_adds(out, "null");
		} else if (i == WAL_VECTOR && v->bytes.p) {
			json_put_base64(out, v->bytes.p, v->bytes.len);
		} else if (v->type == DB_INTEGER) {
			buf_add_i64(out, v->i);
		} else if (v->type == DB_REAL) {
			put_real(v->real, out);
		} else if (v->type == DB_TEXT) {
			json_put_ascii(out, v->bytes);
		} else {
			buf_adds(out, "{\"base64\": ");
			json_put_base64(out, v->bytes.p, v->bytes.len);
			buf_addc(out, '}');
		}
	}
	buf_addc(out, '}');
}
