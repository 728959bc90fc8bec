/* SPDX-License-Identifier: Apache-2.0 */
/* scratch.h - for unit tests: a directory that is gone at the end, files
 * written and read whole, bytes as a name for a line of TAP. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/slice.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char scratch_name[256];

static inline void
scratch_die(const char *what)
{
	printf("Bail out! %s\n", what);
	exit(99);
}

static inline int
scratch_remove_one(const char *path, const struct stat *st, int flag,
    struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void
scratch_remove(void)
{
	nftw(scratch_name, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The directory, made at the first call. */
static inline const char *
scratch_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	if (!*scratch_name) {
		snprintf(scratch_name, sizeof(scratch_name), "%.200s/t-XXXXXX",
		    tmp && *tmp ? tmp : "/tmp");
		if (!mkdtemp(scratch_name))
			scratch_die("mkdtemp");
		atexit(scratch_remove);
	}
	return scratch_name;
}

/* A path in it; the last eight are valid. */
static inline const char *
scratch_path(const char *name)
{
	static char path[8][512];
	static unsigned i;

	i = (i + 1) % 8;
	snprintf(path[i], sizeof(path[i]), "%s/%.200s", scratch_dir(), name);
	return path[i];
}

static inline void
scratch_write(const char *path, struct slice bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	if (fd < 0 || file_write(fd, bytes.p, bytes.len) < 0 || close(fd) < 0)
		scratch_die(path);
}

/* All of a file, appended to *b. */
static inline void
scratch_read(const char *path, struct buf *b)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;
	char *to;

	if (fd < 0)
		scratch_die(path);
	while ((to = buf_room(b, 65536)) &&
	    (n = file_read(fd, to, 65536)) > 0)
		b->len += (size_t)n;
	if (!buf_ok(b) || n < 0)
		scratch_die(path);
	close(fd);
}

/* Bytes as one short line; the last four are valid. */
static inline const char *
shown(struct slice s)
{
	static char text[4][96];
	static unsigned k;
	char *to;
	size_t i, n = 0;

	k = (k + 1) % 4;
	to = text[k];
	for (i = 0; i < s.len && n < 80; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x20 && c < 0x7f && c != '#' && c != '\\')
			to[n++] = (char)c;
		else
			n += (size_t)snprintf(to + n, 5, "<%02x>", c);
	}
	snprintf(to + n, 8, "%s", i < s.len ? "..." : "");
	return to;
}

static inline const char *
shown_str(const char *s)
{
	return shown(slice_str(s));
}

/* A literal that may hold zero bytes, as a slice; in a static table. */
#define BYTES(literal) slice_of(literal, sizeof(literal) - 1)
#define SLICE(literal) { literal, sizeof(literal) - 1 }

/* A seeded generator (splitmix64): tests are the same at every run. */
static inline uint64_t
scratch_random(uint64_t *seed)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

#endif
