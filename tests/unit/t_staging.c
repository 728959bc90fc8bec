/* SPDX-License-Identifier: Apache-2.0 */
/* t_staging - the directory of a new index until the database names it, what
 * dead runs leave, and what becomes of the old one. */
#include "chroma/staging.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "../index_maker.h"
#include "../tap.h"

#define OLD "11111111-2222-4333-8444-555555555555"
#define LIVE "22222222-2222-4333-8444-555555555555"
#define DEAD "33333333-2222-4333-8444-555555555555"
#define ODD "44444444-2222-4333-8444-555555555555"

/* ---- what the system says, and what the database names ---- */

static int rename_fails;	/* with this errno; 0: it does not; EXDEV: only
				 * from one directory to another */
static int list_fails = -1;	/* after so many names */
static int fsync_fails = -1;	/* after so many that do not */

int
renameat2(int d1, const char *from, int d2, const char *to, unsigned flags)
{
	if (rename_fails && (rename_fails != EXDEV || d1 != d2)) {
		errno = rename_fails;
		return -1;
	}
	return (int)syscall(SYS_renameat2, d1, from, d2, to, flags);
}

int
fsync(int fd)
{
	if (fsync_fails >= 0 && fsync_fails-- == 0) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

struct dirent *
readdir(DIR *d)
{
	static struct dirent *(*real)(DIR *);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "readdir");
	if (list_fails >= 0 && list_fails-- == 0) {
		errno = EIO;
		return NULL;
	}
	return real(d);
}

static struct collection of_live;

struct collection *
catalog_of_segment(const struct catalog *c, struct slice segment)
{
	(void)c;
	return slice_is(segment, LIVE) ? &of_live : NULL;
}

/* ---- a persist dir ---- */

static char dir[300];

static const char *
at(const char *name)
{
	char path[192];

	snprintf(path, sizeof(path), "d/%.180s", name);
	return scratch_path(path);
}

static const char *
in(const char *sub, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%.90s/%.60s", sub, name);
	return at(path);
}

