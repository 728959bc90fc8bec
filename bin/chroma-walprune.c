/* SPDX-License-Identifier: Apache-2.0 */
/* chroma-walprune - delete rows of a Chroma log that are provably not needed
 *
 * In: WAL records, read to the end first; a persist dir, which is changed in
 * one commit point.  Out: a receipt.
 * Memory: that of chroma/prune.h, whatever the length of the stream.
 * See chroma-walprune(1).
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chroma/claim.h"
#include "chroma/prune.h"
#include "chroma/reclaim.h"
#include "prog/opt.h"
#include "prog/prog.h"
#include "prog/progress.h"
#include "prog/prunereport.h"
#include "prog/receipt.h"
#include "stream/out.h"
#include "stream/stream.h"

struct config {
	struct opt_list only, skip;
	bool all_or_nothing, assume_stopped, dead_topics, dry_run, text;
	const char *backup, *ids, *tmpdir;
	enum reclaim reclaim;
	bool quiet;
	uint64_t wait_s;
	enum progress_mode progress;
	const char *dir;
	const char **source;		/* names of the streams */
	uint32_t sources;
};

static const char usage_text[] =
"usage: chroma-walprune [options] DIR [FILE...]\n"
"Delete from the log of a Chroma directory the rows that a stream of WAL\n"
"records names, each of them provably no longer needed, and give the space\n"
"back.  Chroma must be stopped.\n"
"\n"
"      --all-or-nothing   change nothing if a collection is refused\n"
"      --assume-stopped   where it cannot be told whether somebody has DIR\n"
"                         open: nobody has\n"
"      --backup=PATH      keep the old database file under this name\n"
"  -c, --collection=NAME  only this collection (repeatable): NAME,\n"
"                         TENANT/DATABASE/NAME or a UUID\n"
"      --dead-topics      also rows of collections that are gone\n"
"  -n, --dry-run          change nothing: say what would go, and why the\n"
"                         rest stays\n"
"  -h, --help             print this text\n"
"      --ids=FILE         write the ids that stand in the way to FILE\n"
"      --progress         show progress even where it is not a terminal\n"
"  -q, --quiet            no warnings, no progress, no receipt\n"
"      --reclaim=HOW      give space back: auto (default), none, vacuum,\n"
"                         rewrite\n"
"      --skip=NAME        all but this collection (repeatable)\n"
"      --text             the receipt as text for people\n"
"      --tmpdir=DIR       where temporary files go\n"
"  -V, --version          print the version\n"
"      --wait=SECONDS     how long others may take to let go of DIR\n"
"                         (default 0)\n";

static const struct option longopts[] = {
	{ "all-or-nothing", no_argument,	NULL, OPT_ALL_OR_NOTHING },
	{ "assume-stopped", no_argument,	NULL, OPT_ASSUME_STOPPED },
	{ "backup",	 required_argument,	NULL, OPT_BACKUP },
	{ "collection",	 required_argument,	NULL, 'c' },
	{ "dead-topics", no_argument,		NULL, OPT_DEAD_TOPICS },
	{ "dry-run",	 no_argument,		NULL, 'n' },
	{ "help",	 no_argument,		NULL, 'h' },
	{ "ids",	 required_argument,	NULL, OPT_IDS },
	{ "progress",	 no_argument,		NULL, OPT_PROGRESS },
	{ "quiet",	 no_argument,		NULL, 'q' },
	{ "reclaim",	 required_argument,	NULL, OPT_RECLAIM },
	{ "skip",	 required_argument,	NULL, OPT_SKIP },
	{ "text",	 no_argument,		NULL, OPT_TEXT },
	{ "tmpdir",	 required_argument,	NULL, OPT_TMPDIR },
	{ "version",	 no_argument,		NULL, 'V' },
	{ "wait",	 required_argument,	NULL, OPT_WAIT },
	{ NULL, 0, NULL, 0 }
};

/* ---- the stream ---- */

