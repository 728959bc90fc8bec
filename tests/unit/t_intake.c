/* SPDX-License-Identifier: Apache-2.0 */
/* t_intake - what records leave, as Chroma applies them. */
#include "index/intake.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "../scratch.h"
#include "../tap.h"
#include "base/le.h"

static struct intake in;
static struct vectors v;
static uint32_t *number;

static int
take(enum record_type type, enum operation op, const char *id, float a,
    int64_t seq_id)
{
	float x[2] = { a, a + 1 };
	struct record r = { .type = type, .operation = op,
	    .has = FIELD_ID | FIELD_OPERATION | FIELD_SEQ_ID,
	    .id = slice_str(id), .seq_id = seq_id };
	struct err e;

	if (a >= 0) {
		r.has |= FIELD_EMBEDDING;
		r.embedding = (const uint8_t *)x;
		r.dim = 2;
	}
	return intake_take(&in, &r, &e);
}

#define VECTOR(id, a) take(RECORD_VECTOR, OPERATION_NONE, id, a, 0)
#define ROW(op, id, a, n) take(RECORD_WAL, OPERATION_##op, id, a, n)

static void
begin(void)
{
	struct err e;

	if (intake_init(&in, scratch_dir(), &e) < 0)
		scratch_die(e.msg);
}

/* The live ones as "id=first/seq ...". */
static void
is(const char *want, const char *name)
{
	static char got[4096];
	struct slice id;
	struct err e = { 0 };
	size_t n = 0;
	uint32_t i;
	float x;

	got[0] = '\0';
	if (intake_finish(&in, &v, &number, &e) < 0)
		scratch_die(e.msg);
	for (i = 0; i < v.n; i++) {
		if (intake_text(&in, number[i], &id, &e) < 0)
			scratch_die(e.msg);
		memcpy(&x, vectors_given(&v, i), 4);
		n += (size_t)snprintf(got + n, sizeof(got) - n,
		    "%s%.*s=%g/%lld", i ? " " : "", (int)id.len, id.p,
		    (double)x, (long long)in.id[number[i]].seq_id);
	}
	ok(strcmp(got, want) == 0, "%s: %s", name, got);
	free(number);
	intake_release(&in);
}

static void
test_rows(void)
{
	begin();
	is("", "nothing");

	begin();
	VECTOR("a", 1), VECTOR("b", 2), VECTOR("c", 3);
	is("a=1/0 b=2/0 c=3/0", "vectors");

	begin();
	VECTOR("a", 1);
	ROW(ADD, "a", 9, 1), ROW(ADD, "b", 2, 2), ROW(ADD, "b", 8, 3);
	is("a=1/0 b=2/2", "an ADD of what is there does nothing");

	begin();
	ROW(UPDATE, "a", 9, 1), ROW(ADD, "b", 2, 2), ROW(UPDATE, "b", 3, 3);
	ROW(UPDATE, "b", -1, 4);
	is("b=3/3", "an UPDATE of what is not there, with and without");

	begin();
	ROW(UPSERT, "a", 1, 1), ROW(UPSERT, "b", 2, 2);
	ROW(UPSERT, "a", 3, 3), ROW(UPSERT, "b", -1, 4);
	is("a=3/3 b=2/2", "an UPSERT replaces");

	begin();
	VECTOR("a", 1), VECTOR("b", 2);
	ROW(DELETE, "a", -1, 1), ROW(UPDATE, "a", 5, 2);
	is("b=2/0", "deleted");

	begin();
	VECTOR("a", 1);
	ROW(ADD, "a", 7, 1), ROW(DELETE, "a", -1, 2), ROW(ADD, "a", 1, 3);
	is("a=1/3", "deleted and added again");
}

/* A vector with the length by which a cosine index had stored it. */
static void
rounded(const char *id, float a)
{
	float x[2] = { a, a + 1 };
	struct record r = { .type = RECORD_VECTOR, .has = FIELD_ID |
	    FIELD_EMBEDDING | FIELD_LENGTH, .id = slice_str(id), .dim = 2,
	    .embedding = (const uint8_t *)x, .length = 5 };
	struct err e;

	if (intake_take(&in, &r, &e) < 0)
		scratch_die(e.msg);
}

