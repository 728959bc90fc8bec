/* SPDX-License-Identifier: Apache-2.0 */
/* chroma-walapply - apply the pending log to the metadata segment
 *
 * In: a persist dir, which is changed, one collection at a time, each in one
 * transaction.  Out: a receipt.
 * Memory: that of chroma/apply.h, whatever the length of the log.
 * See chroma-walapply(1).
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "chroma/apply.h"
#include "chroma/catalog.h"
#include "chroma/claim.h"
#include "prog/opt.h"
#include "prog/prog.h"
#include "prog/progress.h"
#include "prog/receipt.h"
#include "prog/table.h"

struct config {
	struct opt_list only, skip;
	bool assume_stopped, dry_run, quiet, text;
	const char *tmpdir;
	uint64_t wait_s;
	enum progress_mode progress;
	const char *dir;
};

static const char usage_text[] =
"usage: chroma-walapply [options] DIR\n"
"Apply the pending rows of the log of a Chroma directory to its metadata\n"
"(ids, metadata, documents, full text), as Chroma would when it is next used.\n"
"Chroma must be stopped.\n"
"\n"
"      --assume-stopped   where it cannot be told whether somebody has DIR\n"
"                         open: nobody has\n"
"  -c, --collection=NAME  only this collection (repeatable): NAME,\n"
"                         TENANT/DATABASE/NAME or a UUID\n"
"  -n, --dry-run          change nothing: say what would be applied\n"
"  -h, --help             print this text\n"
"      --progress         show progress even where it is not a terminal\n"
"  -q, --quiet            no warnings, no progress, no receipt\n"
"      --skip=NAME        all but this collection (repeatable)\n"
"      --text             the receipt as text for people\n"
"      --tmpdir=DIR       where temporary files go\n"
"  -V, --version          print the version\n"
"      --wait=SECONDS     how long others may take to let go of DIR\n"
"                         (default 0)\n";

static const struct option longopts[] = {
	{ "assume-stopped", no_argument,	NULL, OPT_ASSUME_STOPPED },
	{ "collection",	 required_argument,	NULL, 'c' },
	{ "dry-run",	 no_argument,		NULL, 'n' },
	{ "help",	 no_argument,		NULL, 'h' },
	{ "progress",	 no_argument,		NULL, OPT_PROGRESS },
	{ "quiet",	 no_argument,		NULL, 'q' },
	{ "skip",	 required_argument,	NULL, OPT_SKIP },
	{ "text",	 no_argument,		NULL, OPT_TEXT },
	{ "tmpdir",	 required_argument,	NULL, OPT_TMPDIR },
	{ "version",	 no_argument,		NULL, 'V' },
	{ "wait",	 required_argument,	NULL, OPT_WAIT },
	{ NULL, 0, NULL, 0 }
};

struct job {
	struct claim claim;		/* unless it is a dry run */
	struct persist reading;		/* else */
	struct persist *pd;
	struct catalog catalog;
	struct apply apply;
	uint64_t applied;		/* rows */
	uint64_t collections;		/* that rows were applied to */
	uint64_t refused;		/* collections */
};

/* ---- the work ---- */

static int
open_dir(const struct config *cf, struct job *j, struct err *e)
{
	const struct persist_options po = opt_persist(cf->wait_s, cf->tmpdir);
	const struct claim_options co = { .wait_ms = po.wait_ms,
	    .assume_stopped = cf->assume_stopped };

	j->pd = cf->dry_run ? &j->reading : &j->claim.pd;
	return cf->dry_run ? claim_read(&j->reading, cf->dir, &po, e) :
	    claim_open(&j->claim, cf->dir, &co, e);
}

static int
prepare(const struct config *cf, struct job *j, struct err *e)
{
	struct select sel = opt_select(&cf->only, &cf->skip);

	if (open_dir(cf, j, e) < 0)
		return -1;
	if (catalog_load_tables(&j->catalog, &j->pd->db, e) < 0)
		return persist_failed(j->pd, e);
	if (era_known(&j->catalog.era, j->pd->file, e) < 0 ||
	    select_apply(&j->catalog, &sel, e) < 0)
		return -1;
	if (apply_open(&j->apply, &j->pd->db, &j->catalog, cf->dry_run, e) < 0)
		return persist_failed(j->pd, e);
	return 0;
}

/* Why a collection is refused, with the place.  Appended to *b. */
static void
put_why(const struct apply_of *of, struct buf *b)
{
	if (of->refused_at)
		buf_addf(b, "row %" PRId64 " of the log: ", of->refused_at);
	buf_adds(b, of->refused);
	if (of->effect)
		buf_addf(b, " (%s)", of->effect);
}

