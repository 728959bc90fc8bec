/* SPDX-License-Identifier: Apache-2.0 */
/* t_paramset - parameters into every place where an era has them, and nothing
 * else changed; what is in force afterwards is what was asked for. */
#include "chroma/paramset.h"

#include <stdlib.h>

#include "chroma/catalog.h"

#include "../scratch.h"
#include "../tap.h"

enum { E04, E05, E06, E10, E15 };
static const struct {
	int sysdb, metadb, queue;
	const char *columns;	/* of collections, beside those of all */
	const char *extra;	/* of the tables of metadata */
} eras[] = {
	[E04] = { 4, 3, 1, ", topic TEXT", "" },
	[E05] = { 7, 3, 1, ", config_json_str TEXT", ", bool_value INTEGER" },
	[E06] = { 9, 4, 2, ", config_json_str TEXT", ", bool_value INTEGER" },
	[E10] = { 9, 5, 2, ", config_json_str TEXT", ", bool_value INTEGER" },
	[E15] = { 10, 6, 2, ", config_json_str TEXT, schema_str TEXT",
	    ", bool_value INTEGER" },
};

#define PY(hnsw) "{\"hnsw_configuration\": {" hnsw ", \"_type\": \"HNSWConf" \
	"igurationInternal\"}, \"_type\": \"CollectionConfigurationInternal\"}"
#define PY_DEFAULTS "\"space\": \"l2\", \"ef_construction\": 100, " \
	"\"ef_search\": 100, \"num_threads\": 2, \"M\": 16, " \
	"\"resize_factor\": 1.2, \"batch_size\": 100, \"sync_threshold\": 1000"
#define RS(hnsw) "{\"vector_index\":{\"hnsw\":{" hnsw "}}," \
	"\"embedding_function\":null}"
#define RS_DEFAULTS "\"space\":\"l2\",\"ef_construction\":100," \
	"\"ef_search\":100,\"max_neighbors\":16,\"resize_factor\":1.2," \
	"\"sync_threshold\":1000"
#define SC(defaults, keys) "{\"defaults\":{\"int\":{},\"float_list\":{" \
	"\"vector_index\":{\"enabled\":false,\"config\":{" defaults "}}}}," \
	"\"keys\":{\"#embedding\":{\"float_list\":{\"vector_index\":{" \
	"\"enabled\":true,\"config\":{" keys "}}}},\"k\":{}}}"
#define SC_HNSW(ef) "\"ef_construction\":100,\"max_neighbors\":16," \
	"\"ef_search\":" ef ",\"num_threads\":2,\"batch_size\":100," \
	"\"sync_threshold\":1000,\"resize_factor\":1.2"

/* Rows are "KEY=VALUE ..." in the order of their keys; in force is "space M
 * ef_construction ef_search num_threads batch_size sync_threshold
 * resize_factor". */
