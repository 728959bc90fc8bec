/* SPDX-License-Identifier: Apache-2.0 */
/* t_wal - rows of embeddings_queue, good and poisoned, as records and as
 * columns; and what happens when the log changes while it is read. */
#include "chroma/wal.h"

#include <sqlite3.h>

#include "chroma/select.h"
#include "stream/json.h"

#include "../scratch.h"
#include "../tap.h"

#define ID_A "aaaaaaaa-0000-4000-8000-000000000001"
#define ID_B "bbbbbbbb-0000-4000-8000-000000000002"
#define ID_GONE "cccccccc-0000-4000-8000-000000000003"
#define TOPIC(id) "persistent://default/default/" id
#define TIME "2024-01-02 03:04:05"

/* As 1.5 has them, less the constraints that keep poison out. */
static const char tables[] =
	"CREATE TABLE migrations (dir, version INTEGER, filename, sql, hash);"
	"INSERT INTO migrations VALUES ('sysdb', 10, '', '', ''),"
	"  ('metadb', 6, '', '', ''), ('embeddings_queue', 2, '', '', '');"
	"CREATE TABLE databases (id TEXT, name TEXT, tenant_id TEXT);"
	"INSERT INTO databases VALUES ('1', 'd', 't');"
	"CREATE TABLE collections (id TEXT, name TEXT, dimension INTEGER,"
	"  database_id TEXT, config_json_str TEXT, schema_str TEXT);"
	"INSERT INTO collections VALUES ('" ID_A "', 'a', 2, '1', '{}', NULL),"
	"  ('" ID_B "', 'b', NULL, 'no such', '{}', NULL);"
	"CREATE TABLE segments (id TEXT, type TEXT, scope TEXT,"
	"  collection TEXT);"
	"INSERT INTO segments VALUES ('va', '', 'VECTOR', '" ID_A "'),"
	"  ('ma', '', 'METADATA', '" ID_A "');"
	"CREATE TABLE segment_metadata (segment_id TEXT, key TEXT,"
	"  str_value TEXT, int_value INTEGER, float_value REAL);"
	"CREATE TABLE collection_metadata (collection_id TEXT, key TEXT,"
	"  str_value TEXT, int_value INTEGER, float_value REAL,"
	"  bool_value INTEGER);"
	"CREATE TABLE max_seq_id (segment_id TEXT, seq_id INTEGER);"
	"CREATE TABLE embeddings (id INTEGER);"
	"CREATE TABLE embeddings_queue_config (id INTEGER,"
	"  config_json_str TEXT);"
	"CREATE TABLE embeddings_queue (seq_id INTEGER PRIMARY KEY,"
	"  created_at TIMESTAMP, operation INTEGER, topic TEXT, id TEXT,"
	"  vector BLOB, encoding TEXT, metadata TEXT);";

static sqlite3 *writer;

static void
sql(const char *text)
{
	char *why = NULL;

	if (sqlite3_exec(writer, text, NULL, NULL, &why) != SQLITE_OK)
		scratch_die(why);
}

static const char *
fresh(void)
{
	static int n;
	char name[32];
	const char *path;

	snprintf(name, sizeof(name), "%d.sqlite3", n++);
	path = scratch_path(name);
	sqlite3_close(writer);
	if (sqlite3_open(path, &writer) != SQLITE_OK)
		scratch_die("sqlite3_open");
	sql("PRAGMA synchronous=OFF");
	sql(tables);
	return path;
}

/* ---- one row each ---- */

#define VECTOR "x'0000803f00000040', 'FLOAT32'"	/* [1, 2] */
#define IN_A "'" TOPIC(ID_A) "'"
#define HEAD_A "{\"type\":\"wal\",\"tenant\":\"t\",\"database\":\"d\"," \
	"\"collection\":\"a\",\"collection_id\":\"" ID_A "\",\"seq_id\":1"
#define AT ",\"created_at\":\"" TIME "\""
#define E12 ",\"embedding\":[1,2]"

