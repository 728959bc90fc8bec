/* SPDX-License-Identifier: Apache-2.0 */
/* chroma-snap - snapshots of collections: carve, graft, verify, list
 *
 * In: a persist dir (carve), or a snapshot (the others).  Out: a snapshot, a
 * persist dir that is changed or made (graft), or what a snapshot holds.
 * Memory: that of chroma/carve.h and chroma/unpack.h.  Disk: the database of
 * the snapshot (carve), all of it unpacked (graft, verify).
 * See chroma-snap(1), chroma-snapshot(5).
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/dirnew.h"
#include "chroma/carve.h"
#include "chroma/graft.h"
#include "chroma/snapwrite.h"
#include "chroma/still.h"
#include "chroma/textindex.h"
#include "chroma/unpack.h"
#include "prog/opt.h"
#include "prog/prog.h"
#include "prog/progress.h"
#include "prog/receipt.h"
#include "prog/snapreport.h"
#include "prog/table.h"

enum { CARVE = 1, GRAFT = 2, VERIFY = 4, LIST = 8 };

struct config {
	unsigned command;
	struct opt_list only, skip;
	const char *as, *tenant, *database, *space, *backup, *file, *output,
	    *tmpdir;
	bool assume_stopped, create, dry_run, force, jsonl, no_backup, quick,
	    quiet, replace, text, wait_set, whole_log;
	uint64_t wait_s;
	unsigned threads;
	int zstd;			/* level; 0: none */
	enum progress_mode progress;
	char *const *arg;		/* behind the options */
	int args;
};

static const char usage_text[] =
"usage: chroma-snap carve [options] DIR >SNAPSHOT\n"
"       chroma-snap graft [options] DIR [SNAPSHOT]\n"
"       chroma-snap verify [options] [SNAPSHOT...]\n"
"       chroma-snap list [options] [SNAPSHOT...]\n"
"Snapshots: carve collections out of a Chroma directory into a tar stream, graft\n"
"them into the same or another one, check and list what a snapshot holds.\n"
"'chroma-snap COMMAND --help' shows the options of that command.\n"
"\n"
"      --as=NAME          graft: the name that the one collection gets\n"
"      --assume-stopped   graft: where it cannot be told whether somebody has\n"
"                         DIR open: nobody has\n"
"      --backup=FILE      graft --replace: first carve what is replaced into FILE\n"
"  -c, --collection=NAME  carve, graft: only this collection (repeatable): NAME,\n"
"                         TENANT/DATABASE/NAME or a UUID\n"
"      --create           graft: make the database and the tenant if missing\n"
"      --database=NAME    graft: into this database\n"
"  -n, --dry-run          carve, graft: say what would be done, and stop\n"
"  -f, --file=FILE        carve: write FILE, which appears whole\n"
"      --force            carve: replace FILE if it exists\n"
"  -h, --help             print this text\n"
"  -j, --jsonl            list: write JSONL (the default on a pipe)\n"
"      --log=WHICH        carve: rows of the log: tail (default), what is still\n"
"                         needed, or all\n"
"      --no-backup        graft --replace: keep nothing of what is replaced\n"
"  -o, --output=DIR2      carve: write a persist dir, which does not exist\n"
"      --progress         show progress even where it is not a terminal\n"
"      --quick            verify: only the stream and its manifest\n"
"  -q, --quiet            no warnings, no progress, no receipt\n"
"      --replace          graft: replace collections of the same name\n"
"      --skip=NAME        carve, graft: all but this collection (repeatable)\n"
"      --space=SPACE      graft: l2, ip or cosine, which a snapshot of chops may\n"
"                         not say\n"
"      --tenant=NAME      graft: into this tenant\n"
"      --text             write text for people\n"
"      --threads=N        carve: threads that compress\n"
"      --tmpdir=DIR       where temporary files go\n"
"  -V, --version          print the version\n"
"      --wait=SECONDS     carve: how long to wait for a lock (default 10);\n"
"                         graft: how long others may take to let go of DIR\n"
"                         (default 0)\n"
"  -z, --zstd[=LEVEL]     carve: compress (level 1)\n";

