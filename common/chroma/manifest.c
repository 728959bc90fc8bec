/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.c - what a snapshot holds. */
#include "chroma/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/utf8.h"
#include "stream/json.h"

/* Room for one more of size bytes behind n, zeroed; the array may move. */
static void *
add(void *array, size_t *n, size_t *cap, size_t size)
{
	void **a = array;
	char *p = *a;

	if (*n == *cap) {
		size_t more = *cap ? 2 * *cap : 16;

		if (more > SIZE_MAX / size)
			return NULL;
		p = realloc(p, more * size);
		if (!p)
			return NULL;
		*a = p;
		*cap = more;
	}
	p += *n * size;
	memset(p, 0, size);
	++*n;
	return p;
}

struct manifest_collection *
manifest_add_collection(struct manifest *m)
{
	return add(&m->collection, &m->collections, &m->collections_cap,
	    sizeof(*m->collection));
}

struct manifest_member *
manifest_add_member(struct manifest *m)
{
	return add(&m->member, &m->members, &m->members_cap,
	    sizeof(*m->member));
}

void
manifest_release(struct manifest *m)
{
	free(m->collection);
	free(m->member);
	arena_release(&m->arena);
	*m = (struct manifest){ 0 };
}

/* ---- writing ---- */

static void
put_u64(struct jsonw *w, const char *key, uint64_t v)
{
	json_int(w, key, (int64_t)v);
}

/* What is none is null. */
static void
put_maybe(struct jsonw *w, const char *key, uint64_t v, bool there)
{
	if (there)
		put_u64(w, key, v);
	else
		json_null(w, key);
}

static void
put_crc(struct jsonw *w, uint32_t crc)
{
	struct buf hex = { 0 };

	buf_addf(&hex, "%08x", crc);
	json_str(w, "crc32c", buf_slice(&hex));
	w->b->failed |= hex.failed;
	buf_release(&hex);
}

void
manifest_put_collection(struct jsonw *w, const struct manifest_collection *c)
{
	json_cstr(w, "id", c->id);
	json_cstr(w, "name", c->name);
	json_cstr(w, "tenant", c->tenant);
	json_cstr(w, "database", c->database);
	put_maybe(w, "dimension", (uint64_t)c->dimension, c->dimension >= 0);
	json_cstr(w, "space", c->space);
	json_int(w, "M", c->M);
	json_int(w, "ef_construction", c->ef_construction);
	json_int(w, "ef_search", c->ef_search);
	put_u64(w, "records", c->records);
	json_open(w, "wal", '{');
	put_u64(w, "rows", c->rows);
	put_maybe(w, "from_seq_id", c->from_seq_id, c->from_seq_id > 0);
	put_maybe(w, "to_seq_id", c->to_seq_id, c->to_seq_id > 0);
	json_bool(w, "whole", c->whole);
	json_close(w, '}');
	put_maybe(w, "metadata_seq_id", c->metadata_seq_id,
	    c->has_metadata_seq_id);
	put_maybe(w, "vector_seq_id", c->vector_seq_id, c->has_vector_seq_id);
	json_cstr(w, "vector_segment", c->vector_segment);
	json_cstr(w, "metadata_segment", c->metadata_segment);
	put_u64(w, "index_bytes", c->index_bytes);
	json_cstr(w, "note", c->note);
}

