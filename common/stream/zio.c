/* SPDX-License-Identifier: Apache-2.0 */
/* zio.c - zstd, a piece at a time. */
#include "stream/zio.h"

#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/le.h"

struct zio {
	ZSTD_DCtx *d;
	ZSTD_CCtx *c;
	bool threads;
	bool held;		/* with threads: last is still to be encoded */
	char last;
};

bool
zio_is_zstd(const void *p, size_t n)
{
	uint32_t magic;

	if (n < 4)
		return false;
	magic = le_u32(p);
	return magic == ZSTD_MAGICNUMBER ||
	    (magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
}

struct zio *
zio_decoder(struct err *e)
{
	struct zio *z = calloc(1, sizeof(*z));

	if (z)
		z->d = ZSTD_createDCtx();
	if (!z || !z->d || ZSTD_isError(ZSTD_DCtx_setParameter(z->d,
	    ZSTD_d_windowLogMax, ZIO_WINDOW_LOG_MAX))) {
		zio_free(z);
		err_nomem(e);
		return NULL;
	}
	return z;
}

struct zio *
zio_encoder(int level, unsigned threads, struct err *e)
{
	struct zio *z = calloc(1, sizeof(*z));

	if (z)
		z->c = ZSTD_createCCtx();
	if (!z || !z->c ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(z->c,
	    ZSTD_c_compressionLevel, level)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(z->c,
	    ZSTD_c_checksumFlag, 1))) {
		zio_free(z);
		err_nomem(e);
		return NULL;
	}
	if (threads > ZIO_THREADS_MAX)
		threads = ZIO_THREADS_MAX;
	/* refused by a libzstd that was built without: then there are none */
	if (threads > 0)
		z->threads = !ZSTD_isError(ZSTD_CCtx_setParameter(z->c,
		    ZSTD_c_nbWorkers, (int)threads));
	return z;
}

void
zio_free(struct zio *z)
{
	if (!z)
		return;
	ZSTD_freeDCtx(z->d);
	ZSTD_freeCCtx(z->c);
	free(z);
}

ptrdiff_t
zio_decode(struct zio *z, const void *in, size_t in_len, size_t *in_pos,
    void *out, size_t out_cap, bool *frame_open, struct err *e)
{
	ZSTD_inBuffer ib = { in, in_len, *in_pos };
	ZSTD_outBuffer ob = { out, out_cap, 0 };
	size_t r = ZSTD_decompressStream(z->d, &ob, &ib);

	if (ZSTD_isError(r)) {
		switch (ZSTD_getErrorCode(r)) {
		case ZSTD_error_frameParameter_windowTooLarge:
			return err_data(e, "compressed with a window above "
			    "%d MiB; decompress it with zstd -dc --long=31",
			    1 << (ZIO_WINDOW_LOG_MAX - 20));
		case ZSTD_error_prefix_unknown:
			return err_data(e, "bytes after the zstd stream that "
			    "are none");
		case ZSTD_error_memory_allocation:
			return err_nomem(e);
		default:
			return err_data(e, "damaged zstd stream (%s)",
			    ZSTD_getErrorName(r));
		}
	}
	*in_pos = ib.pos;
	*frame_open = r != 0;
	return (ptrdiff_t)ob.pos;
}

/* Encode ib with directive d: bytes that came out, *left what zstd says is left
 * to flush; -1 with *e set. */
static ptrdiff_t
encode(struct zio *z, ZSTD_inBuffer *ib, void *out, size_t out_cap,
    ZSTD_EndDirective d, size_t *left, struct err *e)
{
	ZSTD_outBuffer ob = { out, out_cap, 0 };

	*left = ZSTD_compressStream2(z->c, &ob, ib, d);
	if (ZSTD_isError(*left))
		return err_fail(e, "zstd: %s", ZSTD_getErrorName(*left));
	return (ptrdiff_t)ob.pos;
}

/* The end comes with a byte, always: where the input ends with a job of zstd's
 * (1.5.4), and the end comes alone, it depends on how busy the threads are
 * whether an empty block follows. */
static ptrdiff_t
encode_held(struct zio *z, const void *in, size_t in_len, size_t *in_pos,
    void *out, size_t out_cap, bool end, bool *done, struct err *e)
{
	ZSTD_inBuffer ib = { in, in_len, *in_pos };
	ZSTD_inBuffer held = { &z->last, 1, 0 };
	bool more = *in_pos < in_len;
	size_t left;
	ptrdiff_t n;

	*done = false;
	if (z->held && (more || end)) {
		n = encode(z, &held, out, out_cap, more ? ZSTD_e_continue :
		    ZSTD_e_end, &left, e);
		z->held = held.pos == 0;
		*done = !more && left == 0;
		return n;
	}
	if (end) {
		n = encode(z, &ib, out, out_cap, ZSTD_e_end, &left, e);
		*done = left == 0;
	} else {
		ib.size -= more;
		n = ib.pos == ib.size ? 0 : encode(z, &ib, out, out_cap,
		    ZSTD_e_continue, &left, e);
		*done = n >= 0 && ib.pos == ib.size;
		if (*done && more) {
			z->last = ((const char *)in)[ib.pos++];
			z->held = true;
		}
	}
	*in_pos = ib.pos;
	return n;
}

ptrdiff_t
zio_encode(struct zio *z, const void *in, size_t in_len, size_t *in_pos,
    void *out, size_t out_cap, bool end, bool *done, struct err *e)
{
	ZSTD_inBuffer ib = { in, in_len, *in_pos };
	size_t left;
	ptrdiff_t n;

	if (z->threads)
		return encode_held(z, in, in_len, in_pos, out, out_cap, end,
		    done, e);
	n = encode(z, &ib, out, out_cap, end ? ZSTD_e_end : ZSTD_e_continue,
	    &left, e);
	*in_pos = ib.pos;
	*done = end ? left == 0 : ib.pos == in_len;
	return n;
}
