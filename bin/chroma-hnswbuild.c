/* SPDX-License-Identifier: Apache-2.0 */
/* chroma-hnswbuild - build the index of a Chroma collection from vectors
 *
 * In: streams of vector records and of WAL records, one after the other.  Out:
 * a directory with hnswlib's four files and Chroma's pickle, which appears when
 * it is complete.
 * Memory: intake.h, build.h.
 * See chroma-hnswbuild(1).
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dirnew.h"
#include "base/file.h"
#include "base/workers.h"
#include "chroma/feed.h"
#include "chroma/params.h"
#include "chroma/newindex.h"
#include "chroma/publish.h"
#include "prog/installreport.h"
#include "prog/opt.h"
#include "prog/prog.h"
#include "prog/progress.h"
#include "prog/receipt.h"
#include "stream/json.h"
#include "stream/matrix.h"

#define EF_MAX 100000

/* chromadb, api/configuration.py and rust/types/src/hnsw_configuration.rs (of
 * ef_search: that of 1.x) */
enum {
	M_DEFAULT = 16,
	EF_CONSTRUCTION_DEFAULT = 100,
	EF_SEARCH_DEFAULT = 100,
};

/* When an index is installed at all. */
enum only_if { ALWAYS, VECTORS, CHANGED, DELETED };

struct config {
	const char *output, *tmpdir, *collection, *ids, *drop, *old;
	const char *install, *backup;	/* a persist dir; where its old index
					 * goes */
	bool no_backup, assume_stopped, text;
	enum only_if only_if;
	uint64_t wait_s;
	struct feed_wish wish;		/* the options */
	bool matrix;
	enum matrix_form form;
	bool dry_run;
	uint64_t max_memory;		/* bytes */
	unsigned threads;
	uint64_t seed;
	enum progress_mode progress;
};

/* Everything between the streams and the files. */
struct job {
	const struct config *cf;
	struct feed feed;
	struct feed_wish wish;		/* what it comes to */
	struct file_new drop;		/* of --drop-nonfinite */
	struct newindex n;
	struct dirnew dir;		/* of -o; of --install: */
	struct publish publish;
	struct paramset change;
	struct publish_diff diff;
	bool needed;
	bool only_params;		/* there are no vectors, but parameters
					 * to be written */
	char installed[UUID_LEN + 1];	/* the new segment's id */
};

static const char usage_text[] =
"usage: chroma-hnswbuild [options] -o DIR [file ...]\n"
"       chroma-hnswbuild [options] --install=DIR [file ...]\n"
"       chroma-hnswbuild [options] -n [file ...]\n"
"Build the index of a Chroma collection from streams of vectors; with --install\n"
"put it in the place of the present one, for which Chroma must be stopped.\n"
"\n"
"      --M=N              links of an element\n"
"      --assume-stopped   where it cannot be told whether somebody has DIR\n"
"                         open: nobody has\n"
"      --backup=PATH      the directory that the old index becomes\n"
"  -c, --collection=NAME  of this collection: NAME, TENANT/DATABASE/NAME or a\n"
"                         UUID\n"
"      --drop-nonfinite=FILE\n"
"                         leave out vectors with NaN or infinity, and write\n"
"                         their ids there\n"
"  -n, --dry-run          say what would be built and what it takes\n"
"      --ef-construction=N\n"
"                         effort for later additions, and the upper levels\n"
"      --ef-search=N      for the receipt\n"
"      --fvecs            the files are .fvecs\n"
"  -h, --help             print this text\n"
"      --ids=FILE         with --npy or --fvecs: their ids, a JSON string a line\n"
"      --install=DIR      put the index into this Chroma directory\n"
"      --max-memory=SIZE  refuse what takes more (500MiB, 2GiB)\n"
"      --no-backup        remove the old index\n"
"      --npy              the files are .npy\n"
"      --old=INDEXDIR     take candidates from this older index\n"
"      --only-if=WHAT     install nothing unless vectors, parameters or the\n"
"                         watermark change (changed), or the old index has\n"
"                         deleted elements, too (deleted), or if there is\n"
"                         nothing to put into it (vectors)\n"
"  -o, --output=DIR       write the index to DIR, which does not exist\n"
"      --progress         show progress even where it is not a terminal\n"
"  -q, --quiet            no receipt, no progress\n"
"      --seed=N           another draw of levels and clusters\n"
"      --space=SPACE      l2, ip or cosine\n"
"      --text             with --install: the receipt as text for people\n"
"      --threads=N        threads to use (default: all processors)\n"
"      --tmpdir=DIR       where the vectors go while they are read\n"
"  -V, --version          print the version\n"
"      --wait=SECONDS     how long others may take to let go of DIR\n"
"                         (default 0)\n";

