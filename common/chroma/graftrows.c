/* SPDX-License-Identifier: Apache-2.0 */
/* graftrows.c - the rows of a snapshot's collections among those of another
 * directory. */
#include "chroma/graftrows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "chroma/anchor.h"

/* Rust reads embeddings.id as 32 bits (rust/segment/src/sqlite_metadata.rs). */
#define RECORD_MAX ((int64_t)UINT32_MAX)

static int
run(struct db *db, struct err *e, const char *sql, const char *const *text,
    int n)
{
	struct db_stmt st;
	int got, i;

	if (db_prepare(db, &st, sql, e) < 0)
		return -1;
	for (i = 0; i < n; i++)
		if (text[i])
			db_bind_text(&st, i + 1, slice_str(text[i]));
		else
			db_bind_null(&st, i + 1);
	got = db_step(&st, e);
	db_finish(&st);
	return got < 0 ? -1 : 0;
}
#define RUN(db, e, sql, ...) run(db, e, sql, \
	(const char *const[]){ __VA_ARGS__ }, \
	(int)(sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *)))

/* ---- numbers ---- */

/* temp.grafted: which is which, for the statements below. */
static int
list(struct graftrows *g, struct err *e)
{
	size_t i;

	if (db_exec(g->db, "CREATE TEMP TABLE grafted (id TEXT PRIMARY KEY, "
	    "topic TEXT UNIQUE, vector TEXT UNIQUE, metadata TEXT UNIQUE, "
	    "new_id TEXT, new_topic TEXT, new_vector TEXT, new_metadata TEXT, "
	    "name TEXT, tenant TEXT, database TEXT)", e) < 0)
		return -1;
	for (i = 0; i < g->n; i++) {
		const struct graft_of *of = &g->of[i];
		const struct collection *c = of->from;
		char topic[sizeof(TOPIC_HEAD) + UUID_LEN + 1];

		snprintf(topic, sizeof(topic), TOPIC_HEAD "%s", of->id);
		if (RUN(g->db, e, "INSERT INTO grafted VALUES (?1, ?2, ?3, "
		    "?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)", c->id, c->topic,
		    c->vector_segment, c->metadata_segment, of->id, topic,
		    of->vector, of->metadata, of->name, of->tenant,
		    of->database) < 0)
			return -1;
	}
	return 0;
}

static void
raise_to(int64_t *n, int64_t v)
{
	if (v > *n)
		*n = v;
}

/* The greatest number that the log or a watermark has, be it of a collection
 * that is gone; 1 at least: Chroma before 1.0 takes 0 for none. */
static int
find_base(struct graftrows *g, struct err *e)
{
	struct db_stmt st;
	int got;
	size_t i;

	g->base = 1;
	for (i = 0; i < g->to->n; i++) {
		const struct collection *c = &g->to->collection[i];

		if (c->vector.source != WATERMARK_NONE &&
		    c->vector.seq_id <= INT64_MAX)
			raise_to(&g->base, (int64_t)c->vector.seq_id);
	}
	if (db_prepare(g->db, &st, "SELECT max(seq_id) FROM "
	    "main.embeddings_queue UNION ALL SELECT seq_id FROM "
	    "main.max_seq_id", e) < 0)
		return -1;
	while ((got = db_step(&st, e)) > 0) {
		struct db_value v = db_col(&st, 0);

		raise_to(&g->base, era_seq_id(&v));
	}
	db_finish(&st);
	return got;
}

static int
number_log(struct graftrows *g, struct err *e)
{
	struct buf sql = { 0 };
	int64_t last = 0;

	buf_addf(&sql, "CREATE TEMP TABLE renumbered (old INTEGER PRIMARY KEY, "
	    "new INTEGER); INSERT INTO renumbered SELECT seq_id, %" PRId64
	    " + row_number() OVER (ORDER BY seq_id) FROM old.embeddings_queue "
	    "WHERE topic IN (SELECT topic FROM grafted)", g->base);
	if (db_exec_buf(g->db, &sql, e) < 0 ||
	    db_int(g->db, "SELECT count(*) FROM renumbered", &last, e) < 0)
		return -1;
	return last < INT64_MAX - g->base ? 0 : err_data(e, "%s: its log has "
	    "come to the number %" PRId64 ", there are none left",
	    err_tail(g->db->name), g->base);
}

