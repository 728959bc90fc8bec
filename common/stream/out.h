/* SPDX-License-Identifier: Apache-2.0 */
/* out.h - bytes out: standard output or a new file, zstd or plain, no error
 * ever lost.
 *
 * Memory: half a MiB, beside zstd's own (zio.h).  Pieces of 256 KiB and more go
 * to zstd, or to the file, without a copy.
 */
#ifndef STREAM_OUT_H
#define STREAM_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/file.h"
#include "stream/zio.h"

struct out {
	const char *name;	/* for messages; borrowed */
	int fd;
	bool is_file;		/* file is in use */
	struct file_new file;
	char *buf;		/* owned */
	size_t len;
	struct zio *z;		/* owned; NULL: not compressed */
	char *zbuf;		/* owned */
	int level;
	uint64_t written;	/* bytes that went to fd so far */
};

/* Attach to standard output.  level: 0 for plain, else zstd's.  0, or -1 with
 * *e set. */
ATTR_NODISCARD int out_stdout(struct out *out, int level, struct err *e);

/* Begin a new file (file.h), which has its name only after out_close(). */
ATTR_NODISCARD int out_file(struct out *out, const char *path, bool replace,
    int level, struct err *e);

/* Compress with so many threads (zio.h; 1 is one beside the caller's).  Before
 * the first out_write(); without compression, nothing.  0, or -1 with *e set:
 * out is then as it was. */
ATTR_NODISCARD int out_threads(struct out *out, unsigned threads,
    struct err *e);

/* Write len bytes.  0, or -1 with *e set. */
ATTR_NODISCARD int out_write(struct out *out, const void *p, size_t len,
    struct err *e);

/* Push out what is buffered, so that a reader sees it now. */
ATTR_NODISCARD int out_flush(struct out *out, struct err *e);

/* Finish: flush, end the zstd frame, close, put a file in its place.  Must be
 * called before reporting success: a full disk is often only noticed here.
 * 0, or -1 with *e set; then a file has not appeared. */
ATTR_NODISCARD int out_close(struct out *out, struct err *e);

/* Drop it: a file never appears; standard output keeps what it got. */
void out_abort(struct out *out);

#endif