static const struct {
	const char *values;	/* created_at, operation, topic, id, vector,
				 * encoding, metadata */
	enum wal_poison poison;
	const char *record;	/* what the record is but for raw */
	const char *raw;	/* a part of raw; NULL: there is none */
} rows[] = {
	{ "'" TIME "', 0, " IN_A ", 'x', " VECTOR ", '{}'", POISON_NONE,
	    HEAD_A AT ",\"operation\":\"ADD\",\"id\":\"x\"" E12
	    ",\"metadata\":{}", NULL },
	{ "'" TIME "', 1, " IN_A ", 'x', NULL, NULL, NULL", POISON_NONE,
	    HEAD_A AT ",\"operation\":\"UPDATE\",\"id\":\"x\"", NULL },
	{ "'" TIME "', 2, " IN_A ", 'x', x'0000c07f00000040', 'FLOAT32', "
	    "'{ \"k\" : [1, 2.50, \"\\u00e9\"] , \"chroma:document\": "
	    "\"d\\n\\ud800\", \"chroma:uri\":\"u\", \"n\":null}'", POISON_NONE,
	    HEAD_A AT ",\"operation\":\"UPSERT\",\"id\":\"x\","
	    "\"embedding\":\"AADAfwAAAEA=\",\"document\":\"d\\n\\ud800\","
	    "\"uri\":\"u\",\"metadata\":{\"k\":[1,2.50,\"\xc3\xa9\"],"
	    "\"n\":null}", NULL },
	{ "'" TIME "', 3, " IN_A ", '', NULL, NULL, '{}'", POISON_NONE,
	    HEAD_A AT ",\"operation\":\"DELETE\",\"id\":\"\",\"metadata\":{}",
	    NULL },
	{ "'2024-01-02T03:04:05.678Z', 3, " IN_A ", 'x', NULL, NULL, "
	    "'{\"\\u0063hroma:document\":\"d\"}'", POISON_NONE, HEAD_A
	    ",\"created_at\":\"2024-01-02T03:04:05.678Z\",\"operation\":"
	    "\"DELETE\",\"id\":\"x\",\"document\":\"d\",\"metadata\":{}",
	    NULL },
	{ "'" TIME "', 0, " IN_A ", 'x', " VECTOR ", '{\"s\":{\"indices\":"
	    "[1],\"values\":[0.5]},\"t\":{\"values\":[],\"indices\":[],"
	    "\"tokens\":null}}'", POISON_NONE, HEAD_A AT ",\"operation\":"
	    "\"ADD\",\"id\":\"x\"" E12 ",\"metadata\":{\"s\":{\"indices\":[1],"
	    "\"values\":[0.5]},\"t\":{\"values\":[],\"indices\":[],"
	    "\"tokens\":null}}", NULL },
	/* brackets in a string are no nesting */
	{ "'" TIME "', 3, " IN_A ", 'x', NULL, NULL, '{\"k\":[\"[{\"]}'",
	    POISON_NONE, HEAD_A AT ",\"operation\":\"DELETE\",\"id\":\"x\","
	    "\"metadata\":{\"k\":[\"[{\"]}", NULL },
	/* a database row that is gone, a dimension that is not known */
	{ "'" TIME "', 0, '" TOPIC(ID_B) "', 'x', x'0000803f', 'FLOAT32', "
	    "NULL", POISON_NONE, "{\"type\":\"wal\",\"collection\":\"b\","
	    "\"collection_id\":\"" ID_B "\",\"seq_id\":1" AT
	    ",\"operation\":\"ADD\",\"id\":\"x\",\"embedding\":[1]", NULL },
	{ "'" TIME "', 0, '" TOPIC(ID_B) "', 'x', x'', 'FLOAT32', NULL",
	    POISON_NONE, "{\"type\":\"wal\",\"collection\":\"b\","
	    "\"collection_id\":\"" ID_B "\",\"seq_id\":1" AT
	    ",\"operation\":\"ADD\",\"id\":\"x\",\"embedding\":[]", NULL },

	{ "'" TIME "', 4, " IN_A ", 'x', NULL, NULL, '{}'", POISON_MARKER,
	    HEAD_A AT ",\"id\":\"x\",\"metadata\":{}",
	    "{\"seq_id\":1,\"created_at\":\"" TIME "\",\"operation\":4,"
	    "\"topic\":\"" TOPIC(ID_A) "\",\"id\":\"x\",\"vector\":null,"
	    "\"encoding\":null,\"metadata\":\"{}\"}" },
	{ "'" TIME "', 5, " IN_A ", 'x', NULL, NULL, '{}'", POISON_OPERATION,
	    HEAD_A AT ",\"id\":\"x\",\"metadata\":{}", "\"operation\":5," },
	{ "'" TIME "', -1, " IN_A ", 'x', NULL, NULL, '{}'", POISON_OPERATION,
	    HEAD_A AT ",\"id\":\"x\",\"metadata\":{}", "\"operation\":-1," },
	{ "'" TIME "', 'add', " IN_A ", 'x', NULL, NULL, '{}'",
	    POISON_OPERATION, HEAD_A AT ",\"id\":\"x\",\"metadata\":{}",
	    "\"operation\":\"add\"," },
	{ "'" TIME "', 0.5, " IN_A ", 'x', NULL, NULL, '{}'",
	    POISON_OPERATION, HEAD_A AT ",\"id\":\"x\",\"metadata\":{}",
	    "\"operation\":5.00000000000000000e-01," },
	{ "'" TIME "', -9e999, " IN_A ", 'x', NULL, NULL, '{}'",
	    POISON_OPERATION, HEAD_A AT ",\"id\":\"x\",\"metadata\":{}",
	    "\"operation\":-9e999," },
	{ "'" TIME "', NULL, " IN_A ", 'x', NULL, NULL, '{}'",
	    POISON_OPERATION, HEAD_A AT ",\"id\":\"x\",\"metadata\":{}",
	    "\"operation\":null," },

	{ "'" TIME "', 0, " IN_A ", 'x', x'0000803f', 'INT32', '{}'",
	    POISON_INT32, HEAD_A AT ",\"operation\":\"ADD\",\"id\":\"x\","
	    "\"metadata\":{}",
	    "\"vector\":{\"blob\":\"AACAPw==\"},\"encoding\":\"INT32\"" },
	{ "'" TIME "', 0, " IN_A ", 'x', x'0000803f', 'float32', '{}'",
	    POISON_ENCODING, HEAD_A AT ",\"operation\":\"ADD\",\"id\":\"x\","
	    "\"metadata\":{}", "\"encoding\":\"float32\"" },
	{ "'" TIME "', 0, " IN_A ", 'x', x'0000803f', NULL, '{}'",
	    POISON_ENCODING, HEAD_A AT ",\"operation\":\"ADD\",\"id\":\"x\","
	    "\"metadata\":{}", "\"encoding\":null" },
	{ "'" TIME "', 3, " IN_A ", 'x', NULL, 'FLOAT32', '{}'",
	    POISON_ENCODING, HEAD_A AT ",\"operation\":\"DELETE\","
	    "\"id\":\"x\",\"metadata\":{}", "\"vector\":null" },

	{ "'" TIME "', 1, " IN_A ", 'x', x'0000803f00', 'FLOAT32', '{}'",
	    POISON_VECTOR_LENGTH, HEAD_A AT ",\"operation\":\"UPDATE\","
	    "\"id\":\"x\",\"metadata\":{}",
	    "\"vector\":{\"blob\":\"AACAPwA=\"}" },
	{ "'" TIME "', 1, " IN_A ", 'x', x'0000803f', 'FLOAT32', '{}'",
	    POISON_VECTOR_LENGTH, HEAD_A AT ",\"operation\":\"UPDATE\","
	    "\"id\":\"x\",\"embedding\":[1],\"metadata\":{}",
	    "\"vector\":{\"blob\":\"AACAPw==\"}" },
	{ "'" TIME "', 1, " IN_A ", 'x', x'', 'FLOAT32', '{}'",
	    POISON_VECTOR_LENGTH, HEAD_A AT ",\"operation\":\"UPDATE\","
	    "\"id\":\"x\",\"embedding\":[],\"metadata\":{}",
	    "\"vector\":{\"blob\":\"\"}" },

	{ "'" TIME "', 0, " IN_A ", 'x', NULL, NULL, '{}'", POISON_NO_VECTOR,
	    HEAD_A AT ",\"operation\":\"ADD\",\"id\":\"x\",\"metadata\":{}",
	    "\"vector\":null" },
	{ "'" TIME "', 2, " IN_A ", 'x', NULL, NULL, '{}'", POISON_NO_VECTOR,
	    HEAD_A AT ",\"operation\":\"UPSERT\",\"id\":\"x\","
	    "\"metadata\":{}", "\"vector\":null" },

	{ "'" TIME "', 3, " IN_A ", 'x', NULL, NULL, ''", POISON_JSON,
	    HEAD_A AT ",\"operation\":\"DELETE\",\"id\":\"x\"",
	    "\"metadata\":\"\"}" },
	{ "'" TIME "', 3, " IN_A ", 'x', NULL, NULL, 'null'", POISON_JSON,
	    HEAD_A AT ",\"operation\":\"DELETE\",\"id\":\"x\"",
	    "\"metadata\":\"null\"}" },
	{ "'" TIME "', 3, " IN_A ", 'x', NULL, NULL, '[]'", POISON_JSON,
	    HEAD_A AT ",\"operation\":\"DELETE\",\"id\":\"x\"",
	    "\"metadata\":\"[]\"}" },
	{ "'" TIME "', 3, " IN_A ", 'x', NULL, NULL, "
	    "'{\"chroma:document\":\"d\",\"k\":NaN}'", POISON_JSON,
	    HEAD_A AT ",\"operation\":\"DELETE\",\"id\":\"x\"",
	    "\"metadata\":\"{\\\"chroma:document\\\":\\\"d\\\",\\\"k\\\":NaN}"
	    "\"}" },
	{ "'" TIME "', 3, " IN_A ", 'x', NULL, NULL, '{\"k\":01}'",
	    POISON_JSON, HEAD_A AT ",\"operation\":\"DELETE\",\"id\":\"x\"",
	    "\"metadata\":\"{\\\"k\\\":01}\"}" },

	{ "'" TIME "', 3, " IN_A ", 'x', NULL, NULL, "
	    "'{\"chroma:document\":null,\"k\":1}'", POISON_DOCUMENT, HEAD_A AT
	    ",\"operation\":\"DELETE\",\"id\":\"x\",\"document\":null,"
	    "\"metadata\":{\"k\":1}", "chroma:document" },
	{ "'" TIME "', 3, " IN_A ", 'x', NULL, NULL, "
	    "'{\"chroma:document\":7}'", POISON_DOCUMENT, HEAD_A AT
	    ",\"operation\":\"DELETE\",\"id\":\"x\",\"metadata\":{}",
	    "chroma:document" },
	{ "'" TIME "', 3, " IN_A ", 'x', NULL, NULL, "
	    "'{\"chroma:uri\":[]}'", POISON_DOCUMENT, HEAD_A AT
	    ",\"operation\":\"DELETE\",\"id\":\"x\",\"metadata\":{}",
	    "chroma:uri" },
	{ "'" TIME "', 3, " IN_A ", 'x', NULL, NULL, "
	    "'{\"chroma:document\":\"1\",\"chroma:document\":\"2\"}'",
	    POISON_DOCUMENT, HEAD_A AT ",\"operation\":\"DELETE\","
	    "\"id\":\"x\",\"document\":\"1\",\"metadata\":{}",
	    "chroma:document" },

	{ "'" TIME "', 3, " IN_A ", 'x', NULL, NULL, '{\"k\":{\"a\":1}}'",
	    POISON_NESTED, HEAD_A AT ",\"operation\":\"DELETE\",\"id\":\"x\","
	    "\"metadata\":{\"k\":{\"a\":1}}", "\"metadata\":\"{" },
	{ "'" TIME "', 3, " IN_A ", 'x', NULL, NULL, '{\"k\":[[1]]}'",
	    POISON_NESTED, HEAD_A AT ",\"operation\":\"DELETE\",\"id\":\"x\","
	    "\"metadata\":{\"k\":[[1]]}", "\"metadata\":\"{" },
	{ "'" TIME "', 3, " IN_A ", 'x', NULL, NULL, '{\"k\":[{}]}'",
	    POISON_NESTED, HEAD_A AT ",\"operation\":\"DELETE\",\"id\":\"x\","
	    "\"metadata\":{\"k\":[{}]}", "\"metadata\":\"{" },

	{ "'" TIME "', 3, " IN_A ", CAST(x'61ff' AS TEXT), NULL, NULL, '{}'",
	    POISON_TEXT, HEAD_A AT ",\"operation\":\"DELETE\","
	    "\"metadata\":{}", "\"id\":{\"text\":\"Yf8=\"}" },
	{ "'" TIME "', 3, " IN_A ", CAST(x'610062' AS TEXT), NULL, NULL, '{}'",
	    POISON_TEXT, HEAD_A AT ",\"operation\":\"DELETE\","
	    "\"metadata\":{}", "\"id\":{\"text\":\"YQBi\"}" },
	{ "'" TIME "', 3, " IN_A ", 'x', NULL, NULL, CAST(x'7bff7d' AS TEXT)",
	    POISON_TEXT, HEAD_A AT ",\"operation\":\"DELETE\",\"id\":\"x\"",
	    "\"metadata\":{\"text\":\"e/99\"}" },

	{ "'yesterday', 3, " IN_A ", 'x', NULL, NULL, '{}'",
	    POISON_CREATED_AT, HEAD_A ",\"created_at\":\"yesterday\","
	    "\"operation\":\"DELETE\",\"id\":\"x\",\"metadata\":{}",
	    "\"created_at\":\"yesterday\"" },

	{ "'" TIME "', 3, '" TOPIC(ID_GONE) "', 'x', NULL, NULL, '{}'",
	    POISON_TOPIC, "{\"type\":\"wal\",\"collection_id\":\"" ID_GONE
	    "\",\"seq_id\":1" AT ",\"operation\":\"DELETE\",\"id\":\"x\","
	    "\"metadata\":{}", "\"topic\":\"" TOPIC(ID_GONE) "\"" },
	{ "'" TIME "', 3, 'elsewhere', 'x', NULL, NULL, '{}'", POISON_TOPIC,
	    "{\"type\":\"wal\",\"seq_id\":1" AT ",\"operation\":\"DELETE\","
	    "\"id\":\"x\",\"metadata\":{}", "\"topic\":\"elsewhere\"" },
	{ "'" TIME "', 3, 'persistent://default/other/" ID_A "', 'x', NULL, "
	    "NULL, '{}'", POISON_TOPIC, "{\"type\":\"wal\",\"seq_id\":1" AT
	    ",\"operation\":\"DELETE\",\"id\":\"x\",\"metadata\":{}",
	    "\"topic\":\"persistent://default/other/" ID_A "\"" },

	{ "5, 3, " IN_A ", 'x', NULL, NULL, '{}'", POISON_TYPE, HEAD_A
	    ",\"operation\":\"DELETE\",\"id\":\"x\",\"metadata\":{}",
	    "\"created_at\":5," },
	{ "NULL, 3, " IN_A ", 'x', NULL, NULL, '{}'", POISON_TYPE, HEAD_A
	    ",\"operation\":\"DELETE\",\"id\":\"x\",\"metadata\":{}",
	    "\"created_at\":null," },
	{ "'" TIME "', 3, " IN_A ", x'61', NULL, NULL, '{}'", POISON_TYPE,
	    HEAD_A AT ",\"operation\":\"DELETE\",\"metadata\":{}",
	    "\"id\":{\"blob\":\"YQ==\"}" },
	{ "'" TIME "', 0, " IN_A ", 'x', '[1,2]', 'FLOAT32', '{}'",
	    POISON_TYPE, HEAD_A AT ",\"operation\":\"ADD\",\"id\":\"x\","
	    "\"metadata\":{}", "\"vector\":\"[1,2]\"" },
	{ "'" TIME "', 3, " IN_A ", 'x', NULL, NULL, x'7b7d'", POISON_TYPE,
	    HEAD_A AT ",\"operation\":\"DELETE\",\"id\":\"x\"",
	    "\"metadata\":{\"blob\":\"e30=\"}" },
	{ "'" TIME "', 3, CAST(" IN_A " AS BLOB), 'x', NULL, NULL, '{}'",
	    POISON_TYPE, "{\"type\":\"wal\",\"seq_id\":1" AT
	    ",\"operation\":\"DELETE\",\"id\":\"x\",\"metadata\":{}",
	    "\"topic\":{\"blob\":\"cGVyc2lz" },
	{ "'" TIME "', 3, NULL, 'x', NULL, NULL, '{}'", POISON_TYPE,
	    "{\"type\":\"wal\",\"seq_id\":1" AT ",\"operation\":\"DELETE\","
	    "\"id\":\"x\",\"metadata\":{}", "\"topic\":null" },
};

