/* SPDX-License-Identifier: Apache-2.0 */
/* buf.h - bytes that grow.
 *
 * {0} is a valid empty buf.  A growth that fails is sticky: later additions
 * do nothing, and the caller asks buf_ok() once, at the end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"
#include "base/slice.h"

struct buf {
	char *p;		/* owned; valid until the next growth */
	size_t len, cap;	/* bytes */
	bool failed;
};

/* Make room for n more bytes and return where they go, or NULL.  The caller
 * writes them and adds to b->len what it wrote. */
char *buf_grow(struct buf *b, size_t n);

static inline char *
buf_room(struct buf *b, size_t n)
{
	if (ATTR_LIKELY(!b->failed && b->cap - b->len >= n))
		return b->p ? b->p + b->len : buf_grow(b, n);
	return buf_grow(b, n);
}

static inline void
buf_add(struct buf *b, const void *p, size_t n)
{
	char *to = buf_room(b, n);

	if (to && n) {
		memcpy(to, p, n);
		b->len += n;
	}
}

static inline void
buf_addc(struct buf *b, char c)
{
	char *to = buf_room(b, 1);

	if (to) {
		*to = c;
		b->len++;
	}
}

static inline void
buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_addf(struct buf *b, const char *fmt, ...) ATTR_PRINTF(2, 3);
void buf_add_u64(struct buf *b, uint64_t v);
void buf_add_i64(struct buf *b, int64_t v);

/* A NUL behind the contents (not counted in len), so that b->p is a string;
 * "" when the buf has failed or is empty. */
const char *buf_str(struct buf *b);

static inline struct slice
buf_slice(const struct buf *b)
{
	return (struct slice){ b->p ? b->p : "", b->len };
}

/* No addition failed so far. */
static inline bool
buf_ok(const struct buf *b)
{
	return !b->failed;
}

/* Empty it, keep the memory, forget a failure. */
static inline void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

void buf_release(struct buf *b);

#endif
