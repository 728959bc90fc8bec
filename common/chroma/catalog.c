/* SPDX-License-Identifier: Apache-2.0 */
/* catalog.c - what a persist dir contains. */
#include "chroma/catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "stream/json.h"
#include "stream/stream.h"

/* Text of a column for good; NULL stays NULL.  What is not UTF-8 becomes '?':
 * names go into streams.  *bad: no memory. */
static const char *
keep(struct catalog *c, struct db_stmt *st, int i, bool *bad)
{
	struct slice s = db_col_text(st, i);
	size_t k;
	char *p;

	if (!s.p)
		return NULL;
	p = arena_copy(&c->arena, s.p, s.len);
	*bad |= !p;
	if (p && !utf8_valid(p, s.len))
		for (k = 0; k < s.len; k++)
			if (p[k] & 0x80)
				p[k] = '?';
	return p;
}

static int
load_collections(struct catalog *c, struct db *db, struct err *e)
{
	const struct era *era = &c->era;
	struct buf list = { 0 };
	struct db_stmt st;
	char sql[640];
	bool bad = false;
	int got;

	snprintf(sql, sizeof(sql), "SELECT c.id, c.name, %s, c.dimension, %s, "
	    "%s, %s FROM collections c %s ORDER BY 3, 4, c.name, c.id",
	    era->has_databases ? "d.tenant_id, d.name" :
	    "'default_tenant', 'default_database'",
	    era->has_topic ? "c.topic" : "NULL",
	    era->has_config ? "c.config_json_str" : "NULL",
	    era->has_schema ? "c.schema_str" : "NULL",
	    era->has_databases ?
	    "LEFT JOIN databases d ON d.id = c.database_id" : "");
	if (db_prepare(db, &st, sql, e) < 0)
		return -1;
	while ((got = db_step(&st, e)) > 0) {
		struct collection col = { .selected = true };

		col.id = keep(c, &st, 0, &bad);
		col.name = keep(c, &st, 1, &bad);
		col.tenant = keep(c, &st, 2, &bad);
		col.database = keep(c, &st, 3, &bad);
		col.dimension = db_col_type(&st, 4) == DB_INTEGER ?
		    db_col_i64(&st, 4) : -1;
		col.topic = keep(c, &st, 5, &bad);
		col.config = keep(c, &st, 6, &bad);
		col.schema = keep(c, &st, 7, &bad);
		if (!col.id || !col.name)
			continue;	/* NOT NULL in every era */
		if (!col.topic) {
			struct buf t = { 0 };

			buf_adds(&t, TOPIC_HEAD);
			buf_adds(&t, col.id);
			col.topic = arena_copy(&c->arena, buf_str(&t), t.len);
			bad |= !col.topic;
			buf_release(&t);
		}
		buf_add(&list, &col, sizeof(col));
	}
	db_finish(&st);
	c->n = list.len / sizeof(struct collection);
	c->collection = arena_array(&c->arena, c->n + 1,
	    sizeof(struct collection));
	if (got == 0 && (bad || !buf_ok(&list) || !c->collection))
		got = err_nomem(e);
	if (got == 0 && list.p)
		memcpy(c->collection, list.p, list.len);
	buf_release(&list);
	return got;
}

static int
compare_refs(const void *a, const void *b)
{
	const struct ref *x = a, *y = b;

	return strcmp(x->key, y->key);
}