static const struct option longopts[] = {
	{ "M",		 required_argument,	NULL, OPT_M },
	{ "assume-stopped", no_argument,	NULL, OPT_ASSUME_STOPPED },
	{ "backup",	 required_argument,	NULL, OPT_BACKUP },
	{ "collection",	 required_argument,	NULL, 'c' },
	{ "drop-nonfinite", required_argument,	NULL, OPT_DROP_NONFINITE },
	{ "dry-run",	 no_argument,		NULL, 'n' },
	{ "ef-construction", required_argument,	NULL, OPT_EF_CONSTRUCTION },
	{ "ef-search",	 required_argument,	NULL, OPT_EF_SEARCH },
	{ "fvecs",	 no_argument,		NULL, OPT_FVECS },
	{ "help",	 no_argument,		NULL, 'h' },
	{ "ids",	 required_argument,	NULL, OPT_IDS },
	{ "install",	 required_argument,	NULL, OPT_INSTALL },
	{ "max-memory",	 required_argument,	NULL, OPT_MAX_MEMORY },
	{ "no-backup",	 no_argument,		NULL, OPT_NO_BACKUP },
	{ "npy",	 no_argument,		NULL, OPT_NPY },
	{ "old",	 required_argument,	NULL, OPT_OLD },
	{ "only-if",	 required_argument,	NULL, OPT_ONLY_IF },
	{ "output",	 required_argument,	NULL, 'o' },
	{ "progress",	 no_argument,		NULL, OPT_PROGRESS },
	{ "quiet",	 no_argument,		NULL, 'q' },
	{ "seed",	 required_argument,	NULL, OPT_SEED },
	{ "space",	 required_argument,	NULL, OPT_SPACE },
	{ "text",	 no_argument,		NULL, OPT_TEXT },
	{ "threads",	 required_argument,	NULL, OPT_THREADS },
	{ "tmpdir",	 required_argument,	NULL, OPT_TMPDIR },
	{ "version",	 no_argument,		NULL, 'V' },
	{ "wait",	 required_argument,	NULL, OPT_WAIT },
	{ NULL, 0, NULL, 0 }
};

/* ---- reading ---- */

/* What was read is of the collection that gets it. */
static int
fit(struct job *j, struct err *e)
{
	const struct publish *p = &j->publish;
	struct intake *in = &j->feed.in;

	if (p->was.dimension >= 0 && in->dim > 0 &&
	    in->dim != p->was.dimension)
		return err_data(e, "vectors of %" PRIu32 " numbers, but those "
		    "of collection %s have %" PRId64, in->dim, p->name,
		    p->was.dimension);
	if (publish_filter(&j->publish, in, e) < 0 ||
	    publish_seq_id(&j->publish, in->live == 0, e) < 0)
		return -1;
	if (p->ghosts)
		prog_warn("collection %s: %" PRIu64 " ids of no record are "
		    "left out", p->name, p->ghosts);
	return 0;
}

static int
begun(void *arg, const struct begin *b, struct slice col, struct err *e)
{
	return publish_begin(arg, b, col, e);
}

/* The collection was found in the directory, but not in a stream. */
static int
not_of_it(const struct job *j, struct err *e)
{
	const struct err why = *e;

	return err_data(e, "%.400s: this stream is not of %s", why.msg,
	    err_tail(j->publish.dir));
}

