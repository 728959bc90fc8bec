/* SPDX-License-Identifier: Apache-2.0 */
/* faultio - LD_PRELOAD that lets system calls and allocations fail.
 *
 * FAULTIO_OP=read|write|open|stat|alloc|sync|name|dir   which calls
 * FAULTIO_OP=change    whatever changes a file or a name, or may (open with
 *                      O_CREAT), or brings it to the disk
 * FAULTIO_N=N          the N-th of them fails, with
 * FAULTIO_ERRNO=E      this errno (default EIO; ENOMEM for alloc)
 * FAULTIO_LOG=FILE     created when that happens
 * FAULTIO_END=kill     it is not made, and SIGKILL ends the process; of bytes
 *                      that were to be written half are
 * FAULTIO_END=lasting  so do all of them from then on
 * FAULTIO_LIST=FILE    each call of FAULTIO_OP=change is a line of FILE
 * FAULTIO_OP=short     read and write move 7 bytes at most
 * FAULTIO_OP=eintr     every other read and write fails with EINTR
 *
 * glibc only: calls go to its 64-bit names, malloc to __libc_malloc.
 */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SHORT 7

static const char *op, *logname;
static long at, calls, every;
static int code = EIO;
static long list = -1;
static bool kills, lasting;

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
int __open64_2(const char *path, int flags);
int __openat64_2(int fd, const char *path, int flags);

__attribute__((constructor)) static void
start(void)
{
	const char *s;

	if ((s = getenv("FAULTIO_N")))
		at = atol(s);
	logname = getenv("FAULTIO_LOG");
	if ((s = getenv("FAULTIO_ERRNO")))
		code = atoi(s);
	if ((s = getenv("FAULTIO_END"))) {
		kills = strcmp(s, "kill") == 0;
		lasting = strcmp(s, "lasting") == 0;
	}
	if ((s = getenv("FAULTIO_LIST")))
		list = syscall(SYS_openat, AT_FDCWD, s, O_WRONLY | O_CREAT |
		    O_APPEND | O_CLOEXEC, 0600);
	op = getenv("FAULTIO_OP");
	if (op && strcmp(op, "alloc") == 0)
		code = ENOMEM;
}

/* Whether this call is the one. */
static bool
fails(const char *kind)
{
	if (!op || strcmp(op, kind) != 0 || ++calls < at || at == 0 ||
	    (calls > at && !lasting))
		return false;
	if (logname && calls == at) {
		long fd = syscall(SYS_openat, AT_FDCWD, logname,
		    O_WRONLY | O_CREAT, 0600);

		if (fd >= 0)
			syscall(SYS_close, fd);
	}
	errno = code;
	return true;
}

/* The same of a call that changes something; kept: the bytes that are written
 * all the same. */
static bool
changes_to(const char *name, int fd, const struct iovec *kept, off_t at_offset)
{
	if (!op || strcmp(op, "change") != 0)
		return false;
	if (list >= 0) {
		struct iovec line[] = { { (void *)(uintptr_t)name,
		    strlen(name) }, { (void *)(uintptr_t)"\n", 1 } };

		syscall(SYS_writev, list, line, 2);
	}
	if (!fails("change"))
		return false;
	if (!kills)
		return true;
	if (kept && at_offset < 0)
		syscall(SYS_write, fd, kept->iov_base, kept->iov_len);
	else if (kept)
		syscall(SYS_pwrite64, fd, kept->iov_base, kept->iov_len,
		    at_offset);
	kill(getpid(), SIGKILL);
	return true;
}

static bool
changes(const char *name)
{
	return changes_to(name, -1, NULL, -1);
}

static bool
interrupted(void)
{
	if (!op || strcmp(op, "eintr") != 0 || ++every % 2 == 0)
		return false;
	errno = EINTR;
	return true;
}

static size_t
cut(size_t n)
{
	return op && strcmp(op, "short") == 0 && n > SHORT ? SHORT : n;
}

ssize_t
read(int fd, void *p, size_t n)
{
	if (fails("read") || interrupted())
		return -1;
	return syscall(SYS_read, fd, p, cut(n));
}

ssize_t
pread64(int fd, void *p, size_t n, off64_t offset)
{
	if (fails("read") || interrupted())
		return -1;
	return syscall(SYS_pread64, fd, p, cut(n), offset);
}

ssize_t
pread(int fd, void *p, size_t n, off_t offset)
{
	return pread64(fd, p, n, offset);
}

ssize_t
write(int fd, const void *p, size_t n)
{
	const struct iovec half = { (void *)(uintptr_t)p, n / 2 };

	/* (what is to be said can be) */
	if (fails("write") || (fd != STDERR_FILENO &&
	    changes_to("write", fd, &half, -1)) || interrupted())
		return -1;
	return syscall(SYS_write, fd, p, cut(n));
}

ssize_t
pwrite64(int fd, const void *p, size_t n, off64_t offset)
{
	const struct iovec half = { (void *)(uintptr_t)p, n / 2 };

	if (fails("write") || changes_to("pwrite64", fd, &half, offset) ||
	    interrupted())
		return -1;
	return syscall(SYS_pwrite64, fd, p, cut(n), offset);
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t offset)
{
	return pwrite64(fd, p, n, offset);
}

