/* SPDX-License-Identifier: Apache-2.0 */
/* chops.c - a snapshot that chops made, as an unpacked one of ours. */
#include "chroma/chops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/file.h"
#include "base/num.h"
#include "base/sha256.h"
#include "base/uuid.h"
#include "chroma/catalog.h"
#include "chroma/db.h"
#include "chroma/elements.h"
#include "chroma/index.h"
#include "chroma/persist.h"
#include "chroma/safeschema.h"
#include "stream/json.h"
#include "stream/unzlib.h"

#define PIECE ((size_t)256 << 10)	/* bytes read and written at once */
#define PICKLE_BOUND ((uint64_t)4 << 30)	/* as index_pickle() can read */

bool
chops_is(const void *p, size_t n)
{
	return n >= 16 && memcmp(p, "SQLite format 3", 16) == 0;
}

struct chops {
	struct db from, to;
	int dirfd;
	const char *space;	/* for one that does not say its own, or NULL */
	struct manifest *m;
	bool integers;		/* watermarks are INTEGERs: Chroma >= 1.0 */
	char *id, *vector, *metadata;	/* of the collection, its segments */
	struct index_header header;
	bool has_header;
	uint64_t index_bytes;
	char created[24];	/* the newest time of an index file, or "" */
	char *piece, *raw;	/* PIECE bytes each */
};

/* ---- the tables ---- */

/* Chroma's tables, as 0.5.6 and later make them (chroma-layout(5)), but the one
 * for full text and max_seq_id. */
