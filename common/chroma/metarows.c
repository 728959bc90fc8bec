/* SPDX-License-Identifier: Apache-2.0 */
/* metarows.c - what belongs to one record of the metadata segment. */
#include "chroma/metarows.h"

#define VALUES "string_value, int_value, float_value"

/* 0.4.0 to 0.4.5 had a table of other columns. */
static int
prepare_text(struct metarows *m, const struct era *era, struct err *e)
{
	bool old = era->metadb < 3;

	return db_prepare(m->db, &m->text_put, old ?
	    "INSERT INTO embedding_fulltext (id, string_value) VALUES (?1, ?2)"
	    : "INSERT INTO embedding_fulltext_search (rowid, string_value) "
	    "VALUES (?1, ?2)", e) < 0 ||
	    db_prepare(m->db, &m->text_drop, old ?
	    "DELETE FROM embedding_fulltext WHERE id = ?1" :
	    "DELETE FROM embedding_fulltext_search WHERE rowid = ?1", e) < 0 ?
	    -1 : 0;
}

/* Python replaces a row, which gives it another rowid; Rust does not. */
static int
prepare_scalars(struct metarows *m, struct err *e)
{
	const char *put = m->dialect.rust ?
	    "INSERT INTO embedding_metadata (id, key, " VALUES ", bool_value) "
	    "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id, key) DO UPDATE "
	    "SET string_value = excluded.string_value, "
	    "int_value = excluded.int_value, "
	    "float_value = excluded.float_value, "
	    "bool_value = excluded.bool_value" : m->bools ?
	    "INSERT OR REPLACE INTO embedding_metadata (id, key, " VALUES
	    ", bool_value) VALUES (?1, ?2, ?3, ?4, ?5, ?6)" :
	    "INSERT OR REPLACE INTO embedding_metadata (id, key, " VALUES
	    ") VALUES (?1, ?2, ?3, ?4, ?5)";

	return db_prepare(m->db, &m->put, put, e) < 0 ||
	    db_prepare(m->db, &m->drop_key, "DELETE FROM embedding_metadata "
	    "WHERE id = ?1 AND key = ?2", e) < 0 ||
	    db_prepare(m->db, &m->drop, "DELETE FROM embedding_metadata "
	    "WHERE id = ?1", e) < 0 ? -1 : 0;
}

static int
prepare_lists(struct metarows *m, struct err *e)
{
	if (!m->dialect.lists)
		return 0;
	return db_prepare(m->db, &m->list_put, "INSERT INTO "
	    "embedding_metadata_array (id, key, " VALUES ", bool_value) "
	    "VALUES (?1, ?2, ?3, ?4, ?5, ?6)", e) < 0 ||
	    db_prepare(m->db, &m->list_drop_key, "DELETE FROM "
	    "embedding_metadata_array WHERE id = ?1 AND key = ?2", e) < 0 ||
	    db_prepare(m->db, &m->list_drop, "DELETE FROM "
	    "embedding_metadata_array WHERE id = ?1", e) < 0 ? -1 : 0;
}

static int
find_highest(struct metarows *m, const struct era *era, struct err *e)
{
	const char *sql[] = {
		"SELECT max(id) FROM embedding_metadata",
		era->metadb < 3 ? "SELECT max(id) FROM embedding_fulltext" :
		    "SELECT rowid FROM embedding_fulltext_search "
		    "ORDER BY rowid DESC LIMIT 1",
		"SELECT max(id) FROM embedding_metadata_array",
	};
	int i;

	for (i = 0; i < 2 + m->dialect.lists; i++) {
		int64_t highest = INT64_MIN;

		if (db_int(m->db, sql[i], &highest, e) < 0)
			return -1;
		if (highest > m->highest)
			m->highest = highest;
	}
	return 0;
}

int
metarows_open(struct metarows *m, struct db *db, const struct era *era,
    struct err *e)
{
	*m = (struct metarows){ .db = db, .highest = INT64_MIN,
	    .dialect = { .rust = era_integer_watermark(era),
	    .lists = era->has_array }, .bools = era->metadb >= 2 };
	return prepare_scalars(m, e) < 0 || prepare_lists(m, e) < 0 ||
	    prepare_text(m, era, e) < 0 || find_highest(m, era, e) < 0 ?
	    -1 : 0;
}