static int
do_open(int fd, const char *path, int flags, mode_t mode)
{
	return fails("open") || (flags & O_CREAT && changes("openat")) ? -1 :
	    (int)syscall(SYS_openat, fd, path, flags, mode);
}

int
open64(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (flags & (O_CREAT | __O_TMPFILE)) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return do_open(AT_FDCWD, path, flags, mode);
}

int
open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (flags & (O_CREAT | __O_TMPFILE)) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return do_open(AT_FDCWD, path, flags, mode);
}

int
openat64(int fd, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (flags & (O_CREAT | __O_TMPFILE)) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return do_open(fd, path, flags, mode);
}

int
__open64_2(const char *path, int flags)
{
	return do_open(AT_FDCWD, path, flags, 0);
}

int
__openat64_2(int fd, const char *path, int flags)
{
	return do_open(fd, path, flags, 0);
}

/* The next library's function of this name. */
#define NEXT(type, name, args) \
	static type (*next) args; \
	if (!next) \
		*(void **)(&next) = dlsym(RTLD_NEXT, name)

int
fstat64(int fd, struct stat64 *st)
{
	NEXT(int, "fstat64", (int, struct stat64 *));
	return fails("stat") ? -1 : next(fd, st);
}

int
stat64(const char *path, struct stat64 *st)
{
	NEXT(int, "stat64", (const char *, struct stat64 *));
	return fails("stat") ? -1 : next(path, st);
}

int
fstatat64(int fd, const char *path, struct stat64 *st, int flags)
{
	NEXT(int, "fstatat64", (int, const char *, struct stat64 *, int));
	return fails("stat") ? -1 : next(fd, path, st, flags);
}

int
fsync(int fd)
{
	return fails("sync") || changes("fsync") ? -1 :
	    (int)syscall(SYS_fsync, fd);
}

int
fdatasync(int fd)
{
	return changes("fdatasync") ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int
ftruncate64(int fd, off64_t size)
{
	return changes("ftruncate") ? -1 :
	    (int)syscall(SYS_ftruncate, fd, size);
}

int
fchmod(int fd, mode_t mode)
{
	return changes("fchmod") ? -1 : (int)syscall(SYS_fchmod, fd, mode);
}

int
fchown(int fd, uid_t uid, gid_t gid)
{
	return changes("fchown") ? -1 : (int)syscall(SYS_fchown, fd, uid, gid);
}

int
futimens(int fd, const struct timespec t[2])
{
	return changes("utimensat") ? -1 :
	    (int)syscall(SYS_utimensat, fd, NULL, t, 0);
}

int
fsetxattr(int fd, const char *name, const void *p, size_t n, int flags)
{
	return changes("fsetxattr") ? -1 :
	    (int)syscall(SYS_fsetxattr, fd, name, p, n, flags);
}

/* unlink(), rmdir() and unlinkat(); where no file, or directory, is there, nothing
 * changes. */
static int
do_unlink(int fd, const char *path, int flags)
{
	struct stat st;

	if (syscall(SYS_newfstatat, fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode) == (flags == AT_REMOVEDIR) &&
	    changes(flags ? "rmdir" : "unlink"))
		return -1;
	return (int)syscall(SYS_unlinkat, fd, path, flags);
}

int
unlinkat(int fd, const char *path, int flags)
{
	return do_unlink(fd, path, flags);
}

int
unlink(const char *path)
{
	return do_unlink(AT_FDCWD, path, 0);
}

int
rmdir(const char *path)
{
	return do_unlink(AT_FDCWD, path, AT_REMOVEDIR);
}

int
linkat(int from, const char *a, int to, const char *b, int flags)
{
	return fails("name") || changes("link") ? -1 :
	    (int)syscall(SYS_linkat, from, a, to, b, flags);
}

int
renameat(int from, const char *a, int to, const char *b)
{
	return fails("name") || changes("rename") ? -1 :
	    (int)syscall(SYS_renameat2, from, a, to, b, 0);
}

int
renameat2(int from, const char *a, int to, const char *b, unsigned flags)
{
	return fails("name") || changes("rename") ? -1 :
	    (int)syscall(SYS_renameat2, from, a, to, b, flags);
}

int
mkdirat(int fd, const char *path, mode_t mode)
{
	return fails("name") || changes("mkdir") ? -1 :
	    (int)syscall(SYS_mkdirat, fd, path, mode);
}

int
mkdir(const char *path, mode_t mode)
{
	return fails("name") || changes("mkdir") ? -1 :
	    (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

DIR *
opendir(const char *path)
{
	NEXT(DIR *, "opendir", (const char *));
	return fails("dir") ? NULL : next(path);
}

DIR *
fdopendir(int fd)
{
	NEXT(DIR *, "fdopendir", (int));
	return fails("dir") ? NULL : next(fd);
}

struct dirent64 *
readdir64(DIR *dir)
{
	NEXT(struct dirent64 *, "readdir64", (DIR *));
	return fails("dir") ? NULL : next(dir);
}

void *
malloc(size_t n)
{
	return fails("alloc") ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	return fails("alloc") ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	return fails("alloc") ? NULL : __libc_realloc(p, n);
}
