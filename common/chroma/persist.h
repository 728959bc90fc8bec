/* SPDX-License-Identifier: Apache-2.0 */
/* persist.h - a persist dir, opened for reading so that nothing in it changes.
 *
 * The ways, from what lies in the directory:
 *   rollback mode, no journal   SQLite's shared lock, in short reads
 *   a hot journal               refused; with a tmpdir, a recovered copy there
 *   SQLite-WAL mode, no -wal    without locks if nobody else has it open,
 *   (or an empty one)           watched for changes; else a private copy
 *   a -wal with frames          a private copy (a plain read would write -shm)
 */
#ifndef CHROMA_PERSIST_H
#define CHROMA_PERSIST_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/attr.h"
#include "base/err.h"
#include "chroma/db.h"

#define PERSIST_FILE "chroma.sqlite3"

enum persist_way {
	PERSIST_LOCKED,		/* read under SQLite's locks */
	PERSIST_IMMUTABLE,	/* read without locks */
	PERSIST_COPY,		/* read from a private copy */
};

struct persist {
	char *dir;		/* owned; the directory, as given */
	char *file;		/* owned; its chroma.sqlite3, for messages */
	char *real;		/* owned; the same, symbolic links resolved:
				 * SQLite's journals lie beside this one */
	int dirfd;
	struct stat st;		/* of the file when it was opened */
	bool sqlite_wal;	/* the file is in SQLite-WAL mode */
	enum persist_way way;
	struct db db;
};

struct persist_options {
	const char *tmpdir;	/* where a private copy goes; NULL: $TMPDIR or
				 * /tmp, and hot journals are refused */
	int wait_ms;		/* how long to wait for a lock */
};

/* Open path: the directory, or the chroma.sqlite3 in it.  0, or -1 with *e
 * set: STATUS_SYSTEM when there is none, STATUS_DATA when it is something
 * else (not SQLite, empty, a Git LFS pointer). */
ATTR_NODISCARD int persist_open(struct persist *pd, const char *path,
    const struct persist_options *opt, struct err *e);

/* The first half of it, for whoever opens the database in a way of his own: find
 * it and look at its first bytes and at what lies beside it; pd->db is not open
 * then.  Must come before SQLite has the file open anywhere in this process:
 * closing a descriptor drops the process's locks on the file (fcntl(2)).
 * Errors as above.  persist_close() in either case. */
ATTR_NODISCARD int persist_find(struct persist *pd, const char *path,
    struct err *e);

/* The state of the database, or with a suffix ("-journal", "-wal", "-shm") of
 * the file beside it.  false: not there.  What cannot be looked at counts as
 * there, with a size that is not 0. */
bool persist_beside(const struct persist *pd, const char *suffix,
    struct stat *st);

/* Whether path would be a file beside the database that SQLite, or a sweep of
 * ours, takes for its own. */
bool persist_reserved(const struct persist *pd, const char *path);

/* Whether what was read is still what lies there: the file was not replaced
 * and, where it was read without locks, not changed.  0, or -1 with *e set
 * (STATUS_BUSY).  Call when all is read. */
ATTR_NODISCARD int persist_check(const struct persist *pd, struct err *e);

/* A read failed with *e.  A file that changes or goes while it is read without
 * locks looks corrupt: then *e says that instead.  -1. */
int persist_failed(const struct persist *pd, struct err *e);

void persist_close(struct persist *pd);

#endif