struct reader {
	struct db db;
	struct catalog c;
	struct wal w;
	struct wal_row row;
	struct err e;
};

static void
open_reader(struct reader *r, const char *path, int64_t from, int64_t to,
    bool dead_too, const char *only, bool shared)
{
	struct select sel = { .only = &only, .n_only = only != NULL };

	r->e = (struct err){ 0 };
	if (db_open(&r->db, path, "db", DB_READ, 1000, &r->e) < 0 ||
	    catalog_load_tables(&r->c, &r->db, &r->e) < 0 ||
	    select_apply(&r->c, &sel, &r->e) < 0 ||
	    wal_open(&r->w, &r->db, from, to, dead_too, false, shared,
	    &r->e) < 0)
		scratch_die(r->e.msg);
	wal_use(&r->w, &r->c);
}

static void
close_reader(struct reader *r)
{
	wal_close(&r->w);
	catalog_release(&r->c);
	db_close(&r->db);
}

static int
next(struct reader *r)
{
	return wal_next(&r->w, &r->row, &r->e);
}

/* The record is what is wanted, then raw if there should be one, then "}". */
static bool
record_is(const struct record *r, const char *want, const char *raw)
{
	struct buf b = { 0 };
	const char *text;
	size_t n = strlen(want);
	bool same;

	record_to_json(r, &b);
	text = buf_str(&b);
	same = strncmp(text, want, n) == 0 && (raw ?
	    strncmp(text + n, ",\"raw\":{", 8) == 0 && strstr(text + n, raw) &&
	    strcmp(text + b.len - 2, "}}") == 0 : strcmp(text + n, "}") == 0);
	if (!same)
		printf("# %s\n", text);
	buf_release(&b);
	return same;
}

