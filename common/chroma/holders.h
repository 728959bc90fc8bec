/* SPDX-License-Identifier: Apache-2.0 */
/* holders.h - which processes have files of a directory open.
 *
 * Chroma takes no lock that lasts (chroma 0.4.0 to 1.5.9: no lock file, and
 * an idle server holds no SQLite lock), so the only way to see one is to look
 * at every process's descriptors in /proc.  Files are compared by device and
 * inode: a container has other paths.
 */
#ifndef CHROMA_HOLDERS_H
#define CHROMA_HOLDERS_H

#include <stdbool.h>
#include <stddef.h>
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
 * in a directory directly below it, open.  0, or -1 with *e set (no /proc, no
 * memory, dir unreadable). */
ATTR_NODISCARD int holders_find(const char *dir, struct holders *h,
    struct err *e);

#endif
