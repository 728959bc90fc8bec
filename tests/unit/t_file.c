/* SPDX-License-Identifier: Apache-2.0 */
/* t_file - files that appear whole or not at all. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include "../scratch.h"
#include "../tap.h"

/* How many names a directory has. */
static int
names(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	if (!dir)
		scratch_die(path);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

static bool
holds(const char *path, const char *want)
{
	struct buf b = { 0 };
	bool same;

	scratch_read(path, &b);
	same = strcmp(buf_str(&b), want) == 0;
	buf_release(&b);
	return same;
}

static const char *
in_dir(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "d/%s", name);
	return scratch_path(path);
}

static void
test_new(void)
{
	const char *path = in_dir("new");
	struct file_new f;
	struct err e = { 0 };
	int before = names(scratch_path("d"));

	ok(file_new_begin(&f, path, false, &e) == 0 &&
	    file_write(f.fd, "abc", 3) == 0, "begun");
	ok(access(path, F_OK) < 0 && errno == ENOENT, "  not there yet");
	ok(file_new_commit(&f, &e) == 0 && holds(path, "abc"), "  committed");
	ok(names(scratch_path("d")) == before + 1, "  alone");
	ok(file_new_begin(&f, path, false, &e) == -1 &&
	    e.status == STATUS_USAGE && strstr(e.msg,
	    "/new exists; --force replaces it"), "%s", e.msg + 20);
	ok(file_new_begin(&f, path, true, &e) == 0 &&
	    file_write(f.fd, "def", 3) == 0 && holds(path, "abc"),
	    "being replaced");
	file_new_abort(&f);
	ok(holds(path, "abc") && names(scratch_path("d")) == before + 1,
	    "  given up");
	ok(file_new_begin(&f, path, true, &e) == 0 &&
	    file_write(f.fd, "def", 3) == 0 &&
	    file_new_commit(&f, &e) == 0 && holds(path, "def") &&
	    names(scratch_path("d")) == before + 1, "  replaced");
}

static void
test_races(void)
{
	const char *path = in_dir("race");
	struct file_new f;
	struct err e = { 0 };

	ok(file_new_begin(&f, path, false, &e) == 0 &&
	    file_write(f.fd, "mine", 4) == 0, "begun");
	scratch_write(path, BYTES("theirs"));
	ok(file_new_commit(&f, &e) == -1 && e.status == STATUS_USAGE &&
	    holds(path, "theirs"), "  somebody else was faster");
	ok(file_new_begin(&f, path, true, &e) == 0 &&
	    file_write(f.fd, "mine", 4) == 0 &&
	    unlink(path) == 0 && file_new_commit(&f, &e) == 0 &&
	    holds(path, "mine"), "what is to be replaced disappears");
}

static void
test_refused(void)
{
	struct file_new f;
	struct err e = { 0 };

	ok(file_new_begin(&f, in_dir("no/such"), false, &e) == -1 &&
	    e.status == STATUS_SYSTEM && strstr(e.msg, "No such file"),
	    "no directory");
	ok(file_new_begin(&f, in_dir(""), true, &e) == -1 &&
	    e.status == STATUS_SYSTEM, "no name");
	mkdir(in_dir("sub"), 0777);
	ok(file_new_begin(&f, in_dir("sub"), true, &e) == -1 &&
	    e.status == STATUS_USAGE && strstr(e.msg, "not a regular file"),
	    "a directory");
	ok(symlink("new", in_dir("link")) == 0 &&
	    file_new_begin(&f, in_dir("link"), true, &e) == -1 &&
	    e.status == STATUS_USAGE, "a symbolic link");
	ok(symlink("nowhere", in_dir("dangling")) == 0 &&
	    file_new_begin(&f, in_dir("dangling"), false, &e) == -1 &&
	    e.status == STATUS_USAGE, "  also one to nothing");
}

