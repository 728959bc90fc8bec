/* SPDX-License-Identifier: Apache-2.0 */
/* accord.c - whether a database holds what a manifest says. */
#include "chroma/accord.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "stream/json.h"

/* Of one collection, what its tables count. */
struct count {
	uint64_t records, rows, from, to;
	bool met;		/* the manifest has it */
};

static const struct collection *
by_id(const struct catalog *c, const char *id)
{
	size_t low = 0, high = c->n, mid;
	int order;

	while (low < high) {
		mid = low + (high - low) / 2;
		order = strcmp(c->by_id[mid].key, id);
		if (order == 0)
			return c->by_id[mid].collection;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* Ids and names are read as C strings later on. */
static int
check_names(struct db *db, struct err *e)
{
	int64_t bad = 0;

	if (db_int(db, "SELECT count(*) FROM collections WHERE typeof(id) != "
	    "'text' OR typeof(name) != 'text' OR instr(CAST(id AS BLOB), "
	    "x'00') OR instr(CAST(name AS BLOB), x'00')", &bad, e) < 0)
		return -1;
	if (bad)
		return err_data(e, "collections: an id or a name is no text");
	if (db_int(db, "SELECT count(*) FROM segments WHERE typeof(id) != "
	    "'text' OR instr(CAST(id AS BLOB), x'00')", &bad, e) < 0)
		return -1;
	return bad ? err_data(e, "segments: an id is no text") : 0;
}

/* ---- values ---- */

/* The columns of a table, and the types that they may have beside NULL.  Rust's
 * sqlx takes no other, and a value of a collection that it cannot read ends
 * list_collections() for the whole directory. */
struct column {
	const char *table, *name;
	enum db_type type;
	bool json;		/* an object */
};

static const struct column columns[] = {
	{ "collections", "dimension", DB_INTEGER, false },
	{ "collections", "config_json_str", DB_TEXT, true },
	{ "collections", "schema_str", DB_TEXT, true },
	{ "collection_metadata", "key", DB_TEXT, false },
	{ "collection_metadata", "str_value", DB_TEXT, false },
	{ "collection_metadata", "int_value", DB_INTEGER, false },
	{ "collection_metadata", "float_value", DB_REAL, false },
	{ "collection_metadata", "bool_value", DB_INTEGER, false },
	{ "segments", "type", DB_TEXT, false },
	{ "segment_metadata", "key", DB_TEXT, false },
	{ "segment_metadata", "str_value", DB_TEXT, false },
	{ "segment_metadata", "int_value", DB_INTEGER, false },
	{ "segment_metadata", "float_value", DB_REAL, false },
	{ "segment_metadata", "bool_value", DB_INTEGER, false },
	{ "databases", "name", DB_TEXT, false },
	{ "tenants", "id", DB_TEXT, false },
};

static bool
is_object(struct slice s)
{
	struct err ignored;

	while (s.len && memchr(" \t\n\r", *s.p, 4))
		s = slice_of(s.p + 1, s.len - 1);
	return s.len && *s.p == '{' &&
	    json_members(s, NULL, NULL, 0, &ignored) == 0;
}

static bool
good_value(const struct column *c, struct db_stmt *st)
{
	struct slice s;

	if (db_col_type(st, 0) == DB_NULL)
		return true;
	if (db_col_type(st, 0) != c->type)
		return false;
	if (c->type != DB_TEXT)
		return true;
	s = db_col_text(st, 0);
	/* (an empty text is none, for Chroma too) */
	return utf8_valid(s.p, s.len) && (!c->json || !s.len || is_object(s));
}

static int
check_column(const struct column *c, struct db *db, struct err *e)
{
	int got = db_has_column(db, c->table, c->name, e);
	struct db_stmt st;
	char sql[128];

	if (got <= 0)
		return got;
	snprintf(sql, sizeof(sql), "SELECT %s FROM %s", c->name, c->table);
	if (db_prepare(db, &st, sql, e) < 0)
		return -1;
	while ((got = db_step(&st, e)) > 0)
		if (!good_value(c, &st)) {
			got = err_data(e, "%s: %s: a value that no Chroma "
			    "writes", c->table, c->name);
			break;
		}
	db_finish(&st);
	return got;
}

static int
check_values(struct db *db, struct err *e)
{
	size_t i;

	for (i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		if (check_column(&columns[i], db, e) < 0)
			return -1;
	return 0;
}

/* ---- counting ---- */

static int
count_records(struct count *n, const struct catalog *c, struct db *db,
    struct err *e)
{
	const struct collection *col;
	struct db_stmt st;
	struct slice id;
	int got;

	if (db_prepare(db, &st, "SELECT segment_id, count(*) FROM embeddings "
	    "GROUP BY segment_id", e) < 0)
		return -1;
	while ((got = db_step(&st, e)) > 0) {
		id = db_col_text(&st, 0);
		col = catalog_of_segment(c, id);
		if (!col || !slice_eq(id, slice_str(col->metadata_segment))) {
			got = err_data(e, "embeddings: a record of no "
			    "collection");
			break;
		}
		n[col - c->collection].records = (uint64_t)db_col_i64(&st, 1);
	}
	db_finish(&st);
	return got;
}

static int
count_rows(struct count *n, const struct catalog *c, struct db *db,
    struct err *e)
{
	const struct collection *col;
	struct db_value topic;
	struct db_stmt st;
	struct count *k;
	int64_t seq_id;
	int got;

	if (db_prepare(db, &st, "SELECT seq_id, topic FROM embeddings_queue "
	    "ORDER BY seq_id", e) < 0)
		return -1;
	while ((got = db_step(&st, e)) > 0) {
		seq_id = db_col_i64(&st, 0);
		topic = db_col(&st, 1);
		col = catalog_of_topic_value(c, &topic);
		if (!col || seq_id < 1) {
			got = err_data(e, "embeddings_queue: seq_id %lld: %s",
			    (long long)seq_id, col ? "below 1" :
			    "of no collection");
			break;
		}
		k = &n[col - c->collection];
		if (k->rows++ == 0)
			k->from = (uint64_t)seq_id;
		k->to = (uint64_t)seq_id;
	}
	db_finish(&st);
	return got;
}

/* ---- comparing ---- */

/* What differs first: *what is NULL as long as nothing does. */
static void
text(const char **what, const char *name, const char *said, const char *is)
{
	if (!*what && (said && is ? strcmp(said, is) != 0 : said != is))
		*what = name;
}

static void
number(const char **what, const char *name, uint64_t said, uint64_t is)
{
	if (!*what && said != is)
		*what = name;
}

static void
watermark(const char **what, const char *name, bool said_one, uint64_t said,
    const struct watermark *is)
{
	number(what, name, said_one, is->source != WATERMARK_NONE);
	if (said_one)
		number(what, name, said, is->seq_id);
}

static int
compare(const struct manifest_collection *s, const struct collection *col,
    const struct count *n, struct err *e)
{
	const struct params *p = &col->params;
	const char *w = NULL;

	text(&w, "name", s->name, col->name);
	text(&w, "tenant", s->tenant, col->tenant);
	text(&w, "database", s->database, col->database);
	number(&w, "dimension", (uint64_t)s->dimension,
	    (uint64_t)col->dimension);
	if (s->space)		/* else nobody knows, as of chops' */
		text(&w, "space", s->space, space_name(p->space));
	number(&w, "M", (uint64_t)s->M, (uint64_t)p->value[PARAM_M]);
	number(&w, "ef_construction", (uint64_t)s->ef_construction,
	    (uint64_t)p->value[PARAM_EF_CONSTRUCTION]);
	number(&w, "ef_search", (uint64_t)s->ef_search,
	    (uint64_t)p->value[PARAM_EF_SEARCH]);
	text(&w, "vector_segment", s->vector_segment, col->vector_segment);
	text(&w, "metadata_segment", s->metadata_segment,
	    col->metadata_segment);
	watermark(&w, "metadata_seq_id", s->has_metadata_seq_id,
	    s->metadata_seq_id, &col->metadata);
	watermark(&w, "vector_seq_id", s->has_vector_seq_id, s->vector_seq_id,
	    &col->vector);
	number(&w, "records", s->records, n->records);
	number(&w, "wal.rows", s->rows, n->rows);
	number(&w, "wal.from_seq_id", s->from_seq_id, n->from);
	number(&w, "wal.to_seq_id", s->to_seq_id, n->to);
	return w ? err_data(e, "collection %.40s: \"%s\" is another one in the "
	    "database", s->id, w) : 0;
}

static int
compare_all(const struct manifest *m, const struct catalog *c,
    struct count *n, struct err *e)
{
	const struct collection *col;
	struct count *k;
	size_t i;

	for (i = 0; i < m->collections; i++) {
		col = by_id(c, m->collection[i].id);
		k = col ? &n[col - c->collection] : NULL;
		if (!k || k->met)
			return err_data(e, "collection %.40s %s",
			    m->collection[i].id, k ? "stands twice" :
			    "is not in the database");
		k->met = true;
		if (col->ambiguous)
			return err_data(e, "collection %.40s: %s", col->id,
			    col->ambiguous);
		if (compare(&m->collection[i], col, k, e) < 0)
			return -1;
	}
	for (i = 0; i < c->n; i++)
		if (!n[i].met)
			return err_data(e, "collection %.40s is in the "
			    "database, but not in the manifest",
			    c->collection[i].id);
	return 0;
}

static int
check_versions(const struct manifest *m, const struct era *era, struct err *e)
{
	if (m->sysdb == era->sysdb && m->metadb == era->metadb &&
	    m->queue == era->queue)
		return 0;
	return err_data(e, "migrations: sysdb %d, metadb %d, embeddings_queue "
	    "%d, but in the database %d, %d, %d", m->sysdb, m->metadb,
	    m->queue, era->sysdb, era->metadb, era->queue);
}

int
accord_check(const struct manifest *m, const struct catalog *c,
    struct db *db, struct err *e)
{
	struct count *n;
	int64_t segments = 0;
	int r;

	if (check_versions(m, &c->era, e) < 0 || check_names(db, e) < 0 ||
	    check_values(db, e) < 0 ||
	    db_int(db, "SELECT count(*) FROM segments", &segments, e) < 0)
		return -1;
	if ((uint64_t)segments != c->segments)
		return err_data(e, "segments: one of no collection, or a "
		    "second one of its kind");
	n = calloc(c->n + 1, sizeof(*n));
	if (!n)
		return err_nomem(e);
	r = count_records(n, c, db, e) < 0 || count_rows(n, c, db, e) < 0 ?
	    -1 : compare_all(m, c, n, e);
	free(n);
	return r;
}
