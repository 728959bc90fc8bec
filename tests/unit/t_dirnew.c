/* SPDX-License-Identifier: Apache-2.0 */
/* t_dirnew - directories that appear whole or not at all. */
#include "base/dirnew.h"

#include <dirent.h>
#include <errno.h>
#include <sys/file.h>

#include "../scratch.h"
#include "../tap.h"

/* How many names a directory has; -1: there is none. */
static int
names(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	if (!dir)
		return -1;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

static const char *
in_dir(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "d/%s", name);
	return scratch_path(path);
}

/* A file of three bytes in an open directory. */
static bool
put(int fd, const char *name)
{
	int to = openat(fd, name, O_WRONLY | O_CREAT | O_EXCL, 0666);
	bool done = to >= 0 && file_write(to, "abc", 3) == 0;

	return done && close(to) == 0;
}

static void
test_new(void)
{
	const char *path = in_dir("new");
	struct dirnew d;
	struct err e = { 0 };

	ok(dirnew_begin(&d, path, &e) == 0 && put(d.fd, "a") && put(d.fd, "b"),
	    "begun: %s", e.msg);
	ok(access(path, F_OK) < 0 && errno == ENOENT &&
	    strncmp(d.tmp, ".new.chromautils-", 17) == 0 &&
	    names(in_dir(d.tmp)) == 2, "  not there yet");
	ok(dirnew_commit(&d, &e) == 0 && names(path) == 2 &&
	    names(scratch_path("d")) == 1, "  committed, alone");
	ok(dirnew_begin(&d, path, &e) == -1 && e.status == STATUS_USAGE &&
	    strstr(e.msg, "/new exists; name a directory that does not"),
	    "%s", e.msg);
	ok(dirnew_begin(&d, in_dir("other///"), &e) == 0 && put(d.fd, "a"),
	    "slashes at the end");
	dirnew_abort(&d);
	ok(names(scratch_path("d")) == 1, "  given up");
	dirnew_abort(&d);
	ok(d.fd == -1, "  and again");
}

static void
test_names(void)
{
	struct dirnew d;
	struct err e = { 0 };
	char cwd[512];

	ok(dirnew_begin(&d, "", &e) == -1 && e.status == STATUS_SYSTEM,
	    "no name: %s", e.msg);
	ok(dirnew_begin(&d, "/", &e) == -1 && e.status == STATUS_USAGE,
	    "the root: %s", e.msg);
	ok(dirnew_begin(&d, in_dir(".."), &e) == -1 && e.status ==
	    STATUS_USAGE, "the parent");
	ok(dirnew_begin(&d, in_dir("none/x"), &e) == -1 && e.status ==
	    STATUS_SYSTEM && strstr(e.msg, "none/x: No such file"), "%s",
	    e.msg);
	if (symlink("nowhere", in_dir("link")) < 0)
		scratch_die("symlink");
	ok(dirnew_begin(&d, in_dir("link"), &e) == -1 && e.status ==
	    STATUS_USAGE, "a link that leads nowhere");
	unlink(in_dir("link"));
	if (!getcwd(cwd, sizeof(cwd)) || chdir(scratch_path("d")) < 0)
		scratch_die("chdir");
	ok(dirnew_begin(&d, "here", &e) == 0 && dirnew_commit(&d, &e) == 0 &&
	    names("here") == 0, "without a directory");
	rmdir("here");
	ok(chdir(cwd) == 0, "  back");
}

/* Somebody was faster. */
static void
test_races(void)
{
	const char *path = in_dir("race");
	struct dirnew d;
	struct err e = { 0 };

	ok(dirnew_begin(&d, path, &e) == 0 && put(d.fd, "a") &&
	    mkdir(path, 0777) == 0 && dirnew_commit(&d, &e) == -1 &&
	    e.status == STATUS_USAGE && names(path) == 0 &&
	    names(scratch_path("d")) == 2, "an empty one came: %s", e.msg);
	rmdir(path);
}