/* The vectors of a log, which a cosine index gives back rounded. */
static void
rounded_rows(bool exact)
{
	begin();
	in.exact = exact;
	rounded("a", 3.0000002F), rounded("b", 4.0000005F), rounded("c", 5);
	ROW(ADD, "a", 3, 1), ROW(UPSERT, "b", 4, 2), ROW(ADD, "c", 7, 3);
}

static void
test_rounded(void)
{
	rounded_rows(false);
	ok(in.vectors == 3, "what a row has but for rounding stays");
	is("a=3/0 b=4/2 c=5/0", "and an ADD does nothing");
	rounded_rows(true);
	ok(in.vectors == 5 && in.live == 3, "or it takes its place");
	is("a=3/0 b=4/2 c=5/0", "but for an ADD of another");
	rounded_rows(true);
	ROW(UPSERT, "b", 9, 4), ROW(ADD, "a", 8, 5);
	is("a=3/0 b=9/4 c=5/0", "later rows count as ever");
}

static void
test_mistakes(void)
{
	float x[3] = { 1, 2, 3 };
	struct record r = { .type = RECORD_VECTOR, .has = FIELD_ID |
	    FIELD_EMBEDDING, .id = slice_str("x"), .dim = 3,
	    .embedding = (const uint8_t *)x };
	struct err e;

	begin();
	VECTOR("a", 1);
	ok(intake_take(&in, &r, &e) < 0 && e.status == STATUS_DATA &&
	    strcmp(e.msg, "a vector of 3 numbers, where those before have 2")
	    == 0, "another dimension: %s", e.msg);
	r.has = FIELD_EMBEDDING;
	ok(intake_take(&in, &r, &e) < 0 && e.status == STATUS_DATA,
	    "no id: %s", e.msg);
	r.has = FIELD_ID | FIELD_EMBEDDING | FIELD_DELETED;
	r.deleted = true;
	r.dim = 2;
	ok(intake_take(&in, &r, &e) == 0, "one that is deleted is none");
	is("a=1/0", "and the first is left");
}

static void
test_many(void)
{
	char id[32];
	int i, bad = 0;
	float x;
	struct err e;

	begin();
	for (i = 0; i < 200000; i++) {
		snprintf(id, sizeof(id), "id-%d", i);
		bad |= VECTOR(id, (float)i) < 0;
	}
	for (i = 0; i < 200000; i += 3) {
		snprintf(id, sizeof(id), "id-%d", i);
		bad |= ROW(UPSERT, id, (float)(i + 1000000), i) < 0;
	}
	ok(!bad && in.live == 200000, "many");
	bad = intake_finish(&in, &v, &number, &e) < 0;
	for (i = 0; i < 200000 && !bad; i++) {
		memcpy(&x, vectors_given(&v, (uint32_t)i), 4);
		bad = x != (float)(i % 3 ? i : i + 1000000);
	}
	ok(!bad && v.n == 200000, "  each is the last of its id");
	free(number);
	intake_release(&in);
}

/* A vector with links to labels; its own is label. */
static void
linked(const char *id, uint64_t label, const uint64_t *to, uint32_t n)
{
	static uint8_t links[4 + 8 * 200 + 4];
	float x[2] = { (float)label, 1 };
	struct record r = { .type = RECORD_VECTOR, .has = FIELD_ID |
	    FIELD_EMBEDDING | FIELD_LABEL | FIELD_LINKS, .id = slice_str(id),
	    .dim = 2, .embedding = (const uint8_t *)x, .label = label };
	struct err e;
	uint32_t i;

	le_put_u32(links, n);
	for (i = 0; i < n; i++)
		le_put_u64(links + 4 + 8 * i, to[i]);
	r.links = slice_of((const char *)links, n ? 4 + 8 * (size_t)n : 0);
	if (intake_take(&in, &r, &e) < 0)
		scratch_die(e.msg);
}

/* The hints of vector i are these. */
static void
hints_are(const struct hints *h, uint32_t i, const uint32_t *to, unsigned n,
    const char *name)
{
	ok(h->count[i] == n && (n == 0 || memcmp(h->to + h->at[i], to, n * 4)
	    == 0),
	    "%s", name);
}

#define TO(...) (uint64_t[]){ __VA_ARGS__ }, \
	sizeof((uint64_t[]){ __VA_ARGS__ }) / 8