/* What a number of the snapshot is now: that of the row, or of the last one
 * below it. */
static int
renumber(struct db_stmt *st, const struct graftrows *g, uint64_t old,
    uint64_t *new, struct err *e)
{
	int got;

	db_bind_i64(st, 1, old > INT64_MAX ? INT64_MAX : (int64_t)old);
	got = db_step(st, e);
	*new = (uint64_t)(got > 0 ? db_col_i64(st, 0) : g->base);
	db_reset(st);
	return got < 0 ? -1 : 0;
}

#define RENUMBER "SELECT new FROM renumbered WHERE old <= ?1 " \
	"ORDER BY old DESC LIMIT 1"

static int
number_marks(struct graftrows *g, struct err *e)
{
	struct db_stmt st;
	size_t i;
	int r = 0;

	if (db_prepare(g->db, &st, RENUMBER, e) < 0)
		return -1;
	for (i = 0; r == 0 && i < g->n; i++) {
		struct graft_of *of = &g->of[i];

		of->has_m = of->from->metadata.source != WATERMARK_NONE;
		of->has_h = of->from->vector.source != WATERMARK_NONE;
		of->h = (uint64_t)g->base;	/* below all of its rows */
		if (of->has_m)
			r = renumber(&st, g, of->from->metadata.seq_id,
			    &of->m, e);
		if (r == 0 && of->has_h)
			r = renumber(&st, g, of->from->vector.seq_id, &of->h,
			    e);
	}
	db_finish(&st);
	return r;
}

static const char *
text_table(const struct era *era)
{
	return era->metadb < 3 ? "embedding_fulltext" :
	    "embedding_fulltext_search";
}

/* Above every number that a row of a record has, or has left behind. */
static int
number_records(struct graftrows *g, struct err *e)
{
	const struct era *era = &g->to->era;
	int64_t used = 0, low = 0, high = 0;
	struct buf sql = { 0 };
	int r;

	buf_addf(&sql, "SELECT max(n) FROM (SELECT max(id) AS n FROM "
	    "main.embeddings UNION ALL SELECT max(id) FROM "
	    "main.embedding_metadata UNION ALL SELECT max(id) FROM main.%s%s",
	    text_table(era), era->metadb < 3 ? "" : "_docsize");
	if (era->has_array)
		buf_adds(&sql, " UNION ALL SELECT max(id) FROM "
		    "main.embedding_metadata_array");
	buf_adds(&sql, ")");
	r = buf_ok(&sql) ? db_int(g->db, buf_str(&sql), &used, e) :
	    err_nomem(e);
	buf_release(&sql);
	if (r < 0 || db_int(g->db, "SELECT min(id) FROM old.embeddings WHERE "
	    "segment_id IN (SELECT metadata FROM grafted)", &low, e) < 0 ||
	    db_int(g->db, "SELECT max(id) FROM old.embeddings WHERE "
	    "segment_id IN (SELECT metadata FROM grafted)", &high, e) < 0)
		return -1;
	if (used < 0 || used > RECORD_MAX || low < 0 ||
	    high - low >= RECORD_MAX - used)
		return err_data(e, "%s: numbers of records are used up to "
		    "%" PRId64 ", and Chroma has none above %" PRId64,
		    err_tail(g->db->name), used, RECORD_MAX);
	g->shift = used + 1 - low;
	return 0;
}

int
graftrows_number(struct graftrows *g, const char *path, struct err *e)
{
	if (db_exec(g->db, "PRAGMA cell_size_check=ON; "
	    "PRAGMA trusted_schema=OFF", e) < 0 ||
	    db_attach(g->db, path, "old", e) < 0)
		return -1;
	return list(g, e) < 0 || find_base(g, e) < 0 || number_log(g, e) < 0 ||
	    number_marks(g, e) < 0 ? -1 : number_records(g, e);
}

