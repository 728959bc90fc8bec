/* SPDX-License-Identifier: Apache-2.0 */
/* chroma-hnswdump - write the vectors of an index as a stream
 *
 * In: a persist dir and a collection of it, or the directory of one index; of
 * neither anything changes.  Out: vector records, or a bare matrix.
 * Memory: what elements.h needs; the files are mapped.
 * See chroma-hnswdump(1), chroma-stream(5).
 */
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "chroma/catalog.h"
#include "chroma/elements.h"
#include "chroma/holders.h"
#include "chroma/select.h"
#include "prog/opt.h"
#include "prog/prog.h"
#include "prog/progress.h"
#include "stream/json.h"
#include "stream/matrix.h"
#include "stream/stream.h"

/* Ids without a vector are named one by one up to this many. */
#define IDS_SHOWN 20

/* How often it is tried again, while somebody writes to it. */
#define RETRY_MS 100

/* A file that is younger may be one that is just being written. */
#define YOUNG_S 2

/* chroma/segment/manager, of the segments whose index is in files (0.4.0 to
 * 1.5.9) */
#define VECTOR_TYPE "urn:chroma:segment/vector/hnsw-local-persisted"

enum deleted { DELETED_EXCLUDE, DELETED_INCLUDE, DELETED_ONLY };

struct config {
	const char *collection;
	bool space_set;
	enum space space;	/* of a bare index */
	enum deleted deleted;
	bool graph, salvage, matrix;
	enum matrix_form form;
	const char *ids;	/* where they go, beside a matrix */
	uint64_t limit;
	struct opt_output output;
	uint64_t wait_s;
	const char *tmpdir;
	enum progress_mode progress;
};

/* Where an index lies. */
struct source {
	struct persist pd;
	bool opened;		/* pd and catalog are in use */
	struct catalog catalog;
	const struct collection *col;	/* NULL: a bare index */
	char *path;		/* owned; of the index directory */
	const char *name;	/* its last component */
	int dirfd;		/* of the directory that it is in */
	bool own_dirfd;
	enum space space;
	int64_t dimension;	/* -1: not known */
	bool shared;		/* somebody else has it open, or may have */
	struct index_stamp stamp;
};

/* What is being written. */
struct dump {
	const struct config *cf;
	struct source src;
	struct elements el;
	struct elements_walk walk;
	uint64_t records;	/* to be written */
	bool lost;		/* something is missing or doubtful */
	int64_t end_ms;		/* of the waiting, by clock.h */
	struct out *out;
	struct stream_out so;
	struct file_new ids;
	struct buf id_lines, links;
	uint8_t *room;		/* for one vector */
};

static const char usage_text[] =
"usage: chroma-hnswdump [options] DIR -c NAME\n"
"       chroma-hnswdump [options] INDEXDIR --space=SPACE\n"
"Write the vectors of an index as a stream of records.\n"
"\n"
"  -b, --binary           write the binary form\n"
"  -c, --collection=NAME  of this collection: NAME, TENANT/DATABASE/NAME or a\n"
"                         UUID\n"
"      --deleted=WHICH    of deleted elements: exclude (default), include or\n"
"                         only\n"
"      --embedding=FORM   array (default), base64 or none\n"
"      --force            replace the file of -o; bytes to a terminal\n"
"      --fvecs            write the bare vectors, as .fvecs\n"
"      --graph            with the links of each element\n"
"  -h, --help             print this text\n"
"      --ids=FILE         with --npy or --fvecs: the ids go there, one a line\n"
"  -j, --jsonl            write JSONL (the default)\n"
"      --limit=N          at most N records\n"
"      --npy              write the bare vectors, as .npy\n"
"  -o, --output=FILE      write a file, which appears when it is complete\n"
"      --progress         show progress even where it is not a terminal\n"
"  -q, --quiet            no warnings, no progress\n"
"      --salvage          what can be read of a damaged index\n"
"      --space=SPACE      of the index in INDEXDIR: l2, ip or cosine\n"
"      --tmpdir=DIR       where a private copy may go; recovers a hot journal\n"
"  -V, --version          print the version\n"
"      --wait=SECONDS     how long to wait for who writes to it (default 10)\n"
"  -z, --zstd[=LEVEL]     compress with zstd (default 3)\n";

