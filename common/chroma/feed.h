/* SPDX-License-Identifier: Apache-2.0 */
/* feed.h - what streams and matrices say of vectors, into an intake.
 *
 * Streams of vector, WAL and plain records, one after the other; or matrices,
 * whose rows get the ids of a file in turn.
 */
#ifndef CHROMA_FEED_H
#define CHROMA_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "chroma/only.h"
#include "chroma/params.h"
#include "index/intake.h"
#include "stream/in.h"
#include "stream/matrix.h"
#include "stream/stream.h"

/* How an index is to be; 0, SPACE_UNKNOWN: not said. */
struct feed_wish {
	enum space space;
	uint64_t m, ef_construction, ef_search;
};

/* The file of ids beside matrices. */
struct feed_ids {
	struct in in;
	bool open;
	struct buf line, text;
};

/* Zeroed but for what the caller says first. */
struct feed {
	/* by the caller; borrowed */
	struct only only;		/* its name: the collection */
	enum space space;		/* decides where streams differ, and
					 * what is rounded (intake.h);
					 * SPACE_UNKNOWN: they may not */
	bool matrix;
	enum matrix_form form;
	const char *ids;		/* with matrices: this file */
	const char *drop;		/* the file that gets the ids of vectors
					 * which are not finite; NULL: such are
					 * an error */
	int drop_fd;			/* -1: they are only counted */
	void (*progress)(uint64_t records);
	/* NULL, or told of each begin record and of what it says of the
	 * collection (see only_begin()); 0, or -1 with *e set */
	int (*begin)(void *arg, const struct begin *b, struct slice col,
	    struct err *e);
	void *begin_arg;
	/* what came of it */
	struct intake in;
	struct feed_wish said;		/* by the first that said it */
	uint64_t dimension;		/* the same; 0: not said */
	uint64_t dropped;
	int64_t last;			/* the greatest seq_id that is in it */
	/* private */
	struct feed_ids of;
	struct buf drop_lines;
};

/* Begin; vectors go to files without names in tmpdir.  0, or -1 with *e set. */
ATTR_NODISCARD int feed_begin(struct feed *f, const char *tmpdir,
    struct err *e);

/* All of one stream or matrix; path NULL, "-": standard input.  0, or -1 with
 * *e set: STATUS_USAGE (the collection), STATUS_DATA, with the place,
 * STATUS_SYSTEM. */
ATTR_NODISCARD int feed_read(struct feed *f, const char *path, struct err *e);

/* No more comes: every id must have had its row, and what was dropped is
 * written.  0, or -1 with *e set. */
ATTR_NODISCARD int feed_end(struct feed *f, struct err *e);

#endif
