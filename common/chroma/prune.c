/* SPDX-License-Identifier: Apache-2.0 */
/* prune.c - which rows of a log may go, and why the others stay. */
#include "chroma/prune.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* of the segments whose index is in files (chroma 0.4.0 to 1.5.9) */
#define VECTOR_TYPE "urn:chroma:segment/vector/hnsw-local-persisted"

/* A row that goes unless its collection is refused. */
struct candidate {
	int64_t seq_id;
	uint32_t col;		/* in the catalog; NO_COLLECTION: a dead topic */
	bool follows;		/* no row lies between it and the one before */
};
#define NO_COLLECTION UINT32_MAX

void
prune_end(struct prune *p)
{
	size_t i;

	for (i = 0; p->of && i < p->catalog->n; i++)
		buf_release(&p->of[i].why);
	free(p->of);
	spill_release(&p->candidates);
	coverage_end(&p->coverage);
	*p = (struct prune){ 0 };
}

/* A collection that cannot be proven whatever its index says. */
static const char *
obstacle(const struct catalog *c, const struct collection *col)
{
	if (col->ambiguous)
		return col->ambiguous;
	if (col->vector_fault)
		return col->vector_fault;
	if (col->metadata.odd || col->vector.odd)
		return "a watermark that no Chroma of this era reads";
	if (col->vector_segment && (!col->vector_type ||
	    strcmp(col->vector_type, VECTOR_TYPE) != 0))
		return "its vector segment is of a type that keeps no files";
	/* Another tool has emptied the log, or Chroma up to 0.5.5 was killed
	 * when it had persisted an index and not yet committed the rows: it
	 * takes what it writes under these numbers for applied. */
	if (col->metadata.seq_id > c->newest || col->vector.seq_id > c->newest)
		return "a watermark above the newest row of the log, which "
		    "was emptied, or Chroma was killed while it wrote: it "
		    "never applies the rows up to that mark that are new, and "
		    "the log has the only copy";
	return NULL;
}

static void
refuse(struct prune_collection *pc, const char *why)
{
	pc->refused = true;
	if (pc->why.len)
		buf_adds(&pc->why, "; ");
	buf_adds(&pc->why, why);
}

/* Get ready to prove the collections of which rows are named. */
static int
use_indexes(struct prune *p, const struct persist *pd,
    const struct rowset *rs, struct err *e)
{
	uint64_t committed;
	int64_t lowest;
	size_t i;

	for (i = 0; i < p->catalog->n; i++) {
		const struct collection *col = &p->catalog->collection[i];
		struct prune_collection *pc = &p->of[i];

		pc->col = col;
		if (!col->selected || !rowset_names(rs, slice_str(col->id),
		    &lowest))
			continue;
		if (obstacle(p->catalog, col)) {
			refuse(pc, obstacle(p->catalog, col));
			continue;
		}
		if (!collection_committed(col, &committed) ||
		    lowest >= (int64_t)committed)
			continue;
		if (coverage_use(&p->coverage, col, pd->dirfd,
		    col->vector_segment, e) < 0)
			return -1;
	}
	return 0;
}

/* Whether the row goes, by rule and stream, and the count that it falls
 * under. */
static bool
classify(struct prune_collection *pc, int64_t seq_id, uint64_t newest,
    bool named)
{
	uint64_t committed = 0;

	pc->rows++;
	if (!collection_committed(pc->col, &committed) ||
	    seq_id > (int64_t)committed) {
		pc->pending++;
		return false;
	}
	if (seq_id == (int64_t)committed || (uint64_t)seq_id == newest) {
		pc->boundary++;
		return false;
	}
	if (!named) {
		pc->not_named++;
		return false;
	}
	if (pc->refused) {
		pc->held_back++;
		return false;
	}
	return true;
}

static uint64_t
payload(const struct wal_row *row)
{
	uint64_t n = 16;	/* header, seq_id, operation */
	int i;

	for (i = 0; i < WAL_COLUMNS; i++)
		n += row->col[i].bytes.len;
	return n;
}

static int
plan_row(struct prune *p, struct walrows *rows, struct rowset *rs,
    const struct prune_options *o, int64_t seq_id, struct err *e)
{
	struct candidate c = { .seq_id = seq_id, .col = NO_COLLECTION };
	struct prune_collection *pc = NULL;
	struct wal_row row;
	bool used = false, goes;
	int named;

	wal_row_take(rows, p->catalog, seq_id, &row);
	if (row.collection) {
		c.col = (uint32_t)(row.collection - p->catalog->collection);
		pc = &p->of[c.col];
		used = p->coverage.of[c.col].used;
	}
	if (used || rowset_next_is(rs, seq_id))
		wal_row_payload(rows, &row);
	named = rowset_has(rs, &row, rows->db->name, e);
	if (named < 0)
		return -1;
	p->rows++;
	p->dead += !pc;
	if (pc)
		goes = pc->col->selected && classify(pc, seq_id,
		    p->catalog->newest, named);
	else
		goes = named && o->dead_topics &&
		    catalog_dead_topic(p->catalog, &row.col[WAL_TOPIC]) &&
		    (uint64_t)seq_id != p->catalog->newest;
	if (used && coverage_row(&p->coverage, &row, goes, e) < 0)
		return -1;
	c.follows = !p->broken;
	p->broken = !goes;
	if (!goes)
		return 0;
	if (pc) {
		pc->goes++;
		pc->bytes += payload(&row);
		pages_add(&pc->space, payload(&row));
	} else {
		p->dead_goes++;
		p->bytes += payload(&row);
		pages_add(&p->dead_space, payload(&row));
	}
	return spill_add(&p->candidates, &c, e);
}