static const struct {
	const char *name;
	int era;
	const char *config, *schema, *rows, *metadata;
	const char *set;
	/* afterwards */
	const char *new_config, *new_schema, *new_rows, *new_metadata;
	const char *in_force;
	const char *why;		/* refused */
} t[] = {
	{ "0.4, no rows", E04, NULL, NULL, "", "", "ef_search=50",
	    NULL, NULL, "hnsw:search_ef=50i", "",
	    "l2 16 100 50 0 100 1000 1.2", NULL },
	{ "0.4, all of them", E04, NULL, NULL,
	    "hnsw:M=8i hnsw:space=ips", "hnsw:M=8i hnsw:space=ips other=1i",
	    "space=cosine M=32 ef_construction=200 ef_search=50 num_threads=3 "
	    "resize_factor=1.5 batch_size=7 sync_threshold=70",
	    NULL, NULL, "hnsw:M=32i hnsw:batch_size=7i "
	    "hnsw:construction_ef=200i hnsw:num_threads=3i "
	    "hnsw:resize_factor=1.5r hnsw:search_ef=50i hnsw:space=cosines "
	    "hnsw:sync_threshold=70i", "hnsw:M=32i hnsw:space=cosines other=1i",
	    "cosine 32 200 50 3 7 70 1.5", NULL },
	{ "0.4, a factor that was an integer", E04, NULL, NULL,
	    "hnsw:resize_factor=2i", "hnsw:resize_factor=2i",
	    "resize_factor=1.25", NULL, NULL, "hnsw:resize_factor=1.25r",
	    "hnsw:resize_factor=1.25r", "l2 16 100 10 0 100 1000 1.25",
	    NULL },
	{ "0.5, what is shown, too", E05, PY(PY_DEFAULTS), NULL,
	    "hnsw:space=cosines", "hnsw:space=cosines",
	    "ef_search=50 M=8 resize_factor=2",
	    PY("\"space\": \"l2\", \"ef_construction\": 100, \"ef_search\": "
	    "50, \"num_threads\": 2, \"M\": 8, \"resize_factor\": 2.0, "
	    "\"batch_size\": 100, \"sync_threshold\": 1000"), NULL,
	    "hnsw:M=8i hnsw:resize_factor=2.0r hnsw:search_ef=50i "
	    "hnsw:space=cosines", "hnsw:space=cosines",
	    "cosine 8 100 50 0 100 1000 2.0", NULL },
	{ "0.6, sync_threshold and batch_size stay in order", E06,
	    PY(PY_DEFAULTS), NULL,
	    "hnsw:batch_size=10i hnsw:sync_threshold=20i", "",
	    "sync_threshold=50",
	    PY("\"space\": \"l2\", \"ef_construction\": 100, \"ef_search\": "
	    "100, \"num_threads\": 2, \"M\": 16, \"resize_factor\": 1.2, "
	    "\"batch_size\": 10, \"sync_threshold\": 50"), NULL,
	    "hnsw:batch_size=10i hnsw:sync_threshold=50i", "",
	    "l2 16 100 100 0 10 50 1.2", NULL },
	{ "0.6, a key that the JSON lacks", E06, PY("\"space\": \"l2\""), NULL,
	    "", "", "ef_search=50",
	    "{\"hnsw_configuration\": {\"space\": \"l2\", \"_type\": "
	    "\"HNSWConfigurationInternal\", \"ef_search\": 50}, \"_type\": "
	    "\"CollectionConfigurationInternal\"}", NULL,
	    "hnsw:search_ef=50i", "", "l2 16 100 50 0 100 1000 1.2", NULL },
	{ "0.6, no JSON", E06, NULL, NULL, "", "", "ef_search=50", NULL, NULL,
	    "hnsw:search_ef=50i", "", "l2 16 100 50 0 100 1000 1.2", NULL },
	{ "1.0, in its JSON", E10, RS(RS_DEFAULTS), NULL, "",
	    "hnsw:space=l2s", "ef_search=50 space=ip",
	    RS("\"space\":\"ip\",\"ef_construction\":100,\"ef_search\":50,"
	    "\"max_neighbors\":16,\"resize_factor\":1.2,"
	    "\"sync_threshold\":1000"), NULL, "", "hnsw:space=ips",
	    "ip 16 100 50 0 100 1000 1.2", NULL },
	{ "1.0, odd JSON keeps its bytes", E10,
	    " {\"vector_index\" : {\"hnsw\" : {\"space\" :\"l2\" , "
	    "\"ef_search\":  7 } },\"x\":[ 1,2 ]}\n", NULL, "", "",
	    "ef_search=50", " {\"vector_index\" : {\"hnsw\" : {\"space\" "
	    ":\"l2\" , \"ef_search\":  50 } },\"x\":[ 1,2 ]}\n", NULL, "", "",
	    "l2 16 100 50 0 100 1000 1.2", NULL },
	{ "1.0, keys that are not there", E10,
	    "{\"vector_index\":{\"hnsw\":{\"space\":\"ip\"}}}", NULL, "", "",
	    "batch_size=7 M=8", "{\"vector_index\":{\"hnsw\":{\"space\":"
	    "\"ip\",\"max_neighbors\":8,\"batch_size\":7}}}", NULL, "", "",
	    "ip 8 100 100 0 7 1000 1.2", NULL },
	{ "1.0, no object hnsw", E10, "{\"vector_index\":{\"hnsw\":null},"
	    "\"embedding_function\":null}", NULL, "", "", "ef_search=50",
	    RS("\"space\":\"l2\",\"ef_construction\":100,\"ef_search\":50,"
	    "\"max_neighbors\":16,\"resize_factor\":1.2,"
	    "\"sync_threshold\":1000"), NULL, "", "",
	    "l2 16 100 50 0 100 1000 1.2", NULL },
	{ "1.0, no JSON: all is said", E10, NULL, NULL, "", "", "ef_search=50",
	    "{\"vector_index\":{\"hnsw\":{\"space\":\"l2\","
	    "\"ef_construction\":100,\"ef_search\":50,\"max_neighbors\":16,"
	    "\"resize_factor\":1.2,\"sync_threshold\":1000}}}", NULL, "", "",
	    "l2 16 100 50 0 100 1000 1.2", NULL },
	{ "1.0, of Python, with an empty JSON", E10, "{}", NULL,
	    "hnsw:batch_size=10i hnsw:space=cosines hnsw:sync_threshold=20i",
	    "", "ef_search=50",
	    "{\"vector_index\":{\"hnsw\":{\"space\":\"cosine\","
	    "\"ef_construction\":100,\"ef_search\":50,\"max_neighbors\":16,"
	    "\"resize_factor\":1.2,\"sync_threshold\":20,"
	    "\"batch_size\":10}}}", NULL,
	    "hnsw:batch_size=10i hnsw:search_ef=50i hnsw:space=cosines "
	    "hnsw:sync_threshold=20i", "", "cosine 16 100 50 0 10 20 1.2",
	    NULL },
	{ "1.0, of Python, with a low sync_threshold alone", E10, NULL, NULL,
	    "hnsw:sync_threshold=20i", "", "ef_search=50",
	    "{\"vector_index\":{\"hnsw\":{\"space\":\"l2\","
	    "\"ef_construction\":100,\"ef_search\":50,\"max_neighbors\":16,"
	    "\"resize_factor\":1.2,\"sync_threshold\":20,"
	    "\"batch_size\":20}}}", NULL,
	    "hnsw:search_ef=50i hnsw:sync_threshold=20i", "",
	    "l2 16 100 50 0 20 20 1.2", NULL },
	{ "1.5, of Python, with Python's JSON", E15, PY(PY_DEFAULTS), NULL,
	    "hnsw:num_threads=9i hnsw:space=ips", "", "ef_search=50",
	    "{\"hnsw_configuration\": {\"space\": \"l2\", "
	    "\"ef_construction\": 100, \"ef_search\": 50, \"num_threads\": 2, "
	    "\"M\": 16, \"resize_factor\": 1.2, \"batch_size\": 100, "
	    "\"sync_threshold\": 1000, \"_type\": "
	    "\"HNSWConfigurationInternal\"}, \"_type\": "
	    "\"CollectionConfigurationInternal\", \"vector_index\": "
	    "{\"hnsw\": {\"space\": \"ip\", \"ef_construction\": 100, "
	    "\"ef_search\": 50, \"max_neighbors\": 16, \"resize_factor\": 1.2, "
	    "\"sync_threshold\": 1000}}}", NULL,
	    "hnsw:num_threads=9i hnsw:search_ef=50i hnsw:space=ips", "",
	    "ip 16 100 50 0 100 1000 1.2", NULL },
	{ "1.0, of Python, defaults that give way say all", E10,
	    RS(RS_DEFAULTS), NULL, "hnsw:space=cosines", "", "ef_search=50",
	    RS("\"space\":\"cosine\",\"ef_construction\":100,"
	    "\"ef_search\":50,\"max_neighbors\":16,\"resize_factor\":1.2,"
	    "\"sync_threshold\":1000"), NULL,
	    "hnsw:search_ef=50i hnsw:space=cosines", "",
	    "cosine 16 100 50 0 100 1000 1.2", NULL },
	{ "1.0, of Python, back to the defaults", E10, RS("\"space\":\"l2\","
	    "\"ef_search\":50"), NULL, "hnsw:M=64i hnsw:space=cosines", "",
	    "ef_search=100", RS("\"space\":\"l2\",\"ef_search\":100,"
	    "\"ef_construction\":100,\"max_neighbors\":16,"
	    "\"resize_factor\":1.2,\"sync_threshold\":1000"), NULL,
	    "hnsw:M=16i hnsw:search_ef=100i hnsw:space=l2s", "",
	    "l2 16 100 100 0 100 1000 1.2", NULL },
	{ "1.5, the schema, twice", E15, "{}",
	    SC("\"space\":\"ip\",\"hnsw\":{" SC_HNSW("10") "}",
	    "\"space\":\"ip\",\"source_key\":\"#document\",\"hnsw\":{"
	    SC_HNSW("10") "}"), "", "", "ef_search=50 space=cosine", "{}",
	    SC("\"space\":\"cosine\",\"hnsw\":{" SC_HNSW("50") "}",
	    "\"space\":\"cosine\",\"source_key\":\"#document\",\"hnsw\":{"
	    SC_HNSW("50") "}"), "", "", "cosine 16 100 50 2 100 1000 1.2",
	    NULL },
	{ "1.5, no object hnsw", E15, "{}",
	    SC("\"space\":\"ip\"", "\"space\":\"ip\""), "", "",
	    "num_threads=5", "{}", SC("\"space\":\"ip\",\"hnsw\":{"
	    "\"num_threads\":5}", "\"space\":\"ip\",\"hnsw\":{"
	    "\"num_threads\":5}"), "", "", "ip 16 100 100 5 100 1000 1.2",
	    NULL },
	{ "1.5, the older name of keys", E15, NULL, "{\"key_overrides\":{"
	    "\"#embedding\":{\"float_list\":{\"vector_index\":{\"config\":{"
	    "\"space\":\"ip\"}}}}}}", "", "", "space=cosine", NULL,
	    "{\"key_overrides\":{\"#embedding\":{\"float_list\":{"
	    "\"vector_index\":{\"config\":{\"space\":\"cosine\"}}}}}}", "",
	    "", "cosine 16 100 100 0 100 1000 1.2", NULL },
	{ "1.5, the defaults of the schema decide", E15, NULL,
	    "{\"defaults\":{\"float_list\":{\"vector_index\":{\"config\":{"
	    "\"space\":\"ip\"}}}},\"keys\":{\"k\":{}}}", "", "",
	    "space=cosine", NULL, "{\"defaults\":{\"float_list\":{"
	    "\"vector_index\":{\"config\":{\"space\":\"cosine\"}}}},"
	    "\"keys\":{\"k\":{}}}", "", "",
	    "cosine 16 100 100 0 100 1000 1.2", NULL },
	{ "1.5, no schema: as 1.0", E15, RS("\"space\":\"ip\""), NULL, "", "",
	    "sync_threshold=50", RS("\"space\":\"ip\","
	    "\"sync_threshold\":50"), NULL, "", "",
	    "ip 16 100 100 0 100 50 1.2", NULL },
	{ "1.5, a JSON beside the schema", E15, RS("\"space\":\"ip\""),
	    SC("\"space\":\"ip\"", "\"space\":\"ip\""), "", "",
	    "space=cosine", RS("\"space\":\"cosine\""),
	    SC("\"space\":\"cosine\"", "\"space\":\"cosine\""), "", "",
	    "cosine 16 100 100 0 100 1000 1.2", NULL },
	/* refused */
	{ "1.0, SPANN", E10, "{\"vector_index\":{\"spann\":{}}}", NULL, "",
	    "", "ef_search=50", NULL, NULL, NULL, NULL, NULL,
	    "collection c: its config_json_str is not understood: its index "
	    "is not HNSW but SPANN" },
	{ "1.5, SPANN", E15, NULL, SC("\"space\":\"l2\",\"spann\":{}",
	    "\"space\":\"l2\",\"spann\":{}"), "", "", "ef_search=50", NULL,
	    NULL, NULL, NULL, NULL, "collection c: its schema_str is not "
	    "understood: its index is not HNSW but SPANN" },
	{ "1.5, a schema without an index", E15, NULL, "{\"keys\":{}}", "", "",
	    "ef_search=50", NULL, NULL, NULL, NULL, NULL, "collection c: its "
	    "schema_str is not understood: it has no vector index" },
	{ "1.5, a key that is spelled otherwise", E15, NULL,
	    "{\"defaults\":{\"float_list\":{\"vector_index\":{\"config\":{"
	    "\"space\":\"ip\"}}}},\"keys\":{\"#embedding\":{\"#float_list\":"
	    "{}}}}", "", "", "ef_search=50", NULL, NULL, NULL, NULL, NULL,
	    "collection c: its schema_str is not understood: it has no vector "
	    "index" },
	{ "1.5, a schema that is none", E15, NULL, "[]", "", "",
	    "ef_search=50", NULL, NULL, NULL, NULL, NULL, "collection c: its "
	    "schema_str is not understood: byte 1: expected '{'" },
	{ "1.0, a parameter twice", E10, RS("\"ef_search\":1,"
	    "\"ef_search\":2"), NULL, "", "", "ef_search=50", NULL, NULL,
	    NULL, NULL, NULL, "collection c: its config_json_str is not "
	    "understood: \"ef_search\" stands twice" },
	{ "0.6, JSON that ends early", E06, "{\"hnsw_configuration\": {", NULL,
	    "", "", "ef_search=50", NULL, NULL, NULL, NULL, NULL, NULL },
	{ "1.0, bytes", E10, "x'00'", NULL, "", "", "ef_search=50", NULL,
	    NULL, NULL, NULL, NULL, "collection c: its config_json_str is "
	    "not understood: it is no text" },
};