static bool
there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* How many names a directory has; -1: there is none. */
static int
names(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	if (!d)
		return -1;
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

/* A small index, of the bytes n. */
static void
put_index(const char *segment, const char *bytes)
{
	int i;

	mkdir(at(segment), 0777);
	for (i = 0; i < INDEX_FILES; i++)
		scratch_write(in(segment, index_file_name[i]),
		    slice_str(bytes));
}

static bool
holds(const char *path, const char *bytes)
{
	struct buf b = { 0 };
	bool same;

	if (!there(path))
		return false;
	scratch_read(path, &b);
	same = slice_is(buf_slice(&b), bytes);
	buf_release(&b);
	return same;
}

/* Empty but for the old index. */
static void
begin(void)
{
	char command[800];

	snprintf(dir, sizeof(dir), "%s/d", scratch_dir());
	snprintf(command, sizeof(command), "rm -rf '%s' '%s'", dir,
	    scratch_path("b"));
	if (system(command) != 0 || mkdir(dir, 0777) < 0 ||
	    mkdir(scratch_path("b"), 0777) < 0)
		scratch_die("mkdir");
	put_index(OLD, "old");
}

static bool
fill(const struct staging *s)
{
	int i, fd;

	for (i = 0; i < INDEX_FILES; i++) {
		fd = openat(s->dir.fd, index_file_name[i], O_WRONLY | O_CREAT |
		    O_EXCL, 0666);
		if (fd < 0 || file_write(fd, "new", 3) < 0 || close(fd) < 0)
			return false;
	}
	return true;
}

/* ---- making it ---- */

static void
test_life(void)
{
	char id[UUID_LEN + 1], tmp[128];
	struct staging s;
	struct err e = { 0 };

	begin();
	ok(staging_begin(&s, dir, &e) == 0 && uuid_is(slice_str(s.id)),
	    "begun: %s", e.msg);
	snprintf(tmp, sizeof(tmp), ".%s.chromautils-%d", s.id, (int)getpid());
	memcpy(id, s.id, sizeof(id));
	ok(strcmp(staging_name(&s), tmp) == 0 && names(dir) == 2 &&
	    there(in(tmp, STAGING_MARK)), "  under a name of its own, marked");
	ok(fill(&s) && staging_finish(&s, OLD, &e) == 0 && there(at(tmp)),
	    "  finished: %s", e.msg);
	ok(staging_place(&s, &e) == 0 && strcmp(staging_name(&s), id) == 0 &&
	    !there(at(tmp)) && there(in(id, STAGING_MARK)) &&
	    names(at(id)) == INDEX_FILES + 1, "  in its place, marked");
	staging_keep(&s);
	ok(!there(in(id, STAGING_MARK)) && names(at(id)) == INDEX_FILES &&
	    holds(in(id, "header.bin"), "new"), "  kept");
	staging_abort(&s);
	ok(names(at(id)) == INDEX_FILES && names(at(OLD)) == INDEX_FILES,
	    "  to give it up now changes nothing");
}

/* Given up at each moment. */
static void
test_abort(void)
{
	struct staging s = { 0 };
	struct err e = { 0 };
	int when;

	staging_abort(&s);
	ok(true, "never begun");
	for (when = 0; when < 4; when++) {
		begin();
		ok(staging_begin(&s, dir, &e) == 0 && (when < 1 || fill(&s)) &&
		    (when < 2 || staging_finish(&s, OLD, &e) == 0) &&
		    (when < 3 || staging_place(&s, &e) == 0), "moment %d",
		    when);
		staging_abort(&s);
		ok(names(dir) == 1 && names(at(OLD)) == INDEX_FILES,
		    "  given up: nothing is left");
		staging_abort(&s);
	}
	begin();
	ok(staging_begin(&s, dir, &e) == 0 && fill(&s) &&
	    staging_finish(&s, OLD, &e) == 0 && staging_place(&s, &e) == 0,
	    "left where it is");
	staging_leave(&s);
	staging_abort(&s);
	ok(names(dir) == 2, "  it stays");
}

static void
test_failures(void)
{
	struct staging s;
	struct err e = { 0 };

	begin();
	ok(staging_begin(&s, scratch_path("none"), &e) == -1 &&
	    e.status == STATUS_SYSTEM && strstr(e.msg, "/none: No such file"),
	    "no directory: %s", e.msg);
	staging_abort(&s);
	/* files and directory, and again before it gets the name; that */
	ok(staging_begin(&s, dir, &e) == 0 && fill(&s), "begun");
	fsync_fails = 0;
	ok(staging_finish(&s, OLD, &e) == -1 && e.status == STATUS_SYSTEM &&
	    strstr(e.msg, "fsync"), "  on disk: %s", e.msg);
	ok(staging_finish(&s, OLD, &e) == 0, "  again");
	fsync_fails = INDEX_FILES + 2;
	ok(staging_place(&s, &e) == -1 && strstr(e.msg,
	    "fsync of its directory"), "  its name on disk: %s", e.msg);
	fsync_fails = -1;
	staging_abort(&s);
	ok(names(dir) == 1, "  nothing is left");
	ok(staging_begin(&s, dir, &e) == 0 && fill(&s) &&
	    staging_finish(&s, OLD, &e) == 0, "begun");
	rename_fails = EIO;
	ok(staging_place(&s, &e) == -1 && e.status == STATUS_SYSTEM, "  its "
	    "name: %s", e.msg);
	rename_fails = 0;
	staging_abort(&s);
	ok(names(dir) == 1, "  nothing is left");
}

static mode_t
mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static bool
owned(const char *path, uid_t uid, gid_t gid)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_uid == uid && st.st_gid == gid;
}

static void
test_likeness(void)
{
	char id[UUID_LEN + 1];
	struct staging s;
	struct err e = { 0 };
	bool root = geteuid() == 0;

	begin();
	chmod(at(OLD), 02750);
	chmod(in(OLD, "header.bin"), 0640);
	chmod(in(OLD, "length.bin"), 0600);
	unlink(in(OLD, "link_lists.bin"));
	mkfifo(in(OLD, "link_lists.bin"), 0644);
	if (root && (chown(at(OLD), 1001, 1002) < 0 ||
	    chmod(at(OLD), 02750) < 0 ||
	    chown(in(OLD, "header.bin"), 1003, 1004) < 0))
		scratch_die("chown");
	ok(staging_begin(&s, dir, &e) == 0 && fill(&s) &&
	    staging_finish(&s, OLD, &e) == 0 && staging_place(&s, &e) == 0,
	    "as the old one: %s", e.msg);
	memcpy(id, s.id, sizeof(id));
	staging_keep(&s);
	ok(mode_of(at(id)) == 02750 && mode_of(in(id, "header.bin")) == 0640 &&
	    mode_of(in(id, "length.bin")) == 0600, "  modes");
	ok(!root || (owned(at(id), 1001, 1002) &&
	    owned(in(id, "header.bin"), 1003, 1004) &&
	    owned(in(id, "length.bin"), 0, 0)), "  owners");
	begin();
	if (root && chown(dir, 1005, 1006) < 0)
		scratch_die("chown");
	ok(staging_begin(&s, dir, &e) == 0 && fill(&s) &&
	    staging_finish(&s, root ? DEAD : NULL, &e) == 0 &&
	    staging_place(&s, &e) == 0, "without an old one: %s", e.msg);
	ok(!root || (owned(at(s.id), 1005, 1006) &&
	    owned(in(s.id, "header.bin"), 1005, 1006) &&
	    owned(in(s.id, STAGING_MARK), 1005, 1006)), "  of who owns DIR");
	staging_abort(&s);
}

