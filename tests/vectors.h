/* SPDX-License-Identifier: Apache-2.0 */
/* vectors.h - for unit tests: the files of tests/data/where. */
#ifndef VECTORS_H
#define VECTORS_H

#include "scratch.h"

/* A file of tests/data/where, appended to *b. */
static inline void
vectors_read(const char *name, struct buf *b)
{
	const char *build = getenv("BUILD_DIR");
	char path[4096];

	snprintf(path, sizeof(path), "%s%stests/data/where/%s",
	    build ? build : "", build ? "/../../" : "", name);
	scratch_read(path, b);
}

/* The next line of *rest, without its newline; absent at the end. */
static inline struct slice
vectors_line(struct slice *rest)
{
	const char *nl = rest->len ? memchr(rest->p, '\n', rest->len) : NULL;
	struct slice line = { NULL, 0 };

	if (!nl)
		return line;
	line = slice_of(rest->p, (size_t)(nl - rest->p));
	*rest = slice_of(nl + 1, rest->len - line.len - 1);
	return line;
}

#endif