static int
read_all(struct job *j, char *const path[], struct err *e)
{
	const struct config *cf = j->cf;
	int i;

	progress_start(cf->progress, cf->matrix ? "vectors" : "records", 0);
	j->feed.only.name = cf->collection;
	j->feed.space = cf->wish.space;
	if (cf->install) {
		j->feed.only.name = j->publish.id;
		j->feed.begin = begun;
		j->feed.begin_arg = &j->publish;
		if (j->feed.space == SPACE_UNKNOWN)
			j->feed.space = j->publish.params.space;
	}
	j->feed.matrix = cf->matrix;
	j->feed.form = cf->form;
	j->feed.ids = cf->ids;
	j->feed.drop = cf->drop;
	j->feed.drop_fd = j->drop.fd;
	j->feed.progress = progress_update;
	if (feed_begin(&j->feed, cf->tmpdir, e) < 0)
		return -1;
	for (i = 0; i == 0 || (path[0] && path[i]); i++)
		if (feed_read(&j->feed, path[i], e) < 0)
			return cf->install && e->status == STATUS_USAGE ?
			    not_of_it(j, e) : -1;
	progress_end();
	if (feed_end(&j->feed, e) < 0)
		return -1;
	return cf->install ? fit(j, e) : 0;
}

/* ---- how it is to be, and what that takes ---- */

/* The option, else what the streams say, else Chroma's default. */
static int
settle_number(uint64_t *v, const char *name, const uint64_t from[2],
    uint64_t otherwise, const uint64_t range[2], struct err *e)
{
	*v = from[0] ? from[0] : from[1] ? from[1] : otherwise;
	if (*v < range[0] || *v > range[1])
		return err_data(e, "the stream has %s %" PRIu64 ", which is "
		    "not from %" PRIu64 " to %" PRIu64 "; --%s=N says another",
		    name, *v, range[0], range[1], name);
	return 0;
}

static int
settle(struct job *j, struct err *e)
{
	static const uint64_t m[] = { GRAPH_M_MIN, GRAPH_M_MAX },
	    ef[] = { 1, EF_MAX };
	const struct feed_wish *o = &j->cf->wish, *s = &j->feed.said;
	struct feed_wish *w = &j->wish;
	const struct params *p = &j->publish.params;
	struct feed_wish now = { p->space, (uint64_t)p->value[PARAM_M],
	    (uint64_t)p->value[PARAM_EF_CONSTRUCTION],
	    (uint64_t)p->value[PARAM_EF_SEARCH] };

	/* what is not asked for stays */
	if (j->cf->install)
		s = &now;
	w->space = o->space != SPACE_UNKNOWN ? o->space :
	    s->space != SPACE_UNKNOWN ? s->space : SPACE_L2;
	if (settle_number(&w->m, "M", (uint64_t[]){ o->m, s->m }, M_DEFAULT, m,
	    e) < 0)
		return -1;
	if (settle_number(&w->ef_construction, "ef-construction",
	    (uint64_t[]){ o->ef_construction, s->ef_construction },
	    EF_CONSTRUCTION_DEFAULT, ef, e) < 0)
		return -1;
	if (settle_number(&w->ef_search, "ef-search",
	    (uint64_t[]){ o->ef_search, s->ef_search }, EF_SEARCH_DEFAULT, ef,
	    e) < 0)
		return -1;
	j->n = (struct newindex){ .in = &j->feed.in, .space = w->space,
	    .m = (unsigned)w->m, .ef_construction =
	    (unsigned)w->ef_construction, .threads = j->cf->threads,
	    .seed = j->cf->seed, .old = j->cf->old,
	    .progress = progress_share, .last = j->cf->install ?
	    (int64_t)j->publish.seq_id : j->feed.last };
	return 0;
}

/* Numbers of bytes as people say them, so that it shows that one is greater:
 * what is needed is rounded up, what there is down. */
struct shown {
	char need[32], have[32];
};

static struct shown
show(uint64_t need, uint64_t have)
{
	static const char *const unit[] = { "bytes", "KiB", "MiB" };
	const int i = need < 10 << 10 ? 0 : need < 10 << 20 ? 1 : 2;
	const uint64_t one = (uint64_t)1 << 10 * i;
	struct shown s;

	snprintf(s.need, sizeof(s.need), "%" PRIu64 " %s", need / one +
	    (need % one > 0), unit[i]);
	snprintf(s.have, sizeof(s.have), "%" PRIu64 " %s", have / one,
	    unit[i]);
	return s;
}

/* The directory that the files go to. */
static const struct dirnew *
new_dir(const struct job *j)
{
	return j->cf->install ? &j->publish.staging.dir : &j->dir;
}

