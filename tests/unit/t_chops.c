/* SPDX-License-Identifier: Apache-2.0 */
/* t_chops - what chops made becomes a snapshot of ours; what it cannot have
 * made is refused. */
#include "chroma/chops.h"

#include <signal.h>
#include <sys/resource.h>
#include <zlib.h>

#include "base/sha256.h"
#include "chroma/safeschema.h"

#include "../scratch.h"
#include "../tap.h"

static const char *file, *dir;
static char folder[600];
static struct manifest m;
static struct buf original;

/* ---- making ---- */

static void
take_archive(const char *name)
{
	char command[1400];

	snprintf(command, sizeof(command), "zstd -dcqf '%s/%s.db.zst' >'%s'",
	    folder, name, file);
	if (system(command) != 0)
		scratch_die(command);
	buf_reset(&original);
	scratch_read(file, &original);
}

static void
open_file(struct db *db)
{
	struct err e;

	if (db_open(db, file, "file", DB_WRITE, 0, &e) < 0)
		scratch_die(e.msg);
	db_schema_writable(db, true);
	if (db_exec(db, "PRAGMA synchronous=OFF", &e) < 0)
		scratch_die(e.msg);
}

static void
change(const char *sql)
{
	struct db db;
	struct err e;

	open_file(&db);
	if (db_exec(&db, sql, &e) < 0)
		scratch_die(e.msg);
	db_close(&db);
}

