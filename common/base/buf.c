/* SPDX-License-Identifier: Apache-2.0 */
/* buf.c - bytes that grow. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"

#define FIRST_CAP 256

char *
buf_grow(struct buf *b, size_t n)
{
	uint64_t need, cap;
	char *p;

	if (b->failed)
		return NULL;
	if (!num_add(b->len, n, &need) || need > SIZE_MAX / 4) {
		b->failed = true;
		return NULL;
	}
	if (b->p && need <= b->cap)
		return b->p + b->len;
	cap = b->cap < FIRST_CAP ? FIRST_CAP : b->cap + b->cap / 2;
	if (cap < need)
		cap = need;
	p = realloc(b->p, (size_t)cap);
	if (!p) {
		b->failed = true;
		return NULL;
	}
	b->p = p;
	b->cap = (size_t)cap;
	return p + b->len;
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char small[512], *to;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->failed = true;
		return;
	}
	if ((size_t)n < sizeof(small)) {
		buf_add(b, small, (size_t)n);
		return;
	}
	to = buf_room(b, (size_t)n + 1);
	if (!to)
		return;
	va_start(ap, fmt);
	vsnprintf(to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void
buf_add_u64(struct buf *b, uint64_t v)
{
	char *to = buf_room(b, NUM_DIGITS_MAX);

	if (to)
		b->len += num_format_u64(v, to);
}

void
buf_add_i64(struct buf *b, int64_t v)
{
	char *to = buf_room(b, NUM_DIGITS_MAX + 1);

	if (to)
		b->len += num_format_i64(v, to);
}

const char *
buf_str(struct buf *b)
{
	char *to = buf_room(b, 1);

	if (!to)
		return "";
	*to = '\0';
	return b->p;
}

void
buf_release(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ 0 };
}
