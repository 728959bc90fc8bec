/* SPDX-License-Identifier: Apache-2.0 */
/* file.c - descriptors and files that appear whole or not at all. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"

#define COPY_CHUNK ((size_t)1 << 20)
#define ACL "system.posix_acl_access"

ssize_t
file_read(int fd, void *p, size_t n)
{
	ssize_t got;

	do
		got = read(fd, p, n);
	while (got < 0 && errno == EINTR);
	return got;
}

ssize_t
file_pread(int fd, void *p, size_t n, uint64_t offset)
{
	char *to = p;
	size_t have = 0;
	ssize_t got;

	while (have < n) {
		got = pread(fd, to + have, n - have, (off_t)(offset + have));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

int
file_write(int fd, const void *p, size_t n)
{
	const char *from = p;
	ssize_t done;

	while (n > 0) {
		done = write(fd, from, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		from += done;
		n -= (size_t)done;
	}
	return 0;
}

/* An attribute of fd: appended to *b.  1, 0 if there is none, -1 with
 * errno. */
static int
get_attribute(int fd, const char *name, struct buf *b)
{
	ssize_t n = fgetxattr(fd, name, NULL, 0);
	char *to;

	buf_reset(b);
	if (n >= 0) {
		to = buf_room(b, (size_t)n + 1);
		if (!to)
			errno = ENOMEM;
		n = to ? fgetxattr(fd, name, to, (size_t)n) : -1;
	}
	if (n < 0)
		return errno == ENODATA || errno == EOPNOTSUPP ? 0 : -1;
	b->len = (size_t)n;
	return 1;
}

/* The names of the attributes of fd, each with its NUL.  0, or -1 with
 * errno. */
static int
list_attributes(int fd, struct buf *names)
{
	ssize_t n = flistxattr(fd, NULL, 0);
	char *to;

	if (n > 0) {
		to = buf_room(names, (size_t)n);
		if (!to)
			errno = ENOMEM;
		n = to ? flistxattr(fd, to, (size_t)n) : -1;
	}
	if (n < 0)
		return errno == EOPNOTSUPP ? 0 : -1;
	names->len = (size_t)n;
	return 0;
}

static int
give_attribute(int fd, int like, const char *name, struct err *e)
{
	struct buf want = { 0 }, have = { 0 };
	int r = get_attribute(like, name, &want), same;

	/* what is there already (a label of SELinux) may not be ours to set */
	same = r > 0 && get_attribute(fd, name, &have) > 0 &&
	    have.len == want.len && memcmp(have.p, want.p, want.len) == 0;
	if (r > 0 && !same)
		r = fsetxattr(fd, name, want.p, want.len, 0);
	if (r < 0)
		err_system(e, "the attribute %s cannot be given to a new file",
		    name);
	buf_release(&want);
	buf_release(&have);
	return r < 0 ? -1 : 0;
}

static int
give_attributes(int fd, int like, struct err *e)
{
	struct buf names = { 0 };
	size_t i;
	int r = 0;

	if (list_attributes(like, &names) < 0)
		r = err_system(e, "the attributes cannot be listed");
	for (i = 0; r == 0 && i < names.len; i += strlen(names.p + i) + 1)
		r = give_attribute(fd, like, names.p + i, e);
	buf_release(&names);
	return r;
}

int
file_like(int fd, int like, struct err *e)
{
	struct stat want, have;

	if (fstat(like, &want) < 0 || fstat(fd, &have) < 0)
		return err_system(e, "fstat");
	/* the owner first: that takes mode bits and attributes away */
	if ((want.st_uid != have.st_uid || want.st_gid != have.st_gid) &&
	    fchown(fd, want.st_uid, want.st_gid) < 0)
		return err_system(e, "the owner %lu:%lu cannot be given to a "
		    "new file", (unsigned long)want.st_uid,
		    (unsigned long)want.st_gid);
	/* under an ACL the mode of the group is the mask of others */
	if (fremovexattr(fd, ACL) < 0 && errno != ENODATA &&
	    errno != EOPNOTSUPP)
		return err_system(e, "the attribute " ACL " cannot be taken "
		    "from a new file");
	if (fchmod(fd, want.st_mode & 07777) < 0)
		return err_system(e, "the mode %04o cannot be given to a new "
		    "file", (unsigned)want.st_mode & 07777);
	return give_attributes(fd, like, e);
}