static void
warn_refused(const struct collection *col, const struct apply_of *of)
{
	struct buf why = { 0 };

	put_why(of, &why);
	prog_warn("collection %s: none of its pending rows (%" PRIu64 ") are "
	    "applied: %s", col->name, of->rows, buf_str(&why));
	buf_release(&why);
}

static int
apply_all(struct job *j, struct claim *claim, struct err *e)
{
	char before[80];
	size_t i;

	for (i = 0; i < j->catalog.n; i++) {
		const struct apply_of *of = &j->apply.of[i];

		if (apply_collection(&j->apply, i, claim, e) < 0) {
			snprintf(before, sizeof(before), "%" PRIu64 " of the "
			    "collections were applied before", j->collections);
			return j->collections && claim ? err_in(e, before) : -1;
		}
		if (of->refused) {
			j->refused++;
			warn_refused(&j->catalog.collection[i], of);
		} else if (of->rows) {
			j->applied += of->rows;
			j->collections++;
		}
	}
	return claim ? 0 : persist_check(j->pd, e);
}

/* ---- the receipt ---- */

static void
put_seq_id(struct jsonw *w, const char *key, bool there, uint64_t seq_id)
{
	if (there)
		json_int(w, key, (int64_t)seq_id);
	else
		json_null(w, key);
}

/* What is different after a collection was applied. */
static void
put_counts(const struct config *cf, const struct apply_of *of,
    struct jsonw *w)
{
	json_int(w, "applied", of->refused ? 0 : (int64_t)of->rows);
	json_int(w, "added", (int64_t)of->added);
	json_int(w, "updated", (int64_t)of->updated);
	json_int(w, "deleted", (int64_t)of->deleted);
	json_int(w, "ignored", (int64_t)of->ignored);
	if (!cf->dry_run)
		json_int(w, "repaired", (int64_t)of->repaired);
	json_int(w, "schema_keys", (int64_t)of->schema_keys);
	json_int(w, "pending", of->refused ? (int64_t)of->rows : 0);
}

static void
put_collection(const struct config *cf, const struct collection *col,
    const struct apply_of *of, struct jsonw *w)
{
	bool had = col->metadata.source != WATERMARK_NONE;
	bool has = of->rows && !of->refused;
	struct buf why = { 0 };

	json_open(w, NULL, '{');
	json_cstr(w, "collection", col->name);
	json_cstr(w, "tenant", col->tenant);
	json_cstr(w, "database", col->database);
	json_cstr(w, "collection_id", col->id);
	put_counts(cf, of, w);
	put_seq_id(w, "metadata_seq_id_before", had, col->metadata.seq_id);
	put_seq_id(w, "metadata_seq_id_after", had || has,
	    has ? (uint64_t)of->last : col->metadata.seq_id);
	json_bool(w, "refused", of->refused != NULL);
	if (of->refused)
		put_why(of, &why);
	if (of->refused)
		json_str(w, "why", buf_slice(&why));
	else
		json_null(w, "why");
	put_seq_id(w, "seq_id", of->refused_at > 0, (uint64_t)of->refused_at);
	json_close(w, '}');
	buf_release(&why);
}

static void
put_receipt(const struct config *cf, const struct job *j, struct jsonw *w)
{
	size_t i;

	json_cstr(w, "dir", j->pd->dir);
	if (cf->dry_run)
		json_bool(w, "dry_run", true);
	json_int(w, "wal_entries_applied", (int64_t)j->applied);
	json_open(w, "collections", '[');
	for (i = 0; i < j->catalog.n; i++)
		if (j->catalog.collection[i].selected)
			put_collection(cf, &j->catalog.collection[i],
			    &j->apply.of[i], w);
	json_close(w, ']');
}

static void
text_collection(const struct config *cf, const struct collection *col,
    const struct apply_of *of, struct buf *b)
{
	struct buf line = { 0 };
	char t[5][32];

	buf_addf(&line, "%s/%s/%s", col->tenant ? col->tenant : "?",
	    col->database ? col->database : "?", col->name);
	table_heading(b, buf_slice(&line));
	buf_reset(&line);
	if (of->rows == 0)
		table_row(b, "log", "nothing is pending");
	else
		table_row(b, of->refused ? "stay" : cf->dry_run ? "apply" :
		    "applied", "%s rows", table_count(of->rows, t[0]));
	if (of->refused) {
		put_why(of, &line);
		table_note(b, buf_slice(&line));
	} else if (of->rows) {
		table_row(b, "records", "%s added, %s updated, %s deleted; "
		    "%s rows without effect", table_count(of->added, t[1]),
		    table_count(of->updated, t[2]),
		    table_count(of->deleted, t[3]),
		    table_count(of->ignored, t[4]));
		if (of->repaired)
			table_row(b, "repaired", "%s new records, under whose "
			    "numbers something had been left behind",
			    table_count(of->repaired, t[1]));
	}
	buf_release(&line);
}

