/* SPDX-License-Identifier: Apache-2.0 */
/* t_intake - what records leave, as Chroma applies them. */
#include "index/intake.h"

#include <stdlib.h>
#include <string.h>

#include "../scratch.h"
#include "../tap.h"

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

int
main(void)
{
	test_rows();
	test_mistakes();
	test_many();
	return tap_done();
}