/* The collection that a sorted list has under this key, or NULL. */
static struct collection *
find(const struct ref *list, size_t n, struct slice key)
{
	size_t low = 0, high = n, mid, len;
	int order;

	if (!key.p)
		return NULL;
	while (low < high) {
		mid = low + (high - low) / 2;
		len = strlen(list[mid].key);
		order = memcmp(list[mid].key, key.p,
		    len < key.len ? len : key.len);
		if (order == 0 && len == key.len)
			return list[mid].collection;
		if (order < 0 || (order == 0 && len < key.len))
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static struct collection *named_by_topic(const struct catalog *c,
    struct slice topic);

static int
compare_topics(const void *a, const void *b)
{
	const struct ref *x = a, *y = b;

	return strcmp(x->collection->topic, y->collection->topic);
}

/* No Chroma makes such topics: of what they name, nothing can be said. */
static int
check_topics(struct catalog *c, struct err *e)
{
	struct ref *by_topic = malloc((c->n + 1) * sizeof(*by_topic));
	size_t i;

	if (!by_topic)
		return err_nomem(e);
	for (i = 0; i < c->n; i++) {
		struct collection *col = &c->collection[i];

		by_topic[i] = (struct ref){ NULL, col };
		if (named_by_topic(c, slice_str(col->topic)) != col)
			col->ambiguous = "its topic does not end with its id";
	}
	qsort(by_topic, c->n, sizeof(*by_topic), compare_topics);
	for (i = 1; i < c->n; i++)
		if (compare_topics(&by_topic[i - 1], &by_topic[i]) == 0) {
			by_topic[i - 1].collection->ambiguous =
			    by_topic[i].collection->ambiguous =
			    "another collection has the same topic";
		}
	for (i = 0; i < c->n; i++)
		c->odd_topics |= c->collection[i].ambiguous != NULL;
	free(by_topic);
	return 0;
}

static int
index_collections(struct catalog *c, struct err *e)
{
	size_t i;

	c->by_id = arena_array(&c->arena, c->n + 1, sizeof(struct ref));
	c->by_segment = arena_array(&c->arena, 2 * c->n + 1,
	    sizeof(struct ref));
	if (!c->by_id || !c->by_segment)
		return err_nomem(e);
	for (i = 0; i < c->n; i++)
		c->by_id[i] = (struct ref){ c->collection[i].id,
		    &c->collection[i] };
	qsort(c->by_id, c->n, sizeof(struct ref), compare_refs);
	return check_topics(c, e);
}

static void
index_segments(struct catalog *c)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		struct collection *col = &c->collection[i];

		if (col->vector_segment)
			c->by_segment[c->segments++] = (struct ref){
			    col->vector_segment, col };
		if (col->metadata_segment)
			c->by_segment[c->segments++] = (struct ref){
			    col->metadata_segment, col };
	}
	qsort(c->by_segment, c->segments, sizeof(struct ref), compare_refs);
}

static int
load_segments(struct catalog *c, struct db *db, struct err *e)
{
	struct db_stmt st;
	bool bad = false;
	int got;

	if (db_prepare(db, &st, "SELECT id, type, scope, collection "
	    "FROM segments", e) < 0)
		return -1;
	while ((got = db_step(&st, e)) > 0) {
		struct collection *col = find(c->by_id, c->n,
		    db_col_text(&st, 3));
		struct slice scope = db_col_text(&st, 2);

		if (!col)
			continue;
		if (slice_is(scope, "VECTOR") ? col->vector_segment != NULL :
		    slice_is(scope, "METADATA") && col->metadata_segment)
			col->ambiguous = "it has two segments of one kind";
		if (slice_is(scope, "VECTOR")) {
			col->vector_segment = keep(c, &st, 0, &bad);
			col->vector_type = keep(c, &st, 1, &bad);
		} else if (slice_is(scope, "METADATA")) {
			col->metadata_segment = keep(c, &st, 0, &bad);
		}
	}
	db_finish(&st);
	index_segments(c);
	return got == 0 && bad ? err_nomem(e) : got;
}

/* A value of max_seq_id.seq_id: INTEGER from 1.0.0 on, before that 8 bytes
 * big-endian, or 24 of a Pulsar id, whose low 64 bits count.  0.5.23 and
 * 0.6.3 read both. */
static void
decode_watermark(struct db_stmt *st, int i, const struct era *era,
    struct watermark *w)
{
	struct slice b;
	size_t k;

	w->source = WATERMARK_ROW;
	w->seq_id = 0;
	switch (db_col_type(st, i)) {
	case DB_INTEGER:
		w->seq_id = (uint64_t)db_col_i64(st, i);
		/* no Chroma gives out negative numbers */
		w->odd = db_col_i64(st, i) < 0 || era->queue < 2;
		if (db_col_i64(st, i) < 0)
			w->source = WATERMARK_NONE;
		return;
	case DB_BLOB:
		b = db_col_blob(st, i);
		if (b.len != 8 && b.len != 24)
			break;
		for (k = b.len - 8; k < b.len; k++)
			w->seq_id = w->seq_id << 8 | (unsigned char)b.p[k];
		w->odd = era_integer_watermark(era) ||
		    w->seq_id > INT64_MAX;
		if (w->seq_id > INT64_MAX)
			w->source = WATERMARK_NONE;
		return;
	default:
		break;
	}
	w->odd = true;
	w->source = WATERMARK_NONE;
}

