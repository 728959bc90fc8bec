/* SPDX-License-Identifier: Apache-2.0 */
/* coverage.c - nothing is removed that is not proven to exist elsewhere. */
#include "chroma/coverage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/when.h"

/* A fact about an id: it is a record, or a row of the log names it. */
enum what { RECORD, ROW };
enum {
	GOES = 1,		/* the row is to be removed */
	VECTOR = 2,		/* it has a vector ... */
	HELD = 4,		/* ... which the index has for the id */
	INDEXED = 8,		/* the index has the id */
	ODD = 16,		/* the row is no operation that we know */
	NO_VECTOR = 32,		/* what it has instead is none that any Chroma
				 * can take */
	PRESENT = 64,		/* the index that is replaced has the id ... */
	SAME = 128,		/* ... with the vector of the new one */
};

struct fact {
	uint32_t col;		/* in the catalog */
	uint8_t what, flags;
	int16_t operation;	/* of a row; OPERATION_NONE: no effect */
	struct hash id;
	int64_t seq_id;		/* of the row; of a record: that of the last
				 * operation that touched it, -1: unknown */
	int64_t at;		/* created at, ms; INT64_MIN: unknown */
	int64_t rowid;		/* of a record */
};

struct failure {
	uint32_t col;
	uint8_t reason, what;
	int64_t place;		/* seq_id of a row, rowid of a record */
};

const char *
coverage_reason_text(enum coverage_reason r)
{
	static const char *const text[COVERAGE_REASONS] = {
		[COVERAGE_NONE] = "",
		[COVERAGE_NO_VECTOR] = "live, but without a vector in the "
		    "index or in a row that stays",
		[COVERAGE_OTHER_VECTOR] = "the log has a newer vector than "
		    "the index",
		[COVERAGE_NO_RECORD] = "live by the log, but not among the "
		    "records",
		[COVERAGE_NOT_DELETED] = "deleted by the log, but still among "
		    "the records",
		[COVERAGE_REVIVED] = "an older row would stay and bring back "
		    "what is gone",
		[COVERAGE_NOT_APPLIED] = "the log has a change that was not "
		    "applied to the records",
		[COVERAGE_ROW] = "a row that is not understood",
		[COVERAGE_CHANGED] = "another vector than the present index "
		    "has, and no row of the log says so",
	};

	return text[r];
}

static int
compare_facts(const void *pa, const void *pb)
{
	const struct fact *a = pa, *b = pb;

	if (a->col != b->col)
		return a->col < b->col ? -1 : 1;
	if (a->id.a != b->id.a)
		return a->id.a < b->id.a ? -1 : 1;
	if (a->id.b != b->id.b)
		return a->id.b < b->id.b ? -1 : 1;
	if (a->what != b->what)
		return a->what < b->what ? -1 : 1;
	return a->seq_id < b->seq_id ? -1 : a->seq_id > b->seq_id;
}

static int
compare_failures(const void *pa, const void *pb)
{
	const struct failure *a = pa, *b = pb;

	if (a->col != b->col)
		return a->col < b->col ? -1 : 1;
	if (a->what != b->what)
		return a->what < b->what ? -1 : 1;
	return a->place < b->place ? -1 : a->place > b->place;
}

int
coverage_start(struct coverage *cv, struct db *db,
    const struct catalog *catalog, const char *tmpdir, struct err *e)
{
	*cv = (struct coverage){ .db = db, .catalog = catalog };
	spill_init(&cv->facts, sizeof(struct fact), 0, tmpdir, compare_facts);
	spill_init(&cv->failures, sizeof(struct failure), 0, tmpdir,
	    compare_failures);
	cv->of = calloc(catalog->n + 1, sizeof(*cv->of));
	if (!cv->of)
		return err_nomem(e);
	return hash_key_init(&cv->key, e);
}

static void
close_indexes(struct coverage *cv)
{
	size_t i;

	for (i = 0; cv->of && i < cv->catalog->n; i++) {
		if (cv->of[i].open)
			elements_close(&cv->of[i].elements);
		if (cv->of[i].open && cv->of[i].replaces)
			elements_close(&cv->of[i].present);
		cv->of[i].open = false;
	}
}

