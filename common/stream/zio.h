/* SPDX-License-Identifier: Apache-2.0 */
/* zio.h - zstd, a piece at a time.  The only module that includes zstd.h. */
#ifndef STREAM_ZIO_H
#define STREAM_ZIO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

/* Largest window accepted on input, as a power of two: 16 MiB, above what
 * levels up to 19 use, and what the memory bound of a stream leaves. */
#define ZIO_WINDOW_LOG_MAX 24

#define ZIO_LEVEL_DEFAULT 3
#define ZIO_LEVEL_MAX 19
#define ZIO_THREADS_MAX 64

/* Whether these first bytes (at least 4) begin a zstd stream. */
bool zio_is_zstd(const void *p, size_t n);

/* Either direction; the functions say which. */
struct zio;

struct zio *zio_decoder(struct err *e);

/* With a checksum.  threads 0: the caller's does all.  Else so many beside it
 * (at most ZIO_THREADS_MAX): then the bytes that come out are the same for every
 * number of them, and for every way to cut the input, but they are not those of
 * 0, and a little more (zstd makes jobs, whose size the level says).  A libzstd
 * that was built without threads does as for 0; another version may give other
 * bytes.  tar --zstd and zstd -d read all of it, and so does the decoder here:
 * no level has a window above 8 MiB.
 * Memory at levels 1 to 3: at most 7 MiB; with threads 50, and 27 for each of
 * them.  At 19 several times that.  NULL with *e set. */
struct zio *zio_encoder(int level, unsigned threads, struct err *e);
void zio_free(struct zio *z);

/* Decode from in[*in_pos, in_len) to out[0, out_cap); *in_pos moves.  The
 * number of bytes that came out; -1 with *e set for data that is not zstd,
 * is damaged, or wants a larger window.  *frame_open says whether the input
 * so far ends inside a frame. */
ptrdiff_t zio_decode(struct zio *z, const void *in, size_t in_len,
    size_t *in_pos, void *out, size_t out_cap, bool *frame_open,
    struct err *e);

/* Encode the same way.  end: no more input comes; call until *done. */
ptrdiff_t zio_encode(struct zio *z, const void *in, size_t in_len,
    size_t *in_pos, void *out, size_t out_cap, bool end, bool *done,
    struct err *e);

#endif
