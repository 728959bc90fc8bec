/* SPDX-License-Identifier: Apache-2.0 */
/* textindex.c - the full-text index of a database made out of another one. */
#include "chroma/textindex.h"

#include <string.h>

#include "base/buf.h"
#include "chroma/tablecopy.h"

#define OLD_FORM "embedding_fulltext"	/* 0.4.0 to 0.4.5 */
#define NEW_FORM "embedding_fulltext_search"

/* Documents of what is in main. */
#define DOCUMENTS "main.embedding_metadata WHERE key = 'chroma:document' " \
	"AND string_value IS NOT NULL"

/* Rows of the new form that are of no document, or of another text. */
#define WRONG(schema) "FROM " schema "." NEW_FORM "_content c LEFT JOIN " \
	"main.embedding_metadata m ON m.id = c.id AND " \
	"m.key = 'chroma:document' WHERE m.string_value IS NOT c.c0"

/* Documents that have no row. */
#define MISSING(schema) "FROM main.embedding_metadata m WHERE " \
	"m.key = 'chroma:document' AND m.string_value IS NOT NULL AND NOT " \
	"EXISTS (SELECT 1 FROM " schema "." NEW_FORM "_content c WHERE " \
	"c.id = m.id)"

static const char *
form(const struct era *era)
{
	return era->metadb < 3 ? OLD_FORM : NEW_FORM;
}

/* What is done to the old index. */
enum plan { NOTHING, COPY, CORRECT, ANEW };

/* Whether the old form has other rows than there are documents. */
#define OLD_WRONG(schema) "SELECT (SELECT count(*) FROM " DOCUMENTS ") <> " \
	"(SELECT count(*) FROM " schema "." OLD_FORM "_content) OR EXISTS " \
	"(SELECT id, string_value FROM " DOCUMENTS " EXCEPT " \
	"SELECT c0, c1 FROM " schema "." OLD_FORM "_content)"

static int
judge_old_form(struct db *db, enum plan *plan, struct err *e)
{
	int64_t wrong = 0;

	if (db_int(db, OLD_WRONG("old"), &wrong, e) < 0)
		return -1;
	*plan = wrong ? ANEW : COPY;
	return 0;
}

/* By the bytes of text that one way and the other has to go through; deleting
 * costs about half of what adding does. */
static int
judge_new_form(struct db *db, enum plan *plan, struct err *e)
{
	int64_t all = 0, wrong = 0, missing = 0;

	if (db_int(db, "SELECT sum(length(string_value) + 1) FROM " DOCUMENTS,
	    &all, e) < 0 ||
	    db_int(db, "SELECT sum(length(c.c0) / 2 + 1 + "
	    "ifnull(length(m.string_value), 0)) " WRONG("old"), &wrong, e) < 0 ||
	    db_int(db, "SELECT sum(length(m.string_value) + 1) "
	    MISSING("old"), &missing, e) < 0)
		return -1;
	*plan = wrong + missing == 0 ? COPY : wrong + missing < all ?
	    CORRECT : ANEW;
	return 0;
}

static int
judge(struct db *db, const struct era *era, enum plan *plan, struct err *e)
{
	int got = db_gives(db, "SELECT 1 FROM old.sqlite_master WHERE type = "
	    "'table' AND name = ?1 AND rootpage = 0 AND "
	    "sql LIKE 'CREATE VIRTUAL TABLE %'", slice_str(form(era)),
	    (struct slice){ NULL, 0 }, e);

	*plan = NOTHING;
	if (got <= 0)
		return got;
	return era->metadb < 3 ? judge_old_form(db, plan, e) :
	    judge_new_form(db, plan, e);
}

static int
copy_shadow(struct db *db, struct slice name, struct slice sql, void *arg,
    struct err *e)
{
	(void)arg;
	return tablecopy_create(db, name, sql, e) < 0 ? -1 :
	    tablecopy_rows(db, name, "", e);
}

/* A statement with the name of the table in place of each "%". */
static int
exec_for(struct db *db, const char *text, const struct era *era,
    struct err *e)
{
	struct buf sql = { 0 };

	for (; *text; text++)
		if (*text == '%')
			buf_adds(&sql, form(era));
		else
			buf_addc(&sql, *text);
	return db_exec_buf(db, &sql, e);
}

/* As plain tables, and the virtual one as what sqlite_master says of it. */
static int
copy(struct db *db, const struct era *era, struct err *e)
{
	const char *shadows = era->metadb < 3 ?
	    "SELECT name, sql FROM old.sqlite_master WHERE " TABLECOPY_TABLES
	    " AND name IN ('" OLD_FORM "_data', '" OLD_FORM "_idx', '" OLD_FORM
	    "_content', '" OLD_FORM "_docsize', '" OLD_FORM "_config') "
	    "ORDER BY rowid" :
	    "SELECT name, sql FROM old.sqlite_master WHERE " TABLECOPY_TABLES
	    " AND name IN ('" NEW_FORM "_data', '" NEW_FORM "_idx', '" NEW_FORM
	    "_content', '" NEW_FORM "_docsize', '" NEW_FORM "_config') "
	    "ORDER BY rowid";

	return tablecopy_each(db, shadows, copy_shadow, NULL, e) < 0 ? -1 :
	    exec_for(db, "INSERT INTO main.sqlite_master SELECT * FROM "
	    "old.sqlite_master WHERE type = 'table' AND name = '%' AND "
	    "rootpage = 0", era, e);
}

static int
make_table(struct db *db, struct slice name, struct slice sql, void *arg,
    struct err *e)
{
	struct buf text = { 0 };

	(void)name;
	(void)arg;
	buf_add(&text, sql.p, sql.len);
	return db_exec_buf(db, &text, e);
}