void
manifest_write(const struct manifest *m, struct buf *out)
{
	struct jsonw w = { .b = out };
	size_t start = out->len, i;

	json_open(&w, NULL, '{');
	json_cstr(&w, "type", "snapshot");
	json_int(&w, "version", MANIFEST_VERSION);
	json_cstr(&w, "created_at", m->created_at);
	json_open(&w, "migrations", '{');
	json_int(&w, "embeddings_queue", m->queue);
	json_int(&w, "metadb", m->metadb);
	json_int(&w, "sysdb", m->sysdb);
	json_close(&w, '}');
	json_open(&w, "collections", '[');
	for (i = 0; i < m->collections; i++) {
		json_open(&w, NULL, '{');
		manifest_put_collection(&w, &m->collection[i]);
		json_close(&w, '}');
	}
	json_close(&w, ']');
	json_open(&w, "members", '[');
	for (i = 0; i < m->members; i++) {
		json_open(&w, NULL, '{');
		json_cstr(&w, "name", m->member[i].name);
		put_u64(&w, "size", m->member[i].size);
		put_u64(&w, "stored", m->member[i].stored);
		put_crc(&w, m->member[i].crc);
		json_close(&w, '}');
	}
	json_close(&w, ']');
	if (buf_ok(out))
		put_crc(&w, crc32c(0, out->p + start, out->len - start));
	json_close(&w, '}');
	buf_addc(out, '\n');
}

/* ---- reading ---- */

/* One object that is being read: the texts of its values, taken one after the
 * other.  What is wrong first is in *e. */
struct reader {
	const char *const *key;
	const struct slice *val;
	struct arena *arena;
	struct err *e;
	bool bad;
};

static void
bad(struct reader *r, int i, const char *what)
{
	if (!r->bad)
		err_data(r->e, "\"%s\" is %s", r->key[i], r->val[i].p ? what :
		    "missing");
	r->bad = true;
}

static bool
is_null(struct slice val)
{
	return slice_is(val, "null");
}

static uint64_t
get_u63(struct reader *r, int i)
{
	uint64_t v = 0;

	if (json_u63(r->val[i], &v) < 0)
		bad(r, i, "not a number");
	return v;
}

static int64_t
get_i64(struct reader *r, int i)
{
	int64_t v = 0;

	if (json_i64(r->val[i], &v) < 0)
		bad(r, i, "not a number");
	return v;
}

/* A number, and whether there is one; or null. */
static uint64_t
get_maybe(struct reader *r, int i, bool *there)
{
	*there = !is_null(r->val[i]);
	return *there ? get_u63(r, i) : 0;
}

/* A migration: small. */
static int
get_version(struct reader *r, int i)
{
	uint64_t v = get_u63(r, i);

	if (v > 9999)
		bad(r, i, "not a migration");
	return v > 9999 ? 0 : (int)v;
}

/* A string without a zero in it. */
static const char *
get_string(struct reader *r, int i)
{
	struct buf text = { 0 };
	const char *s = NULL;

	if (json_string(r->val[i], &text) < 0) {
		bad(r, i, "not a string");
	} else if (buf_ok(&text) && text.len && memchr(text.p, 0, text.len)) {
		bad(r, i, "a string with a zero in it");
	} else {
		s = buf_ok(&text) ? arena_copy(r->arena, text.p, text.len) :
		    NULL;
		if (!s && !r->bad) {
			err_nomem(r->e);
			r->bad = true;
		}
	}
	buf_release(&text);
	return s;
}

/* The same, or NULL for null. */
static const char *
get_text(struct reader *r, int i)
{
	return is_null(r->val[i]) ? NULL : get_string(r, i);
}

static bool
get_bool(struct reader *r, int i)
{
	bool yes = slice_is(r->val[i], "true");

	if (!yes && !slice_is(r->val[i], "false"))
		bad(r, i, "not true or false");
	return yes;
}

/* Eight digits of a string, in lower case, as they are written. */
static int
parse_crc(struct slice val, uint32_t *crc)
{
	static const char digits[] = "0123456789abcdef";
	const char *d;
	size_t i;

	*crc = 0;
	if (!val.p || val.len != 10 || val.p[0] != '"')
		return -1;
	for (i = 1; i < 9; i++) {
		d = val.p[i] ? strchr(digits, val.p[i]) : NULL;
		if (!d)
			return -1;
		*crc = *crc << 4 | (uint32_t)(d - digits);
	}
	return 0;
}

static int
read_wal(struct manifest_collection *c, struct slice text, struct arena *a,
    struct err *e)
{
	enum { ROWS, FROM, TO, WHOLE, KEYS };
	static const char *const key[KEYS] = { "rows", "from_seq_id",
		"to_seq_id", "whole" };
	struct slice val[KEYS];
	struct reader r = { .key = key, .val = val, .arena = a, .e = e };
	bool from, to;

