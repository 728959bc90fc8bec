/* SPDX-License-Identifier: Apache-2.0 */
/* apply.c - the pending rows of the log into the metadata segment. */
#include "chroma/apply.h"

#include <stdlib.h>

#include "base/buf.h"
#include "chroma/schemakeys.h"
#include "chroma/wal.h"
#include "chroma/walrows.h"
#include "stream/record.h"

/* ---- what is pending ---- */

static bool
wanted(const struct collection *col, int64_t seq_id)
{
	return col && col->selected &&
	    (col->metadata.source == WATERMARK_NONE ||
	    (uint64_t)seq_id > col->metadata.seq_id);
}

/* Above what a selected collection has rows to apply. */
static int64_t
least_watermark(const struct catalog *c)
{
	uint64_t least = c->newest;
	size_t i;

	for (i = 0; i < c->n; i++)
		if (!c->collection[i].selected)
			continue;
		else if (c->collection[i].metadata.source == WATERMARK_NONE)
			return 0;
		else if (c->collection[i].metadata.seq_id < least)
			least = c->collection[i].metadata.seq_id;
	return (int64_t)least;
}

static int
count_batch(struct apply *a, struct walrows *w, struct err *e)
{
	const struct collection *col;
	struct db_value topic;
	struct apply_of *of;
	int64_t seq_id;
	int got;

	db_batch_start(a->db);
	while ((got = walrows_next(w, &seq_id, e)) > 0) {
		topic = db_col(&w->st, 1);
		col = catalog_of_topic_value(a->catalog, &topic);
		if (wanted(col, seq_id)) {
			of = &a->of[col - a->catalog->collection];
			of->last = seq_id;
			if (of->rows++ == 0)
				of->first = seq_id;
			a->pending++;
		}
		if (a->dry_run && db_batch_over(a->db, 0))
			break;
	}
	walrows_pause(w);
	return got;
}

static int
count_pending(struct apply *a, struct err *e)
{
	int64_t from = least_watermark(a->catalog);
	int64_t to = (int64_t)a->catalog->newest;
	struct walrows w;
	int got;

	if (from >= to)
		return 0;
	if (walrows_open(&w, a->db, ", topic", from + 1, to, e) < 0)
		return -1;
	while ((got = count_batch(a, &w, e)) > 0)
		;
	walrows_close(&w);
	return got;
}

static int
prepare_reading(struct apply *a, struct err *e)
{
	if (db_exec(a->db, "CREATE TEMP TABLE apply_seen (id TEXT PRIMARY KEY, "
	    "live INTEGER) WITHOUT ROWID", e) < 0 ||
	    db_prepare(a->db, &a->seen, "SELECT live FROM temp.apply_seen "
	    "WHERE id = ?1", e) < 0)
		return -1;
	return db_prepare(a->db, &a->see, "INSERT OR REPLACE INTO "
	    "temp.apply_seen (id, live) VALUES (?1, ?2)", e);
}

static int
prepare_writing(struct apply *a, struct err *e)
{
	const char *mark = a->rows.dialect.rust ?
	    "INSERT INTO max_seq_id (segment_id, seq_id) VALUES (?1, ?2) "
	    "ON CONFLICT (segment_id) DO UPDATE SET seq_id = excluded.seq_id" :
	    "INSERT OR REPLACE INTO max_seq_id (segment_id, seq_id) "
	    "VALUES (?1, ?2)";

	return db_prepare(a->db, &a->insert, "INSERT INTO embeddings "
	    "(segment_id, embedding_id, seq_id) VALUES (?1, ?2, ?3)", e) < 0 ||
	    db_prepare(a->db, &a->touch, "UPDATE embeddings SET seq_id = ?3 "
	    "WHERE id = ?1", e) < 0 ||
	    db_prepare(a->db, &a->erase, "DELETE FROM embeddings "
	    "WHERE id = ?1", e) < 0 ||
	    db_prepare(a->db, &a->mark, mark, e) < 0 ? -1 : 0;
}

int
apply_open(struct apply *a, struct db *db, const struct catalog *c,
    bool dry_run, struct err *e)
{
	*a = (struct apply){ .db = db, .catalog = c, .dry_run = dry_run,
	    .markers = c->era.sysdb >= 10,
	    .of = calloc(c->n + 1, sizeof(*a->of)) };
	if (!a->of)
		return err_nomem(e);
	if (metarows_open(&a->rows, db, &c->era, e) < 0 ||
	    db_prepare(db, &a->find, "SELECT id FROM embeddings "
	    "WHERE segment_id = ?1 AND embedding_id = ?2", e) < 0 ||
	    (dry_run ? prepare_reading(a, e) : prepare_writing(a, e)) < 0)
		return -1;
	return count_pending(a, e);
}