static void
test_rows(void)
{
	static bool seen[POISONS];
	const char *path = fresh();
	struct reader r;
	struct buf mem = { 0 }, line = { 0 };
	struct record_memory rm = { 0 };
	enum wal_poison poison;
	struct record rec, back;
	char text[2048];
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		bool good;

		sql("DELETE FROM embeddings_queue");
		snprintf(text, sizeof(text), "INSERT INTO embeddings_queue "
		    "VALUES (1, %s)", rows[i].values);
		sql(text);
		open_reader(&r, path, INT64_MIN, INT64_MAX, true, NULL, false);
		good = next(&r) == 1 &&
		    wal_record(&r.row, &rec, &mem, &poison, &r.e) == 0;
		ok(good && poison == rows[i].poison &&
		    record_is(&rec, rows[i].record, rows[i].raw),
		    "(%s): %s", shown_str(rows[i].values),
		    good && poison ? wal_poison_what(poison) : "good");
		seen[rows[i].poison] = true;
		/* what we write, we read */
		line.len = 0;
		if (good)
			record_to_json(&rec, &line);
		ok(good && record_from_json(buf_slice(&line), FIELD_ALL, &back,
		    &rm, &r.e) == 0 && back.has == rec.has, "  as a line");
		ok(next(&r) == 0, "  and no more");
		close_reader(&r);
	}
	for (i = 0; i < POISONS; i++)
		ok(seen[i] && (i == POISON_NONE ||
		    (*wal_poison_what((enum wal_poison)i) &&
		    *wal_poison_effect((enum wal_poison)i))),
		    "poison %zu: %s", i, wal_poison_what((enum wal_poison)i));
	buf_release(&mem);
	buf_release(&line);
	record_memory_release(&rm);
}

