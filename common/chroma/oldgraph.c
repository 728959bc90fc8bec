/* SPDX-License-Identifier: Apache-2.0 */
/* oldgraph.c - hints for a new graph, from the files of an older one. */
#include "chroma/oldgraph.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/le.h"
#include "chroma/elements.h"

struct reading {
	struct elements el;
	struct elements_walk walk;
	uint32_t *vector;		/* of each element; UINT32_MAX: none */
	uint64_t n;			/* elements */
	struct hints *h;
};

/* Which element is which vector. */
static int
find_all(struct reading *r, oldgraph_find *find, void *arg, struct err *e)
{
	struct element x;
	uint64_t i;

	r->n = r->el.readable;
	r->vector = malloc((r->n + 1) * sizeof(*r->vector));
	if (!r->vector)
		return err_nomem(e);
	for (i = 0; i < r->n; i++)
		r->vector[i] = UINT32_MAX;
	while (elements_next(&r->walk, &x))
		if (x.internal < r->n && !x.blank && !x.deleted && x.id.p)
			r->vector[x.internal] = find(arg, x.id);
	elements_walk_again(&r->walk);
	return 0;
}

static int
add(struct reading *r, const struct element *x, struct err *e)
{
	uint32_t to[HINTS_MAX], n = 0, i, all = le_u16(x->links), other;
	const uint32_t own = r->vector[x->internal];

	if (all > r->el.dir.header.maxM0)
		return 0;
	for (i = 0; i < all && n < HINTS_MAX; i++) {
		other = le_u32(x->links + 4 + 4 * (size_t)i);
		if (other < r->n && r->vector[other] != UINT32_MAX &&
		    r->vector[other] != own)
			to[n++] = r->vector[other];
	}
	return hints_add(r->h, own, to, n, e);
}

static int
read_links(struct reading *r, oldgraph_find *find, void *arg, struct err *e)
{
	struct element x;

	if (find_all(r, find, arg, e) < 0)
		return -1;
	while (elements_next(&r->walk, &x))
		if (x.internal < r->n && r->vector[x.internal] != UINT32_MAX &&
		    add(r, &x, e) < 0)
			return -1;
	return 0;
}

int
oldgraph_read(const char *dir, oldgraph_find *find, void *arg,
    struct hints *h, struct err *fault, struct err *e)
{
	struct reading r = { .h = h };
	char *path = realpath(dir, NULL), *name;
	int parent, result = -1;

	if (!path)
		return err_system(e, "%s", err_tail(dir));
	name = strrchr(path, '/');
	*name++ = '\0';
	parent = open(*path ? path : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0) {
		err_system(e, "%s", err_tail(dir));
		free(path);
		return -1;
	}
	if (elements_open_all(&r.el, parent, name, -1, 0, SPACE_L2, false,
	    e) == 0) {
		*fault = r.el.found.fault;
		if (!r.el.dir.has_header && !fault->status)
			err_fail(e, "%s: no index in it", err_tail(dir));
		else if (elements_walk_begin(&r.walk, &r.el, e) == 0) {
			result = read_links(&r, find, arg, e);
			elements_walk_end(&r.walk);
		}
		elements_close(&r.el);
	}
	free(r.vector);
	free(path);
	close(parent);
	return result;
}
