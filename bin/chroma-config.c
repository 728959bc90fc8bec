/* SPDX-License-Identifier: Apache-2.0 */
/* chroma-config - show the settings of a Chroma directory, and set them
 *
 * In: a persist dir.  Out: the settings in force and where each comes from, as
 * text for people or as JSONL (nothing changes); with --purge a receipt.
 * Memory: some KiB a collection.
 * See chroma-config(1).
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chroma/claim.h"
#include "chroma/purge.h"
#include "prog/infojson.h"
#include "prog/opt.h"
#include "prog/prog.h"
#include "prog/receipt.h"
#include "prog/table.h"

struct config {
	struct opt_list only, skip;
	bool text, jsonl;	/* neither: by what standard output is */
	bool set;		/* --purge was given */
	enum purge purge;
	bool assume_stopped, quiet;
	bool wait_set;
	uint64_t wait_s;
	const char *tmpdir;
};

static const char usage_text[] =
"usage: chroma-config [options] DIR\n"
"Show the settings of a Chroma directory and where each comes from; with\n"
"--purge, set one, for which Chroma must be stopped.\n"
"\n"
"      --assume-stopped   where it cannot be told whether somebody has DIR\n"
"                         open: nobody has\n"
"  -c, --collection=NAME  only this collection (repeatable): NAME,\n"
"                         TENANT/DATABASE/NAME or a UUID\n"
"  -h, --help             print this text\n"
"  -j, --jsonl            write JSONL (the default on a pipe)\n"
"      --purge=HOW        whether Chroma purges its log: auto, off\n"
"  -q, --quiet            no warnings, no receipt\n"
"      --skip=NAME        all but this collection (repeatable)\n"
"      --text             write text (the default on a terminal)\n"
"      --tmpdir=DIR       where a private copy may go; recovers a hot journal\n"
"  -V, --version          print the version\n"
"      --wait=SECONDS     how long others may take to let go (default 10 to\n"
"                         read, 0 to change)\n";

