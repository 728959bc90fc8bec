/* SPDX-License-Identifier: Apache-2.0 */
/* chroma-config - show the settings of a Chroma directory, and set them
 *
 * In: a persist dir.  Out: the settings in force and where each comes from, as
 * text for people or as JSONL (nothing changes); with a setting a receipt.
 * Memory: some KiB a collection.
 * See chroma-config(1).
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/f64.h"
#include "chroma/claim.h"
#include "chroma/paramset.h"
#include "chroma/purge.h"
#include "prog/infojson.h"
#include "prog/opt.h"
#include "prog/prog.h"
#include "prog/receipt.h"
#include "prog/table.h"

struct config {
	struct opt_list only, skip;
	bool text, jsonl;	/* neither: by what standard output is */
	bool set_purge;		/* --purge was given */
	enum purge purge;
	bool set_params;	/* one of these was */
	struct paramset params;
	bool assume_stopped, dry_run, quiet;
	bool wait_set;
	uint64_t wait_s;
	const char *tmpdir;
};

static const char usage_text[] =
"usage: chroma-config [options] DIR\n"
"Show the settings of a Chroma directory and where each comes from; or set\n"
"some, for which Chroma must be stopped.\n"
"\n"
"      --assume-stopped   where it cannot be told whether somebody has DIR\n"
"                         open: nobody has\n"
"      --batch-size=N     records that Chroma up to 0.6.3 gathers before they\n"
"                         go to the graph\n"
"  -c, --collection=NAME  only this collection (repeatable): NAME,\n"
"                         TENANT/DATABASE/NAME or a UUID\n"
"  -n, --dry-run          change nothing: say what would be\n"
"      --ef-search=N      how many candidates a query keeps\n"
"  -h, --help             print this text\n"
"  -j, --jsonl            write JSONL (the default on a pipe)\n"
"      --num-threads=N    threads of the index\n"
"      --purge=HOW        whether Chroma purges its log: auto, off\n"
"  -q, --quiet            no warnings, no receipt\n"
"      --resize-factor=X  how much room the index makes when it is full\n"
"      --skip=NAME        all but this collection (repeatable)\n"
"      --sync-threshold=N log rows after which the index is written to disk\n"
"      --text             write text (the default on a terminal)\n"
"      --tmpdir=DIR       where a private copy may go; recovers a hot journal\n"
"  -V, --version          print the version\n"
"      --wait=SECONDS     how long others may take to let go (default 10 to\n"
"                         read, 0 to change)\n"
"\n"
"Space, M and ef_construction are part of the index: see chroma-rebuild(1).\n";

static const struct option longopts[] = {
	{ "M",		 required_argument,	NULL, OPT_M },
	{ "assume-stopped", no_argument,	NULL, OPT_ASSUME_STOPPED },
	{ "batch-size",	 required_argument,	NULL, OPT_BATCH_SIZE },
	{ "collection",	 required_argument,	NULL, 'c' },
	{ "dry-run",	 no_argument,		NULL, 'n' },
	{ "ef-construction", required_argument,	NULL, OPT_EF_CONSTRUCTION },
	{ "ef-search",	 required_argument,	NULL, OPT_EF_SEARCH },
	{ "help",	 no_argument,		NULL, 'h' },
	{ "jsonl",	 no_argument,		NULL, 'j' },
	{ "num-threads", required_argument,	NULL, OPT_NUM_THREADS },
	{ "purge",	 required_argument,	NULL, OPT_PURGE },
	{ "quiet",	 no_argument,		NULL, 'q' },
	{ "resize-factor", required_argument,	NULL, OPT_RESIZE_FACTOR },
	{ "skip",	 required_argument,	NULL, OPT_SKIP },
	{ "space",	 required_argument,	NULL, OPT_SPACE },
	{ "sync-threshold", required_argument,	NULL, OPT_SYNC_THRESHOLD },
	{ "text",	 no_argument,		NULL, OPT_TEXT },
	{ "tmpdir",	 required_argument,	NULL, OPT_TMPDIR },
	{ "version",	 no_argument,		NULL, 'V' },
	{ "wait",	 required_argument,	NULL, OPT_WAIT },
	{ NULL, 0, NULL, 0 }
};

