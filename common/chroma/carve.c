/* SPDX-License-Identifier: Apache-2.0 */
/* carve.c - some collections of a persist dir as a database of their own. */
#include "chroma/carve.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chroma/anchor.h"
#include "chroma/coverage.h"
#include "chroma/index.h"
#include "chroma/tablecopy.h"
#include "chroma/wal.h"

/* ---- what of the log comes along ---- */

static size_t
number_of(const struct carve *cv, const struct collection *col)
{
	return (size_t)(col - cv->catalog->collection);
}

/* A row below min(M, H): the first one of a collection asks for its index. */
static int
take_row(struct carve *cv, struct coverage *cov, struct walrows *rows,
    int64_t seq_id, struct err *e)
{
	const struct collection *col;
	uint64_t committed;
	struct wal_row row;
	bool goes;

	wal_row_take(rows, cv->catalog, seq_id, &row);
	col = row.collection;
	if (!col || !col->selected || !collection_committed(col, &committed))
		return 0;
	goes = seq_id >= 0 && (uint64_t)seq_id < committed;
	if (!cov->of[number_of(cv, col)].used) {
		if (!goes)
			return 0;
		if (coverage_use(cov, col, cv->pd->dirfd, col->vector_segment,
		    e) < 0)
			return -1;
	}
	cv->of[number_of(cv, col)].left_out += goes;
	wal_row_payload(rows, &row);
	return coverage_row(cov, &row, goes, e);
}

static int
take_rows(struct carve *cv, struct coverage *cov, struct err *e)
{
	struct walrows rows;
	int64_t seq_id;
	int got;

	if (walrows_open(&rows, &cv->pd->db, WAL_ROW_COLUMNS, INT64_MIN,
	    INT64_MAX, e) < 0)
		return -1;
	while ((got = walrows_next(&rows, &seq_id, e)) > 0)
		if (take_row(cv, cov, &rows, seq_id, e) < 0) {
			got = -1;
			break;
		}
	walrows_close(&rows);
	return got;
}

static void
settle(struct carve *cv, const struct coverage *cov, size_t i)
{
	const struct collection *col = &cv->catalog->collection[i];
	struct carve_of *of = &cv->of[i];
	uint64_t committed;

	if (!cov->of[i].used)
		return;
	if (of->note.len) {
		of->left_out = 0;
		return;
	}
	if (coverage_passed(cov, col) &&
	    collection_committed(col, &committed)) {
		of->from = (int64_t)committed;
		return;
	}
	coverage_explain(&cov->of[i], &of->note);
	of->left_out = 0;
}

/* An index to which nothing was ever persisted may lack files. */
static int
unused(const struct carve *cv, const struct collection *col, struct err *e)
{
	struct index_dir d;
	int r;

	if (col->vector.source != WATERMARK_NONE)
		return 0;
	if (index_open(&d, cv->pd->dirfd, col->vector_segment, e) < 0)
		return -1;
	r = index_unused(&d);
	index_close(&d);
	return r;
}

/* What Chroma cannot load is carved as it is, with all of the log. */
static int
look_at_index(struct carve *cv, size_t i, struct err *e)
{
	const struct collection *col = &cv->catalog->collection[i];
	struct buf *note = &cv->of[i].note;
	int r;

	if (!col->selected || !col->vector_segment)
		return 0;
	if (col->index_fault) {
		r = unused(cv, col, e);
		if (r == 0)
			buf_addf(note, "its index is damaged: %s",
			    col->index_fault);
		return r < 0 ? -1 : buf_ok(note) ? 0 : err_nomem(e);
	}
	if (col->vector.source == WATERMARK_ROW && col->dimension > 0) {
		struct err ignored;

		r = index_find(cv->pd->dirfd, col->vector_segment, &ignored);
		if (r >= 0)
			close(r);
		else
			buf_adds(note, "its index is missing");
	}
	return buf_ok(note) ? 0 : err_nomem(e);
}

/* What is ambiguous is not carved: nobody knows which rows are its own. */
static int
check_selected(const struct catalog *c, struct err *e)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (c->collection[i].selected && c->collection[i].ambiguous)
			return err_data(e, "collection %s: %s; leave it out "
			    "with --skip", c->collection[i].name,
			    c->collection[i].ambiguous);
	return 0;
}

int
carve_begin(struct carve *cv, struct persist *pd, const struct catalog *c,
    bool whole_log, const char *tmpdir, struct err *e)
{
	size_t i;

	*cv = (struct carve){ .catalog = c, .pd = pd, .tmpdir = tmpdir,
	    .whole_log = whole_log };
	cv->of = calloc(c->n + 1, sizeof(*cv->of));
	if (!cv->of)
		return err_nomem(e);
	for (i = 0; i < c->n; i++)
		cv->of[i].from = INT64_MIN;
	if (check_selected(c, e) < 0)
		return -1;
	for (i = 0; i < c->n; i++)
		if (look_at_index(cv, i, e) < 0)
			return -1;
	return 0;
}

