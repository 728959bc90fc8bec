/* SPDX-License-Identifier: Apache-2.0 */
/* t_safeschema - databases of real Chromas pass; with anything else in their
 * schema, or damaged, they do not. */
#include "chroma/safeschema.h"

#include <dirent.h>

#include "../scratch.h"
#include "../tap.h"

static const char *file, *original;

/* Check the file; the message without its name, or "". */
static const char *
check(void)
{
	static struct err e;
	struct db db;
	int r;

	e = (struct err){ 0 };
	r = db_open(&db, file, "x", DB_UNTRUSTED, 0, &e);
	if (r == 0) {
		r = safeschema_check(&db, &e);
		db_close(&db);
		if (db.h)
			return "a statement is left";
	}
	if (r == 0)
		return e.status ? "an error, and no error" : "";
	if (e.status != STATUS_DATA || strncmp(e.msg, "x: ", 3) != 0) {
		printf("# %d: %s\n", e.status, e.msg);
		return "not that kind of error";
	}
	return e.msg + 3;
}

/* want: the message; with ... at its end, how it begins, where the rest is
 * SQLite's and differs between its releases. */
static void
is(const char *want, const char *name)
{
	const char *got = check(), *dots = strstr(want, "...");
	bool same = dots && !dots[3] ?
	    strncmp(got, want, (size_t)(dots - want)) == 0 :
	    strcmp(got, want) == 0;

	ok(same, "%s%s%s", name, *got ? ": " : "", got);
	if (!same)
		printf("# wanted: %s\n", want);
}

static void
copy_original(void)
{
	struct buf b = { 0 };

	scratch_read(original, &b);
	scratch_write(file, buf_slice(&b));
	buf_release(&b);
}

static void
change(const char *sql)
{
	struct db db;
	struct err e;

	if (db_open(&db, file, "file", DB_WRITE, 0, &e) < 0)
		scratch_die(e.msg);
	db_schema_writable(&db, true);
	if (db_exec(&db, "PRAGMA synchronous=OFF", &e) < 0 ||
	    db_exec(&db, sql, &e) < 0)
		scratch_die(e.msg);
	db_close(&db);
}

/* A copy of the original after sql is refused with want. */
static void
refused(const char *name, const char *sql, const char *want)
{
	copy_original();
	change(sql);
	is(want, name);
}

/* ---- what passes ---- */

static void
unpack(const char *archive)
{
	char command[1400];

	snprintf(command, sizeof(command), "zstd -dcq '%s' | tar -x -f - -C "
	    "'%s'", archive, scratch_dir());
	if (system(command) != 0)
		scratch_die(command);
}

static void
test_chromas(const char *folder)
{
	DIR *d = opendir(folder);
	char path[1024], name[128];
	struct dirent *de;
	int n = 0;

	if (!d)
		scratch_die(folder);
	while ((de = readdir(d))) {
		const char *dot = strstr(de->d_name, ".tar.zst");

		if (!dot)
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, de->d_name);
		unpack(path);
		snprintf(name, sizeof(name), "%.*s/db/chroma.sqlite3",
		    (int)(dot - de->d_name), de->d_name);
		file = scratch_path(name);
		is("", de->d_name);
		change("VACUUM");
		is("", "  after VACUUM");
		n++;
	}
	closedir(d);
	ok(n >= 18, "%d databases of real Chromas", n);
}

/* The text of a row of sqlite_master is replaced by sql, as a file that no
 * SQLite made could have it. */
#define SET(name, sql) "UPDATE sqlite_master SET sql = " sql \
	" WHERE name = '" name "'"
#define PUT(name, from, to) SET(name, "replace(sql, '" from "', '" to "')")