static const struct option longopts[] = {
	{ "binary",	 no_argument,		NULL, 'b' },
	{ "collection",	 required_argument,	NULL, 'c' },
	{ "deleted",	 required_argument,	NULL, OPT_DELETED },
	{ "embedding",	 required_argument,	NULL, OPT_EMBEDDING },
	{ "force",	 no_argument,		NULL, OPT_FORCE },
	{ "fvecs",	 no_argument,		NULL, OPT_FVECS },
	{ "graph",	 no_argument,		NULL, OPT_GRAPH },
	{ "help",	 no_argument,		NULL, 'h' },
	{ "ids",	 required_argument,	NULL, OPT_IDS },
	{ "jsonl",	 no_argument,		NULL, 'j' },
	{ "limit",	 required_argument,	NULL, OPT_LIMIT },
	{ "npy",	 no_argument,		NULL, OPT_NPY },
	{ "output",	 required_argument,	NULL, 'o' },
	{ "progress",	 no_argument,		NULL, OPT_PROGRESS },
	{ "quiet",	 no_argument,		NULL, 'q' },
	{ "salvage",	 no_argument,		NULL, OPT_SALVAGE },
	{ "space",	 required_argument,	NULL, OPT_SPACE },
	{ "tmpdir",	 required_argument,	NULL, OPT_TMPDIR },
	{ "version",	 no_argument,		NULL, 'V' },
	{ "wait",	 required_argument,	NULL, OPT_WAIT },
	{ "zstd",	 optional_argument,	NULL, 'z' },
	{ NULL, 0, NULL, 0 }
};

/* ---- finding it ---- */

/* The files must not move from here on. */
static void
stamp(struct source *src)
{
	struct holders h;
	struct err ignored;

	src->shared = holders_find(src->col ? src->pd.dir : src->path, &h,
	    &ignored) < 0 || h.n > 0 || h.unseen > 0;
	index_stamp(&src->stamp, src->dirfd, src->name);
}

static int
moved(const struct source *src, struct err *e)
{
	struct index_stamp now;

	index_stamp(&now, src->dirfd, src->name);
	if (!index_stamp_same(&now, &src->stamp))
		return err_busy(e, "%s changed while it was read; try again",
		    err_tail(src->path));
	return 0;
}

/* The one collection that was asked for. */
static int
find_collection(struct source *src, const struct config *cf, struct err *e)
{
	struct select sel = { .only = &cf->collection, .n_only = 1 };
	size_t i;

	if (select_apply(&src->catalog, &sel, e) < 0)
		return -1;
	for (i = 0; i < src->catalog.n; i++)
		if (src->catalog.collection[i].selected)
			src->col = &src->catalog.collection[i];
	if (src->col->ambiguous)
		return err_data(e, "collection %s: %s", src->col->name,
		    src->col->ambiguous);
	if (!src->col->vector_segment)
		return err_data(e, "collection %s: it has no VECTOR segment",
		    src->col->name);
	if (!src->col->vector_type ||
	    strcmp(src->col->vector_type, VECTOR_TYPE) != 0)
		return err_data(e, "collection %s: its vector segment is of a "
		    "type that keeps no files", src->col->name);
	if (src->col->params.space == SPACE_UNKNOWN)
		return err_data(e, "collection %s: its space is none of l2, ip "
		    "and cosine", src->col->name);
	return 0;
}

/* The catalog is read twice: first for the name of the index, then, when its
 * files are stamped, for what belongs to them. */
static int
open_persist(struct source *src, const struct config *cf, const char *dir,
    int64_t end_ms, struct err *e)
{
	struct persist_options po = opt_persist(cf->wait_s, cf->tmpdir);
	int64_t left = end_ms - clock_ms();
	struct buf path = { 0 };
	int try;

	po.wait_ms = left > 0 ? (int)left : 0;
	if (persist_open(&src->pd, dir, &po, e) < 0)
		return -1;
	src->opened = true;
	for (try = 0; try < 2; try++) {
		if (try > 0)
			catalog_release(&src->catalog);
		if (catalog_load(&src->catalog, &src->pd, e) < 0)
			return persist_failed(&src->pd, e);
		if (find_collection(src, cf, e) < 0)
			return -1;
		if (try > 0 && strcmp(src->name, src->col->vector_segment) != 0)
			return err_busy(e, "collection %s has got another "
			    "index just now; try again", src->col->name);
		if (try > 0)
			break;
		buf_addf(&path, "%s/%s", src->pd.dir,
		    src->col->vector_segment);
		src->path = strdup(buf_str(&path));
		if (!buf_ok(&path) || !src->path)
			return err_nomem(e);
		buf_release(&path);
		src->name = strrchr(src->path, '/') + 1;
		src->dirfd = src->pd.dirfd;
		stamp(src);
	}
	src->space = src->col->params.space;
	src->dimension = src->col->dimension;
	if (src->catalog.era.unknown[0])
		prog_warn("%s: migrations newer than this program knows (%s); "
		    "reading on", src->pd.file, src->catalog.era.unknown);
	return 0;
}