/* A file of the index is replaced: packed, and sums, fit. */
static void
replace(const char *name, const void *p, size_t n)
{
	unsigned char digest[SHA256_SIZE];
	uLongf len = compressBound(n);
	char *packed = malloc(len), hex[2 * SHA256_SIZE + 1];
	struct sha256 sha;
	struct db_stmt st;
	struct db db;
	struct err e;
	int i;

	if (!packed || compress2((Bytef *)packed, &len, p, n, 9) != Z_OK)
		scratch_die("compress");
	sha256_init(&sha);
	sha256_add(&sha, p, n);
	sha256_end(&sha, digest);
	for (i = 0; i < SHA256_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	open_file(&db);
	if (db_prepare(&db, &st, "UPDATE hnsw_segment_data SET data = ?1, "
	    "sha256 = ?2 WHERE filename = ?3", &e) < 0)
		scratch_die(e.msg);
	db_bind_blob(&st, 1, slice_of(packed, len));
	db_bind_text(&st, 2, slice_str(hex));
	db_bind_text(&st, 3, slice_str(name));
	if (db_step(&st, &e) < 0)
		scratch_die(e.msg);
	db_finish(&st);
	db_close(&db);
	free(packed);
}

/* ---- unpacking ---- */

static const char *
unpack(void)
{
	static struct err e;

	nftw(dir, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	if (mkdir(dir, 0777) < 0)
		scratch_die("mkdir");
	e = (struct err){ 0 };
	if (chops_unpack(file, dir, NULL, &m, &e) == 0)
		return e.status ? "an error, and no error" : "";
	if (m.collections || m.members)
		return "a manifest, and an error";
	if (e.status != STATUS_DATA ||
	    strncmp(e.msg, file, strlen(file)) != 0) {
		printf("# %d: %s\n", e.status, e.msg);
		return "not that kind of error";
	}
	return e.msg + strlen(file) + 2;
}

static void
is(const char *want, const char *name)
{
	const char *got = unpack(), *dots = strstr(want, "...");
	bool same = dots && !dots[3] ?
	    strncmp(got, want, (size_t)(dots - want)) == 0 :
	    strcmp(got, want) == 0;

	ok(same, "%s%s%s", name, *got ? ": " : "", got);
	if (!same)
		printf("# wanted: %s\n", want);
	manifest_release(&m);
}

static void
refused(const char *name, const char *sql, const char *want)
{
	scratch_write(file, buf_slice(&original));
	change(sql);
	is(want, name);
}

static const char *
in_dir(const char *name)
{
	static char path[700];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static int64_t
number(const char *sql)
{
	struct db db;
	struct err e;
	int64_t v = -1;

	if (db_open(&db, in_dir("chroma.sqlite3"), "x", DB_UNTRUSTED, 0,
	    &e) < 0 || db_int(&db, sql, &v, &e) < 0)
		scratch_die(e.msg);
	db_close(&db);
	return v;
}

static bool
is_safe(void)
{
	struct db db;
	struct err e;
	int r = db_open(&db, in_dir("chroma.sqlite3"), "x", DB_UNTRUSTED, 0,
	    &e);

	if (r == 0) {
		r = safeschema_check(&db, &e);
		db_close(&db);
	}
	if (r < 0)
		printf("# %s\n", e.msg);
	return r == 0;
}

static void
test_members(void)
{
	struct stat st;
	size_t i;

	for (i = 0; i < m.members; i++)
		ok(stat(in_dir(m.member[i].name), &st) == 0 &&
		    (uint64_t)st.st_size == m.member[i].size &&
		    m.member[i].stored == m.member[i].size, "  %s",
		    i ? strrchr(m.member[i].name, '/') : m.member[i].name);
	ok(m.members > 0 && strcmp(m.member[0].name, "chroma.sqlite3") == 0,
	    "  the database first");
}

static const struct sound {
	const char *archive;
	int metadb;
	const char *space, *note;
	int64_t M, ef_construction, ef_search;
	uint64_t records, rows, metadata, vector;
	size_t members;
	int64_t config;		/* length of config_json_str */
} sound[] = {
	{ "0.6.3-docs", 4, "cosine", NULL, 16, 100, 100, 63, 11, 90, 80, 6,
	    255 },
	{ "1.5.9-docs", 5, "cosine", NULL, 16, 100, 100, 63, 8, 90, 83, 6,
	    180 },
	{ "1.5.9-default", 5, NULL, "chops did not save its distance function",
	    16, 100, 100, 12, 12, 102, 0, 5, 2 },
	{ "1.5.9-configured", 5, NULL, "chops did not save its distance "
	    "function", 12, 64, 100, 26, 1, 271, 271, 6, 2 },
};

static void
test_sound(const struct sound *s)
{
	const struct manifest_collection *c;
	const char *got;
	struct buf json = { 0 };
	struct manifest again = { 0 };
	struct err e;

	take_archive(s->archive);
	got = unpack();
	ok(*got == '\0' && m.collections == 1, "%s %s", s->archive, got);
	if (*got || m.collections != 1)
		return;
	c = &m.collection[0];
	manifest_write(&m, &json);
	ok(manifest_read(&again, buf_slice(&json), &e) == 0,
	    "  the manifest can be read");
	manifest_release(&again);
	buf_release(&json);
	ok(m.queue == 2 && m.metadb == s->metadb && m.sysdb == 9, "  its era");
	ok(strcmp(c->name, strchr(s->archive, '-') + 1) == 0 &&
	    strcmp(c->tenant, "default_tenant") == 0 &&
	    strcmp(c->database, "default_database") == 0 &&
	    c->dimension == 8, "  its names");
	ok((s->space ? c->space && strcmp(c->space, s->space) == 0 :
	    !c->space) && (s->note ? c->note && strcmp(c->note, s->note) == 0 :
	    !c->note), "  its distance function: %s",
	    c->space ? c->space : "unknown");
	ok(c->M == s->M && c->ef_construction == s->ef_construction &&
	    c->ef_search == s->ef_search, "  its parameters: %d %d %d",
	    (int)c->M, (int)c->ef_construction, (int)c->ef_search);
	ok(c->records == s->records && c->rows == s->rows && c->whole &&
	    (int64_t)c->from_seq_id == number("SELECT min(seq_id) FROM "
	    "embeddings_queue") &&
	    (int64_t)c->to_seq_id == number("SELECT max(seq_id) FROM "
	    "embeddings_queue"), "  its records, and rows of the log: %d %d",
	    (int)c->records, (int)c->rows);
	ok(c->has_metadata_seq_id && c->metadata_seq_id == s->metadata &&
	    c->has_vector_seq_id == (s->vector > 0) &&
	    c->vector_seq_id == s->vector, "  its watermarks: %d %d",
	    (int)c->metadata_seq_id, (int)c->vector_seq_id);
	ok(number("SELECT length(config_json_str) FROM collections") ==
	    s->config, "  its configuration: %d", (int)number(
	    "SELECT length(config_json_str) FROM collections"));
	ok(m.members == s->members && is_safe(), "  %d files, a safe database",
	    (int)m.members);
	ok(strlen(m.created_at) == 20 && m.created_at[10] == 'T',
	    "  its time: %s", m.created_at);
	test_members();
	manifest_release(&m);
}

/* ---- what is refused ---- */

#define FILES "table \"hnsw_segment_data\": a row is none of a file of the " \
	"collection's index"
#define ALIEN(t) "table \"" t "\": a row is not of the collection"
#define TYPE(t, n) "table \"" t "\": column " n " is of another type"
#define SEGMENTS "table \"segments\": not one VECTOR segment and one " \
	"METADATA segment of Chroma's own"

static const struct {
	const char *name, *sql, *want;
} fails[] = {
	{ "another SHA-256", "UPDATE hnsw_segment_data SET sha256 = "
	    "replace(sha256, substr(sha256, 1, 1), 'x') WHERE filename = "
	    "'length.bin'", "length.bin: its SHA-256 is another one" },
	{ "one in capitals", "UPDATE hnsw_segment_data SET sha256 = "
	    "upper(sha256) WHERE filename = 'length.bin'",
	    "length.bin: its SHA-256 is another one" },
	{ "none", "UPDATE hnsw_segment_data SET sha256 = NULL", FILES },
	{ "no zlib", "UPDATE hnsw_segment_data SET data = x'6e6f207a6c6962' "
	    "WHERE filename = 'header.bin'",
	    "header.bin: zlib: incorrect header check" },
	{ "zlib cut short", "UPDATE hnsw_segment_data SET data = "
	    "substr(data, 1, length(data) - 5) WHERE filename = "
	    "'data_level0.bin'", "data_level0.bin: zlib: cut short" },
	{ "no bytes", "UPDATE hnsw_segment_data SET data = x''",
	    "header.bin: zlib: cut short" },
	{ "bytes after it", "UPDATE hnsw_segment_data SET data = "
	    "CAST(data || x'00' AS BLOB) WHERE filename = 'length.bin'",
	    "length.bin: zlib: bytes after the end" },
	{ "its checksum", "UPDATE hnsw_segment_data SET data = "
	    "CAST(substr(data, 1, length(data) - 4) || x'00000000' AS BLOB) "
	    "WHERE filename = 'length.bin'",
	    "length.bin: zlib: incorrect data check" },
	{ "a file that is text", "UPDATE hnsw_segment_data SET data = 'x'",
	    FILES },
	{ "a name with a slash", "UPDATE hnsw_segment_data SET filename = "
	    "'../header.bin' WHERE filename = 'header.bin'", FILES },
	{ "a name of another file", "INSERT INTO hnsw_segment_data "
	    "(segment_id, filename, data, sha256) SELECT segment_id, "
	    "'header.bin~', data, sha256 FROM hnsw_segment_data LIMIT 1",
	    FILES },
	{ "a name twice", "INSERT INTO hnsw_segment_data (segment_id, "
	    "filename, data, sha256) SELECT 'x', filename, data, sha256 FROM "
	    "hnsw_segment_data LIMIT 1", FILES },
	{ "a file of another segment", "UPDATE hnsw_segment_data SET "
	    "segment_id = (SELECT id FROM segments WHERE scope = 'METADATA')",
	    FILES },
	{ "a file missing", "DELETE FROM hnsw_segment_data WHERE filename = "
	    "'link_lists.bin'", "no link_lists.bin" },
	/* tables */
	{ "no table", "DROP TABLE segment_metadata",
	    "no table \"segment_metadata\"" },
	{ "one more", "CREATE TABLE x (a)", "table \"x\" is none of chops's" },
	{ "a table of Chroma's", "CREATE TABLE tenants (id TEXT PRIMARY KEY, "
	    "UNIQUE (id))", "table \"tenants\" is none of chops's" },
	{ "a view for a table", "PRAGMA legacy_alter_table=ON; ALTER TABLE "
	    "segments RENAME TO c; CREATE VIEW segments AS SELECT * FROM c",
	    "table \"c\" is none of chops's" },
	{ "a view alone", "DROP TABLE collections; CREATE VIEW collections AS "
	    "SELECT 1 AS id", "view \"collections\" is none of chops's" },
	{ "a trigger", "CREATE TRIGGER t AFTER INSERT ON embeddings BEGIN "
	    "DELETE FROM embeddings; END", "trigger \"t\" is none of chops's" },
	{ "one more column", "ALTER TABLE collections ADD COLUMN schema_str "
	    "TEXT", "table \"collections\" is not as chops makes it: "
	    "\"schema_str\"" },
	{ "a column that is not stored", "ALTER TABLE collections DROP COLUMN "
	    "config_json_str; ALTER TABLE collections ADD COLUMN "
	    "config_json_str TEXT AS (name)", "table \"collections\" is not "
	    "as chops makes it: \"AS\"" },
	{ "a column missing", "ALTER TABLE collections DROP COLUMN dimension",
	    "no such column: dimension" },
	/* rows */
	{ "no collection", "DELETE FROM collections",
	    "no collection is in it" },
	{ "two collections", "INSERT INTO collections SELECT "
	    "'00000000-0000-4000-8000-000000000000', 'b', dimension, "
	    "database_id, database_name, tenant_id, NULL FROM collections",
	    "two collections are in it" },
	{ "an id that is a path", "UPDATE collections SET id = '../../x'",
	    "the collection's id is not a UUID" },
	{ "one in capitals", "UPDATE collections SET id = "
	    "'ABCDEF00-0000-4000-8000-000000000000'",
	    "the collection's id is not a UUID" },
	{ "a segment's that is a path", "UPDATE segments SET id = '../x' "
	    "WHERE scope = 'VECTOR'", SEGMENTS },
	{ "another kind of index", "UPDATE segments SET type = "
	    "'urn:chroma:segment/vector/spann' WHERE scope = 'VECTOR'",
	    SEGMENTS },
	{ "a third segment", "INSERT INTO segments SELECT "
	    "'00000000-0000-4000-8000-000000000000', type, scope, collection "
	    "FROM segments LIMIT 1", SEGMENTS },
	{ "one segment", "DELETE FROM segments WHERE scope = 'METADATA'",
	    SEGMENTS },
	{ "a segment of another collection", "UPDATE segments SET collection "
	    "= 'x' WHERE scope = 'VECTOR'", ALIEN("segments") },
	{ "another log", "UPDATE embeddings_queue SET topic = "
	    "'persistent://default/default/x'", ALIEN("embeddings_queue") },
	{ "a record of another segment", "UPDATE embeddings SET segment_id = "
	    "'x' WHERE id = (SELECT max(id) FROM embeddings)",
	    ALIEN("embeddings") },
	{ "metadata of no record", "UPDATE embedding_metadata SET id = 99999 "
	    "WHERE rowid = 1", ALIEN("embedding_metadata") },
	{ "a watermark of another segment", "UPDATE max_seq_id SET segment_id "
	    "= 'x' WHERE rowid = 1", ALIEN("max_seq_id") },
	{ "a parameter of another segment", "UPDATE segment_metadata SET "
	    "segment_id = 'x' WHERE rowid = 1", ALIEN("segment_metadata") },
	{ "watermarks of two eras", "UPDATE max_seq_id SET seq_id = 7 "
	    "WHERE rowid = 1",
	    "table \"max_seq_id\": numbers of two eras" },
	{ "a watermark of 7 bytes", "UPDATE max_seq_id SET seq_id = "
	    "x'01020304050607'", TYPE("max_seq_id", "2") },
	{ "a negative one", "UPDATE max_seq_id SET seq_id = -1",
	    TYPE("max_seq_id", "2") },
	{ "a negative number of the log", "UPDATE embeddings_queue SET seq_id "
	    "= -1 WHERE seq_id = (SELECT min(seq_id) FROM embeddings_queue)",
	    "table \"embeddings_queue\": a negative number" },
	{ "an id that is a BLOB", "UPDATE embeddings SET embedding_id = x'00' "
	    "WHERE rowid = 1", TYPE("embeddings", "3") },
	{ "a vector that is text", "UPDATE embeddings_queue SET vector = 'x'",
	    TYPE("embeddings_queue", "6") },
	{ "a name that is a BLOB", "UPDATE collections SET name = x'00'",
	    TYPE("collections", "2") },
	{ "a database that is none", "UPDATE collections SET database_name = "
	    "x'00'", TYPE("collections", "5") },
};

/* A bomb, told by what header.bin says. */
static void
test_bounds(void)
{
	size_t n = (size_t)4 << 20, i;
	char *zeros = calloc(1, n), header[100] = { 0 };
	static const struct {
		const char *name, *want;
	} files[] = {
		{ "header.bin", "header.bin: more than the 100 bytes that it "
		    "can have" },
		{ "data_level0.bin", "data_level0.bin: more than the ..." },
		{ "length.bin", "length.bin: more than the ..." },
		{ "link_lists.bin", "link_lists.bin: more than the ..." },
	};

	if (!zeros)
		scratch_die("calloc");
	for (i = 0; i < COUNT(files); i++) {
		scratch_write(file, buf_slice(&original));
		replace(files[i].name, zeros, n);
		is(files[i].want, "a file that is too long");
	}
	scratch_write(file, buf_slice(&original));
	replace("header.bin", header, 100);
	is("header.bin: ...", "a header of zeros");
	scratch_write(file, buf_slice(&original));
	replace("header.bin", header, 99);
	is("header.bin: ...", "a short header");
	free(zeros);
}

/* A distance function that is given: 0 or what is wrong; *space is what the
 * manifest says then. */
static int
unpack_as(const char *name, const char *space, char got[16])
{
	struct err e = { 0 };
	int r;

	take_archive(name);
	nftw(dir, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	if (mkdir(dir, 0777) < 0)
		scratch_die("mkdir");
	r = chops_unpack(file, dir, space, &m, &e);
	if (r < 0 && (e.status != STATUS_USAGE || m.collections))
		return -1;
	snprintf(got, 16, "%s", r < 0 ? "refused" : m.collection[0].note ?
	    "a note" : m.collection[0].space);
	return e.status;
}

static enum chops_cosine
index_says(void)
{
	enum chops_cosine what = CHOPS_UNKNOWN;
	int fd = open(dir, O_RDONLY | O_DIRECTORY);
	struct err e;

	if (fd < 0 || chops_cosine(fd, &m.collection[0], &what, &e) < 0)
		scratch_die("chops_cosine");
	close(fd);
	return what;
}

static void
test_space(void)
{
	static const char *const names[] = { "l2", "ip", "cosine" };
	char got[16] = "";
	size_t i;

	for (i = 0; i < COUNT(names); i++) {
		ok(unpack_as("1.5.9-configured", names[i], got) == 0 &&
		    strcmp(got, names[i]) == 0, "given: %s", got);
		ok(index_says() == CHOPS_LIKELY_COSINE, "its index: cosine");
		manifest_release(&m);
	}
	ok(unpack_as("1.5.9-default", "ip", got) == 0 &&
	    strcmp(got, "ip") == 0, "given, nothing in the index: %s", got);
	ok(index_says() == CHOPS_UNKNOWN, "its index: nothing");
	manifest_release(&m);
	ok(unpack_as("1.5.9-docs", "cosine", got) == STATUS_USAGE &&
	    unpack_as("0.6.3-docs", "l2", got) == STATUS_USAGE,
	    "given for one that says its own: %s", got);
}

/* The disk is full, as far as a file of that size can show it. */
static void
test_full(void)
{
	struct rlimit old, small;
	struct err e = { 0 };
	int r;

	scratch_write(file, buf_slice(&original));
	unpack();
	manifest_release(&m);
	nftw(dir, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	if (mkdir(dir, 0777) < 0 || getrlimit(RLIMIT_FSIZE, &old) < 0)
		scratch_die("mkdir");
	signal(SIGXFSZ, SIG_IGN);
	small = old;
	small.rlim_cur = 160000;
	setrlimit(RLIMIT_FSIZE, &small);
	r = chops_unpack(file, dir, NULL, &m, &e);
	setrlimit(RLIMIT_FSIZE, &old);
	ok(r < 0 && e.status == STATUS_SYSTEM && strstr(e.msg,
	    "data_level0.bin: write: File too large"), "a write fails: %s",
	    e.msg + strlen(file));
}

int
main(int argc, char **argv)
{
	const char *end = strrchr(argv[0], '/');
	size_t i;

	(void)argc;
	/* build/BUILD/tests/unit */
	snprintf(folder, sizeof(folder), "%.*s/../../../../tests/data/chops",
	    end ? (int)(end - argv[0]) : 1, end ? argv[0] : ".");
	file = strdup(scratch_path("snapshot.db"));
	dir = strdup(scratch_path("unpacked"));
	for (i = 0; i < COUNT(sound); i++)
		test_sound(&sound[i]);
	take_archive("0.6.3-docs");
	ok(chops_is(original.p, 16) && !chops_is(original.p, 15) &&
	    !chops_is("SQLite format 4", 16), "told by its first bytes");
	for (i = 0; i < COUNT(fails); i++)
		refused(fails[i].name, fails[i].sql, fails[i].want);
	test_bounds();
	test_full();
	test_space();
	buf_release(&original);
	return tap_done();
}