static const char *const make[] = {
	"CREATE TABLE migrations (dir TEXT NOT NULL, version INTEGER NOT NULL, "
	    "filename TEXT NOT NULL, sql TEXT NOT NULL, hash TEXT NOT NULL, "
	    "PRIMARY KEY (dir, version))",
	"CREATE TABLE tenants (id TEXT PRIMARY KEY, UNIQUE (id))",
	"CREATE TABLE databases (id TEXT PRIMARY KEY, name TEXT NOT NULL, "
	    "tenant_id TEXT NOT NULL REFERENCES tenants(id) ON DELETE CASCADE, "
	    "UNIQUE (tenant_id, name))",
	"CREATE TABLE collections (id TEXT PRIMARY KEY, name TEXT NOT NULL, "
	    "dimension INTEGER, database_id TEXT NOT NULL REFERENCES "
	    "databases(id) ON DELETE CASCADE, config_json_str TEXT, "
	    "UNIQUE (name, database_id))",
	"CREATE TABLE collection_metadata (collection_id TEXT REFERENCES "
	    "collections(id) ON DELETE CASCADE, key TEXT NOT NULL, "
	    "str_value TEXT, int_value INTEGER, float_value REAL, "
	    "bool_value INTEGER, PRIMARY KEY (collection_id, key))",
	"CREATE TABLE segments (id TEXT PRIMARY KEY, type TEXT NOT NULL, "
	    "scope TEXT NOT NULL, collection TEXT REFERENCES collection(id) "
	    "NOT NULL)",
	"CREATE TABLE segment_metadata (segment_id TEXT REFERENCES "
	    "segments(id) ON DELETE CASCADE, key TEXT NOT NULL, "
	    "str_value TEXT, int_value INTEGER, float_value REAL, "
	    "bool_value INTEGER, PRIMARY KEY (segment_id, key))",
	"CREATE TABLE maintenance_log (id INT PRIMARY KEY, timestamp INT NOT "
	    "NULL, operation TEXT NOT NULL)",
	"CREATE TABLE embeddings_queue (seq_id INTEGER PRIMARY KEY, created_at "
	    "TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, operation INTEGER "
	    "NOT NULL, topic TEXT NOT NULL, id TEXT NOT NULL, vector BLOB, "
	    "encoding TEXT, metadata TEXT)",
	"CREATE TABLE embeddings_queue_config (id INTEGER PRIMARY KEY, "
	    "config_json_str TEXT)",
	"CREATE TABLE embeddings (id INTEGER PRIMARY KEY, segment_id TEXT NOT "
	    "NULL, embedding_id TEXT NOT NULL, seq_id BLOB NOT NULL, "
	    "created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, "
	    "UNIQUE (segment_id, embedding_id))",
	"CREATE TABLE embedding_metadata (id INTEGER REFERENCES "
	    "embeddings(id), key TEXT NOT NULL, string_value TEXT, int_value "
	    "INTEGER, float_value REAL, bool_value INTEGER, "
	    "PRIMARY KEY (id, key))",
	"CREATE INDEX embedding_metadata_int_value ON embedding_metadata "
	    "(key, int_value) WHERE int_value IS NOT NULL",
	"CREATE INDEX embedding_metadata_float_value ON embedding_metadata "
	    "(key, float_value) WHERE float_value IS NOT NULL",
	"CREATE INDEX embedding_metadata_string_value ON embedding_metadata "
	    "(key, string_value) WHERE string_value IS NOT NULL",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What is copied; up to 8 columns.  Of each what may be in it: T text, I
 * integer, R number, B blob; in lower case or NULL; S a number of the log, in
 * either form.  Then a row that does not belong to the collection ?1, its
 * VECTOR segment ?2 or METADATA segment ?3; its topic is ?4. */
static const struct copied {
	const char *table, *columns, *types, *alien;
} copied[] = {
	{ "segments", "id, type, scope, collection", "TTTT",
	    "collection <> ?1" },
	{ "segment_metadata", "segment_id, key, str_value, int_value, "
	    "float_value, bool_value", "TTtiri", "segment_id NOT IN (?2, ?3)" },
	{ "collection_metadata", "collection_id, key, str_value, int_value, "
	    "float_value, bool_value", "TTtiri", "collection_id <> ?1" },
	{ "max_seq_id", "segment_id, seq_id", "TS",
	    "segment_id NOT IN (?2, ?3)" },
	{ "embeddings_queue", "seq_id, created_at, operation, topic, id, "
	    "vector, encoding, metadata", "ITITTbtt", "topic <> ?4" },
	{ "embeddings", "id, segment_id, embedding_id, seq_id, created_at",
	    "ITTST", "segment_id <> ?3" },
	{ "embedding_metadata", "id, key, string_value, int_value, "
	    "float_value, bool_value", "ITtiri",
	    "id NOT IN (SELECT id FROM embeddings)" },
};

/* Whether a value is what a column of this letter may have. */
static bool
fits(char letter, const struct db_value *v)
{
	switch (letter) {
	case 'S':
		return v->type == DB_INTEGER ? v->i >= 0 :
		    v->type == DB_BLOB &&
		    (v->bytes.len == 8 || v->bytes.len == 24);
	case 'T': case 't':
		return v->type == DB_TEXT || (letter == 't' && v->type == DB_NULL);
	case 'I': case 'i':
		return v->type == DB_INTEGER ||
		    (letter == 'i' && v->type == DB_NULL);
	case 'b':
		return v->type == DB_BLOB || v->type == DB_NULL;
	default:
		return v->type == DB_REAL || v->type == DB_INTEGER ||
		    v->type == DB_NULL;
	}
}

static void
bind(struct db_stmt *st, int i, const struct db_value *v)
{
	switch (v->type) {
	case DB_NULL: db_bind_null(st, i); break;
	case DB_INTEGER: db_bind_i64(st, i, v->i); break;
	case DB_REAL: db_bind_real(st, i, v->real); break;
	case DB_TEXT: db_bind_text(st, i, v->bytes); break;
	case DB_BLOB: db_bind_blob(st, i, v->bytes); break;
	}
}

static int
copy_row(const struct copied *t, struct db_stmt *from, struct db_stmt *to,
    struct err *e)
{
	int i, r, n = (int)strlen(t->types);

	for (i = 0; i < n; i++) {
		struct db_value v = db_col(from, i);

		if (!fits(t->types[i], &v))
			return err_data(e, "%s: table \"%s\": column %d is of "
			    "another type", err_tail(from->db->name), t->table,
			    i + 1);
		bind(to, i + 1, &v);
	}
	r = db_step(to, e);
	db_reset(to);
	return r;
}

static int
prepare_copy(struct chops *c, const struct copied *t, struct db_stmt *from,
    struct db_stmt *to, struct err *e)
{
	static const char values[] = "?1,?2,?3,?4,?5,?6,?7,?8";
	char sql[256];

	/* (an index of a stranger's may say something else than its table) */
	snprintf(sql, sizeof(sql), "SELECT %s FROM %s NOT INDEXED", t->columns,
	    t->table);
	if (db_prepare(&c->from, from, sql, e) < 0)
		return -1;
	snprintf(sql, sizeof(sql), "INSERT INTO %s (%s) VALUES (%.*s)",
	    t->table, t->columns, (int)(3 * strlen(t->types) - 1), values);
	if (db_prepare(&c->to, to, sql, e) < 0) {
		db_finish(from);
		return -1;
	}
	return 0;
}

static int
copy_table(struct chops *c, const struct copied *t, struct err *e)
{
	struct db_stmt from, to;
	int got;

	if (prepare_copy(c, t, &from, &to, e) < 0)
		return -1;
	while ((got = db_step(&from, e)) > 0)
		if (copy_row(t, &from, &to, e) < 0) {
			got = -1;
			break;
		}
	db_finish(&from);
	db_finish(&to);
	return got;
}

/* The text of a column for good; NULL with *e set. */
static char *
keep(struct chops *c, struct slice s, struct err *e)
{
	char *p = arena_copy(&c->m->arena, s.p ? s.p : "", s.len);

	if (!p)
		err_nomem(e);
	return p;
}

static bool
lower_uuid(struct slice s)
{
	size_t i;

	if (!uuid_is(s))
		return false;
	for (i = 0; i < s.len; i++)
		if (s.p[i] >= 'A' && s.p[i] <= 'F')
			return false;
	return true;
}

/* The single collection, with the rows of its tenant and database. */
static int
copy_collection(struct chops *c, struct err *e)
{
	static const struct copied row = { "collections", "", "TTiTTTt", "" };
	static const struct {
		const char *sql;
		int parameters;
	} into[] = {
		{ "INSERT INTO tenants SELECT ?6", 6 },
		{ "INSERT INTO databases SELECT ?4, ?5, ?6", 6 },
		{ "INSERT INTO collections SELECT ?1, ?2, ?3, ?4, ?7", 7 },
	};
	struct db_stmt from, to;
	struct db_value v[7];
	size_t k;
	int i, got;

	if (db_prepare(&c->from, &from, "SELECT id, name, dimension, "
	    "database_id, database_name, tenant_id, config_json_str "
	    "FROM collections NOT INDEXED", e) < 0)
		return -1;
	got = db_step(&from, e);
	if (got == 0)
		got = err_data(e, "%s: no collection is in it",
		    err_tail(c->from.name));
	for (i = 0; got > 0 && i < 7; i++) {
		v[i] = db_col(&from, i);
		if (!fits(row.types[i], &v[i]))
			got = err_data(e, "%s: table \"%s\": column %d is of "
			    "another type", err_tail(c->from.name), row.table,
			    i + 1);
	}
	if (got > 0 && !lower_uuid(v[0].bytes))
		got = err_data(e, "%s: the collection's id is not a UUID",
		    err_tail(c->from.name));
	if (got > 0 && !(c->id = keep(c, v[0].bytes, e)))
		got = -1;
	for (k = 0; got > 0 && k < COUNT(into); k++) {
		if (db_prepare(&c->to, &to, into[k].sql, e) < 0) {
			got = -1;
			break;
		}
		for (i = 0; i < into[k].parameters; i++)
			bind(&to, i + 1, &v[i]);
		if (db_step(&to, e) < 0)
			got = -1;
		db_finish(&to);
	}
	if (got > 0) {
		got = db_step(&from, e);
		if (got > 0)
			got = err_data(e, "%s: two collections are in it",
			    err_tail(c->from.name));
	}
	db_finish(&from);
	return got;
}

/* What makes its watermarks' era; and where there is none, what says that a
 * Chroma from 1.0 on wrote here. */
static int
find_era(struct chops *c, struct err *e)
{
	int64_t rows = 0, integers = 0, rust = 0;

	if (db_int(&c->from, "SELECT count(*) FROM max_seq_id", &rows, e) < 0 ||
	    db_int(&c->from, "SELECT count(*) FROM max_seq_id WHERE "
	    "typeof(seq_id) = 'integer'", &integers, e) < 0 ||
	    db_int(&c->from, "SELECT EXISTS (SELECT 1 FROM embeddings WHERE "
	    "typeof(seq_id) = 'integer') OR EXISTS (SELECT 1 FROM collections "
	    "WHERE trim(config_json_str) = '{}')", &rust, e) < 0)
		return -1;
	if (rows > 0 && integers > 0 && integers < rows)
		return err_data(e, "%s: table \"max_seq_id\": numbers of two "
		    "eras", err_tail(c->from.name));
	c->integers = rows > 0 ? integers > 0 : rust != 0;
	return 0;
}

static int
make_tables(struct chops *c, struct err *e)
{
	static const struct {
		const char *dir;
		int version;	/* of 0.5.6 to 0.6.3 */
	} migrations[] = { { "sysdb", 9 }, { "metadb", 4 },
		{ "embeddings_queue", 2 } };
	size_t i;
	int v, max;
	char sql[128];

	for (i = 0; i < COUNT(make); i++)
		if (db_exec(&c->to, make[i], e) < 0)
			return -1;
	if (db_exec(&c->to, c->integers ?
	    "CREATE TABLE max_seq_id (segment_id TEXT PRIMARY KEY, "
	    "seq_id INTEGER)" :
	    "CREATE TABLE max_seq_id (segment_id TEXT PRIMARY KEY, "
	    "seq_id BLOB NOT NULL)", e) < 0)
		return -1;
	for (i = 0; i < COUNT(migrations); i++) {
		max = migrations[i].version + (i == 1 && c->integers);
		for (v = 1; v <= max; v++) {
			snprintf(sql, sizeof(sql), "INSERT INTO migrations "
			    "VALUES ('%s', %d, '', '', '')",
			    migrations[i].dir, v);
			if (db_exec(&c->to, sql, e) < 0)
				return -1;
		}
	}
	return 0;
}

static int
find_segments(struct chops *c, struct err *e)
{
	static const char vector[] =
	    "urn:chroma:segment/vector/hnsw-local-persisted",
	    metadata[] = "urn:chroma:segment/metadata/sqlite";
	struct db_stmt st;
	int got, n = 0;

	if (db_prepare(&c->to, &st, "SELECT id, type, scope FROM segments",
	    e) < 0)
		return -1;
	while ((got = db_step(&st, e)) > 0) {
		struct slice id = db_col_text(&st, 0);
		struct slice type = db_col_text(&st, 1);
		struct slice scope = db_col_text(&st, 2);
		char **to = slice_is(scope, "VECTOR") &&
		    slice_is(type, vector) ? &c->vector :
		    slice_is(scope, "METADATA") && slice_is(type, metadata) ?
		    &c->metadata : NULL;

		if (!to || *to || !lower_uuid(id)) {
			n = 0;
			break;
		}
		n++;
		if (!(*to = keep(c, id, e))) {
			got = -1;
			break;
		}
	}
	db_finish(&st);
	if (got < 0)
		return -1;
	return n == 2 ? 0 : err_data(e, "%s: table \"segments\": not one "
	    "VECTOR segment and one METADATA segment of Chroma's own",
	    err_tail(c->from.name));
}

/* No row is of something else. */
static int
check_rows(struct chops *c, struct err *e)
{
	char sql[256], topic[128];
	struct db_stmt st;
	size_t i;
	int got;

	snprintf(topic, sizeof(topic), TOPIC_HEAD "%s", c->id);
	for (i = 0; i < COUNT(copied); i++) {
		snprintf(sql, sizeof(sql), "SELECT 1 FROM %s WHERE ?1 <> '' "
		    "AND ?2 <> '' AND ?3 <> '' AND ?4 <> '' AND %s LIMIT 1",
		    copied[i].table, copied[i].alien);
		if (db_prepare(&c->to, &st, sql, e) < 0)
			return -1;
		db_bind_text(&st, 1, slice_str(c->id));
		db_bind_text(&st, 2, slice_str(c->vector));
		db_bind_text(&st, 3, slice_str(c->metadata));
		db_bind_text(&st, 4, slice_str(topic));
		got = db_step(&st, e);
		db_finish(&st);
		if (got != 0)
			return got < 0 ? -1 : err_data(e, "%s: table \"%s\": a "
			    "row is not of the collection",
			    err_tail(c->from.name), copied[i].table);
	}
	return 0;
}

static int
copy_tables(struct chops *c, struct err *e)
{
	size_t i;

	if (find_era(c, e) < 0 || make_tables(c, e) < 0 ||
	    copy_collection(c, e) < 0)
		return -1;
	for (i = 0; i < COUNT(copied); i++)
		if (copy_table(c, &copied[i], e) < 0)
			return -1;
	return find_segments(c, e) < 0 || check_rows(c, e) < 0 ? -1 : 0;
}

/* ---- the index ---- */

/* What a file can have at most, as far as header.bin says. */
static uint64_t
bound_of(const struct chops *c, enum index_file f)
{
	const struct index_header *h = &c->header;
	uint64_t levels = h->maxlevel > 0 ? (uint64_t)h->maxlevel : 0, b;

	switch (f) {
	case INDEX_HEADER:
		return INDEX_HEADER_SIZE;
	case INDEX_LEVEL0:
		return num_mul(h->max_elements, h->size_data_per_element, &b) ?
		    b : UINT64_MAX;
	case INDEX_LENGTH:
		return num_mul(h->max_elements, 4, &b) ? b : UINT64_MAX;
	case INDEX_LINKS:
		return num_mul(levels, 4 + 4 * h->maxM, &b) &&
		    num_add(b, 4, &b) &&
		    num_mul(b, h->cur_element_count, &b) ? b : UINT64_MAX;
	default:
		return PICKLE_BOUND;
	}
}

struct file {
	const char *name;
	char path[UUID_LEN + 32];	/* in the directory */
	int fd;
	uint64_t size, bound, room;
	struct sha256 sha;
	uint32_t crc;
};

static int
put(struct file *f, const char *p, size_t n, struct err *e)
{
	if (n > f->bound - f->size)
		return err_data(e, "more than the %llu bytes that it can have",
		    (unsigned long long)f->bound);
	if (n > f->room - f->size)
		return err_fail(e, "no room: it may need %llu bytes, and %llu "
		    "are free", (unsigned long long)f->bound,
		    (unsigned long long)f->room);
	sha256_add(&f->sha, p, n);
	f->crc = crc32c(f->crc, p, n);
	f->size += n;
	return file_write(f->fd, p, n) == 0 ? 0 : err_system(e, "write");
}

/* All of the blob, and all of it one stream. */
static int
inflate_blob(struct chops *c, struct file *f, struct db_blob *b,
    struct err *e)
{
	struct unzlib *z = unzlib_new(e);
	struct slice in = { c->raw, 0 };
	uint64_t at = 0;
	size_t n;
	int r = z ? 1 : -1;

	while (r > 0) {
		if (in.len == 0 && at < b->size) {
			in = slice_of(c->raw, b->size - at < PIECE ?
			    (size_t)(b->size - at) : PIECE);
			if (db_blob_read(b, c->raw, in.len, at, e) < 0) {
				r = -1;
				break;
			}
			at += in.len;
		}
		r = unzlib_step(z, &in, c->piece, PIECE, &n, e);
		if (r >= 0 && put(f, c->piece, n, e) < 0)
			r = -1;
		if (r > 0 && n == 0 && in.len == 0 && at == b->size)
			r = err_data(e, "zlib: cut short");
	}
	if (r == 0 && (in.len > 0 || at < b->size))
		r = err_data(e, "zlib: bytes after the end");
	unzlib_free(z);
	return r;
}

static int
check_sha256(struct file *f, struct slice want, struct err *e)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char digest[SHA256_SIZE];
	char text[2 * SHA256_SIZE];
	size_t i;

	sha256_end(&f->sha, digest);
	for (i = 0; i < SHA256_SIZE; i++) {
		text[2 * i] = hex[digest[i] >> 4];
		text[2 * i + 1] = hex[digest[i] & 15];
	}
	return slice_eq(want, slice_of(text, sizeof(text))) ? 0 :
	    err_data(e, "its SHA-256 is another one");
}