static int
open_bare(struct source *src, const struct config *cf, const char *dir,
    struct err *e)
{
	struct stat st;
	char *parent;
	int f;

	src->path = realpath(dir, NULL);
	if (!src->path || stat(src->path, &st) < 0)
		return err_system(e, "%s", err_tail(dir));
	if (!S_ISDIR(st.st_mode))
		return err_fail(e, "%s is not a directory; give that of one "
		    "index, the one with %s in it", err_tail(dir),
		    index_file_name[INDEX_HEADER]);
	src->name = strrchr(src->path, '/') + 1;
	parent = strndup(src->path, (size_t)(src->name - src->path));
	if (!parent)
		return err_nomem(e);
	src->dirfd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(parent);
	if (src->dirfd < 0)
		return err_system(e, "%s", err_tail(src->path));
	src->own_dirfd = true;
	src->space = cf->space;
	src->dimension = -1;
	stamp(src);
	for (f = 0; f < INDEX_FILES; f++)
		if (src->stamp.file[f].ino != 0)
			return 0;
	return err_fail(e, "%s: no %s in it, nor another file of an index",
	    err_tail(dir), index_file_name[INDEX_HEADER]);
}

static void
close_source(struct source *src)
{
	if (src->own_dirfd)
		close(src->dirfd);
	if (src->opened) {
		persist_close(&src->pd);
		catalog_release(&src->catalog);
	}
	free(src->path);
	*src = (struct source){ .dirfd = -1 };
}

/* ---- is it sound? ---- */

/* A file of it was written to just now, while somebody has it open. */
static bool
fresh(const struct source *src)
{
	time_t now = time(NULL);
	int i;

	for (i = 0; src->shared && i < INDEX_FILES; i++)
		if (src->stamp.file[i].ino != 0 &&
		    src->stamp.file[i].mtime_s + YOUNG_S >= now)
			return true;
	return false;
}

/* Files are missing, but nothing was ever persisted in them: Chroma starts anew
 * there without a loss. */
static bool
nothing_persisted(const struct dump *d)
{
	const struct index_dir *dir = &d->el.dir;
	const struct collection *col = d->src.col;

	return !dir->there[INDEX_PICKLE] && col &&
	    col->vector.source == WATERMARK_NONE && dir->has_header &&
	    dir->header.cur_element_count == 0;
}

/* The first thing wrong with it, with its place; status 0: nothing. */
static struct err
find_fault(const struct dump *d)
{
	const struct elements *el = &d->el;
	const struct collection *col = d->src.col;
	struct err why = el->found.fault;

	if (nothing_persisted(d))
		return (struct err){ 0 };
	if (!why.status && el->found.bad_lengths)
		err_data(&why, "%s: element %" PRIu64 ": a length that is not "
		    "the one of its vector: corrupt, or not a cosine index",
		    index_file_name[INDEX_LENGTH], el->found.bad_length_at);
	if (!why.status && !el->has_pickle && col &&
	    col->vector.source == WATERMARK_ROW)
		err_data(&why, "%s: missing, but the index was persisted up to "
		    "seq_id %" PRIu64, index_file_name[INDEX_PICKLE],
		    col->vector.seq_id);
	return why;
}

/* ---- what a salvage has to say ---- */

static void
doubt(struct dump *d, uint64_t n, const char *what)
{
	if (n == 0)
		return;
	prog_warn("%" PRIu64 " %s", n, what);
	d->lost = true;
}

/* The ids whose vector is not there. */
static void
name_missing(const struct elements *el)
{
	const struct pickle_map *map = &el->pickle.id_to_label;
	struct buf id = { 0 };
	uint32_t internal;
	size_t i, n = 0;

	for (i = 0; i < map->n && n < IDS_SHOWN; i++)
		if (!elements_find(el, map->pair[i].id, &internal)) {
			buf_reset(&id);
			json_put_string(&id, map->pair[i].id);
			prog_warn("id %s: no vector", buf_str(&id));
			n++;
		}
	buf_release(&id);
}

