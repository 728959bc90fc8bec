/* SPDX-License-Identifier: Apache-2.0 */
/* spool.c - pieces of bytes, put down and read again. */
#include "base/spool.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define WHAT "a file for records"
/* Bytes read at once: few where places come at random, each time twice as many
 * where they ascend. */
#define LEAST ((size_t)4 << 10)
#define MOST ((size_t)256 << 10)

void
spool_init(struct spool *s, const char *dir)
{
	*s = (struct spool){ .dir = dir, .fd = -1 };
}

void
spool_release(struct spool *s)
{
	if (s->fd >= 0)
		close(s->fd);
	buf_release(&s->tail);
	buf_release(&s->window);
	spool_init(s, NULL);
}

static int
to_file(struct spool *s, struct slice bytes, struct err *e)
{
	if (bytes.len == 0)
		return 0;
	if (s->fd < 0)
		s->fd = file_unnamed(s->dir, WHAT, e);
	if (s->fd < 0)
		return -1;
	if (file_write(s->fd, bytes.p, bytes.len) < 0)
		return file_unnamed_failed(s->dir, WHAT, strerror(errno), e);
	s->filed += bytes.len;
	return 0;
}

int
spool_add(struct spool *s, struct slice piece, struct err *e)
{
	bool large = piece.len > SPOOL_MEMORY / 2;

	if (large || s->tail.len + piece.len > SPOOL_MEMORY) {
		if (to_file(s, buf_slice(&s->tail), e) < 0)
			return -1;
		buf_reset(&s->tail);
	}
	s->size += piece.len;
	if (large)
		return to_file(s, piece, e);
	buf_add(&s->tail, piece.p, piece.len);
	return buf_ok(&s->tail) ? 0 : err_nomem(e);
}

/* Have the window begin at a place, n bytes long or more. */
static int
move_window(struct spool *s, uint64_t at, size_t n, struct err *e)
{
	uint64_t left = s->filed - at, end = s->at + s->window.len;
	bool onward = s->window.len > 0 && at >= s->at &&
	    at <= end + s->ahead;
	size_t want;
	ssize_t got;

	s->ahead = !onward ? LEAST : s->ahead < MOST ? 2 * s->ahead : MOST;
	want = n > s->ahead ? n : left < s->ahead ? (size_t)left : s->ahead;
	buf_reset(&s->window);
	if (!buf_room(&s->window, want))
		return err_nomem(e);
	got = file_pread(s->fd, s->window.p, want, at);
	if (got < 0 || (size_t)got < want)
		return file_unnamed_failed(s->dir, WHAT, got < 0 ?
		    strerror(errno) : "it is shorter than it was", e);
	s->window.len = want;
	s->at = at;
	return 0;
}

int
spool_get(struct spool *s, uint64_t at, size_t n, struct slice *piece,
    struct err *e)
{
	if (at >= s->filed) {
		*piece = slice_of(s->tail.p + (at - s->filed), n);
		return 0;
	}
	if ((s->window.len == 0 || at < s->at ||
	    at + n > s->at + s->window.len) && move_window(s, at, n, e) < 0)
		return -1;
	*piece = slice_of(s->window.p + (at - s->at), n);
	return 0;
}