/* Metadata as deep as a line may be with it, and a level deeper: then only
 * raw has it, as a string. */
static void
test_depth(void)
{
	struct wal_row row = { 0 };
	struct buf mem = { 0 }, text = { 0 }, line = { 0 };
	struct record_memory rm = { 0 };
	enum wal_poison poison;
	struct record r, back;
	struct err e;
	int deeper, i;

	for (deeper = 0; deeper < 2; deeper++) {
		buf_reset(&text);
		buf_adds(&text, "{\"k\":");
		for (i = 2; i < JSON_DEPTH_MAX + deeper; i++)
			buf_addc(&text, '[');
		for (i = 2; i < JSON_DEPTH_MAX + deeper; i++)
			buf_addc(&text, ']');
		buf_addc(&text, '}');
		row.col[WAL_METADATA] = (struct db_value){ .type = DB_TEXT,
		    .bytes = buf_slice(&text) };
		line.len = 0;
		ok(wal_record(&row, &r, &mem, &poison, &e) == 0 &&
		    ((r.has & FIELD_METADATA) == 0) == (deeper > 0),
		    "metadata %d deep: %s", JSON_DEPTH_MAX - 1 + deeper,
		    wal_poison_what(poison));
		record_to_json(&r, &line);
		ok(record_from_json(buf_slice(&line), FIELD_ALL, &back, &rm,
		    &e) == 0, "  as a line");
	}
	record_memory_release(&rm);
	buf_release(&mem);
	buf_release(&text);
	buf_release(&line);
}