/* Elements that were never written; live ones without an id; and those with
 * the label of another one, never written ones not counted. */
static void
count(struct dump *d, uint64_t *blank, uint64_t *nameless, uint64_t *same)
{
	struct element x;

	*blank = *nameless = 0;
	*same = d->el.found.same_labels;
	while (elements_next(&d->walk, &x)) {
		if (x.blank && (*blank)++ > 0 && *same > 0)
			(*same)--;	/* they have label 0 */
		*nameless += !x.blank && !x.deleted && !x.id.p;
	}
	elements_walk_again(&d->walk);
}

/* Elements that are missing, or have no id of their own. */
static void
tell_elements(struct dump *d)
{
	const struct elements *el = &d->el;
	uint64_t blank, nameless, same, all = el->dir.header.cur_element_count;

	count(d, &blank, &nameless, &same);
	doubt(d, all - el->readable + blank, "elements cannot be read");
	if (!el->has_pickle)
		doubt(d, el->readable - blank, "elements have no id: there is "
		    "no index_metadata.pickle that can be read");
	else
		doubt(d, nameless, "live elements have no id");
	doubt(d, same, "elements have the label of another one");
}

/* Links that are missing or doubtful. */
static void
tell_links(struct dump *d)
{
	const struct elements *el = &d->el;
	const struct elements_findings *f = &el->found;

	doubt(d, f->bad_links, "elements have links that are wrong: those "
	    "that lead nowhere are left out");
	doubt(d, el->readable - el->leveled, "elements have upper links that "
	    "cannot be read");
	doubt(d, el->dir.size[INDEX_LINKS] - f->links_size, "bytes of "
	    "link_lists.bin are none of the elements': levels may be missing");
	if (el->dir.has_header && f->max_level != el->dir.header.maxlevel) {
		prog_warn("header.bin has another highest level: levels may be "
		    "wrong");
		d->lost = true;
	}
}

/* Whatever is missing or doubtful in what will be written. */
static void
tell_losses(struct dump *d, const struct err *why)
{
	const struct elements *el = &d->el;
	const struct elements_findings *f = &el->found;
	prog_warn("%s/%s", err_tail(d->src.path), why->msg);
	if (el->dir.has_header)
		tell_elements(d);
	else
		prog_warn("how many elements there were is not known");
	d->lost = d->lost || !el->dir.has_header || !el->has_pickle;
	doubt(d, f->missing_labels, "ids have no vector");
	name_missing(el);
	doubt(d, f->bad_pairs, "entries of index_metadata.pickle contradict "
	    "others: ids may be at the wrong vector");
	doubt(d, f->bad_flags, "elements have marks that no Chroma sets: they "
	    "may be deleted or not");
	if (d->src.space == SPACE_COSINE)
		doubt(d, el->readable - el->lengths, "vectors have no length "
		    "in length.bin: written with length 1");
	doubt(d, f->bad_lengths, "vectors have a length that is not theirs: "
	    "where it is 0 or no number, written as stored");
	if (d->src.dimension >= 0 && el->dir.has_header &&
	    (uint64_t)d->src.dimension != el->dir.header.dim)
		doubt(d, el->readable, "vectors are not of the collection's "
		    "dimension");
	if (d->cf->graph)
		tell_links(d);
}
/* Refuse what is damaged, or say what of it is lost.  0, or -1 with *e set. */
static int
judge(struct dump *d, struct err *e)
{
	struct err why = find_fault(d);

	if (moved(&d->src, e) < 0)
		return -1;
	if (!why.status)
		return 0;
	if (fresh(&d->src))
		return err_busy(e, "%s/%s; it may be being written: try again",
		    err_tail(d->src.path), why.msg);
	if (!d->cf->salvage) {
		err_data(e, "%s/%s; --salvage writes what can be read",
		    err_tail(d->src.path), why.msg);
		e->status = why.status;
		return -1;
	}
	tell_losses(d, &why);
	return 0;
}

/* ---- writing ---- */

/* Whether an element was asked for. */
static bool
wanted(const struct config *cf, const struct element *x)
{
	return !x->blank && (cf->deleted == DELETED_INCLUDE ||
	    x->deleted == (cf->deleted == DELETED_ONLY));
}