static const struct {
	const char *name, *sql;
} passes[] = {
	{ "comments, white space", SET("embeddings_queue_config",
	    "'CREATE TABLE embeddings_queue_config/* ; x */(id--('||char(10)||"
	    "'INTEGER'||char(9,12,13)||'PRIMARY KEY,config_json_str TEXT)--'")
	},
	{ "names in quotes", SET("embeddings_queue_config",
	    "'CREATE TABLE \"embeddings_queue_config\"([id] INTEGER PRIMARY "
	    "KEY, `config_json_str` TEXT)'") },
	{ "columns in another order", "DROP TABLE embeddings_queue_config; "
	    "CREATE TABLE embeddings_queue_config (config_json_str TEXT, "
	    "id INTEGER PRIMARY KEY)" },
	{ "the full-text table of 0.4.1", "CREATE VIRTUAL TABLE "
	    "embedding_fulltext USING fts5(id, string_value)" },
	{ "the one of 0.4.0", "CREATE VIRTUAL TABLE embedding_fulltext "
	    "USING fts5(id, string_value, tokenize=\"trigram\")" },
	{ "another page size", "PRAGMA page_size=1024; VACUUM" },
	{ "a free page", "CREATE TABLE x (a); DROP TABLE x" },
};

/* ---- what does not ---- */

#define AS_NOT(what) " is not as Chroma makes it: " what
#define TABLE(t, word) "table \"" t "\"" AS_NOT("\"" word "\"")

