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
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/le.h"
#include "base/workers.h"
#include "chroma/params.h"
#include "chroma/picklewrite.h"
#include "index/build.h"
#include "index/files.h"
#include "index/intake.h"
#include "prog/opt.h"
#include "prog/prog.h"
#include "prog/progress.h"
#include "prog/receipt.h"
#include "stream/json.h"
#include "stream/stream.h"

struct config {
	const char *output, *tmpdir;
	enum space space;		/* SPACE_UNKNOWN: the stream says it */
	uint64_t m, ef_construction;	/* 0: the same */
	unsigned threads;
	uint64_t seed;
	enum progress_mode progress;
};

/* Everything between the streams and the files. */
struct job {
	struct config *cf;
	struct intake in;
	struct vectors v;
	uint32_t *number;		/* of the id of each vector */
	float *unit, *length;		/* cosine: what is stored */
	uint64_t *label;
	struct build_result b;
	int64_t last;			/* the greatest seq_id */
};

static const char usage_text[] =
"usage: chroma-hnswbuild [options] -o DIR [file ...]\n"
"Build the index of a Chroma collection from streams of vectors.\n"
"\n"
"      --ef-construction=N\n"
"                         effort for later additions, and the upper levels\n"
"  -h, --help             print this text\n"
"      --M=N              links of an element\n"
"  -o, --output=DIR       write the index to DIR, which does not exist\n"
"      --progress         show progress even where it is not a terminal\n"
"  -q, --quiet            no receipt, no progress\n"
"      --seed=N           another draw of levels and clusters\n"
"      --space=SPACE      l2, ip or cosine\n"
"      --threads=N        threads to use (default: all processors)\n"
"      --tmpdir=DIR       where the vectors go while they are read\n"
"  -V, --version          print the version\n";

enum { BUILD_EF = 1000, BUILD_M, BUILD_SEED, BUILD_SPACE, BUILD_THREADS };

static const struct option longopts[] = {
	{ "ef-construction", required_argument,	NULL, BUILD_EF },
	{ "help",	 no_argument,		NULL, 'h' },
	{ "M",		 required_argument,	NULL, BUILD_M },
	{ "output",	 required_argument,	NULL, 'o' },
	{ "progress",	 no_argument,		NULL, OPT_PROGRESS },
	{ "quiet",	 no_argument,		NULL, 'q' },
	{ "seed",	 required_argument,	NULL, BUILD_SEED },
	{ "space",	 required_argument,	NULL, BUILD_SPACE },
	{ "threads",	 required_argument,	NULL, BUILD_THREADS },
	{ "tmpdir",	 required_argument,	NULL, OPT_TMPDIR },
	{ "version",	 no_argument,		NULL, 'V' },
	{ NULL, 0, NULL, 0 }
};

/* ---- reading ---- */

static enum space
space_of(const char *name)
{
	enum space s;

	for (s = SPACE_L2; s < SPACE_UNKNOWN; s++)
		if (strcmp(name, space_name(s)) == 0)
			return s;
	return SPACE_UNKNOWN;
}

/* What the begin record says of its one collection, where no option does. */
static int
take_begin(struct config *cf, struct slice text, struct err *e)
{
	static const char *const source[] = { "collections" };
	static const char *const key[] = { "space", "M", "ef_construction" };
	struct slice list[1], col, val[3];
	struct json_iter it;
	struct begin bg;
	char name[16];
	int got;

	if (stream_begin_parse(text, &bg, e) < 0)
		return -1;
	if (!bg.source.p || json_members(bg.source, source, list, 1, e) < 0 ||
	    !list[0].p)
		return 0;
	if (json_array(&it, list[0], e) < 0)
		return -1;
	got = json_element(&it, &col);
	if (got <= 0 || json_members(col, key, val, 3, e) < 0)
		return got;
	if (cf->space == SPACE_UNKNOWN && json_is_string(val[0]) &&
	    val[0].len < sizeof(name)) {
		memcpy(name, val[0].p + 1, val[0].len - 2);
		name[val[0].len - 2] = '\0';
		cf->space = space_of(name);
	}
	if (cf->m == 0)
		(void)!json_u63(val[1], &cf->m);
	if (cf->ef_construction == 0)
		(void)!json_u63(val[2], &cf->ef_construction);
	return json_element(&it, &col) > 0 ? err_usage(e, "the stream has "
	    "several collections; choose one with chroma-walfilter -c") : 0;
}