/* How many records there will be; *more: beyond --limit. */
static void
count_records(struct dump *d, bool *more)
{
	struct element x;
	uint64_t n = 0;

	while (elements_next(&d->walk, &x))
		n += wanted(d->cf, &x);
	elements_walk_again(&d->walk);
	*more = n > d->cf->limit;
	d->records = *more ? d->cf->limit : n;
}

static void
put_optional(struct jsonw *w, const char *key, bool there, int64_t v)
{
	if (there)
		json_int(w, key, v);
	else
		json_null(w, key);
}

/* What the files say, for the begin record. */
static void
put_index(const struct dump *d, struct buf *out)
{
	const struct elements *el = &d->el;
	const struct index_header *h = &el->dir.header;
	struct jsonw w = { .b = out };
	uint64_t entry = 0;
	bool there = h->cur_element_count > 0 &&
	    elements_label(el, h->enterpoint_node, &entry);

	if (!el->dir.has_header) {
		buf_adds(out, "null");
		return;
	}
	json_open(&w, NULL, '{');
	json_cstr(&w, "space", space_name(d->src.space));
	json_int(&w, "dimension", (int64_t)h->dim);
	json_int(&w, "M", (int64_t)h->M);
	json_int(&w, "ef_construction", (int64_t)h->ef_construction);
	json_int(&w, "elements", (int64_t)el->found.elements);
	json_int(&w, "deleted", (int64_t)el->found.deleted);
	put_optional(&w, "max_level", el->found.max_level >= 0,
	    el->found.max_level);
	put_optional(&w, "entry_point", there && entry <= INT64_MAX,
	    (int64_t)entry);
	put_optional(&w, "total_elements_added", el->has_pickle &&
	    el->pickle.has_total, el->pickle.total_elements_added);
	json_close(&w, '}');
}

static int
put_begin(struct dump *d, bool partial, struct err *e)
{
	struct buf index = { 0 }, text = { 0 };
	int r;

	put_index(d, &index);
	catalog_begin_vectors(d->src.col ? &d->src.catalog : NULL,
	    (partial ? BEGIN_PARTIAL : 0u) |
	    (d->cf->output.embedding == EMBEDDING_NONE ? BEGIN_NO_EMBEDDINGS :
	    0u), buf_slice(&index), &text);
	r = buf_ok(&index) && buf_ok(&text) ?
	    stream_put_begin(&d->so, buf_slice(&text), e) : err_nomem(e);
	buf_release(&index);
	buf_release(&text);
	return r;
}

static int
put_record(struct dump *d, const struct element *x, struct err *e)
{
	const struct config *cf = d->cf;
	struct record r = { .type = RECORD_VECTOR, .operation = OPERATION_NONE,
	    .has = FIELD_LABEL | FIELD_DELETED, .label = x->label,
	    .deleted = x->deleted };

	if (d->src.col) {
		r.has |= FIELD_COLLECTION_ID;
		r.collection_id = slice_str(d->src.col->id);
	}
	if (x->id.p) {
		r.has |= FIELD_ID;
		r.id = x->id;
	}
	if (x->level >= 0) {
		r.has |= FIELD_LEVEL;
		r.level = (uint32_t)x->level;
	}
	if (cf->graph) {
		buf_reset(&d->links);
		if (elements_links(&d->el, x, &d->links, e) < 0)
			return -1;
		r.has |= FIELD_LINKS;
		r.links = buf_slice(&d->links);
	}
	if (cf->output.embedding != EMBEDDING_NONE) {
		r.has |= FIELD_EMBEDDING;
		r.form = cf->output.embedding;
		if (elements_length(&d->el, x->internal, &r.length))
			r.has |= FIELD_LENGTH;
		r.embedding = elements_vector(&d->el, x->internal, d->room);
		r.dim = (uint32_t)d->el.dir.header.dim;
	}
	return stream_put_record(&d->so, &r, e);
}

/* One id as a line, null where there is none. */
static int
put_id(struct dump *d, struct slice id, struct err *e)
{
	struct buf *b = &d->id_lines;

	if (id.p)
		json_put_string(b, id);
	else
		buf_adds(b, "null");
	buf_addc(b, '\n');
	if (!buf_ok(b))
		return err_nomem(e);
	if (b->len < (size_t)1 << 18)
		return 0;
	if (file_write(d->ids.fd, b->p, b->len) < 0)
		return err_system(e, "%s: write", err_tail(d->cf->ids));
	buf_reset(b);
	return 0;
}