/* ---- showing ---- */

static void
json_purge(struct jsonw *w, const char *key, enum purge p)
{
	if (p == PURGE_OFF || p == PURGE_AUTO)
		json_bool(w, key, p == PURGE_AUTO);
	else
		json_null(w, key);
}

static void
json_store(const struct catalog *c, const struct persist *pd, enum purge p,
    struct buf *b)
{
	struct jsonw w = { .b = b };

	json_open(&w, NULL, '{');
	json_cstr(&w, "type", "store");
	json_cstr(&w, "path", pd->dir);
	json_cstr(&w, "era", c->era.releases);
	json_purge(&w, "automatically_purge", p);
	json_cstr(&w, "automatically_purge_from", p == PURGE_OFF ||
	    p == PURGE_AUTO ? "embeddings_queue_config" : NULL);
	json_close(&w, '}');
	buf_addc(b, '\n');
}

static void
json_collection(const struct collection *col, struct buf *b)
{
	struct jsonw w = { .b = b };

	json_open(&w, NULL, '{');
	json_cstr(&w, "type", "collection");
	json_cstr(&w, "id", col->id);
	json_cstr(&w, "name", col->name);
	json_cstr(&w, "tenant", col->tenant);
	json_cstr(&w, "database", col->database);
	infojson_params(&w, &col->params);
	json_close(&w, '}');
	buf_addc(b, '\n');
}

static void
text_store(const struct catalog *c, const struct persist *pd, enum purge p,
    struct buf *b)
{
	static const char *const word[] = {
		"no such setting here",
		"not set: Chroma sets it when it first uses the log",
		"off (embeddings_queue_config)",
		"auto (embeddings_queue_config)",
	};

	table_heading(b, slice_str(pd->dir));
	table_row(b, "Chroma", "%s", c->era.releases);
	table_row(b, "purge", "%s", word[p]);
}

static void
text_collection(const struct collection *col, struct buf *b)
{
	const struct params *p = &col->params;
	struct buf name = { 0 };
	int i;

	buf_addf(&name, "%s/%s/%s", col->tenant ? col->tenant : "?",
	    col->database ? col->database : "?", col->name);
	table_heading(b, buf_slice(&name));
	buf_release(&name);
	for (i = 0; i < PARAMS; i++) {
		const char *from = param_source_name(p->source[i]);

		if (i == PARAM_SPACE)
			table_row(b, param_name[i], "%s (%s)",
			    space_name(p->space), from);
		else if (i == PARAM_RESIZE_FACTOR)
			table_row(b, param_name[i], "%g (%s)",
			    p->resize_factor, from);
		else if (i == PARAM_NUM_THREADS && !p->value[i])
			table_row(b, param_name[i], "one a core (%s)", from);
		else
			table_row(b, param_name[i], "%" PRId64 " (%s)",
			    p->value[i], from);
	}
}

/* Everything into *b.  0, or -1 with *e set. */
static int
show(const struct config *cf, const char *dir, struct buf *b, struct err *e)
{
	struct persist_options po = opt_persist(cf->wait_set ? cf->wait_s :
	    OPT_WAIT_DEFAULT, cf->tmpdir);
	struct select sel = opt_select(&cf->only, &cf->skip);
	bool text = cf->text || (!cf->jsonl && isatty(STDOUT_FILENO));
	struct persist pd;
	struct catalog c;
	enum purge p;
	size_t i;

	if (persist_open(&pd, dir, &po, e) < 0)
		return -1;
	if (catalog_load(&c, &pd, e) < 0 || select_apply(&c, &sel, e) < 0 ||
	    purge_read(&pd.db, &c.era, &p, e) < 0 || persist_check(&pd, e) < 0)
		return persist_failed(&pd, e);
	if (text)
		text_store(&c, &pd, p, b);
	else
		json_store(&c, &pd, p, b);
	for (i = 0; i < c.n; i++)
		if (!c.collection[i].selected)
			continue;
		else if (text)
			text_collection(&c.collection[i], b);
		else
			json_collection(&c.collection[i], b);
	catalog_release(&c);
	persist_close(&pd);
	return buf_ok(b) ? 0 : err_nomem(e);
}

