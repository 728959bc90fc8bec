/* SPDX-License-Identifier: Apache-2.0 */
/* graft.h - the collections of a snapshot into a persist dir, all or nothing.
 *
 * In this order: unpack the stream and check it (unpack.h), in a scratch
 * directory inside the persist dir, or beside the one that is to be made; plan
 * which collection becomes which; claim the directory (claim.h); carve what is
 * replaced into the backup; put the index files where nobody looks yet
 * (staging.h); write all rows in one transaction (graftrows.h).
 *
 * A directory that is absent or empty is made of the snapshot as it is, numbers
 * and ids included, and appears whole.
 */
#ifndef CHROMA_GRAFT_H
#define CHROMA_GRAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/dirnew.h"
#include "base/err.h"
#include "chroma/catalog.h"
#include "chroma/graftrows.h"
#include "chroma/persist.h"
#include "chroma/select.h"
#include "chroma/staging.h"
#include "chroma/unpack.h"
#include "stream/in.h"

struct graft_options {
	struct select select;		/* of the snapshot's collections */
	const char *as;			/* the name of the one collection */
	const char *tenant, *database;	/* to go to; NULL: as they were */
	const char *space;		/* see unpack.h */
	bool create;			/* these, where they are missing */
	bool replace;			/* collections of the same name ... */
	const char *backup;		/* ... carved into this file first; NULL:
					 * gone */
	bool dry_run;			/* plan only */
	int wait_ms;			/* for others to let go */
	bool assume_stopped;		/* see claim.h */
	const char *tmpdir;
	unsigned threads;		/* that compress the backup */
};

struct graft {
	const struct graft_options *o;
	char *dir;			/* the target; owned */
	bool made;			/* the target was absent or empty */
	struct unpack unpack;
	struct persist pd;		/* the snapshot, unpacked */
	struct catalog from;		/* of it */
	struct graft_of *of;		/* the plan; owned */
	size_t n, replaced;
	bool doubtful;			/* o->space is not cosine, but the index
					 * is as that of cosine */
	bool backed_up;			/* the backup is there */
	bool committed;			/* it is through, or may be */
	/* private */
	struct dirnew scratch, whole;
	struct catalog to;		/* of the target, if it was there */
	struct staging *staging;	/* owned; as of[] */
	bool *has_index;		/* owned; as of[] */
};

/* Look at the target, read the stream to its end, check it, and plan; where a
 * killed transaction has left its journal, graft_commit() does that.  o must
 * outlive *g.  0, or -1 with *e set: STATUS_USAGE (a name that is taken or
 * missing), STATUS_DATA (the snapshot; or it is newer than the target),
 * STATUS_BUSY, STATUS_SYSTEM.  graft_end() in either case. */
ATTR_NODISCARD int graft_plan(struct graft *g, struct in *in, const char *dir,
    const struct graft_options *o, struct err *e);

/* Do it.  0, or -1 with *e set, and the target is as it was; if g->committed,
 * then not. */
ATTR_NODISCARD int graft_commit(struct graft *g, struct err *e);

void graft_end(struct graft *g);

#endif