/* ---- what dead runs leave ---- */

static void
test_sweep(void)
{
	int fd;

	begin();
	put_index(LIVE, "x");
	put_index(DEAD, "x");
	put_index(ODD, "x");
	put_index("index", "x");
	scratch_write(in(OLD, "mine"), slice_str("mine"));
	scratch_write(in(LIVE, STAGING_MARK), slice_str(""));
	scratch_write(in(DEAD, STAGING_MARK), slice_str(""));
	scratch_write(in(OLD, STAGING_MARK), slice_str(""));
	scratch_write(in("index", STAGING_MARK), slice_str(""));
	mkdir(in(ODD, STAGING_MARK), 0777);
	put_index("." DEAD ".chromautils-1", "x");
	put_index("." LIVE ".chromautils-2", "x");
	put_index(".index.chromautils-3", "x");
	if (symlink(at("index"), at("." OLD ".chromautils-4")) < 0)
		scratch_die("symlink");
	if (symlink("index", at("55555555-2222-4333-8444-555555555555")) < 0)
		scratch_die("symlink");
	fd = open(at("." LIVE ".chromautils-2"), O_RDONLY | O_DIRECTORY);
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		scratch_die("flock");
	staging_sweep(open(dir, O_RDONLY | O_DIRECTORY), NULL);
	ok(!there(at(DEAD)), "what is marked and has no name goes");
	ok(names(at(LIVE)) == INDEX_FILES, "what has one loses the mark");
	ok(names(at(OLD)) == 1 && there(in(OLD, "mine")), "what is not "
	    "Chroma's stays");
	ok(names(at(ODD)) == INDEX_FILES + 1, "a directory is no mark");
	ok(names(at("index")) == INDEX_FILES + 1, "nor are other names ours, "
	    "nor links followed");
	ok(!there(at("." DEAD ".chromautils-1")), "half an index goes");
	ok(names(at("." LIVE ".chromautils-2")) == INDEX_FILES,
	    "that of a living run stays");
	ok(names(at(".index.chromautils-3")) == INDEX_FILES &&
	    there(at("." OLD ".chromautils-4")), "so does what is none");
	close(fd);
	staging_sweep(open(dir, O_RDONLY | O_DIRECTORY), NULL);
	ok(!there(at("." LIVE ".chromautils-2")), "until it is dead");
}

/* ---- the old one ---- */

static void
test_check_backup(void)
{
	struct err e = { 0 };

	begin();
	ok(staging_check_backup(dir, scratch_path("b/x"), &e) == 0 &&
	    staging_check_backup(dir, scratch_path("b/x//"), &e) == 0 &&
	    staging_check_backup(dir, "x-y-z", &e) == 0, "good ones");
	ok(staging_check_backup(dir, scratch_path("b"), &e) == -1 &&
	    e.status == STATUS_USAGE && strstr(e.msg, "/b exists; name a "
	    "directory that does not"), "%s", e.msg);
	if (symlink("nowhere", scratch_path("b/link")) < 0 ||
	    symlink("../d", scratch_path("b/d")) < 0)
		scratch_die("symlink");
	ok(staging_check_backup(dir, scratch_path("b/link"), &e) == -1 &&
	    e.status == STATUS_USAGE, "a link that leads nowhere");
	ok(staging_check_backup(dir, scratch_path("none/x"), &e) == -1 &&
	    e.status == STATUS_SYSTEM, "%s", e.msg);
	ok(staging_check_backup(dir, at("x"), &e) == -1 &&
	    e.status == STATUS_USAGE && strstr(e.msg, "is inside"), "%s",
	    e.msg);
	ok(staging_check_backup(dir, in(OLD, "x"), &e) == -1 &&
	    e.status == STATUS_USAGE, "inside the index");
	ok(staging_check_backup(dir, scratch_path("b/d/x"), &e) == -1 &&
	    e.status == STATUS_USAGE, "inside, by a link");
	ok(staging_check_backup(dir, "", &e) == -1 &&
	    e.status == STATUS_USAGE, "%s", e.msg);
	ok(staging_check_backup("/", "/x-y-z/..", &e) == -1, "no such parent");
	ok(staging_check_backup("/", scratch_path("b/x"), &e) == -1 &&
	    e.status == STATUS_USAGE, "all is inside /");
}

