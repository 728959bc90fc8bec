/* SPDX-License-Identifier: Apache-2.0 */
/* publish.c - a new index in the place of a collection's, all or nothing. */
#include "chroma/publish.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chroma/coverage.h"
#include "chroma/select.h"
#include "chroma/stageclaim.h"
#include "chroma/wal.h"
#include "stream/json.h"

/* Ids that a message names. */
#define IDS_SHOWN 20

/* chromadb/segment/__init__.py (SegmentType), rust/types/src/segment.rs */
#define VECTOR_TYPE "urn:chroma:segment/vector/hnsw-local-persisted"

/* ---- the state ---- */

/* A row of the log of this topic, the first in that order; 0: there is none. */
static int
edge_of_log(struct db *db, const struct collection *col, const char *order,
    int64_t *seq_id, struct err *e)
{
	struct db_stmt st;
	char sql[128];
	int got;

	snprintf(sql, sizeof(sql), "SELECT seq_id FROM embeddings_queue "
	    "WHERE topic = ?1 ORDER BY seq_id %s LIMIT 1", order);
	if (db_prepare(db, &st, sql, e) < 0)
		return -1;
	db_bind_text(&st, 1, slice_str(col->topic));
	got = db_step(&st, e);
	*seq_id = got > 0 ? db_col_i64(&st, 0) : 0;
	db_finish(&st);
	return got < 0 ? -1 : 0;
}

static int
read_state(struct publish_state *s, struct db *db,
    const struct collection *col, struct err *e)
{
	*s = (struct publish_state){ .metadata = col->metadata,
	    .vector = col->vector, .dimension = col->dimension };
	s->segment = strdup(col->vector_segment);
	if (!s->segment)
		return err_nomem(e);
	return edge_of_log(db, col, "ASC", &s->oldest, e) < 0 ||
	    edge_of_log(db, col, "DESC", &s->newest, e) < 0 ? -1 : 0;
}

static bool
same_mark(const struct watermark *a, const struct watermark *b)
{
	return a->source == b->source && a->seq_id == b->seq_id &&
	    a->odd == b->odd;
}

static bool
same_state(const struct publish_state *a, const struct publish_state *b)
{
	return strcmp(a->segment, b->segment) == 0 &&
	    same_mark(&a->metadata, &b->metadata) &&
	    same_mark(&a->vector, &b->vector) &&
	    a->dimension == b->dimension && a->oldest == b->oldest &&
	    a->newest == b->newest;
}

static int
moved(const struct publish *p, struct err *e)
{
	return err_busy(e, "collection %s of %s has changed since the stream "
	    "was made: stop what writes there, and make it again", p->name,
	    err_tail(p->dir));
}

/* ---- the first look ---- */

static int
refuse(const struct collection *col, const char *why, struct err *e)
{
	return err_data(e, "collection %s: %s", col->name, why);
}

/* What makes it unclear where an index would go. */
static int
check_collection(const struct collection *col, struct err *e)
{
	if (col->ambiguous)
		return refuse(col, col->ambiguous, e);
	if (!col->vector_segment || !col->metadata_segment)
		return refuse(col, "it has no segments", e);
	if (!col->vector_type || strcmp(col->vector_type, VECTOR_TYPE) != 0)
		return refuse(col, "its vector segment is of a type that keeps "
		    "no files", e);
	if (col->metadata.odd)
		return refuse(col, "a watermark that no Chroma of this era "
		    "reads", e);
	return 0;
}

/* The one that is meant, or NULL with *e set. */
static struct collection *
find(struct catalog *c, const char *dir, const char *name, struct err *e)
{
	const struct select sel = { &name, name != NULL, NULL, 0 };
	struct collection *col = NULL;
	size_t i, n = 0;

	if (select_apply(c, &sel, e) < 0)
		return NULL;
	for (i = 0; i < c->n; i++)
		if (c->collection[i].selected && n++ == 0)
			col = &c->collection[i];
	if (n == 1)
		return col;
	if (n == 0)
		err_usage(e, "%s has no collections", err_tail(dir));
	else
		err_usage(e, "%s has %zu collections; which one? "
		    "--collection=NAME", err_tail(dir), n);
	return NULL;
}

