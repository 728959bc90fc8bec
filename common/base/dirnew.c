/* SPDX-License-Identifier: Apache-2.0 */
/* dirnew.c - a directory that appears whole or not at all. */
#include "base/dirnew.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"

/* How often somebody may take our directory for one of a dead run. */
#define TRIES 8

static bool
is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* The names in a directory, one after the other; NULL with errno. */
static DIR *
list(int fd)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own < 0 ? NULL : fdopendir(own);

	if (!dir && own >= 0)
		close(own);
	return dir;
}

/* Remove what is in the directory fd: files, and where deep, directories of
 * files; others are left. */
static void
remove_in(int fd, bool deep)
{
	DIR *dir = list(fd);
	struct dirent *d;
	int sub;

	while (dir && (d = readdir(dir))) {
		if (is_dot(d->d_name) || unlinkat(fd, d->d_name, 0) == 0 ||
		    !deep)
			continue;
		sub = openat(fd, d->d_name, O_RDONLY | O_DIRECTORY |
		    O_NOFOLLOW | O_CLOEXEC);
		if (sub < 0)
			continue;
		remove_in(sub, false);
		close(sub);
		unlinkat(fd, d->d_name, AT_REMOVEDIR);
	}
	if (dir)
		closedir(dir);
}

/* Remove the directory fd, which is name in parent, with what is in it; it
 * stays if something does. */
static void
remove_all(int parent, const char *name, int fd)
{
	remove_in(fd, true);
	unlinkat(parent, name, AT_REMOVEDIR);
}

/* The NAME in ".NAME.chromautils-" and digits; absent if text is none. */
static struct slice
name_in(const char *text)
{
	const char *mark = NULL, *p;
	size_t digits;

	for (p = strstr(text, FILE_TMP_MARK); p; p = strstr(p + 1,
	    FILE_TMP_MARK))
		mark = p;
	if (text[0] != '.' || !mark || mark <= text + 1)
		return (struct slice){ NULL, 0 };
	p = mark + strlen(FILE_TMP_MARK);
	digits = strspn(p, "0123456789");
	return digits > 0 && p[digits] == '\0' ?
	    slice_of(text + 1, (size_t)(mark - text - 1)) :
	    (struct slice){ NULL, 0 };
}

/* What dead runs left for name, or where mine() says so: a living one holds a
 * lock. */
static void
sweep(int parent, const char *name, bool (*mine)(struct slice name))
{
	DIR *dir = list(parent);
	struct dirent *d;
	int fd;

	while (dir && (d = readdir(dir))) {
		struct slice of = name_in(d->d_name);

		if (!of.p || (name && !slice_is(of, name)) ||
		    (mine && !mine(of)))
			continue;
		fd = openat(parent, d->d_name, O_RDONLY | O_DIRECTORY |
		    O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			remove_all(parent, d->d_name, fd);
		close(fd);
	}
	if (dir)
		closedir(dir);
}

void
dirnew_sweep(int parent, bool (*mine)(struct slice name))
{
	sweep(parent, NULL, mine);
}

static int
exists(const struct dirnew *d, struct err *e)
{
	return err_usage(e, "%s exists; name a directory that does not",
	    err_tail(d->path));
}

/* Split the path, slashes at its end aside. */
static void
split(struct dirnew *d)
{
	char *copy = strdup(d->path), *slash;
	size_t n = strlen(d->path);

	if (!copy)
		return;
	while (n > 1 && copy[n - 1] == '/')
		copy[--n] = '\0';
	slash = strrchr(copy, '/');
	d->name = strdup(slash ? slash + 1 : copy);
	if (slash)
		slash[slash == copy] = '\0';
	d->dir = strdup(slash ? copy : ".");
	free(copy);
}

/* Make and lock it; one that was taken for a dead run's is made again.  0, or
 * -1 with errno. */
static int
make(struct dirnew *d, mode_t mode)
{
	struct stat st;
	int try, saved;

	for (try = 0; try < TRIES; try++) {
		if (mkdirat(d->parent, d->tmp, mode) < 0)
			return -1;
		d->fd = openat(d->parent, d->tmp, O_RDONLY | O_DIRECTORY |
		    O_NOFOLLOW | O_CLOEXEC);
		if (d->fd < 0 && errno == ENOENT)
			continue;
		if (d->fd < 0)
			break;
		/* not everywhere is there a lock; then nobody sweeps */
		(void)flock(d->fd, LOCK_EX);
		if (fstat(d->fd, &st) < 0 || st.st_nlink > 0)
			return 0;
		close(d->fd);
		d->fd = -1;
		errno = EBUSY;
	}
	saved = errno;
	unlinkat(d->parent, d->tmp, AT_REMOVEDIR);
	errno = saved;
	return -1;
}

/* 1: an empty directory; 0: another one; -1 with errno: none, or not to be
 * read. */
static int
is_empty(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC), empty = 1;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *x;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while ((x = readdir(dir)))
		if (!is_dot(x->d_name))
			empty = 0;
	closedir(dir);
	return empty;
}