static int
parse_header(struct chops *c, const struct file *f, struct err *e)
{
	char bytes[INDEX_HEADER_SIZE];
	ssize_t n = file_pread(f->fd, bytes, sizeof(bytes), 0);

	if (n < 0)
		return err_system(e, "read");
	if (index_header_parse(&c->header, bytes, (size_t)n, e) < 0)
		return -1;
	c->has_header = true;
	return 0;
}

static int
add_member(struct chops *c, const char *name, uint64_t size, uint32_t crc,
    struct err *e)
{
	struct manifest_member *m;
	char *copy = keep(c, slice_str(name), e);

	if (!copy)
		return -1;
	m = manifest_add_member(c->m);
	if (!m)
		return err_nomem(e);
	m->name = copy;
	m->size = m->stored = size;
	m->crc = crc;
	return 0;
}

/* One file of the index, of the row in st: id, sha256. */
static int
write_file(struct chops *c, const char *dir, enum index_file which,
    struct db_stmt *st, struct err *e)
{
	struct file f = { .name = index_file_name[which],
	    .bound = bound_of(c, which) };
	struct db_blob blob;
	int r;

	snprintf(f.path, sizeof(f.path), "%s/%s", c->vector, f.name);
	if (file_room(dir, &f.room, e) < 0 ||
	    db_blob_open(&c->from, &blob, "hnsw_segment_data", "data",
	    db_col_i64(st, 0), e) < 0)
		return -1;
	f.fd = openat(c->dirfd, f.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC |
	    O_NOFOLLOW, 0666);
	if (f.fd < 0) {
		db_blob_close(&blob);
		return err_system(e, "%s: %s", err_tail(dir), f.path);
	}
	sha256_init(&f.sha);
	r = inflate_blob(c, &f, &blob, e);
	db_blob_close(&blob);
	if (r == 0)
		r = check_sha256(&f, db_col_text(st, 1), e);
	if (r == 0 && which == INDEX_HEADER)
		r = parse_header(c, &f, e);
	if (close(f.fd) < 0 && r == 0)
		r = err_system(e, "write");
	if (r < 0) {
		err_in(e, f.name);
		return err_in(e, err_tail(c->from.name));
	}
	c->index_bytes += f.size;
	return add_member(c, f.path, f.size, f.crc, e);
}