void
apply_close(struct apply *a)
{
	struct db_stmt *const all[] = { &a->find, &a->insert, &a->touch,
	    &a->erase, &a->mark, &a->seen, &a->see };
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		db_finish(all[i]);
	metarows_close(&a->rows);
	metavalues_release(&a->values);
	free(a->of);
	a->of = NULL;
}

/* ---- records ---- */

/* seq_ids, as parameter i: INTEGER from 1.0 on, before that 8 bytes. */
static void
bind_seq_id(const struct apply *a, struct db_stmt *st, int i, int64_t seq_id)
{
	char big_endian[8];
	int k;

	if (a->rows.dialect.rust) {
		db_bind_i64(st, i, seq_id);
		return;
	}
	for (k = 0; k < 8; k++)
		big_endian[k] = (char)((uint64_t)seq_id >> (56 - 8 * k));
	db_bind_blob(st, i, slice_of(big_endian, 8));
}

/* Run a statement that gives at most one number.  1, 0, -1 with *e set. */
static int
look_up(struct db_stmt *st, int64_t *number, struct err *e)
{
	int got = db_step(st, e);

	if (got > 0)
		*number = db_col_i64(st, 0);
	db_reset(st);
	return got;
}

/* Whether there is such a record, and its number. */
static int
find_record(struct apply *a, struct slice id, int64_t *number, struct err *e)
{
	int64_t live;
	int got;

	if (a->dry_run) {
		db_bind_text(&a->seen, 1, id);
		got = look_up(&a->seen, &live, e);
		if (got != 0)
			return got < 0 ? -1 : live != 0;
	}
	db_bind_text(&a->find, 2, id);
	return look_up(&a->find, number, e);
}

/* In a dry run nothing tells later rows of the id what became of it. */
static int
see(struct apply *a, struct slice id, bool live, struct err *e)
{
	int64_t ignored;

	db_bind_text(&a->see, 1, id);
	db_bind_i64(&a->see, 2, live);
	return look_up(&a->see, &ignored, e);
}

static int
insert_record(struct apply *a, struct apply_of *of, struct slice id,
    int64_t seq_id, struct err *e)
{
	int64_t number = 0;
	int stale;

	of->added++;
	if (a->dry_run)
		return see(a, id, true, e);
	db_bind_text(&a->insert, 2, id);
	bind_seq_id(a, &a->insert, 3, seq_id);
	if (look_up(&a->insert, &number, e) < 0)
		return -1;
	number = db_last_rowid(a->db);
	stale = metarows_start(&a->rows, number, e);
	if (stale < 0)
		return -1;
	of->repaired += stale > 0;
	return metarows_put(&a->rows, number, &a->values, true, e);
}

static int
update_record(struct apply *a, struct apply_of *of, int64_t number,
    int64_t seq_id, struct err *e)
{
	int64_t ignored;

	of->updated++;
	if (a->dry_run)
		return 0;
	db_bind_i64(&a->touch, 1, number);
	bind_seq_id(a, &a->touch, 3, seq_id);
	if (look_up(&a->touch, &ignored, e) < 0)
		return -1;
	return metarows_put(&a->rows, number, &a->values, false, e);
}

static int
delete_record(struct apply *a, struct apply_of *of, struct slice id,
    int64_t number, struct err *e)
{
	int64_t ignored;

	of->deleted++;
	if (a->dry_run)
		return see(a, id, false, e);
	db_bind_i64(&a->erase, 1, number);
	if (look_up(&a->erase, &ignored, e) < 0)
		return -1;
	return metarows_clear(&a->rows, number, e);
}

/* ---- rows ---- */

/* The row as wal.h looks at it: without the bytes of its vector, which lie on
 * pages of their own. */
#define COLUMNS ", created_at, operation, topic, id, typeof(vector), " \
	"encoding, metadata, length(vector)"

static void
take_row(struct db_stmt *st, int64_t seq_id, const struct collection *col,
    struct wal_row *row)
{
	struct slice type;
	int i;

	row->collection = col;
	row->col[WAL_SEQ_ID] = (struct db_value){ .type = DB_INTEGER,
	    .i = seq_id };
	for (i = WAL_SEQ_ID + 1; i < WAL_COLUMNS; i++)
		row->col[i] = db_col(st, i);
	type = row->col[WAL_VECTOR].bytes;
	row->col[WAL_VECTOR] = (struct db_value){
	    .type = slice_is(type, "blob") ? DB_BLOB :
	    slice_is(type, "null") ? DB_NULL : DB_TEXT,
	    .bytes = slice_of("", (size_t)db_col_i64(st, WAL_COLUMNS)) };
}