/* What dead runs left goes; nothing else does. */
static void
test_leftovers(void)
{
	static const struct {
		const char *name;
		bool stays;
	} left[] = {
		{ ".x.chromautils-1", false }, { ".x.chromautils-77", false },
		{ ".x.chromautils-", true }, { ".x.chromautils-7a", true },
		{ ".xy.chromautils-1", true }, { "x.chromautils-1", true },
	};
	struct dirnew d;
	struct err e = { 0 };
	size_t i;
	int fd;

	for (i = 0; i < COUNT(left); i++) {
		if (mkdir(in_dir(left[i].name), 0777) < 0)
			scratch_die("mkdir");
		fd = open(in_dir(left[i].name), O_RDONLY | O_DIRECTORY);
		ok(put(fd, "header.bin"), "left: %s", left[i].name);
		close(fd);
	}
	mkdir(in_dir(".x.chromautils-5"), 0777);
	fd = open(in_dir(".x.chromautils-5"), O_RDONLY | O_DIRECTORY);
	ok(flock(fd, LOCK_EX) == 0, "a living one");
	ok(dirnew_begin(&d, in_dir("x"), &e) == 0, "begun: %s", e.msg);
	dirnew_abort(&d);
	for (i = 0; i < COUNT(left); i++)
		ok((names(in_dir(left[i].name)) == 1) == left[i].stays,
		    "  %s %s", left[i].name, left[i].stays ? "stays" : "goes");
	ok(names(in_dir(".x.chromautils-5")) == 0, "  the living one stays");
	close(fd);
	ok(dirnew_begin(&d, in_dir("x"), &e) == 0 && put(d.fd, "a") &&
	    names(in_dir(".x.chromautils-5")) == -1, "  until it is dead");
	ok(dirnew_commit(&d, &e) == 0 && names(in_dir("x")) == 1, "  done");
}

static bool
is_our_name(struct slice name)
{
	return slice_is(name, "q") || slice_is(name, "a.chromautils-3");
}

/* For all names that are ours. */
static void
test_sweep(void)
{
	static const struct {
		const char *name;
		bool stays;
	} left[] = {
		{ ".q.chromautils-1", false }, { ".q.chromautils-22", false },
		{ ".a.chromautils-3.chromautils-4", false },
		{ ".y.chromautils-1", true }, { ".q.chromautils-1a", true },
		{ ".q.chromautils-", true }, { "q.chromautils-1", true },
		{ "..chromautils-1", true }, { ".chromautils-1", true },
		{ ".q", true }, { "q", true },
	};
	struct dirnew d;
	struct err e = { 0 };
	int parent = open(scratch_path("d"), O_RDONLY | O_DIRECTORY), fd;
	char made[512];			/* a dirnew borrows it */
	size_t i;

	snprintf(made, sizeof(made), "%s", in_dir("made"));

	for (i = 0; i < COUNT(left); i++) {
		mkdir(in_dir(left[i].name), 0777);
		fd = open(in_dir(left[i].name), O_RDONLY | O_DIRECTORY);
		if (fd < 0 || !put(fd, "header.bin"))
			scratch_die(left[i].name);
		close(fd);
	}
	if (symlink("q", in_dir(".q.chromautils-5")) < 0)
		scratch_die("symlink");
	scratch_write(in_dir(".q.chromautils-6"), slice_str("a file"));
	mkdir(in_dir(".q.chromautils-7"), 0777);
	mkdir(in_dir(".q.chromautils-7/sub"), 0777);
	mkdir(in_dir(".q.chromautils-7/sub/sub"), 0777);
	mkdir(in_dir(".q.chromautils-9"), 0777);
	mkdir(in_dir(".q.chromautils-9/sub"), 0777);
	scratch_write(in_dir(".q.chromautils-9/sub/a"), slice_str("a"));
	scratch_write(in_dir("elsewhere"), slice_str("a"));
	if (symlink("../elsewhere", in_dir(".q.chromautils-9/link")) < 0 ||
	    symlink("../q", in_dir(".q.chromautils-9/dirlink")) < 0)
		scratch_die("symlink");
	/* our own, that lives */
	ok(dirnew_begin(&d, made, &e) == 0 && put(d.fd, "a"),
	    "sweep: %s", e.msg);
	dirnew_sweep(parent, is_our_name);
	for (i = 0; i < COUNT(left); i++)
		ok((names(in_dir(left[i].name)) == 1) == left[i].stays,
		    "  %s %s", left[i].name, left[i].stays ? "stays" : "goes");
	ok(names(in_dir(".q.chromautils-5")) == 1, "  links are not followed");
	ok(access(in_dir(".q.chromautils-6"), F_OK) == 0, "  nor files ours");
	ok(names(in_dir(".q.chromautils-7/sub")) == 1, "  nor deep trees");
	ok(names(in_dir(".q.chromautils-9")) == -1 &&
	    access(in_dir("elsewhere"), F_OK) == 0 && names(in_dir("q")) == 1,
	    "  directories of files go, and what links lead to stays");
	ok(dirnew_commit(&d, &e) == 0, "  ours lives");
	ok(dirnew_begin(&d, in_dir("q2"), &e) == 0 && put(d.fd, "a"),
	    "begun");
	free(d.name);
	d.name = strdup("q");		/* so that the sweep would take it */
	rename(in_dir(d.tmp), in_dir(".q.chromautils-8"));
	dirnew_sweep(parent, is_our_name);
	ok(names(in_dir(".q.chromautils-8")) == 1, "  a living one stays, "
	    "also for who has it");
	free(d.tmp);
	d.tmp = strdup(".q.chromautils-8");
	dirnew_abort(&d);
	close(parent);
}