void
coverage_end(struct coverage *cv)
{
	close_indexes(cv);
	free(cv->of);
	spill_release(&cv->facts);
	spill_release(&cv->failures);
	*cv = (struct coverage){ 0 };
}

/* ---- the facts ---- */

static int64_t
time_of(const struct db_value *v)
{
	int64_t ms;

	return v->type == DB_TEXT &&
	    when_parse(v->bytes.p, v->bytes.len, &ms) == 0 ? ms : INT64_MIN;
}

/* Whether the new index has what the present one has, but for what a cosine
 * index rounds: the new one, or the present one where the new has it from the
 * log. */
static bool
have_same(const struct coverage_collection *cc, uint32_t internal,
    uint32_t present, uint8_t *room)
{
	const struct elements *el = &cc->elements, *was = &cc->present;
	const uint64_t dim = was->dir.header.dim;

	return elements_holds(el, internal, elements_vector(was, present,
	    room), dim) || (el->dir.header.dim == dim && elements_holds(was,
	    present, elements_vector(el, internal, room), dim));
}

/* What the indexes have of an id that is live. */
static int
what_is_held(const struct coverage_collection *cc, struct slice id,
    uint8_t *room)
{
	uint32_t internal, present;
	bool has = elements_find(&cc->elements, id, &internal);
	int flags = has ? INDEXED : 0;

	if (!cc->replaces || !elements_find(&cc->present, id, &present))
		return flags;
	flags |= PRESENT;
	if (has && have_same(cc, internal, present, room))
		flags |= SAME;
	return flags;
}

/* Room for a vector of the index that is replaced. */
static uint8_t *
room_for(const struct coverage_collection *cc)
{
	return malloc(cc->replaces ? (size_t)cc->present.dir.header.dim * 4 +
	    1 : 1);
}

/* The collection's records.  (embeddings has no index that begins with the
 * segment but the one on (segment_id, embedding_id), so this is a range of
 * that one.) */
static int
take_records(struct coverage *cv, const struct coverage_collection *cc,
    struct err *e)
{
	uint8_t *room = room_for(cc);
	struct db_stmt st;
	int got;

	if (!room)
		return err_nomem(e);
	if (db_prepare(cv->db, &st, "SELECT id, embedding_id, seq_id, "
	    "created_at FROM embeddings WHERE segment_id = ?1", e) < 0) {
		free(room);
		return -1;
	}
	db_bind_text(&st, 1, slice_str(cc->col->metadata_segment));
	while ((got = db_step(&st, e)) > 0) {
		struct slice id = db_col(&st, 1).bytes;
		struct db_value seq_id = db_col(&st, 2), at = db_col(&st, 3);
		struct fact f = {
			.col = (uint32_t)(cc - cv->of),
			.what = RECORD,
			.id = hash_bytes(&cv->key, id.p, id.len),
			.seq_id = era_seq_id(&seq_id),
			.at = time_of(&at),
			.rowid = db_col_i64(&st, 0),
		};

		if (id.p)
			f.flags |= (uint8_t)what_is_held(cc, id, room);
		if (spill_add(&cv->facts, &f, e) < 0) {
			got = -1;
			break;
		}
	}
	db_finish(&st);
	free(room);
	return got;
}

int
coverage_use(struct coverage *cv, const struct collection *col, int dirfd,
    const char *segment, struct err *e)
{
	struct coverage_collection *cc =
	    &cv->of[col - cv->catalog->collection];

	cc->col = col;
	if (elements_open(&cc->elements, dirfd, segment, col->dimension,
	    col->params.space, false, e) < 0)
		return -1;
	cc->used = cc->open = true;
	cc->found = cc->elements.found;
	return take_records(cv, cc, e);
}

int
coverage_use_new(struct coverage *cv, const struct collection *col, int dirfd,
    const char *segment, enum space space, struct err *e)
{
	struct coverage_collection *cc =
	    &cv->of[col - cv->catalog->collection];

	cc->col = col;
	if (elements_open(&cc->elements, dirfd, segment, col->dimension,
	    space, true, e) < 0)
		return -1;
	if (elements_open(&cc->present, dirfd, col->vector_segment,
	    col->dimension, col->params.space, false, e) < 0) {
		elements_close(&cc->elements);
		return -1;
	}
	cc->used = cc->open = cc->replaces = true;
	cc->found = cc->elements.found;
	return take_records(cv, cc, e);
}