static int
check_begin(const struct stream_in *si, struct slice text, struct err *e)
{
	struct begin b;

	if (stream_begin_parse(text, &b, e) < 0)
		return err_in(e, si->in.name);
	if (!slice_is(b.stream, "wal"))
		return err_data(e, "%s: not a stream of WAL records",
		    si->in.name);
	if (b.redacted)
		return err_data(e, "%s: a redacted stream: what it names "
		    "cannot be told", si->in.name);
	return 0;
}

static int
read_stream(const struct config *cf, uint32_t from, struct rowset *rs,
    struct err *e)
{
	struct record_memory mem = { 0 };
	struct stream_in si;
	struct item item;
	struct record r;
	int got;

	if (stream_in_open(&si, cf->source[from], false, e) < 0)
		return -1;
	if (strcmp(cf->source[from], "-") == 0)
		cf->source[from] = si.in.name;
	while ((got = stream_next(&si, &item, e)) > 0) {
		if (item.type == RECORD_BEGIN) {
			got = check_begin(&si, item.json, e);
		} else if (item.type == RECORD_WAL) {
			got = stream_record(&si, &item, FIELD_SEQ_ID |
			    FIELD_COLLECTION_ID | FIELD_CREATED_AT |
			    FIELD_OPERATION | FIELD_ID | FIELD_EMBEDDING, &r,
			    &mem, e);
			if (got == 0)
				got = rowset_add(rs, &r, from, si.binary ?
				    si.total : si.in.lineno, e);
			progress_update(rs->records);
		}
		if (got < 0)
			break;
	}
	record_memory_release(&mem);
	stream_in_close(&si);
	return got;
}

static int
read_streams(const struct config *cf, struct rowset *rs, struct err *e)
{
	uint32_t i;

	if (rowset_start(rs, cf->tmpdir, cf->source, e) < 0)
		return -1;
	progress_start(cf->progress, "records", 0);
	for (i = 0; i < cf->sources; i++)
		if (read_stream(cf, i, rs, e) < 0)
			return -1;
	progress_end();
	return 0;
}

/* ---- the directory ---- */

/* Everything that is known before the first byte changes. */
struct job {
	struct claim claim;
	struct persist reading;		/* dry run: instead of the claim */
	struct persist *pd;		/* of one of them */
	struct catalog catalog;
	struct prune prune;
	struct reclaim_options options;
	struct reclaim_plan space;
	struct reclaim_job work;
	bool changed;
};

static int
open_dir(const struct config *cf, struct job *j, struct err *e)
{
	const struct persist_options po = opt_persist(cf->wait_s, cf->tmpdir);
	const struct claim_options co = { .wait_ms = po.wait_ms,
	    .assume_stopped = cf->assume_stopped };

	j->options = (struct reclaim_options){ .want = cf->reclaim,
	    .backup = cf->backup, .tmpdir = cf->tmpdir };
	j->pd = cf->dry_run ? &j->reading : &j->claim.pd;
	return cf->dry_run ? claim_read(&j->reading, cf->dir, &po, e) :
	    claim_open(&j->claim, cf->dir, &co, e);
}

static int
plan(const struct config *cf, struct job *j, struct rowset *rs, struct err *e)
{
	struct select sel = opt_select(&cf->only, &cf->skip);
	struct prune_options po = { cf->dead_topics, cf->tmpdir };

	if (!cf->dry_run && claim_stamp(&j->claim, e) < 0)
		return -1;
	if (db_map(&j->pd->db, true, e) < 0 ||
	    catalog_load(&j->catalog, j->pd, e) < 0)
		return persist_failed(j->pd, e);
	if (era_known(&j->catalog.era, j->pd->file, e) < 0)
		return -1;
	j->options.maintenance_log = j->catalog.era.has_maintenance;
	if (select_apply(&j->catalog, &sel, e) < 0)
		return -1;
	if (!cf->dry_run && reclaim_start(&j->work, &j->claim, rs->records,
	    &j->options, e) < 0)
		return -1;
	if (prune_plan(&j->prune, j->pd, &j->catalog, rs, &po, e) < 0)
		return persist_failed(j->pd, e);
	return reclaim_choose(&j->space, &j->pd->db, j->pd->real,
	    j->prune.goes, j->prune.space, &j->options, e);
}

