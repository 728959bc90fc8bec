/* SPDX-License-Identifier: Apache-2.0 */
/* staging.h - the directory of a new index inside a persist dir, until the
 * database names it, and what becomes of the old one.
 *
 * A VECTOR segment's directory is named by the segment's id, so a new index is
 * written under a new id, and SQLite says in one transaction which one is
 * current.  While it is written it is ".ID.chromautils-PID" (dirnew.h); from
 * then until that transaction is through, STAGING_MARK lies in it: a directory
 * with this mark that no segment is named by is of a run that was killed.
 */
#ifndef CHROMA_STAGING_H
#define CHROMA_STAGING_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/dirnew.h"
#include "base/err.h"
#include "base/uuid.h"
#include "chroma/catalog.h"

#define STAGING_MARK "chromautils.unfinished"

struct staging {
	char id[UUID_LEN + 1];	/* of the new segment */
	struct dirnew dir;	/* make files in dir.fd */
	/* private */
	char *path;		/* DIR/ID; owned */
	int parent;		/* DIR */
	bool placed;
};

/* Begin in the persist dir dir.  0, or -1 with *e set. */
ATTR_NODISCARD int staging_begin(struct staging *s, const char *dir,
    struct err *e);

/* Its name in DIR for now. */
const char *staging_name(const struct staging *s);

/* The files are written: give them owner, mode and attributes of those of the
 * segment old (NULL, or not there: the owner of DIR), and put all on disk.  0,
 * or -1 with *e set. */
ATTR_NODISCARD int staging_finish(struct staging *s, const char *old,
    struct err *e);

/* Under its own name, marked.  0, or -1 with *e set. */
ATTR_NODISCARD int staging_place(struct staging *s, struct err *e);

/* The database names it. */
void staging_keep(struct staging *s);

/* Remove it; without effect on one that was kept, or never begun ({0}). */
void staging_abort(struct staging *s);

/* Forget it, wherever it is: it cannot be told what the database names. */
void staging_leave(struct staging *s);

/* What killed runs left in a claimed directory: removes it, or takes the mark
 * from what a segment of c is named by.  Best effort. */
void staging_sweep(int dirfd, const struct catalog *c);

/* Whether the old directory can become backup: that is not there, its parent is
 * a directory, and neither is it in the persist dir, where other tools would
 * delete it.  0, or -1 with *e set (STATUS_USAGE, STATUS_SYSTEM). */
ATTR_NODISCARD int staging_check_backup(const char *dir, const char *backup,
    struct err *e);

/* The directory of the segment old in dir becomes backup, on whatever file
 * system that is; NULL: its index files are removed, and it, if nothing else
 * is in it.  None there: nothing to do.  0, or -1 with *e set: then it is
 * where it was, or what is left of it. */
ATTR_NODISCARD int staging_retire(const char *dir, const char *old,
    const char *backup, struct err *e);

#endif
