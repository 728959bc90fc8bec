/* SPDX-License-Identifier: Apache-2.0 */
/* file.h - descriptors read and written to the end; files that appear whole
 * or not at all. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

/* read(2) until something came: its number of bytes, 0 at the end, -1 with
 * errno. */
ssize_t file_read(int fd, void *p, size_t n);

/* pread(2) until n bytes or the end came; the number of bytes, -1 with
 * errno. */
ssize_t file_pread(int fd, void *p, size_t n, uint64_t offset);

/* write(2) until all of it is written.  0, or -1 with errno. */
ATTR_NODISCARD int file_write(int fd, const void *p, size_t n);

/* All of from to to, an empty file: shared where the file system can, else
 * copied, holes as holes.  0, or -1 with errno. */
ATTR_NODISCARD int file_copy(int from, int to);

/* A file without a name in dir (NULL: $TMPDIR, or /tmp), open for reading and
 * writing, gone with its descriptor.  what: what it is for, for the message
 * ("a file for ...").  The descriptor, or -1 with *e set (STATUS_SYSTEM, the
 * directory and --tmpdir named). */
ATTR_NODISCARD int file_unnamed(const char *dir, const char *what,
    struct err *e);

/* What to say when something of such a file failed: its directory, the cause
 * (errno's, or why) and what helps.  -1. */
int file_unnamed_failed(const char *dir, const char *what, const char *why,
    struct err *e);

/* Give the file of fd what that of like has: owner and group, mode, extended
 * attributes (POSIX ACLs among them; one that its directory gave to fd, and
 * that like lacks, goes).  Both open; fd is ours and new.  0, or -1 with *e
 * set: what could not be given. */
ATTR_NODISCARD int file_like(int fd, int like, struct err *e);

/* *bytes: what an unprivileged user can still write to the file system of
 * dir.  0, or -1 with *e set. */
ATTR_NODISCARD int file_room(const char *dir, uint64_t *bytes, struct err *e);

/* How the names below begin, for a literal. */
#define FILE_TMP_MARK ".chromautils-"
#define FILE_TMP_HEAD(name) "." name FILE_TMP_MARK

/* ".NAME.chromautils-PID": what a file is called until it gets the name name,
 * in the same directory.  The caller's to free; NULL: no memory. */
char *file_tmp_name(const char *name);

/* Remove the files that dead runs left under such names for name in dirfd,
 * those with something more at the end too.  A living run holds a lock
 * (flock(2), exclusive) on its own. */
void file_sweep(int dirfd, const char *name);

/* A new file that gets its name only when it is complete. */
struct file_new {
	int fd;			/* write to this */
	int dirfd;
	char *name;		/* the last component of the path; owned */
	char *tmp;		/* temporary name in dirfd, or NULL; owned */
	const char *path;	/* as given; borrowed */
	bool replace;
};

/* Begin to write path.  Nothing is there under that name until
 * file_new_commit(); where the file system can, nothing under any name.
 * replace: an existing file is replaced, unless it is a SQLite database; else
 * one is refused (STATUS_USAGE, here and again at the commit).  Temporary files ".NAME.chromautils-PID"
 * that a dead run left are removed.  0, or -1 with *e set. */
ATTR_NODISCARD int file_new_begin(struct file_new *f, const char *path,
    bool replace, struct err *e);

/* Likewise, for one that somebody else is to write by its name: it has the
 * temporary one from the start.  Not to replace anything. */
ATTR_NODISCARD int file_new_begin_named(struct file_new *f, const char *path,
    struct err *e);

/* Its path as long as it is not complete, the caller's to free; NULL: no
 * memory. */
char *file_new_path(const struct file_new *f);

/* fsync, give it its name, fsync the directory.  0, or -1 with *e set; then
 * the name is as it was before.  Ends f either way. */
ATTR_NODISCARD int file_new_commit(struct file_new *f, struct err *e);

/* Forget it. */
void file_new_abort(struct file_new *f);

#endif