/* What we are to write must not be taken for a file of SQLite's, or swept. */
static int
check_names(const struct config *cf, const struct persist *pd, struct err *e)
{
	const char *const path[] = { cf->backup, cf->ids };
	int i;

	for (i = 0; i < 2; i++)
		if (path[i] && persist_reserved(pd, path[i]))
			return err_usage(e, "%s: a name of files that belong "
			    "to the database and are removed without asking; "
			    "choose another", err_tail(path[i]));
	return 0;
}

/* Make the plan.  A file in SQLite-WAL mode that is to be replaced leaves that
 * mode first, which lets others in for a moment: so once more. */
static int
prepare(const struct config *cf, struct job *j, struct rowset *rs,
    struct err *e)
{
	if (open_dir(cf, j, e) < 0 || check_names(cf, j->pd, e) < 0 ||
	    plan(cf, j, rs, e) < 0)
		return -1;
	if (cf->dry_run)
		return persist_check(j->pd, e);
	if (j->space.idle || j->space.how != RECLAIM_REWRITE ||
	    !j->claim.sqlite_wal)
		return 0;
	prune_end(&j->prune);
	catalog_release(&j->catalog);
	return claim_rollback_mode(&j->claim, e) < 0 ? -1 :
	    plan(cf, j, rs, e);
}

/* The ids that stand in the way: on stderr, in the receipt, in --ids. */
static int
report_refused(const struct config *cf, struct prunereport *pr,
    struct err *e)
{
	struct out out;

	if (!cf->ids)
		return prunereport_refused(pr, NULL, e);
	if (out_file(&out, cf->ids, false, 0, e) < 0)
		return -1;
	if (prunereport_refused(pr, &out, e) < 0) {
		out_abort(&out);
		return -1;
	}
	return out_close(&out, e);
}

/* The change itself, after all that could refuse it. */
static int
change(struct job *j, struct prunereport *pr, struct err *e)
{
	struct stat st;

	if (j->space.idle)
		return 0;
	if (reclaim_run(&j->work, &j->prune, &j->space, e) < 0)
		return -1;
	pr->changed = j->changed = true;
	pr->bytes_after = stat(j->pd->real, &st) == 0 ?
	    (uint64_t)st.st_size : 0;
	return 0;
}

/* Prepare, report, change; what is to be printed comes back in text, or in the
 * receipt. */
static int
prune(const struct config *cf, struct job *j, struct rowset *rs,
    struct receipt *receipt, struct buf *text, struct err *e)
{
	struct prunereport pr = { .prune = &j->prune, .space = &j->space,
	    .dry_run = cf->dry_run, .backup = cf->backup };
	int r;

	if (prepare(cf, j, rs, e) < 0 || report_refused(cf, &pr, e) < 0)
		return -1;
	pr.dir = j->pd->dir;
	if (j->prune.refused && cf->all_or_nothing)
		return err_data(e, "%llu of the collections are refused: "
		    "nothing was changed (--all-or-nothing)",
		    (unsigned long long)j->prune.refused);
	r = cf->dry_run ? 0 : change(j, &pr, e);
	if (r == 0 && cf->text)
		prunereport_text(&pr, text);
	else if (r == 0)
		prunereport_receipt(&pr, &receipt->w);
	prunereport_end(&pr);
	return r;
}

/* Better now than after a new file was written. */
static int
check_new(const char *path, struct err *e)
{
	struct stat st;

	return path && lstat(path, &st) == 0 ?
	    err_usage(e, "%s exists", err_tail(path)) : 0;
}