static int
load_watermarks(struct catalog *c, struct db *db, struct err *e)
{
	struct db_stmt st;
	int got;

	if (db_prepare(db, &st, "SELECT segment_id, seq_id FROM max_seq_id",
	    e) < 0)
		return -1;
	while ((got = db_step(&st, e)) > 0) {
		struct slice id = db_col_text(&st, 0);
		struct collection *col = catalog_of_segment(c, id);

		if (!col)
			continue;
		if (slice_eq(id, slice_str(col->metadata_segment)))
			decode_watermark(&st, 1, &c->era, &col->metadata);
		/* up to 0.5.5 such a row means nothing to Chroma */
		else if (!era_pickle_watermark(&c->era))
			decode_watermark(&st, 1, &c->era, &col->vector);
	}
	db_finish(&st);
	return got;
}

static int
load_params(struct catalog *c, struct db *db, struct err *e)
{
	struct params *legacy = arena_array(&c->arena, c->n + 1,
	    sizeof(*legacy));
	bool *has = arena_array(&c->arena, c->n + 1, sizeof(*has));
	struct db_stmt st;
	size_t i;
	int got;

	if (!legacy || !has)
		return err_nomem(e);
	for (i = 0; i < c->n; i++)
		params_default(&legacy[i], &c->era);
	if (db_prepare(db, &st, "SELECT segment_id, key, str_value, "
	    "coalesce(int_value, float_value) FROM segment_metadata "
	    "WHERE key LIKE 'hnsw:%'", e) < 0)
		return -1;
	while ((got = db_step(&st, e)) > 0) {
		struct collection *col = catalog_of_segment(c,
		    db_col_text(&st, 0));

		if (!col || !slice_eq(db_col_text(&st, 0),
		    slice_str(col->vector_segment)))
			continue;
		i = (size_t)(col - c->collection);
		has[i] = true;
		params_from_row(&legacy[i], db_col_text(&st, 1),
		    db_col_text(&st, 2), db_col_real(&st, 3));
	}
	db_finish(&st);
	for (i = 0; got == 0 && i < c->n; i++) {
		struct collection *col = &c->collection[i];

		params_resolve(&col->params, &c->era, &legacy[i], has[i],
		    slice_str(col->config), slice_str(col->schema));
	}
	return got;
}

static int
load_purge(struct catalog *c, struct db *db, struct err *e)
{
	static const char *const key[] = { "automatically_purge" };
	struct slice val[1], text;
	struct db_stmt st;
	struct err why;
	int got;

	c->automatically_purge = -1;
	if (!c->era.has_queue_config)
		return 0;
	if (db_prepare(db, &st, "SELECT config_json_str FROM "
	    "embeddings_queue_config ORDER BY id LIMIT 1", e) < 0)
		return -1;
	got = db_step(&st, e);
	if (got > 0) {
		text = db_col_text(&st, 0);
		if (text.p && json_members(text, key, val, 1, &why) == 0)
			c->automatically_purge = slice_is(val[0], "true") ? 1 :
			    slice_is(val[0], "false") ? 0 : -1;
	}
	db_finish(&st);
	return got < 0 ? -1 : 0;
}

static int
load_rows(struct catalog *c, struct db *db, struct err *e)
{
	int64_t newest = 0, oldest = 0;

	if (era_read(&c->era, db, e) < 0 ||
	    load_collections(c, db, e) < 0 || index_collections(c, e) < 0 ||
	    load_segments(c, db, e) < 0 ||
	    load_watermarks(c, db, e) < 0 || load_params(c, db, e) < 0 ||
	    load_purge(c, db, e) < 0 ||
	    db_int(db, "SELECT max(seq_id) FROM embeddings_queue", &newest,
	    e) < 0 ||
	    db_int(db, "SELECT min(seq_id) FROM embeddings_queue", &oldest,
	    e) < 0)
		return -1;
	c->newest = newest > 0 ? (uint64_t)newest : 0;
	c->oldest = oldest > 0 ? (uint64_t)oldest : 0;
	return 0;
}

static void
note_fault(struct catalog *c, struct collection *col, const struct err *why)
{
	if (!col->index_fault)
		col->index_fault = arena_copy(&c->arena, why->msg,
		    strlen(why->msg));
}

/* What stands in the index directory: M and ef_construction of an index that
 * exists, and H where the era keeps it in the pickle or has not moved it to
 * its row yet (Chroma does that when it next loads the segment). */
static int
load_index(struct catalog *c, struct collection *col, int dirfd,
    struct err *e)
{
	struct index_dir d;
	struct pickle k;
	struct err why;
	char *bytes;
	int r;