static int
look(struct publish *p, struct persist *pd, struct catalog *c, struct err *e)
{
	const struct collection *col = find(c, pd->dir, p->o.collection, e);

	if (!col)
		return -1;
	if (era_known(&c->era, pd->file, e) < 0 ||
	    check_collection(col, e) < 0)
		return -1;
	p->dir = strdup(pd->dir);
	p->id = strdup(col->id);
	p->name = strdup(col->name);
	p->params = col->params;
	if (asprintf(&p->path, "%s/%s/%s", col->tenant ? col->tenant : "?",
	    col->database ? col->database : "?", col->name) < 0)
		p->path = NULL;
	if (!p->dir || !p->id || !p->name || !p->path)
		return err_nomem(e);
	return read_state(&p->was, &pd->db, col, e);
}

int
publish_look(struct publish *p, const char *path,
    const struct publish_options *o, struct err *e)
{
	const struct persist_options po = { .tmpdir = o->tmpdir,
	    .wait_ms = o->read_ms };
	struct persist pd;
	struct catalog c;
	int r;

	*p = (struct publish){ .o = *o };
	if (persist_open(&pd, path, &po, e) < 0)
		return -1;
	if (catalog_load(&c, &pd, e) < 0)
		return persist_failed(&pd, e);
	r = look(p, &pd, &c, e);
	if (r == 0)
		r = persist_check(&pd, e);
	catalog_release(&c);
	persist_close(&pd);
	return r;
}

/* ---- what the streams hold ---- */

/* Whether JSON says this watermark. */
static bool
says_mark(struct slice val, const struct watermark *w)
{
	int64_t v;

	if (w->source == WATERMARK_NONE)
		return !val.p || slice_is(val, "null");
	return json_i64(val, &v) == 0 && (uint64_t)v == w->seq_id;
}

/* All rows of a range of the log are in the stream: how far is that from the
 * start, together with what came before? */
static int
take_range(struct publish *p, const struct begin *b, struct err *e)
{
	static const char *const key[] = { "from_seq_id", "to_seq_id" },
	    *const mark[] = { "latest" };
	struct slice val[2], latest[1];
	uint64_t from, to;

	if (!slice_is(b->stream, "wal") || b->partial || b->redacted)
		return 0;
	if (json_members(b->text, mark, latest, 1, e) < 0 ||
	    json_members(b->source, key, val, 2, e) < 0)
		return -1;
	if (latest[0].p || json_u63(val[0], &from) < 0 ||
	    json_u63(val[1], &to) < 0)
		return 0;
	if ((from <= (uint64_t)p->was.oldest || from <= p->covered + 1) &&
	    to > p->covered)
		p->covered = to;
	return 0;
}

int
publish_begin(struct publish *p, const struct begin *b, struct slice col,
    struct err *e)
{
	static const char *const key[] = { "vector_segment",
	    "metadata_seq_id", "vector_seq_id" };
	struct slice val[3];

	if (!col.p || !(slice_is(b->stream, "wal") ||
	    slice_is(b->stream, "vector")))
		return 0;
	if (b->redacted)
		return err_data(e, "a redacted stream: nothing is installed "
		    "from one");
	if (json_members(col, key, val, 3, e) < 0)
		return -1;
	if (!json_is_string(val[0]) || !slice_is(slice_of(val[0].p + 1,
	    val[0].len - 2), p->was.segment) ||
	    !says_mark(val[1], &p->was.metadata) ||
	    !says_mark(val[2], &p->was.vector))
		return moved(p, e);
	return take_range(p, b, e);
}

/* A record's id is in use; what a row without effect gave it goes. */
static void
judge_record(const struct publish *p, struct intake *in, struct slice id,
    int64_t changed, uint8_t *seen)
{
	uint32_t n = id.p ? intake_find(in, id) : UINT32_MAX;
	int64_t row;

	if (n == UINT32_MAX)
		return;
	seen[n / 8] |= (uint8_t)(1 << n % 8);
	row = in->id[n].seq_id;
	if (changed >= 0 && row > changed && p->was.metadata.source !=
	    WATERMARK_NONE && (uint64_t)row <= p->was.metadata.seq_id)
		intake_drop(in, n);
}

static int
judge_records(const struct publish *p, struct db *db, const char *segment,
    struct intake *in, uint8_t *seen, struct err *e)
{
	struct buf last = { 0 };
	struct db_stmt st;
	size_t bytes = 0;
	int got;