/* The rows about files: all of this segment, of known names, each once and
 * with data. */
static int
check_files(struct chops *c, int64_t *n, struct err *e)
{
	char sql[640];
	int64_t odd = 0, bins = 0;
	struct db_stmt st;
	struct slice s;
	int got;

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM hnsw_segment_data "
	    "NOT INDEXED WHERE segment_id IS NOT '%s' OR typeof(data) <> "
	    "'blob' OR typeof(sha256) <> 'text' OR typeof(filename) <> 'text' "
	    "OR filename NOT IN ('%s', '%s', '%s', '%s', '%s')", c->vector,
	    index_file_name[0], index_file_name[1], index_file_name[2],
	    index_file_name[3], index_file_name[4]);
	if (db_int(&c->from, sql, &odd, e) < 0 ||
	    db_int(&c->from, "SELECT count(*) FROM hnsw_segment_data "
	    "NOT INDEXED", n, e) < 0 ||
	    db_int(&c->from, "SELECT count(DISTINCT filename) FROM "
	    "hnsw_segment_data NOT INDEXED", &bins, e) < 0)
		return -1;
	if (odd > 0 || bins < *n)
		return err_data(e, "%s: table \"hnsw_segment_data\": a row is "
		    "none of a file of the collection's index",
		    err_tail(c->from.name));
	if (db_prepare(&c->from, &st, "SELECT max(created_at) FROM "
	    "hnsw_segment_data NOT INDEXED WHERE created_at GLOB '[0-9][0-9]"
	    "[0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]"
	    "'", e) < 0)
		return -1;
	got = db_step(&st, e);
	s = got > 0 ? db_col_text(&st, 0) : slice_of(NULL, 0);
	if (s.len == 19)
		snprintf(c->created, sizeof(c->created), "%.10sT%.8sZ", s.p,
		    s.p + 11);
	db_finish(&st);
	return got < 0 ? -1 : 0;
}