/* The operation of a row, and whether it is one that we understand: a marker
 * of Chroma's own (4) does nothing. */
static int16_t
operation_in(const struct wal_row *row, uint8_t *flags)
{
	const struct db_value *v = &row->col[WAL_OPERATION];

	if (v->type == DB_INTEGER && v->i >= OPERATION_ADD &&
	    v->i <= OPERATION_DELETE)
		return (int16_t)v->i;
	if (v->type != DB_INTEGER || v->i != 4)
		*flags |= ODD;
	return OPERATION_NONE;
}

/* Whether a row has a vector for its collection. */
static bool
is_vector(const struct wal_row *row)
{
	const struct db_value *v = &row->col[WAL_VECTOR];
	const struct db_value *encoding = &row->col[WAL_ENCODING];
	int64_t dimension = row->collection->dimension;

	return v->type == DB_BLOB && v->bytes.len > 0 &&
	    v->bytes.len % 4 == 0 && (dimension < 0 ||
	    (uint64_t)dimension == v->bytes.len / 4) &&
	    encoding->type == DB_TEXT && slice_is(encoding->bytes, "FLOAT32");
}

int
coverage_row(struct coverage *cv, const struct wal_row *row, bool goes,
    struct err *e)
{
	const struct coverage_collection *cc;
	const struct db_value *id = &row->col[WAL_ID];
	const struct db_value *vector = &row->col[WAL_VECTOR];
	uint32_t internal;
	struct fact f = {
		.what = ROW,
		.flags = goes ? GOES : 0,
		.seq_id = row->col[WAL_SEQ_ID].i,
		.at = time_of(&row->col[WAL_CREATED_AT]),
	};

	if (!row->collection)
		return 0;
	f.col = (uint32_t)(row->collection - cv->catalog->collection);
	cc = &cv->of[f.col];
	if (!cc->used)
		return 0;
	f.operation = operation_in(row, &f.flags);
	if (id->type == DB_TEXT)
		f.id = hash_bytes(&cv->key, id->bytes.p, id->bytes.len);
	else
		f.flags |= ODD;
	if (vector->type != DB_NULL)
		f.flags |= VECTOR | (is_vector(row) ? 0 : NO_VECTOR);
	if (id->type == DB_TEXT &&
	    elements_find(&cc->elements, id->bytes, &internal)) {
		f.flags |= INDEXED;
		if (vector->type == DB_BLOB && vector->bytes.len % 4 == 0 &&
		    elements_holds(&cc->elements, internal,
		    (const uint8_t *)vector->bytes.p, vector->bytes.len / 4))
			f.flags |= HELD;
	}
	return spill_add(&cv->facts, &f, e);
}

/* ---- the judgement ---- */

enum existence { UNKNOWN, LIVE, ABSENT };

/* One id on its way through the log. */
struct life {
	struct fact first;	/* whose id it is */
	bool any, record, indexed, changed_vector;
	int64_t record_seq_id, record_at;
	int64_t changed;	/* by this row, the last up to M; 0: none */
	bool settled;		/* compared with the record, at M */
	enum existence exists;
	bool has_vector;	/* an effective one was seen; its row: */
	struct fact vector;
	bool older_stays;
	enum coverage_reason reason;
	struct fact where;	/* what the reason is about */
};

static void
fail(struct life *l, enum coverage_reason r, const struct fact *where)
{
	if (l->reason != COVERAGE_NONE)
		return;
	l->reason = r;
	l->where = *where;
}

/* Whether a record was there before the row of this number: 1, 0 if that cannot
 * be told, -1 with *e set.  A record gets a number above all others (id), and
 * the rows of a segment are applied in their order.  So it is older than each
 * record of its segment with a higher one, and that is not younger than the
 * last row that touched it. */
static int
born_before(struct coverage *cv, const struct fact *record, int64_t seq_id,
    struct err *e)
{
	const struct collection *col = cv->of[record->col].col;
	struct db_stmt st;
	char hex[17];
	int got;