static bool
all_finite(const struct record *r)
{
	uint32_t i;

	for (i = 0; r->has & FIELD_EMBEDDING && i < r->dim; i++)
		if (!isfinite(le_f32(r->embedding + (size_t)i * 4)))
			return false;
	return true;
}

static int
take_record(struct job *j, const struct stream_in *si,
    const struct item *item, struct record_memory *m, struct err *e)
{
	struct record r;

	if (item->type == RECORD_OTHER)
		return 0;
	if (stream_record(si, item, FIELD_ID | FIELD_OPERATION |
	    FIELD_SEQ_ID | FIELD_DELETED | FIELD_EMBEDDING, &r, m, e) < 0)
		return -1;
	if (!all_finite(&r)) {
		err_data(e, "the vector of '%.*s' is not finite",
		    (int)(r.id.len < 100 ? r.id.len : 100), r.id.p);
		return stream_at(si, item, e);
	}
	if (r.has & FIELD_SEQ_ID && r.seq_id > j->last)
		j->last = r.seq_id;
	return intake_take(&j->in, &r, e) < 0 ? stream_at(si, item, e) : 0;
}

static int
read_stream(struct job *j, const char *path, struct err *e)
{
	struct record_memory m = { 0 };
	struct stream_in si;
	struct item item;
	int got, r = 0;

	if (stream_in_open(&si, path, false, e) < 0)
		return -1;
	while (r == 0 && (got = stream_next(&si, &item, e)) != 0) {
		if (got < 0)
			r = -1;
		else if (item.type == RECORD_BEGIN)
			r = take_begin(j->cf, item.json, e);
		else if (item.type != RECORD_END)
			r = take_record(j, &si, &item, &m, e);
		progress_update(j->in.records);
	}
	record_memory_release(&m);
	stream_in_close(&si);
	return r;
}

/* ---- building ---- */

/* As Chroma stores vectors of a cosine index, by its own float32 steps. */
static void
normalise(size_t i, unsigned worker, void *arg)
{
	struct job *j = arg;
	const uint8_t *p = vectors_at(&j->v, (uint32_t)i);
	float *to = j->unit + i * j->v.dim, sum = 0;
	size_t k;

	(void)worker;
	for (k = 0; k < j->v.dim; k++) {
		to[k] = le_f32(p + 4 * k);
		sum += to[k] * to[k];
	}
	j->length[i] = sqrtf(sum);
	sum = 1.0f / (j->length[i] + 1e-30f);
	for (k = 0; k < j->v.dim; k++)
		to[k] *= sum;
}

static int
build_it(struct job *j, struct err *e)
{
	struct config *cf = j->cf;
	struct build_params p = { .ip = cf->space == SPACE_IP,
	    .m = (unsigned)cf->m,
	    .ef_construction = (unsigned)cf->ef_construction,
	    .threads = cf->threads, .seed = cf->seed };
	uint32_t i;

	if (intake_finish(&j->in, &j->v, &j->number, e) < 0)
		return -1;
	j->label = malloc(((size_t)j->v.n + 1) * sizeof(*j->label));
	if (!j->label)
		return err_nomem(e);
	for (i = 0; i < j->v.n; i++)
		j->label[i] = i + 1;
	if (cf->space == SPACE_COSINE && j->v.n > 0) {
		j->unit = codes_alloc(j->v.n, j->v.dim * sizeof(float));
		j->length = malloc(j->v.n * sizeof(float));
		if (!j->unit || !j->length)
			return err_nomem(e);
		workers_run(cf->threads, j->v.n, 256, normalise, j);
		j->v.base = (const uint8_t *)j->unit;
	}
	return build(&j->b, &j->v, &p, e);
}

/* ---- writing ---- */

static int
item(void *arg, uint32_t i, struct picklewrite_item *x, struct err *e)
{
	struct job *j = arg;

	x->label = (int64_t)j->label[i];
	x->seq_id = j->in.id[j->number[i]].seq_id;
	return intake_text(&j->in, j->number[i], &x->id, e);
}

static int
write_pickle(struct job *j, int dirfd, struct err *e)
{
	struct picklewrite p = { (int64_t)j->v.dim, j->v.n, j->last, j->v.n,
	    item, j };
	int fd = openat(dirfd, "index_metadata.pickle", O_WRONLY | O_CREAT |
	    O_EXCL | O_CLOEXEC, 0666), r;

	if (fd < 0)
		return err_system(e, "index_metadata.pickle");
	r = picklewrite(&p, fd, e);
	if (r == 0 && fsync(fd) < 0)
		r = err_system(e, "index_metadata.pickle");
	close(fd);
	return r;
}

