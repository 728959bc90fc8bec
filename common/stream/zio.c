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
		(void)ZSTD_CCtx_setParameter(z->c, ZSTD_c_nbWorkers,
		    (int)threads);
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

ptrdiff_t
zio_encode(struct zio *z, const void *in, size_t in_len, size_t *in_pos,
    void *out, size_t out_cap, bool end, bool *done, struct err *e)
{
	ZSTD_inBuffer ib = { in, in_len, *in_pos };
	ZSTD_outBuffer ob = { out, out_cap, 0 };
	size_t r = ZSTD_compressStream2(z->c, &ob, &ib,
	    end ? ZSTD_e_end : ZSTD_e_continue);

	if (ZSTD_isError(r))
		return err_fail(e, "zstd: %s", ZSTD_getErrorName(r));
	*in_pos = ib.pos;
	*done = end ? r == 0 : ib.pos == in_len;
	return (ptrdiff_t)ob.pos;
}