	if (seq_id < 0)
		return 0;
	snprintf(hex, sizeof(hex), "%016" PRIX64, (uint64_t)seq_id);
	/* the + keeps it from reading the whole segment */
	if (db_prepare(cv->db, &st, "SELECT 1 FROM embeddings WHERE id > ?1 "
	    "AND +segment_id = ?2 AND (typeof(seq_id) = 'integer' AND "
	    "seq_id < ?3 OR typeof(seq_id) = 'blob' AND length(seq_id) = 8 "
	    "AND hex(seq_id) < ?4) LIMIT 1", e) < 0)
		return -1;
	db_bind_i64(&st, 1, record->rowid);
	db_bind_text(&st, 2, slice_str(col->metadata_segment));
	db_bind_i64(&st, 3, seq_id);
	db_bind_text(&st, 4, slice_str(hex));
	got = db_step(&st, e);
	db_finish(&st);
	return got;
}

/* An ADD of which the log does not say whether its id was live then; -1 with
 * *e set.  The record knows: an ADD without effect did not touch it.  Where a
 * later row did, its birth tells, if it was born in an earlier second, or
 * before another record that is older than the ADD.  (What the index has does
 * not tell: Chroma loses vectors that are deleted and added again, and the row
 * is then the only copy.) */
static int
add_had_effect(struct coverage *cv, const struct life *l,
    const struct fact *f, struct err *e)
{
	int born;

	if (!l->record || l->record_seq_id < 0)
		return 1;
	if (l->record_seq_id <= f->seq_id)
		return l->record_seq_id == f->seq_id;
	if (l->record_at != INT64_MIN && f->at != INT64_MIN &&
	    l->record_at < f->at)
		return 0;
	born = born_before(cv, &l->first, f->seq_id, e);
	return born < 0 ? -1 : !born;
}

static int
apply(struct coverage *cv, struct life *l, const struct fact *f,
    struct err *e)
{
	int effective = 0;

	switch (f->operation) {
	case OPERATION_ADD:
		effective = l->exists == UNKNOWN ?
		    add_had_effect(cv, l, f, e) : l->exists == ABSENT;
		if (effective < 0)
			return -1;
		l->exists = LIVE;
		break;
	case OPERATION_UPSERT:
		effective = 1;
		l->exists = LIVE;
		break;
	case OPERATION_UPDATE:
		effective = l->exists != ABSENT;
		break;
	case OPERATION_DELETE:
		l->exists = ABSENT;
		l->has_vector = false;
		break;
	default:
		break;
	}
	if (effective && !l->settled)
		l->changed = f->seq_id;
	/* in a row that stays, what is no vector is none */
	if (effective && f->flags & VECTOR &&
	    (f->flags & GOES || !(f->flags & NO_VECTOR))) {
		l->has_vector = true;
		l->vector = *f;
	}
	return 0;
}

/* Everything up to M has been replayed: the records must say the same. */
static void
settle(struct life *l, const struct fact *f)
{
	if (l->settled)
		return;
	l->settled = true;
	if (l->exists == LIVE && !l->record)
		fail(l, COVERAGE_NO_RECORD, f);
	if (l->exists == ABSENT && l->record)
		fail(l, COVERAGE_NOT_DELETED, f);
	if (l->exists != ABSENT && l->record && l->changed != 0 &&
	    l->record_seq_id >= 0 && l->record_seq_id != l->changed)
		fail(l, COVERAGE_NOT_APPLIED, f);
	l->exists = l->record ? LIVE : ABSENT;
}

static int
take_fact(struct coverage *cv, struct life *l, const struct fact *f,
    int64_t metadata_seq_id, struct err *e)
{
	if (!l->any) {
		*l = (struct life){ .first = *f, .any = true };
		if (f->what == RECORD) {
			l->record = true;
			l->record_seq_id = f->seq_id;
			l->record_at = f->at;
			l->changed_vector = f->flags & PRESENT &&
			    !(f->flags & SAME);
		}
	}
	l->indexed = f->flags & INDEXED;
	if (f->what == RECORD)
		return 0;
	if (f->flags & GOES && f->flags & ODD)
		fail(l, COVERAGE_ROW, f);
	if (f->flags & GOES && l->older_stays)
		fail(l, COVERAGE_REVIVED, f);
	l->older_stays |= !(f->flags & GOES);
	if (f->seq_id > metadata_seq_id)
		settle(l, f);
	return apply(cv, l, f, e);
}