	/* up to 1.0.0 an id may be empty; a BLOB, which comes after all text, is
	 * none */
	if (db_prepare(db, &st, "SELECT embedding_id, seq_id FROM embeddings "
	    "WHERE segment_id = ?1 AND embedding_id >= ?2 "
	    "AND (embedding_id > ?2 OR ?3) AND embedding_id < x'' "
	    "ORDER BY embedding_id", e) < 0)
		return -1;
	db_bind_text(&st, 1, slice_str(segment));
	db_bind_text(&st, 2, slice_str(""));
	db_bind_i64(&st, 3, 1);
	db_batch_start(db);
	while ((got = db_step(&st, e)) > 0) {
		struct db_value id = db_col(&st, 0), changed = db_col(&st, 1);

		judge_record(p, in, id.bytes, era_seq_id(&changed), seen);
		bytes += id.bytes.len + 64;
		if (!db_batch_over(db, bytes))
			continue;
		buf_reset(&last);
		buf_add(&last, id.bytes.p, id.bytes.len);
		db_reset(&st);
		db_bind_text(&st, 2, buf_slice(&last));
		db_bind_i64(&st, 3, 0);
		db_batch_start(db);
		bytes = 0;
	}
	db_finish(&st);
	if (got == 0 && !buf_ok(&last))
		got = err_nomem(e);
	buf_release(&last);
	return got;
}

/* Ids of no record, which no pending row makes one. */
static void
drop_ghosts(struct publish *p, struct intake *in, const uint8_t *seen)
{
	const uint64_t m = p->was.metadata.source == WATERMARK_NONE ? 0 :
	    p->was.metadata.seq_id;
	uint32_t i;

	for (i = 0; i < in->ids; i++) {
		if (!in->id[i].vector || seen[i / 8] & 1 << i % 8 ||
		    (uint64_t)in->id[i].seq_id > m)
			continue;
		intake_drop(in, i);
		p->ghost[i / 8] |= (uint8_t)(1 << i % 8);
		p->ghosts++;
	}
}

int
publish_filter(struct publish *p, struct intake *in, struct err *e)
{
	const struct persist_options po = { .tmpdir = p->o.tmpdir,
	    .wait_ms = p->o.read_ms };
	uint8_t *seen = calloc(1, (size_t)in->ids / 8 + 1);
	const struct collection *col;
	struct persist pd;
	struct catalog c;
	int r;

	p->ghost = calloc(1, (size_t)in->ids / 8 + 1);
	if (!seen || !p->ghost) {
		free(seen);
		return err_nomem(e);
	}
	if (persist_open(&pd, p->dir, &po, e) < 0) {
		free(seen);
		return -1;
	}
	if (catalog_load_tables(&c, &pd.db, e) < 0) {
		free(seen);
		return persist_failed(&pd, e);
	}
	col = catalog_of_segment(&c, slice_str(p->was.segment));
	r = !col ? moved(p, e) : judge_records(p, &pd.db,
	    col->metadata_segment, in, seen, e);
	if (r == 0)
		drop_ghosts(p, in, seen);
	free(seen);
	catalog_release(&c);
	persist_close(&pd);
	return r;
}

int
publish_seq_id(struct publish *p, bool empty, struct err *e)
{
	const struct publish_state *s = &p->was;
	const bool has = s->vector.source != WATERMARK_NONE;
	const bool whole = p->covered >= (uint64_t)s->newest;

	p->seq_id = has ? s->vector.seq_id : 0;
	if (s->newest > 0 && whole && (uint64_t)s->newest > p->seq_id)
		p->seq_id = (uint64_t)s->newest;
	/* nothing is left that could be applied again */
	if (s->newest == 0 && !has && s->metadata.source != WATERMARK_NONE)
		p->seq_id = s->metadata.seq_id;
	if (s->vector.odd && !whole)
		return err_data(e, "collection %s: its index has a watermark "
		    "that no Chroma of this era reads; give the whole log, "
		    "too: chroma-walexport -c NAME DIR", p->name);
	if (p->seq_id == 0 && !empty)
		return err_data(e, "collection %s: its index has no watermark "
		    "yet; give the whole log, too: chroma-walexport -c NAME "
		    "DIR", p->name);
	return 0;
}

/* ---- what is new ---- */