	if (!col->vector_segment)
		return 0;
	if (index_open(&d, dirfd, col->vector_segment, e) < 0)
		return -1;
	if (d.fault.status)
		note_fault(c, col, &d.fault);
	if (d.has_header) {
		col->params.value[PARAM_M] = (int64_t)d.header.M;
		col->params.value[PARAM_EF_CONSTRUCTION] =
		    (int64_t)d.header.ef_construction;
		col->params.source[PARAM_M] = FROM_HEADER;
		col->params.source[PARAM_EF_CONSTRUCTION] = FROM_HEADER;
	}
	if (col->vector.source == WATERMARK_NONE && !col->vector.odd) {
		r = index_pickle(&d, &k, false, &bytes, &why);
		if (r < 0) {
			note_fault(c, col, &why);
			col->vector_fault = arena_copy(&c->arena, why.msg,
			    strlen(why.msg));
		}
		if (r > 0) {
			if (k.has_max_seq_id && k.max_seq_id >= 0) {
				col->vector.source = WATERMARK_PICKLE;
				col->vector.seq_id = (uint64_t)k.max_seq_id;
			}
			pickle_release(&k);
			free(bytes);
		}
	}
	index_close(&d);
	return 0;
}

int
catalog_load_tables(struct catalog *c, struct db *db, struct err *e)
{
	struct err ignored;

	*c = (struct catalog){ 0 };
	if (db_exec(db, "BEGIN", e) < 0)
		return -1;
	if (load_rows(c, db, e) < 0) {
		(void)!db_exec(db, "ROLLBACK", &ignored);
		catalog_release(c);
		return -1;
	}
	if (db_exec(db, "COMMIT", e) < 0) {
		catalog_release(c);
		return -1;
	}
	return 0;
}

int
catalog_load(struct catalog *c, struct persist *pd, struct err *e)
{
	size_t i;

	if (catalog_load_tables(c, &pd->db, e) < 0)
		return -1;
	for (i = 0; i < c->n; i++)
		if (load_index(c, &c->collection[i], pd->dirfd, e) < 0) {
			catalog_release(c);
			return err_in(e, pd->dir);
		}
	return 0;
}

void
catalog_release(struct catalog *c)
{
	arena_release(&c->arena);
	*c = (struct catalog){ 0 };
}

struct collection *
catalog_of_segment(const struct catalog *c, struct slice segment)
{
	return find(c->by_segment, c->segments, segment);
}

/* The collection whose id a topic ends with, or NULL. */
static struct collection *
named_by_topic(const struct catalog *c, struct slice topic)
{
	const char *slash = topic.p ? memrchr(topic.p, '/', topic.len) : NULL;

	return slash ? find(c->by_id, c->n, slice_of(slash + 1,
	    (size_t)(topic.p + topic.len - (slash + 1)))) : NULL;
}

struct collection *
catalog_of_topic(const struct catalog *c, struct slice topic)
{
	struct collection *col = named_by_topic(c, topic);

	return col && slice_is(topic, col->topic) ? col : NULL;
}

bool
catalog_dead_topic(const struct catalog *c, const struct db_value *topic)
{
	size_t i;

	if (named_by_topic(c, topic->bytes))
		return false;
	for (i = 0; c->odd_topics && i < c->n; i++)
		if (slice_eq(topic->bytes, slice_str(c->collection[i].topic)))
			return false;
	return true;
}

struct collection *
catalog_of_topic_value(const struct catalog *c, const struct db_value *topic)
{
	return topic->type == DB_TEXT ? catalog_of_topic(c, topic->bytes) :
	    NULL;
}

bool
collection_committed(const struct collection *col, uint64_t *seq_id)
{
	if (col->metadata.source == WATERMARK_NONE ||
	    col->vector.source == WATERMARK_NONE)
		return false;
	*seq_id = col->metadata.seq_id < col->vector.seq_id ?
	    col->metadata.seq_id : col->vector.seq_id;
	return true;
}

static void
put_watermark(struct jsonw *w, const char *key, const struct watermark *m)
{
	if (m->source == WATERMARK_NONE)
		json_null(w, key);
	else
		json_int(w, key, (int64_t)m->seq_id);
}