static void
run(struct db *db, const char *sql)
{
	struct err e;

	if (db_exec(db, sql, &e) < 0)
		scratch_die(e.msg);
}

static void
put_json(struct db *db, const char *column, const char *text)
{
	struct buf b = { 0 };

	if (!text)
		return;
	buf_addf(&b, strcmp(text, "x'00'") ? "UPDATE collections SET %s = '%s'"
	    : "UPDATE collections SET %s = %s", column, text);
	run(db, buf_str(&b));
	buf_release(&b);
}

/* "KEY=VALUEt ...", t its type: s, i, r. */
static void
put_rows(struct db *db, const char *table, const char *owner, const char *rows)
{
	char words[512], *word, *save;

	snprintf(words, sizeof(words), "%s", rows);
	for (word = strtok_r(words, " ", &save); word;
	    word = strtok_r(NULL, " ", &save)) {
		char *value = strchr(word, '='), sql[512];
		char type = value[strlen(value) - 1];

		value[strlen(value) - 1] = '\0';
		*value++ = '\0';
		snprintf(sql, sizeof(sql), "INSERT INTO %s (%s, key, %s) "
		    "VALUES ('%s', '%s', '%s')", table, owner, type == 's' ?
		    "str_value" : type == 'i' ? "int_value" : "float_value",
		    owner[0] == 's' ? "v" : "id", word, value);
		run(db, sql);
	}
}

