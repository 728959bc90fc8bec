/* SPDX-License-Identifier: Apache-2.0 */
/* whereset.h - the values of filters and records, and sets of them. */
#ifndef STREAM_WHERESET_H
#define STREAM_WHERESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/slice.h"

enum where_type {
	TYPE_NONE,		/* absent, null, an object */
	TYPE_BOOL,
	TYPE_INT,
	TYPE_FLOAT,
	TYPE_STRING,
	TYPE_ARRAY,
};

/* One value.  Of a number in a filter both i and f are set, by
 * whereset_int() and whereset_float(); which of them counts is the record's
 * choice. */
struct where_scalar {
	enum where_type type;
	bool b;
	int64_t i;
	double f;
	struct slice s;
};

/* What $eq and $in compare with.  {0} has no values and no type. */
struct where_set {
	enum where_type type;	/* TYPE_INT stands for both numbers */
	bool has[2];		/* of a TYPE_BOOL: false, true */
	size_t n;
	int64_t *i;		/* sorted, as are f and s */
	double *f;
	struct slice *s;
	size_t shortest;	/* bytes of the shortest of s */
};

/* An integer of a filter, and a finite float: cut toward zero, and to the ends
 * of int64, where integers are compared (Rust's `as i64`). */
struct where_scalar whereset_int(int64_t i);
struct where_scalar whereset_float(double f);

/* Make room for n values (n > 0) of the type; TYPE_INT and TYPE_FLOAT are
 * the same.  0, or -1 with *e set. */
ATTR_NODISCARD int whereset_room(struct where_set *set, struct arena *mem,
    enum where_type type, size_t n, struct err *e);

/* Add a value of the set's type, for which there is room; its text stays the
 * caller's. */
void whereset_add(struct where_set *set, const struct where_scalar *v);

/* Once all are in, and before whereset_has(). */
void whereset_sort(struct where_set *set);

/* Whether a record's value equals one of the set, as Chroma has it. */
bool whereset_has(const struct where_set *set, const struct where_scalar *v);

/* Below, at or above zero: how a record's number compares with a filter's.
 * Both are numbers. */
int whereset_compare(const struct where_scalar *v,
    const struct where_scalar *want);

/* Texts by length, then by bytes; of two struct slice, for qsort(). */
int whereset_by_text(const void *a, const void *b);

#endif