static int
prove(struct carve *cv, struct err *e)
{
	struct coverage cov;
	size_t i;
	int r;

	r = coverage_start(&cov, &cv->pd->db, cv->catalog, cv->tmpdir, e);
	if (r == 0)
		r = take_rows(cv, &cov, e);
	if (r == 0)
		r = coverage_judge(&cov, e);
	for (i = 0; r == 0 && i < cv->catalog->n; i++) {
		settle(cv, &cov, i);
		if (!buf_ok(&cv->of[i].note))
			r = err_nomem(e);
	}
	coverage_end(&cov);
	return r;
}

/* ---- the tables ---- */

/* temp.chosen: what is carved, for the statements below. */
static int
choose(struct carve *cv, struct db *db, struct err *e)
{
	struct db_stmt st;
	size_t i;
	int got = 0;

	if (db_exec(db, "PRAGMA temp_store=MEMORY; CREATE TEMP TABLE chosen "
	    "(topic TEXT PRIMARY KEY, first INTEGER, id TEXT, vector TEXT, "
	    "metadata TEXT)", e) < 0 ||
	    db_prepare(db, &st, "INSERT INTO chosen VALUES (?1, ?2, ?3, ?4, "
	    "?5)", e) < 0)
		return -1;
	for (i = 0; got >= 0 && i < cv->catalog->n; i++) {
		const struct collection *c = &cv->catalog->collection[i];

		if (!c->selected)
			continue;
		db_bind_text(&st, 1, slice_str(c->topic));
		db_bind_i64(&st, 2, INT64_MIN);
		db_bind_text(&st, 3, slice_str(c->id));
		db_bind_text(&st, 4, slice_str(c->vector_segment));
		db_bind_text(&st, 5, slice_str(c->metadata_segment));
		got = db_step(&st, e);
		db_reset(&st);
	}
	db_finish(&st);
	return got;
}

/* Chroma's tables, and which rows of each are carved: behind FROM old.NAME.
 * records: only if not all records are.  The order is that of dependence. */
static const struct table {
	const char *name, *rest;
	bool records;
} tables[] = {
	{ "migrations", "", false },
	{ "acquire_write", "", false },
	{ "maintenance_log", "", false },
	{ "embeddings_queue_config", "", false },
	{ "collections", "WHERE id IN (SELECT id FROM chosen)", false },
	{ "collection_metadata", "WHERE collection_id IN (SELECT id FROM "
	    "chosen)", false },
	{ "segments", "WHERE collection IN (SELECT id FROM chosen)", false },
	{ "segment_metadata", "WHERE segment_id IN (SELECT id FROM "
	    "main.segments)", false },
	{ "max_seq_id", "WHERE segment_id IN (SELECT id FROM main.segments)",
	    false },
	/* Chroma asks for the default ones without being told to */
	{ "databases", "WHERE id IN (SELECT database_id FROM "
	    "main.collections) OR id = '00000000-0000-0000-0000-000000000000'",
	    false },
	{ "tenants", "WHERE id IN (SELECT tenant_id FROM main.databases) OR "
	    "id = 'default_tenant'", false },
	/* "+": in the order of its rowids */
	{ "embeddings", "WHERE +segment_id IN (SELECT metadata FROM chosen)",
	    true },
	{ "embedding_metadata", "WHERE +id IN (SELECT id FROM "
	    "main.embeddings)", true },
	{ "embedding_metadata_array", "WHERE +id IN (SELECT id FROM "
	    "main.embeddings)", true },
};
#define TABLES (sizeof(tables) / sizeof(tables[0]))

static int
has(struct db *db, const char *table, struct err *e)
{
	return db_gives(db, "SELECT 1 FROM old.sqlite_master WHERE "
	    "type = 'table' AND name = ?1 AND rootpage > 0", slice_str(table),
	    (struct slice){ NULL, 0 }, e);
}

static int
create(struct db *db, struct slice name, struct slice sql, void *arg,
    struct err *e)
{
	size_t i;

	(void)arg;
	for (i = 0; i < TABLES; i++)
		if (slice_is(name, tables[i].name))
			return tablecopy_create(db, name, sql, e);
	return slice_is(name, "embeddings_queue") ?
	    tablecopy_create(db, name, sql, e) : 0;
}

static int
create_index(struct db *db, struct slice name, struct slice sql, void *arg,
    struct err *e)
{
	(void)arg;
	return tablecopy_create(db, name, sql, e);
}

/* Indexes that the user has made are left behind, too. */
#define INDEXES "SELECT name, sql FROM old.sqlite_master WHERE " \
	"type = 'index' AND sql IS NOT NULL AND tbl_name IN " \
	"('embedding_metadata', 'embedding_metadata_array') AND " \
	"name GLOB 'embedding_metadata*' ORDER BY rowid"

