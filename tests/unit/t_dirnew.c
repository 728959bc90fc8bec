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
	/* our own, that lives */
	ok(dirnew_begin(&d, made, &e) == 0 && put(d.fd, "a"),
	    "sweep: %s", e.msg);
	dirnew_sweep(parent, is_our_name);
	for (i = 0; i < COUNT(left); i++)
		ok((names(in_dir(left[i].name)) == 1) == left[i].stays,
		    "  %s %s", left[i].name, left[i].stays ? "stays" : "goes");
	ok(names(in_dir(".q.chromautils-5")) == 1, "  links are not followed");
	ok(access(in_dir(".q.chromautils-6"), F_OK) == 0, "  nor files ours");
	ok(names(in_dir(".q.chromautils-7")) == 1, "  nor trees");
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
	return tap_done();
}