static int
write_index(struct chops *c, const char *dir, struct err *e)
{
	struct db_stmt st;
	int64_t n = 0;
	int f, got = 0;

	if (check_files(c, &n, e) < 0)
		return -1;
	if (n == 0)
		return 0;
	if (mkdirat(c->dirfd, c->vector, 0777) < 0)
		return err_system(e, "%s: %s", err_tail(dir), c->vector);
	if (db_prepare(&c->from, &st, "SELECT id, sha256 FROM "
	    "hnsw_segment_data NOT INDEXED WHERE filename = ?1", e) < 0)
		return -1;
	for (f = 0; got == 0 && f < INDEX_FILES; f++) {
		db_bind_text(&st, 1, slice_str(index_file_name[f]));
		got = db_step(&st, e);
		if (got == 0 && f != INDEX_PICKLE)
			got = err_data(e, "%s: no %s", err_tail(c->from.name),
			    index_file_name[f]);
		else if (got > 0)
			got = write_file(c, dir, (enum index_file)f, &st, e);
		db_reset(&st);
	}
	db_finish(&st);
	return got;
}

/* ---- parameters ---- */

/* From 1.3 on Chroma keeps them in schema_str, which is not in the snapshot:
 * the configuration is {} then.  Those that its user gave as metadata when it
 * was made are there, and header.bin has two.  *p is the result; *space: that
 * of them which nobody could guess is known. */
