/* SPDX-License-Identifier: Apache-2.0 */
/* t_matrix - bare vectors, read. */
#include "stream/matrix.h"

#include "base/le.h"

#include "../scratch.h"
#include "../tap.h"

/* A file with these bytes. */
static const char *
file(struct slice bytes)
{
	scratch_write(scratch_path("m"), bytes);
	return scratch_path("m");
}

/* An .npy with this head and n zero bytes behind it. */
static const char *
npy(int version, const char *head, size_t n)
{
	struct buf b = { 0 };
	const char *path;
	char len[4];
	size_t i;

	buf_add(&b, "\223NUMPY", 6);
	buf_addc(&b, (char)version);
	buf_addc(&b, '\0');
	le_put_u32(len, (uint32_t)strlen(head));
	buf_add(&b, len, version == 1 ? 2 : 4);
	buf_adds(&b, head);
	for (i = 0; i < n; i++)
		buf_addc(&b, '\0');
	path = file(buf_slice(&b));
	buf_release(&b);
	return path;
}

#define HEAD(descr, order, shape) \
	"{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }"
#define GOOD HEAD("'<f4'", "False", "(3, 2)") "      \n"
#define NONE "a head that is none of .npy"

static const struct {
	const char *head;
	const char *message;		/* NULL: taken, 3 rows of 2 */
} heads[] = {
	{ GOOD, NULL },
	{ "{'shape':(3,2),'descr':\"<f4\",'fortran_order':False}", NULL },
	{ "{'shape':(3,2,),'descr':'<f4','fortran_order':False,}\n", NULL },
	{ HEAD("'<f8'", "False", "(3, 2)"), "numbers of type '<f8', not "
	    "'<f4': numpy's astype('<f4') converts them" },
	{ HEAD("'>f4'", "False", "(3, 2)"), "numbers of type '>f4', not "
	    "'<f4': numpy's astype('<f4') converts them" },
	{ HEAD("[('a', '<f4')]", "False", "(3,)"), "numbers of type '[...]', "
	    "not '<f4': numpy's astype('<f4') converts them" },
	{ HEAD("'<f4'", "True", "(3, 2)"), "column after column "
	    "(fortran_order): numpy's ascontiguousarray() turns it round" },
	{ HEAD("'<f4'", "False", "(6,)"),
	    "an array of 1 dimensions, not of 2: a row a vector" },
	{ HEAD("'<f4'", "False", "()"),
	    "an array of 0 dimensions, not of 2: a row a vector" },
	{ HEAD("'<f4'", "False", "(3, 2, 1)"),
	    "an array of 3 dimensions, not of 2: a row a vector" },
	{ HEAD("'<f4'", "False", "(3, 0)"),
	    "rows of 0 numbers: 1 to 65536 can be read" },
	{ HEAD("'<f4'", "False", "(3, 65537)"),
	    "rows of 65537 numbers: 1 to 65536 can be read" },
	{ HEAD("'<f4'", "False", "(3, -2)"), NONE },
	{ HEAD("'<f4'", "False", "(3 2)"), NONE },
	{ HEAD("'<f4'", "False", "(3, 2"), NONE },
	{ HEAD("'<f4'", "False", "(9223372036854775808, 2)"), NONE },
	{ HEAD("'<f4'", "0", "(3, 2)"), NONE },
	{ HEAD("'<f4", "False", "(3, 2)"), NONE },
	{ HEAD("<f4", "False", "(3, 2)"), NONE },
	{ GOOD "x", NONE },
	{ "{'descr': '<f4', 'fortran_order': False}", NONE },
	{ "{'descr': '<f4', 'shape': (3, 2)}", NONE },
	{ "{'shape': (3, 2), 'fortran_order': False}", NONE },
	{ "{'descr': '<f4', 'other': 1}", NONE },
	{ "{", NONE }, { "", NONE }, { "{'", NONE }, { "{'descr'", NONE },
};

/* How many rows of how many numbers; -1: refused. */
static int
rows_of(const char *path, enum matrix_form form, uint32_t dim, struct err *e)
{
	struct matrix_in m;
	const uint8_t *row;
	int got = 0, n = 0;

	if (matrix_in_open(&m, path, form, e) < 0)
		return -1;
	while ((got = matrix_in_next(&m, &row, e)) > 0)
		n++;
	if (got == 0 && m.dim != dim)
		n = -2;
	matrix_in_close(&m);
	return got < 0 ? -1 : n;
}

/* What is said behind the file's name. */
static const char *
said(const struct err *e)
{
	const char *colon = strstr(e->msg, "/m: ");

	return colon ? colon + 4 : e->msg;
}