static const char *
rows_of(struct db *db, const char *table, struct buf *b)
{
	char sql[300];
	struct db_stmt st;
	struct err e;

	snprintf(sql, sizeof(sql), "SELECT group_concat(key || '=' || "
	    "coalesce(str_value || 's', int_value || 'i', float_value || 'r'), "
	    "' ') FROM (SELECT * FROM %s ORDER BY key)", table);
	if (db_prepare(db, &st, sql, &e) < 0 || db_step(&st, &e) < 0)
		scratch_die(e.msg);
	if (db_col_type(&st, 0) == DB_TEXT)
		buf_add(b, db_col_text(&st, 0).p, db_col_text(&st, 0).len);
	db_finish(&st);
	return buf_str(b);
}

/* A database of that era with one collection. */
static void
make(struct db *db, size_t i)
{
	const char *extra = eras[t[i].era].extra;
	struct buf b = { 0 };

	buf_addf(&b, "CREATE TABLE migrations (dir TEXT, version INTEGER, "
	    "filename TEXT, sql TEXT, hash TEXT);"
	    "INSERT INTO migrations VALUES ('sysdb', %d, '', '', ''), "
	    "('metadb', %d, '', '', ''), ('embeddings_queue', %d, '', '', '');"
	    "CREATE TABLE tenants (id TEXT); CREATE TABLE databases (id TEXT, "
	    "name TEXT, tenant_id TEXT);"
	    "INSERT INTO databases VALUES ('d', 'd', 't');"
	    "CREATE TABLE collections (id TEXT, name TEXT, dimension INTEGER, "
	    "database_id TEXT%s);"
	    "CREATE TABLE segments (id TEXT, type TEXT, scope TEXT, "
	    "collection TEXT);", eras[t[i].era].sysdb, eras[t[i].era].metadb,
	    eras[t[i].era].queue, eras[t[i].era].columns);
	buf_addf(&b, "CREATE TABLE segment_metadata (segment_id TEXT, "
	    "key TEXT, "
	    "str_value TEXT, int_value INTEGER, float_value REAL%s, "
	    "PRIMARY KEY (segment_id, key));"
	    "CREATE TABLE collection_metadata (collection_id TEXT, key TEXT, "
	    "str_value TEXT, int_value INTEGER, float_value REAL%s, "
	    "PRIMARY KEY (collection_id, key));"
	    "CREATE TABLE max_seq_id (segment_id TEXT, seq_id INTEGER);"
	    "CREATE TABLE embeddings_queue (seq_id INTEGER PRIMARY KEY, "
	    "created_at, operation, topic, id, vector, encoding, metadata);"
	    "CREATE TABLE embeddings (id INTEGER PRIMARY KEY, segment_id, "
	    "embedding_id, seq_id, created_at);"
	    "CREATE TABLE embedding_metadata (id INTEGER, key, string_value, "
	    "int_value, float_value, bool_value);", extra, extra);
	buf_adds(&b, "CREATE TABLE embeddings_queue_config (id INTEGER, "
	    "config_json_str TEXT);"
	    "INSERT INTO collections (id, name, database_id) VALUES "
	    "('id', 'c', 'd');"
	    "INSERT INTO segments VALUES ('v', 't', 'VECTOR', 'id'), "
	    "('m', 't', 'METADATA', 'id');");
	run(db, buf_str(&b));
	buf_release(&b);
	put_json(db, "config_json_str", t[i].config);
	put_json(db, "schema_str", t[i].schema);
	put_rows(db, "segment_metadata", "segment_id", t[i].rows);
	put_rows(db, "collection_metadata", "collection_id", t[i].metadata);
}

