/* SPDX-License-Identifier: Apache-2.0 */
/* dirnew.h - a directory that appears whole or not at all: files, and
 * directories of files, no deeper. */
#ifndef BASE_DIRNEW_H
#define BASE_DIRNEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/slice.h"

/* A new directory that gets its name only when it is complete. */
struct dirnew {
	int fd;			/* of it: make files in it with openat(2) */
	int parent;
	char *dir;		/* the path of the parent; owned */
	char *name;		/* the last component of the path; owned */
	char *tmp;		/* ".NAME.chromautils-PID" (file.h); owned */
	const char *path;	/* as given; borrowed */
	bool over_empty;	/* an empty directory may be there */
};

/* Begin to make path, beside which it lies, locked (flock(2)), under a
 * temporary name until dirnew_commit().  Something that is there already is
 * refused (STATUS_USAGE, here and again at the commit).  Directories that dead
 * runs left under such names for the same path are removed.  0, or -1 with *e
 * set. */
ATTR_NODISCARD int dirnew_begin(struct dirnew *d, const char *path,
    struct err *e);

/* Likewise, but an empty directory may be there: dirnew_commit() puts the new
 * one in its place, in one step (rename(2)), with its owner, mode and
 * attributes, and refuses if it is not empty any more.  One that cannot be
 * replaced is refused: a mount point, "." and "..", a symbolic link. */
ATTR_NODISCARD int dirnew_begin_over(struct dirnew *d, const char *path,
    struct err *e);

/* Likewise in the directory dir, as ".NAME.chromautils-PID": a place for what
 * is only needed for a while.  Not to be committed; dirnew_abort() is its end,
 * or the next run after a dead one.  Nobody else may look into it.  Something
 * that is called name is no matter. */
ATTR_NODISCARD int dirnew_scratch(struct dirnew *d, const char *dir,
    const char *name, struct err *e);

/* Its path as long as it is not complete, the caller's to free; NULL: no
 * memory. */
char *dirnew_path(const struct dirnew *d);

/* Refuse, as dirnew_begin() does, what is there already, and change nothing.
 * 0, or -1 with *e set. */
ATTR_NODISCARD int dirnew_check(const char *path, struct err *e);

/* Remove what dead runs left in parent under such names, for every NAME that
 * mine() says is ours. */
void dirnew_sweep(int parent, bool (*mine)(struct slice name));

/* *bytes: what an unprivileged user can still write where it lies.  0, or -1
 * with *e set. */
ATTR_NODISCARD int dirnew_room(const struct dirnew *d, uint64_t *bytes,
    struct err *e);

/* fsync all that is in it, and it: so dirnew_commit() has less to do.  0, or -1
 * with *e set; so for a directory in a directory in it. */
ATTR_NODISCARD int dirnew_sync(struct dirnew *d, struct err *e);

/* fsync all of it, give it its name, fsync its parent.  0, or -1 with
 * *e set; then there is nothing of that name that was not there before, or
 * all of it (the last fsync failed).  Ends d either way. */
ATTR_NODISCARD int dirnew_commit(struct dirnew *d, struct err *e);

/* Remove it and what is in it, as far as above.  A d of {0} with fd -1 is
 * nothing. */
void dirnew_abort(struct dirnew *d);

#endif