/* Its files are on disk; links and what cannot be opened are an error. */
static void
test_sync(void)
{
	struct dirnew d;
	struct err e = { 0 };
	char made[512];

	snprintf(made, sizeof(made), "%s", in_dir("synced"));
	ok(dirnew_begin(&d, made, &e) == 0 &&
	    dirnew_sync(&d, &e) == 0 && put(d.fd, "a") &&
	    dirnew_sync(&d, &e) == 0 && dirnew_sync(&d, &e) == 0,
	    "synced: %s", e.msg);
	ok(symlinkat("a", d.fd, "link") == 0 && dirnew_sync(&d, &e) == -1 &&
	    e.status == STATUS_SYSTEM && strstr(e.msg, "/synced: fsync: "),
	    "  %s", e.msg);
	ok(access(in_dir("synced"), F_OK) < 0 && names(in_dir(d.tmp)) == 2,
	    "  it is still there");
	ok(unlinkat(d.fd, "link", 0) == 0 && dirnew_commit(&d, &e) == 0 &&
	    names(in_dir("synced")) == 1, "  and gets its name");
}

/* A file in a directory of d, which is made. */
static bool
put_below(const struct dirnew *d, const char *dir, const char *name)
{
	int fd;
	bool done;

	if (mkdirat(d->fd, dir, 0777) < 0 && errno != EEXIST)
		return false;
	fd = openat(d->fd, dir, O_RDONLY | O_DIRECTORY);
	done = fd >= 0 && put(fd, name);
	close(fd);
	return done;
}

/* Directories of files, as a persist directory has them. */
static void
test_tree(void)
{
	struct dirnew d;
	struct err e = { 0 };
	char made[512], gone[512];

	snprintf(made, sizeof(made), "%s", in_dir("tree"));
	ok(dirnew_begin(&d, made, &e) == 0 && put(d.fd, "a") &&
	    put_below(&d, "x", "b") && put_below(&d, "x", "c") &&
	    put_below(&d, "y", "b") && mkdirat(d.fd, "z", 0777) == 0 &&
	    dirnew_sync(&d, &e) == 0 && dirnew_commit(&d, &e) == 0 &&
	    names(made) == 4 && names(in_dir("tree/x")) == 2 &&
	    names(in_dir("tree/y")) == 1 && names(in_dir("tree/z")) == 0,
	    "a tree: %s", e.msg);
	snprintf(made, sizeof(made), "%s", in_dir("tree2"));
	ok(dirnew_begin(&d, made, &e) == 0 && put_below(&d, "x", "b") &&
	    put_below(&d, "y", "b") && put(d.fd, "a") &&
	    symlinkat("x", d.fd, "link") == 0, "another");
	snprintf(gone, sizeof(gone), "%s", in_dir(d.tmp));
	dirnew_abort(&d);
	ok(names(gone) == -1 && names(made) == -1, "  given up, all of it");
	ok(dirnew_begin(&d, made, &e) == 0 && put_below(&d, "x", "b") &&
	    mkdirat(d.fd, "x/deep", 0777) == 0 && dirnew_sync(&d, &e) == -1 &&
	    e.status == STATUS_SYSTEM &&
	    strstr(e.msg, "/tree2: fsync: Is a directory"), "deeper: %s",
	    e.msg);
	ok(unlinkat(d.fd, "x/deep", AT_REMOVEDIR) == 0 &&
	    symlinkat("b", d.fd, "x/link") == 0 && dirnew_sync(&d, &e) == -1,
	    "a link below: %s", e.msg);
	dirnew_abort(&d);
}

