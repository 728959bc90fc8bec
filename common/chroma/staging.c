/* SPDX-License-Identifier: Apache-2.0 */
/* staging.c - the directory of a new index inside a persist dir. */
#include "chroma/staging.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "chroma/index.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* ---- making it ---- */

/* 0, or -1 with errno. */
static int
put_mark(int dir)
{
	int fd = openat(dir, STAGING_MARK, O_WRONLY | O_CREAT | O_CLOEXEC,
	    0666);

	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

int
staging_begin(struct staging *s, const char *dir, struct err *e)
{
	*s = (struct staging){ .parent = -1, .dir = { .fd = -1,
	    .parent = -1 } };
	if (uuid_new(s->id, e) < 0)
		return -1;
	if (asprintf(&s->path, "%s/%s", dir, s->id) < 0) {
		s->path = NULL;
		return err_nomem(e);
	}
	s->parent = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* (the message is about DIR: its name in there says nothing) */
	if (s->parent < 0 || faccessat(s->parent, ".", W_OK, AT_EACCESS) < 0) {
		err_system(e, "%s", err_tail(dir));
	} else if (dirnew_begin(&s->dir, s->path, e) == 0) {
		if (put_mark(s->dir.fd) == 0)
			return 0;
		err_system(e, "%s", err_tail(s->path));
	}
	staging_abort(s);
	return -1;
}

const char *
staging_name(const struct staging *s)
{
	return s->placed ? s->id : s->dir.tmp;
}

/* The new file as the old one; without an old one, of the owner of DIR. */
static int
make_like(const struct staging *s, int fd, int old, struct err *e)
{
	struct stat want, have;

	if (old >= 0)
		return file_like(fd, old, e);
	if (fstat(s->parent, &want) < 0 || fstat(fd, &have) < 0)
		return err_system(e, "fstat");
	if ((want.st_uid != have.st_uid || want.st_gid != have.st_gid) &&
	    fchown(fd, want.st_uid, want.st_gid) < 0)
		return err_system(e, "the owner %lu:%lu cannot be given to a "
		    "new file", (unsigned long)want.st_uid,
		    (unsigned long)want.st_gid);
	return 0;
}

static int
file_as_before(const struct staging *s, const char *name, int olddir,
    struct err *e)
{
	int fd = openat(s->dir.fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC),
	    old = olddir < 0 ? -1 : openat(olddir, name, O_RDONLY |
	    O_NONBLOCK | O_CLOEXEC), r = 0;

	if (fd >= 0)
		r = make_like(s, fd, old, e);
	else if (errno != ENOENT)
		r = err_system(e, "%s", name);
	if (old >= 0)
		close(old);
	if (fd >= 0)
		close(fd);
	return r < 0 ? err_in(e, err_tail(s->path)) : 0;
}

int
staging_finish(struct staging *s, const char *old, struct err *e)
{
	int olddir = old ? openat(s->parent, old, O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC) : -1, i, r;

	r = file_as_before(s, STAGING_MARK, -1, e);
	for (i = 0; r == 0 && i < INDEX_FILES; i++)
		r = file_as_before(s, index_file_name[i], olddir, e);
	if (r == 0 && make_like(s, s->dir.fd, olddir, e) < 0)
		r = err_in(e, err_tail(s->path));
	if (olddir >= 0)
		close(olddir);
	return r < 0 ? -1 : dirnew_sync(&s->dir, e);
}

int
staging_place(struct staging *s, struct err *e)
{
	/* from here on it has this name, or may have it */
	s->placed = true;
	return dirnew_commit(&s->dir, e);
}

/* ---- its end ---- */

/* The index files and the mark in fd, which is name in parent; 0, or -1 with
 * errno if it is still there. */
static int
remove_index(int parent, const char *name, int fd)
{
	int i;

	for (i = 0; i < INDEX_FILES; i++)
		if (unlinkat(fd, index_file_name[i], 0) < 0 &&
		    errno != ENOENT)
			return -1;
	/* last, so that it is known for what it is until then */
	unlinkat(fd, STAGING_MARK, 0);
	return unlinkat(parent, name, AT_REMOVEDIR);
}

static void
remove_named(int parent, const char *name)
{
	int fd = openat(parent, name, DIR_FLAGS);

	if (fd < 0)
		return;
	(void)remove_index(parent, name, fd);
	close(fd);
}

void
staging_leave(struct staging *s)
{
	if (s->parent >= 0 && s->path)
		close(s->parent);
	free(s->path);
	*s = (struct staging){ .parent = -1, .dir = { .fd = -1,
	    .parent = -1 } };
}

void
staging_keep(struct staging *s)
{
	char mark[UUID_LEN + sizeof("/" STAGING_MARK)];

	snprintf(mark, sizeof(mark), "%s/" STAGING_MARK, s->id);
	unlinkat(s->parent, mark, 0);
	staging_leave(s);
}

void
staging_abort(struct staging *s)
{
	if (!s->path)
		return;
	dirnew_abort(&s->dir);
	if (s->placed)
		remove_named(s->parent, s->id);
	staging_leave(s);
}

void
staging_sweep(int dirfd, const struct catalog *c)
{
	char mark[NAME_MAX + sizeof("/" STAGING_MARK)];
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;
	struct stat st;

	if (!dir && fd >= 0)
		close(fd);
	while (dir && (d = readdir(dir))) {
		struct slice name = slice_str(d->d_name);

		if (!uuid_is(name))
			continue;
		snprintf(mark, sizeof(mark), "%s/" STAGING_MARK, d->d_name);
		if (fstatat(dirfd, mark, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (catalog_of_segment(c, name))
			unlinkat(dirfd, mark, 0);
		else
			remove_named(dirfd, d->d_name);
	}
	if (dir)
		closedir(dir);
	dirnew_sweep(dirfd, uuid_is);
}

/* ---- the old one ---- */

/* The directory that path is to lie in, the caller's to free. */
static char *
parent_of(const char *path)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	while (n > 0 && path[n - 1] != '/')
		n--;
	while (n > 1 && path[n - 1] == '/')
		n--;
	return n ? strndup(path, n) : strdup(".");
}

/* Whether a directory, or one above it, is the one of st. */
static bool
is_below(const char *real, const struct stat *st)
{
	char *path = strdup(real);
	struct stat at;
	bool below = false;
	char *slash;

	while (path && !below) {
		below = stat(*path ? path : "/", &at) == 0 &&
		    at.st_dev == st->st_dev && at.st_ino == st->st_ino;
		slash = strrchr(path, '/');
		if (!slash)
			break;
		*slash = '\0';
	}
	free(path);
	return below;
}

int
staging_check_backup(const char *dir, const char *backup, struct err *e)
{
	char *parent = parent_of(backup), *real = NULL;
	struct stat st;
	int r = 0;

	if (!parent)
		return err_nomem(e);
	if (*backup == '\0')
		r = err_usage(e, "a directory without a name cannot be the "
		    "backup");
	else if (lstat(backup, &st) == 0)
		r = err_usage(e, "%s exists; name a directory that does not",
		    err_tail(backup));
	else if (!(real = realpath(parent, NULL)) || stat(dir, &st) < 0)
		r = err_system(e, "%s", err_tail(backup));
	else if (is_below(real, &st))
		r = err_usage(e, "%s is inside %s, where other tools would "
		    "delete it", err_tail(backup), err_tail(dir));
	free(real);
	free(parent);
	return r;
}

static int
copy_file(int from, const char *name, int to, struct err *e)
{
	int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC), out, r;
	struct stat st;

	if (in < 0)
		return err_system(e, "%s", name);
	if (fstat(in, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(in);
		return err_fail(e, "%s is not a regular file", name);
	}
	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0) {
		r = err_system(e, "%s", name);
	} else {
		r = file_copy(in, out) < 0 ? err_system(e, "%s", name) :
		    file_like(out, in, e) < 0 ? err_in(e, name) : 0;
		close(out);
	}
	close(in);
	return r;
}

/* All files of the directory fd to backup, on another file system. */
static int
copy_away(int fd, const char *backup, struct err *e)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = own < 0 ? NULL : fdopendir(own);
	struct dirnew to;
	struct dirent *d;

	if (!dir) {
		if (own >= 0)
			close(own);
		return err_system(e, "the old index");
	}
	if (dirnew_begin(&to, backup, e) < 0) {
		closedir(dir);
		e->status = STATUS_SYSTEM;	/* not the user's mistake now */
		return -1;
	}
	while (r == 0 && (errno = 0, d = readdir(dir)))
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			r = copy_file(fd, d->d_name, to.fd, e);
	if (r == 0 && errno)		/* or what was not read were lost */
		r = err_system(e, "the old index");
	closedir(dir);
	if (r == 0)
		r = file_like(to.fd, fd, e);
	if (r == 0) {
		r = dirnew_commit(&to, e);
		if (r < 0)
			e->status = STATUS_SYSTEM;
		return r;
	}
	dirnew_abort(&to);
	return err_in(e, err_tail(backup));
}