static int
put_element(struct dump *d, const struct element *x, struct err *e)
{
	if (!d->cf->matrix)
		return put_record(d, x, e);
	if (d->cf->ids && put_id(d, x->id, e) < 0)
		return -1;
	return matrix_row(d->out, d->cf->form, elements_vector(&d->el,
	    x->internal, d->room), d->el.dir.header.dim, e);
}

static int
put_elements(struct dump *d, struct err *e)
{
	struct element x;
	uint64_t n = 0;

	progress_start(d->cf->progress, "elements", d->records);
	while (n < d->records && elements_next(&d->walk, &x))
		if (wanted(d->cf, &x)) {
			if (put_element(d, &x, e) < 0)
				return -1;
			progress_update(++n);
		}
	progress_end();
	return 0;
}

static int
put_head(struct dump *d, bool partial, struct err *e)
{
	/* also of a header that was made up in the place of a bad one */
	uint64_t dim = d->el.dir.has_header || d->el.readable > 0 ?
	    d->el.dir.header.dim :
	    d->src.dimension > 0 ? (uint64_t)d->src.dimension : 0;

	d->room = malloc(4 * (size_t)dim + 1);
	if (!d->room)
		return err_nomem(e);
	if (!d->cf->matrix) {
		stream_out_init(&d->so, d->out, d->cf->output.binary, false);
		return put_begin(d, partial, e);
	}
	return matrix_head(d->out, d->cf->form, d->records, dim, e);
}

/* The ids are there before the matrix is. */
static int
put_tail(struct dump *d, struct err *e)
{
	struct buf *b = &d->id_lines;

	if (!d->cf->matrix)
		return stream_put_end(&d->so, e);
	if (!d->cf->ids)
		return 0;
	if (b->len && file_write(d->ids.fd, b->p, b->len) < 0)
		return err_system(e, "%s: write", err_tail(d->cf->ids));
	if (file_new_commit(&d->ids, e) < 0)
		return -1;
	return 0;
}

/* Close all of the directory. */
static void
let_go(struct dump *d)
{
	elements_walk_end(&d->walk);
	elements_close(&d->el);
	d->el = (struct elements){ .dir.fd = -1 };
	close_source(&d->src);
}

static int
write_all(struct dump *d, struct err *e)
{
	struct err ignored;
	bool more;

	count_records(d, &more);
	if (put_head(d, more || d->lost || d->cf->deleted == DELETED_ONLY,
	    e) < 0)
		return -1;
	if (put_elements(d, e) < 0 || moved(&d->src, e) < 0 ||
	    (d->src.col && persist_check(&d->src.pd, e) < 0)) {
		/* what was read goes out, without an end record */
		(void)!((!d->cf->matrix && stream_flush(&d->so,
		    &ignored) < 0) || out_flush(d->out, &ignored) < 0);
		return -1;
	}
	/* nothing of the directory is open when the end record goes out */
	let_go(d);
	return put_tail(d, e);
}

/* Open it, and see whether it is sound. */
static int
prepare(struct dump *d, const char *dir, struct err *e)
{
	const struct config *cf = d->cf;
	struct source *src = &d->src;
	bool vectors;

	if ((cf->space_set ? open_bare(src, cf, dir, e) :
	    open_persist(src, cf, dir, d->end_ms, e)) < 0)
		return -1;
	vectors = src->space == SPACE_COSINE;
	if (elements_open_all(&d->el, src->dirfd, src->name, src->dimension,
	    src->col ? (uint64_t)src->col->params.value[PARAM_M] : 0,
	    src->space, vectors, e) < 0)
		return -1;
	if (elements_walk_begin(&d->walk, &d->el, e) < 0)
		return -1;
	return judge(d, e);
}

