/* SPDX-License-Identifier: Apache-2.0 */
/* unpack.h - a snapshot, whoever sent it, unpacked into a directory of its own
 * and checked, before anybody looks at what is in it.
 *
 * Accepted are chroma.sqlite3, then UUID/FILE with FILE one of the five of an
 * index (index.h), then MANIFEST.json, each once, with the sizes and checksums
 * that the manifest says; and what chops made (chops.h).  All else is refused,
 * with the member.  What lies there is then:
 *   chroma.sqlite3   a sound SQLite file with Chroma's tables and no more
 *                    (safeschema.h), whose collections, segments and counts are
 *                    those of the manifest
 *   UUID/            of a VECTOR segment of it; the files as they came.
 *                    unpack_check_indexes() looks into them.
 *
 * Memory: some KiB a collection, 100 bytes a member, and the manifest; disk:
 * the snapshot unpacked (holes stay holes).
 */
#ifndef CHROMA_UNPACK_H
#define CHROMA_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "chroma/catalog.h"
#include "chroma/manifest.h"
#include "stream/in.h"

#define UNPACK_MEMBERS_MAX 500000	/* 100,000 indexes */

struct unpack {
	char *dir;		/* the directory; owned */
	int fd;			/* of it */
	struct manifest manifest;
	bool chops;		/* made by chops: no migrations, no schema_str,
				 * no full text; a part of the tables is ours */
	uint64_t bytes;		/* of the files, apparent */
	const char *space;	/* the caller's: the distance function of a
				 * snapshot of chops that does not say its own
				 * (chops.h), or NULL; for others it is refused,
				 * STATUS_USAGE */
	/* The caller's: called now and then with the bytes of the stream that
	 * were read so far, not compressed; or NULL. */
	void (*progress)(void *arg, uint64_t bytes);
	void *arg;
};

/* *u is {0} but for what is the caller's, and released in either case.
 *
 * Read the stream to its end into the directory dir, which is there and empty;
 * whoever made it removes it, on failure, too.  0, or -1 with *e set:
 * STATUS_DATA for what is wrong with the stream (it is named in front),
 * STATUS_SYSTEM (no room: need and have are said as soon as they are known). */
ATTR_NODISCARD int unpack_read(struct unpack *u, struct in *in,
    const char *dir, struct err *e);

/* Without writing anything: the stream's own checks, and the manifest.  Of
 * what chops made only that it is as long as it says: the manifest is empty
 * then. */
ATTR_NODISCARD int unpack_skim(struct unpack *u, struct in *in,
    struct err *e);

/* Each index of a selected collection is what that says (dimension, M), and sound: every
 * field, link and label (elements.h), the pickle without code and without
 * bytes after its end.  fault: of the first one that is not, and *col which it
 * is.  0, with fault->status 0 or STATUS_DATA; -1 with *e set when the system
 * fails.  c: catalog_load() of the unpacked directory. */
ATTR_NODISCARD int unpack_check_indexes(const struct unpack *u,
    const struct catalog *c, const struct collection **col, struct err *fault,
    struct err *e);

void unpack_release(struct unpack *u);

#endif