	if (json_members(text, key, val, KEYS, e) < 0)
		return err_in(e, "wal");
	c->rows = get_u63(&r, ROWS);
	c->from_seq_id = get_maybe(&r, FROM, &from);
	c->to_seq_id = get_maybe(&r, TO, &to);
	c->whole = get_bool(&r, WHOLE);
	return r.bad ? err_in(e, "wal") : 0;
}

static int
read_collection(struct manifest *m, struct slice text, struct err *e)
{
	enum { ID, NAME, TENANT, DATABASE, DIMENSION, SPACE, AT_M,
		EF_CONSTRUCTION, EF_SEARCH, RECORDS, WAL, METADATA_SEQ_ID,
		VECTOR_SEQ_ID, VECTOR_SEGMENT, METADATA_SEGMENT, INDEX_BYTES,
		NOTE, KEYS };
	static const char *const key[KEYS] = { "id", "name", "tenant",
		"database", "dimension", "space", "M", "ef_construction",
		"ef_search", "records", "wal", "metadata_seq_id",
		"vector_seq_id", "vector_segment", "metadata_segment",
		"index_bytes", "note" };
	struct slice val[KEYS];
	struct reader r = { .key = key, .val = val, .arena = &m->arena,
	    .e = e };
	struct manifest_collection *c;
	bool has_dimension;

	if (json_members(text, key, val, KEYS, e) < 0)
		return -1;
	c = manifest_add_collection(m);
	if (!c)
		return err_nomem(e);
	c->id = get_string(&r, ID);
	c->name = get_string(&r, NAME);
	c->tenant = get_text(&r, TENANT);
	c->database = get_text(&r, DATABASE);
	c->dimension = (int64_t)get_maybe(&r, DIMENSION, &has_dimension);
	if (!has_dimension)
		c->dimension = -1;
	c->space = get_text(&r, SPACE);
	c->M = get_i64(&r, AT_M);
	c->ef_construction = get_i64(&r, EF_CONSTRUCTION);
	c->ef_search = get_i64(&r, EF_SEARCH);
	c->records = get_u63(&r, RECORDS);
	if (!r.bad && !val[WAL].p)
		bad(&r, WAL, "");
	if (!r.bad && read_wal(c, val[WAL], &m->arena, e) < 0)
		return -1;
	c->metadata_seq_id = get_maybe(&r, METADATA_SEQ_ID,
	    &c->has_metadata_seq_id);
	c->vector_seq_id = get_maybe(&r, VECTOR_SEQ_ID,
	    &c->has_vector_seq_id);
	c->vector_segment = get_text(&r, VECTOR_SEGMENT);
	c->metadata_segment = get_text(&r, METADATA_SEGMENT);
	c->index_bytes = get_u63(&r, INDEX_BYTES);
	c->note = get_text(&r, NOTE);
	return r.bad ? -1 : 0;
}

static int
read_member(struct manifest *m, struct slice text, struct err *e)
{
	enum { NAME, SIZE, STORED, CRC, KEYS };
	static const char *const key[KEYS] = { "name", "size", "stored",
		"crc32c" };
	struct slice val[KEYS];
	struct reader r = { .key = key, .val = val, .arena = &m->arena,
	    .e = e };
	struct manifest_member *member;

	if (json_members(text, key, val, KEYS, e) < 0)
		return -1;
	member = manifest_add_member(m);
	if (!member)
		return err_nomem(e);
	member->name = get_string(&r, NAME);
	member->size = get_u63(&r, SIZE);
	member->stored = get_u63(&r, STORED);
	if (parse_crc(val[CRC], &member->crc) < 0)
		bad(&r, CRC, "not a checksum");
	return r.bad ? -1 : 0;
}