static int
run(const struct config *cf, int *status, struct err *e)
{
	struct job j = { 0 };
	struct receipt receipt;
	struct buf text = { 0 };
	struct rowset rs;
	int r;

	receipt_start(&receipt);
	if (check_new(cf->backup, e) < 0 || check_new(cf->ids, e) < 0 ||
	    read_streams(cf, &rs, e) < 0)
		return -1;
	r = prune(cf, &j, &rs, &receipt, &text, e);
	*status = j.prune.refused ? STATUS_NO : STATUS_OK;
	rowset_end(&rs);
	prune_end(&j.prune);
	catalog_release(&j.catalog);
	reclaim_end(&j.work);
	if (!cf->dry_run)
		claim_close(&j.claim);
	else
		persist_close(&j.reading);
	if (r < 0 || cf->quiet) {
		buf_release(&receipt.buf);
		buf_release(&text);
		return r;
	}
	r = cf->text ? receipt_print_text(&text, e) :
	    receipt_print(&receipt, e);
	return r < 0 && j.changed ? err_in(e, "the rows are gone, but not all "
	    "of the receipt was written") : r;
}

/* ---- the command line ---- */

static enum reclaim
take_reclaim(const char *arg)
{
	int i;

	for (i = 0; i < RECLAIMS; i++)
		if (strcmp(arg, reclaim_name[i]) == 0)
			return (enum reclaim)i;
	prog_usage("--reclaim: '%s' is none of auto, none, vacuum, rewrite",
	    arg);
}

/* The name of a file to write: often a variable in a script, which was never
 * set. */
static const char *
take_file(const char *option, const char *arg)
{
	if (!*arg)
		prog_usage("%s: needs the name of a file", option);
	return arg;
}

static void
take_operands(struct config *cf, int n, char *const word[])
{
	int i, standard = 0;

	if (n == 0)
		prog_usage("no DIR given: the persist dir, the one with "
		    "chroma.sqlite3 in it");
	cf->dir = word[0];
	cf->source = calloc((size_t)n, sizeof(*cf->source));
	if (!cf->source)
		prog_die(STATUS_SYSTEM, "out of memory");
	cf->source[cf->sources++] = n > 1 ? word[1] : "-";
	for (i = 2; i < n; i++)
		cf->source[cf->sources++] = word[i];
	for (i = 0; i < (int)cf->sources; i++)
		standard += strcmp(cf->source[i], "-") == 0;
	if (standard > 1)
		prog_usage("standard input can be read once only");
	if (n == 1 && isatty(STDIN_FILENO))
		prog_usage("no stream: give a FILE, or pipe chroma-walexport "
		    "--prunable DIR into it");
}

/* VACUUM and sorting work where we do. */
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
	struct config cf = { .reclaim = RECLAIM_AUTO };
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
		case OPT_ALL_OR_NOTHING: cf.all_or_nothing = true; break;
		case OPT_ASSUME_STOPPED: cf.assume_stopped = true; break;
		case OPT_BACKUP:
			cf.backup = take_file("--backup", optarg);
			break;
		case OPT_DEAD_TOPICS: cf.dead_topics = true; break;
		case OPT_IDS: cf.ids = take_file("--ids", optarg); break;
		case OPT_PROGRESS: cf.progress = PROGRESS_FORCED; break;
		case OPT_RECLAIM: cf.reclaim = take_reclaim(optarg); break;
		case OPT_SKIP: opt_add(&cf.skip, "--skip", optarg); break;
		case OPT_TEXT: cf.text = true; break;
		case OPT_TMPDIR: cf.tmpdir = optarg; break;
		case OPT_WAIT:
			cf.wait_s = opt_u64("--wait", optarg, 0, OPT_WAIT_MAX);
			break;
		default: opt_bad(ch, argv);
		}
	take_operands(&cf, argc - optind, argv + optind);
	set_tmpdir(&cf);
	if (run(&cf, &status, &e) < 0)
		prog_fail(&e);
	free(cf.source);
	return status;
}
