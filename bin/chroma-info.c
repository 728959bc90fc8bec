/* SPDX-License-Identifier: Apache-2.0 */
/* chroma-info - show what a Chroma directory holds and how it fares
 *
 * In: a persist dir, of which nothing changes.  Out: text for people, or
 * JSONL: one object for the store, one for each collection.
 * Memory: some KiB a collection; with --deep 20 bytes an element.
 * See chroma-info(1).
 */
#include <getopt.h>
#include <stdbool.h>
#include <unistd.h>

#include "chroma/survey.h"
#include "prog/infojson.h"
#include "prog/infotext.h"
#include "prog/opt.h"
#include "prog/prog.h"

struct config {
	struct opt_list only, skip;
	enum survey_effort effort;
	bool text, jsonl;	/* neither: by what standard output is */
	bool privacy;		/* no paths, names, metadata */
	uint64_t wait_s;
	const char *tmpdir;
};

static const char usage_text[] =
"usage: chroma-info [options] DIR\n"
"Show what a Chroma directory holds and how it fares.\n"
"\n"
"  -c, --collection=NAME  only this collection (repeatable): NAME,\n"
"                         TENANT/DATABASE/NAME or a UUID\n"
"      --deep             look at every label, link and vector\n"
"  -h, --help             print this text\n"
"  -j, --jsonl            write JSONL (the default on a pipe)\n"
"      --privacy          leave out paths, names and metadata\n"
"      --quick            count nothing: only system tables and headers\n"
"  -q, --quiet            no warnings\n"
"      --skip=NAME        all but this collection (repeatable)\n"
"      --text             write text (the default on a terminal)\n"
"      --tmpdir=DIR       where a private copy may go; recovers a hot journal\n"
"  -V, --version          print the version\n"
"      --wait=SECONDS     how long to wait for a lock (default 10)\n";

static const struct option longopts[] = {
	{ "collection",	 required_argument,	NULL, 'c' },
	{ "deep",	 no_argument,		NULL, OPT_DEEP },
	{ "help",	 no_argument,		NULL, 'h' },
	{ "jsonl",	 no_argument,		NULL, 'j' },
	{ "privacy",	 no_argument,		NULL, OPT_PRIVACY },
	{ "quick",	 no_argument,		NULL, OPT_QUICK },
	{ "quiet",	 no_argument,		NULL, 'q' },
	{ "skip",	 required_argument,	NULL, OPT_SKIP },
	{ "text",	 no_argument,		NULL, OPT_TEXT },
	{ "tmpdir",	 required_argument,	NULL, OPT_TMPDIR },
	{ "version",	 no_argument,		NULL, 'V' },
	{ "wait",	 required_argument,	NULL, OPT_WAIT },
	{ NULL, 0, NULL, 0 }
};

/* Everything into *b.  0, or -1 with *e set. */
static int
render(const struct config *cf, const struct survey *s, struct persist *pd,
    struct buf *b, struct err *e)
{
	bool text = cf->text || (!cf->jsonl && isatty(STDOUT_FILENO));
	struct buf metadata = { 0 };
	size_t i;
	int r = 0;

	if (text)
		infotext_store(cf->privacy, s, pd, b);
	else
		infojson_store(cf->privacy, s, pd, b);
	for (i = 0; i < s->n && r == 0; i++) {
		const struct survey_collection *sc = &s->collection[i];

		buf_reset(&metadata);
		r = catalog_metadata(s->catalog, &pd->db, sc->col, cf->privacy,
		    &metadata, e);
		if (text)
			infotext_collection(cf->privacy, sc,
			    buf_slice(&metadata), b);
		else
			infojson_collection(cf->privacy, sc,
			    buf_slice(&metadata), b);
	}
	buf_release(&metadata);
	return r == 0 && !buf_ok(b) ? err_nomem(e) : r;
}

static int
run(const struct config *cf, const char *dir, struct buf *b, struct err *e)
{
	struct persist_options po = opt_persist(cf->wait_s, cf->tmpdir);
	struct select sel = opt_select(&cf->only, &cf->skip);
	struct persist pd;
	struct catalog c;
	struct survey s;

	if (persist_open(&pd, dir, &po, e) < 0)
		return -1;
	if (db_map(&pd.db, true, e) < 0 || catalog_load(&c, &pd, e) < 0 || select_apply(&c, &sel, e) < 0 ||
	    survey(&s, &c, &pd, cf->effort, e) < 0 ||
	    render(cf, &s, &pd, b, e) < 0 || persist_check(&pd, e) < 0)
		return persist_failed(&pd, e);
	survey_release(&s);
	catalog_release(&c);
	persist_close(&pd);
	return 0;
}

static void
take_effort(struct config *cf, enum survey_effort effort)
{
	if (cf->effort != SURVEY_NORMAL && cf->effort != effort)
		opt_conflict("--quick", "--deep");
	cf->effort = effort;
}

int
main(int argc, char *argv[])
{
	struct config cf = { .effort = SURVEY_NORMAL,
	    .wait_s = OPT_WAIT_DEFAULT };
	struct err e = { 0 };
	struct buf b = { 0 };
	struct out out;
	int ch;

	prog_start(argv[0]);
	while ((ch = getopt_long(argc, argv, ":c:hjqV", longopts, NULL)) != -1)
		switch (ch) {
		case 'c': opt_add(&cf.only, "--collection", optarg); break;
		case 'h': return prog_help(usage_text);
		case 'j': cf.jsonl = true; break;
		case 'q': prog_quiet(); break;
		case 'V': return prog_version();
		case OPT_DEEP: take_effort(&cf, SURVEY_DEEP); break;
		case OPT_PRIVACY: cf.privacy = true; break;
		case OPT_QUICK: take_effort(&cf, SURVEY_QUICK); break;
		case OPT_SKIP: opt_add(&cf.skip, "--skip", optarg); break;
		case OPT_TEXT: cf.text = true; break;
		case OPT_TMPDIR: cf.tmpdir = optarg; break;
		case OPT_WAIT:
			cf.wait_s = opt_u64("--wait", optarg, 0, OPT_WAIT_MAX);
			break;
		default: opt_bad(ch, argv);
		}
	if (cf.text && cf.jsonl)
		opt_conflict("--text", "--jsonl");
	if (argc - optind != 1)
		prog_usage(argc > optind ? "one DIR at a time" : "no DIR "
		    "given: the persist dir, the one with chroma.sqlite3 in "
		    "it");
	if (run(&cf, argv[optind], &b, &e) < 0 ||
	    out_stdout(&out, 0, &e) < 0 ||
	    out_write(&out, b.p, b.len, &e) < 0 || out_close(&out, &e) < 0)
		prog_fail(&e);
	return STATUS_OK;
}