/* Whether every record is carved, and has no leftovers beside it: 1, 0, -1 with
 * *e set. */
static int
all_records(struct db *db, struct err *e)
{
	static const char *const other[] = {
		"embeddings", "SELECT count(*) FROM (SELECT 1 FROM "
		    "old.embeddings WHERE +segment_id NOT IN (SELECT metadata "
		    "FROM chosen WHERE metadata IS NOT NULL) LIMIT 1)",
		"embedding_metadata", "SELECT count(*) FROM (SELECT 1 FROM "
		    "old.embedding_metadata m WHERE NOT EXISTS (SELECT 1 FROM "
		    "old.embeddings e WHERE e.id = m.id) LIMIT 1)",
		"embedding_metadata_array", "SELECT count(*) FROM (SELECT 1 "
		    "FROM old.embedding_metadata_array m WHERE NOT EXISTS "
		    "(SELECT 1 FROM old.embeddings e WHERE e.id = m.id) "
		    "LIMIT 1)",
	};
	size_t i;

	for (i = 0; i < sizeof(other) / sizeof(other[0]); i += 2) {
		int there = has(db, other[i], e);
		int64_t n = 0;

		if (there < 0 || (there && db_int(db, other[i + 1], &n, e) < 0))
			return -1;
		if (n)
			return 0;
	}
	return 1;
}

static int
copy_tables(struct db *db, struct err *e)
{
	int all = all_records(db, e);
	size_t i;

	if (all < 0 || tablecopy_each(db, "SELECT name, sql FROM "
	    "old.sqlite_master WHERE " TABLECOPY_TABLES " ORDER BY rowid",
	    create, NULL, e) < 0)
		return -1;
	/* whole tables are copied with their indexes, of others they are made
	 * afterwards */
	if (all && tablecopy_each(db, INDEXES, create_index, NULL, e) < 0)
		return -1;
	for (i = 0; i < TABLES; i++) {
		int there = has(db, tables[i].name, e);

		if (there < 0 || (there && tablecopy_rows(db,
		    slice_str(tables[i].name), tables[i].records && all ? "" :
		    tables[i].rest, e) < 0))
			return -1;
	}
	return all ? 0 : tablecopy_each(db, INDEXES, create_index, NULL, e);
}

/* ---- the log ---- */

/* The rows that held the numbers up to a watermark may be of others. */
static int
put_anchor(struct carve *cv, struct db *db, struct err *e)
{
	const char *topic = NULL;
	int64_t mark = 0;
	size_t i;

	for (i = 0; i < cv->catalog->n; i++) {
		const struct collection *c = &cv->catalog->collection[i];
		const struct watermark *of[] = { &c->metadata, &c->vector };
		int k;

		for (k = 0; c->selected && k < 2; k++)
			if (of[k]->source != WATERMARK_NONE && !of[k]->odd &&
			    of[k]->seq_id <= INT64_MAX &&
			    (int64_t)of[k]->seq_id > mark) {
				mark = (int64_t)of[k]->seq_id;
				topic = c->topic;
			}
	}
	return anchor_put(db, mark, topic, e);
}

/* What was proven to be in an index is left out. */
static int
choose_rows(struct carve *cv, struct db *db, struct err *e)
{
	struct db_stmt st;
	size_t i;
	int got = 0;

	if (db_prepare(db, &st, "UPDATE chosen SET first = ?1 WHERE topic = ?2",
	    e) < 0)
		return -1;
	for (i = 0; got >= 0 && i < cv->catalog->n; i++) {
		db_bind_i64(&st, 1, cv->of[i].from);
		db_bind_text(&st, 2,
		    slice_str(cv->catalog->collection[i].topic));
		got = db_step(&st, e);
		db_reset(&st);
	}
	db_finish(&st);
	return got;
}

static int
copy_log(struct carve *cv, struct db *db, struct err *e)
{
	struct db_stmt st;
	int got;

	if (choose_rows(cv, db, e) < 0 || tablecopy_log(db, &st, "seq_id >= (SELECT min(first) FROM chosen) "
	    "AND EXISTS (SELECT 1 FROM chosen WHERE chosen.topic = "
	    "embeddings_queue.topic AND embeddings_queue.seq_id >= first)",
	    e) < 0)
		return -1;
	got = db_step(&st, e);
	db_finish(&st);
	return got < 0 ? -1 : put_anchor(cv, db, e);
}

/* ---- what is in it ---- */