static const char carve_text[] =
"usage: chroma-snap carve [options] DIR >SNAPSHOT\n"
"       chroma-snap carve [options] -f FILE DIR\n"
"       chroma-snap carve [options] -o DIR2 DIR\n"
"Write collections of a Chroma directory as a snapshot: a tar stream that\n"
"unpacks to a directory of its own.  Chroma may be running.\n"
"\n"
"  -c, --collection=NAME  only this collection (repeatable): NAME,\n"
"                         TENANT/DATABASE/NAME or a UUID\n"
"  -n, --dry-run          say what would be written, and stop\n"
"  -f, --file=FILE        write FILE, which appears whole\n"
"      --force            replace FILE if it exists; write to a terminal\n"
"  -h, --help             print this text\n"
"      --log=WHICH        rows of the log: tail (default), what is still needed,\n"
"                         or all\n"
"  -o, --output=DIR2      write a persist dir, which does not exist\n"
"      --progress         show progress even where it is not a terminal\n"
"  -q, --quiet            no warnings, no progress, no receipt\n"
"      --skip=NAME        all but this collection (repeatable)\n"
"      --text             the receipt as text for people\n"
"      --threads=N        threads that compress\n"
"      --tmpdir=DIR       where the database of the snapshot is made\n"
"  -V, --version          print the version\n"
"      --wait=SECONDS     how long to wait for a lock (default 10)\n"
"  -z, --zstd[=LEVEL]     compress (level 1)\n";

static const char graft_text[] =
"usage: chroma-snap graft [options] DIR [SNAPSHOT]\n"
"Put the collections of a snapshot into a Chroma directory, in one moment, or\n"
"make the directory of them, if it is absent or empty.  Chroma must be stopped.\n"
"\n"
"      --as=NAME          the name that the one collection gets\n"
"      --assume-stopped   where it cannot be told whether somebody has DIR\n"
"                         open: nobody has\n"
"      --backup=FILE      with --replace: first carve what is replaced into FILE\n"
"  -c, --collection=NAME  only this collection of the snapshot (repeatable):\n"
"                         NAME, TENANT/DATABASE/NAME or a UUID\n"
"      --create           make the database and the tenant if they are missing\n"
"      --database=NAME    into this database\n"
"  -n, --dry-run          change nothing: say what would be done\n"
"  -h, --help             print this text\n"
"      --no-backup        with --replace: keep nothing of what is replaced\n"
"      --progress         show progress even where it is not a terminal\n"
"  -q, --quiet            no warnings, no progress, no receipt\n"
"      --replace          replace collections of the same name\n"
"      --skip=NAME        all but this collection (repeatable)\n"
"      --space=SPACE      l2, ip or cosine, for a snapshot of chops that does not\n"
"                         say it\n"
"      --tenant=NAME      into this tenant\n"
"      --text             the receipt as text for people\n"
"      --tmpdir=DIR       where temporary files go\n"
"  -V, --version          print the version\n"
"      --wait=SECONDS     how long others may take to let go of DIR\n"
"                         (default 0)\n";

static const char verify_text[] =
"usage: chroma-snap verify [options] [SNAPSHOT...]\n"
"Check snapshots, as graft does, and graft nothing.\n"
"\n"
"  -h, --help             print this text\n"
"      --progress         show progress even where it is not a terminal\n"
"      --quick            only the stream and its manifest: unpack nothing\n"
"  -q, --quiet            no warnings, no progress, no result but the status\n"
"      --text             the result as text for people\n"
"      --tmpdir=DIR       where snapshots are unpacked, one at a time\n"
"  -V, --version          print the version\n";

static const char list_text[] =
"usage: chroma-snap list [options] [SNAPSHOT...]\n"
"List the collections of snapshots.\n"
"\n"
"  -h, --help             print this text\n"
"  -j, --jsonl            write JSONL (the default on a pipe)\n"
"  -q, --quiet            no warnings\n"
"      --text             write text (the default on a terminal)\n"
"      --tmpdir=DIR       where a snapshot made by chops is unpacked\n"
"  -V, --version          print the version\n";