/* A topic of the user's own, as Chroma up to 0.4.24 allows: nothing is wrong,
 * but only raw has it. */
static void
test_own_topic(void)
{
	struct collection col = { .id = ID_A, .name = "a", .dimension = -1 };
	struct wal_row row = { .collection = &col };
	struct buf mem = { 0 };
	enum wal_poison poison;
	struct record r;
	struct err e;

	row.col[WAL_SEQ_ID] = (struct db_value){ .type = DB_INTEGER, .i = 9 };
	row.col[WAL_OPERATION] = (struct db_value){ .type = DB_INTEGER,
	    .i = 3 };
	row.col[WAL_CREATED_AT] = (struct db_value){ .type = DB_TEXT,
	    .bytes = BYTES(TIME) };
	row.col[WAL_ID] = (struct db_value){ .type = DB_TEXT,
	    .bytes = BYTES("x") };
	row.col[WAL_TOPIC] = (struct db_value){ .type = DB_TEXT,
	    .bytes = BYTES("persistent://mine/" ID_A) };
	ok(wal_record(&row, &r, &mem, &poison, &e) == 0 &&
	    poison == POISON_NONE && r.has & FIELD_RAW && r.raw.len > 30,
	    "a topic of its own is in raw");
	row.col[WAL_TOPIC].bytes = BYTES(TOPIC(ID_A));
	ok(wal_record(&row, &r, &mem, &poison, &e) == 0 &&
	    poison == POISON_NONE && !(r.has & FIELD_RAW), "the usual is not");
	buf_release(&mem);
}

