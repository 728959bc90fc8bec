/* SPDX-License-Identifier: Apache-2.0 */
/* prunereport.c - what a prune did, or would do, and why the rest stays. */
#include "prog/prunereport.h"

#include <stdlib.h>

#include "prog/prog.h"
#include "prog/table.h"

static void
put_names(struct jsonw *w, const struct collection *col)
{
	json_cstr(w, "collection", col->name);
	json_cstr(w, "tenant", col->tenant);
	json_cstr(w, "database", col->database);
	json_cstr(w, "collection_id", col->id);
}

static int
put_line(const struct coverage_failure *f, struct out *all, struct err *e)
{
	struct buf line = { 0 };
	struct jsonw w = { .b = &line };
	int r;

	json_open(&w, NULL, '{');
	put_names(&w, f->col);
	json_str(&w, "id", buf_slice(&f->id));
	json_cstr(&w, "why", coverage_reason_text(f->reason));
	json_close(&w, '}');
	buf_addc(&line, '\n');
	r = buf_ok(&line) ? out_write(all, line.p, line.len, e) : err_nomem(e);
	buf_release(&line);
	return r;
}

static int
gather_ids(struct prunereport *pr, struct out *all, struct err *e)
{
	const struct catalog *c = pr->prune->catalog;
	struct coverage_failure f = { 0 };
	size_t of, last = c->n;
	int got, n = 0;

	while ((got = coverage_failure_next(&pr->prune->coverage, &f,
	    e)) > 0) {
		struct buf *ids;

		of = (size_t)(f.col - c->collection);
		ids = &pr->ids[of];
		n = of == last ? n + 1 : 1;
		last = of;
		if (n <= PRUNEREPORT_IDS) {
			if (n > 1)
				buf_addc(ids, ',');
			json_put_string(ids, buf_slice(&f.id));
		}
		if (!buf_ok(ids))
			got = err_nomem(e);
		else if (all)
			got = put_line(&f, all, e);
		if (got < 0)
			break;
	}
	buf_release(&f.id);
	return got;
}

int
prunereport_refused(struct prunereport *pr, struct out *all, struct err *e)
{
	const struct catalog *c = pr->prune->catalog;
	size_t i;

	pr->ids = calloc(c->n + 1, sizeof(*pr->ids));
	if (!pr->ids)
		return err_nomem(e);
	if (gather_ids(pr, all, e) < 0)
		return -1;
	for (i = 0; i < c->n; i++) {
		struct prune_collection *pc = &pr->prune->of[i];

		if (!pc->refused)
			continue;
		prog_warn("collection %s: none of its rows go (%llu would): "
		    "%s%s%s%s", pc->col->name,
		    (unsigned long long)pc->held_back, buf_str(&pc->why),
		    pc->failures ? ": " : "", buf_str(&pr->ids[i]),
		    pc->failures > PRUNEREPORT_IDS ? " and more" : "");
	}
	return 0;
}

static void
put_collection(struct prunereport *pr, size_t i, struct jsonw *w)
{
	struct prune_collection *pc = &pr->prune->of[i];

	json_open(w, NULL, '{');
	put_names(w, pc->col);
	json_int(w, "purged", (int64_t)pc->goes);
	json_int(w, "purged_bytes", (int64_t)pc->bytes);
	json_int(w, "kept", (int64_t)(pc->rows - pc->goes));
	json_int(w, "kept_boundary", (int64_t)pc->boundary);
	json_int(w, "kept_pending", (int64_t)pc->pending);
	json_int(w, "kept_not_given", (int64_t)pc->not_named);
	json_int(w, "kept_refused", (int64_t)pc->held_back);
	json_bool(w, "refused", pc->refused);
	if (pc->why.len)
		json_str(w, "why", buf_slice(&pc->why));
	else
		json_null(w, "why");
	json_open(w, "ids", '[');
	if (pr->ids[i].len)
		json_raw(w, NULL, buf_slice(&pr->ids[i]));
	json_close(w, ']');
	json_int(w, "ids_total", (int64_t)pc->failures);
	json_close(w, '}');
}

/* Size of the database file afterwards; in a dry run about. */
static uint64_t
size_after(const struct prunereport *pr)
{
	if (pr->changed)
		return pr->bytes_after;
	return pr->dry_run && pr->space->how != RECLAIM_NONE &&
	    !pr->space->idle ? pr->space->stay : pr->space->bytes;
}

static void
put_space(const struct prunereport *pr, struct jsonw *w)
{
	uint64_t before = pr->space->bytes, after = size_after(pr), gain;

	gain = before > after ? before - after : 0;
	json_open(w, "storage_reduction", '{');
	json_int(w, "bytes", (int64_t)gain);
	json_real(w, "share", before ? (double)gain / (double)before : 0, 4);
	json_close(w, '}');
	json_int(w, "bytes_before", (int64_t)before);
	json_int(w, "bytes_after", (int64_t)after);
	json_cstr(w, "reclaim", reclaim_name[pr->space->idle ? RECLAIM_NONE :
	    pr->space->how]);
}