static int
check_memory(const struct job *j, struct err *e)
{
	const uint64_t need = newindex_memory(&j->n), have = j->cf->max_memory;
	const struct shown s = show(need, have);

	return need <= have ? 0 : err_fail(e, "%s of memory are needed, "
	    "--max-memory allows %s", s.need, s.have);
}

static int
check_space(const struct job *j, struct err *e)
{
	const uint64_t need = newindex_space(&j->n);
	uint64_t have;
	struct shown s;

	if (dirnew_room(new_dir(j), &have, e) < 0)
		return -1;
	s = show(need, have);
	return need <= have ? 0 : err_fail(e, "%s: %s of space are needed, "
	    "there are %s", err_tail(j->cf->install ? j->cf->install :
	    j->cf->output), s.need, s.have);
}

/* ---- building ---- */

/* The parameters that were asked for, everywhere where Chroma has them. */
static struct paramset
changes(const struct job *j)
{
	const struct feed_wish *o = &j->cf->wish;
	struct paramset c = { .to = j->publish.params };

	c.set[PARAM_SPACE] = o->space != SPACE_UNKNOWN;
	c.set[PARAM_M] = o->m > 0;
	c.set[PARAM_EF_CONSTRUCTION] = o->ef_construction > 0;
	c.set[PARAM_EF_SEARCH] = o->ef_search > 0;
	c.to.space = j->wish.space;
	c.to.value[PARAM_M] = (int64_t)j->wish.m;
	c.to.value[PARAM_EF_CONSTRUCTION] = (int64_t)j->wish.ef_construction;
	c.to.value[PARAM_EF_SEARCH] = (int64_t)j->wish.ef_search;
	return c;
}

/* What there is to build from, and whether it is to be built. */
static int
look_at_it(struct job *j, struct err *e)
{
	const struct config *cf = j->cf;
	bool changed;

	j->needed = true;
	if (cf->dry_run && !cf->install)
		return 0;
	if (newindex_vectors(&j->n, e) < 0)
		return -1;
	if (!cf->install)
		return 0;
	j->change = changes(j);
	if (publish_compare(&j->publish, &j->feed.in, &j->n.v,
	    j->n.number, &j->diff, e) < 0)
		return -1;
	j->publish.lost = cf->no_backup ? j->diff.lost : 0;
	changed = publish_changes(&j->publish, &j->diff, &j->change);
	if (j->feed.in.dim > 0) {
		j->needed = changed || cf->only_if <= VECTORS ||
		    (cf->only_if == DELETED && j->diff.deleted > 0);
		return 0;
	}
	/* without a dimension there are no vectors, and were none */
	j->needed = false;
	j->only_params = changed;
	if (!changed && cf->only_if == ALWAYS)
		return err_data(e, "collection %s has no vectors yet: there is "
		    "nothing to install", j->publish.name);
	return 0;
}

static int
build_it(struct job *j, struct err *e)
{
	const struct config *cf = j->cf;
	const struct err *fault = &j->n.old_fault;

	progress_start(cf->progress, "the index", 0);
	if (newindex_build(&j->n, e) < 0)
		return -1;
	if (fault->status)
		prog_warn("%s: %s; what can be read of it is used",
		    err_tail(cf->old), fault->msg);
	progress_end();
	return 0;
}

/* ---- writing ---- */

/* The files are in the staging directory: in the place of the old ones. */
static int
install(struct job *j, struct err *e)
{
	struct publish *p = &j->publish;
	const char *backup = j->cf->backup;

	memcpy(j->installed, p->staging.id, sizeof(j->installed));
	if (staging_finish(&p->staging, p->was.segment, e) < 0 ||
	    publish_commit(p, j->wish.space, &j->change, e) < 0)
		return -1;
	if (staging_retire(p->dir, p->was.segment, backup, e) == 0)
		return 0;
	err_in(e, p->was.segment);
	return err_in(e, "the new index is in place, but the old one is still "
	    "in the directory");
}