/* The numbers of ?1 that a query gives, in the order of to. */
static int
numbers(struct db *db, const char *sql, const char *key, uint64_t *const to[],
    int n, struct err *e)
{
	struct db_stmt st;
	int got, i;

	if (!key)
		return 0;
	if (db_prepare(db, &st, sql, e) < 0)
		return -1;
	db_bind_text(&st, 1, slice_str(key));
	got = db_step(&st, e);
	for (i = 0; got > 0 && i < n; i++)
		*to[i] = (uint64_t)db_col_i64(&st, i);
	db_finish(&st);
	return got < 0 ? -1 : 0;
}

static int
describe(struct carve *cv, size_t i, struct db *db,
    struct manifest_collection *m, struct err *e)
{
	const struct collection *c = &cv->catalog->collection[i];
	const struct carve_of *of = &cv->of[i];
	uint64_t *const records[] = { &m->records };
	uint64_t *const log[] = { &m->rows, &m->from_seq_id, &m->to_seq_id };

	m->id = c->id;
	m->name = c->name;
	m->tenant = c->tenant;
	m->database = c->database;
	m->vector_segment = c->vector_segment;
	m->metadata_segment = c->metadata_segment;
	m->dimension = c->dimension;
	m->space = c->params.space == SPACE_UNKNOWN ? NULL :
	    space_name(c->params.space);
	m->M = c->params.value[PARAM_M];
	m->ef_construction = c->params.value[PARAM_EF_CONSTRUCTION];
	m->ef_search = c->params.value[PARAM_EF_SEARCH];
	m->whole = of->from == INT64_MIN;
	m->has_metadata_seq_id = c->metadata.source != WATERMARK_NONE;
	m->metadata_seq_id = c->metadata.seq_id;
	m->has_vector_seq_id = c->vector.source != WATERMARK_NONE;
	m->vector_seq_id = c->vector.seq_id;
	m->note = of->note.len ? of->note.p : NULL;
	return numbers(db, "SELECT count(*) FROM main.embeddings WHERE "
	    "segment_id = ?1", c->metadata_segment, records, 1, e) < 0 ||
	    numbers(db, "SELECT n, low, high FROM temp.carved WHERE topic = "
	    "?1", c->topic, log, 3, e) < 0 ? -1 : 0;
}

static int
describe_all(struct carve *cv, struct db *db, struct manifest *m,
    struct err *e)
{
	struct manifest_collection *mc;
	size_t i;

	m->sysdb = cv->catalog->era.sysdb;
	m->metadb = cv->catalog->era.metadb;
	m->queue = cv->catalog->era.queue;
	if (db_exec(db, "CREATE TEMP TABLE carved AS SELECT topic, count(*) AS "
	    "n, min(seq_id) AS low, max(seq_id) AS high FROM "
	    "main.embeddings_queue GROUP BY topic", e) < 0)
		return -1;
	for (i = 0; i < cv->catalog->n; i++) {
		if (!cv->catalog->collection[i].selected)
			continue;
		mc = manifest_add_collection(m);
		if (!mc)
			return err_nomem(e);
		if (describe(cv, i, db, mc, e) < 0)
			return -1;
	}
	return 0;
}

static int
copy_records(struct carve *cv, struct err *e)
{
	return copy_tables(&cv->db, e) < 0 ? -1 :
	    textindex_copy(&cv->text, &cv->db, &cv->catalog->era, e);
}

static void *
run(void *arg)
{
	struct carve *cv = arg;

	cv->result = copy_records(cv, &cv->why);
	return NULL;
}

/* The tables are copied while the log is read against the indexes. */
static int
copy_and_prove(struct carve *cv, struct err *e)
{
	int r;

	if (cv->whole_log)
		return copy_records(cv, e);
	if (pthread_create(&cv->thread, NULL, run, cv) != 0)
		return err_fail(e, "cannot make a thread");
	r = prove(cv, e);
	if (r < 0)
		db_interrupt(&cv->db);
	pthread_join(cv->thread, NULL);
	if (r == 0 && cv->result < 0)
		*e = cv->why;
	return r < 0 ? -1 : cv->result;
}

int
carve_write(struct carve *cv, const char *path, struct manifest *m,
    struct err *e)
{
	struct db *db = &cv->db;

	return tablecopy_begin(db, cv->pd->real, &cv->pd->db, path, e) < 0 ||
	    choose(cv, db, e) < 0 || copy_and_prove(cv, e) < 0 ||
	    copy_log(cv, db, e) < 0 || describe_all(cv, db, m, e) < 0 ||
	    db_exec(db, "COMMIT", e) < 0 ? -1 :
	    textindex_finish(&cv->text, path, &cv->catalog->era, e);
}

void
carve_end(struct carve *cv)
{
	size_t i;

	for (i = 0; cv->of && i < cv->catalog->n; i++)
		buf_release(&cv->of[i].note);
	free(cv->of);
	if (cv->db.h)
		db_close(&cv->db);
	*cv = (struct carve){ NULL };
}