static int
plan_rows(struct prune *p, struct db *db, struct rowset *rs,
    const struct prune_options *o, struct err *e)
{
	struct walrows rows;
	int64_t seq_id;
	int got;

	if (walrows_open(&rows, db, WAL_ROW_COLUMNS, INT64_MIN, INT64_MAX,
	    e) < 0)
		return -1;
	while ((got = walrows_next(&rows, &seq_id, e)) > 0)
		if (plan_row(p, &rows, rs, o, seq_id, e) < 0) {
			got = -1;
			break;
		}
	walrows_close(&rows);
	return got < 0 ? -1 : rowset_finish(rs, e);
}

/* What became of a collection, in words. */
static void
explain(struct prune_collection *pc, const struct coverage_collection *cc)
{
	size_t before = pc->why.len;

	pc->failures += coverage_explain(cc, &pc->why);
	if (pc->why.len > before)
		pc->refused = true;
	if (!pc->refused && pc->rows > 0 && pc->pending == pc->rows)
		buf_adds(&pc->why, "nothing of it is in the index files yet: "
		    "the log is the only copy of its vectors, and committing "
		    "it (chroma-commit) is what helps");
}

static int
settle(struct prune *p, struct err *e)
{
	size_t i;

	if (coverage_judge(&p->coverage, e) < 0)
		return -1;
	for (i = 0; i < p->catalog->n; i++) {
		struct prune_collection *pc = &p->of[i];

		explain(pc, &p->coverage.of[i]);
		if (!buf_ok(&pc->why))
			return err_nomem(e);
		if (pc->refused) {
			pc->held_back += pc->goes;
			pc->goes = pc->bytes = 0;
			pages_init(&pc->space, pc->space.size);
			p->refused++;
		}
		p->goes += pc->goes;
		p->bytes += pc->bytes;
		p->space += pages_bytes(&pc->space);
	}
	p->goes += p->dead_goes;
	p->space += pages_bytes(&p->dead_space);
	return 0;
}

int
prune_plan(struct prune *p, struct persist *pd, struct catalog *c,
    struct rowset *rs, const struct prune_options *o, struct err *e)
{
	int64_t page;
	size_t i;

	*p = (struct prune){ .catalog = c, .broken = true };
	spill_init(&p->candidates, sizeof(struct candidate), 0, o->tmpdir,
	    NULL);
	p->of = calloc(c->n + 1, sizeof(*p->of));
	if (!p->of)
		return err_nomem(e);
	if (db_int(&pd->db, "PRAGMA page_size", &page, e) < 0)
		return -1;
	pages_init(&p->dead_space, (uint64_t)page);
	for (i = 0; i < c->n; i++)
		pages_init(&p->of[i].space, (uint64_t)page);
	if (coverage_start(&p->coverage, &pd->db, c, o->tmpdir, e) < 0 ||
	    rowset_rewind(rs, e) < 0 || use_indexes(p, pd, rs, e) < 0 ||
	    plan_rows(p, &pd->db, rs, o, e) < 0 || settle(p, e) < 0)
		return -1;
	p->gone = rs->gone;
	return 0;
}

/* ---- the ranges ---- */

int
prune_rewind(struct prune *p, struct err *e)
{
	p->waiting = false;
	return spill_rewind(&p->candidates, e);
}

int
prune_next(struct prune *p, struct prune_range *r, struct err *e)
{
	const struct candidate *c;
	const void *v;
	int got;

	*r = (struct prune_range){ 0 };
	if (p->waiting)
		*r = p->next;
	p->waiting = false;
	while ((got = spill_next(&p->candidates, &v, e)) > 0) {
		c = v;
		if (c->col != NO_COLLECTION && p->of[c->col].refused) {
			p->broken = true;
			continue;
		}
		if (r->rows && (!c->follows || p->broken)) {
			p->next = (struct prune_range){ c->seq_id, c->seq_id,
			    1 };
			p->waiting = true;
			p->broken = false;
			return 1;
		}
		if (!r->rows)
			r->from = c->seq_id;
		p->broken = false;
		r->to = c->seq_id;
		r->rows++;
	}
	return got < 0 ? -1 : r->rows > 0;
}