static int
write_out(struct job *j, struct err *e)
{
	const struct dirnew *dir = new_dir(j);

	if (newindex_write(&j->n, dir->fd, e) < 0)
		return err_in(e, err_tail(dir->path));
	if (j->cf->install)
		return install(j, e);
	/* who sees the index can see what is not in it */
	if (j->cf->drop && file_new_commit(&j->drop, e) < 0)
		return -1;
	return dirnew_commit(&j->dir, e);
}

/* ---- the receipt ---- */

static void
report_result(const struct newindex *n, struct jsonw *w)
{
	const struct build_result *b = &n->b;

	json_int(w, "copies", b->copies);
	json_int(w, "levels", b->graph.max_level + 1);
	json_real(w, "degree", newindex_degree(n), 2);
	json_real(w, "reachable", b->graph.n ? 1 - (double)b->left /
	    b->graph.n : 1, 6);
	json_real(w, "recall", b->recall, 4);
	if (b->exact)
		json_bool(w, "exact", true);
	json_int(w, "bytes", (int64_t)n->bytes);
}

static int
report(const struct job *j, bool built, struct receipt *receipt,
    struct err *e)
{
	struct installreport ir = { .publish = &j->publish, .diff = &j->diff,
	    .change = &j->change, .segment = built ? j->installed : NULL,
	    .backup = j->cf->backup, .elements = j->feed.in.live,
	    .bytes = built ? j->n.bytes : newindex_space(&j->n), .needed = j->needed,
	    .only_params = j->only_params };
	struct jsonw *w = &receipt->w;
	struct buf text = { 0 };

	if (j->cf->text) {
		installreport_text(&ir, &text);
		return receipt_print_text(&text, e);
	}
	if (j->cf->dry_run)
		json_bool(w, "dry_run", true);
	if (j->cf->output)
		json_cstr(w, "output", j->cf->output);
	if (j->cf->install)
		installreport_receipt(&ir, w);
	json_cstr(w, "space", space_name(j->wish.space));
	json_int(w, "M", (int64_t)j->wish.m);
	json_int(w, "ef_construction", (int64_t)j->wish.ef_construction);
	json_int(w, "ef_search", (int64_t)j->wish.ef_search);
	json_int(w, "seed", (int64_t)j->cf->seed);
	json_int(w, "records", (int64_t)(j->feed.in.records + j->feed.dropped));
	if (j->cf->drop)
		json_int(w, "dropped", (int64_t)j->feed.dropped);
	json_int(w, "elements", (int64_t)j->feed.in.live);
	json_int(w, "dimension", (int64_t)j->feed.in.dim);
	if (built) {
		report_result(&j->n, w);
	} else {
		json_int(w, "memory", (int64_t)newindex_memory(&j->n));
		json_int(w, "bytes", (int64_t)newindex_space(&j->n));
	}
	return receipt_print(receipt, e);
}

/* What can be told to be in vain before anything is read. */
static int
check_files(const struct config *cf, struct err *e)
{
	struct stat st;

	if (cf->drop && lstat(cf->drop, &st) == 0)
		return err_usage(e, "%s exists; name a file that does not",
		    err_tail(cf->drop));
	if (cf->old && stat(cf->old, &st) < 0)
		return err_system(e, "%s", err_tail(cf->old));
	if (cf->old && !S_ISDIR(st.st_mode))
		return err_fail(e, "%s is not a directory; --old is that of "
		    "an index", err_tail(cf->old));
	return 0;
}

static int
begin_output(struct job *j, struct err *e)
{
	const struct config *cf = j->cf;

	return cf->dry_run ? cf->output ? dirnew_check(cf->output, e) : 0 :
	    dirnew_begin(&j->dir, cf->output, e);
}

static int
begin_install(struct job *j, struct err *e)
{
	const struct config *cf = j->cf;
	const struct publish_options o = { .collection = cf->collection,
	    .read_ms = (int)(cf->wait_s > OPT_WAIT_DEFAULT ? cf->wait_s :
	    OPT_WAIT_DEFAULT) * 1000, .wait_ms = (int)cf->wait_s * 1000,
	    .assume_stopped = cf->assume_stopped, .tmpdir = cf->tmpdir };

	if (publish_look(&j->publish, cf->install, &o, e) < 0)
		return -1;
	if (cf->dry_run)
		return cf->backup ? dirnew_check(cf->backup, e) : 0;
	if (cf->backup && staging_check_backup(j->publish.dir, cf->backup,
	    e) < 0)
		return -1;
	/* nothing is written before it is known that something changes */
	return access(j->publish.dir, W_OK) < 0 ?
	    err_system(e, "%s", err_tail(j->publish.dir)) : 0;
}