static struct paramset
asked(const char *text)
{
	struct paramset s = { 0 };
	char words[256], *word, *save;
	int k;

	snprintf(words, sizeof(words), "%s", text);
	for (word = strtok_r(words, " ", &save); word;
	    word = strtok_r(NULL, " ", &save)) {
		char *value = strchr(word, '=');

		*value++ = '\0';
		for (k = 0; strcmp(param_name[k], word) != 0; k++)
			;
		s.set[k] = true;
		if (k == PARAM_SPACE)
			s.to.space = params_space(slice_str(value));
		else if (k == PARAM_RESIZE_FACTOR)
			s.to.resize_factor = strtod(value, NULL);
		else
			s.to.value[k] = strtoll(value, NULL, 10);
	}
	return s;
}

static const char *
in_force(const struct params *p, char *to, size_t n)
{
	static const enum param order[] = { PARAM_M, PARAM_EF_CONSTRUCTION,
	    PARAM_EF_SEARCH, PARAM_NUM_THREADS, PARAM_BATCH_SIZE,
	    PARAM_SYNC_THRESHOLD };
	size_t len = (size_t)snprintf(to, n, "%s", space_name(p->space)), k;

	for (k = 0; k < COUNT(order); k++)
		len += (size_t)snprintf(to + len, n - len, " %lld",
		    (long long)p->value[order[k]]);
	snprintf(to + len, n - len, p->resize_factor > 1.99 ? " %.1f" : " %g",
	    p->resize_factor);
	return to;
}