static int
write_out(struct job *j, struct files *f, struct err *e)
{
	const char *path = j->cf->output;
	int dirfd, r;

	*f = (struct files){ .b = &j->b, .v = &j->v, .length = j->length,
	    .label = j->label, .ef_construction = j->cf->ef_construction };
	if (mkdir(path, 0777) < 0)
		return err_system(e, "%s", err_tail(path));
	dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return err_system(e, "%s", err_tail(path));
	r = files_write(f, dirfd, e);
	if (r == 0)
		r = write_pickle(j, dirfd, e);
	if (r == 0 && syncfs(dirfd) < 0)
		r = err_system(e, "%s: sync", err_tail(path));
	close(dirfd);
	return r;
}

static int
report(const struct job *j, const struct files *f, struct receipt *receipt,
    struct err *e)
{
	struct jsonw *w = &receipt->w;

	json_cstr(w, "output", j->cf->output);
	json_cstr(w, "space", space_name(j->cf->space));
	json_int(w, "M", (int64_t)j->cf->m);
	json_int(w, "ef_construction", (int64_t)j->cf->ef_construction);
	json_int(w, "records", (int64_t)j->in.records);
	json_int(w, "elements", j->v.n);
	json_int(w, "dimension", (int64_t)j->v.dim);
	json_int(w, "copies", j->b.copies);
	json_int(w, "max_level", j->b.graph.max_level);
	json_real(w, "candidates_found", j->b.found, 4);
	json_int(w, "rounds", j->b.rounds);
	json_int(w, "attached", j->b.repaired);
	json_int(w, "unreachable", j->b.left);
	json_int(w, "bytes", (int64_t)f->bytes);
	return receipt_print(receipt, e);
}

/* ---- the command line ---- */

static void
parse(struct config *cf, int argc, char *argv[])
{
	int ch;

	while ((ch = getopt_long(argc, argv, ":ho:qV", longopts, NULL)) != -1)
		switch (ch) {
		case 'o': cf->output = optarg; break;
		case 'q': cf->progress = PROGRESS_OFF; prog_quiet(); break;
		case BUILD_EF:
			cf->ef_construction = opt_u64("--ef-construction",
			    optarg, 1, 100000);
			break;
		case BUILD_M:
			cf->m = opt_u64("--M", optarg, GRAPH_M_MIN,
			    GRAPH_M_MAX);
			break;
		case BUILD_SEED:
			cf->seed = opt_u64("--seed", optarg, 0, INT64_MAX);
			break;
		case BUILD_SPACE:
			cf->space = space_of(optarg);
			if (cf->space == SPACE_UNKNOWN)
				prog_usage("--space: '%s' is none of l2, ip, "
				    "cosine", optarg);
			break;
		case BUILD_THREADS:
			cf->threads = (unsigned)opt_u64("--threads", optarg,
			    1, WORKERS_MAX);
			break;
		case OPT_PROGRESS: cf->progress = PROGRESS_FORCED; break;
		case OPT_TMPDIR: cf->tmpdir = optarg; break;
		case 'h': exit(prog_help(usage_text));
		case 'V': exit(prog_version());
		default: opt_bad(ch, argv);
		}
	if (!cf->output)
		prog_usage("-o DIR: where is the index to go?");
}

int
main(int argc, char *argv[])
{
	struct config cf = { .space = SPACE_UNKNOWN,
	    .threads = workers_cpus(), .seed = 42 };
	struct job j = { .cf = &cf };
	struct receipt receipt;
	struct files f;
	struct err e = { 0 };
	int i;

	prog_start(argv[0]);
	parse(&cf, argc, argv);
	receipt_start(&receipt);
	progress_start(cf.progress, "records", 0);
	if (intake_init(&j.in, cf.tmpdir, &e) < 0)
		prog_fail(&e);
	for (i = optind; i == optind || i < argc; i++)
		if (read_stream(&j, argv[i], &e) < 0)
			prog_fail(&e);
	progress_end();
	if (cf.space == SPACE_UNKNOWN)
		cf.space = SPACE_L2;
	if (cf.m < GRAPH_M_MIN || cf.m > GRAPH_M_MAX)
		cf.m = 16;
	if (cf.ef_construction == 0)
		cf.ef_construction = 100;
	if (build_it(&j, &e) < 0 || write_out(&j, &f, &e) < 0)
		prog_fail(&e);
	if (cf.progress != PROGRESS_OFF && report(&j, &f, &receipt, &e) < 0)
		prog_fail(&e);
	return STATUS_OK;
}