static const struct command {
	const char *name, *usage;
	unsigned bit;
} commands[] = {
	{ "carve", carve_text, CARVE }, { "graft", graft_text, GRAFT },
	{ "verify", verify_text, VERIFY }, { "list", list_text, LIST },
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct option longopts[] = {
	{ "as",		 required_argument,	NULL, OPT_AS },
	{ "assume-stopped", no_argument,	NULL, OPT_ASSUME_STOPPED },
	{ "backup",	 required_argument,	NULL, OPT_BACKUP },
	{ "collection",	 required_argument,	NULL, 'c' },
	{ "create",	 no_argument,		NULL, OPT_CREATE },
	{ "database",	 required_argument,	NULL, OPT_DATABASE },
	{ "dry-run",	 no_argument,		NULL, 'n' },
	{ "file",	 required_argument,	NULL, 'f' },
	{ "force",	 no_argument,		NULL, OPT_FORCE },
	{ "help",	 no_argument,		NULL, 'h' },
	{ "jsonl",	 no_argument,		NULL, 'j' },
	{ "log",	 required_argument,	NULL, OPT_LOG },
	{ "no-backup",	 no_argument,		NULL, OPT_NO_BACKUP },
	{ "output",	 required_argument,	NULL, 'o' },
	{ "progress",	 no_argument,		NULL, OPT_PROGRESS },
	{ "quick",	 no_argument,		NULL, OPT_QUICK },
	{ "quiet",	 no_argument,		NULL, 'q' },
	{ "replace",	 no_argument,		NULL, OPT_REPLACE },
	{ "skip",	 required_argument,	NULL, OPT_SKIP },
	{ "space",	 required_argument,	NULL, OPT_SPACE },
	{ "tenant",	 required_argument,	NULL, OPT_TENANT },
	{ "text",	 no_argument,		NULL, OPT_TEXT },
	{ "threads",	 required_argument,	NULL, OPT_THREADS },
	{ "tmpdir",	 required_argument,	NULL, OPT_TMPDIR },
	{ "version",	 no_argument,		NULL, 'V' },
	{ "wait",	 required_argument,	NULL, OPT_WAIT },
	{ "zstd",	 optional_argument,	NULL, 'z' },
	{ NULL, 0, NULL, 0 }
};

/* Options that not every command has. */
static const struct {
	int option;
	unsigned commands;
} some[] = {
	{ OPT_AS, GRAFT }, { OPT_ASSUME_STOPPED, GRAFT }, { OPT_BACKUP, GRAFT },
	{ 'c', CARVE | GRAFT }, { OPT_CREATE, GRAFT }, { OPT_DATABASE, GRAFT },
	{ 'n', CARVE | GRAFT }, { 'f', CARVE }, { OPT_FORCE, CARVE },
	{ 'j', LIST }, { OPT_LOG, CARVE }, { OPT_NO_BACKUP, GRAFT },
	{ 'o', CARVE }, { OPT_PROGRESS, CARVE | GRAFT | VERIFY },
	{ OPT_QUICK, VERIFY }, { OPT_REPLACE, GRAFT },
	{ OPT_SKIP, CARVE | GRAFT }, { OPT_SPACE, GRAFT },
	{ OPT_TENANT, GRAFT }, { OPT_THREADS, CARVE }, { OPT_WAIT, CARVE | GRAFT }, { 'z', CARVE },
};

/* ---- carve ---- */

struct carving {
	struct still still;
	struct carve plan;
	struct snapwrite write;
	uint64_t written;		/* bytes of the file */
};

static void
warn_notes(const struct carving *c)
{
	size_t i;

	for (i = 0; i < c->still.catalog.n; i++)
		if (c->plan.of[i].note.len)
			prog_warn("collection %s: %s; its whole log goes along",
			    c->still.catalog.collection[i].name,
			    buf_str(&c->plan.of[i].note));
}

static void
done_database(void *arg)
{
	struct carving *c = arg;

	still_unlock(&c->still);
}

static int
done_reading(void *arg, struct err *e)
{
	struct carving *c = arg;

	warn_notes(c);
	return still_done(&c->still, e);
}

static int
open_output(const struct config *cf, struct out *out, struct err *e)
{
	if ((cf->file ? out_file(out, cf->file, cf->force, cf->zstd, e) :
	    out_stdout(out, cf->zstd, e)) < 0)
		return -1;
	if (cf->zstd && out_threads(out, cf->threads, e) < 0) {
		out_abort(out);
		return -1;
	}
	return 0;
}

static int
carve_stream(const struct config *cf, struct carving *c, struct err *e)
{
	struct out out;

	if (open_output(cf, &out, e) < 0)
		return -1;
	if (snapwrite(&c->write, &out, e) < 0) {
		out_abort(&out);
		return -1;
	}
	if (out_close(&out, e) < 0)
		return -1;
	c->written = out.written;
	return 0;
}

static int
carve_dir(const struct config *cf, struct carving *c, struct err *e)
{
	struct dirnew to;

	if (dirnew_begin(&to, cf->output, e) < 0)
		return -1;
	if (snapwrite_dir(&c->write, &to, e) < 0) {
		dirnew_abort(&to);
		return -1;
	}
	c->written = c->write.bytes;
	return dirnew_commit(&to, e);
}

/* What is to be written must not be taken for a file of SQLite's, or swept. */
static int
check_places(const struct config *cf, const char *path, struct err *e)
{
	struct persist pd;
	bool reserved;

	if (!path)
		return 0;
	if (persist_find(&pd, cf->arg[0], e) < 0) {
		persist_close(&pd);
		return -1;
	}
	reserved = persist_reserved(&pd, path);
	persist_close(&pd);
	return !reserved ? 0 : err_usage(e, "%s: a name of files that belong "
	    "to the database and are removed without asking; choose another",
	    err_tail(path));
}

static int
carve_all(const struct config *cf, struct carving *c, struct err *e)
{
	const struct select sel = opt_select(&cf->only, &cf->skip);
	const struct persist_options po = opt_persist(cf->wait_s, cf->tmpdir);

	if (check_places(cf, cf->file, e) < 0 ||
	    (cf->output && dirnew_check(cf->output, e) < 0) ||
	    still_open(&c->still, cf->arg[0], &sel, &po, e) < 0 ||
	    era_known(&c->still.catalog.era, cf->arg[0], e) < 0 ||
	    carve_begin(&c->plan, &c->still.pd, &c->still.catalog,
	    cf->whole_log, cf->tmpdir, e) < 0)
		return -1;
	c->write = (struct snapwrite){ .pd = &c->still.pd,
	    .catalog = &c->still.catalog, .carve = &c->plan,
	    .scratch = &c->still.scratch, .carved = done_database,
	    .check = done_reading,
	    .arg = c, .progress = progress_update };
	if (cf->dry_run)
		return snapwrite_plan(&c->write, e);
	progress_start(cf->progress, "bytes", 0);
	if ((cf->output ? carve_dir : carve_stream)(cf, c, e) < 0)
		return -1;
	progress_end();
	return 0;
}

static void
put_carved(const struct config *cf, const struct carving *c, struct jsonw *w)
{
	json_cstr(w, "dir", cf->arg[0]);
	if (cf->dry_run)
		json_bool(w, "dry_run", true);
	if (cf->output || cf->file)
		json_cstr(w, cf->output ? "output" : "file", cf->output ?
		    cf->output : cf->file);
	json_int(w, "bytes", (int64_t)(cf->dry_run ? c->write.bytes :
	    c->written));
	snapreport_collections(&c->write.manifest, w);
}

static void
text_carved(const struct config *cf, const struct carving *c, struct buf *b)
{
	const char *to = cf->output ? cf->output : cf->file;
	char t[32];

	table_heading(b, slice_str(cf->arg[0]));
	if (cf->dry_run)
		table_row(b, "carve", "%s, before compression",
		    table_bytes(c->write.bytes, t));
	else
		table_row(b, "carved", "%s to %s", table_bytes(c->written, t),
		    to ? to : "standard output");
	snapreport_text(&c->write.manifest, b);
}

/* ---- receipts ---- */

/* One of both; nothing where it is not wanted. */
static int
print(const struct config *cf, struct receipt *r, struct buf *text,
    struct err *e)
{
	if (cf->quiet) {
		buf_release(&r->buf);
		buf_release(text);
		return 0;
	}
	if (!cf->text)
		return receipt_print(r, e);
	buf_release(&r->buf);
	return receipt_print_text(text, e);
}

static int
run_carve(const struct config *cf, struct err *e)
{
	struct carving c = { .plan.of = NULL };
	struct receipt receipt;
	struct buf text = { 0 };
	int r;

	receipt_start(&receipt);
	r = carve_all(cf, &c, e);
	if (r == 0 && cf->text)
		text_carved(cf, &c, &text);
	else if (r == 0)
		put_carved(cf, &c, &receipt.w);
	snapwrite_end(&c.write);
	carve_end(&c.plan);
	still_close(&c.still);
	if (r == 0 && (cf->file || cf->output || cf->dry_run))
		return print(cf, &receipt, &text, e);
	buf_release(&receipt.buf);
	buf_release(&text);
	return r;
}

/* ---- graft ---- */

static int
graft_all(const struct config *cf, struct graft *g,
    const struct graft_options *o, struct err *e)
{
	struct in in;
	int r;

	if (in_open(&in, cf->args > 1 ? cf->arg[1] : NULL, e) < 0)
		return -1;
	progress_start(cf->progress, "bytes", 0);
	r = graft_plan(g, &in, cf->arg[0], o, e);
	in_close(&in);
	if (r == 0 && !cf->dry_run)
		r = graft_commit(g, e);
	progress_end();
	return r;
}

static void
show_progress(void *arg, uint64_t bytes)
{
	(void)arg;
	progress_update(bytes);
}

static int
run_graft(const struct config *cf, struct err *e)
{
	const struct graft_options o = {
	    .select = opt_select(&cf->only, &cf->skip), .as = cf->as,
	    .tenant = cf->tenant, .database = cf->database,
	    .space = cf->space, .create = cf->create, .replace = cf->replace,
	    .backup = cf->backup, .dry_run = cf->dry_run,
	    .wait_ms = (int)cf->wait_s * 1000,
	    .assume_stopped = cf->assume_stopped, .tmpdir = cf->tmpdir };
	struct graft g = { .unpack.progress = show_progress };
	struct receipt receipt;
	struct buf text = { 0 };
	int r;

	receipt_start(&receipt);
	r = graft_all(cf, &g, &o, e);
	if (r == 0 && g.doubtful)
		prog_warn("--space=%s: but the vectors of its index are of "
		    "norm 1 with a length beside each, as those of cosine",
		    o.space);
	if (r == 0 && cf->text)
		snapreport_graft_text(&g, &text);
	else if (r == 0)
		snapreport_graft(&g, &receipt.w);
	graft_end(&g);
	if (r == 0) {
		r = print(cf, &receipt, &text, e);
		return r < 0 && g.committed ?
		    err_in(e, "the collections are in place") : r;
	}
	buf_release(&receipt.buf);
	buf_release(&text);
	return r;
}

/* ---- verify, list ---- */

struct checked {
	struct unpack unpack;
	struct dirnew scratch;
	struct persist pd;
	struct catalog catalog;
};

static int
check_indexes(struct checked *c, struct err *e)
{
	const struct persist_options po = { .wait_ms = 0 };
	const struct collection *col;
	struct err fault;

	if (persist_open(&c->pd, c->unpack.dir, &po, e) < 0 ||
	    catalog_load(&c->catalog, &c->pd, e) < 0 ||
	    (!c->unpack.chops && textindex_check(c->pd.real,
	    &c->catalog.era, e) < 0) ||
	    unpack_check_indexes(&c->unpack, &c->catalog, &col, &fault, e) < 0)
		return -1;
	return fault.status ? err_data(e, "collection %s: its index is "
	    "damaged: %s", col->name, fault.msg) : 0;
}

static int
unpack(const struct config *cf, struct checked *c, struct in *in,
    struct err *e)
{
	const char *tmp = cf->tmpdir ? cf->tmpdir : getenv("TMPDIR");
	char *at;
	int r;

	if (dirnew_scratch(&c->scratch, tmp && *tmp ? tmp : "/tmp",
	    "chroma-snap", e) < 0)
		return -1;
	at = dirnew_path(&c->scratch);
	r = at ? unpack_read(&c->unpack, in, at, e) : err_nomem(e);
	free(at);
	return r;
}

/* A snapshot by its name; deep: all of it is looked at. */
static int
check(const struct config *cf, struct checked *c, const char *name, bool deep,
    struct err *e)
{
	struct in in;
	int r;

	*c = (struct checked){ .unpack = { .fd = -1,
	    .progress = show_progress }, .pd = { .dirfd = -1 },
	    .scratch = { .fd = -1, .parent = -1 } };
	if (in_open(&in, name, e) < 0)
		return -1;
	progress_start(cf->progress, "bytes", 0);
	r = deep ? unpack(cf, c, &in, e) : unpack_skim(&c->unpack, &in, e);
	if (r == 0 && !deep && c->unpack.chops && cf->command == LIST) {
		/* it has no list of what is in it */
		in_close(&in);
		unpack_release(&c->unpack);
		return check(cf, c, name, true, e);
	}
	in_close(&in);
	if (r == 0 && deep && cf->command == VERIFY)
		r = check_indexes(c, e);
	progress_end();
	return r;
}

static void
end_check(struct checked *c)
{
	catalog_release(&c->catalog);
	if (c->pd.dir)
		persist_close(&c->pd);
	unpack_release(&c->unpack);
	dirnew_abort(&c->scratch);
}

static void
put_verified(const struct config *cf, const char *name, const struct unpack *u,
    struct jsonw *w)
{
	const struct manifest *m = &u->manifest;
	uint64_t records = 0, rows = 0;
	size_t i;

	for (i = 0; i < m->collections; i++) {
		records += m->collection[i].records;
		rows += m->collection[i].rows;
	}
	json_open(w, NULL, '{');
	json_cstr(w, "snapshot", name);
	json_bool(w, "sound", true);
	json_bool(w, "quick", cf->quick);
	json_cstr(w, "created_at", m->created_at);
	json_int(w, "collections", (int64_t)m->collections);
	json_int(w, "records", (int64_t)records);
	json_int(w, "wal_rows", (int64_t)rows);
	json_int(w, "bytes", (int64_t)u->bytes);
	json_close(w, '}');
	buf_addc(w->b, '\n');
}

static void
text_verified(const char *name, const struct unpack *u, struct buf *b)
{
	char t[32];
	size_t i;

	table_heading(b, slice_str(name));
	table_row(b, "sound", "%s unpacked", table_bytes(u->bytes, t));
	for (i = 0; i < u->manifest.collections; i++) {
		const struct manifest_collection *c =
		    &u->manifest.collection[i];

		table_row(b, i ? "" : "holds", "%s/%s/%s, %s records",
		    c->tenant ? c->tenant : "?",
		    c->database ? c->database : "?", c->name,
		    table_count(c->records, t));
	}
}

static void
put_listed(const char *name, const struct manifest *m, struct buf *b)
{
	size_t i;

	for (i = 0; i < m->collections; i++) {
		struct jsonw w = { .b = b };

		json_open(&w, NULL, '{');
		json_cstr(&w, "type", "collection");
		json_cstr(&w, "snapshot", name);
		json_cstr(&w, "created_at", m->created_at);
		manifest_put_collection(&w, &m->collection[i]);
		json_close(&w, '}');
		buf_addc(b, '\n');
	}
}

static void
describe(const struct config *cf, const char *name, const struct unpack *u,
    bool text, struct buf *b)
{
	struct jsonw w = { .b = b };

	if (cf->command == VERIFY && text)
		text_verified(name, u, b);
	else if (cf->command == VERIFY)
		put_verified(cf, name, u, &w);
	else if (text) {
		table_heading(b, slice_str(name));
		table_row(b, "made", "%s", u->manifest.created_at ?
		    u->manifest.created_at : "by chops");
		snapreport_text(&u->manifest, b);
	} else
		put_listed(name, &u->manifest, b);
}

/* Each snapshot; what is wrong with one does not keep from the next. */
static int
run_checks(const struct config *cf, struct err *e)
{
	const bool text = cf->text || (cf->command == LIST && !cf->jsonl &&
	    isatty(STDOUT_FILENO));
	int i, status = STATUS_OK;

	for (i = 0; i < (cf->args ? cf->args : 1); i++) {
		const char *name = cf->args ? cf->arg[i] : "-";
		struct checked c;
		struct buf b = { 0 };
		int r = check(cf, &c, name, cf->command == VERIFY &&
		    !cf->quick, e);

		if (r == 0 && !(cf->quiet && cf->command == VERIFY))
			describe(cf, name, &c.unpack, text, &b);
		end_check(&c);
		if (r == 0)
			r = receipt_print_text(&b, e);
		else
			buf_release(&b);
		if (r < 0) {
			prog_error(e);
			status = status ? status : e->status;
		}
	}
	return status;
}

/* ---- the command line ---- */

static const char *
long_name(int option)
{
	const struct option *o;

	for (o = longopts; o->name; o++)
		if (o->val == option)
			return o->name;
	return "";
}

static void
check_option(const struct config *cf, int option)
{
	size_t i, k;

	for (i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		if (some[i].option != option || some[i].commands & cf->command)
			continue;
		for (k = 0; !(some[i].commands & commands[k].bit); k++)
			;
		prog_usage("--%s: not for %s; see chroma-snap %s --help",
		    long_name(option), cf->command == CARVE ? "carve" :
		    cf->command == GRAFT ? "graft" : cf->command == VERIFY ?
		    "verify" : "list", commands[k].name);
	}
}

static void
take_log(struct config *cf, const char *arg)
{
	if (strcmp(arg, "tail") != 0 && strcmp(arg, "all") != 0)
		prog_usage("--log: '%s' is not tail or all", arg);
	cf->whole_log = strcmp(arg, "all") == 0;
}

static void
take_graft_option(struct config *cf, int ch, const char *arg)
{
	switch (ch) {
	case OPT_AS: cf->as = arg; break;
	case OPT_ASSUME_STOPPED: cf->assume_stopped = true; break;
	case OPT_BACKUP: cf->backup = arg; break;
	case OPT_CREATE: cf->create = true; break;
	case OPT_DATABASE: cf->database = arg; break;
	case OPT_NO_BACKUP: cf->no_backup = true; break;
	case OPT_REPLACE: cf->replace = true; break;
	case OPT_SPACE:
		if (params_space(slice_str(arg)) == SPACE_UNKNOWN)
			prog_usage("--space: '%s' is none of l2, ip, cosine",
			    arg);
		cf->space = arg;
		break;
	case OPT_TENANT: cf->tenant = arg; break;
	default: break;
	}
}

static void
take_option(struct config *cf, int ch, const char *arg)
{
	check_option(cf, ch);
	switch (ch) {
	case 'c': opt_add(&cf->only, "--collection", arg); break;
	case 'f': cf->file = arg; break;
	case 'j': cf->jsonl = true; break;
	case 'n': cf->dry_run = true; break;
	case 'o': cf->output = arg; break;
	case 'q':
		cf->progress = PROGRESS_OFF;
		cf->quiet = true;
		prog_quiet();
		break;
	case 'z':
		cf->zstd = arg ? (int)opt_u64("--zstd", arg, 1,
		    ZIO_LEVEL_MAX) : SNAPWRITE_LEVEL;
		break;
	case OPT_FORCE: cf->force = true; break;
	case OPT_LOG: take_log(cf, arg); break;
	case OPT_PROGRESS: cf->progress = PROGRESS_FORCED; break;
	case OPT_QUICK: cf->quick = true; break;
	case OPT_SKIP: opt_add(&cf->skip, "--skip", arg); break;
	case OPT_TEXT: cf->text = true; break;
	case OPT_THREADS:
		cf->threads = (unsigned)opt_u64("--threads", arg, 1, 256);
		break;
	case OPT_TMPDIR: cf->tmpdir = arg; break;
	case OPT_WAIT:
		cf->wait_s = opt_u64("--wait", arg, 0, OPT_WAIT_MAX);
		cf->wait_set = true;
		break;
	default: take_graft_option(cf, ch, arg);
	}
}

static void
check_arguments(const struct config *cf)
{
	const bool dir = cf->command & (CARVE | GRAFT);

	if (dir && cf->args == 0)
		prog_usage("no DIR given: the persist dir, the one with "
		    "chroma.sqlite3 in it");
	if (cf->args > (cf->command == CARVE ? 1 : 2) && dir)
		prog_usage(cf->command == CARVE ? "one DIR at a time" :
		    "one SNAPSHOT at a time");
	if (cf->command == CARVE && !cf->file && !cf->output && !cf->dry_run &&
	    !cf->force && isatty(STDOUT_FILENO))
		prog_usage("a snapshot does not belong on a terminal; send it "
		    "to a file, or use --file=FILE");
	if (cf->file && cf->output)
		opt_conflict("--file", "--output");
	if (cf->output && cf->zstd)
		opt_conflict("--output", "--zstd");
	if (cf->backup && cf->no_backup)
		opt_conflict("--backup", "--no-backup");
	if (cf->replace && !cf->backup && !cf->no_backup)
		prog_usage("--replace: --backup=FILE keeps what is replaced, "
		    "--no-backup removes it; which?");
	if (!cf->replace && (cf->backup || cf->no_backup))
		prog_usage("--%s: only with --replace", cf->backup ? "backup" :
		    "no-backup");
	if (cf->text && cf->jsonl)
		opt_conflict("--text", "--jsonl");
}

/* The command, which comes first. */
static const struct command *
find_command(const char *name)
{
	size_t i;

	for (i = 0; i < COMMANDS; i++)
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	return NULL;
}

/* A dry run remembers ids, and may have to open a copy. */
static void
set_tmpdir(const struct config *cf)
{
	const char *tmp = cf->tmpdir ? cf->tmpdir : getenv("TMPDIR");

	if (setenv("SQLITE_TMPDIR", tmp && *tmp ? tmp : "/tmp", 1) < 0)
		prog_die(STATUS_SYSTEM, "out of memory");
}

static int
run(const struct config *cf)
{
	struct err e = { 0 };

	set_tmpdir(cf);
	if (cf->command & (VERIFY | LIST))
		return run_checks(cf, &e);
	if ((cf->command == CARVE ? run_carve : run_graft)(cf, &e) < 0)
		prog_fail(&e);
	return STATUS_OK;
}

int
main(int argc, char *argv[])
{
	struct config cf = { .threads = 2 };
	const struct command *cmd;
	int ch;

	prog_start(argv[0]);
	if (argc < 2)
		prog_usage("carve, graft, verify or list?");
	cmd = find_command(argv[1]);
	cf.command = cmd ? cmd->bit : 0;
	if (!cmd && argv[1][0] != '-')
		prog_usage("'%s' is not carve, graft, verify or list",
		    argv[1]);
	optind = cmd ? 2 : 1;
	while ((ch = getopt_long(argc, argv, ":c:f:hjno:qVz::", longopts,
	    NULL)) != -1)
		switch (ch) {
		case 'h': return prog_help(cmd ? cmd->usage : usage_text);
		case 'V': return prog_version();
		case ':':
		case '?': opt_bad(ch, argv);
		default:
			if (!cmd)
				prog_usage("carve, graft, verify or list? "
				    "The command comes first");
			take_option(&cf, ch, optarg);
		}
	if (!cmd)
		prog_usage("carve, graft, verify or list?");
	cf.arg = argv + optind;
	cf.args = argc - optind;
	if (cf.command == CARVE && !cf.wait_set)
		cf.wait_s = OPT_WAIT_DEFAULT;
	check_arguments(&cf);
	return run(&cf);
}
