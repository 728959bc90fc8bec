/* SPDX-License-Identifier: Apache-2.0 */
/* matrix.c - vectors alone, in the forms that other programs read. */
#include "stream/matrix.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/le.h"
#include "base/num.h"
#include "base/slice.h"

#define NPY_MAGIC "\223NUMPY\1"	/* and a zero: version 1.0 */
#define NPY_MAGIC_LEN 8
#define NPY_NAME_LEN 6		/* of it, without the version */
#define NPY_HEAD_MAX 65536	/* bytes; numpy itself writes some 100 */
#define NPY_ALIGN 64		/* of the first number */

int
matrix_head(struct out *out, enum matrix_form form, uint64_t rows,
    uint64_t dim, struct err *e)
{
	char head[4 * NPY_ALIGN];
	size_t at = NPY_MAGIC_LEN + 2, n;

	if (form != MATRIX_NPY)
		return 0;
	n = at + (size_t)snprintf(head + at, sizeof(head) - at,
	    "{'descr': '<f4', 'fortran_order': False, 'shape': (%" PRIu64
	    ", %" PRIu64 "), }", rows, dim);
	while ((n + 1) % NPY_ALIGN)
		head[n++] = ' ';
	head[n++] = '\n';
	memcpy(head, NPY_MAGIC, NPY_MAGIC_LEN);
	le_put_u16(head + NPY_MAGIC_LEN, (uint16_t)(n - at));
	return out_write(out, head, n, e);
}

int
matrix_row(struct out *out, enum matrix_form form, const uint8_t *vector,
    uint64_t dim, struct err *e)
{
	uint8_t count[4];

	le_put_u32(count, (uint32_t)dim);
	if (form == MATRIX_FVECS && out_write(out, count, 4, e) < 0)
		return -1;
	return out_write(out, vector, (size_t)(4 * dim), e);
}

/* ---- the head of .npy: a dict of Python, in one line ---- */

static void
skip_space(struct slice *s)
{
	while (s->len > 0 && (*s->p == ' ' || *s->p == '\n')) {
		s->p++;
		s->len--;
	}
}

static bool
take(struct slice *s, char c)
{
	skip_space(s);
	if (s->len == 0 || *s->p != c)
		return false;
	s->p++;
	s->len--;
	return true;
}

static struct slice
take_n(struct slice *s, size_t n)
{
	struct slice taken = slice_of(s->p, n);

	s->p += n;
	s->len -= n;
	return taken;
}

/* A string in one kind of quotes. */
static bool
take_string(struct slice *s, struct slice *text)
{
	const char *close;
	char quote;

	skip_space(s);
	quote = s->len > 0 ? *s->p : '\0';
	if ((quote != '\'' && quote != '"') || !take(s, quote))
		return false;
	close = memchr(s->p, quote, s->len);
	if (!close)
		return false;
	*text = take_n(s, (size_t)(close - s->p));
	return take(s, quote);
}

/* A word or a number. */
static struct slice
take_word(struct slice *s)
{
	size_t n = 0;

	skip_space(s);
	while (n < s->len && ((s->p[n] >= '0' && s->p[n] <= '9') ||
	    (s->p[n] >= 'A' && s->p[n] <= 'Z') ||
	    (s->p[n] >= 'a' && s->p[n] <= 'z')))
		n++;
	return take_n(s, n);
}

/* What the head says. */
struct head {
	struct slice descr, order;	/* absent: not said */
	bool shaped;
	unsigned axes;
	uint64_t axis[2];		/* the first two */
};

static bool
take_shape(struct slice *s, struct head *h)
{
	struct slice word;
	uint64_t v;

	h->shaped = true;
	h->axes = 0;
	if (!take(s, '('))
		return false;
	while (!take(s, ')')) {
		word = take_word(s);
		if (num_u64(word.p, word.len, INT64_MAX, &v) < 0)
			return false;
		if (h->axes < 2)
			h->axis[h->axes] = v;
		h->axes++;
		if (!take(s, ',')) {
			if (!take(s, ')'))
				return false;
			break;
		}
	}
	return true;
}

static bool
take_head(struct slice s, struct head *h)
{
	struct slice key;

	*h = (struct head){ .axes = 0 };
	if (!take(&s, '{'))
		return false;
	while (!take(&s, '}')) {
		if (!take_string(&s, &key) || !take(&s, ':'))
			return false;
		if (slice_is(key, "descr")) {
			skip_space(&s);
			/* of a record it is a list */
			if (s.len > 0 && *s.p == '[')
				h->descr = slice_of("[...]", 5);
			if (h->descr.p)
				return true;
			if (!take_string(&s, &h->descr))
				return false;
		} else if (slice_is(key, "fortran_order")) {
			h->order = take_word(&s);
		} else if (slice_is(key, "shape")) {
			if (!take_shape(&s, h))
				return false;
		} else {
			return false;
		}
		if (!take(&s, ',')) {
			if (!take(&s, '}'))
				return false;
			break;
		}
	}
	skip_space(&s);
	return s.len == 0;
}