static int
read_params(struct chops *c, struct params *p, bool *space, struct err *e)
{
	const struct era era = { .sysdb = 9, .metadb = 5, .queue = 2 };
	struct db_stmt st;
	int got;

	params_default(p, &era);
	if (db_prepare(&c->to, &st, "SELECT key, str_value, coalesce(int_value,"
	    " float_value) FROM collection_metadata WHERE key LIKE 'hnsw:%'",
	    e) < 0)
		return -1;
	while ((got = db_step(&st, e)) > 0)
		params_from_row(p, db_col_text(&st, 0), db_col_text(&st, 1),
		    db_col_real(&st, 2));
	db_finish(&st);
	*space = p->source[PARAM_SPACE] != FROM_DEFAULT &&
	    p->space != SPACE_UNKNOWN;
	if (c->has_header) {
		p->value[PARAM_M] = (int64_t)c->header.M;
		p->value[PARAM_EF_CONSTRUCTION] =
		    (int64_t)c->header.ef_construction;
	}
	return got;
}

/* The same as 1.0 wrote it, as a configuration. */
static int
put_config(struct chops *c, const struct params *p, struct err *e)
{
	struct buf b = { 0 };
	struct jsonw w = { .b = &b };
	struct db_stmt st;
	int r = -1;

	json_open(&w, NULL, '{');
	json_open(&w, "vector_index", '{');
	json_open(&w, "hnsw", '{');
	json_cstr(&w, "space", space_name(p->space));
	json_int(&w, "ef_construction", p->value[PARAM_EF_CONSTRUCTION]);
	json_int(&w, "ef_search", p->value[PARAM_EF_SEARCH]);
	json_int(&w, "max_neighbors", p->value[PARAM_M]);
	json_double(&w, "resize_factor", p->resize_factor);
	json_int(&w, "sync_threshold", p->value[PARAM_SYNC_THRESHOLD]);
	json_close(&w, '}');
	json_close(&w, '}');
	json_open(&w, "embedding_function", '{');
	json_cstr(&w, "type", "legacy");
	json_close(&w, '}');
	json_close(&w, '}');
	if (!buf_ok(&b)) {
		err_nomem(e);
	} else if (db_prepare(&c->to, &st, "UPDATE collections SET "
	    "config_json_str = ?1", e) == 0) {
		db_bind_text(&st, 1, buf_slice(&b));
		r = db_step(&st, e);
		db_finish(&st);
	}
	buf_release(&b);
	return r;
}