/* Elements that nothing says are deleted, and that the new index has not. */
static int
count_lost(const struct publish *p, struct elements *el, struct intake *in,
    struct publish_diff *d, struct err *e)
{
	struct elements_walk w;
	struct element x;

	if (elements_walk_begin(&w, el, e) < 0)
		return -1;
	while (elements_next(&w, &x)) {
		uint32_t n;

		if (x.deleted || x.blank || !x.id.p)
			continue;
		n = intake_number(in, x.id);
		d->lost += n == UINT32_MAX || p->ghost[n / 8] & 1 << n % 8;
	}
	elements_walk_end(&w);
	return 0;
}

static int
compare(struct elements *el, struct intake *in, const struct vectors *v,
    const uint32_t *number, struct publish_diff *d, struct err *e)
{
	uint64_t kept = 0;
	struct slice id;
	uint32_t i, at;

	for (i = 0; i < v->n; i++) {
		if (intake_text(in, number[i], &id, e) < 0)
			return -1;
		if (!elements_find(el, id, &at))
			d->added++;
		else if (elements_holds(el, at, vectors_given(v, i), v->dim))
			kept++;
		else
			d->replaced++;
	}
	d->damaged = el->found.fault.status != 0;
	d->deleted = el->found.deleted;
	d->removed = el->has_pickle ? el->pickle.id_to_label.n - kept -
	    d->replaced : 0;
	for (i = 0; i < INDEX_FILES; i++)
		d->bytes += el->dir.size[i];
	return 0;
}

int
publish_compare(const struct publish *p, struct intake *in,
    const struct vectors *v, const uint32_t *number, struct publish_diff *d,
    struct err *e)
{
	int fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
	struct elements el;

	*d = (struct publish_diff){ 0 };
	if (fd < 0)
		return err_system(e, "%s", err_tail(p->dir));
	r = elements_open(&el, fd, p->was.segment, p->was.dimension,
	    p->params.space, false, e);
	if (r == 0) {
		r = compare(&el, in, v, number, d, e);
		if (r == 0 && d->removed > 0)
			r = count_lost(p, &el, in, d, e);
		elements_close(&el);
	}
	close(fd);
	return r;
}

bool
publish_changes(const struct publish *p, const struct publish_diff *d,
    const struct paramset *change)
{
	const struct watermark *h = &p->was.vector;
	int i;

	if (d->added || d->replaced || d->removed || d->damaged ||
	    p->seq_id != (h->source == WATERMARK_NONE ? 0 : h->seq_id))
		return true;
	if (change->set[PARAM_SPACE] && change->to.space != p->params.space)
		return true;
	for (i = PARAM_M; i < PARAMS; i++)
		if (i != PARAM_RESIZE_FACTOR && change->set[i] &&
		    change->to.value[i] != p->params.value[i])
			return true;
	return false;
}

/* ---- proof ---- */

static int
failed(struct coverage *cv, const struct publish *p, struct err *e)
{
	struct coverage_failure f = { .id.len = 0 };
	enum coverage_reason reason = COVERAGE_NONE;
	struct buf ids = { 0 };
	uint64_t n = 0;
	int got;

	while ((got = coverage_failure_next(cv, &f, e)) > 0) {
		if (reason == COVERAGE_NONE)
			reason = f.reason;
		if (f.reason == reason && n++ < IDS_SHOWN && ids.len < 600)
			buf_addf(&ids, "%s'%.*s'", ids.len ? ", " : "",
			    (int)(f.id.len < 60 ? f.id.len : 60), f.id.p);
	}
	if (got == 0 && buf_ok(&ids))
		got = err_data(e, "collection %s: %" PRIu64 " id%s: %s: %s; "
		    "nothing was changed", p->name, n, n == 1 ? "" : "s",
		    coverage_reason_text(reason), buf_str(&ids));
	else if (got == 0)
		got = err_nomem(e);
	buf_release(&f.id);
	buf_release(&ids);
	return got;
}

static int
prove_rows(struct coverage *cv, const struct publish *p, struct claim *c,
    struct catalog *cat, struct err *e)
{
	struct wal_row row;
	struct wal w;
	int got;

	if (wal_open(&w, &c->pd.db, 0, INT64_MAX, false, false, false, e) < 0)
		return -1;
	wal_use(&w, cat);
	while ((got = wal_next(&w, &row, e)) > 0)
		if (coverage_row(cv, &row, (uint64_t)row.col[WAL_SEQ_ID].i <=
		    p->seq_id, e) < 0) {
			got = -1;
			break;
		}
	wal_close(&w);
	return got;
}