static int
understand(struct matrix_in *m, struct slice text, struct err *e)
{
	struct head h;

	if (!take_head(text, &h) || !h.descr.p)
		return err_data(e, "a head that is none of .npy");
	if (!slice_is(h.descr, "<f4"))
		return err_data(e, "numbers of type '%.*s', not '<f4': "
		    "numpy's astype('<f4') converts them",
		    (int)(h.descr.len < 32 ? h.descr.len : 32), h.descr.p);
	if (!h.shaped || !(slice_is(h.order, "False") ||
	    slice_is(h.order, "True")))
		return err_data(e, "a head that is none of .npy");
	if (h.axes != 2)
		return err_data(e, "an array of %u dimensions, not of 2: a row "
		    "a vector", h.axes);
	if (slice_is(h.order, "True"))
		return err_data(e, "column after column (fortran_order): "
		    "numpy's ascontiguousarray() turns it round");
	if (h.axis[0] > 0 && (h.axis[1] == 0 || h.axis[1] > MATRIX_DIM_MAX))
		return err_data(e, "rows of %" PRIu64 " numbers: 1 to %d can "
		    "be read", h.axis[1], MATRIX_DIM_MAX);
	m->total = h.axis[0];
	m->dim = h.axis[1] <= MATRIX_DIM_MAX ? (uint32_t)h.axis[1] : 0;
	return 0;
}

static int
read_head(struct matrix_in *m, struct err *e)
{
	const char *p;
	ptrdiff_t n = in_peek(&m->in, NPY_MAGIC_LEN + 4, &p, e);
	size_t at, len;

	if (n < 0)
		return -1;
	if (n < NPY_MAGIC_LEN + 4 || memcmp(p, NPY_MAGIC, NPY_NAME_LEN) != 0) {
		err_data(e, n == 0 ? "empty: not an .npy" : "not an .npy");
		return err_in(e, m->in.name);
	}
	if (p[6] != 1 && p[6] != 2) {
		err_data(e, ".npy of version %d; versions 1 and 2 can be read",
		    (unsigned char)p[6]);
		return err_in(e, m->in.name);
	}
	at = NPY_MAGIC_LEN + (p[6] == 1 ? 2 : 4);
	len = p[6] == 1 ? le_u16(p + NPY_MAGIC_LEN) : le_u32(p +
	    NPY_MAGIC_LEN);
	if (len > NPY_HEAD_MAX) {
		err_data(e, "a head of %zu bytes: corrupt", len);
		return err_in(e, m->in.name);
	}
	n = in_peek(&m->in, at + len, &p, e);
	if (n < 0)
		return -1;
	if ((size_t)n < at + len) {
		err_data(e, "truncated inside its head");
		return err_in(e, m->in.name);
	}
	if (understand(m, slice_of(p + at, len), e) < 0)
		return err_in(e, m->in.name);
	in_skip(&m->in, at + len);
	return 0;
}

/* ---- rows ---- */

int
matrix_in_open(struct matrix_in *m, const char *path, enum matrix_form form,
    struct err *e)
{
	*m = (struct matrix_in){ .form = form };
	if (in_open(&m->in, path, e) < 0)
		return -1;
	if (form == MATRIX_FVECS || read_head(m, e) == 0)
		return 0;
	in_close(&m->in);
	return -1;
}

void
matrix_in_close(struct matrix_in *m)
{
	in_close(&m->in);
}

int
matrix_in_at(const struct matrix_in *m, struct err *e)
{
	char row[32];

	snprintf(row, sizeof(row), "row %" PRIu64, m->rows);
	err_in(e, row);
	return err_in(e, m->in.name);
}

/* The dimension before a row of .fvecs.  1, 0 at the end, -1. */
static int
read_count(struct matrix_in *m, struct err *e)
{
	const char *p;
	ptrdiff_t n = in_peek(&m->in, 4, &p, e);
	uint32_t dim;

	if (n <= 0)
		return (int)n;
	m->rows++;
	if (n < 4) {
		err_data(e, "truncated");
		return matrix_in_at(m, e);
	}
	dim = le_u32(p);
	if (dim == 0 || dim > MATRIX_DIM_MAX)
		err_data(e, "a dimension of %" PRId32 ": corrupt, or not an "
		    ".fvecs", (int32_t)dim);
	else if (m->dim != 0 && dim != m->dim)
		err_data(e, "a vector of %u numbers, where those before have "
		    "%u", dim, m->dim);
	else {
		m->dim = dim;
		in_skip(&m->in, 4);
		return 1;
	}
	return matrix_in_at(m, e);
}

int
matrix_in_next(struct matrix_in *m, const uint8_t **row, struct err *e)
{
	size_t size;
	const char *p;
	ptrdiff_t n;
	int got;

	if (m->form == MATRIX_FVECS) {
		got = read_count(m, e);
		if (got <= 0)
			return got;
	} else if (m->rows == m->total) {
		n = in_peek(&m->in, 1, &p, e);
		if (n <= 0)
			return (int)n;
		err_data(e, "there is more behind its %" PRIu64 " rows",
		    m->total);
		return err_in(e, m->in.name);
	} else {
		m->rows++;
	}
	size = (size_t)m->dim * 4;
	n = in_peek(&m->in, size, &p, e);
	if (n < 0)
		return -1;
	if ((size_t)n < size) {
		err_data(e, "truncated");
		return matrix_in_at(m, e);
	}
	*row = (const uint8_t *)p;
	in_skip(&m->in, size);
	return 1;
}
