/* SPDX-License-Identifier: Apache-2.0 */
/* slice.h - bytes that belong to somebody else. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const char *p;	/* NULL: absent; not NUL-terminated, not owned */
	size_t len;	/* bytes */
};

/* The characters of a NUL-terminated string; absent for NULL. */
static inline struct slice
slice_str(const char *s)
{
	return (struct slice){ s, s ? strlen(s) : 0 };
}

static inline struct slice
slice_of(const char *p, size_t len)
{
	return (struct slice){ p, len };
}

/* The same bytes.  An absent slice equals nothing, not even another one. */
static inline bool
slice_eq(struct slice a, struct slice b)
{
	return a.p && b.p && a.len == b.len && memcmp(a.p, b.p, a.len) == 0;
}

static inline bool
slice_is(struct slice a, const char *s)
{
	return slice_eq(a, slice_str(s));
}

#endif