static const struct {
	const char *name, *sql, *want;
} fails[] = {
	{ "a trigger", "CREATE TRIGGER t AFTER INSERT ON embeddings BEGIN "
	    "DELETE FROM tenants; END", "trigger \"t\" is none of Chroma's" },
	{ "a view", "CREATE VIEW v AS SELECT 1",
	    "view \"v\" is none of Chroma's" },
	{ "a view called like a table of Chroma's", "DROP TABLE "
	    "maintenance_log; CREATE VIEW maintenance_log AS SELECT 1 AS id",
	    "view \"maintenance_log\" is none of Chroma's" },
	{ "another table", "CREATE TABLE queries (id)",
	    "table \"queries\" is none of Chroma's" },
	{ "one with a name for a terminal", "CREATE TABLE \"\x1b[2J\xff"
	    "0123456789012345678901234567890123456789\" (id)",
	    "table \"?[2J?01234567890123456789012345678901234...\" is none "
	    "of Chroma's" },
	{ "statistics", "ANALYZE",
	    "table \"sqlite_stat1\" is none of Chroma's" },
	{ "another virtual table",
	    "CREATE VIRTUAL TABLE r USING rtree(id, a, b)",
	    "table \"r\" is none of Chroma's" },
	{ "a full-text table for another", "CREATE VIRTUAL TABLE "
	    "embedding_fulltext USING fts5(id, string_value, "
	    "content='collections')",
	    TABLE("embedding_fulltext", "content") },
	{ "another tokenizer", "CREATE VIRTUAL TABLE embedding_fulltext "
	    "USING fts5(id, string_value, tokenize='porter')",
	    TABLE("embedding_fulltext", "porter") },
	{ "a module in its place", SET("embedding_fulltext_search",
	    "'CREATE VIRTUAL TABLE embedding_fulltext_search USING "
	    "rtree(string_value, tokenize=''trigram'')'"),
	    TABLE("embedding_fulltext_search", "rtree") },
	{ "a comment for a module", SET("embedding_fulltext_search",
	    "'CREATE VIRTUAL TABLE embedding_fulltext_search USING "
	    "fts5(string_value, tokenize/**/=''trigram'')'"),
	    TABLE("embedding_fulltext_search", "a comment") },
	{ "a full-text table that is none", "DROP TABLE "
	    "embedding_fulltext_search; CREATE TABLE "
	    "embedding_fulltext_search (string_value)",
	    "table \"embedding_fulltext_search\" is none of Chroma's" },
	{ "settings of the full-text index", "INSERT INTO "
	    "embedding_fulltext_search(embedding_fulltext_search, rank) "
	    "VALUES ('pgsz', 512)", "table \"embedding_fulltext_search_config\""
	    " has settings that Chroma does not make" },
	{ "a table that was virtual", "DROP TABLE embeddings_queue_config; "
	    "CREATE VIRTUAL TABLE embeddings_queue_config USING "
	    "fts5(config_json_str)",
	    "table \"embeddings_queue_config\" is none of Chroma's" },
	{ "CHECK", PUT("embeddings_queue_config", "config_json_str TEXT",
	    "config_json_str TEXT CHECK (length(config_json_str) > 0)"),
	    TABLE("embeddings_queue_config", "CHECK") },
	{ "CHECK of a table", PUT("embeddings_queue_config",
	    "config_json_str TEXT", "config_json_str TEXT, CHECK (1)"),
	    TABLE("embeddings_queue_config", "CHECK") },
	{ "a constraint", PUT("embeddings_queue_config",
	    "config_json_str TEXT", "config_json_str TEXT CONSTRAINT x "
	    "NOT NULL"), TABLE("embeddings_queue_config", "CONSTRAINT") },
	{ "a column that is not stored", "ALTER TABLE embeddings_queue_config "
	    "ADD COLUMN x TEXT GENERATED ALWAYS AS (upper(config_json_str))",
	    TABLE("embeddings_queue_config", "x") },
	{ "one of Chroma's that is not stored", PUT("embeddings_queue_config",
	    "config_json_str TEXT", "config_json_str TEXT AS (1)"),
	    TABLE("embeddings_queue_config", "AS") },
	{ "another column", "ALTER TABLE tenants ADD COLUMN x",
	    TABLE("tenants", "x") },
	{ "another type", PUT("embeddings_queue_config",
	    "config_json_str TEXT", "config_json_str BLOB"),
	    TABLE("embeddings_queue_config", "BLOB") },
	{ "a type of two words", PUT("embeddings_queue_config",
	    "config_json_str TEXT", "config_json_str TEXT \"PRIMARY\" KEY"),
	    TABLE("embeddings_queue_config", "PRIMARY") },
	{ "a collation", PUT("embeddings_queue_config",
	    "config_json_str TEXT", "config_json_str TEXT COLLATE NOCASE"),
	    TABLE("embeddings_queue_config", "COLLATE") },
	{ "a default", PUT("embeddings_queue_config",
	    "config_json_str TEXT", "config_json_str TEXT DEFAULT "
	    "(load_extension(''x''))"),
	    TABLE("embeddings_queue_config", "DEFAULT") },
	{ "another default", PUT("embeddings_queue",
	    "DEFAULT CURRENT_TIMESTAMP", "DEFAULT (randomblob(1000000000))"),
	    TABLE("embeddings_queue", "(") },
	{ "ON CONFLICT", PUT("tenants", "UNIQUE (id)",
	    "UNIQUE (id) ON CONFLICT REPLACE"), TABLE("tenants", "ON") },
	{ "a key in descending order", PUT("tenants", "UNIQUE (id)",
	    "UNIQUE (id DESC)"), TABLE("tenants", "DESC") },
	{ "AUTOINCREMENT", PUT("embeddings_queue_config",
	    "INTEGER PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT"),
	    TABLE("embeddings_queue_config", "AUTOINCREMENT") },
	{ "WITHOUT ROWID", "DROP TABLE embeddings_queue_config; CREATE TABLE "
	    "embeddings_queue_config (id INTEGER PRIMARY KEY, "
	    "config_json_str TEXT) WITHOUT ROWID",
	    TABLE("embeddings_queue_config", "WITHOUT") },
	{ "without WITHOUT ROWID", "DROP TABLE embedding_fulltext_search_config"
	    "; CREATE TABLE embedding_fulltext_search_config (k PRIMARY KEY, "
	    "v)", "table \"embedding_fulltext_search_config\""
	    AS_NOT("its text ends early") },
	{ "STRICT", "DROP TABLE embeddings_queue_config; CREATE TABLE "
	    "embeddings_queue_config (id INTEGER PRIMARY KEY, "
	    "config_json_str TEXT) STRICT",
	    TABLE("embeddings_queue_config", "STRICT") },
	{ "a table that refers to another one", PUT("databases",
	    "REFERENCES tenants", "REFERENCES segments"),
	    TABLE("databases", "segments") },
	{ "a part that is a bracket", PUT("tenants", "UNIQUE (id)",
	    "UNIQUE ((id))"), TABLE("tenants", "(") },
	{ "an index", "CREATE INDEX i ON embeddings (seq_id)",
	    "index \"i\" is none of Chroma's" },
	{ "an index of another table", "DROP INDEX "
	    "embedding_metadata_int_value; CREATE INDEX "
	    "embedding_metadata_int_value ON embeddings (seq_id)",
	    "index \"embedding_metadata_int_value\" is none of Chroma's" },
	{ "an index of an expression", "DROP INDEX "
	    "embedding_metadata_int_value; CREATE INDEX "
	    "embedding_metadata_int_value ON embedding_metadata (key, "
	    "upper(int_value)) WHERE int_value IS NOT NULL",
	    "index \"embedding_metadata_int_value\"" AS_NOT("\"upper\"") },
	{ "an index for what a function says", "DROP INDEX "
	    "embedding_metadata_int_value; CREATE INDEX "
	    "embedding_metadata_int_value ON embedding_metadata (key, "
	    "int_value) WHERE length(key) > 3",
	    "index \"embedding_metadata_int_value\"" AS_NOT("\"length\"") },
	{ "more of one", "DROP INDEX embedding_metadata_int_value; CREATE "
	    "INDEX embedding_metadata_int_value ON embedding_metadata (key, "
	    "int_value) WHERE int_value IS NOT NULL AND key GLOB 'a'",
	    "index \"embedding_metadata_int_value\"" AS_NOT("\"AND\"") },
	{ "less of one", "DROP INDEX embedding_metadata_int_value; CREATE "
	    "INDEX embedding_metadata_int_value ON embedding_metadata (key, "
	    "int_value)", "index \"embedding_metadata_int_value\""
	    AS_NOT("its text ends early") },
	{ "an index that is UNIQUE", "DROP INDEX embedding_metadata_int_value;"
	    " CREATE UNIQUE INDEX embedding_metadata_int_value ON "
	    "embedding_metadata (key, id) WHERE int_value IS NOT NULL",
	    "index \"embedding_metadata_int_value\"" AS_NOT("\"UNIQUE\"") },
	/* what no SQLite makes */
	{ "a text that is none", SET("tenants", "'CREATE TABLE tenants (id'"),
	    "malformed database schema (tenants)..." },
	{ "another name in the text", SET("tenants",
	    "'CREATE TABLE databases (id TEXT PRIMARY KEY, UNIQUE (id))'"),
	    "malformed database schema (tenants)" },
	{ "another row's name", "UPDATE sqlite_master SET tbl_name = 'segments' "
	    "WHERE name = 'tenants'", "malformed database schema (tenants)" },
	{ "a row without a name", "UPDATE sqlite_master SET name = NULL "
	    "WHERE name = 'maintenance_log'",
	    "malformed database schema (?)" },
	{ "a text of two statements", PUT("maintenance_log", ")",
	    "); DROP TABLE tenants"), TABLE("maintenance_log", ";") },
	{ "a NUL in a text", SET("maintenance_log", "sql || char(0) || "
	    "'CHECK (1)'"), TABLE("maintenance_log", "?") },
	{ "a NUL in a comment", SET("maintenance_log", "sql || '--' || "
	    "char(0)"), TABLE("maintenance_log", "?") },
	{ "a keyword in quotes", PUT("embeddings_queue_config",
	    "INTEGER PRIMARY KEY", "INTEGER \"PRIMARY\" KEY"),
	    TABLE("embeddings_queue_config", "PRIMARY") },
	{ "an option in quotes", SET("embedding_fulltext_search",
	    "'CREATE VIRTUAL TABLE embedding_fulltext_search USING "
	    "fts5(string_value, \"tokenize\"=''trigram'')'"),
	    TABLE("embedding_fulltext_search", "tokenize") },
	{ "a table of no page", "UPDATE sqlite_master SET rootpage = 99999 "
	    "WHERE name = 'maintenance_log'",
	    "malformed database schema (maintenance_log)..." },
	{ "two tables of one page", "UPDATE sqlite_master SET rootpage = "
	    "(SELECT rootpage FROM sqlite_master WHERE name = 'tenants') "
	    "WHERE name = 'maintenance_log'",
	    "SQLite's quick_check: ..." },
	{ "a table made virtual", "UPDATE sqlite_master SET rootpage = 0 "
	    "WHERE name = 'maintenance_log'",
	    "table \"maintenance_log\" is none of Chroma's" },
	{ "a row of a kind that is none", "INSERT INTO sqlite_master VALUES "
	    "('procedure', 'p', 'p', 0, NULL)",
	    "malformed database schema (p)..." },
	{ "one with a text", "INSERT INTO sqlite_master VALUES "
	    "('table ', 'p', 'p', 0, 'CREATE TABLE p (a)')",
	    "malformed database schema (p)..." },
	{ "an index for keys that there are not", "INSERT INTO sqlite_master "
	    "VALUES ('index', 'sqlite_autoindex_tenants_9', 'tenants', 5, "
	    "NULL)", "malformed database schema (sqlite_autoindex_tenants_9)..." },
	{ "rows of an index missing", "UPDATE sqlite_master SET sql = NULL, "
	    "type = 'x' WHERE name = 'sqlite_autoindex_tenants_1'",
	    "x \"sqlite_autoindex_tenants_1\" is none of Chroma's" },
};