/* The files have somewhere to go, and there is room for them. */
static int
make_place(struct job *j, struct err *e)
{
	const struct config *cf = j->cf;

	if (!j->needed)
		return 0;
	if (check_memory(j, e) < 0)
		return -1;
	if (cf->dry_run)
		return 0;
	if (cf->install && staging_begin(&j->publish.staging, j->publish.dir,
	    e) < 0)
		return -1;
	return check_space(j, e);
}

static int
run(struct job *j, char *const path[], struct err *e)
{
	const struct config *cf = j->cf;
	struct receipt receipt;
	bool built;

	receipt_start(&receipt);
	if (check_files(cf, e) < 0)
		return -1;
	if ((cf->install ? begin_install(j, e) : begin_output(j, e)) < 0)
		return -1;
	if (cf->drop && !cf->dry_run && file_new_begin(&j->drop, cf->drop,
	    false, e) < 0)
		return -1;
	if (read_all(j, path, e) < 0 || settle(j, e) < 0 ||
	    look_at_it(j, e) < 0 || make_place(j, e) < 0)
		return -1;
	if (j->only_params && !cf->dry_run &&
	    publish_parameters(&j->publish, &j->change, e) < 0)
		return -1;
	built = j->needed && !cf->dry_run;
	if (built && (build_it(j, e) < 0 || write_out(j, e) < 0))
		return -1;
	if (cf->progress == PROGRESS_OFF)
		return 0;
	if (report(j, built, &receipt, e) < 0)
		return built && cf->install ? err_in(e, "the new index is in "
		    "place, but not all of the receipt was written") : -1;
	return 0;
}

/* ---- the command line ---- */

static void
take_matrix(struct config *cf, enum matrix_form form)
{
	if (cf->matrix && cf->form != form)
		opt_conflict("--npy", "--fvecs");
	cf->matrix = true;
	cf->form = form;
}

static bool
is_stdin(const char *path)
{
	return !path || strcmp(path, "-") == 0;
}

static void
check_install(const struct config *cf)
{
	if (cf->output)
		opt_conflict("--output", "--install");
	if (cf->drop)
		opt_conflict("--drop-nonfinite", "--install");
	if (cf->backup && cf->no_backup)
		opt_conflict("--backup", "--no-backup");
	if (!cf->backup && !cf->no_backup && !cf->dry_run)
		prog_usage("--install: --backup=PATH keeps the old index, "
		    "--no-backup removes it; which?");
}

static void
check(const struct config *cf, char *const path[])
{
	const char *form = cf->form == MATRIX_NPY ? "--npy" : "--fvecs";
	int i, in = 0;

	if (cf->install)
		check_install(cf);
	else if (!cf->output && !cf->dry_run)
		prog_usage("-o DIR, or --install=DIR: where is the index to "
		    "go?");
	else if (cf->backup || cf->no_backup || cf->only_if || cf->text)
		prog_usage("%s: only with --install", cf->backup ?
		    "--backup" : cf->no_backup ? "--no-backup" : cf->only_if ?
		    "--only-if" : "--text");
	if (cf->ids && !cf->matrix)
		prog_usage("--ids: only with --npy or --fvecs; records have "
		    "their ids");
	if (cf->matrix && !cf->ids)
		prog_usage("%s: whose vectors are these? --ids=FILE", form);
	if (cf->matrix && cf->collection && !cf->install)
		opt_conflict(form, "--collection");
	for (i = 0; i == 0 || (path[0] && path[i]); i++)
		in += is_stdin(path[i]);
	if (in + (cf->ids && is_stdin(cf->ids)) > 1)
		prog_usage("standard input can be read once");
}

static void
take_only_if(struct config *cf, const char *arg)
{
	static const char *const name[] = { [VECTORS] = "vectors",
	    [CHANGED] = "changed", [DELETED] = "deleted" };
	enum only_if i;

	for (i = VECTORS; i <= DELETED; i++)
		if (strcmp(arg, name[i]) == 0)
			cf->only_if = i;
	if (cf->only_if == ALWAYS)
		prog_usage("--only-if: '%s' is neither vectors, changed nor "
		    "deleted", arg);
}