/* Run a statement of which only ?1, and perhaps ?2, differ.  The number of rows
 * that it changed is db_changes(). */
static int
run(struct db_stmt *st, int64_t number, struct slice key, struct err *e)
{
	int got;

	db_bind_i64(st, 1, number);
	if (key.p)
		db_bind_text(st, 2, key);
	got = db_step(st, e);
	db_reset(st);
	return got < 0 ? -1 : 0;
}

int
metarows_clear(struct metarows *m, int64_t number, struct err *e)
{
	struct db_stmt *const of[] = { &m->text_drop, &m->drop, &m->list_drop };
	const struct slice none = { NULL, 0 };
	int i, found = 0;

	for (i = 0; i < 2 + m->dialect.lists; i++) {
		if (run(of[i], number, none, e) < 0)
			return -1;
		found |= db_changes(m->db) > 0;
	}
	return found;
}

int
metarows_start(struct metarows *m, int64_t number, struct err *e)
{
	return number > m->highest ? 0 : metarows_clear(m, number, e);
}

/* One row of embedding_metadata or of the table of lists. */
static int
put_scalar(struct metarows *m, struct db_stmt *st, int64_t number,
    struct slice key, const struct meta_scalar *v, struct err *e)
{
	int i;

	for (i = 3; i <= 5 + m->bools; i++)
		db_bind_null(st, i);
	switch (v->type) {
	case META_STRING:
		db_bind_text(st, 3, v->text);
		break;
	case META_FLOAT:
		db_bind_real(st, 5, v->real);
		break;
	case META_INT:
	case META_BOOL:		/* which was an int before 0.4.4 */
		db_bind_i64(st, v->type == META_BOOL && m->bools ? 6 : 4,
		    v->i);
		break;
	case META_NULL:
		break;
	}
	return run(st, number, key, e);
}

static int
put_list(struct metarows *m, int64_t number, const struct metavalues *values,
    const struct meta_value *v, struct err *e)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		if (put_scalar(m, &m->list_put, number, v->key,
		    metavalues_element(values, v->first + i), e) < 0)
			return -1;
	return 0;
}

/* A key is a scalar, a list or neither, never both. */
static int
make_room(struct metarows *m, int64_t number, const struct metavalues *values,
    struct err *e)
{
	size_t i;

	for (i = 0; i < values->n; i++) {
		const struct meta_value *v = &values->value[i];

		if ((v->list || v->v.type == META_NULL) &&
		    run(&m->drop_key, number, v->key, e) < 0)
			return -1;
		if (m->dialect.lists &&
		    run(&m->list_drop_key, number, v->key, e) < 0)
			return -1;
	}
	return values->document.p || values->no_document ?
	    run(&m->text_drop, number, (struct slice){ NULL, 0 }, e) : 0;
}

int
metarows_put(struct metarows *m, int64_t number,
    const struct metavalues *values, bool fresh, struct err *e)
{
	size_t i;

	if (!fresh && make_room(m, number, values, e) < 0)
		return -1;
	for (i = 0; i < values->n; i++) {
		const struct meta_value *v = &values->value[i];
		int r = v->list ? put_list(m, number, values, v, e) :
		    v->v.type == META_NULL ? 0 :
		    put_scalar(m, &m->put, number, v->key, &v->v, e);

		if (r < 0)
			return -1;
	}
	if (values->no_document)	/* Python keeps a row of no text */
		db_bind_null(&m->text_put, 2);
	return values->document.p || values->no_document ?
	    run(&m->text_put, number, values->document, e) : 0;
}

void
metarows_close(struct metarows *m)
{
	struct db_stmt *const all[] = { &m->put, &m->drop_key, &m->drop,
	    &m->list_put, &m->list_drop_key, &m->list_drop, &m->text_put,
	    &m->text_drop };
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		db_finish(all[i]);
}