static bool
equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* What is there after a change is what is expected. */
static void
test_result(struct db *db, size_t i)
{
	struct buf rows = { 0 }, metadata = { 0 };
	struct catalog c;
	struct err e;
	char got[128];

	if (catalog_load_tables(&c, db, &e) < 0)
		scratch_die(e.msg);
	ok(equal(c.collection->config, t[i].new_config), "%s: config_json_str "
	    "%s", t[i].name, c.collection->config ? c.collection->config :
	    "NULL");
	ok(equal(c.collection->schema, t[i].new_schema), "%s: schema_str %s",
	    t[i].name, c.collection->schema ? "" : "NULL");
	ok(equal(rows_of(db, "segment_metadata", &rows), t[i].new_rows),
	    "%s: segment_metadata %s", t[i].name, buf_str(&rows));
	ok(equal(rows_of(db, "collection_metadata", &metadata),
	    t[i].new_metadata), "%s: collection_metadata %s", t[i].name,
	    buf_str(&metadata));
	in_force(&c.collection->params, got, sizeof(got));
	/* what 1.x does not use is left where it was */
	if (strstr(t[i].rows, "hnsw:num_threads"))
		ok(c.collection->params.value[PARAM_NUM_THREADS] == 0,
		    "%s: threads", t[i].name);
	ok(equal(got, t[i].in_force), "%s: in force %s", t[i].name, got);
	catalog_release(&c);
	buf_release(&rows);
	buf_release(&metadata);
}

