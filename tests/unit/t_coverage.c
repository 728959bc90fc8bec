/* SPDX-License-Identifier: Apache-2.0 */
/* t_coverage - the coverage rule: each reason, and what is none, from rows that
 * are made up, records in a small database and an index with one id. */
#include "chroma/coverage.h"

#include <sqlite3.h>

#include "../index_maker.h"
#include "../tap.h"

/* The index has id0 and id1, both with [1, 1]. */
#define HELD "\0\0\200\077\0\0\200\077"
#define OTHER "\0\0\0\100\0\0\0\100"

static struct db db;
static sqlite3 *writer;
static int dirfd_of = -1;

static struct collection collections[2];
static struct catalog catalog = { .collection = collections, .n = 2 };
static const char *others = "";	/* SQL: records beside the one judged */

static void
sql(const char *text)
{
	char *why = NULL;

	if (sqlite3_exec(writer, text, NULL, NULL, &why) != SQLITE_OK)
		scratch_die(why);
}

static void
start(void)
{
	const char *path = scratch_path("chroma.sqlite3");
	struct err e;

	if (sqlite3_open(path, &writer) != SQLITE_OK)
		scratch_die("sqlite3_open");
	sql("PRAGMA synchronous=OFF; CREATE TABLE embeddings (id INTEGER "
	    "PRIMARY KEY, segment_id, embedding_id, seq_id, created_at); "
	    "CREATE TABLE embeddings_queue (seq_id INTEGER PRIMARY KEY, id)");
	if (db_open(&db, path, "chroma.sqlite3", DB_READ, 0, &e) < 0)
		scratch_die(e.msg);
	dirfd_of = open(scratch_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* As it was before each case: nothing in the tables, M and H at 100. */
static void
reset(void)
{
	int i;

	sql("DELETE FROM embeddings; DELETE FROM embeddings_queue");
	for (i = 0; i < 2; i++)
		collections[i] = (struct collection){
			.id = i ? "b" : "a", .name = i ? "b" : "a",
			.metadata_segment = i ? "mb" : "ma",
			.vector_segment = "index", .dimension = DIM,
			.params.space = SPACE_L2, .selected = true,
			.metadata = { WATERMARK_ROW, 100, false },
			.vector = { WATERMARK_ROW, 100, false },
		};
}

static struct db_value
text(const char *s)
{
	return (struct db_value){ .type = DB_TEXT, .bytes = slice_str(s) };
}

static struct db_value
blob(const char *p, size_t n)
{
	return (struct db_value){ .type = DB_BLOB, .bytes = slice_of(p, n) };
}

static const char *
time_at(int64_t second)
{
	static char at[32];

	snprintf(at, sizeof(at), "2024-01-01 00:00:%02d", (int)second % 60);
	return at;
}

/* One row, from three letters: operation (A U P D, M a marker of Chroma's, ? an
 * unknown one, T a text), vector (h as in the index, o another one, 3 one of
 * three numbers, t a text, 0 an empty one, i integers, - none), ! if it goes.  An @ in the place of the
 * operation: an ADD whose id is a BLOB. */
static struct wal_row
make_row(const char *letters, const char *id, int64_t seq_id,
    struct collection *col)
{
	static const char operations[] = "AUPDM";
	const char *at = strchr(operations, letters[0]);
	struct wal_row row = { .collection = col };

	row.col[WAL_SEQ_ID] = (struct db_value){ .type = DB_INTEGER,
	    .i = seq_id };
	row.col[WAL_CREATED_AT] = text(time_at(seq_id));
	row.col[WAL_OPERATION] = letters[0] == 'T' ? text("0") :
	    (struct db_value){ .type = DB_INTEGER, .i = at ?
	    at - operations : letters[0] == '@' ? 0 : 17 };
	row.col[WAL_ID] = letters[0] == '@' ? blob(id, strlen(id)) : text(id);
	row.col[WAL_VECTOR] = letters[1] == 'h' ? blob(HELD, 8) :
	    letters[1] == 'o' ? blob(OTHER, 8) :
	    letters[1] == '3' ? blob(HELD "\0\0\200\077", 12) :
	    letters[1] == 't' ? text("12345678") :
	    letters[1] == '0' ? blob("", 0) :
	    letters[1] == 'i' ? blob(HELD, 8) :
	    (struct db_value){ .type = DB_NULL };
	row.col[WAL_ENCODING] = letters[1] == '-' ?
	    (struct db_value){ .type = DB_NULL } :
	    text(letters[1] == 'i' ? "INT32" : "FLOAT32");
	return row;
}

/* Rows of one id, one after the other from this number on. */
static int
put_rows(struct coverage *cv, struct collection *col, const char *id,
    const char *rows, int64_t seq_id, struct err *e)
{
	char statement[128];
	struct wal_row row;

	for (; *rows; rows += strcspn(rows, " "), rows += strspn(rows, " ")) {
		snprintf(statement, sizeof(statement), "INSERT INTO "
		    "embeddings_queue VALUES (%d, '%s')", (int)seq_id, id);
		sql(statement);
		row = make_row(rows, id, seq_id++, col);
		if (coverage_row(cv, &row, rows[2] == '!', e) < 0)
			return -1;
	}
	return 0;
}

static void
put_record(const char *segment, const char *id, const char *seq_id,
    const char *created_at)
{
	char statement[256];

	snprintf(statement, sizeof(statement), "INSERT INTO embeddings "
	    "(segment_id, embedding_id, seq_id, created_at) VALUES "
	    "('%s', '%s', %s, %s)", segment, id, seq_id, created_at);
	sql(statement);
}

/* ---- one id ---- */

#define NO NULL				/* there is no record */
#define ANY "NULL"			/* one without a number */

static const struct {
	const char *rows;
	const char *record;	/* its seq_id as SQL */
	enum coverage_reason in, out;	/* of an id that the index has, and
					 * of one that it does not have */
} lives[] = {
	/* nothing in the log */
	{ "", NO, COVERAGE_NONE, COVERAGE_NONE },
	{ "", "1", COVERAGE_NONE, COVERAGE_NO_VECTOR },
	{ "", ANY, COVERAGE_NONE, COVERAGE_NO_VECTOR },

	/* the last vector goes: it must be in the index */
	{ "Ah!", "1", COVERAGE_NONE, COVERAGE_NO_VECTOR },
	{ "Ao!", "1", COVERAGE_OTHER_VECTOR, COVERAGE_NO_VECTOR },
	{ "A3!", "1", COVERAGE_OTHER_VECTOR, COVERAGE_NO_VECTOR },
	{ "At!", "1", COVERAGE_OTHER_VECTOR, COVERAGE_NO_VECTOR },
	{ "A-!", "1", COVERAGE_NONE, COVERAGE_NO_VECTOR },
	{ "Ah! Uo!", "2", COVERAGE_OTHER_VECTOR, COVERAGE_NO_VECTOR },
	{ "Ao! Uh!", "2", COVERAGE_NONE, COVERAGE_NO_VECTOR },
	{ "Ao! Ph!", "2", COVERAGE_NONE, COVERAGE_NO_VECTOR },
	{ "Ah! Po!", "2", COVERAGE_OTHER_VECTOR, COVERAGE_NO_VECTOR },
	{ "Ah! U-!", "2", COVERAGE_NONE, COVERAGE_NO_VECTOR },
	{ "Ao! U-!", "2", COVERAGE_OTHER_VECTOR, COVERAGE_NO_VECTOR },
	{ "Ao! P-!", "2", COVERAGE_OTHER_VECTOR, COVERAGE_NO_VECTOR },
	{ "Uo!", "1", COVERAGE_OTHER_VECTOR, COVERAGE_NO_VECTOR },
	{ "Uh!", "1", COVERAGE_NONE, COVERAGE_NO_VECTOR },
	{ "U-!", "1", COVERAGE_NONE, COVERAGE_NO_VECTOR },

	/* it stays: then that is where it is */
	{ "Ah", "1", COVERAGE_NONE, COVERAGE_NONE },
	{ "Ao", "1", COVERAGE_NONE, COVERAGE_NONE },
	{ "Ah! Uo", "2", COVERAGE_NONE, COVERAGE_NONE },
	{ "Ao! Po", "2", COVERAGE_NONE, COVERAGE_NONE },
	{ "Ao! U-", "2", COVERAGE_OTHER_VECTOR, COVERAGE_NO_VECTOR },
	{ "Ah! U-", "2", COVERAGE_NONE, COVERAGE_NO_VECTOR },

	/* unless it is none that Chroma can take */
	{ "Ah! U3", "2", COVERAGE_NONE, COVERAGE_NO_VECTOR },
	{ "Ao! U3", "2", COVERAGE_OTHER_VECTOR, COVERAGE_NO_VECTOR },
	{ "Ao! Ut", "2", COVERAGE_OTHER_VECTOR, COVERAGE_NO_VECTOR },
	{ "Ao! U0", "2", COVERAGE_OTHER_VECTOR, COVERAGE_NO_VECTOR },
	{ "Ao! Ui", "2", COVERAGE_OTHER_VECTOR, COVERAGE_NO_VECTOR },
	{ "Ao! Ui!", "2", COVERAGE_NONE, COVERAGE_NO_VECTOR },
	{ "Ah! U3!", "2", COVERAGE_OTHER_VECTOR, COVERAGE_NO_VECTOR },

	/* what has no effect: an ADD of what is there, an UPDATE of what is
	 * not */
	{ "Ah! Ao!", "1", COVERAGE_NONE, COVERAGE_NO_VECTOR },
	{ "Ao! Ah!", "1", COVERAGE_OTHER_VECTOR, COVERAGE_NO_VECTOR },
	{ "Po! Ah!", "1", COVERAGE_OTHER_VECTOR, COVERAGE_NO_VECTOR },
	{ "Ah! Ao", "1", COVERAGE_NONE, COVERAGE_NO_VECTOR },
	{ "D-! Uo!", NO, COVERAGE_NONE, COVERAGE_NONE },
	{ "D-! Uh! Ao!", "3", COVERAGE_OTHER_VECTOR, COVERAGE_NO_VECTOR },
	{ "D-! Uo! A-!", "3", COVERAGE_NONE, COVERAGE_NO_VECTOR },

	/* deleted, and there again */
	{ "Ah! D-!", NO, COVERAGE_NONE, COVERAGE_NONE },
	{ "Ao! D-!", NO, COVERAGE_NONE, COVERAGE_NONE },
	{ "D-!", NO, COVERAGE_NONE, COVERAGE_NONE },
	{ "Ah! D-! Ao!", "3", COVERAGE_OTHER_VECTOR, COVERAGE_NO_VECTOR },
	{ "Ao! D-! Ah!", "3", COVERAGE_NONE, COVERAGE_NO_VECTOR },
	{ "Ao! D-! A-!", "3", COVERAGE_NONE, COVERAGE_NO_VECTOR },
	{ "Ao! D-! Po", "3", COVERAGE_NONE, COVERAGE_NONE },
	{ "Do!", NO, COVERAGE_NONE, COVERAGE_NONE },

	/* log and records disagree */
	{ "Ah!", NO, COVERAGE_NO_RECORD, COVERAGE_NO_RECORD },
	{ "Ah", NO, COVERAGE_NO_RECORD, COVERAGE_NO_RECORD },
	{ "D-! Ph!", NO, COVERAGE_NO_RECORD, COVERAGE_NO_RECORD },
	{ "Ah! D-!", "1", COVERAGE_NOT_DELETED, COVERAGE_NOT_DELETED },
	{ "D-", ANY, COVERAGE_NOT_DELETED, COVERAGE_NOT_DELETED },
	/* an UPDATE does not say that its id is there */
	{ "Uh!", NO, COVERAGE_NONE, COVERAGE_NONE },

	/* nothing of an id goes while an older row of it stays */
	{ "Ah D-!", NO, COVERAGE_REVIVED, COVERAGE_REVIVED },
	{ "Ah U-!", "2", COVERAGE_REVIVED, COVERAGE_REVIVED },
	{ "Ah! U- U-!", "3", COVERAGE_REVIVED, COVERAGE_REVIVED },
	{ "M- U-!", "2", COVERAGE_REVIVED, COVERAGE_REVIVED },
	{ "Ah! D-", NO, COVERAGE_NONE, COVERAGE_NONE },

	/* rows that nobody understands; a marker of Chroma's own is none */
	{ "?-!", "1", COVERAGE_ROW, COVERAGE_ROW },
	{ "T-!", "1", COVERAGE_ROW, COVERAGE_ROW },
	{ "?-", "1", COVERAGE_NONE, COVERAGE_NO_VECTOR },
	{ "Ah! ?-!", "1", COVERAGE_ROW, COVERAGE_ROW },
	{ "Ah! ?o", "1", COVERAGE_NONE, COVERAGE_NO_VECTOR },
	{ "M-!", "1", COVERAGE_NONE, COVERAGE_NO_VECTOR },
	{ "Ah! Mo!", "1", COVERAGE_NONE, COVERAGE_NO_VECTOR },
	/* the first reason is said */
	{ "?-! D-!", "1", COVERAGE_ROW, COVERAGE_ROW },
	{ "Ah D-!", "1", COVERAGE_REVIVED, COVERAGE_REVIVED },

	/* an ADD of which the log does not know whether its id was there: the
	 * record does, by the number of what touched it last */
	{ "Ao!", "0", COVERAGE_NONE, COVERAGE_NO_VECTOR },
	{ "Ao", "0", COVERAGE_NONE, COVERAGE_NO_VECTOR },
	{ "Ao!", ANY, COVERAGE_OTHER_VECTOR, COVERAGE_NO_VECTOR },
	{ "Ao!", "x'0000000000000000'", COVERAGE_NONE, COVERAGE_NO_VECTOR },
	{ "Ao!", "x'0000000000000001'", COVERAGE_OTHER_VECTOR,
	    COVERAGE_NO_VECTOR },
	{ "Ao!", "x'ffffffffffffffff'", COVERAGE_OTHER_VECTOR,
	    COVERAGE_NO_VECTOR },
	{ "Ao!", "x'00'", COVERAGE_OTHER_VECTOR, COVERAGE_NO_VECTOR },
	{ "U-! Ao!", "1", COVERAGE_NONE, COVERAGE_NO_VECTOR },
	{ "U-! Ao!", "2", COVERAGE_OTHER_VECTOR, COVERAGE_NO_VECTOR },

	/* the record was last changed by the last row that had an effect */
	{ "Ah! U-!", "1", COVERAGE_NOT_APPLIED, COVERAGE_NOT_APPLIED },
	{ "Ah! U-", "1", COVERAGE_NOT_APPLIED, COVERAGE_NOT_APPLIED },
	{ "U-! Ao U-", "1", COVERAGE_NOT_APPLIED, COVERAGE_NOT_APPLIED },
	{ "Ph!", "9", COVERAGE_NOT_APPLIED, COVERAGE_NOT_APPLIED },
	{ "Ah! U-!", ANY, COVERAGE_NONE, COVERAGE_NO_VECTOR },
	{ "Ah! M-!", "1", COVERAGE_NONE, COVERAGE_NO_VECTOR },
	{ "D-! Uh!", "1", COVERAGE_NOT_DELETED, COVERAGE_NOT_DELETED },
};

/* What failed, of all collections, as one reason; an id too many is -1. */
static int
reason_of(const struct coverage *cv)
{
	int i, r, found = COVERAGE_NONE;

	for (i = 0; i < 2; i++)
		for (r = COVERAGE_NONE + 1; r < COVERAGE_REASONS; r++)
			if (cv->of[i].failed[r])
				found = found == COVERAGE_NONE &&
				    cv->of[i].failed[r] == 1 ? r : -1;
	return found;
}

/* The judgement about rows from seq_id 1 on.  record_at: SQL. */
static void
judge(const char *id, const char *rows, const char *record,
    const char *record_at, enum coverage_reason want, const char *name)
{
	struct coverage cv;
	struct err e = { 0 };
	int r;

	sql("DELETE FROM embeddings; DELETE FROM embeddings_queue");
	if (record)
		put_record("ma", id, record, record_at);
	sql(others);
	r = coverage_start(&cv, &db, &catalog, NULL, &e) < 0 ||
	    coverage_use(&cv, &collections[0], dirfd_of, "index", &e) < 0 ||
	    put_rows(&cv, &collections[0], id, rows, 1, &e) < 0 ||
	    coverage_judge(&cv, &e) < 0 ? -1 : reason_of(&cv);
	ok(r == (int)want, "%s%s, %s, record %s: %s", name, id, rows,
	    record ? record : "none", r < 0 ? e.msg :
	    coverage_reason_text((enum coverage_reason)r));
	ok(coverage_passed(&cv, &collections[0]) == (want == COVERAGE_NONE),
	    "  passed or not");
	coverage_end(&cv);
}

static void
test_lives(void)
{
	size_t i;

	reset();
	for (i = 0; i < COUNT(lives); i++) {
		judge("id0", lives[i].rows, lives[i].record, "NULL",
		    lives[i].in, "");
		judge("else", lives[i].rows, lives[i].record, "NULL",
		    lives[i].out, "");
	}
}

/* The record was touched later than by the ADD: when it was born tells. */
static void
test_birth(void)
{
	static const char rows[] = "U-! Ao! U-!";

	reset();
	judge("id0", rows, "3", "'2024-01-01 00:00:01'", COVERAGE_NONE,
	    "born before: ");
	judge("id0", rows, "3", "'2024-01-01 00:00:02'",
	    COVERAGE_OTHER_VECTOR, "born in the same second: ");
	judge("id0", rows, "3", "'2024-01-01 00:00:03'",
	    COVERAGE_OTHER_VECTOR, "born after: ");
	judge("id0", rows, "3", "'once'", COVERAGE_OTHER_VECTOR,
	    "born once: ");
	judge("id0", rows, "3", "17", COVERAGE_OTHER_VECTOR, "a number: ");
	judge("id0", rows, "3", "NULL", COVERAGE_OTHER_VECTOR, "unknown: ");
}

/* Nor does the second tell: a younger record tells that is older than the ADD,
 * row 2.  The record is number 1. */
static void
test_born_before(void)
{
	static const struct {
		const char *other;
		enum coverage_reason want;
	} cases[] = {
		{ "(9, 'ma', 'id1', 1)", COVERAGE_NONE },
		{ "(9, 'ma', 'id1', x'0000000000000001')", COVERAGE_NONE },
		{ "(9, 'ma', 'id1', 2)", COVERAGE_OTHER_VECTOR },
		{ "(9, 'ma', 'id1', x'0000000000000002')",
		    COVERAGE_OTHER_VECTOR },
		{ "(9, 'ma', 'id1', x'8000000000000001')",
		    COVERAGE_OTHER_VECTOR },
		{ "(9, 'ma', 'id1', x'01')", COVERAGE_OTHER_VECTOR },
		{ "(9, 'ma', 'id1', '1')", COVERAGE_OTHER_VECTOR },
		{ "(9, 'ma', 'id1', NULL)", COVERAGE_OTHER_VECTOR },
		{ "(9, 'mb', 'id1', 1)", COVERAGE_OTHER_VECTOR },
		{ "(0, 'ma', 'id1', 1)", COVERAGE_OTHER_VECTOR },
	};
	char statement[160];
	size_t i;

	reset();
	for (i = 0; i < COUNT(cases); i++) {
		snprintf(statement, sizeof(statement), "INSERT INTO "
		    "embeddings (id, segment_id, embedding_id, seq_id) "
		    "VALUES %s", cases[i].other);
		others = statement;
		judge("id0", "U-! Ao! U-!", "3", "'2024-01-01 00:00:02'",
		    cases[i].want, cases[i].other);
	}
	others = "INSERT INTO embeddings (id, segment_id, embedding_id, "
	    "seq_id) VALUES (9, 'ma', 'id1', 1)";
	judge("id0", "U-! Ao!", "2", "NULL", COVERAGE_OTHER_VECTOR,
	    "the ADD is what touched it last: ");
	judge("id0", "D-! Ao! U-!", "3", "NULL", COVERAGE_OTHER_VECTOR,
	    "the log knows: ");
	others = "";
}

/* Rows above M: the metadata segment has not seen them. */
static void
test_metadata_mark(void)
{
	struct watermark *m = &collections[0].metadata;
	char name[32];
	int i;

	reset();
	for (i = 0; i < 3; i++) {
		m->seq_id = (uint64_t)i;
		snprintf(name, sizeof(name), "M %d: ", i);
		judge("id0", "Ah D-", i == 1 ? "1" : NO, "NULL", COVERAGE_NONE,
		    name);
		if (i == 2)
			judge("id0", "Ah D-", "1", "NULL",
			    COVERAGE_NOT_DELETED, name);
		if (i == 1)
			judge("id0", "Ah D-", NO, "NULL", COVERAGE_NO_RECORD,
			    name);
	}
	m->seq_id = 1;
	judge("else", "D-! Ah", NO, "NULL", COVERAGE_NONE,
	    "there again, M 1: ");
	judge("else", "D-! Ah!", NO, "NULL", COVERAGE_NO_VECTOR,
	    "there again, M 1: ");
	judge("id0", "U-! Ao", "1", "NULL", COVERAGE_NONE,
	    "an ADD of a live one, M 1: ");
	judge("else", "U-! Ao", "1", "NULL", COVERAGE_NO_VECTOR,
	    "an ADD of a live one, M 1: ");
	judge("id0", "D-! Uo!", NO, "NULL", COVERAGE_NONE,
	    "an UPDATE of a dead one, M 1: ");
	judge("id0", "U-! Uo!", "1", "NULL", COVERAGE_OTHER_VECTOR,
	    "an UPDATE, M 1: ");
	m->source = WATERMARK_NONE;
	m->seq_id = 100;
	judge("id0", "Ah", NO, "NULL", COVERAGE_NONE, "no M: ");
	judge("id0", "Ao!", "1", "NULL", COVERAGE_NONE, "no M: ");
}

/* ---- Python's pickle ---- */

/* As put_pickle(), in the form of Python's class; id0 got its vector from the
 * row of this number. */
static void
put_python(struct buf *b, int64_t numbered)
{
	buf_add(b, "\x80\3", 2);
	buf_adds(b, "cchromadb.segment.impl.vector.local_persistent_hnsw\n"
	    "PersistentData\n)");
	buf_add(b, "\x81", 1);
	buf_adds(b, "}(");
	add_string(b, "dimensionality");
	buf_adds(b, "J");
	add_u32(b, DIM);
	add_string(b, "total_elements_added");
	buf_adds(b, "J");
	add_u32(b, 1);
	add_string(b, "max_seq_id");
	buf_adds(b, "J");
	add_u32(b, 100);
	add_string(b, "id_to_label");
	buf_adds(b, "}(");
	add_string(b, "id0");
	buf_adds(b, "J");
	add_u32(b, 1);
	buf_adds(b, "u");
	add_string(b, "label_to_id");
	buf_adds(b, "}(J");
	add_u32(b, 1);
	add_string(b, "id0");
	buf_adds(b, "u");
	add_string(b, "id_to_seq_id");
	buf_adds(b, "}(");
	add_string(b, "id0");
	buf_adds(b, "J");
	add_u32(b, (uint32_t)numbered);
	buf_adds(b, "uub.");
}

/* The index has a vector of the id from a row before the ADD, and has passed
 * the ADD.  That is no proof that it had no effect: Chroma may have lost it
 * (a delete and an add in one batch), and the DELETE may be gone. */
static void
test_overtaken(void)
{
	struct maker m;
	char name[64];
	int numbered;

	for (numbered = 0; numbered < 4; numbered++) {
		make(&m, 1, 0);
		buf_release(&m.file[INDEX_PICKLE]);
		m.file[INDEX_PICKLE] = (struct buf){ 0 };
		put_python(&m.file[INDEX_PICKLE], numbered);
		write_out(&m);
		reset();
		snprintf(name, sizeof(name), "number %d: ", numbered);
		judge("id0", "U-! Ao!", "2", "NULL", COVERAGE_OTHER_VECTOR,
		    name);
		judge("id0", "U-! Ao! U-!", "3", "NULL",
		    COVERAGE_OTHER_VECTOR, name);
		judge("id0", "U-! Ao!", "1", "NULL", COVERAGE_NONE, name);
	}
	make(&m, 2, 0);
	write_out(&m);
}

/* ---- several ids and collections ---- */

/* The next failure is this one. */
static void
fails(struct coverage *cv, struct coverage_failure *f, int col,
    enum coverage_reason reason, const char *id)
{
	struct err e = { 0 };

	ok(coverage_failure_next(cv, f, &e) == 1 &&
	    f->col == &collections[col] && f->reason == reason &&
	    slice_is(buf_slice(&f->id), id), "%s of %s: %s", id,
	    collections[col].name, shown(buf_slice(&f->id)));
}

static void
test_several(void)
{
	struct coverage_failure f = { 0 };
	struct coverage cv;
	struct wal_row row;
	struct err e = { 0 };

	reset();
	/* by the order of rows, not of ids; those without a row first */
	put_record("mb", "alone", "1", "NULL");
	put_record("mb", "id0", "1", "NULL");
	put_record("ma", "id0", "9", "NULL");
	ok(coverage_start(&cv, &db, &catalog, NULL, &e) == 0 &&
	    coverage_use(&cv, &collections[0], dirfd_of, "index", &e) == 0 &&
	    coverage_use(&cv, &collections[1], dirfd_of, "index", &e) == 0 &&
	    put_rows(&cv, &collections[1], "zz", "Ah!", 1, &e) == 0 &&
	    put_rows(&cv, &collections[1], "yy", "Ah!", 2, &e) == 0 &&
	    put_rows(&cv, &collections[0], "xx", "Ah!", 3, &e) == 0 &&
	    put_rows(&cv, &collections[1], "id1", "Ah! D-!", 4, &e) == 0 &&
	    put_rows(&cv, &collections[0], "id0", "Ph! Po!", 8, &e) == 0,
	    "several ids");
	row = make_row("@h!", "ab", 20, &collections[0]);
	ok(coverage_row(&cv, &row, true, &e) == 0, "an id that is a BLOB");
	row = make_row("Ah!", "nobody's", 21, NULL);
	ok(coverage_row(&cv, &row, true, &e) == 0, "a row of no collection");
	ok(coverage_judge(&cv, &e) == 0, "judged");
	ok(!coverage_passed(&cv, &collections[0]) &&
	    !coverage_passed(&cv, &collections[1]), "both fail");
	ok(cv.of[1].failed[COVERAGE_NO_RECORD] == 2 &&
	    cv.of[1].failed[COVERAGE_NO_VECTOR] == 1 &&
	    cv.of[0].failed[COVERAGE_NO_RECORD] == 1 &&
	    cv.of[0].failed[COVERAGE_OTHER_VECTOR] == 1 &&
	    cv.of[0].failed[COVERAGE_ROW] == 1, "counted");
	fails(&cv, &f, 0, COVERAGE_NO_RECORD, "xx");
	fails(&cv, &f, 0, COVERAGE_OTHER_VECTOR, "id0");
	ok(coverage_failure_next(&cv, &f, &e) == 1 &&
	    f.reason == COVERAGE_ROW, "the row with the BLOB");
	fails(&cv, &f, 1, COVERAGE_NO_VECTOR, "alone");
	fails(&cv, &f, 1, COVERAGE_NO_RECORD, "zz");
	fails(&cv, &f, 1, COVERAGE_NO_RECORD, "yy");
	ok(coverage_failure_next(&cv, &f, &e) == 0, "and no more");
	buf_release(&f.id);
	coverage_end(&cv);
}

/* A collection that is not to be proven, and one whose index is damaged. */
static void
test_use(void)
{
	struct coverage cv;
	struct maker m;
	struct err e = { 0 };

	reset();
	put_record("mb", "alone", "1", "NULL");
	ok(coverage_start(&cv, &db, &catalog, NULL, &e) == 0 &&
	    coverage_use(&cv, &collections[0], dirfd_of, "index", &e) == 0 &&
	    put_rows(&cv, &collections[1], "zz", "Ah!", 1, &e) == 0 &&
	    coverage_judge(&cv, &e) == 0 &&
	    coverage_passed(&cv, &collections[0]) &&
	    coverage_passed(&cv, &collections[1]), "not in use, not proven");
	coverage_end(&cv);

	make(&m, 2, 0);
	m.file[INDEX_LEVEL0].p[0] = 99;
	write_out(&m);
	ok(coverage_start(&cv, &db, &catalog, NULL, &e) == 0 &&
	    coverage_use(&cv, &collections[0], dirfd_of, "index", &e) == 0 &&
	    coverage_judge(&cv, &e) == 0 && reason_of(&cv) == COVERAGE_NONE &&
	    cv.of[0].found.fault.status == STATUS_DATA &&
	    !coverage_passed(&cv, &collections[0]), "a damaged index: %s",
	    cv.of[0].found.fault.msg);
	coverage_end(&cv);
	ok(coverage_start(&cv, &db, &catalog, NULL, &e) == 0 &&
	    coverage_use(&cv, &collections[0], dirfd_of, "none", &e) == 0 &&
	    put_rows(&cv, &collections[0], "id0", "Ah!", 5, &e) == 0 &&
	    coverage_judge(&cv, &e) == 0 &&
	    cv.of[0].failed[COVERAGE_NO_RECORD] == 1, "no index");
	coverage_end(&cv);
	ok(coverage_start(&cv, &db, &catalog, "/no/where", &e) == 0,
	    "a directory that is none matters when it is needed");
	coverage_end(&cv);
}

/* ---- an index in the place of another ---- */

/* The directory name gets two ids; a letter each: h as in the others, o
 * another vector, - no such id (the last). */
static void
make_index(const char *name, const char *have)
{
	struct maker m;
	uint32_t n = have[1] == '-' ? have[0] == '-' ? 0 : 1 : 2, i;
	char to[256];

	make(&m, n, 0);
	for (i = 0; i < n; i++)
		if (have[i] == 'o')
			memcpy(m.file[INDEX_LEVEL0].p + i * ELEMENT + 20,
			    OTHER, 8);
	write_out(&m);
	if (strcmp(name, "index") == 0)
		return;
	for (i = 0; i < INDEX_FILES; i++) {
		snprintf(to, sizeof(to), "%.100s/%s", name,
		    index_file_name[i]);
		unlink(scratch_path(to));
	}
	rmdir(scratch_path(name));
	if (rename(scratch_path("index"), scratch_path(name)) < 0)
		scratch_die("rename");
}

static const struct {
	const char *present, *new;
	const char *rows, *record;	/* of id0 */
	enum coverage_reason want;
} replaced[] = {
	/* no row says anything: it is as before */
	{ "hh", "hh", "", "1", COVERAGE_NONE },
	{ "oh", "oh", "", "1", COVERAGE_NONE },
	{ "hh", "oh", "", "1", COVERAGE_CHANGED },
	{ "oh", "hh", "", "1", COVERAGE_CHANGED },
	{ "hh", "--", "", "1", COVERAGE_NO_VECTOR },
	{ "--", "hh", "", "1", COVERAGE_NONE },
	{ "--", "--", "", "1", COVERAGE_NO_VECTOR },
	/* those of no record do not matter */
	{ "hh", "oh", "", NO, COVERAGE_NONE },
	{ "hh", "--", "", NO, COVERAGE_NONE },
	/* a row says it */
	{ "hh", "oh", "Ao!", "1", COVERAGE_NONE },
	{ "oh", "hh", "Uh!", "1", COVERAGE_NONE },
	{ "oh", "oh", "Uh!", "1", COVERAGE_OTHER_VECTOR },
	{ "hh", "oh", "U-!", "1", COVERAGE_CHANGED },
	{ "hh", "oh", "Uh! D-! Ao!", "3", COVERAGE_NONE },
	{ "hh", "oh", "D-! A-!", "2", COVERAGE_CHANGED },
	{ "hh", "oh", "D-!", NO, COVERAGE_NONE },
	{ "hh", "oh", "Ao! D-!", NO, COVERAGE_NONE },
	/* an ADD without effect does not */
	{ "hh", "oh", "Ao!", "0", COVERAGE_CHANGED },
	{ "hh", "hh", "Ao!", "0", COVERAGE_NONE },
	/* a row that stays will say it again */
	{ "hh", "oh", "Ph", "1", COVERAGE_NONE },
	{ "hh", "--", "Ph", "1", COVERAGE_NONE },
	{ "hh", "oh", "U-", "1", COVERAGE_CHANGED },
};

static void
test_replaced(void)
{
	struct coverage cv;
	struct maker m;
	struct err e = { 0 };
	size_t i;
	int r;

	for (i = 0; i < COUNT(replaced); i++) {
		make_index("new", replaced[i].new);
		make_index("index", replaced[i].present);
		reset();
		sql("DELETE FROM embeddings; DELETE FROM embeddings_queue");
		if (replaced[i].record)
			put_record("ma", "id0", replaced[i].record, "NULL");
		r = coverage_start(&cv, &db, &catalog, NULL, &e) < 0 ||
		    coverage_use_new(&cv, &collections[0], dirfd_of, "new",
		    SPACE_L2, &e) < 0 || put_rows(&cv, &collections[0], "id0",
		    replaced[i].rows, 1, &e) < 0 ||
		    coverage_judge(&cv, &e) < 0 ? -1 : reason_of(&cv);
		ok(r == (int)replaced[i].want && coverage_passed(&cv,
		    &collections[0]) == (r == COVERAGE_NONE),
		    "%s for %s, %s, record %s: %s", replaced[i].new,
		    replaced[i].present, replaced[i].rows, replaced[i].record ?
		    replaced[i].record : "none", r < 0 ? e.msg :
		    coverage_reason_text((enum coverage_reason)r));
		coverage_end(&cv);
	}
	/* the new one must be sound; the present one need not, nor be there */
	for (i = 0; i < 3; i++) {
		make_index("new", "hh");
		make(&m, 2, 0);
		m.file[INDEX_LEVEL0].p[0] = 99;
		write_out(&m);
		if (i == 0 && rename(scratch_path("index"),
		    scratch_path("swap")) == 0 &&
		    rename(scratch_path("new"), scratch_path("index")) == 0)
			rename(scratch_path("swap"), scratch_path("new"));
		reset();
		put_record("ma", "id0", "1", "NULL");
		if (i == 2)
			collections[0].vector_segment = "none";
		ok(coverage_start(&cv, &db, &catalog, NULL, &e) == 0 &&
		    coverage_use_new(&cv, &collections[0], dirfd_of, "new",
		    SPACE_L2, &e) == 0 && coverage_judge(&cv, &e) == 0 &&
		    reason_of(&cv) == COVERAGE_NONE &&
		    coverage_passed(&cv, &collections[0]) == (i > 0), "%s",
		    i == 0 ? "the new one is damaged" : i == 1 ?
		    "the present one is damaged" : "the present one is gone");
		coverage_end(&cv);
	}
}

int
main(void)
{
	struct maker m;

	start();
	make(&m, 2, 0);
	write_out(&m);
	test_lives();
	test_birth();
	test_born_before();
	test_metadata_mark();
	test_overtaken();
	test_several();
	test_use();
	test_replaced();
	db_close(&db);
	sqlite3_close(writer);
	return tap_done();
}
