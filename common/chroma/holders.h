/* SPDX-License-Identifier: Apache-2.0 */
/* holders.h - which processes have files of a directory open.
 *
 * Chroma takes no lock that lasts (chroma 0.4.0 to 1.5.9: no lock file, and
 * an idle server holds no SQLite lock), so the only way to see one is to look
 * at every process's descriptors in /proc.  Files are compared by device and
 * inode: a container has other paths.  What /proc does not show (processes of
 * other users, of other PID namespaces), a write lease does: the kernel gives
 * one only if nobody else has the file open (fcntl(2), F_SETLEASE).
 */
#ifndef CHROMA_HOLDERS_H
#define CHROMA_HOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

#define HOLDERS_MAX 32

struct holder {
	pid_t pid;
	char command[64];	/* as in /proc/PID/comm, NUL-terminated */
};

struct holders {
	struct holder holder[HOLDERS_MAX];
	size_t n;		/* processes found; more than HOLDERS_MAX are
				 * not looked for */
	size_t unseen;		/* processes whose descriptors we may not read */
};

/* Look for processes other than this one that have a regular file in dir, or
 * in a directory directly below it, open; and, where its chroma.sqlite3 is a
 * symbolic link, SQLite's side files beside what that leads to.  0, or -1 with
 * *e set (no /proc, no memory, dir unreadable). */
ATTR_NODISCARD int holders_find(const char *dir, struct holders *h,
    struct err *e);

/* The same for one file, whatever its name is by now. */
ATTR_NODISCARD int holders_of(const struct stat *st, struct holders *h,
    struct err *e);

/* "PID (COMMAND), PID (COMMAND)", at most five of them "and N more" (at least
 * that many, if HOLDERS_MAX were found). */
#define HOLDERS_TEXT 512
const char *holders_text(const struct holders *h, char text[HOLDERS_TEXT]);

/* The error that somebody has dir open.  -1. */
int holders_seen(const struct holders *h, const char *dir, struct err *e);

/* Whether anybody has the file open, but for this descriptor: a second one of
 * this process counts, and so does a map. */
enum lease {
	LEASE_FREE,		/* nobody, at this moment */
	LEASE_HELD,		/* somebody, wherever he is */
	LEASE_UNKNOWN,		/* not our file, or a file system that cannot
				 * say, or not for other machines */
};
enum lease holders_lease(int fd);

/* The file system of fd is one that other machines, or a process behind it
 * (NFS, SMB, 9p, FUSE …), can change without our kernel knowing. */
bool holders_remote(int fd);

/* This process is in a PID namespace of its own, so that /proc does not show
 * the processes of the machine. */
bool holders_confined(void);

#endif
