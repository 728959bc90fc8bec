/* SPDX-License-Identifier: Apache-2.0 */
/* newindex.c - the index of a collection, from what records leave to its five
 * files. */
#include "chroma/newindex.h"

#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chroma/index.h"
#include "chroma/oldgraph.h"
#include "chroma/picklewrite.h"
#include "index/files.h"

#define SLACK ((uint64_t)16 << 20)	/* memory for all else */

/* ---- what it takes ---- */

uint64_t
newindex_memory(const struct newindex *n)
{
	return build_memory(n->in->live, n->in->dim, n->m, n->threads) +
	    intake_memory(n->in) + SLACK;
}

/* By the mean number of upper levels. */
uint64_t
newindex_space(const struct newindex *n)
{
	const uint64_t live = n->in->live, m = n->m, dim = n->in->dim;

	return 100 + live * (4 + 8 * m + 4 * dim + 8 + 4 + 4) +
	    live * (4 + 4 * m) / (m - 1) + 3 * n->in->texts.size + 36 * live +
	    512;
}

/* ---- building ---- */

/* Vectors by the number of their id. */
struct finding {
	struct intake *in;
	uint32_t *vector;
};

static uint32_t
find_vector(void *arg, struct slice id)
{
	const struct finding *f = arg;
	uint32_t number = intake_find(f->in, id);

	return number == UINT32_MAX ? number : f->vector[number];
}

/* Who was linked to whom, as the records and the older index say. */
static int
take_hints(struct newindex *n, struct err *e)
{
	struct finding f = { n->in, NULL };
	uint32_t i;
	int r;

	if (intake_hints(n->in, n->number, n->v.n, &n->hints, e) < 0)
		return -1;
	if (!n->old)
		return 0;
	f.vector = malloc(((size_t)n->in->ids + 1) * sizeof(*f.vector));
	if (!f.vector)
		return err_nomem(e);
	for (i = 0; i < n->v.n; i++)
		f.vector[n->number[i]] = i;
	r = oldgraph_read(n->old, find_vector, &f, &n->hints, &n->old_fault, e);
	free(f.vector);
	return r;
}

/* A cosine index has the length of each vector, as a float32. */
static int
check_lengths(struct newindex *n, struct err *e)
{
	struct slice id;
	uint32_t i;

	for (i = 0; i < n->v.n; i++) {
		if (!isinf(n->v.length[i]))
			continue;
		if (intake_text(n->in, n->number[i], &id, e) < 0)
			return -1;
		return err_data(e, "the vector of '%.*s' is too long for a "
		    "cosine index: no float32 can be its length",
		    (int)(id.len < 100 ? id.len : 100), id.p);
	}
	return 0;
}

int
newindex_vectors(struct newindex *n, struct err *e)
{
	return intake_finish(n->in, &n->v, &n->number, e);
}

int
newindex_build(struct newindex *n, struct err *e)
{
	struct build_params p = { .ip = n->space == SPACE_IP, .m = n->m,
	    .ef_construction = n->ef_construction, .threads = n->threads,
	    .seed = n->seed, .hints = &n->hints, .progress = n->progress };
	uint32_t i;

	n->label = malloc(((size_t)n->v.n + 1) * sizeof(*n->label));
	if (!n->label)
		return err_nomem(e);
	for (i = 0; i < n->v.n; i++)
		n->label[i] = i + 1;
	if (take_hints(n, e) < 0)
		return -1;
	if (n->space == SPACE_COSINE && (vectors_make_unit(&n->v, n->threads,
	    e) < 0 || check_lengths(n, e) < 0))
		return -1;
	return build(&n->b, &n->v, &p, e);
}

/* ---- writing ---- */

static int
item(void *arg, uint32_t i, struct picklewrite_item *x, struct err *e)
{
	struct newindex *n = arg;

	x->label = (int64_t)n->label[i];
	x->seq_id = n->in->id[n->number[i]].seq_id;
	return intake_text(n->in, n->number[i], &x->id, e);
}

static int
write_pickle(struct newindex *n, int dirfd, struct err *e)
{
	struct picklewrite p = { (int64_t)n->v.dim, n->v.n, n->last, n->v.n,
	    item, n };
	const char *name = index_file_name[INDEX_PICKLE];
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0666), r;
	struct stat st;

	if (fd < 0)
		return err_system(e, "%s", name);
	r = picklewrite(&p, fd, e);
	if (r == 0 && fstat(fd, &st) < 0)
		r = err_system(e, "%s", name);
	if (r == 0)
		n->bytes += (uint64_t)st.st_size;
	close(fd);
	return r;
}

int
newindex_write(struct newindex *n, int dirfd, struct err *e)
{
	/* Without elements and with a max_seq_id of 0 it makes Chromas before
	 * 1.0 pass over all of the log (chromadb/db/mixins/
	 * embeddings_queue.py: 0 is taken for "from the next row on"); without
	 * it each applies all, as with the index that it makes first itself.
	 */
	const bool pickle = n->v.n > 0 || n->last > 0;
	struct files f = { .b = &n->b, .v = &n->v, .label = n->label,
	    .ef_construction = n->ef_construction };

	if (files_write(&f, dirfd, e) < 0)
		return -1;
	n->bytes = f.bytes;
	return pickle ? write_pickle(n, dirfd, e) : 0;
}

double
newindex_degree(const struct newindex *n)
{
	const struct graph *g = &n->b.graph;
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < g->n; i++)
		sum += g->count0[i];
	return g->n ? (double)sum / g->n : 0;
}