/* The options of a number; false if ch is another one. */
static bool
take_number_option(struct config *cf, int ch)
{
	struct feed_wish *w = &cf->wish;

	switch (ch) {
	case OPT_EF_CONSTRUCTION:
		w->ef_construction = opt_u64("--ef-construction", optarg, 1,
		    EF_MAX);
		return true;
	case OPT_EF_SEARCH:
		w->ef_search = opt_u64("--ef-search", optarg, 1, EF_MAX);
		return true;
	case OPT_M:
		w->m = opt_u64("--M", optarg, GRAPH_M_MIN, GRAPH_M_MAX);
		return true;
	case OPT_MAX_MEMORY:
		cf->max_memory = opt_size("--max-memory", optarg);
		return true;
	case OPT_SEED:
		cf->seed = opt_u64("--seed", optarg, 0, INT64_MAX);
		return true;
	case OPT_THREADS:
		cf->threads = (unsigned)opt_u64("--threads", optarg, 1,
		    WORKERS_MAX);
		return true;
	default:
		return false;
	}
}

static void
take_option(struct config *cf, int ch, char *const argv[])
{
	switch (ch) {
	case 'c':
		if (cf->collection)
			prog_usage("--collection: one at a time");
		cf->collection = optarg;
		break;
	case 'n': cf->dry_run = true; break;
	case 'o': cf->output = optarg; break;
	case 'q': cf->progress = PROGRESS_OFF; prog_quiet(); break;
	case OPT_ASSUME_STOPPED: cf->assume_stopped = true; break;
	case OPT_BACKUP: cf->backup = optarg; break;
	case OPT_DROP_NONFINITE: cf->drop = optarg; break;
	case OPT_FVECS: take_matrix(cf, MATRIX_FVECS); break;
	case OPT_IDS: cf->ids = optarg; break;
	case OPT_NPY: take_matrix(cf, MATRIX_NPY); break;
	case OPT_INSTALL: cf->install = optarg; break;
	case OPT_NO_BACKUP: cf->no_backup = true; break;
	case OPT_OLD: cf->old = optarg; break;
	case OPT_PROGRESS: cf->progress = PROGRESS_FORCED; break;
	case OPT_SPACE:
		cf->wish.space = params_space(slice_str(optarg));
		if (cf->wish.space == SPACE_UNKNOWN)
			prog_usage("--space: '%s' is none of l2, ip, cosine",
			    optarg);
		break;
	case OPT_TMPDIR: cf->tmpdir = optarg; break;
	case OPT_ONLY_IF:
		take_only_if(cf, optarg);
		break;
	case OPT_TEXT: cf->text = true; break;
	case OPT_WAIT:
		cf->wait_s = opt_u64("--wait", optarg, 0, OPT_WAIT_MAX);
		break;
	default:
		if (!take_number_option(cf, ch))
			opt_bad(ch, argv);
	}
}

int
main(int argc, char *argv[])
{
	struct config cf = { .wish.space = SPACE_UNKNOWN,
	    .max_memory = UINT64_MAX, .threads = workers_cpus(), .seed = 42 };
	struct job j = { .cf = &cf,
	    .publish.staging = { .parent = -1 },
	    .dir = { .fd = -1, .parent = -1 },
	    .drop = { .fd = -1, .dirfd = -1 } };
	struct err e = { 0 };
	int ch;

	prog_start(argv[0]);
	while ((ch = getopt_long(argc, argv, ":c:hno:qV", longopts,
	    NULL)) != -1)
		switch (ch) {
		case 'h': return prog_help(usage_text);
		case 'V': return prog_version();
		default: take_option(&cf, ch, argv);
		}
	check(&cf, argv + optind);
	if (run(&j, argv + optind, &e) < 0) {
		file_new_abort(&j.drop);
		dirnew_abort(&j.dir);
		publish_end(&j.publish);
		prog_fail(&e);
	}
	publish_end(&j.publish);
	return j.feed.dropped ? STATUS_NO : STATUS_OK;
}
