/* SPDX-License-Identifier: Apache-2.0 */
/* claim.h - a persist dir for ourselves alone, to change it.
 *
 * An idle Chroma holds no SQLite lock and nothing guards the index files
 * (chroma 0.4.0 to 1.5.9), so a lock alone proves nothing.  In this order:
 * look at every process's descriptors and try a write lease on the database
 * and on the index files, which also sees processes of other PID namespaces
 * (holders.h); open the database, which rolls back a hot journal, take
 * SQLite's exclusive lock and keep it; look again.
 *
 * Whoever has a claim must not open the database by hand: closing such a
 * descriptor drops SQLite's lock (fcntl(2), of POSIX locks).
 */
#ifndef CHROMA_CLAIM_H
#define CHROMA_CLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/attr.h"
#include "base/err.h"
#include "chroma/persist.h"

struct claim_options {
	int wait_ms;		/* how long others may take to let go; asked
				 * every CLAIM_RETRY_MS */
	bool assume_stopped;	/* where it cannot be told whether somebody
				 * has it open, take the user's word for it;
				 * who is seen is refused all the same */
};

#define CLAIM_RETRY_MS 100

struct claim_stamp;

struct claim {
	struct persist pd;	/* pd.db: read and write, exclusively locked
				 * until claim_close(), transactions or not */
	bool assume_stopped;
	bool sqlite_wal;	/* was in SQLite-WAL mode when it was opened */
	struct claim_stamp *stamp;	/* owned: what the index files looked
				 * like when they were stamped, by name */
	size_t stamps;
	/* private */
	int fd;			/* the database, for its lock (flock) and
				 * lease; closed after SQLite's */
	int realdir;		/* the directory of the real file */
	int newfd;		/* the replacement, locked; or -1 */
	char *tmp;		/* its name in realdir; owned, or NULL */
	struct stat wal;	/* the -wal that was there, if one was */
	bool rollback_mode;	/* we took it out of SQLite-WAL mode */
	bool replaced;
};

/* Claim path, the directory or the chroma.sqlite3 in it; symbolic links are
 * resolved: what is changed, and where journals lie, is the real file.  Foreign
 * keys, triggers and secure_delete are off for pd.db, synchronous is FULL.
 * 0, or -1 with *e set: STATUS_BUSY with pid and command of who has it, or with
 * what cannot be seen; what persist_open() says otherwise.  Changes no byte,
 * but for the journal of an interrupted transaction, which is applied. */
ATTR_NODISCARD int claim_open(struct claim *c, const char *path,
    const struct claim_options *o, struct err *e);

/* Instead, for who only says what would be done: open path to read it, and
 * refuse it where somebody is seen to have it open.  0, or -1 with *e set. */
ATTR_NODISCARD int claim_read(struct persist *pd, const char *path,
    const struct persist_options *o, struct err *e);

/* Remember inode, size and mtime of all index files: before they are read.  0,
 * or -1 with *e set. */
ATTR_NODISCARD int claim_stamp(struct claim *c, struct err *e);

/* Nobody came and no stamped file moved: right before a change is committed.
 * This process itself must not have index files open or mapped any more.  0, or
 * -1 with *e set (STATUS_BUSY). */
ATTR_NODISCARD int claim_look(struct claim *c, struct err *e);

/* For who replaces the file: write a -wal back and leave SQLite-WAL mode, so
 * that nothing lies beside the file; without effect in rollback mode.  Before
 * anything is read: the lock is given up and taken again.  The new file is to
 * be in SQLite-WAL mode again if c->sqlite_wal; a file that was not replaced is
 * put back into it by claim_close().  0, or -1 with *e set. */
ATTR_NODISCARD int claim_rollback_mode(struct claim *c, struct err *e);

/* Where a replacement of the database is to be written: in the directory of the
 * real file, ".chroma.sqlite3.chromautils-PID" and locked (flock); what dead
 * runs left was removed by claim_open().  The empty file has owner, mode and
 * extended attributes of the database already.  *path is the caller's to free;
 * *fd is the claim's, which closes it and removes what was not put in place.
 * 1; 0 if this file cannot be replaced (it is a mount point, or its owner or
 * attributes cannot be given to another file), *e says why; -1 with *e set. */
ATTR_NODISCARD int claim_replacement(struct claim *c, char **path, int *fd,
    struct err *e);

/* Put the complete replacement in the place of the database: the one commit
 * point.  backup (or NULL): the old file gets this name too, a hard link, which
 * is made first.  Looks once more for holders of the old file afterwards and,
 * if there is one, puts it back (STATUS_BUSY).  That closes pd.db, if no
 * statement of it is left (else whom /proc does not show is not found): after
 * this, good or bad, the claim is good for claim_close() only.  Killed at any
 * moment, the old file or the new one has the name.  0, or -1 with *e set: the
 * database is the one that it was. */
ATTR_NODISCARD int claim_replace(struct claim *c, const char *path,
    const char *backup, struct err *e);

/* What is not committed is lost, and a replacement that is not in place
 * removed: after failures, too.  In SQLite-WAL mode what was changed is written
 * back and the -wal removed; one that was there and was not added to stays. */
void claim_close(struct claim *c);

#endif