/* In the place of an empty directory, with its mode. */
static void
test_over(void)
{
	struct dirnew d;
	struct err e = { 0 };
	struct stat st;
	char made[512];

	snprintf(made, sizeof(made), "%s", in_dir("over/"));
	if (mkdir(made, 0777) < 0 || chmod(made, 0750) < 0)
		scratch_die(made);
	ok(dirnew_begin(&d, made, &e) == -1 && e.status == STATUS_USAGE,
	    "not asked for: %s", e.msg);
	ok(dirnew_begin_over(&d, made, &e) == 0 && put_below(&d, "x", "b") &&
	    names(made) == 0 && dirnew_commit(&d, &e) == 0 &&
	    names(made) == 1 && stat(made, &st) == 0 &&
	    (st.st_mode & 07777) == 0750, "over an empty one: %s", e.msg);
	ok(dirnew_begin_over(&d, made, &e) == -1 && e.status ==
	    STATUS_USAGE && strstr(e.msg, "/over/ exists and is not empty; "
	    "name a directory that does not exist, or an empty one"), "%s",
	    e.msg);
	snprintf(made, sizeof(made), "%s", in_dir("over2"));
	ok(dirnew_begin_over(&d, made, &e) == 0 && put(d.fd, "a") &&
	    dirnew_commit(&d, &e) == 0 && names(made) == 1,
	    "over nothing: %s", e.msg);
	snprintf(made, sizeof(made), "%s", in_dir("over3"));
	ok(mkdir(made, 0777) == 0 && dirnew_begin_over(&d, made, &e) == 0 &&
	    put(d.fd, "a"), "over another");
	scratch_write(in_dir("over3/came"), slice_str("a"));
	ok(dirnew_commit(&d, &e) == -1 && e.status == STATUS_USAGE &&
	    strstr(e.msg, "/over3 exists;") && names(made) == 1 &&
	    access(in_dir("over3/came"), F_OK) == 0, "  not if one came: %s",
	    e.msg);
	snprintf(made, sizeof(made), "%s", in_dir("over4"));
	ok(dirnew_begin_over(&d, made, &e) == 0, "over nothing, again");
	scratch_write(made, slice_str("a"));
	ok(dirnew_commit(&d, &e) == -1 && e.status == STATUS_USAGE &&
	    access(made, F_OK) == 0, "  not if a file came: %s", e.msg);
	ok(dirnew_begin_over(&d, made, &e) == -1 && e.status == STATUS_USAGE,
	    "nor at the start: %s", e.msg);
	if (unlink(made) < 0 || symlink("over5", made) < 0 ||
	    mkdir(in_dir("over5"), 0777) < 0)
		scratch_die(made);
	ok(dirnew_begin_over(&d, made, &e) == -1 && e.status == STATUS_USAGE,
	    "nor through a link: %s", e.msg);
	ok(dirnew_begin_over(&d, in_dir("over5/."), &e) == -1 &&
	    e.status == STATUS_USAGE && strstr(e.msg, "/over5/. cannot be "
	    "replaced; name the directory by its path"), "%s", e.msg);
	ok(dirnew_begin_over(&d, "/proc/self", &e) == -1 &&
	    e.status == STATUS_USAGE, "a link of the system: %s", e.msg);
}

/* For a while only. */
static void
test_scratch(void)
{
	struct dirnew d, again;
	struct err e = { 0 };
	char dir[512], dead[512], *path;

	snprintf(dir, sizeof(dir), "%s", in_dir("home"));
	if (mkdir(dir, 0777) < 0)
		scratch_die(dir);
	scratch_write(in_dir("home/snapshot"), slice_str("a"));
	snprintf(dead, sizeof(dead), "%s", in_dir("home/.snapshot.chromautils-1"));
	mkdir(dead, 0777);
	mkdir(in_dir("home/.snapshot.chromautils-1/x"), 0777);
	scratch_write(in_dir("home/.snapshot.chromautils-1/x/a"),
	    slice_str("a"));
	ok(dirnew_scratch(&d, dir, "snapshot", &e) == 0 && put(d.fd, "a") &&
	    put_below(&d, "x", "b") && names(dead) == -1,
	    "for a while; a dead run's goes: %s", e.msg);
	path = dirnew_path(&d);
	ok(path && names(path) == 2 && strncmp(path, dir, strlen(dir)) == 0 &&
	    strncmp(path + strlen(dir), "/.snapshot.chromautils-", 23) == 0,
	    "  its path");
	ok(dirnew_scratch(&again, dir, "snapshot", &e) == -1 &&
	    e.status == STATUS_SYSTEM && names(path) == 2,
	    "  another of this run is none: %s", e.msg);
	dirnew_abort(&d);
	free(path);
	ok(names(dir) == 1, "  gone");
	ok(dirnew_scratch(&d, in_dir("home/snapshot"), "x", &e) == -1 &&
	    e.status == STATUS_SYSTEM && strstr(e.msg, "home/snapshot: Not "
	    "a directory"), "%s", e.msg);
	ok(dirnew_scratch(&d, in_dir("nohome"), "x", &e) == -1 &&
	    strstr(e.msg, "nohome: No such file"), "%s", e.msg);
}

int
main(void)
{
	if (mkdir(scratch_path("d"), 0777) < 0)
		scratch_die("mkdir");
	test_new();
	test_names();
	test_races();
	test_leftovers();
	test_sweep();
	test_sync();
	test_tree();
	test_over();
	test_scratch();
	return tap_done();
}