/* Every live vector is in the new files. */
static int
prove(const struct publish *p, struct claim *c, struct catalog *cat,
    const struct collection *col, enum space space, struct err *e)
{
	struct coverage cv;
	int r;

	r = coverage_start(&cv, &c->pd.db, cat, p->o.tmpdir, e);
	if (r == 0)
		r = coverage_use_new(&cv, col, c->pd.dirfd,
		    staging_name(&p->staging), space, e);
	if (r == 0)
		r = prove_rows(&cv, p, c, cat, e);
	if (r == 0)
		r = coverage_judge(&cv, e);
	if (r == 0 && !coverage_passed(&cv, col)) {
		const struct coverage_collection *cc =
		    &cv.of[col - cat->collection];

		r = cc->found.fault.status ? err_fail(e, "the new index is "
		    "not sound (%s): nothing was changed; please report this",
		    cc->found.fault.msg) : failed(&cv, p, e);
	}
	coverage_end(&cv);
	return r;
}

/* ---- the commit ---- */

static int
rename_segment(struct db *db, const char *sql, const char *from,
    const char *to, struct err *e)
{
	struct db_stmt st;
	int got;

	if (db_prepare(db, &st, sql, e) < 0)
		return -1;
	db_bind_text(&st, 1, slice_str(to));
	db_bind_text(&st, 2, slice_str(from));
	got = db_step(&st, e);
	db_finish(&st);
	return got;
}

/* H where the era has it in a table.  Where it has not, a row that some tool
 * has put there goes along, so that it is not wrong after an upgrade. */
static int
write_mark(struct db *db, const struct era *era, const struct publish *p,
    struct err *e)
{
	struct db_stmt st;
	char sql[160], value[32];
	int got;

	if (rename_segment(db, "DELETE FROM max_seq_id WHERE segment_id IN "
	    "(?1, ?2)", p->was.segment, p->staging.id, e) < 0)
		return -1;
	if (p->seq_id == 0 || (era_pickle_watermark(era) &&
	    db_changes(db) == 0))
		return 0;
	/* eight bytes, big-endian; INTEGER from 1.0.0 on */
	snprintf(value, sizeof(value), era_integer_watermark(era) ?
	    "%" PRIu64 : "X'%016" PRIX64 "'", p->seq_id);
	snprintf(sql, sizeof(sql), "INSERT INTO max_seq_id "
	    "(segment_id, seq_id) VALUES (?1, %s)", value);
	if (db_prepare(db, &st, sql, e) < 0)
		return -1;
	db_bind_text(&st, 1, slice_str(p->staging.id));
	got = db_step(&st, e);
	db_finish(&st);
	return got;
}

static int
write_rows(const struct publish *p, struct db *db, const struct catalog *cat,
    const struct collection *col, const struct paramset *change,
    struct err *e)
{
	const char *from = p->was.segment, *to = p->staging.id;

	return paramset_write(db, cat, col, change, e) < 0 ||
	    rename_segment(db, "UPDATE segments SET id = ?1 WHERE id = ?2",
	    from, to, e) < 0 ||
	    rename_segment(db, "UPDATE segment_metadata SET segment_id = ?1 "
	    "WHERE segment_id = ?2", from, to, e) < 0 ||
	    write_mark(db, &cat->era, p, e) < 0 ? -1 : 0;
}

/* After a COMMIT that failed, and was rolled back: the database names the old
 * index.  Then that is on disk, too: SQLite has read it anew, and what it had to
 * put back it has synced. */
static bool
names_old(struct db *db, const struct publish *p)
{
	struct db_stmt st;
	struct err ignored;
	int got;

	if (db_prepare(db, &st, "SELECT 1 FROM segments WHERE id = ?1",
	    &ignored) < 0)
		return false;
	db_bind_text(&st, 1, slice_str(p->was.segment));
	got = db_step(&st, &ignored);
	db_finish(&st);
	return got > 0;
}

/* A COMMIT failed, *e says how.  If SQLite could not tell the disk of either,
 * both directories stay, and the next run looks. */