/* ---- setting ---- */

/* What a run is about to do, and has done, in one directory. */
struct job {
	const struct config *cf;
	struct catalog c;
	enum purge was;
	bool *differs;		/* by collection: something is to be written */
	const char **why;	/* by collection: left out, and this is why;
				 * static; or NULL */
	bool changes;		/* anything at all is to be written */
};

static void
job_release(struct job *j)
{
	catalog_release(&j->c);
	free(j->differs);
	free(j->why);
	j->differs = NULL;
	j->why = NULL;
}

static int64_t
new_value(const struct job *j, const struct collection *col, enum param i)
{
	return j->cf->params.set[i] ? j->cf->params.to.value[i] :
	    col->params.value[i];
}

/* Why the settings are not for this collection, or NULL.  What its Chroma
 * would refuse to open, or has no place for, is not written. */
static const char *
unfit(const struct job *j, const struct collection *col)
{
	const bool *set = j->cf->params.set;
	bool python = !era_integer_watermark(&j->c.era);
	bool schema = col->schema != NULL;
	/* 1.0.0 writes the two that 1.x does not use, 1.0.20 does not; 1.3
	 * does again, into schema_str */
	bool has_batch = python || schema ||
	    col->params.source[PARAM_BATCH_SIZE] == FROM_CONFIG;
	int64_t batch = new_value(j, col, PARAM_BATCH_SIZE);
	int64_t sync = new_value(j, col, PARAM_SYNC_THRESHOLD);

	if (col->ambiguous)
		return col->ambiguous;
	if (set[PARAM_NUM_THREADS] && !python && !schema)
		return "Chroma 1.0 to 1.2 do not use num_threads, and 1.0.0 "
		    "opens no collection that has more than the machine";
	if (set[PARAM_BATCH_SIZE] && !has_batch)
		return "Chroma from 1.0 on does not use batch_size, and this "
		    "collection has no place for it";
	if (python && ((set[PARAM_BATCH_SIZE] && batch < 3) ||
	    (set[PARAM_SYNC_THRESHOLD] && sync < 3)))
		return "Chroma up to 0.6.3 wants batch_size and "
		    "sync_threshold above 2";
	if ((set[PARAM_BATCH_SIZE] || set[PARAM_SYNC_THRESHOLD]) &&
	    has_batch && !schema && batch > sync)
		return "batch_size would be above sync_threshold, which "
		    "Chroma does not open: set both";
	return NULL;
}

/* What is there and what is to be done, without a change.  0, or -1 with *e
 * set; released by the caller either way. */
static int
plan(struct job *j, struct db *db, struct err *e)
{
	const struct config *cf = j->cf;
	struct select sel = opt_select(&cf->only, &cf->skip);
	size_t i;

	if (catalog_load_tables(&j->c, db, e) < 0 ||
	    era_known(&j->c.era, db->name, e) < 0)
		return -1;
	j->differs = calloc(j->c.n + 1, sizeof(*j->differs));
	j->why = calloc(j->c.n + 1, sizeof(*j->why));
	if (!j->differs || !j->why)
		return err_nomem(e);
	if (select_apply(&j->c, &sel, e) < 0 ||
	    purge_read(db, &j->c.era, &j->was, e) < 0)
		return -1;
	/* where it has not been said, Chroma decides by the state of the log:
	 * so a row is written even if it says what Chroma would */
	j->changes = cf->set_purge && j->was != cf->purge;
	for (i = 0; cf->set_params && i < j->c.n; i++) {
		const struct collection *col = &j->c.collection[i];

		if (!col->selected)
			continue;
		j->why[i] = unfit(j, col);
		if (!j->why[i] && paramset_differs(db, &j->c, col, &cf->params,
		    &j->differs[i], e) < 0)
			return err_in(e, err_tail(db->name));
		j->changes |= j->differs[i];
	}
	return 0;
}