/* Who has written nothing yet can wait until nobody else does. */
static int
run(struct dump *d, const char *dir, struct err *e)
{
	static const struct timespec pause = { 0, RETRY_MS * 1000000L };
	const struct config *cf = d->cf;
	int r;

	d->end_ms = clock_ms() + (int64_t)cf->wait_s * 1000;
	while (prepare(d, dir, e) < 0) {
		let_go(d);
		if (e->status != STATUS_BUSY || clock_ms() >= d->end_ms)
			return -1;
		nanosleep(&pause, NULL);
	}
	if (cf->ids && file_new_begin(&d->ids, cf->ids, cf->output.force,
	    e) < 0)
		return -1;
	r = write_all(d, e);
	if (r < 0 && cf->ids)
		file_new_abort(&d->ids);
	stream_out_release(&d->so);
	buf_release(&d->id_lines);
	buf_release(&d->links);
	free(d->room);
	return r;
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

static void
take_space(struct config *cf, const char *arg)
{
	enum space s = params_space(slice_str(arg));

	if (s == SPACE_UNKNOWN)
		prog_usage("--space: '%s' is none of l2, ip, cosine", arg);
	cf->space = s;
	cf->space_set = true;
}

static void
take_deleted(struct config *cf, const char *arg)
{
	static const char *const word[] = { "exclude", "include", "only" };
	int i;

	for (i = 0; i < 3; i++)
		if (strcmp(arg, word[i]) == 0) {
			cf->deleted = (enum deleted)i;
			return;
		}
	prog_usage("--deleted: '%s' is none of exclude, include, only", arg);
}

static void
check_matrix(const struct config *cf)
{
	const char *form = cf->form == MATRIX_NPY ? "--npy" : "--fvecs";

	if (!cf->matrix && cf->ids)
		prog_usage("--ids: only with --npy or --fvecs; records have "
		    "their ids");
	if (!cf->matrix)
		return;
	if (cf->output.binary)
		opt_conflict(form, "--binary");
	if (cf->output.jsonl)
		opt_conflict(form, "--jsonl");
	if (cf->output.embedding_set)
		opt_conflict(form, "--embedding");
	if (cf->graph)
		opt_conflict(form, "--graph");
}

static void
check(const struct config *cf, int operands)
{
	if (operands != 1)
		prog_usage(operands ? "one directory at a time" : "no "
		    "directory given: a persist dir, or that of one index");
	if (cf->collection && cf->space_set)
		prog_usage("--collection and --space exclude one another: the "
		    "space of a collection is known");
	if (!cf->collection && !cf->space_set)
		prog_usage("of what? --collection=NAME for a persist dir, "
		    "--space=SPACE for the directory of one index");
	check_matrix(cf);
}

int
main(int argc, char *argv[])
{
	struct config cf = { .limit = UINT64_MAX, .wait_s = OPT_WAIT_DEFAULT };
	struct dump d = { .cf = &cf, .src.dirfd = -1, .el.dir.fd = -1 };
	struct err e = { 0 };
	struct out out;
	int ch;

	prog_start(argv[0]);
	while ((ch = getopt_long(argc, argv, ":bc:hjo:qVz", longopts,
	    NULL)) != -1)
		switch (ch) {
		case 'c':
			if (cf.collection)
				prog_usage("--collection: one at a time");
			cf.collection = optarg;
			break;
		case 'h': return prog_help(usage_text);
		case 'q': cf.progress = PROGRESS_OFF; prog_quiet(); break;
		case 'V': return prog_version();
		case OPT_DELETED: take_deleted(&cf, optarg); break;
		case OPT_FVECS: take_matrix(&cf, MATRIX_FVECS); break;
		case OPT_GRAPH: cf.graph = true; break;
		case OPT_IDS: cf.ids = optarg; break;
		case OPT_LIMIT:
			cf.limit = opt_u64("--limit", optarg, 0, UINT64_MAX);
			break;
		case OPT_NPY: take_matrix(&cf, MATRIX_NPY); break;
		case OPT_PROGRESS: cf.progress = PROGRESS_FORCED; break;
		case OPT_SALVAGE: cf.salvage = true; break;
		case OPT_SPACE: take_space(&cf, optarg); break;
		case OPT_TMPDIR: cf.tmpdir = optarg; break;
		case OPT_WAIT:
			cf.wait_s = opt_u64("--wait", optarg, 0, OPT_WAIT_MAX);
			break;
		default:
			if (!opt_output_take(&cf.output, ch, optarg))
				opt_bad(ch, argv);
		}
	check(&cf, argc - optind);
	if (opt_output_open(&cf.output, cf.output.binary || cf.matrix, &out,
	    &e) < 0)
		prog_fail(&e);
	d.out = &out;
	if (run(&d, argv[optind], &e) < 0) {
		if (out.is_file)
			out_abort(&out);
		prog_fail(&e);
	}
	if (out_close(&out, &e) < 0)
		prog_fail(&e);
	return d.lost ? STATUS_NO : STATUS_OK;
}