/* All documents again. */
static int
fill(struct db *db, const struct era *era, struct err *e)
{
	return exec_for(db, era->metadb < 3 ? "INSERT INTO main.% (id, "
	    "string_value) SELECT id, string_value FROM " DOCUMENTS
	    " ORDER BY id" : "INSERT INTO main.% (rowid, string_value) SELECT "
	    "id, string_value FROM " DOCUMENTS " ORDER BY id", era, e);
}

static int
make(struct db *db, const char *schema, const struct era *era, struct err *e)
{
	struct buf sql = { 0 };
	int r;

	buf_addf(&sql, "SELECT name, sql FROM %s.sqlite_master WHERE type = "
	    "'table' AND name = '%s' AND rootpage = 0", schema, form(era));
	r = buf_ok(&sql) ? tablecopy_each(db, buf_str(&sql), make_table, NULL,
	    e) : err_nomem(e);
	buf_release(&sql);
	return r;
}

int
textindex_copy(struct textindex *t, struct db *db, const struct era *era,
    struct err *e)
{
	enum plan plan;

	*t = (struct textindex){ .correct = false };
	if (judge(db, era, &plan, e) < 0)
		return -1;
	t->correct = plan == CORRECT;
	if (plan == NOTHING)
		return 0;
	if (plan != ANEW)
		return copy(db, era, e);
	return make(db, "old", era, e) < 0 ? -1 : fill(db, era, e);
}

/* Row by row; "optimize" leaves no terms of what is gone. */
static int
correct(struct db *db, struct err *e)
{
	return db_exec(db, "CREATE TEMP TABLE wrong AS SELECT c.id AS id "
	    WRONG("main"), e) < 0 ||
	    db_exec(db, "DELETE FROM main." NEW_FORM " WHERE rowid IN "
	    "(SELECT id FROM wrong)", e) < 0 ||
	    db_exec(db, "INSERT INTO main." NEW_FORM " (rowid, string_value) "
	    "SELECT m.id, m.string_value " MISSING("main") " ORDER BY m.id",
	    e) < 0 ||
	    db_exec(db, "INSERT INTO main." NEW_FORM " (" NEW_FORM ") VALUES "
	    "('optimize')", e) < 0 ? -1 : 0;
}

/* The old one is not only wrong but damaged. */
static int
replace(struct db *db, const struct era *era, struct err *e)
{
	struct buf sql = { 0 };
	struct db_stmt st;
	int got = -1;

	if (db_prepare(db, &st, "SELECT sql FROM main.sqlite_master WHERE "
	    "name = '" NEW_FORM "'", e) < 0)
		return -1;
	if (db_step(&st, e) > 0) {
		struct slice s = db_col_text(&st, 0);

		buf_add(&sql, s.p, s.len);
		got = buf_ok(&sql) ? 0 : err_nomem(e);
	}
	db_finish(&st);
	if (got == 0)
		got = exec_for(db, "DROP TABLE main.%", era, e);
	if (got == 0)
		got = db_exec(db, buf_str(&sql), e);
	buf_release(&sql);
	return got < 0 ? -1 : fill(db, era, e);
}

int
textindex_finish(const struct textindex *t, const char *path,
    const struct era *era, struct err *e)
{
	struct err ignored;
	struct db db;
	int r;

	if (!t->correct)
		return 0;
	r = db_open(&db, path, path, DB_WRITE, 0, e);
	if (r == 0)
		r = db_exec(&db, "PRAGMA journal_mode=MEMORY; "
		    "PRAGMA synchronous=OFF; PRAGMA foreign_keys=OFF; "
		    "PRAGMA secure_delete=ON; PRAGMA temp_store=MEMORY; "
		    "BEGIN", e);
	if (r == 0 && correct(&db, e) < 0) {
		(void)!db_exec(&db, "ROLLBACK", &ignored);
		r = e->status != STATUS_DATA ? -1 : db_exec(&db, "BEGIN", e);
		if (r == 0)
			r = replace(&db, era, e);
	}
	if (r == 0)
		r = db_exec(&db, "COMMIT", e);
	/* pages have been emptied, and some still hold a bit of what was moved
	 * away when they were */
	if (r == 0)
		r = db_exec(&db, "VACUUM", e);
	db_close(&db);
	return r;
}

/* Rows that it should not have, or lacks. */
static int
count_wrong(struct db *db, const struct era *era, int64_t *n, struct err *e)
{
	int64_t missing = 0;

	*n = 0;
	if (era->metadb < 3)
		return db_int(db, OLD_WRONG("main"), n, e);
	if (db_int(db, "SELECT count(*) " WRONG("main"), n, e) < 0 ||
	    db_int(db, "SELECT count(*) " MISSING("main"), &missing, e) < 0)
		return -1;
	*n += missing;
	return 0;
}

int
textindex_check(const char *path, const struct era *era, struct err *e)
{
	int64_t wrong = 0;
	struct db db;
	int r;

	r = db_open(&db, path, path, DB_WRITE, 0, e);
	if (r == 0)
		r = db_exec(&db, "PRAGMA journal_mode=MEMORY; "
		    "PRAGMA foreign_keys=OFF; PRAGMA cell_size_check=ON; "
		    "PRAGMA trusted_schema=OFF; BEGIN", e);
	if (r == 0)
		r = count_wrong(&db, era, &wrong, e);
	if (r == 0 && wrong)
		r = err_data(e, "%s has other rows than there are documents",
		    form(era));
	if (r == 0)
		r = exec_for(&db, "INSERT INTO main.% (%) VALUES "
		    "('integrity-check')", era, e);
	db_close(&db);
	return r;
}
