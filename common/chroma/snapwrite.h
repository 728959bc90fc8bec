/* SPDX-License-Identifier: Apache-2.0 */
/* snapwrite.h - collections of a persist dir, written as a snapshot stream.
 *
 * The members are chroma.sqlite3, then UUID/FILE of each index, then
 * MANIFEST.json (manifest.h), without which a stream counts for nothing: it is
 * written when all else has been, and nothing has moved.
 */
#ifndef CHROMA_SNAPWRITE_H
#define CHROMA_SNAPWRITE_H

#include <stdint.h>

#include "base/attr.h"
#include "base/dirnew.h"
#include "base/err.h"
#include "chroma/carve.h"
#include "chroma/catalog.h"
#include "chroma/manifest.h"
#include "chroma/persist.h"
#include "stream/out.h"

/* The level of zstd for one that may choose: higher ones take half as long
 * again for a twentieth less, as most of it is vectors. */
#define SNAPWRITE_LEVEL 1

struct snapwrite {
	/* by the caller; borrowed */
	struct persist *pd;		/* see carve_begin() */
	const struct catalog *catalog;
	struct carve *carve;		/* begun */
	const struct dirnew *scratch;	/* a place for the database */
	void (*carved)(void *arg);	/* the database is not needed any
					 * more, index files are; or NULL */
	int (*check)(void *arg, struct err *e);	/* all is read; nothing has
					 * moved?  It may close *pd.  Or NULL */
	void *arg;
	void (*progress)(uint64_t bytes);	/* of all done so far, or NULL */
	/* what was written */
	struct manifest manifest;	/* its strings are the catalog's, too */
	uint64_t bytes;			/* of the members */
};

/* Write all of it to out, which stays open.  0, or -1 with *e set;
 * snapwrite_end() in either case. */
ATTR_NODISCARD int snapwrite(struct snapwrite *s, struct out *out,
    struct err *e);

/* Instead: a persist dir, in the directory to, which is empty and new; index
 * files are shared with the old ones where the file system can. */
ATTR_NODISCARD int snapwrite_dir(struct snapwrite *s, const struct dirnew *to,
    struct err *e);

/* Neither: what it would be, into manifest and bytes. */
ATTR_NODISCARD int snapwrite_plan(struct snapwrite *s, struct err *e);

void snapwrite_end(struct snapwrite *s);

#endif