void
prunereport_receipt(struct prunereport *pr, struct jsonw *w)
{
	const struct prune *p = pr->prune;
	size_t i;

	json_cstr(w, "dir", pr->dir);
	if (pr->dry_run)
		json_bool(w, "dry_run", true);
	json_int(w, "wal_entries_purged", (int64_t)p->goes);
	json_int(w, "wal_bytes_purged", (int64_t)p->bytes);
	json_int(w, "wal_entries_kept", (int64_t)(p->rows - p->goes));
	json_int(w, "gone_already", (int64_t)p->gone);
	json_int(w, "dead_topics", (int64_t)p->dead_goes);
	put_space(pr, w);
	if (p->catalog->automatically_purge < 0)
		json_null(w, "automatically_purge");
	else
		json_bool(w, "automatically_purge",
		    p->catalog->automatically_purge);
	if (pr->backup && pr->changed)
		json_cstr(w, "backup", pr->backup);
	json_open(w, "collections", '[');
	for (i = 0; i < p->catalog->n; i++)
		if (p->catalog->collection[i].selected)
			put_collection(pr, i, w);
	json_close(w, ']');
}

/* ---- for people ---- */

/* One collection: what goes, and why the rest stays. */
static void
text_collection(const struct prunereport *pr, size_t i, struct buf *b)
{
	struct prune_collection *pc = &pr->prune->of[i];
	const struct {
		uint64_t n;
		const char *what;
	} kept[] = {
		{ pc->boundary, "by rule: the newest that is applied" },
		{ pc->pending, "not in the index files yet" },
		{ pc->not_named, "not in the stream" },
		{ pc->held_back, "refused, see below" },
	};
	struct buf name = { 0 };
	char t[2][32];
	size_t k;

	buf_adds(&name, pc->col->tenant ? pc->col->tenant : "?");
	buf_addc(&name, '/');
	buf_adds(&name, pc->col->database ? pc->col->database : "?");
	buf_addc(&name, '/');
	buf_adds(&name, pc->col->name);
	table_heading(b, buf_slice(&name));
	buf_release(&name);
	if (pc->rows == 0) {
		table_row(b, "log", "no rows");
		return;
	}
	table_row(b, pr->changed ? "gone" : "go", "%s of %s rows",
	    table_count(pc->goes, t[0]), table_count(pc->rows, t[1]));
	for (k = 0; k < sizeof(kept) / sizeof(kept[0]); k++)
		if (kept[k].n)
			table_row(b, "stay", "%s %s",
			    table_count(kept[k].n, t[0]), kept[k].what);
	if (pc->why.len)
		table_note(b, buf_slice(&pc->why));
	if (pc->failures) {
		struct buf ids = { 0 };

		buf_adds(&ids, "ids: ");
		buf_add(&ids, pr->ids[i].p, pr->ids[i].len);
		if (pc->failures > PRUNEREPORT_IDS)
			buf_addf(&ids, " and %llu more", (unsigned long long)
			    (pc->failures - PRUNEREPORT_IDS));
		table_note(b, buf_slice(&ids));
		buf_release(&ids);
	}
}

static void
text_space(const struct prunereport *pr, struct buf *b)
{
	uint64_t before = pr->space->bytes, after = size_after(pr);
	static const char *const how[RECLAIMS] = {
		[RECLAIM_NONE] = "the freed pages stay in it and are used again",
		[RECLAIM_VACUUM] = "by VACUUM",
		[RECLAIM_REWRITE] = "by writing what stays to a new file",
	};
	char t[2][32];

	if (pr->space->idle)
		return;
	table_row(b, "database file", "%s, then %s%s (%s)",
	    table_bytes(before, t[0]), pr->changed ? "" : "about ",
	    table_bytes(after, t[1]), how[pr->space->how]);
}

void
prunereport_text(struct prunereport *pr, struct buf *b)
{
	const struct prune *p = pr->prune;
	char t[3][32];
	size_t i;

	table_heading(b, slice_str(pr->dir));
	table_row(b, pr->changed ? "gone" : "go", "%s of %s rows of the log "
	    "(%s of data)", table_count(p->goes, t[0]),
	    table_count(p->rows, t[1]), table_bytes(p->bytes, t[2]));
	if (p->dead)
		table_row(b, "dead topics", "%s rows of collections that are "
		    "gone, of which %s%s", table_count(p->dead, t[0]),
		    table_count(p->dead_goes, t[1]), pr->changed ?
		    " are gone, too" : " go, too");
	text_space(pr, b);
	table_row(b, "automatic purge", "%s; left as it is",
	    p->catalog->automatically_purge > 0 ? "on" :
	    p->catalog->automatically_purge == 0 ? "off" :
	    "no such setting here");
	for (i = 0; i < p->catalog->n; i++)
		if (p->catalog->collection[i].selected)
			text_collection(pr, i, b);
	if (pr->space->idle)
		buf_adds(b, "\n" PRUNEREPORT_IDLE "\n");
}

void
prunereport_end(struct prunereport *pr)
{
	size_t i;

	for (i = 0; pr->ids && i < pr->prune->catalog->n; i++)
		buf_release(&pr->ids[i]);
	free(pr->ids);
	pr->ids = NULL;
}
