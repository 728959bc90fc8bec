/* SPDX-License-Identifier: Apache-2.0 */
/* rewrite.h - a database written anew without some rows of its log: what goes
 * is not read, journalled or zeroed, only what stays is written.
 *
 * Every table and index, whoever made it, is copied as it is, with its rowids
 * (not those that no INTEGER PRIMARY KEY keeps, beside generated columns):
 * also the tables behind a full-text index, as plain tables, and views,
 * triggers and virtual tables as what sqlite_master says of them, which
 * nothing runs.  sqlite_stat1 is made anew.
 */
#ifndef CHROMA_REWRITE_H
#define CHROMA_REWRITE_H

#include <pthread.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "chroma/db.h"
#include "chroma/prune.h"

struct rewrite {
	struct db db;		/* the new file; attached: the old one */
	char *path;		/* of the new file; owned */
	pthread_t thread;	/* copies the tables */
	bool running;
	int result;		/* of the thread, when it has ended ... */
	struct err why;		/* ... and its error */
	pthread_t syncer;	/* puts the file on the disk */
	bool syncing;
	int fd;			/* of the new file; borrowed */
};

/* Begin to write the database in file to the empty file at path (fd is open on
 * it): all but the log, in a thread of its own.  Until rewrite_end() the caller
 * has it locked in the connection old of this process, and changes nothing in
 * it.  0, or -1 with *e set;
 * rewrite_end() in either case. */
ATTR_NODISCARD int rewrite_start(struct rewrite *rw, const char *file,
    struct db *old, const char *path, int fd, struct err *e);

/* The rest: of the log all but what the plan names, then what is said in
 * maintenance (SQL, or NULL).  The file is complete then, and on its way to the
 * disk.  0, or -1 with *e set. */
ATTR_NODISCARD int rewrite_finish(struct rewrite *rw, struct prune *p,
    const char *maintenance, struct err *e);

/* Look at the complete file as a stranger would: SQLite's quick_check, and as
 * many rows in each table as there are in old, the locked original, but for the
 * log.  wal_mode: put it into SQLite-WAL mode.  Then it is on the disk.  0, or
 * -1 with *e set. */
ATTR_NODISCARD int rewrite_check(struct rewrite *rw, struct db *old,
    const struct prune *p, bool wal_mode, struct err *e);

/* Stop what is going on and let the files go, as late as possible: closing the
 * old one drops the locks of this process on it.  Not the file's removal. */
void rewrite_stop(struct rewrite *rw);
void rewrite_end(struct rewrite *rw);

#endif
