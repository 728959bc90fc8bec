/* SPDX-License-Identifier: Apache-2.0 */
/* publish.h - a new index in the place of a collection's, all or nothing.
 *
 * In this order: look at the directory; read what the new index is made of;
 * write it beside the present one (staging.h); claim the directory (claim.h)
 * and see that nothing moved; prove on the finished files that every live
 * vector is in them (coverage.h); give the VECTOR segment the new id in one
 * transaction, with the watermark and the parameters that change.  Killed
 * before the commit the new directory is one that nobody names, after it the
 * old one.
 *
 * Sources: chroma 0.4.0 to 1.5.9 name the directory by segments.id and keep
 * the watermark H in max_seq_id, up to 0.5.5 in the pickle
 * (chromadb/segment/impl/vector/local_persistent_hnsw.py,
 * rust/segment/src/local_hnsw.rs); COMPAT has what each was seen to do.
 */
#ifndef CHROMA_PUBLISH_H
#define CHROMA_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "chroma/catalog.h"
#include "chroma/claim.h"
#include "chroma/paramset.h"
#include "chroma/staging.h"
#include "index/intake.h"
#include "index/vectors.h"
#include "stream/stream.h"

/* What of a collection must not move between the first look and the commit. */
struct publish_state {
	char *segment;			/* VECTOR; owned */
	struct watermark metadata, vector;	/* M and H */
	int64_t dimension;
	int64_t oldest, newest;		/* its rows in the log; 0: none */
};

struct publish_options {
	const char *collection;		/* NULL: the only one */
	int read_ms, wait_ms;		/* how long to wait for locks to read,
					 * and for others to let go */
	bool assume_stopped;		/* see claim.h */
	const char *tmpdir;
};

struct publish {
	struct publish_options o;
	char *dir;			/* the persist dir; owned */
	char *id, *name;		/* of the collection; owned */
	char *path;			/* TENANT/DATABASE/NAME; owned */
	struct params params;		/* as they are now */
	struct publish_state was;
	struct staging staging;		/* the new index */
	uint64_t seq_id;		/* the new H; 0: none, see publish_seq_id() */
	uint64_t lost;			/* by the caller, who removes the old
					 * index: see publish_diff; nothing is
					 * committed then */
	uint64_t ghosts;		/* ids of no record that were left out */
	/* private */
	uint8_t *ghost;			/* bits, by number of the id; owned */
	uint64_t covered;		/* rows up to this one are in the streams */
	bool committed;
};

/* Look at the collection in the persist dir path.  0, or -1 with *e set:
 * STATUS_USAGE (which collection?), STATUS_DATA (a migration that is not known,
 * segments that are ambiguous, a watermark that no Chroma reads). */
ATTR_NODISCARD int publish_look(struct publish *p, const char *path,
    const struct publish_options *o, struct err *e);

/* A stream begins; col: what it says of the collection, a JSON object, or
 * absent.  It must be of the directory as it is: else *e is STATUS_BUSY. */
ATTR_NODISCARD int publish_begin(struct publish *p, const struct begin *b,
    struct slice col, struct err *e);

/* All streams were read: take the ids out of *in that are those of no record
 * (they answer queries, and Chroma then fails), and vectors of rows without
 * effect.  0, or -1 with *e set. */
ATTR_NODISCARD int publish_filter(struct publish *p, struct intake *in,
    struct err *e);

/* Decide on H: the newest row of the collection's log, if the streams hold all
 * that is retained of it, else the present one.  An index that is ahead of its H
 * is sound; one with none would lose rows.  0, or -1 with *e set. */
ATTR_NODISCARD int publish_seq_id(struct publish *p, bool empty,
    struct err *e);

/* What the new index has that the present one has not. */
struct publish_diff {
	uint64_t added, replaced, removed;	/* ids */
	uint64_t deleted;	/* elements of the present one that are only
				 * marked so, and go */
	uint64_t lost;		/* of those removed: neither records, nor
				 * deleted by a row of the log; their vectors
				 * are in the present one alone */
	uint64_t bytes;		/* of its files */
	bool damaged;		/* the present one; counts are of what can be
				 * read */
};

/* Compare the present index with the vectors v (as they were given) of the ids
 * number[i] of *in.  0, or -1 with *e set. */
ATTR_NODISCARD int publish_compare(const struct publish *p, struct intake *in,
    const struct vectors *v, const uint32_t *number, struct publish_diff *d,
    struct err *e);

/* Whether anything but deleted elements would change: vectors, watermark,
 * parameters. */
bool publish_changes(const struct publish *p, const struct publish_diff *d,
    const struct paramset *change);

/* The files are in p->staging: claim, prove, commit.  space: of the new
 * index; params: those to be written.  0, or -1 with *e set, and the
 * directory is as it was: STATUS_BUSY, STATUS_DATA (with the ids that stand in
 * the way) or STATUS_SYSTEM; if p->committed is set, the change is through, or
 * may be, and the message says so. */
ATTR_NODISCARD int publish_commit(struct publish *p, enum space space,
    const struct paramset *params, struct err *e);

/* The same for a collection that has no vectors yet, and so no index: the
 * parameters alone. */
ATTR_NODISCARD int publish_parameters(struct publish *p,
    const struct paramset *params, struct err *e);

void publish_end(struct publish *p);

#endif