static void
test_retire(void)
{
	struct err e = { 0 };

	begin();
	ok(staging_retire(dir, OLD, NULL, &e) == 0 && names(dir) == 0,
	    "removed: %s", e.msg);
	ok(staging_retire(dir, OLD, NULL, &e) == 0 &&
	    staging_retire(dir, OLD, scratch_path("b/x"), &e) == 0 &&
	    names(scratch_path("b")) == 0, "none there");
	begin();
	scratch_write(in(OLD, "mine"), slice_str("mine"));
	ok(staging_retire(dir, OLD, NULL, &e) == 0 && names(at(OLD)) == 1 &&
	    holds(in(OLD, "mine"), "mine"), "with what is not Chroma's: that "
	    "stays, unmarked");
	begin();
	scratch_write(in(OLD, "mine"), slice_str("mine"));
	ok(staging_retire(dir, OLD, scratch_path("b/x"), &e) == 0 &&
	    names(dir) == 0 && names(scratch_path("b/x")) == INDEX_FILES + 1,
	    "moved, with all that is in it");
	begin();
	mkdir(scratch_path("b/x"), 0777);
	ok(staging_retire(dir, OLD, scratch_path("b/x"), &e) == -1 &&
	    e.status == STATUS_SYSTEM && names(at(OLD)) == INDEX_FILES,
	    "something came: %s", e.msg);
	rename_fails = EINVAL;
	ok(staging_retire(dir, OLD, scratch_path("b/x"), &e) == -1 &&
	    e.status == STATUS_SYSTEM && strstr(e.msg, "File exists") &&
	    names(at(OLD)) == INDEX_FILES && names(scratch_path("b/x")) == 0,
	    "the same, where that cannot be asked for: %s", e.msg);
	rmdir(scratch_path("b/x"));
	ok(staging_retire(dir, OLD, scratch_path("b/x"), &e) == 0 &&
	    names(scratch_path("b/x")) == INDEX_FILES, "and moved");
	rename_fails = EACCES;
	begin();
	ok(staging_retire(dir, OLD, scratch_path("b/x"), &e) == -1 &&
	    e.status == STATUS_SYSTEM && names(at(OLD)) == INDEX_FILES,
	    "it may not be: %s", e.msg);
	rename_fails = 0;
}

/* On another file system. */
static void
test_retire_far(void)
{
	struct err e = { 0 };
	const char *to;

	rename_fails = EXDEV;
	begin();
	chmod(in(OLD, "header.bin"), 0640);
	chmod(at(OLD), 0750);
	scratch_write(in(OLD, "mine"), slice_str("mine"));
	to = scratch_path("b/x");
	ok(staging_retire(dir, OLD, to, &e) == 0 && names(to) ==
	    INDEX_FILES + 1 && holds(scratch_path("b/x/header.bin"), "old") &&
	    holds(scratch_path("b/x/mine"), "mine"), "copied, with all that "
	    "is in it: %s", e.msg);
	ok(mode_of(scratch_path("b/x")) == 0750 &&
	    mode_of(scratch_path("b/x/header.bin")) == 0640, "  modes");
	ok(names(at(OLD)) == 1, "  and removed, but for what is not Chroma's");
	begin();
	list_fails = 4;
	ok(staging_retire(dir, OLD, scratch_path("b/x"), &e) == -1 &&
	    e.status == STATUS_SYSTEM && names(at(OLD)) == INDEX_FILES &&
	    names(scratch_path("b")) == 0, "it cannot be read: %s", e.msg);
	list_fails = -1;
	mkfifo(in(OLD, "pipe"), 0666);
	ok(staging_retire(dir, OLD, scratch_path("b/x"), &e) == -1 &&
	    strstr(e.msg, "b/x: pipe is not a regular file") &&
	    names(at(OLD)) == INDEX_FILES + 1 &&
	    names(scratch_path("b")) == 0, "%s", e.msg);
	unlink(in(OLD, "pipe"));
	mkdir(scratch_path("b/x"), 0777);
	ok(staging_retire(dir, OLD, scratch_path("b/x"), &e) == -1 &&
	    e.status == STATUS_SYSTEM && names(at(OLD)) == INDEX_FILES &&
	    names(scratch_path("b/x")) == 0, "something came: %s", e.msg);
	rmdir(scratch_path("b/x"));
	fsync_fails = 2;
	ok(staging_retire(dir, OLD, scratch_path("b/x"), &e) == -1 &&
	    e.status == STATUS_SYSTEM && names(at(OLD)) == INDEX_FILES &&
	    names(scratch_path("b")) == 0, "not on disk: %s", e.msg);
	fsync_fails = -1;
	rename_fails = 0;
}

int
main(void)
{
	umask(022);
	test_life();
	test_abort();
	test_failures();
	test_likeness();
	test_sweep();
	test_check_backup();
	test_retire();
	test_retire_far();
	return tap_done();
}
