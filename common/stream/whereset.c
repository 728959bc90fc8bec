/* SPDX-License-Identifier: Apache-2.0 */
/* whereset.c - the values of filters and records, and sets of them. */
#include "stream/whereset.h"

#include <stdlib.h>
#include <string.h>

struct where_scalar
whereset_int(int64_t i)
{
	return (struct where_scalar){ .type = TYPE_INT, .i = i,
	    .f = (double)i };
}

struct where_scalar
whereset_float(double f)
{
	return (struct where_scalar){ .type = TYPE_FLOAT, .f = f,
	    .i = f >= 0x1p63 ? INT64_MAX : f < -0x1p63 ? INT64_MIN :
	    (int64_t)f };
}

static int
by_int(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int
by_float(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int
whereset_by_text(const void *a, const void *b)
{
	const struct slice *x = a, *y = b;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return x->len ? memcmp(x->p, y->p, x->len) : 0;
}

int
whereset_compare(const struct where_scalar *v, const struct where_scalar *want)
{
	return v->type == TYPE_INT ? by_int(&v->i, &want->i) :
	    by_float(&v->f, &want->f);
}

int
whereset_room(struct where_set *set, struct arena *mem, enum where_type type,
    size_t n, struct err *e)
{
	*set = (struct where_set){ .type = type };
	if (type == TYPE_STRING) {
		set->s = arena_array(mem, n, sizeof(*set->s));
		return set->s ? 0 : err_nomem(e);
	}
	if (type == TYPE_INT || type == TYPE_FLOAT) {
		set->type = TYPE_INT;
		set->i = arena_array(mem, n, sizeof(*set->i));
		set->f = arena_array(mem, n, sizeof(*set->f));
		return set->i && set->f ? 0 : err_nomem(e);
	}
	return 0;
}

void
whereset_add(struct where_set *set, const struct where_scalar *v)
{
	switch (set->type) {
	case TYPE_BOOL:
		set->has[v->b] = true;
		break;
	case TYPE_STRING:
		set->s[set->n] = v->s;
		break;
	default:
		set->i[set->n] = v->i;
		set->f[set->n] = v->f;
		break;
	}
	set->n++;
}

void
whereset_sort(struct where_set *set)
{
	if (set->type == TYPE_STRING) {
		qsort(set->s, set->n, sizeof(*set->s), whereset_by_text);
		set->shortest = set->s[0].len;
	} else if (set->type == TYPE_INT) {
		qsort(set->i, set->n, sizeof(*set->i), by_int);
		qsort(set->f, set->n, sizeof(*set->f), by_float);
	}
}

bool
whereset_has(const struct where_set *set, const struct where_scalar *v)
{
	switch (v->type) {
	case TYPE_BOOL:
		return set->has[v->b];
	case TYPE_INT:
		return set->type == TYPE_INT && bsearch(&v->i, set->i, set->n,
		    sizeof(*set->i), by_int);
	case TYPE_FLOAT:
		return set->type == TYPE_INT && bsearch(&v->f, set->f, set->n,
		    sizeof(*set->f), by_float);
	case TYPE_STRING:
		return set->type == TYPE_STRING && bsearch(&v->s, set->s,
		    set->n, sizeof(*set->s), whereset_by_text);
	default:
		return false;
	}
}
