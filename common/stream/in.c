/* SPDX-License-Identifier: Apache-2.0 */
/* in.c - bytes in. */
#include "stream/in.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define CHUNK ((size_t)1 << 18)

int
in_open(struct in *in, const char *path, struct err *e)
{
	struct stat st;

	*in = (struct in){ .fd = STDIN_FILENO, .name = "<stdin>" };
	if (!path || strcmp(path, "-") == 0)
		return 0;
	in->name = path;
	in->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (in->fd < 0)
		return err_system(e, "%s", err_tail(path));
	if (fstat(in->fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(in->fd);
		return err_fail(e, "%s is a directory; a stream is a file",
		    err_tail(path));
	}
	return 0;
}

/* Room for at least CHUNK bytes behind buf[end). */
static int
make_room(struct in *in, struct err *e)
{
	size_t cap;
	char *buf;

	if (in->start > 0 && in->cap - in->end < CHUNK) {
		memmove(in->buf, in->buf + in->start, in->end - in->start);
		in->end -= in->start;
		in->start = 0;
	}
	if (in->cap - in->end >= CHUNK)
		return 0;
	cap = in->cap + (in->cap > CHUNK ? in->cap / 2 : CHUNK) + CHUNK;
	buf = realloc(in->buf, cap);
	if (!buf)
		return err_nomem(e);
	in->buf = buf;
	in->cap = cap;
	return 0;
}

static int
raw_read(struct in *in, char *to, size_t n, size_t *got, struct err *e)
{
	ssize_t r = file_read(in->fd, to, n);

	if (r < 0)
		return err_system(e, "%s: read", err_tail(in->name));
	*got = (size_t)r;
	return 0;
}

/* Decoded bytes behind buf[end). */
static int
fill_zstd(struct in *in, struct err *e)
{
	ptrdiff_t n;

	for (;;) {
		if (in->zpos == in->zend && !in->eof) {
			in->zpos = 0;
			if (raw_read(in, in->zbuf, CHUNK, &in->zend, e) < 0)
				return -1;
			in->eof = in->zend == 0;
		}
		if (in->zpos == in->zend && !in->zopen)
			return 0;
		n = zio_decode(in->z, in->zbuf, in->zend, &in->zpos,
		    in->buf + in->end, in->cap - in->end, &in->zopen, e);
		if (n < 0)
			return err_in(e, in->name);
		if (n > 0) {
			in->end += (size_t)n;
			in->eof = false;	/* there may be more inside */
			return 0;
		}
		if (in->eof && in->zpos == in->zend)
			return in->zopen ? err_data(e,
			    "%s: ends in the middle of a zstd frame: "
			    "truncated", err_tail(in->name)) : 0;
	}
}

static int
start_zstd(struct in *in, struct err *e)
{
	in->z = zio_decoder(e);
	in->zbuf = malloc(CHUNK);
	if (!in->z || !in->zbuf)
		return err_nomem(e);
	in->zend = in->end < CHUNK ? in->end : CHUNK;
	memcpy(in->zbuf, in->buf, in->zend);
	in->end = 0;
	in->zopen = true;
	return 0;
}

/* Read once.  Sets in->eof at end of input. */
static int
fill(struct in *in, struct err *e)
{
	size_t n;

	if (make_room(in, e) < 0)
		return -1;
	if (in->z)
		return fill_zstd(in, e);
	n = in->started ? in->cap - in->end : CHUNK;
	if (raw_read(in, in->buf + in->end, n, &n, e) < 0)
		return -1;
	in->end += n;
	in->eof = n == 0;
	if (!in->started && (in->end >= 4 || in->eof)) {
		in->started = true;
		if (zio_is_zstd(in->buf, in->end)) {
			in->eof = false;
			if (start_zstd(in, e) < 0)
				return -1;
		}
	}
	return 0;
}

static int
too_long(const struct in *in, struct err *e)
{
	err_data(e, "longer than %zu MiB", IN_ITEM_MAX >> 20);
	return err_at(e, in->name, in->lineno + 1);
}

int
in_line(struct in *in, const char **line, size_t *len, struct err *e)
{
	size_t seen = 0;	/* bytes known to hold no newline */
	char *nl = NULL;

	for (;;) {
		size_t have = in->end - in->start;

		if (have > seen && (in->started || in->eof))
			nl = memchr(in->buf + in->start + seen, '\n',
			    have - seen);
		if (nl || in->eof)
			break;
		if (have > IN_ITEM_MAX)
			return too_long(in, e);
		seen = in->started ? have : 0;
		if (fill(in, e) < 0)
			return -1;
	}
	if (in->start == in->end)
		return 0;
	*line = in->buf + in->start;
	*len = nl ? (size_t)(nl - *line) : in->end - in->start;
	if (*len > IN_ITEM_MAX)
		return too_long(in, e);
	in_skip(in, *len + (nl != NULL));
	in->lineno++;
	return 1;
}

ptrdiff_t
in_peek(struct in *in, size_t n, const char **p, struct err *e)
{
	while (in->end - in->start < n || !in->started) {
		if (in->eof)
			break;
		if (fill(in, e) < 0)
			return -1;
	}
	*p = in->buf + in->start;
	return (ptrdiff_t)(in->end - in->start < n ? in->end - in->start : n);
}

void
in_skip(struct in *in, size_t n)
{
	in->start += n;
	in->offset += n;
}

void
in_close(struct in *in)
{
	if (in->fd != STDIN_FILENO)
		close(in->fd);
	free(in->buf);
	free(in->zbuf);
	zio_free(in->z);
	*in = (struct in){ .fd = STDIN_FILENO };
}