/* ---- columns ---- */

static const struct {
	const char *values, *line;
} columns[] = {
	{ "'" TIME "', 0, " IN_A ", 'x', " VECTOR ", '{\"k\": 1}'",
	    "{\"seq_id\": 1, \"created_at\": \"" TIME "\", \"operation\": 0, "
	    "\"topic\": \"" TOPIC(ID_A) "\", \"id\": \"x\", \"vector\": "
	    "\"AACAPwAAAEA=\", \"encoding\": \"FLOAT32\", \"metadata\": "
	    "\"{\\\"k\\\": 1}\"}" },
	{ "'" TIME "', 3, 't', 'x\xc3\xa9\x7f\n', NULL, NULL, NULL",
	    "{\"seq_id\": 1, \"created_at\": \"" TIME "\", \"operation\": 3, "
	    "\"topic\": \"t\", \"id\": \"x\\u00e9\\u007f\\n\", \"vector\": "
	    "null, \"encoding\": null, \"metadata\": null}" },
	{ "5, 0.5, 't', x'61', 'text', 'FLOAT32', x'7b'",
	    "{\"seq_id\": 1, \"created_at\": 5, \"operation\": 0.5, "
	    "\"topic\": \"t\", \"id\": {\"base64\": \"YQ==\"}, \"vector\": "
	    "\"dGV4dA==\", \"encoding\": \"FLOAT32\", \"metadata\": "
	    "{\"base64\": \"ew==\"}}" },
	{ "'" TIME "', 3, 't', CAST(x'ff' AS TEXT), x'', 'F', ''",
	    "{\"seq_id\": 1, \"created_at\": \"" TIME "\", \"operation\": 3, "
	    "\"topic\": \"t\", \"id\": \"\\udcff\", \"vector\": \"\", "
	    "\"encoding\": \"F\", \"metadata\": \"\"}" },
};

static void
test_columns(void)
{
	const char *path = fresh();
	struct reader r;
	struct buf b = { 0 };
	char text[2048];
	size_t i;

	for (i = 0; i < COUNT(columns); i++) {
		sql("DELETE FROM embeddings_queue");
		snprintf(text, sizeof(text), "INSERT INTO embeddings_queue "
		    "VALUES (1, %s)", columns[i].values);
		sql(text);
		open_reader(&r, path, 1, 1, true, NULL, false);
		b.len = 0;
		if (next(&r) == 1)
			wal_columns(&r.row, &b);
		ok(strcmp(buf_str(&b), columns[i].line) == 0, "columns: %s",
		    buf_str(&b));
		close_reader(&r);
	}
	buf_release(&b);
}

/* ---- which rows ---- */

static void
test_ranges(void)
{
	static const struct {
		int64_t from, to;
		bool dead_too;
		const char *only, *want;
	} t[] = {
		{ INT64_MIN, INT64_MAX, true, NULL, "-5 1 2 3 4 7 " },
		{ INT64_MIN, INT64_MAX, false, NULL, "-5 1 2 4 7 " },
		{ 2, 4, true, NULL, "2 3 4 " },
		{ 5, 6, true, NULL, "" },
		{ 8, INT64_MAX, true, NULL, "" },
		{ 3, 2, true, NULL, "" },
		{ INT64_MIN, INT64_MAX, false, "a", "-5 1 7 " },
		{ INT64_MIN, INT64_MAX, false, "b", "2 4 " },
		{ INT64_MIN, INT64_MAX, true, ID_B, "2 3 4 " },
	};
	const char *path = fresh();
	struct reader r;
	struct buf b = { 0 };
	size_t i;
	int got = 0;

	sql("INSERT INTO embeddings_queue (seq_id, topic) VALUES"
	    " (-5, " IN_A "), (1, " IN_A "), (2, '" TOPIC(ID_B) "'),"
	    " (3, '" TOPIC(ID_GONE) "'), (4, '" TOPIC(ID_B) "'),"
	    " (7, " IN_A ")");
	for (i = 0; i < COUNT(t); i++) {
		open_reader(&r, path, t[i].from, t[i].to, t[i].dead_too,
		    t[i].only, false);
		b.len = 0;
		while ((got = next(&r)) > 0)
			buf_addf(&b, "%lld ",
			    (long long)r.row.col[WAL_SEQ_ID].i);
		ok(got == 0 && strcmp(buf_str(&b), t[i].want) == 0,
		    "%lld to %lld of %s%s: %s", (long long)t[i].from,
		    (long long)t[i].to, t[i].only ? t[i].only : "all",
		    t[i].dead_too ? " and none" : "", buf_str(&b));
		close_reader(&r);
	}
	buf_release(&b);
}