static const struct option longopts[] = {
	{ "assume-stopped", no_argument,	NULL, OPT_ASSUME_STOPPED },
	{ "collection",	 required_argument,	NULL, 'c' },
	{ "help",	 no_argument,		NULL, 'h' },
	{ "jsonl",	 no_argument,		NULL, 'j' },
	{ "purge",	 required_argument,	NULL, OPT_PURGE },
	{ "quiet",	 no_argument,		NULL, 'q' },
	{ "skip",	 required_argument,	NULL, OPT_SKIP },
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

static int
read_setting(struct db *db, struct era *era, enum purge *p, struct err *e)
{
	return era_read(era, db, e) < 0 || purge_read(db, era, p, e) < 0 ?
	    -1 : 0;
}

/* What is set now, without a claim; false if that cannot be read so: a claim
 * may do it, or say why not. */
static bool
peek(const struct config *cf, const char *dir, struct era *era, enum purge *p)
{
	struct persist_options po = opt_persist(cf->wait_s, cf->tmpdir);
	struct persist pd;
	struct err ignored;
	bool ok;

	if (persist_open(&pd, dir, &po, &ignored) < 0)
		return false;
	ok = read_setting(&pd.db, era, p, &ignored) == 0 &&
	    persist_check(&pd, &ignored) == 0;
	persist_close(&pd);
	return ok;
}

static int
change(struct claim *c, const struct config *cf, enum purge *was,
    struct err *e)
{
	struct db *db = &c->pd.db;
	struct era era;

	if (read_setting(db, &era, was, e) < 0)
		return -1;
	if (era.unknown[0])
		return err_data(e, "%s: migrations that this program does not "
		    "know (%s): nothing is changed", err_tail(c->pd.file),
		    era.unknown);
	if (*was == cf->purge || *was == PURGE_NO_TABLE)
		return 0;
	return db_exec(db, "BEGIN", e) < 0 ||
	    purge_write(db, &era, cf->purge, e) < 0 || claim_look(c, e) < 0 ||
	    db_exec(db, "COMMIT", e) < 0 ? -1 : 0;
}

/* Chroma decides it by the log's state where it has not been said: so a row is
 * written even if it says what Chroma would. */
static int
set(const struct config *cf, const char *dir, enum purge *was, struct err *e)
{
	const struct claim_options co = { .wait_ms = (int)cf->wait_s * 1000,
	    .assume_stopped = cf->assume_stopped };
	struct claim c;
	struct era era;
	int r;

	if (peek(cf, dir, &era, was) &&
	    (*was == cf->purge || *was == PURGE_NO_TABLE))
		return 0;
	if (claim_open(&c, dir, &co, e) < 0)
		return -1;
	r = change(&c, cf, was, e);
	claim_close(&c);
	return r;
}

static int
run_set(const struct config *cf, const char *dir, struct err *e)
{
	struct receipt r;
	enum purge was;

	receipt_start(&r);
	if (set(cf, dir, &was, e) < 0)
		return -1;
	if (was == PURGE_NO_TABLE)
		prog_die(STATUS_NO, "%s: a Chroma before 0.5.6 has no setting "
		    "for this, and purges nothing by itself: nothing is changed",
		    err_tail(dir));
	if (cf->quiet)
		return 0;
	json_cstr(&r.w, "dir", dir);
	json_bool(&r.w, "changed", was != cf->purge);
	json_open(&r.w, "automatically_purge", '{');
	json_purge(&r.w, "before", was);
	json_purge(&r.w, "after", cf->purge);
	json_close(&r.w, '}');
	if (receipt_print(&r, e) < 0)
		return was == cf->purge ? -1 : err_in(e, "the setting is "
		    "changed, but not all of the receipt was written");
	return 0;
}

/* ---- */

static void
take_purge(struct config *cf, const char *arg)
{
	cf->set = true;
	if (strcmp(arg, "auto") == 0)
		cf->purge = PURGE_AUTO;
	else if (strcmp(arg, "off") == 0)
		cf->purge = PURGE_OFF;
	else
		prog_usage("--purge: '%s' is neither auto nor off", arg);
}

static void
parse(struct config *cf, int argc, char *argv[])
{
	int ch;

	while ((ch = getopt_long(argc, argv, ":c:hjqV", longopts, NULL)) != -1)
		switch (ch) {
		case 'c': opt_add(&cf->only, "--collection", optarg); break;
		case 'h': exit(prog_help(usage_text));
		case 'j': cf->jsonl = true; break;
		case 'q': prog_quiet(); cf->quiet = true; break;
		case 'V': exit(prog_version());
		case OPT_ASSUME_STOPPED: cf->assume_stopped = true; break;
		case OPT_PURGE: take_purge(cf, optarg); break;
		case OPT_SKIP: opt_add(&cf->skip, "--skip", optarg); break;
		case OPT_TEXT: cf->text = true; break;
		case OPT_TMPDIR: cf->tmpdir = optarg; break;
		case OPT_WAIT:
			cf->wait_s = opt_u64("--wait", optarg, 0,
			    OPT_WAIT_MAX);
			cf->wait_set = true;
			break;
		default: opt_bad(ch, argv);
		}
	if (cf->text && cf->jsonl)
		opt_conflict("--text", "--jsonl");
	if (cf->set && cf->only.n)
		opt_conflict("--purge", "--collection");
	if (cf->set && cf->skip.n)
		opt_conflict("--purge", "--skip");
	if (cf->set && cf->text)
		opt_conflict("--purge", "--text");
	if (argc - optind != 1)
		prog_usage(argc > optind ? "one DIR at a time" : "no DIR "
		    "given: the persist dir, the one with chroma.sqlite3 in "
		    "it");
}

int
main(int argc, char *argv[])
{
	struct config cf = { 0 };
	struct err e = { 0 };
	struct buf b = { 0 };
	struct out out;

	prog_start(argv[0]);
	parse(&cf, argc, argv);
	if (cf.set) {
		if (run_set(&cf, argv[optind], &e) < 0)
			prog_fail(&e);
		return STATUS_OK;
	}
	if (show(&cf, argv[optind], &b, &e) < 0 ||
	    out_stdout(&out, 0, &e) < 0 ||
	    out_write(&out, b.p, b.len, &e) < 0 || out_close(&out, &e) < 0)
		prog_fail(&e);
	return STATUS_OK;
}