static void
begin_collection(struct jsonw *w, const struct collection *col)
{
	const struct params *p = &col->params;

	json_open(w, NULL, '{');
	json_cstr(w, "id", col->id);
	json_cstr(w, "name", col->name);
	json_cstr(w, "tenant", col->tenant);
	json_cstr(w, "database", col->database);
	if (col->dimension < 0)
		json_null(w, "dimension");
	else
		json_int(w, "dimension", col->dimension);
	json_cstr(w, "space", space_name(p->space));
	json_int(w, "M", p->value[PARAM_M]);
	json_int(w, "ef_construction", p->value[PARAM_EF_CONSTRUCTION]);
	json_int(w, "ef_search", p->value[PARAM_EF_SEARCH]);
	put_watermark(w, "metadata_seq_id", &col->metadata);
	put_watermark(w, "vector_seq_id", &col->vector);
	json_cstr(w, "vector_segment", col->vector_segment);
	json_cstr(w, "metadata_segment", col->metadata_segment);
	json_close(w, '}');
}

static void
begin_head(struct jsonw *w, const char *stream, unsigned flags)
{
	json_open(w, NULL, '{');
	json_cstr(w, "type", "begin");
	json_cstr(w, "stream", stream);
	json_int(w, "version", STREAM_VERSION);
	if (flags & BEGIN_PARTIAL)
		json_bool(w, "partial", true);
	if (flags & (BEGIN_NO_EMBEDDINGS | BEGIN_IDENTITY))
		json_cstr(w, "embedding", "none");
	if (flags & BEGIN_IDENTITY)
		json_bool(w, "identity", true);
	json_open(w, "source", '{');
}

static void
begin_migrations(struct jsonw *w, const struct era *era)
{
	json_open(w, "migrations", '{');
	json_int(w, "embeddings_queue", era->queue);
	json_int(w, "metadb", era->metadb);
	json_int(w, "sysdb", era->sysdb);
	json_close(w, '}');
}

static void
begin_collections(struct jsonw *w, const struct catalog *c)
{
	size_t i;

	json_open(w, "collections", '[');
	for (i = 0; i < c->n; i++)
		if (c->collection[i].selected)
			begin_collection(w, &c->collection[i]);
	json_close(w, ']');
}

void
catalog_begin(const struct catalog *c, uint64_t from, uint64_t to,
    unsigned flags, struct buf *out)
{
	struct jsonw w = { .b = out };

	begin_head(&w, "wal", flags);
	begin_migrations(&w, &c->era);
	json_int(&w, "from_seq_id", (int64_t)from);
	json_int(&w, "to_seq_id", (int64_t)to);
	begin_collections(&w, c);
	json_close(&w, '}');
	json_close(&w, '}');
}

void
catalog_begin_vectors(const struct catalog *c, unsigned flags,
    struct slice index, struct buf *out)
{
	struct jsonw w = { .b = out };

	begin_head(&w, "vector", flags);
	if (c) {
		begin_migrations(&w, &c->era);
		begin_collections(&w, c);
	}
	json_raw(&w, "index", index);
	json_close(&w, '}');
	json_close(&w, '}');
}

int
catalog_metadata(struct catalog *c, struct db *db,
    const struct collection *col, bool hnsw_only, struct buf *out,
    struct err *e)
{
	struct jsonw w = { .b = out };
	struct db_stmt st;
	char sql[256];
	int got;

	snprintf(sql, sizeof(sql), "SELECT key, str_value, int_value, "
	    "float_value, %s FROM collection_metadata WHERE collection_id = ?1 "
	    "AND (?2 = 0 OR key LIKE 'hnsw:%%') ORDER BY key",
	    c->era.has_bool ? "bool_value" : "NULL");
	if (db_prepare(db, &st, sql, e) < 0)
		return -1;
	db_bind_text(&st, 1, slice_str(col->id));
	db_bind_i64(&st, 2, hnsw_only);
	json_open(&w, NULL, '{');
	while ((got = db_step(&st, e)) > 0) {
		struct slice k = db_col_text(&st, 0);
		char *key = arena_copy(&c->arena, k.p ? k.p : "", k.len);

		if (!key) {
			got = err_nomem(e);
			break;
		}
		if (db_col_type(&st, 1) != DB_NULL)
			json_str(&w, key, db_col_text(&st, 1));
		else if (db_col_type(&st, 2) != DB_NULL)
			json_int(&w, key, db_col_i64(&st, 2));
		else if (db_col_type(&st, 3) != DB_NULL)
			json_double(&w, key, db_col_real(&st, 3));
		else if (db_col_type(&st, 4) != DB_NULL)
			json_bool(&w, key, db_col_i64(&st, 4) != 0);
	}
	json_close(&w, '}');
	db_finish(&st);
	return got;
}