/* What dead runs left goes, what living ones have open stays. */
static void
test_sweep(void)
{
	const char *dead = in_dir(".swept.chromautils-1");
	const char *alive = in_dir(".swept.chromautils-2");
	const char *other = in_dir(".swept2.chromautils-1");
	struct file_new f;
	struct err e = { 0 };
	int fd;

	scratch_write(dead, BYTES("x"));
	scratch_write(alive, BYTES("x"));
	scratch_write(other, BYTES("x"));
	fd = open(alive, O_RDONLY | O_CLOEXEC);
	ok(fd >= 0 && flock(fd, LOCK_EX) == 0 &&
	    file_new_begin(&f, in_dir("swept"), false, &e) == 0, "begun");
	ok(access(dead, F_OK) < 0, "  what a dead run left is gone");
	ok(access(alive, F_OK) == 0, "  what a living one has is not");
	ok(access(other, F_OK) == 0, "  nor what is another file's");
	file_new_abort(&f);
	close(fd);
}

static void
test_relative(void)
{
	struct file_new f;
	struct err e = { 0 };
	char *cwd = getcwd(NULL, 0);

	ok(cwd && chdir(scratch_path("d")) == 0 &&
	    file_new_begin(&f, "plain", false, &e) == 0 &&
	    file_new_commit(&f, &e) == 0 && holds("plain", ""),
	    "a name without a directory");
	ok(cwd && chdir(cwd) == 0, "  and back");
	free(cwd);
}

static void
test_reads(void)
{
	const char *path = in_dir("bytes");
	char p[16];
	int fd, ends[2];

	scratch_write(path, BYTES("0123456789"));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ok(file_pread(fd, p, 4, 3) == 4 && memcmp(p, "3456", 4) == 0,
	    "four bytes at 3");
	ok(file_pread(fd, p, 16, 7) == 3, "as many as there are");
	ok(file_pread(fd, p, 16, 10) == 0 && file_pread(fd, p, 16, 99) == 0,
	    "none beyond the end");
	ok(file_read(fd, p, 16) == 10 && file_read(fd, p, 16) == 0,
	    "read to the end");
	close(fd);
	ok(file_read(fd, p, 1) == -1 && errno == EBADF &&
	    file_pread(fd, p, 1, 0) == -1 && file_write(fd, p, 1) == -1,
	    "a descriptor that is closed");
	ok(pipe(ends) == 0 && file_write(ends[1], "ab", 2) == 0 &&
	    file_read(ends[0], p, 16) == 2, "a pipe gives what it has");
	close(ends[0]);
	close(ends[1]);
}

/* An ACL as the kernel has it: version 2, then tag, permissions, id; one
 * that lets user 12345 read, and nobody write but the owner. */
static const char acl[] = "\2\0\0\0"
    "\1\0\6\0\xff\xff\xff\xff" "\2\0\4\0\x39\x30\0\0"
    "\4\0\0\0\xff\xff\xff\xff" "\x10\0\4\0\xff\xff\xff\xff"
    "\x20\0\0\0\xff\xff\xff\xff";
#define ACL_NAME "system.posix_acl_access"