#define ARE(...) (uint32_t[]){ __VA_ARGS__ }, \
	sizeof((uint32_t[]){ __VA_ARGS__ }) / 4

static void
test_hints(void)
{
	struct hints h;
	struct err e = { 0 };
	char id[32];
	int i;

	begin();
#ifdef M_PERTURB
	mallopt(M_PERTURB, 0x55);	/* new memory is not zero by itself */
#endif
	VECTOR("plain", 1), VECTOR("plain too", 2);
	linked("a", 70, TO(80, 90, 70, 1000, 0));
	linked("b", 80, TO(70));
	linked("gone", 85, TO(70, 80));
	linked("c", 90, TO(80, 85, 70));
	linked("none", 91, NULL, 0);
	VECTOR("plain at last", 3);
	ROW(DELETE, "gone", -1, 5);
	ROW(UPSERT, "b", 9, 6);
	for (i = 0; i < 600; i++) {
		snprintf(id, sizeof(id), "more %d", i);
		VECTOR(id, 4);
	}
	linked("last", UINT64_MAX, TO(90, 91, UINT64_MAX, 70));
	if (intake_finish(&in, &v, &number, &e) < 0 ||
	    intake_hints(&in, number, v.n, &h, &e) < 0) {
		ok(0, "hints: %s", e.msg);
		return;
	}
	ok(h.n == 608 && h.known == 4, "hints of %u of %u", h.known, h.n);
	hints_are(&h, 2, ARE(3, 4), "to labels that live, not to itself");
	hints_are(&h, 3, ARE(2), "of one whose vector is newer");
	hints_are(&h, 4, ARE(3, 2), "none to who was deleted");
	hints_are(&h, 607, ARE(4, 2), "labels of all sizes");
	hints_are(&h, 0, NULL, 0, "none, where none came with it");
	hints_are(&h, 5, NULL, 0, "none, where it had none");
	hints_release(&h);
	free(number);
	intake_release(&in);

	begin();
	VECTOR("a", 1);
	if (intake_finish(&in, &v, &number, &e) < 0 ||
	    intake_hints(&in, number, v.n, &h, &e) < 0)
		scratch_die(e.msg);
	ok(h.n == 1 && h.known == 0 && h.count[0] == 0, "no links, no hints");
	hints_release(&h);
	free(number);
	intake_release(&in);
}

static void
test_find(void)
{
	struct slice id;
	struct err e;

	begin();
	ok(intake_find(&in, slice_str("a")) == UINT32_MAX, "nobody yet");
	VECTOR("a", 1), VECTOR("b", 2);
	ROW(DELETE, "a", -1, 1);
	ok(intake_find(&in, slice_str("a")) == UINT32_MAX &&
	    intake_find(&in, slice_str("c")) == UINT32_MAX, "not those that "
	    "were deleted or never came");
	ok(intake_text(&in, intake_find(&in, slice_str("b")), &id, &e) == 0 &&
	    slice_eq(id, slice_str("b")), "the others");
	ok(intake_memory(&in) > 2 * sizeof(struct intake_id), "its memory");
	intake_release(&in);
}

static void
test_drop(void)
{
	uint32_t a;

	begin();
	VECTOR("a", 1), VECTOR("b", 2), VECTOR("c", 3);
	ROW(UPSERT, "c", 4, 7);
	a = intake_find(&in, slice_str("a"));
	intake_drop(&in, a);
	ok(in.live == 2 && intake_find(&in, slice_str("a")) == UINT32_MAX,
	    "taken out");
	intake_drop(&in, a);
	ok(in.live == 2, "  once");
	intake_drop(&in, intake_find(&in, slice_str("c")));
	is("b=2/0", "what is left");

	begin();
	VECTOR("a", 1);
	intake_drop(&in, intake_find(&in, slice_str("a")));
	ok(in.live == 0, "all taken out");
	ROW(UPDATE, "a", 5, 8);
	is("", "an UPDATE of what was taken out");

	begin();
	VECTOR("a", 1), VECTOR("b", 2);
	intake_drop(&in, intake_find(&in, slice_str("a")));
	ROW(ADD, "a", 6, 9);
	is("a=6/9 b=2/0", "an ADD of what was taken out");
}

int
main(void)
{
	test_rows();
	test_drop();
	test_rounded();
	test_hints();
	test_find();
	test_mistakes();
	test_many();
	return tap_done();
}