int
file_room(const char *dir, uint64_t *bytes, struct err *e)
{
	struct statvfs vfs;

	if (statvfs(dir, &vfs) < 0)
		return err_system(e, "%s", err_tail(dir));
	*bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	return 0;
}

char *
file_tmp_name(const char *name)
{
	char *tmp;

	return asprintf(&tmp, ".%s%s%ld", name, FILE_TMP_MARK,
	    (long)getpid()) < 0 ? NULL : tmp;
}

void
file_sweep(int dirfd, const char *name)
{
	size_t n = strlen(name);
	struct dirent *d;
	DIR *dir;
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((d = readdir(dir))) {
		if (d->d_name[0] != '.' ||
		    strncmp(d->d_name + 1, name, n) != 0 ||
		    strncmp(d->d_name + 1 + n, FILE_TMP_MARK,
		    strlen(FILE_TMP_MARK)) != 0)
			continue;
		fd = openat(dirfd, d->d_name, O_RDONLY | O_NOFOLLOW |
		    O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			unlinkat(dirfd, d->d_name, 0);
		close(fd);
	}
	closedir(dir);
}

/* A locked file with a temporary name, for file systems without O_TMPFILE. */
static int
open_named(struct file_new *f)
{
	f->tmp = file_tmp_name(f->name);
	if (!f->tmp) {
		errno = ENOMEM;
		return -1;
	}
	f->fd = openat(f->dirfd, f->tmp,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (f->fd < 0) {
		free(f->tmp);
		f->tmp = NULL;
		return -1;
	}
	flock(f->fd, LOCK_EX | LOCK_NB);
	return 0;
}

static int
exists(const struct file_new *f, struct err *e)
{
	return err_usage(e, "%s exists; --force replaces it",
	    err_tail(f->path));
}

/* A mistaken name must not cost anybody a database. */
static bool
is_sqlite(const struct file_new *f)
{
	char head[16] = { 0 };
	int fd = openat(f->dirfd, f->name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : file_pread(fd, head, sizeof(head), 0);

	if (fd >= 0)
		close(fd);
	return n == sizeof(head) && memcmp(head, "SQLite format 3", 16) == 0;
}

static int
begin(struct file_new *f, const char *path, bool replace, bool named,
    struct err *e)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash == path ? strdup("/") : slash ?
	    strndup(path, (size_t)(slash - path)) : strdup(".");
	struct stat st;

	*f = (struct file_new){ .fd = -1, .dirfd = -1, .path = path,
	    .replace = replace };
	f->name = strdup(slash ? slash + 1 : path);
	if (!dir || !f->name) {
		free(dir);
		file_new_abort(f);
		return err_nomem(e);
	}
	f->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dirfd < 0 || !*f->name) {
		if (f->dirfd >= 0)
			errno = EISDIR;
		err_system(e, "%s", err_tail(path));
		free(dir);
		file_new_abort(f);
		return -1;
	}
	free(dir);
	if (fstatat(f->dirfd, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (!replace || !S_ISREG(st.st_mode)) {
			if (replace)
				err_usage(e, "%s is not a regular file",
				    err_tail(path));
			else
				exists(f, e);
			file_new_abort(f);
			return -1;
		}
	}
	if (replace && is_sqlite(f)) {
		err_usage(e, "%s is a SQLite database, which --force does not "
		    "replace", err_tail(path));
		file_new_abort(f);
		return -1;
	}
	file_sweep(f->dirfd, f->name);
	if (!named)
		f->fd = openat(f->dirfd, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC,
		    0666);
	if (f->fd < 0 && open_named(f) < 0) {
		err_system(e, "%s", err_tail(path));
		file_new_abort(f);
		return -1;
	}
	return 0;
}

int
file_new_begin(struct file_new *f, const char *path, bool replace,
    struct err *e)
{
	return begin(f, path, replace, false, e);
}

int
file_new_begin_named(struct file_new *f, const char *path, struct err *e)
{
	return begin(f, path, false, true, e);
}

char *
file_new_path(const struct file_new *f)
{
	const char *slash = strrchr(f->path, '/');
	char *path;

	return asprintf(&path, "%.*s%s", slash ?
	    (int)(slash + 1 - f->path) : 0, f->path, f->tmp) < 0 ? NULL : path;
}

/* Give a file without a name a temporary one. */
static int
name_it(struct file_new *f, const char *name)
{
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", f->fd);
	return linkat(AT_FDCWD, self, f->dirfd, name, AT_SYMLINK_FOLLOW);
}

/* The complete file under its name.  0, or -1 with errno. */
static int
publish(struct file_new *f)
{
	if (!f->replace)
		return f->tmp ? linkat(f->dirfd, f->tmp, f->dirfd, f->name, 0) :
		    name_it(f, f->name);
	if (!f->tmp) {
		f->tmp = file_tmp_name(f->name);
		if (!f->tmp) {
			errno = ENOMEM;
			return -1;
		}
		if (name_it(f, f->tmp) < 0)
			return -1;
	}
	if (renameat(f->dirfd, f->tmp, f->dirfd, f->name) < 0)
		return -1;
	free(f->tmp);
	f->tmp = NULL;
	return 0;
}

int
file_new_commit(struct file_new *f, struct err *e)
{
	int r = 0;

	if (fsync(f->fd) < 0)
		r = err_system(e, "%s: fsync", err_tail(f->path));
	else if (publish(f) < 0)
		r = errno == EEXIST ? exists(f, e) :
		    err_system(e, "%s: putting it in place",
		    err_tail(f->path));
	else if (fsync(f->dirfd) < 0)
		r = err_system(e, "%s: fsync of its directory",
		    err_tail(f->path));
	file_new_abort(f);
	return r;
}

void
file_new_abort(struct file_new *f)
{
	if (f->tmp)
		unlinkat(f->dirfd, f->tmp, 0);
	if (f->fd >= 0)
		close(f->fd);
	if (f->dirfd >= 0)
		close(f->dirfd);
	free(f->tmp);
	free(f->name);
	*f = (struct file_new){ .fd = -1, .dirfd = -1 };
}

/* ---- files without a name ---- */

static const char *
tmp_place(const char *dir)
{
	const char *tmp = dir ? dir : getenv("TMPDIR");

	return tmp && *tmp ? tmp : "/tmp";
}

int
file_unnamed_failed(const char *dir, const char *what, const char *why,
    struct err *e)
{
	return err_fail(e, "%s: %s: %s; name another place with --tmpdir=DIR",
	    err_tail(tmp_place(dir)), what, why);
}

/* Bytes [at, end) of a file, at the same place in another.  0, or -1 with
 * errno. */
static int
copy_range(int from, int to, char *buf, off_t at, off_t end)
{
	while (at < end) {
		size_t n = end - at < (off_t)COPY_CHUNK ? (size_t)(end - at) :
		    COPY_CHUNK;
		ssize_t got = file_pread(from, buf, n, (uint64_t)at);

		if (got < 0 || lseek(to, at, SEEK_SET) < 0 ||
		    file_write(to, buf, (size_t)got) < 0)
			return -1;
		if (got == 0)
			return 0;	/* it has become shorter */
		at += got;
	}
	return 0;
}

/* What is data; holes stay holes, where the file system tells them. */
static int
copy_data(int from, int to, char *buf, off_t size)
{
	off_t at = 0, end;

	while (at < size) {
		at = lseek(from, at, SEEK_DATA);
		if (at < 0)
			return errno == ENXIO ? 0 : -1;
		end = lseek(from, at, SEEK_HOLE);
		if (end < 0 || copy_range(from, to, buf, at, end) < 0)
			return -1;
		at = end;
	}
	return 0;
}

int
file_copy(int from, int to)
{
	struct stat st;
	char *buf;
	int r;

	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	if (fstat(from, &st) < 0)
		return -1;
	buf = malloc(COPY_CHUNK);
	if (!buf)
		return -1;
	r = copy_data(from, to, buf, st.st_size);
	free(buf);
	return r < 0 ? -1 : ftruncate(to, st.st_size);
}

int
file_unnamed(const char *dir, const char *what, struct err *e)
{
	const char *place = tmp_place(dir);
	char *name;
	int fd = open(place, O_RDWR | O_TMPFILE | O_EXCL | O_CLOEXEC, 0600);

	/* EISDIR: a kernel that does not know O_TMPFILE */
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		if (asprintf(&name, "%s/.chromautils-XXXXXX", place) < 0)
			return err_nomem(e);
		fd = mkostemp(name, O_CLOEXEC);
		if (fd >= 0)
			unlink(name);
		free(name);
	}
	return fd >= 0 ? fd : file_unnamed_failed(dir, what, strerror(errno),
	    e);
}