static void
test_heads(void)
{
	struct err e = { 0 };
	size_t i;
	int version;

	for (i = 0; i < COUNT(heads); i++)
		for (version = 1; version <= 2; version++) {
			const char *path = npy(version, heads[i].head, 24);
			int n;

			e.msg[0] = '\0';
			n = rows_of(path, MATRIX_NPY, 2, &e);
			ok(heads[i].message ? n == -1 && e.status ==
			    STATUS_DATA && strcmp(said(&e), heads[i].message)
			    == 0 : n == 3, "%s: %d %s", shown_str(heads[i].head), n,
			    e.msg);
		}
	ok(rows_of(npy(1, HEAD("'<f4'", "False", "(0, 5)"), 0), MATRIX_NPY, 5,
	    &e) == 0, "no rows");
	ok(rows_of(npy(3, GOOD, 24), MATRIX_NPY, 2, &e) == -1 &&
	    strcmp(said(&e), ".npy of version 3; versions 1 and 2 can be "
	    "read") == 0, "version 3");
}

static void
test_ends(void)
{
	struct err e = { 0 };
	size_t n;
	struct buf b = { 0 };

	ok(rows_of(npy(1, GOOD, 23), MATRIX_NPY, 2, &e) == -1 &&
	    strcmp(said(&e), "row 3: truncated") == 0, "%s", e.msg);
	ok(rows_of(npy(1, GOOD, 8), MATRIX_NPY, 2, &e) == -1 &&
	    strcmp(said(&e), "row 2: truncated") == 0, "%s", e.msg);
	ok(rows_of(npy(1, GOOD, 25), MATRIX_NPY, 2, &e) == -1 &&
	    strcmp(said(&e), "there is more behind its 3 rows") == 0, "%s",
	    e.msg);
	ok(rows_of(file(slice_of("", 0)), MATRIX_NPY, 2, &e) == -1 &&
	    strcmp(said(&e), "empty: not an .npy") == 0, "%s", e.msg);
	ok(rows_of(file(slice_str("{\"type\":\"begin\"}")), MATRIX_NPY, 2,
	    &e) == -1 && strcmp(said(&e), "not an .npy") == 0, "%s", e.msg);
	scratch_read(npy(2, GOOD, 24), &b);
	for (n = 12; n < 12 + sizeof(GOOD) - 1; n += 7)
		ok(rows_of(file(slice_of(b.p, n)), MATRIX_NPY, 2, &e) == -1 &&
		    strcmp(said(&e), "truncated inside its head") == 0,
		    "%zu bytes", n);
	le_put_u32(b.p + 8, 65537);
	ok(rows_of(file(buf_slice(&b)), MATRIX_NPY, 2, &e) == -1 && strcmp(
	    said(&e), "a head of 65537 bytes: corrupt") == 0, "%s", e.msg);
	buf_release(&b);
	ok(rows_of(scratch_path("none"), MATRIX_NPY, 2, &e) == -1 &&
	    e.status == STATUS_SYSTEM, "%s", e.msg);
}

#define ROW "\2\0\0\0" "\0\0\x80\x3f" "\0\0\0\x40"

static void
test_fvecs(void)
{
	static const struct {
		struct slice bytes;
		const char *message;
	} bad[] = {
		{ { ROW "\2\0", 14 }, "row 2: truncated" },
		{ { ROW ROW, 20 }, "row 2: truncated" },
		{ { ROW "\3\0\0\0" ROW, 28 }, "row 2: a vector of 3 numbers, "
		    "where those before have 2" },
		{ { "\0\0\0\0", 4 }, "row 1: a dimension of 0: corrupt, or "
		    "not an .fvecs" },
		{ { ROW "\xff\xff\xff\xff", 16 }, "row 2: a dimension of -1: "
		    "corrupt, or not an .fvecs" },
		{ { "\1\0\1\0", 4 }, "row 1: a dimension of 65537: corrupt, "
		    "or not an .fvecs" },
	};
	struct matrix_in m;
	const uint8_t *row = NULL;
	struct err e = { 0 };
	size_t i;

	ok(rows_of(file(slice_of(ROW ROW ROW, 36)), MATRIX_FVECS, 2, &e) == 3,
	    "three rows of .fvecs");
	ok(rows_of(file(slice_of("", 0)), MATRIX_FVECS, 0, &e) == 0, "none");
	for (i = 0; i < COUNT(bad); i++)
		ok(rows_of(file(bad[i].bytes), MATRIX_FVECS, 2, &e) == -1 &&
		    e.status == STATUS_DATA && strcmp(said(&e),
		    bad[i].message) == 0, "%s", e.msg);
	ok(matrix_in_open(&m, file(slice_of(ROW, 12)), MATRIX_FVECS, &e) == 0
	    && matrix_in_next(&m, &row, &e) == 1 && m.rows == 1 &&
	    memcmp(row, ROW + 4, 8) == 0, "its numbers");
	err_data(&e, "why");
	ok(matrix_in_at(&m, &e) == -1 && strcmp(said(&e), "row 1: why") == 0,
	    "a place: %s", e.msg);
	matrix_in_close(&m);
}

int
main(void)
{
	test_heads();
	test_ends();
	test_fvecs();
	return tap_done();
}