static void
no_such_setting(const struct job *j, const char *dir)
{
	if (j->cf->set_purge && j->was == PURGE_NO_TABLE)
		prog_die(STATUS_NO, "%s: a Chroma before 0.5.6 has no setting "
		    "for this, and purges nothing by itself: nothing is changed",
		    err_tail(dir));
}

/* The plan, read beside whoever has it open.  0, or -1 with *e set: then a
 * claim may do it, or say why not. */
static int
peek(struct job *j, const char *dir, struct err *e)
{
	struct persist_options po = opt_persist(j->cf->wait_s, j->cf->tmpdir);
	struct persist pd;
	int r;

	if (persist_open(&pd, dir, &po, e) < 0)
		return -1;
	r = plan(j, &pd.db, e);
	r = r < 0 ? persist_failed(&pd, e) : persist_check(&pd, e);
	persist_close(&pd);
	return r;
}

static int
write_all(struct job *j, struct claim *c, struct err *e)
{
	struct db *db = &c->pd.db;
	size_t i;

	if (db_exec(db, "BEGIN", e) < 0)
		return -1;
	for (i = 0; i < j->c.n; i++)
		if (j->differs[i] && paramset_write(db, &j->c,
		    &j->c.collection[i], &j->cf->params, e) < 0)
			return -1;
	if (j->cf->set_purge && j->was != j->cf->purge &&
	    purge_write(db, &j->c.era, j->cf->purge, e) < 0)
		return -1;
	return claim_look(c, e) < 0 ? -1 : db_exec(db, "COMMIT", e);
}

static int
set(struct job *j, const char *dir, struct err *e)
{
	const struct config *cf = j->cf;
	const struct claim_options co = { .wait_ms = (int)cf->wait_s * 1000,
	    .assume_stopped = cf->assume_stopped };
	struct claim c;
	int r = peek(j, dir, e);

	if (r == 0)
		no_such_setting(j, dir);
	if (cf->dry_run || (r == 0 && !j->changes) ||
	    (r < 0 && e->status == STATUS_USAGE))
		return r;
	job_release(j);
	if (claim_open(&c, dir, &co, e) < 0)
		return -1;
	r = plan(j, &c.pd.db, e);
	if (r == 0)
		no_such_setting(j, dir);
	if (r == 0 && j->changes)
		r = write_all(j, &c, e);
	claim_close(&c);
	return r;
}

static void
json_value(struct jsonw *w, const char *key, const struct params *p,
    enum param i)
{
	if (i == PARAM_RESIZE_FACTOR)
		json_double(w, key, p->resize_factor);
	else if (i == PARAM_NUM_THREADS && !p->value[i])
		json_null(w, key);		/* one a core */
	else
		json_int(w, key, p->value[i]);
}

static void
json_result(struct jsonw *w, const struct job *j, size_t n)
{
	const struct collection *col = &j->c.collection[n];
	int i;

	json_open(w, NULL, '{');
	json_cstr(w, "id", col->id);
	json_cstr(w, "name", col->name);
	json_cstr(w, "tenant", col->tenant);
	json_cstr(w, "database", col->database);
	json_bool(w, "changed", j->differs[n]);
	for (i = 0; !j->why[n] && i < PARAMS; i++) {
		if (!j->cf->params.set[i])
			continue;
		json_open(w, param_name[i], '{');
		json_value(w, "before", &col->params, (enum param)i);
		json_value(w, "after", &j->cf->params.to, (enum param)i);
		json_close(w, '}');
	}
	if (j->why[n])
		json_cstr(w, "why", j->why[n]);
	json_close(w, '}');
}