/* Rows that fill many batches, one of them larger than a batch. */
static void
test_batches(void)
{
	const char *path = fresh();
	struct reader r;
	int64_t n = 0, bad = 0;
	int got;

	sql("BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
	    "FROM n WHERE i < 3000) INSERT INTO embeddings_queue SELECT i, '"
	    TIME "', 3, " IN_A ", 'id' || i, zeroblob(1000), NULL, "
	    "CASE i WHEN 1500 THEN hex(zeroblob(1500000)) END FROM n; COMMIT");
	open_reader(&r, path, 1, INT64_MAX, false, NULL, false);
	while ((got = next(&r)) > 0) {
		char id[32];

		snprintf(id, sizeof(id), "id%lld", (long long)++n);
		bad += r.row.col[WAL_SEQ_ID].i != n ||
		    !slice_is(r.row.col[WAL_ID].bytes, id) ||
		    r.row.col[WAL_VECTOR].bytes.len != 1000 ||
		    (n == 1500) != (r.row.col[WAL_METADATA].bytes.len ==
		    3000000);
	}
	ok(got == 0 && n == 3000 && bad == 0, "6 MB of rows in many batches");
	close_reader(&r);
}

/* ---- a log that changes ---- */

/* Six rows, each a batch. */
static const char *
fresh_six(void)
{
	const char *path = fresh();

	sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
	    "WHERE i < 6) INSERT INTO embeddings_queue SELECT i, '" TIME
	    "', 3, " IN_A ", 'x', NULL, NULL, hex(zeroblob(600000)) FROM n");
	return path;
}

#define REMOVED(n) "db: rows of the log were removed while it was read (" n \
	" of 6 came): a purge, or a collection deleted; try again"
#define WRITER "db: somebody began to write to it while it was read; try again"

static const struct {
	const char *name;
	bool shared;		/* somebody else has it open */
	const char *sql;	/* run after the first row was read */
	const char *message;	/* NULL: all six rows come */
} changes[] = {
	{ "nothing changes", true, "SELECT 1", NULL },
	{ "nobody else is there", false, "SELECT 1", NULL },
	{ "rows are added", true, "INSERT INTO embeddings_queue (seq_id, topic)"
	    " VALUES (7, " IN_A "), (8, 't')", NULL },
	{ "another table changes", true, "INSERT INTO embeddings VALUES (1)",
	    NULL },
	{ "what was read is purged", true,
	    "DELETE FROM embeddings_queue WHERE seq_id < 2", NULL },
	{ "what was not is purged", true,
	    "DELETE FROM embeddings_queue WHERE seq_id < 4", REMOVED("4") },
	{ "the last row goes", true,
	    "DELETE FROM embeddings_queue WHERE seq_id = 6", REMOVED("5") },
	{ "all is gone", true, "DELETE FROM collections WHERE name = 'a'; "
	    "DELETE FROM embeddings_queue", REMOVED("1") },
	{ "all but the last is gone", true,
	    "DELETE FROM embeddings_queue WHERE seq_id < 6", REMOVED("2") },
	{ "a writer comes who was not there", false,
	    "INSERT INTO embeddings VALUES (1)", WRITER },
	{ "  and purges", false,
	    "DELETE FROM embeddings_queue WHERE seq_id < 4", WRITER },
};

static void
test_changes(void)
{
	struct reader r;
	size_t i;

	for (i = 0; i < COUNT(changes); i++) {
		const char *path = fresh_six();
		int got, n = 0;

		open_reader(&r, path, 1, 6, false, NULL, changes[i].shared);
		while ((got = next(&r)) > 0)
			if (n++ == 0)
				sql(changes[i].sql);
		ok(changes[i].message ? got == -1 &&
		    r.e.status == STATUS_BUSY &&
		    strcmp(r.e.msg, changes[i].message) == 0 :
		    got == 0 && n == 6, "%s: %d rows%s%s", changes[i].name, n,
		    got ? ", " : "", r.e.msg);
		close_reader(&r);
	}
}

int
main(void)
{
	test_rows();
	test_depth();
	test_own_topic();
	test_columns();
	test_ranges();
	test_batches();
	test_changes();
	sqlite3_close(writer);
	return tap_done();
}