/* The id is over. */
static int
finish(struct coverage *cv, struct life *l, struct err *e)
{
	const struct fact *f = l->has_vector ? &l->vector : &l->first;
	struct failure out;

	if (!l->any)
		return 0;
	l->any = false;
	settle(l, f);
	if (l->exists == LIVE && !l->indexed &&
	    (!l->has_vector || l->vector.flags & GOES))
		fail(l, COVERAGE_NO_VECTOR, f);
	if (l->exists == LIVE && l->has_vector && l->vector.flags & GOES &&
	    !(l->vector.flags & HELD))
		fail(l, COVERAGE_OTHER_VECTOR, f);
	if (l->exists == LIVE && !l->has_vector && l->changed_vector)
		fail(l, COVERAGE_CHANGED, f);
	if (l->reason == COVERAGE_NONE)
		return 0;
	cv->of[f->col].failed[l->reason]++;
	out = (struct failure){ f->col, (uint8_t)l->reason, l->where.what,
	    l->where.what == RECORD ? l->where.rowid : l->where.seq_id };
	return spill_add(&cv->failures, &out, e);
}

int
coverage_judge(struct coverage *cv, struct err *e)
{
	struct life l = { 0 };
	const void *p;
	int got;

	close_indexes(cv);
	if (spill_rewind(&cv->facts, e) < 0)
		return -1;
	while ((got = spill_next(&cv->facts, &p, e)) > 0) {
		const struct fact *f = p;
		const struct watermark *m = &cv->of[f->col].col->metadata;

		if (l.any && (l.first.col != f->col ||
		    l.first.id.a != f->id.a || l.first.id.b != f->id.b) &&
		    finish(cv, &l, e) < 0)
			return -1;
		if (take_fact(cv, &l, f, m->source == WATERMARK_NONE ? -1 :
		    (int64_t)m->seq_id, e) < 0)
			return -1;
	}
	if (got < 0 || finish(cv, &l, e) < 0)
		return -1;
	return spill_rewind(&cv->failures, e);
}

static void
explain_more(struct buf *why, const char *what)
{
	if (why->len)
		buf_adds(why, "; ");
	buf_adds(why, what);
}

uint64_t
coverage_explain(const struct coverage_collection *cc, struct buf *why)
{
	uint64_t ids = 0;
	int r;

	if (cc->found.fault.status) {
		explain_more(why, "its index is damaged: ");
		buf_adds(why, cc->found.fault.msg);
	}
	for (r = 0; r < COVERAGE_REASONS; r++) {
		if (!cc->failed[r])
			continue;
		ids += cc->failed[r];
		explain_more(why, "");
		buf_addf(why, "%" PRIu64 " id%s: %s", cc->failed[r],
		    cc->failed[r] == 1 ? "" : "s",
		    coverage_reason_text((enum coverage_reason)r));
	}
	return ids;
}

bool
coverage_passed(const struct coverage *cv, const struct collection *col)
{
	const struct coverage_collection *cc =
	    &cv->of[col - cv->catalog->collection];
	int r;

	for (r = 0; r < COVERAGE_REASONS; r++)
		if (cc->failed[r])
			return false;
	return !cc->found.fault.status;
}

int
coverage_failure_next(struct coverage *cv, struct coverage_failure *out,
    struct err *e)
{
	const struct failure *f;
	const void *p;
	struct db_stmt st;
	int got = spill_next(&cv->failures, &p, e);

	if (got <= 0)
		return got;
	f = p;
	out->col = &cv->catalog->collection[f->col];
	out->reason = (enum coverage_reason)f->reason;
	buf_reset(&out->id);
	if (db_prepare(cv->db, &st, f->what == RECORD ?
	    "SELECT embedding_id FROM embeddings WHERE id = ?1" :
	    "SELECT id FROM embeddings_queue WHERE seq_id = ?1", e) < 0)
		return -1;
	db_bind_i64(&st, 1, f->place);
	got = db_step(&st, e);
	if (got > 0) {
		struct slice id = db_col_text(&st, 0);

		buf_add(&out->id, id.p, id.len);
	}
	db_finish(&st);
	return got < 0 ? -1 : buf_ok(&out->id) ? 1 : err_nomem(e);
}