static void
put_text(const struct config *cf, const struct job *j, struct buf *b)
{
	char t[32];
	size_t i;

	table_heading(b, slice_str(j->pd->dir));
	table_row(b, cf->dry_run ? "apply" : "applied", "%s rows of the log",
	    table_count(j->applied, t));
	for (i = 0; i < j->catalog.n; i++)
		if (j->catalog.collection[i].selected)
			text_collection(cf, &j->catalog.collection[i],
			    &j->apply.of[i], b);
	if (j->apply.pending == 0)
		buf_adds(b, "\nNothing to do.\n");
}

/* ---- */

static void
end(const struct config *cf, struct job *j)
{
	apply_close(&j->apply);
	catalog_release(&j->catalog);
	if (!cf->dry_run)
		claim_close(&j->claim);
	else
		persist_close(&j->reading);
}

static int
run(const struct config *cf, int *status, struct err *e)
{
	struct job j = { 0 };
	struct receipt receipt;
	struct buf text = { 0 };
	int r;

	receipt_start(&receipt);
	r = prepare(cf, &j, e);
	if (r == 0) {
		j.apply.progress = progress_share;
		progress_start(cf->progress, "rows", 0);
		r = apply_all(&j, cf->dry_run ? NULL : &j.claim, e);
		progress_end();
	}
	*status = j.refused ? STATUS_NO : STATUS_OK;
	if (r == 0 && cf->text)
		put_text(cf, &j, &text);
	else if (r == 0)
		put_receipt(cf, &j, &receipt.w);
	end(cf, &j);
	if (r < 0 || cf->quiet) {
		buf_release(&receipt.buf);
		buf_release(&text);
		return r;
	}
	r = cf->text ? receipt_print_text(&text, e) :
	    receipt_print(&receipt, e);
	return r < 0 && j.collections && !cf->dry_run ? err_in(e, "the rows "
	    "are applied, but not all of the receipt was written") : r;
}

/* A dry run remembers ids, and may have to open a copy. */
static void
set_tmpdir(const struct config *cf)
{
	const char *tmp = cf->tmpdir ? cf->tmpdir : getenv("TMPDIR");

	if (setenv("SQLITE_TMPDIR", tmp && *tmp ? tmp : "/tmp", 1) < 0)
		prog_die(STATUS_SYSTEM, "out of memory");
}

int
main(int argc, char *argv[])
{
	struct config cf = { 0 };
	struct err e = { 0 };
	int ch, status = STATUS_OK;

	prog_start(argv[0]);
	while ((ch = getopt_long(argc, argv, ":c:hnqV", longopts, NULL)) != -1)
		switch (ch) {
		case 'c': opt_add(&cf.only, "--collection", optarg); break;
		case 'h': return prog_help(usage_text);
		case 'n': cf.dry_run = true; break;
		case 'q':
			cf.progress = PROGRESS_OFF;
			cf.quiet = true;
			prog_quiet();
			break;
		case 'V': return prog_version();
		case OPT_ASSUME_STOPPED: cf.assume_stopped = true; break;
		case OPT_PROGRESS: cf.progress = PROGRESS_FORCED; break;
		case OPT_SKIP: opt_add(&cf.skip, "--skip", optarg); break;
		case OPT_TEXT: cf.text = true; break;
		case OPT_TMPDIR: cf.tmpdir = optarg; break;
		case OPT_WAIT:
			cf.wait_s = opt_u64("--wait", optarg, 0, OPT_WAIT_MAX);
			break;
		default: opt_bad(ch, argv);
		}
	if (argc - optind != 1)
		prog_usage(argc > optind ? "one DIR at a time" : "no DIR "
		    "given: the persist dir, the one with chroma.sqlite3 in "
		    "it");
	cf.dir = argv[optind];
	set_tmpdir(&cf);
	if (run(&cf, &status, &e) < 0)
		prog_fail(&e);
	return status;
}