static void
test_file(void)
{
	struct buf b = { 0 };
	size_t size;

	scratch_read(original, &b);
	size = b.len;
	scratch_write(file, slice_of(b.p, size - 1));
	is("294911 bytes, but its 72 pages have 294912", "a byte too few");
	scratch_write(file, slice_of(b.p, size - 4096));
	is("database disk image is malformed", "a page too few");
	scratch_write(file, slice_of(b.p, 512));
	is("database disk image is malformed", "a sector");
	scratch_write(file, slice_of(b.p, 60));
	is("database disk image is malformed", "60 bytes");
	scratch_write(file, slice_of(b.p, 0));
	is("an empty database", "nothing");
	change("PRAGMA encoding='UTF-16le'; CREATE TABLE tenants (id TEXT "
	    "PRIMARY KEY, UNIQUE (id))");
	is("its encoding: UTF-16le", "UTF-16");
	scratch_write(file, slice_str("version https://git-lfs.github.com/"
	    "spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b12"
	    "58daaa5e2ca24d17e2393\nsize 12345\n"));
	is("not a SQLite database", "something else");
	buf_addc(&b, 'x');
	scratch_write(file, buf_slice(&b));
	is("294913 bytes, but its 72 pages have 294912", "a byte too many");
	b.p[0x9000 + 3] = 0x7f;		/* page 10: how many cells it has */
	b.len--;
	scratch_write(file, buf_slice(&b));
	is("SQLite's quick_check: ...", "a page damaged");
	buf_release(&b);
	unlink(file);
}

int
main(int argc, char **argv)
{
	char folder[600];
	const char *end = strrchr(argv[0], '/');
	size_t i;

	(void)argc;
	/* build/BUILD/tests/unit */
	snprintf(folder, sizeof(folder), "%.*s/../../../../tests/data/persist",
	    end ? (int)(end - argv[0]) : 1, end ? argv[0] : ".");
	test_chromas(folder);
	original = strdup(scratch_path("1.5.9/db/chroma.sqlite3"));
	file = strdup(scratch_path("changed.sqlite3"));
	for (i = 0; i < COUNT(passes); i++) {
		copy_original();
		change(passes[i].sql);
		is("", passes[i].name);
	}
	for (i = 0; i < COUNT(fails); i++)
		refused(fails[i].name, fails[i].sql, fails[i].want);
	test_file();
	return tap_done();
}