static int
opened(const char *name)
{
	int fd = open(in_dir(name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		scratch_die(name);
	return fd;
}

static bool
has(int fd, const char *name, struct slice want)
{
	char p[256];
	ssize_t n = fgetxattr(fd, name, p, sizeof(p));

	return n == (ssize_t)want.len && memcmp(p, want.p, want.len) == 0;
}

static void
test_like(void)
{
	int like = opened("like"), fd = opened("unlike");
	bool root = geteuid() == 0;
	struct stat a, b;
	struct err e = { 0 };

	ok((!root || fchown(like, 4711, 4712) == 0) &&
	    fchmod(like, 02641) == 0 && file_like(fd, like, &e) == 0 &&
	    fstat(like, &a) == 0 && fstat(fd, &b) == 0,
	    "a file like another one");
	ok(a.st_uid == b.st_uid && a.st_gid == b.st_gid, "  its owner");
	ok(b.st_mode == (S_IFREG | 02641), "  its mode");
	if (fsetxattr(like, "user.note", "a\0b", 3, 0) == 0 &&
	    fsetxattr(like, "user.empty", "", 0, 0) == 0)
		ok(file_like(fd, like, &e) == 0 &&
		    has(fd, "user.note", BYTES("a\0b")) &&
		    has(fd, "user.empty", BYTES("")), "  its attributes");
	else
		ok(true, "  its attributes # SKIP none on this file system");
	if (fsetxattr(like, ACL_NAME, acl, sizeof(acl) - 1, 0) == 0) {
		ok(file_like(fd, like, &e) == 0 &&
		    has(fd, ACL_NAME, BYTES(acl)), "  its ACL");
		ok(fremovexattr(like, ACL_NAME) == 0 &&
		    fchmod(like, 0640) == 0 && file_like(fd, like, &e) == 0 &&
		    fgetxattr(fd, ACL_NAME, NULL, 0) < 0 &&
		    fstat(fd, &b) == 0 && b.st_mode == (S_IFREG | 0640),
		    "  no ACL that it has not");
	} else
		ok(true, "  its ACL # SKIP none on this file system");
	close(fd);
	close(like);
}

/* What a user may not give away. */
static void
test_unlike(void)
{
	int like = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = opened("mine");
	bool root = geteuid() == 0;
	struct err e = { 0 };

	ok((!root || (fchown(fd, 65534, 65534) == 0 &&
	    seteuid(65534) == 0)) && file_like(fd, like, &e) == -1 &&
	    e.status == STATUS_SYSTEM && strcmp(e.msg, "the owner 0:0 cannot "
	    "be given to a new file: Operation not permitted") == 0, "%s",
	    e.msg);
	ok(file_like(-1, like, &e) == -1 && e.status == STATUS_SYSTEM &&
	    (!root || seteuid(0) == 0), "no file");
	close(fd);
	close(like);
}

static void
test_room(void)
{
	struct statvfs vfs;
	struct err e = { 0 };
	uint64_t bytes = 0, want;

	ok(statvfs("/dev/shm", &vfs) == 0 &&
	    file_room("/dev/shm", &bytes, &e) == 0, "room is told");
	want = (uint64_t)vfs.f_bavail * vfs.f_bsize;
	ok(bytes > want / 2 && bytes / 2 <= want, "  in bytes");
	ok(file_room(in_dir("nowhere"), &bytes, &e) == -1 &&
	    e.status == STATUS_SYSTEM && strstr(e.msg, "/nowhere: No such"),
	    "nowhere is none");
}

/* A copy is equal, whatever of it is a hole, and no larger on the disk. */
static void
test_copy(void)
{
	static const struct {
		off_t at, size;
		const char *what;
	} files[] = {
		{ -1, 0, "empty" }, { -1, 1 << 20, "a hole alone" },
		{ 0, 1 << 20, "a hole behind" }, { 700001, 1 << 20, "in between" },
		{ (3 << 20) - 5, 3 << 20, "before the last bytes" },
	};
	char a[5], b[5];
	struct stat x, y;
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int from = open(in_dir("from"), O_RDWR | O_CREAT | O_TRUNC,
		    0600), to;
		bool same = true;

		to = open(in_dir("to"), O_RDWR | O_CREAT | O_TRUNC, 0600);
		same &= ftruncate(from, files[i].size) == 0;
		if (files[i].at >= 0)
			same &= pwrite(from, "12345", 5, files[i].at) == 5;
		same &= file_copy(from, to) == 0;
		same &= fstat(from, &x) == 0 && fstat(to, &y) == 0 &&
		    x.st_size == y.st_size && y.st_blocks <= x.st_blocks;
		memset(a, 0, 5);
		memset(b, 1, 5);
		if (files[i].at >= 0)
			same &= pread(to, b, 5, files[i].at) == 5 &&
			    memcmp(b, "12345", 5) == 0;
		if (files[i].size)
			same &= pread(to, b, 5, files[i].size / 3) == 5 &&
			    memcmp(a, b, 5) == 0;
		ok(same, "copied: %s", files[i].what);
		close(from);
		close(to);
	}
}

int
main(void)
{
	mkdir(scratch_path("d"), 0777);
	test_new();
	test_races();
	test_refused();
	test_sweep();
	test_relative();
	test_reads();
	test_like();
	test_unlike();
	test_room();
	test_copy();
	return tap_done();
}
