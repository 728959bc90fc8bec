/* SPDX-License-Identifier: Apache-2.0 */
/* in.h - bytes in: a file or standard input, zstd undone without being told.
 *
 * Memory: one item of the caller's (a line, a frame) and half a MiB, beside
 * the zstd window.
 */
#ifndef STREAM_IN_H
#define STREAM_IN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "stream/zio.h"

/* Longest line or frame, in bytes. */
#define IN_ITEM_MAX ((size_t)1 << 30)

struct in {
	const char *name;	/* for messages; borrowed */
	uint64_t lineno;	/* of the line last returned, from 1 */
	uint64_t offset;	/* of buf[start], in decompressed bytes */
	int fd;
	bool eof;
	char *buf;		/* owned; buf[start..end) is not yet consumed */
	size_t start, end, cap;
	struct zio *z;		/* owned; NULL: not compressed */
	char *zbuf;		/* owned; compressed bytes [zpos..zend) */
	size_t zpos, zend;
	bool zopen;		/* inside a zstd frame */
	bool started;		/* the first bytes have been looked at */
};

/* Open path for reading, or standard input if path is NULL or "-".  path must
 * outlive *in.  0, or -1 with *e set. */
ATTR_NODISCARD int in_open(struct in *in, const char *path, struct err *e);

/* Next line without its newline.  1 and *line, *len set; 0 at end of input;
 * -1 with *e set, its place included (read error, too long, damaged zstd, no
 * memory).  A last line without a newline is returned like any other.  *line
 * points into *in and is valid until the next call. */
ATTR_NODISCARD int in_line(struct in *in, const char **line, size_t *len,
    struct err *e);

/* Have n bytes ready, or as many as are left: *p and their number (below n
 * only at the end of the input), or -1 with *e set.  They stay where they are
 * until in_skip() consumes them; *p is valid until the next call. */
ATTR_NODISCARD ptrdiff_t in_peek(struct in *in, size_t n, const char **p,
    struct err *e);

/* Consume n bytes that in_peek() has shown. */
void in_skip(struct in *in, size_t n);

/* Close and free.  *in may then only be opened again. */
void in_close(struct in *in);

#endif