/* ---- what goes ---- */

static int
remove_one(struct graftrows *g, const struct collection *c, struct err *e)
{
	const struct era *era = &g->to->era;
	struct buf sql = { 0 };

#define RECORDS "(SELECT id FROM main.embeddings WHERE segment_id = ?1)"
	buf_addf(&sql, era->metadb < 3 ? "DELETE FROM main.%s WHERE id IN "
	    RECORDS : "DELETE FROM main.%s WHERE rowid IN " RECORDS,
	    text_table(era));
	if (!buf_ok(&sql) || RUN(g->db, e, buf_str(&sql),
	    c->metadata_segment) < 0) {
		buf_release(&sql);
		return -1;
	}
	buf_release(&sql);
	if (era->has_array && RUN(g->db, e, "DELETE FROM "
	    "main.embedding_metadata_array WHERE id IN " RECORDS,
	    c->metadata_segment) < 0)
		return -1;
	return RUN(g->db, e, "DELETE FROM main.embedding_metadata WHERE id IN "
	    RECORDS, c->metadata_segment) < 0 ||
	    RUN(g->db, e, "DELETE FROM main.embeddings WHERE segment_id = ?1",
	    c->metadata_segment) < 0 ||
	    RUN(g->db, e, "DELETE FROM main.embeddings_queue WHERE topic = ?1",
	    c->topic) < 0 ||
	    RUN(g->db, e, "DELETE FROM main.max_seq_id WHERE segment_id IN "
	    "(SELECT id FROM main.segments WHERE collection = ?1)", c->id) < 0 ||
	    RUN(g->db, e, "DELETE FROM main.segment_metadata WHERE segment_id "
	    "IN (SELECT id FROM main.segments WHERE collection = ?1)",
	    c->id) < 0 ||
	    RUN(g->db, e, "DELETE FROM main.segments WHERE collection = ?1",
	    c->id) < 0 ||
	    RUN(g->db, e, "DELETE FROM main.collection_metadata WHERE "
	    "collection_id = ?1", c->id) < 0 ||
	    RUN(g->db, e, "DELETE FROM main.collections WHERE id = ?1",
	    c->id) < 0 ? -1 : 0;
#undef RECORDS
}

static int
remove_all(struct graftrows *g, struct err *e)
{
	size_t i;

	for (i = 0; i < g->n; i++)
		if (g->of[i].replaced &&
		    remove_one(g, g->of[i].replaced, e) < 0)
			return -1;
	return 0;
}

/* ---- what comes ---- */

static int
create_databases(struct graftrows *g, struct err *e)
{
	char id[UUID_LEN + 1];
	size_t i;

	for (i = 0; i < g->n; i++) {
		const struct graft_of *of = &g->of[i];

		if (uuid_new(id, e) < 0 ||
		    RUN(g->db, e, "INSERT OR IGNORE INTO main.tenants (id) "
		    "VALUES (?1)", of->tenant) < 0 ||
		    RUN(g->db, e, "INSERT INTO main.databases (id, name, "
		    "tenant_id) SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 "
		    "FROM main.databases WHERE name = ?2 AND tenant_id = ?3)",
		    id, of->database, of->tenant) < 0)
			return -1;
	}
	return 0;
}

/* Columns that are not in every era: in the target or not, in the snapshot or
 * not. */
static void
put_optional(struct buf *into, struct buf *from, bool to_has, bool from_has,
    const char *column, const char *value)
{
	if (!to_has)
		return;
	buf_addf(into, ", %s", column);
	buf_addf(from, ", %s", from_has ? value : "NULL");
}

static int
insert(struct db *db, struct buf *into, struct buf *from, const char *where,
    struct err *e)
{
	struct buf sql = { 0 };

