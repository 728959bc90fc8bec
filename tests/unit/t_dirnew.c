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

int
main(void)
{
	if (mkdir(scratch_path("d"), 0777) < 0)
		scratch_die("mkdir");
	test_new();
	test_names();
	test_races();
	test_leftovers();
	return tap_done();
}