/* *known: whether its distance function is; also because it was given. */
static int
mend_config(struct chops *c, bool *known, struct err *e)
{
	int64_t empty = 0, rows = 0;
	struct params p;

	*known = true;
	if (db_int(&c->to, "SELECT trim(config_json_str) = '{}' FROM "
	    "collections", &empty, e) < 0 ||
	    db_int(&c->to, "SELECT count(*) FROM segment_metadata "
	    "WHERE key = 'hnsw:space'", &rows, e) < 0)
		return -1;
	if (!empty || rows > 0)
		return 0;
	if (read_params(c, &p, known, e) < 0)
		return -1;
	if (!*known && c->space) {
		p.space = params_space(slice_str(c->space));
		c->space = NULL;	/* it was of use */
		*known = true;
	}
	return *known ? put_config(c, &p, e) : 0;
}

/* ---- the manifest ---- */

static int
count_rows(struct chops *c, struct manifest_collection *mc, struct err *e)
{
	int64_t records = 0, rows = 0, from = 0, to = 0;

	if (db_int(&c->to, "SELECT count(*) FROM embeddings", &records,
	    e) < 0 ||
	    db_int(&c->to, "SELECT count(*) FROM embeddings_queue", &rows,
	    e) < 0 ||
	    db_int(&c->to, "SELECT min(seq_id) FROM embeddings_queue", &from,
	    e) < 0 ||
	    db_int(&c->to, "SELECT max(seq_id) FROM embeddings_queue", &to,
	    e) < 0)
		return -1;
	if (from < 0)
		return err_data(e, "%s: table \"embeddings_queue\": a negative "
		    "number", err_tail(c->from.name));
	mc->records = (uint64_t)records;
	mc->rows = (uint64_t)rows;
	mc->from_seq_id = (uint64_t)from;
	mc->to_seq_id = (uint64_t)to;
	mc->whole = true;
	return 0;
}

static int
describe(struct chops *c, const struct collection *col, bool known,
    struct err *e)
{
	struct manifest_collection *mc = manifest_add_collection(c->m);
	const struct params *p = &col->params;

	if (!mc)
		return err_nomem(e);
	mc->id = c->id;
	mc->vector_segment = c->vector;
	mc->metadata_segment = c->metadata;
	if (!(mc->name = keep(c, slice_str(col->name), e)) ||
	    !(mc->tenant = keep(c, slice_str(col->tenant), e)) ||
	    !(mc->database = keep(c, slice_str(col->database), e)))
		return -1;
	mc->space = known ? space_name(p->space) : NULL;
	mc->dimension = col->dimension;
	mc->M = c->has_header ? (int64_t)c->header.M : p->value[PARAM_M];
	mc->ef_construction = c->has_header ?
	    (int64_t)c->header.ef_construction :
	    p->value[PARAM_EF_CONSTRUCTION];
	mc->ef_search = p->value[PARAM_EF_SEARCH];
	mc->has_metadata_seq_id = col->metadata.source != WATERMARK_NONE;
	mc->metadata_seq_id = col->metadata.seq_id;
	mc->has_vector_seq_id = col->vector.source != WATERMARK_NONE;
	mc->vector_seq_id = col->vector.seq_id;
	mc->index_bytes = c->index_bytes;
	mc->note = known ? NULL : "chops did not save its distance function";
	return count_rows(c, mc, e);
}

static int
fill_manifest(struct chops *c, bool known, struct err *e)
{
	struct catalog cat;
	char now[24];
	time_t t = time(NULL);
	struct tm tm;
	int r;

	if (!*c->created) {
		gmtime_r(&t, &tm);
		strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", &tm);
	}
	c->m->created_at = keep(c, slice_str(*c->created ? c->created : now),
	    e);
	c->m->queue = 2;
	c->m->metadb = c->integers ? 5 : 4;
	c->m->sysdb = 9;
	if (!c->m->created_at || catalog_load_tables(&cat, &c->to, e) < 0)
		return -1;
	r = describe(c, &cat.collection[0], known, e);
	if (r == 0 && c->space)
		r = err_usage(e, "--space: only for a snapshot of chops that "
		    "does not say its own; that of collection %s is %s: "
		    "chroma-rebuild changes it", cat.collection[0].name,
		    space_name(cat.collection[0].params.space));
	catalog_release(&cat);
	return r;
}