static int
read_array(struct manifest *m, const char *key, struct slice text,
    int (*one)(struct manifest *, struct slice, struct err *), struct err *e)
{
	struct json_iter it;
	struct slice val;
	uint64_t n = 0;
	char where[64];
	int r;

	if (!text.p)
		return err_data(e, "\"%s\" is missing", key);
	if (json_array(&it, text, e) < 0)
		return err_in(e, key);
	while ((r = json_element(&it, &val)) > 0) {
		n++;
		if (one(m, val, e) < 0) {
			snprintf(where, sizeof(where), "%s: number %llu", key,
			    (unsigned long long)n);
			return e->status == STATUS_DATA ? err_in(e, where) :
			    -1;
		}
	}
	return r < 0 ? err_in(e, key) : 0;
}

static int
read_migrations(struct manifest *m, struct slice text, struct err *e)
{
	enum { QUEUE, METADB, SYSDB, KEYS };
	static const char *const key[KEYS] = { "embeddings_queue", "metadb",
		"sysdb" };
	struct slice val[KEYS];
	struct reader r = { .key = key, .val = val, .arena = &m->arena,
	    .e = e };

	if (!text.p)
		return err_data(e, "\"migrations\" is missing");
	if (json_members(text, key, val, KEYS, e) < 0)
		return err_in(e, "migrations");
	m->queue = get_version(&r, QUEUE);
	m->metadb = get_version(&r, METADB);
	m->sysdb = get_version(&r, SYSDB);
	return r.bad ? err_in(e, "migrations") : 0;
}

/* The text, whose last value is the checksum of what is before its comma. */
static int
check_crc(struct slice text, struct slice val, struct err *e)
{
	static const char tail[] = ",\"crc32c\":\"00000000\"}";
	size_t n = sizeof(tail) - 1, head = n - 10;
	const char *at;
	uint32_t crc;

	if (text.len && text.p[text.len - 1] == '\n')
		text.len--;
	if (!val.p)
		return err_data(e, "\"crc32c\" is missing");
	at = text.len > n ? text.p + text.len - n : NULL;
	if (!at || memcmp(at, tail, head - 1) != 0 || at[n - 1] != '}' ||
	    val.p != at + head - 1 || parse_crc(val, &crc) < 0)
		return err_data(e, "\"crc32c\" is not the checksum at its "
		    "end");
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
	if (crc != crc32c(0, text.p, (size_t)(at - text.p)))
		return err_data(e, "checksum does not match: damaged");
#endif
	return 0;
}

int
manifest_read(struct manifest *m, struct slice text, struct err *e)
{
	enum { TYPE, AT_VERSION, CREATED_AT, MIGRATIONS, COLLECTIONS, MEMBERS,
		CRC, KEYS };
	static const char *const key[KEYS] = { "type", "version",
		"created_at", "migrations", "collections", "members",
		"crc32c" };
	struct slice val[KEYS];
	struct reader r = { .key = key, .val = val, .arena = &m->arena,
	    .e = e };
	uint64_t version;

	*m = (struct manifest){ 0 };
	if (!utf8_valid(text.p, text.len))
		return err_data(e, "not UTF-8: damaged");
	if (json_members(text, key, val, KEYS, e) < 0)
		return -1;
	if (!slice_is(val[TYPE], "\"snapshot\""))
		return err_data(e, "not the manifest of a snapshot");
	version = get_u63(&r, AT_VERSION);
	if (r.bad)
		return -1;
	if (version != MANIFEST_VERSION)
		return err_data(e, "version %llu: %s",
		    (unsigned long long)version, version > MANIFEST_VERSION ?
		    "newer than this program" : "there is none");
	if (check_crc(text, val[CRC], e) < 0)
		return -1;
	m->created_at = get_string(&r, CREATED_AT);
	if (r.bad)
		return -1;
	if (read_migrations(m, val[MIGRATIONS], e) < 0 ||
	    read_array(m, "collections", val[COLLECTIONS], read_collection,
	    e) < 0)
		return -1;
	return read_array(m, "members", val[MEMBERS], read_member, e);
}