/* fsync a directory that has got a name, or lost one. */
static void
sync_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)fsync(fd);
	close(fd);
}

/* 1: it is backup now; 0: that is on another file system; -1 with *e set. */
static int
move_away(int dirfd, const char *old, const char *backup, struct err *e)
{
	char *parent;
	struct stat st;

	if (renameat2(dirfd, old, AT_FDCWD, backup, RENAME_NOREPLACE) < 0) {
		if (errno == EXDEV)
			return 0;
		if (errno != EINVAL && errno != ENOSYS)
			return err_system(e, "%s", err_tail(backup));
		/* a file system that cannot be told not to replace */
		if (lstat(backup, &st) == 0) {
			errno = EEXIST;
			return err_system(e, "%s", err_tail(backup));
		}
		if (renameat(dirfd, old, AT_FDCWD, backup) < 0)
			return err_system(e, "%s", err_tail(backup));
	}
	parent = parent_of(backup);
	if (parent)
		sync_dir(parent);
	free(parent);
	return 1;
}

static int
retire(int dirfd, const char *old, const char *backup, struct err *e)
{
	int fd, r = 0;

	if (!index_names_dir(old))
		return 0;
	fd = openat(dirfd, old, DIR_FLAGS);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_system(e, "opening it");
	if (backup)
		r = move_away(dirfd, old, backup, e);
	if (r == 0 && backup)
		r = copy_away(fd, backup, e);
	/* marked, so that if this is interrupted the next run goes on */
	if (r == 0 && (put_mark(fd) < 0 || (remove_index(dirfd, old, fd) < 0 &&
	    errno != ENOTEMPTY && errno != EEXIST)))
		r = err_system(e, "the index");
	close(fd);
	return r < 0 ? -1 : 0;
}

int
staging_retire(const char *dir, const char *old, const char *backup,
    struct err *e)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (fd < 0)
		return err_system(e, "%s", err_tail(dir));
	r = retire(fd, old, backup, e);
	(void)fsync(fd);
	close(fd);
	return r;
}