/* The member for the database comes first; its file is complete now. */
static int
add_database(struct chops *c, const char *dir, struct err *e)
{
	int fd = openat(c->dirfd, PERSIST_FILE, O_RDONLY | O_CLOEXEC);
	struct manifest_member first;
	uint64_t size = 0;
	uint32_t crc = 0;
	ssize_t n = -1;
	int r;

	while (fd >= 0 && (n = file_read(fd, c->piece, PIECE)) > 0) {
		crc = crc32c(crc, c->piece, (size_t)n);
		size += (uint64_t)n;
	}
	r = n < 0 ? err_system(e, "%s: " PERSIST_FILE, err_tail(dir)) :
	    add_member(c, PERSIST_FILE, size, crc, e);
	if (fd >= 0)
		close(fd);
	if (r < 0)
		return -1;
	first = c->m->member[c->m->members - 1];
	memmove(c->m->member + 1, c->m->member,
	    (c->m->members - 1) * sizeof(first));
	c->m->member[0] = first;
	return 0;
}

/* ---- all of it ---- */

static int
unpack(struct chops *c, const char *dir, struct err *e)
{
	bool known;
	int r;

	if (safeschema_check_chops(&c->from, e) < 0)
		return -1;
	/* nobody else sees it before it is complete */
	if (db_exec(&c->to, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; "
	    "PRAGMA foreign_keys=OFF; BEGIN", e) < 0)
		return -1;
	r = copy_tables(c, e) < 0 || write_index(c, dir, e) < 0 ||
	    mend_config(c, &known, e) < 0 ? -1 : 0;
	if (r == 0)
		r = db_exec(&c->to, "COMMIT", e);
	return r < 0 ? -1 : fill_manifest(c, known, e);
}

/* Make the empty file that the tables go to. */
static int
begin(struct chops *c, const char *dir, const char *to, struct err *e)
{
	int fd;

	c->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dirfd < 0)
		return err_system(e, "%s", err_tail(dir));
	fd = openat(c->dirfd, PERSIST_FILE, O_WRONLY | O_CREAT | O_EXCL |
	    O_CLOEXEC | O_NOFOLLOW, 0666);
	if (fd < 0)
		return err_system(e, "%s", err_tail(to));
	close(fd);
	c->piece = malloc(PIECE);
	c->raw = malloc(PIECE);
	if (!c->piece || !c->raw)
		return err_nomem(e);
	/* what cannot be put into it is the fault of where it comes from */
	return db_open(&c->to, to, c->from.name, DB_WRITE, 0, e);
}

int
chops_unpack(const char *path, const char *dir, const char *space,
    struct manifest *m, struct err *e)
{
	struct chops c = { .dirfd = -1, .space = space, .m = m };
	struct buf to = { 0 };
	int r = -1;

	*m = (struct manifest){ 0 };
	buf_addf(&to, "%s/" PERSIST_FILE, dir);
	if (!buf_ok(&to))
		return err_nomem(e);
	if (db_open(&c.from, path, path, DB_UNTRUSTED, 0, e) == 0) {
		r = begin(&c, dir, buf_str(&to), e);
		if (r == 0)
			r = unpack(&c, dir, e);
		db_close(&c.to);
		db_close(&c.from);
	}
	if (r == 0)
		r = add_database(&c, dir, e);
	if (c.dirfd >= 0)
		close(c.dirfd);
	free(c.piece);
	free(c.raw);
	buf_release(&to);
	if (r < 0)
		manifest_release(m);
	return r;
}

int
chops_cosine(int dirfd, const struct manifest_collection *c,
    enum chops_cosine *what, struct err *e)
{
	const struct elements_findings *f;
	struct elements el;
	uint64_t live;

	*what = CHOPS_UNKNOWN;
	if (elements_open(&el, dirfd, c->vector_segment, c->dimension,
	    SPACE_COSINE, true, e) < 0)
		return -1;
	f = &el.found;
	live = f->elements - f->deleted;
	if (!f->fault.status && live > f->not_finite) {
		/* (a few are damage, or out of the range of float32) */
		if (f->not_unit > live / 2)
			*what = CHOPS_NOT_COSINE;
		else if (!f->not_unit && el.lengths >= f->elements)
			*what = CHOPS_LIKELY_COSINE;
	}
	elements_close(&el);
	return 0;
}