static int
mounted(const struct dirnew *d, struct err *e)
{
	return err_usage(e, "%s is a mount point, or in use; a directory that "
	    "comes in its place cannot be put there: name one in it that does "
	    "not exist", err_tail(d->path));
}

/* What is there under the name: nothing, or an empty directory if that may
 * be. */
static int
look(const struct dirnew *d, struct err *e)
{
	struct stat st, parent;

	if (*d->name && fstatat(d->parent, d->name, &st,
	    AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (*d->name == '\0' || !d->over_empty || !S_ISDIR(st.st_mode))
		return exists(d, e);
	if (is_dot(d->name))
		return err_usage(e, "%s cannot be replaced; name the "
		    "directory by its path", err_tail(d->path));
	switch (is_empty(d->parent, d->name)) {
	case 0:
		return err_usage(e, "%s exists and is not empty; name a "
		    "directory that does not exist, or an empty one",
		    err_tail(d->path));
	case -1:
		return err_system(e, "%s", err_tail(d->path));
	default:
		return fstat(d->parent, &parent) == 0 &&
		    parent.st_dev != st.st_dev ? mounted(d, e) : 0;
	}
}

/* Give the new directory what the empty one has that it replaces. */
static int
take_over(struct dirnew *d, struct err *e)
{
	int like = openat(d->parent, d->name, O_RDONLY | O_DIRECTORY |
	    O_NOFOLLOW | O_CLOEXEC), r;

	if (like < 0)
		return errno == ENOENT ? 0 :
		    err_system(e, "%s", err_tail(d->path));
	r = file_like(d->fd, like, e);
	close(like);
	return r < 0 ? err_in(e, err_tail(d->path)) : 0;
}

/* With d->path, d->dir, d->name; the latter two NULL for no memory. */
static int
begin(struct dirnew *d, bool scratch, struct err *e)
{
	d->tmp = d->dir && d->name ? file_tmp_name(d->name) : NULL;
	if (!d->tmp) {
		dirnew_abort(d);
		return err_nomem(e);
	}
	d->parent = open(d->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*d->path == '\0')
		errno = ENOENT;
	if (d->parent < 0 || *d->path == '\0') {
		err_system(e, "%s", err_tail(d->path));
	} else if (scratch || look(d, e) == 0) {
		sweep(d->parent, d->name, NULL);
		if (make(d, scratch ? 0700 : 0777) < 0)
			err_system(e, "%s", err_tail(d->path));
		else if (!d->over_empty || take_over(d, e) == 0)
			return 0;
	}
	dirnew_abort(d);
	return -1;
}

int
dirnew_begin(struct dirnew *d, const char *path, struct err *e)
{
	*d = (struct dirnew){ .fd = -1, .parent = -1, .path = path };
	split(d);
	return begin(d, false, e);
}

int
dirnew_begin_over(struct dirnew *d, const char *path, struct err *e)
{
	*d = (struct dirnew){ .fd = -1, .parent = -1, .path = path,
	    .over_empty = true };
	split(d);
	return begin(d, false, e);
}

int
dirnew_scratch(struct dirnew *d, const char *dir, const char *name,
    struct err *e)
{
	*d = (struct dirnew){ .fd = -1, .parent = -1, .path = dir };
	d->dir = strdup(dir);
	d->name = strdup(name);
	return begin(d, true, e);
}

char *
dirnew_path(const struct dirnew *d)
{
	char *path;

	return asprintf(&path, "%s/%s", d->dir, d->tmp) < 0 ? NULL : path;
}

int
dirnew_check(const char *path, struct err *e)
{
	const struct dirnew d = { .path = path };
	struct stat st;

	return lstat(path, &st) == 0 ? exists(&d, e) : 0;
}

int
dirnew_room(const struct dirnew *d, uint64_t *bytes, struct err *e)
{
	struct statvfs vfs;

	if (fstatvfs(d->fd, &vfs) < 0)
		return err_system(e, "%s", err_tail(d->path));
	*bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	return 0;
}

static int sync_in(int fd, bool deep);

/* name in dir on disk, a directory of files too where deep.  0, or -1 with
 * errno. */
static int
sync_one(int dir, const char *name, bool deep)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int r, saved;
	struct stat st;

	if (fd < 0)
		return -1;
	r = fstat(fd, &st);
	if (r == 0 && S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		r = deep ? sync_in(fd, false) : -1;
	}
	if (r == 0)
		r = fsync(fd);
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

/* All that is in a directory on disk.  0, or -1 with errno. */
static int
sync_in(int fd, bool deep)
{
	DIR *dir = list(fd);
	struct dirent *x;
	int r = dir ? 0 : -1, saved;

	while (r == 0 && (errno = 0, x = readdir(dir)))
		if (!is_dot(x->d_name))
			r = sync_one(fd, x->d_name, deep);
	if (r == 0 && errno)
		r = -1;
	saved = errno;
	if (dir)
		closedir(dir);
	errno = saved;
	return r;
}

/* Under its name, and over nothing, or nothing that has something in it.  0, or
 * -1 with errno. */
static int
publish(const struct dirnew *d)
{
	struct stat st;

	if (d->over_empty)
		return renameat(d->parent, d->tmp, d->parent, d->name);
	if (renameat2(d->parent, d->tmp, d->parent, d->name,
	    RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* a file system that cannot be told so */
	if (fstatat(d->parent, d->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(d->parent, d->tmp, d->parent, d->name);
}

int
dirnew_sync(struct dirnew *d, struct err *e)
{
	return sync_in(d->fd, true) < 0 || fsync(d->fd) < 0 ?
	    err_system(e, "%s: fsync", err_tail(d->path)) : 0;
}

/* Why publish() failed. */
static int
not_published(const struct dirnew *d, struct err *e)
{
	switch (errno) {
	case EEXIST: case ENOTEMPTY: case ENOTDIR:
		return exists(d, e);
	case EBUSY:
		return mounted(d, e);
	default:
		return err_system(e, "%s: putting it in place",
		    err_tail(d->path));
	}
}

int
dirnew_commit(struct dirnew *d, struct err *e)
{
	int r = 0;

	if (dirnew_sync(d, e) < 0) {
		r = -1;
	} else if (publish(d) < 0) {
		r = not_published(d, e);
	} else {
		if (fsync(d->parent) < 0)
			r = err_system(e, "%s: fsync of its directory",
			    err_tail(d->path));
		close(d->fd);
		d->fd = -1;
	}
	dirnew_abort(d);
	return r;
}

void
dirnew_abort(struct dirnew *d)
{
	if (d->fd >= 0 && d->tmp) {
		remove_all(d->parent, d->tmp, d->fd);
		close(d->fd);
	}
	if (d->parent >= 0)
		close(d->parent);
	free(d->tmp);
	free(d->name);
	free(d->dir);
	*d = (struct dirnew){ .fd = -1, .parent = -1 };
}