static void
fill_receipt(struct jsonw *w, const struct job *j, const char *dir)
{
	const struct config *cf = j->cf;
	size_t i;

	json_cstr(w, "dir", dir);
	if (cf->dry_run)
		json_bool(w, "dry_run", true);
	json_bool(w, "changed", j->changes);
	if (cf->set_purge) {
		json_open(w, "automatically_purge", '{');
		json_purge(w, "before", j->was);
		json_purge(w, "after", cf->purge);
		json_close(w, '}');
	}
	if (!cf->set_params)
		return;
	json_open(w, "collections", '[');
	for (i = 0; i < j->c.n; i++)
		if (j->c.collection[i].selected)
			json_result(w, j, i);
	json_close(w, ']');
}

/* STATUS_OK, STATUS_NO if a collection was left out; -1 with *e set. */
static int
run_set(const struct config *cf, const char *dir, struct err *e)
{
	struct job j = { .cf = cf };
	struct receipt r;
	int status = STATUS_OK;
	size_t i;

	receipt_start(&r);
	if (set(&j, dir, e) < 0) {
		job_release(&j);
		return -1;
	}
	for (i = 0; i < j.c.n; i++)
		if (j.why[i]) {
			prog_warn("%s: left out: %s", j.c.collection[i].name,
			    j.why[i]);
			status = STATUS_NO;
		}
	fill_receipt(&r.w, &j, dir);
	if (cf->quiet)
		buf_release(&r.buf);
	else if (receipt_print(&r, e) < 0)
		status = !j.changes || cf->dry_run ? -1 : err_in(e, "the "
		    "settings are changed, but not all of the receipt was "
		    "written");
	job_release(&j);
	return status;
}

/* ---- */

static void
take_purge(struct config *cf, const char *arg)
{
	cf->set_purge = true;
	if (strcmp(arg, "auto") == 0)
		cf->purge = PURGE_AUTO;
	else if (strcmp(arg, "off") == 0)
		cf->purge = PURGE_OFF;
	else
		prog_usage("--purge: '%s' is neither auto nor off", arg);
}

static void
take_number(struct config *cf, enum param i, const char *option, uint64_t min,
    const char *arg)
{
	cf->set_params = cf->params.set[i] = true;
	cf->params.to.value[i] = (int64_t)opt_u64(option, arg, min, INT32_MAX);
}

#define RESIZE_MAX 100

static void
take_factor(struct config *cf, const char *arg)
{
	double *v = &cf->params.to.resize_factor;

	cf->set_params = cf->params.set[PARAM_RESIZE_FACTOR] = true;
	if (f64_parse(arg, strlen(arg), v) < 0 || !(*v >= 1) ||
	    *v > RESIZE_MAX)
		prog_usage("--resize-factor: '%s' is not a number from 1 to "
		    "%d", arg, RESIZE_MAX);
}

/* What is part of the index is not changed here: by which command it is. */
ATTR_NORETURN
static void
refuse_built(const struct config *cf, const char *option, const char *arg,
    const char *dir)
{
	struct buf b = { 0 };
	size_t i;

	for (i = 0; i < cf->only.n; i++)
		buf_addf(&b, " -c %s", cf->only.word[i]);
	for (i = 0; i < cf->skip.n; i++)
		buf_addf(&b, " --skip=%s", cf->skip.word[i]);
	prog_usage("%s is part of the index, which has to be built anew: "
	    "chroma-rebuild %s=%s%s %s", option, option, arg, buf_str(&b),
	    dir ? dir : "DIR");
}

