/* SPDX-License-Identifier: Apache-2.0 */
/* carve.h - some collections of a persist dir as a database of their own, which
 * Chroma opens as it is: the same tables, the same numbers and ids.
 *
 * Of the log there is what is not committed, and the newest row that is: what
 * Chroma itself keeps.  Older rows are left out where it is proven that their
 * vectors are in the index (coverage.h); where it is not, the whole log of
 * that collection comes along.  The full-text index has the documents of the
 * records and no others, whatever was in the old one; tables that are none of
 * Chroma's, and rows of no collection, are left behind.  Where the row with the
 * number of a watermark is not carved, anchor.h.
 *
 * Memory: SQLite's caches, and what coverage.h says.
 */
#ifndef CHROMA_CARVE_H
#define CHROMA_CARVE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "chroma/catalog.h"
#include "chroma/manifest.h"
#include "chroma/persist.h"
#include "chroma/textindex.h"

struct carve_of {
	int64_t from;		/* rows of its log below this one are left
				 * out; INT64_MIN: none */
	uint64_t left_out;	/* their number */
	struct buf note;	/* what is wrong with it, a sentence; or empty */
};

struct carve {
	struct carve_of *of;	/* owned; as catalog->collection */
	/* private */
	const struct catalog *catalog;
	struct persist *pd;
	const char *tmpdir;
	bool whole_log;
	struct db db;		/* the new one; see carve_end() */
	struct textindex text;
	pthread_t thread;	/* copies tables, while main proves */
	int result;		/* of it ... */
	struct err why;		/* ... and its error */
};

/* Prepare to carve the selected collections.  whole_log: all rows of the log
 * come along, without a look at the indexes.  pd is read under a lock that
 * lasts until carve_end(), or is a copy of our own.  0, or -1 with *e set
 * (STATUS_DATA: a collection that is ambiguous); carve_end() in either case. */
ATTR_NODISCARD int carve_begin(struct carve *cv, struct persist *pd,
    const struct catalog *c, bool whole_log, const char *tmpdir,
    struct err *e);

/* Write the database into the empty file at path, and put what is in it into
 * the collections of *m, whose strings are the catalog's and those of cv->of.
 * It is not synced.  Once.  0, or -1 with *e set. */
ATTR_NODISCARD int carve_write(struct carve *cv, const char *path,
    struct manifest *m, struct err *e);

/* Closes the new database, too, and with it drops every lock that this process
 * has on the old one (fcntl(2)): as late as can be. */
void carve_end(struct carve *cv);

#endif