static int
undone(struct publish *p, struct db *db, struct err *e)
{
	struct err ignored;

	(void)!db_exec(db, "ROLLBACK", &ignored);
	if (names_old(db, p))
		return -1;
	p->committed = true;
	staging_leave(&p->staging);
	return err_in(e, "whether the new index is in place cannot be told, "
	    "both are there; look at the disk, and run again");
}

/* Rows, directory, commit. */
static int
switch_over(struct publish *p, struct claim *c, const struct catalog *cat,
    const struct collection *col, const struct paramset *change,
    struct err *e)
{
	struct db *db = &c->pd.db;
	struct err ignored;

	if (db_exec(db, "BEGIN", e) < 0)
		return -1;
	if (write_rows(p, db, cat, col, change, e) < 0 ||
	    claim_look(c, e) < 0 || staging_place(&p->staging, e) < 0) {
		(void)!db_exec(db, "ROLLBACK", &ignored);
		return -1;
	}
	if (db_exec(db, "COMMIT", e) < 0)
		return undone(p, db, e);
	p->committed = true;
	staging_keep(&p->staging);
	return 0;
}

static int
write_parameters(struct publish *p, struct claim *c, const struct catalog *cat,
    const struct collection *col, const struct paramset *change,
    struct err *e)
{
	struct db *db = &c->pd.db;
	struct err ignored;

	if (db_exec(db, "BEGIN", e) < 0)
		return -1;
	if (paramset_write(db, cat, col, change, e) < 0 ||
	    claim_look(c, e) < 0 || db_exec(db, "COMMIT", e) < 0) {
		(void)!db_exec(db, "ROLLBACK", &ignored);
		return -1;
	}
	p->committed = true;
	return 0;
}

/* What a commit changes; space: of the new index, no_index: there is none. */
struct publish_change {
	const struct paramset *params;
	enum space space;
	bool no_index;
};

static int
claimed(struct publish *p, struct claim *c, struct catalog *cat,
    const struct publish_change *x, struct err *e)
{
	struct publish_state now = { NULL };
	const struct select sel = { (const char *const *)&p->id, 1, NULL, 0 };
	struct collection *col;
	int r;

	col = catalog_of_segment(cat, slice_str(p->was.segment));
	if (!col || strcmp(col->id, p->id) != 0)
		return moved(p, e);
	if (select_apply(cat, &sel, e) < 0)
		return -1;
	r = read_state(&now, &c->pd.db, col, e);
	if (r == 0 && !same_state(&p->was, &now))
		r = moved(p, e);
	free(now.segment);
	if (r == 0 && x->no_index)
		return write_parameters(p, c, cat, col, x->params, e);
	if (r == 0)
		r = prove(p, c, cat, col, x->space, e);
	if (r == 0 && p->lost > 0)
		r = err_data(e, "collection %s: %" PRIu64 " of the vectors in "
		    "its index are of no record, and no row that came deletes "
		    "them: give the whole log, or keep them with "
		    "--backup=PATH; nothing was changed", p->name, p->lost);
	return r < 0 ? -1 : switch_over(p, c, cat, col, x->params, e);
}

static int
carry_out(struct publish *p, const struct publish_change *x, struct err *e)
{
	const struct claim_options co = { .wait_ms = p->o.wait_ms,
	    .assume_stopped = p->o.assume_stopped };
	struct catalog cat;
	struct claim c;
	int r;

	if (stageclaim_open(&c, p->dir, &co, e) < 0)
		return -1;
	r = catalog_load(&cat, &c.pd, e);
	if (r == 0) {
		r = claimed(p, &c, &cat, x, e);
		catalog_release(&cat);
	}
	claim_close(&c);
	return r;
}

int
publish_commit(struct publish *p, enum space space,
    const struct paramset *params, struct err *e)
{
	const struct publish_change x = { params, space, false };

	return carry_out(p, &x, e);
}

int
publish_parameters(struct publish *p, const struct paramset *params,
    struct err *e)
{
	const struct publish_change x = { params, SPACE_UNKNOWN, true };

	return carry_out(p, &x, e);
}

void
publish_end(struct publish *p)
{
	if (p->dir)
		staging_abort(&p->staging);
	free(p->dir);
	free(p->id);
	free(p->name);
	free(p->path);
	free(p->ghost);
	free(p->was.segment);
	*p = (struct publish){ .committed = p->committed };
}