	buf_add(&sql, into->p, into->len);
	buf_adds(&sql, ") ");
	buf_add(&sql, from->p, from->len);
	buf_addf(&sql, " %s", where);
	if (!buf_ok(into) || !buf_ok(from))
		sql.failed = true;
	buf_release(into);
	buf_release(from);
	return db_exec_buf(db, &sql, e);
}

static int
write_collections(struct graftrows *g, struct err *e)
{
	const struct era *to = &g->to->era, *of = g->from;
	struct buf into = { 0 }, from = { 0 };

	buf_adds(&into, "INSERT INTO main.collections (id, name, dimension");
	buf_adds(&from, "SELECT g.new_id, g.name, c.dimension");
	put_optional(&into, &from, to->has_topic, true, "topic",
	    "g.new_topic");
	put_optional(&into, &from, to->has_databases, true, "database_id",
	    "(SELECT d.id FROM main.databases d WHERE d.name = g.database AND "
	    "d.tenant_id = g.tenant)");
	put_optional(&into, &from, to->has_config, of->has_config,
	    "config_json_str", "c.config_json_str");
	put_optional(&into, &from, to->has_schema, of->has_schema,
	    "schema_str", "c.schema_str");
	return insert(g->db, &into, &from, "FROM old.collections c JOIN "
	    "grafted g ON g.id = c.id", e);
}

static int
write_collection_metadata(struct graftrows *g, struct err *e)
{
	struct buf into = { 0 }, from = { 0 };

	buf_adds(&into, "INSERT INTO main.collection_metadata (collection_id, "
	    "key, str_value, int_value, float_value");
	buf_adds(&from, "SELECT g.new_id, m.key, m.str_value, m.int_value, "
	    "m.float_value");
	put_optional(&into, &from, g->to->era.has_bool, g->from->has_bool,
	    "bool_value", "m.bool_value");
	return insert(g->db, &into, &from, "FROM old.collection_metadata m "
	    "JOIN grafted g ON g.id = m.collection_id", e);
}

static int
write_segments(struct graftrows *g, struct err *e)
{
	struct buf into = { 0 }, from = { 0 };

	buf_adds(&into, "INSERT INTO main.segments (id, type, scope, "
	    "collection");
	buf_adds(&from, "SELECT CASE s.id WHEN g.vector THEN g.new_vector ELSE "
	    "g.new_metadata END, s.type, s.scope, g.new_id");
	put_optional(&into, &from, g->to->era.has_topic, g->from->has_topic,
	    "topic", "CASE WHEN s.topic IS NOT NULL THEN g.new_topic END");
	if (insert(g->db, &into, &from, "FROM old.segments s JOIN grafted g ON "
	    "s.id IN (g.vector, g.metadata)", e) < 0)
		return -1;
	buf_adds(&into, "INSERT INTO main.segment_metadata (segment_id, key, "
	    "str_value, int_value, float_value");
	buf_adds(&from, "SELECT CASE m.segment_id WHEN g.vector THEN "
	    "g.new_vector ELSE g.new_metadata END, m.key, m.str_value, "
	    "m.int_value, m.float_value");
	put_optional(&into, &from, g->to->era.has_bool, g->from->has_bool,
	    "bool_value", "m.bool_value");
	return insert(g->db, &into, &from, "FROM old.segment_metadata m JOIN "
	    "grafted g ON m.segment_id IN (g.vector, g.metadata)", e);
}

/* A number as the target's era stores it. */
static void
bind_seq_id(struct db_stmt *st, int i, const struct era *era, uint64_t seq_id,
    uint8_t room[8])
{
	int k;

	if (era_integer_watermark(era)) {
		db_bind_i64(st, i, (int64_t)seq_id);
		return;
	}
	for (k = 0; k < 8; k++)
		room[k] = (uint8_t)(seq_id >> (56 - 8 * k));
	db_bind_blob(st, i, slice_of((const char *)room, 8));
}

