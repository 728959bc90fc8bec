/* SPDX-License-Identifier: Apache-2.0 */
/* out.c - bytes out. */
#include "stream/out.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK ((size_t)1 << 18)

static int
start(struct out *out, int level, struct err *e)
{
	out->buf = malloc(CHUNK);
	out->level = level;
	if (level > 0) {
		out->zbuf = malloc(CHUNK);
		out->z = zio_encoder(level, 0, e);
	}
	if (!out->buf || (level > 0 && (!out->zbuf || !out->z))) {
		out_abort(out);
		return err_nomem(e);
	}
	return 0;
}

int
out_stdout(struct out *out, int level, struct err *e)
{
	*out = (struct out){ .name = "<stdout>", .fd = STDOUT_FILENO };
	return start(out, level, e);
}

int
out_file(struct out *out, const char *path, bool replace, int level,
    struct err *e)
{
	*out = (struct out){ .name = path, .fd = -1 };
	if (file_new_begin(&out->file, path, replace, e) < 0)
		return -1;
	out->is_file = true;
	out->fd = out->file.fd;
	return start(out, level, e);
}

int
out_threads(struct out *out, unsigned threads, struct err *e)
{
	struct zio *z;

	assert(out->len == 0 && out->written == 0);
	if (!out->z)
		return 0;
	z = zio_encoder(out->level, threads, e);
	if (!z)
		return -1;
	zio_free(out->z);
	out->z = z;
	return 0;
}

static int
put(struct out *out, const void *p, size_t len, struct err *e)
{
	if (file_write(out->fd, p, len) < 0)
		return err_system(e, "%s: write", err_tail(out->name));
	out->written += len;
	return 0;
}

/* len bytes to their destination, through zstd if there is one. */
static int
drain(struct out *out, const void *p, size_t len, bool end, struct err *e)
{
	size_t pos = 0;
	bool done = false;
	ptrdiff_t n;

	if (!out->z)
		return put(out, p, len, e);
	while (!done) {
		n = zio_encode(out->z, p, len, &pos, out->zbuf, CHUNK, end,
		    &done, e);
		if (n < 0)
			return -1;
		if (n > 0 && put(out, out->zbuf, (size_t)n, e) < 0)
			return -1;
	}
	return 0;
}

int
out_write(struct out *out, const void *p, size_t len, struct err *e)
{
	if (len <= CHUNK - out->len) {
		if (len)
			memcpy(out->buf + out->len, p, len);
		out->len += len;
		return 0;
	}
	if (out_flush(out, e) < 0)
		return -1;
	if (len >= CHUNK)
		return drain(out, p, len, false, e);
	memcpy(out->buf, p, len);
	out->len = len;
	return 0;
}

int
out_flush(struct out *out, struct err *e)
{
	size_t len = out->len;

	out->len = 0;
	return len ? drain(out, out->buf, len, false, e) : 0;
}

int
out_close(struct out *out, struct err *e)
{
	int r = out_flush(out, e);

	if (r == 0 && out->z)
		r = drain(out, NULL, 0, true, e);
	if (r == 0 && out->is_file) {
		out->is_file = false;
		r = file_new_commit(&out->file, e);
	} else if (r == 0 && close(out->fd) < 0) {
		r = err_system(e, "%s: close", out->name);
	}
	out_abort(out);
	return r;
}

void
out_abort(struct out *out)
{
	if (out->is_file)
		file_new_abort(&out->file);
	free(out->buf);
	free(out->zbuf);
	zio_free(out->z);
	out->is_file = false;
	out->buf = out->zbuf = NULL;
	out->z = NULL;
	out->len = 0;
}
