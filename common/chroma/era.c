/* SPDX-License-Identifier: Apache-2.0 */
/* era.c - which Chroma a database file belongs to. */
#include "chroma/era.h"

#include <stdio.h>
#include <string.h>

/* hash of metadb/00001 as 0.4.0 shipped it; 0.4.1 changed the file */
#define HASH_040 "70f0dbf83da2f428f30d78b7d994cbbb"

static const struct {
	int sysdb, metadb, queue;
	const char *releases;
} known[] = {		/* the oldest first */
	{ 3, 1, 1, "0.4.0-0.4.3" },
	{ 3, 2, 1, "0.4.4-0.4.5" },
	{ 3, 3, 1, "0.4.6-0.4.14" },
	{ 4, 3, 1, "0.4.15-0.4.24" },
	{ 5, 3, 1, "0.5.0" },
	{ 6, 3, 1, "0.5.1-0.5.3" },
	{ 7, 3, 1, "0.5.4-0.5.5" },
	{ 9, 4, 2, "0.5.6-0.6.3" },
	{ 9, 5, 2, "1.0.0-1.2.2" },
	{ 10, 5, 2, "1.3.0-1.4.1" },
	{ 10, 6, 2, "1.5.0 and later" },
};

static void
note_unknown(struct era *era, const char *dir, int version, int max)
{
	size_t n = strlen(era->unknown);

	if (version > max)
		snprintf(era->unknown + n, sizeof(era->unknown) - n,
		    "%s%.40s %d", n ? ", " : "", dir, version);
}

static int
read_migrations(struct era *era, struct db *db, struct err *e)
{
	struct db_stmt st;
	int got;

	if (db_prepare(db, &st, "SELECT dir, max(version), "
	    "max(version = 1 AND hash = '" HASH_040 "') FROM migrations "
	    "GROUP BY dir ORDER BY dir", e) < 0)
		return -1;
	while ((got = db_step(&st, e)) > 0) {
		struct slice dir = db_col_text(&st, 0);
		int64_t v = db_col_i64(&st, 1);
		int version = v < 0 || v > 9999 ? 9999 : (int)v;

		if (slice_is(dir, "sysdb")) {
			era->sysdb = version;
			note_unknown(era, "sysdb", version, ERA_SYSDB_MAX);
		} else if (slice_is(dir, "metadb")) {
			era->metadb = version;
			era->born_040 = db_col_i64(&st, 2) != 0;
			note_unknown(era, "metadb", version, ERA_METADB_MAX);
		} else if (slice_is(dir, "embeddings_queue")) {
			era->queue = version;
			note_unknown(era, "embeddings_queue", version,
			    ERA_QUEUE_MAX);
		} else {
			char name[41];

			snprintf(name, sizeof(name), "%.*s",
			    (int)(dir.len < 40 ? dir.len : 40),
			    dir.p ? dir.p : "");
			note_unknown(era, name, version, 0);
		}
	}
	db_finish(&st);
	return got;
}

static const char *
releases(const struct era *era)
{
	const char *name = "before any release";
	size_t i;

	if (era->unknown[0])
		return "newer than this program knows";
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (era->sysdb >= known[i].sysdb &&
		    era->metadb >= known[i].metadb &&
		    era->queue >= known[i].queue)
			name = known[i].releases;
	return era->born_040 && era->metadb == 1 ? "0.4.0" : name;
}

static int
read_columns(struct era *era, struct db *db, struct err *e)
{
	static const char *const core[] = { "collections", "segments",
	    "collection_metadata", "segment_metadata", "max_seq_id",
	    "embeddings", "embeddings_queue" };
	const struct {
		const char *table, *column;
		bool *has;
	} extra[] = {
		{ "collections", "topic", &era->has_topic },
		{ "collections", "database_id", &era->has_databases },
		{ "collections", "config_json_str", &era->has_config },
		{ "collections", "schema_str", &era->has_schema },
		{ "collection_metadata", "bool_value", &era->has_bool },
		{ "embeddings_queue_config", "config_json_str",
		    &era->has_queue_config },
		{ "maintenance_log", "operation", &era->has_maintenance },
		{ "embedding_metadata_array", "key", &era->has_array },
	};
	size_t i;
	int r;

	for (i = 0; i < sizeof(core) / sizeof(core[0]); i++) {
		r = db_has_table(db, core[i], e);
		if (r <= 0)
			return r < 0 ? -1 : err_data(e, "%s: no table %s: "
			    "Chroma did not finish making this database",
			    err_tail(db->name), core[i]);
	}
	for (i = 0; i < sizeof(extra) / sizeof(extra[0]); i++) {
		r = db_has_column(db, extra[i].table, extra[i].column, e);
		if (r < 0)
			return -1;
		*extra[i].has = r > 0;
	}
	return 0;
}

int
era_read(struct era *era, struct db *db, struct err *e)
{
	int r = db_has_table(db, "migrations", e);
	int64_t first = 0;

	*era = (struct era){ 0 };
	if (r <= 0)
		return r < 0 ? -1 : err_data(e, "%s: a SQLite database, but "
		    "not Chroma's: it has no table migrations",
		    err_tail(db->name));
	if (read_migrations(era, db, e) < 0 || read_columns(era, db, e) < 0)
		return -1;
	era->releases = releases(era);
	/* Python applies embeddings_queue first, Rust sysdb */
	if (db_int(db, "SELECT dir = 'sysdb' FROM migrations "
	    "ORDER BY rowid LIMIT 1", &first, e) < 0)
		return -1;
	era->rust_born = first != 0;
	r = db_has_table(db, "acquire_write", e);
	if (r < 0 || (r > 0 && db_int(db, "SELECT count(*) FROM acquire_write",
	    &era->rust_starts, e) < 0))
		return -1;
	return 0;
}

int64_t
era_seq_id(const struct db_value *v)
{
	uint64_t n = 0;
	size_t i;

	if (v->type == DB_INTEGER)
		return v->i;
	if (v->type != DB_BLOB || v->bytes.len < 8)
		return -1;
	for (i = v->bytes.len - 8; i < v->bytes.len; i++)
		n = n << 8 | (unsigned char)v->bytes.p[i];
	return n > INT64_MAX ? -1 : (int64_t)n;
}

int
era_known(const struct era *era, const char *file, struct err *e)
{
	return !era->unknown[0] ? 0 : err_data(e, "%s: migrations newer "
	    "than this program knows (%s): nothing was changed; a newer "
	    "chromautils may know them", err_tail(file), era->unknown);
}