static int
write_mark(struct graftrows *g, const char *segment, uint64_t seq_id,
    struct err *e)
{
	struct db_stmt st;
	uint8_t room[8];
	int got;

	if (db_prepare(g->db, &st, "INSERT INTO main.max_seq_id (segment_id, "
	    "seq_id) VALUES (?1, ?2)", e) < 0)
		return -1;
	db_bind_text(&st, 1, slice_str(segment));
	bind_seq_id(&st, 2, &g->to->era, seq_id, room);
	got = db_step(&st, e);
	db_finish(&st);
	return got;
}

/* H has a row from 0.5.6 on; one more does no harm before, where some tool or a
 * newer Chroma had put it. */
static int
write_marks(struct graftrows *g, struct err *e)
{
	size_t i;

	for (i = 0; i < g->n; i++) {
		const struct graft_of *of = &g->of[i];

		if (of->has_m && write_mark(g, of->metadata, of->m, e) < 0)
			return -1;
		if (of->has_h && (!era_pickle_watermark(&g->to->era) ||
		    of->from->vector.source == WATERMARK_ROW) &&
		    write_mark(g, of->vector, of->h, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- records ---- */

static int
write_record(struct graftrows *g, struct db_stmt *read, struct db_stmt *find,
    struct db_stmt *put, struct err *e)
{
	struct db_value seq = db_col(read, 3);
	int64_t old = era_seq_id(&seq);
	uint8_t room[8];
	uint64_t new;
	int got;

	if (renumber(find, g, old < 0 ? 0 : (uint64_t)old, &new, e) < 0)
		return -1;
	db_bind_i64(put, 1, db_col_i64(read, 0) + g->shift);
	db_bind_text(put, 2, db_col_text(read, 1));
	db_bind_text(put, 3, db_col_text(read, 2));
	bind_seq_id(put, 4, &g->to->era, new, room);
	db_bind_text(put, 5, db_col_text(read, 4));
	got = db_step(put, e);
	db_reset(put);
	return got;
}

static int
write_embeddings(struct graftrows *g, struct err *e)
{
	struct db_stmt read = { NULL }, find = { NULL }, put = { NULL };
	int got = -1;

	if (db_prepare(g->db, &read, "SELECT e.id, g.new_metadata, "
	    "e.embedding_id, e.seq_id, e.created_at FROM old.embeddings e "
	    "CROSS JOIN grafted g WHERE g.metadata = +e.segment_id "
	    "ORDER BY e.id", e) == 0 &&
	    db_prepare(g->db, &find, RENUMBER, e) == 0 &&
	    db_prepare(g->db, &put, "INSERT INTO main.embeddings (id, "
	    "segment_id, embedding_id, seq_id, created_at) VALUES (?1, ?2, ?3, "
	    "?4, ?5)", e) == 0)
		while ((got = db_step(&read, e)) > 0)
			if (write_record(g, &read, &find, &put, e) < 0) {
				got = -1;
				break;
			}
	db_finish(&read);
	db_finish(&find);
	db_finish(&put);
	return got;
}

/* Of the records that are grafted. */
#define THEIRS "WHERE EXISTS (SELECT 1 FROM old.embeddings e JOIN grafted g " \
	"ON g.metadata = e.segment_id WHERE e.id = m.id)"

static int
write_metadata(struct graftrows *g, struct err *e)
{
	struct buf into = { 0 }, from = { 0 };

	buf_adds(&into, "INSERT INTO main.embedding_metadata (id, key, "
	    "string_value, int_value, float_value");
	buf_addf(&from, "SELECT m.id + %" PRId64 ", m.key, m.string_value, "
	    "m.int_value, m.float_value", g->shift);
	put_optional(&into, &from, g->to->era.metadb >= 2,
	    g->from->metadb >= 2, "bool_value", "m.bool_value");
	if (insert(g->db, &into, &from, "FROM old.embedding_metadata m " THEIRS
	    " ORDER BY m.rowid", e) < 0)
		return -1;
	if (!g->to->era.has_array || !g->from->has_array)
		return 0;
	buf_addf(&from, "INSERT INTO main.embedding_metadata_array (id, key, "
	    "string_value, int_value, float_value, bool_value) SELECT m.id + "
	    "%" PRId64 ", m.key, m.string_value, m.int_value, m.float_value, "
	    "m.bool_value FROM old.embedding_metadata_array m " THEIRS
	    " ORDER BY m.rowid", g->shift);
	return db_exec_buf(g->db, &from, e);
}

static int
write_text(struct graftrows *g, struct err *e)
{
	const struct era *era = &g->to->era;
	struct buf sql = { 0 };

	buf_addf(&sql, "INSERT INTO main.%s (%s, string_value) SELECT m.id + "
	    "%" PRId64 ", m.string_value FROM old.embedding_metadata m "
	    THEIRS " AND m.key = 'chroma:document' AND m.string_value IS NOT "
	    "NULL ORDER BY m.id", text_table(era), era->metadb < 3 ? "id" :
	    "rowid", g->shift);
	return db_exec_buf(g->db, &sql, e);
}

static int
write_log(struct graftrows *g, struct err *e)
{
	return db_exec(g->db, "INSERT INTO main.embeddings_queue (seq_id, "
	    "created_at, operation, topic, id, vector, encoding, metadata) "
	    "SELECT r.new, q.created_at, q.operation, g.new_topic, q.id, "
	    "q.vector, q.encoding, q.metadata FROM renumbered r CROSS JOIN "
	    "old.embeddings_queue q ON q.seq_id = r.old CROSS JOIN grafted g "
	    "ON g.topic = q.topic ORDER BY r.old", e);
}

/* ---- all of it ---- */

static int
put_anchors(struct graftrows *g, struct err *e)
{
	char topic[sizeof(TOPIC_HEAD) + UUID_LEN + 1];
	size_t i;

	for (i = 0; i < g->n; i++) {
		const struct graft_of *of = &g->of[i];
		uint64_t mark = of->has_m ? of->m : 0;

		if (of->has_h && of->h > mark)
			mark = of->h;
		snprintf(topic, sizeof(topic), TOPIC_HEAD "%s", of->id);
		if (anchor_put(g->db, (int64_t)mark, topic, e) < 0)
			return -1;
	}
	return 0;
}

int
graftrows_write(struct graftrows *g, bool create, struct err *e)
{
	return remove_all(g, e) < 0 ||
	    (create && create_databases(g, e) < 0) ||
	    write_collections(g, e) < 0 ||
	    write_collection_metadata(g, e) < 0 ||
	    write_segments(g, e) < 0 || write_marks(g, e) < 0 ||
	    write_embeddings(g, e) < 0 || write_metadata(g, e) < 0 ||
	    write_text(g, e) < 0 || write_log(g, e) < 0 ||
	    put_anchors(g, e) < 0 ? -1 : 0;
}

int
graftrows_rename(struct graftrows *g, struct err *e)
{
	size_t i;

	if (g->to->era.has_databases && create_databases(g, e) < 0)
		return -1;
	for (i = 0; i < g->n; i++) {
		const struct graft_of *of = &g->of[i];

		/* (two may change names: none is in the way of another) */
		if (RUN(g->db, e, "UPDATE main.collections SET name = id "
		    "WHERE id = ?1", of->id) < 0)
			return -1;
	}
	for (i = 0; i < g->n; i++) {
		const struct graft_of *of = &g->of[i];

		if (RUN(g->db, e, "UPDATE main.collections SET name = ?2 "
		    "WHERE id = ?1", of->id, of->name) < 0 ||
		    (g->to->era.has_databases && RUN(g->db, e, "UPDATE "
		    "main.collections SET database_id = (SELECT id FROM "
		    "main.databases WHERE name = ?2 AND tenant_id = ?3) "
		    "WHERE id = ?1", of->id, of->database, of->tenant) < 0))
			return -1;
	}
	return 0;
}