/* 1: nothing is wrong with it, and its values are read; 0: of->refused says
 * what is; -1 with *e set. */
static int
judge(struct apply *a, struct apply_of *of, const struct wal_row *row,
    struct err *e)
{
	const struct db_value *md = &row->col[WAL_METADATA];
	enum wal_poison poison = wal_row_poison(row);

	if (poison == POISON_MARKER && a->markers)
		return 1;
	if (poison == POISON_NONE && md->type != DB_NULL &&
	    md->type != DB_TEXT)
		poison = POISON_TYPE;
	if (poison != POISON_NONE) {
		of->refused = wal_poison_what(poison);
		of->effect = wal_poison_effect(poison);
		return 0;
	}
	a->values.n = 0;
	a->values.document.p = NULL;
	a->values.no_document = false;
	if (md->type == DB_NULL)
		return 1;
	return metavalues_parse(&a->values, md->bytes, &a->rows.dialect,
	    &of->refused, e);
}

/* schema_str lists the keys of what has an effect. */
static int
use_keys(struct apply *a, struct schemakeys *keys, struct err *e)
{
	size_t i;

	for (i = 0; i < a->values.n; i++) {
		const struct meta_value *v = &a->values.value[i];

		if (v->v.type != META_NULL &&
		    schemakeys_use(keys, v->key, v->v.type, e) < 0)
			return -1;
	}
	return 0;
}

/* keys: NULL for a collection without schema. */
static int
apply_row(struct apply *a, struct apply_of *of, const struct wal_row *row,
    struct schemakeys *keys, struct err *e)
{
	int64_t operation = row->col[WAL_OPERATION].i;
	int64_t seq_id = row->col[WAL_SEQ_ID].i, number = 0;
	struct slice id = row->col[WAL_ID].bytes;
	int there = operation > OPERATION_DELETE ? 0 :
	    find_record(a, id, &number, e);

	if (there < 0)
		return -1;
	if (operation > OPERATION_DELETE || (operation == OPERATION_ADD ?
	    there : operation != OPERATION_UPSERT && !there)) {
		of->ignored++;
		return 0;
	}
	if (operation == OPERATION_DELETE)
		return delete_record(a, of, id, number, e);
	if (keys && use_keys(a, keys, e) < 0)
		return -1;
	return there ? update_record(a, of, number, seq_id, e) :
	    insert_record(a, of, id, seq_id, e);
}

/* ---- collections ---- */

/* 1: to the end; 0: refused; -1 with *e set. */
static int
apply_rows(struct apply *a, struct apply_of *of, const struct collection *col,
    struct walrows *w, struct schemakeys *keys, struct err *e)
{
	struct wal_row row;
	int64_t seq_id;
	int got;

	while ((got = walrows_next(w, &seq_id, e)) > 0) {
		struct db_value topic = db_col(&w->st, WAL_TOPIC);

		if (catalog_of_topic_value(a->catalog, &topic) != col)
			continue;
		take_row(&w->st, seq_id, col, &row);
		got = judge(a, of, &row, e);
		if (got > 0)
			got = apply_row(a, of, &row, keys, e) < 0 ? -1 : 1;
		if (got <= 0) {
			of->refused_at = seq_id;
			return got;
		}
		if (++a->done % 1024 == 0 && a->progress)
			a->progress(NULL, (double)a->done /
			    (double)a->pending);
		if (a->dry_run && db_batch_over(a->db, 0)) {
			walrows_pause(w);
			db_batch_start(a->db);
		}
	}
	return got < 0 ? -1 : 1;
}

static int
write_schema(struct apply *a, struct schemakeys *keys,
    const struct collection *col, struct err *e)
{
	struct buf text = { 0 };
	struct db_stmt st;
	int64_t ignored;
	int r = schemakeys_write(keys, &text, e);

	if (r == 0)
		r = db_prepare(a->db, &st, "UPDATE collections "
		    "SET schema_str = ?2 WHERE id = ?1", e);
	if (r == 0) {
		db_bind_text(&st, 1, slice_str(col->id));
		db_bind_text(&st, 2, buf_slice(&text));
		r = look_up(&st, &ignored, e);
		db_finish(&st);
	}
	buf_release(&text);
	return r;
}

