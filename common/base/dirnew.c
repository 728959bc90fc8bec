/* SPDX-License-Identifier: Apache-2.0 */
/* dirnew.c - a directory of files that appears whole or not at all. */
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

/* Remove the directory fd, which is name in parent, and the files in it;
 * others are left, and so is it then. */
static void
remove_all(int parent, const char *name, int fd)
{
	DIR *dir = list(fd);
	struct dirent *d;

	while (dir && (d = readdir(dir)))
		if (!is_dot(d->d_name))
			unlinkat(fd, d->d_name, 0);
	if (dir)
		closedir(dir);
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

/* Split the path, slashes at its end aside.  The parent's, to be freed. */
static char *
split(struct dirnew *d)
{
	char *copy = strdup(d->path), *slash, *dir;
	size_t n = strlen(d->path);

	if (!copy)
		return NULL;
	while (n > 1 && copy[n - 1] == '/')
		copy[--n] = '\0';
	slash = strrchr(copy, '/');
	d->name = strdup(slash ? slash + 1 : copy);
	if (slash)
		slash[slash == copy] = '\0';
	dir = strdup(slash ? copy : ".");
	free(copy);
	return dir;
}

/* Make and lock it; one that was taken for a dead run's is made again.  0, or
 * -1 with errno. */
static int
make(struct dirnew *d)
{
	struct stat st;
	int try, saved;

	for (try = 0; try < TRIES; try++) {
		if (mkdirat(d->parent, d->tmp, 0777) < 0)
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

int
dirnew_begin(struct dirnew *d, const char *path, struct err *e)
{
	struct stat st;
	char *dir;

	*d = (struct dirnew){ .fd = -1, .parent = -1, .path = path };
	dir = split(d);
	d->tmp = dir && d->name ? file_tmp_name(d->name) : NULL;
	if (!d->tmp) {
		free(dir);
		dirnew_abort(d);
		return err_nomem(e);
	}
	d->parent = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	if (*path == '\0')
		errno = ENOENT;
	if (d->parent < 0 || *path == '\0') {
		err_system(e, "%s", err_tail(path));
	} else if (*d->name == '\0' || fstatat(d->parent, d->name, &st,
	    AT_SYMLINK_NOFOLLOW) == 0) {
		exists(d, e);
	} else {
		sweep(d->parent, d->name, NULL);
		if (make(d) == 0)
			return 0;
		err_system(e, "%s", err_tail(path));
	}
	dirnew_abort(d);
	return -1;
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

/* All of its files on disk.  0, or -1 with errno. */
static int
sync_files(const struct dirnew *d)
{
	DIR *dir = list(d->fd);
	struct dirent *x;
	int fd, r = dir ? 0 : -1, saved;

	while (r == 0 && (errno = 0, x = readdir(dir))) {
		if (is_dot(x->d_name))
			continue;
		fd = openat(d->fd, x->d_name, O_RDONLY | O_NOFOLLOW |
		    O_CLOEXEC);
		r = fd < 0 ? -1 : fsync(fd);
		saved = errno;
		if (fd >= 0)
			close(fd);
		errno = saved;
	}
	if (r == 0 && errno)
		r = -1;
	saved = errno;
	if (dir)
		closedir(dir);
	errno = saved;
	return r;
}

/* Under its name, and over nothing.  0, or -1 with errno. */
static int
publish(const struct dirnew *d)
{
	struct stat st;

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
	return sync_files(d) < 0 || fsync(d->fd) < 0 ?
	    err_system(e, "%s: fsync", err_tail(d->path)) : 0;
}

int
dirnew_commit(struct dirnew *d, struct err *e)
{
	int r = 0;

	if (dirnew_sync(d, e) < 0) {
		r = -1;
	} else if (publish(d) < 0) {
		r = errno == EEXIST ? exists(d, e) :
		    err_system(e, "%s: putting it in place",
		    err_tail(d->path));
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
	*d = (struct dirnew){ .fd = -1, .parent = -1 };
}