static bool
take_param(struct config *cf, int ch, const char *arg)
{
	switch (ch) {
	case OPT_BATCH_SIZE:
		take_number(cf, PARAM_BATCH_SIZE, "--batch-size", 2, arg);
		return true;
	case OPT_EF_SEARCH:
		take_number(cf, PARAM_EF_SEARCH, "--ef-search", 1, arg);
		return true;
	case OPT_NUM_THREADS:
		take_number(cf, PARAM_NUM_THREADS, "--num-threads", 1, arg);
		return true;
	case OPT_SYNC_THRESHOLD:
		take_number(cf, PARAM_SYNC_THRESHOLD, "--sync-threshold", 2,
		    arg);
		return true;
	case OPT_RESIZE_FACTOR:
		take_factor(cf, arg);
		return true;
	default:
		return false;
	}
}

static void
check_usage(const struct config *cf, int argc)
{
	bool set = cf->set_purge || cf->set_params;

	if (cf->text && cf->jsonl)
		opt_conflict("--text", "--jsonl");
	if (cf->set_purge && !cf->set_params && cf->only.n)
		opt_conflict("--purge", "--collection");
	if (cf->set_purge && !cf->set_params && cf->skip.n)
		opt_conflict("--purge", "--skip");
	if (cf->set_purge && cf->text)
		opt_conflict("--purge", "--text");
	if (set && cf->text)
		prog_usage("--text is for showing: what is set gives a "
		    "receipt");
	if (!set && cf->dry_run)
		prog_usage("--dry-run: nothing is to be set");
	if (argc - optind != 1)
		prog_usage(argc > optind ? "one DIR at a time" : "no DIR "
		    "given: the persist dir, the one with chroma.sqlite3 in "
		    "it");
}

static void
parse(struct config *cf, int argc, char *argv[])
{
	const char *built = NULL, *value = NULL;
	int ch;

	while ((ch = getopt_long(argc, argv, ":c:hjnqV", longopts,
	    NULL)) != -1)
		switch (ch) {
		case 'c': opt_add(&cf->only, "--collection", optarg); break;
		case 'h': exit(prog_help(usage_text));
		case 'j': cf->jsonl = true; break;
		case 'n': cf->dry_run = true; break;
		case 'q': prog_quiet(); cf->quiet = true; break;
		case 'V': exit(prog_version());
		case OPT_ASSUME_STOPPED: cf->assume_stopped = true; break;
		case OPT_M: built = "--M"; value = optarg; break;
		case OPT_EF_CONSTRUCTION:
			built = "--ef-construction";
			value = optarg;
			break;
		case OPT_SPACE: built = "--space"; value = optarg; break;
		case OPT_PURGE: take_purge(cf, optarg); break;
		case OPT_SKIP: opt_add(&cf->skip, "--skip", optarg); break;
		case OPT_TEXT: cf->text = true; break;
		case OPT_TMPDIR: cf->tmpdir = optarg; break;
		case OPT_WAIT:
			cf->wait_s = opt_u64("--wait", optarg, 0,
			    OPT_WAIT_MAX);
			cf->wait_set = true;
			break;
		default:
			if (!take_param(cf, ch, optarg))
				opt_bad(ch, argv);
		}
	if (built)
		refuse_built(cf, built, value, argv[optind]);
	check_usage(cf, argc);
}

int
main(int argc, char *argv[])
{
	struct config cf = { 0 };
	struct err e = { 0 };
	struct buf b = { 0 };
	struct out out;
	int status;

	prog_start(argv[0]);
	parse(&cf, argc, argv);
	if (cf.set_purge || cf.set_params) {
		status = run_set(&cf, argv[optind], &e);
		if (status < 0)
			prog_fail(&e);
		return status;
	}
	if (show(&cf, argv[optind], &b, &e) < 0 ||
	    out_stdout(&out, 0, &e) < 0 ||
	    out_write(&out, b.p, b.len, &e) < 0 || out_close(&out, &e) < 0)
		prog_fail(&e);
	return STATUS_OK;
}