static int64_t
changes(struct db *db)
{
	int64_t n = 0;
	struct err e;

	if (db_int(db, "SELECT total_changes()", &n, &e) < 0)
		scratch_die(e.msg);
	return n;
}

static void
test_one(size_t i)
{
	struct paramset s = asked(t[i].set);
	struct catalog c;
	struct db db;
	struct err e = { 0 };
	bool differs = false;
	int64_t before;
	int r;

	if (db_open(&db, ":memory:", "memory", DB_PRIVATE, 0, &e) < 0)
		scratch_die(e.msg);
	make(&db, i);
	if (catalog_load_tables(&c, &db, &e) < 0)
		scratch_die(e.msg);
	before = changes(&db);
	r = paramset_differs(&db, &c, c.collection, &s, &differs, &e);
	ok(changes(&db) == before && (t[i].in_force ? r == 0 && differs :
	    r == -1), "%s: looked at", t[i].name);
	r = paramset_write(&db, &c, c.collection, &s, &e);
	if (t[i].in_force) {
		ok(r == 0, "%s: written: %s", t[i].name, r ? e.msg : "");
		test_result(&db, i);
		r = paramset_differs(&db, &c, c.collection, &s, &differs, &e);
		ok(r == 0 && !differs, "%s: once is enough", t[i].name);
	} else
		ok(r == -1 && e.status == STATUS_DATA && (!t[i].why ||
		    equal(e.msg, t[i].why)) && changes(&db) == before,
		    "%s: refused: %s", t[i].name, e.msg);
	catalog_release(&c);
	db_close(&db);
}

int
main(void)
{
	size_t i;

	for (i = 0; i < COUNT(t); i++)
		test_one(i);
	return tap_done();
}