/* What ends the transaction but for the commit. */
static int
write_progress(struct apply *a, const struct apply_of *of,
    const struct collection *col, struct schemakeys *keys, struct err *e)
{
	int64_t ignored;

	if (keys && keys->added && write_schema(a, keys, col, e) < 0)
		return -1;
	db_bind_text(&a->mark, 1, slice_str(col->metadata_segment));
	bind_seq_id(a, &a->mark, 2, of->last);
	return look_up(&a->mark, &ignored, e);
}

/* 1, 0: refused, -1 with *e set. */
static int
work(struct apply *a, struct apply_of *of, const struct collection *col,
    struct schemakeys *keys, struct err *e)
{
	struct walrows w;
	int got;

	if (walrows_open(&w, a->db, COLUMNS, of->first, of->last, e) < 0)
		return -1;
	db_batch_start(a->db);
	got = apply_rows(a, of, col, &w, keys, e);
	walrows_close(&w);
	if (got > 0 && keys)
		of->schema_keys = keys->added;
	if (got > 0 && !a->dry_run)
		got = write_progress(a, of, col, keys, e) < 0 ? -1 : 1;
	return got;
}

static int
with_schema(struct apply *a, struct apply_of *of, const struct collection *col,
    struct err *e)
{
	struct schemakeys keys;
	int got;

	if (!col->schema)
		return work(a, of, col, NULL, e);
	got = schemakeys_open(&keys, slice_str(col->schema), e);
	if (got == 0)
		of->refused = "its schema_str is none that Chroma reads";
	if (got > 0)
		got = work(a, of, col, &keys, e);
	schemakeys_end(&keys);
	return got;
}

static const char *
unclear(const struct collection *col)
{
	if (col->ambiguous)
		return col->ambiguous;
	if (!col->metadata_segment)
		return "it has no metadata segment";
	return col->metadata.odd ? "its row of max_seq_id is none that a "
	    "Chroma of this era reads" : NULL;
}

/* Refused: as if nothing had been looked at. */
static void
refuse(struct apply_of *of)
{
	*of = (struct apply_of){ .rows = of->rows, .first = of->first,
	    .last = of->last, .refused = of->refused,
	    .refused_at = of->refused_at, .effect = of->effect };
}

/* Whether the new M can be read.  1, 0, -1 with *e set. */
static int
is_marked(struct apply *a, const struct apply_of *of,
    const struct collection *col, struct err *e)
{
	struct db_stmt st;
	int64_t ignored;
	int got;

	if (db_prepare(a->db, &st, "SELECT 1 FROM max_seq_id WHERE "
	    "segment_id = ?1 AND seq_id IS ?2", e) < 0)
		return -1;
	db_bind_text(&st, 1, slice_str(col->metadata_segment));
	bind_seq_id(a, &st, 2, of->last);
	got = look_up(&st, &ignored, e);
	db_finish(&st);
	return got;
}

/* A disk that fails in the moment of the commit may leave the one or the
 * other. */
static int
commit(struct apply *a, const struct apply_of *of,
    const struct collection *col, struct err *e)
{
	struct err why, ignored;

	if (db_exec(a->db, "COMMIT", e) == 0)
		return 0;
	why = *e;
	(void)!db_exec(a->db, "ROLLBACK", &ignored);
	if (is_marked(a, of, col, &ignored) != 0)
		return err_fail(e, "%.300s; whether collection %s is applied "
		    "is not certain: see to the disk, and run again", why.msg,
		    err_tail(col->name));
	*e = why;
	return -1;
}

int
apply_collection(struct apply *a, size_t i, struct claim *claim,
    struct err *e)
{
	const struct collection *col = &a->catalog->collection[i];
	struct apply_of *of = &a->of[i];
	struct err ignored;
	int got;

	if (of->rows == 0)
		return 0;
	of->refused = unclear(col);
	if (of->refused)
		return 0;
	db_bind_text(&a->find, 1, slice_str(col->metadata_segment));
	if (a->dry_run) {
		got = db_exec(a->db, "DELETE FROM temp.apply_seen", e) < 0 ?
		    -1 : with_schema(a, of, col, e);
	} else {
		db_bind_text(&a->insert, 1, slice_str(col->metadata_segment));
		if (db_exec(a->db, "BEGIN", e) < 0)
			return -1;
		got = with_schema(a, of, col, e);
		if (got > 0 && claim_look(claim, e) < 0)
			got = -1;
		if (got <= 0)
			(void)!db_exec(a->db, "ROLLBACK", &ignored);
		else
			got = commit(a, of, col, e) < 0 ? -1 : 1;
	}
	if (got == 0)
		refuse(of);
	return got < 0 ? -1 : 0;
}
