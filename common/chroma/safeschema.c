/* SPDX-License-Identifier: Apache-2.0 */
/* safeschema.c - a database file of a stranger, before anything is read from
 * its tables.
 *
 * Each statement of sqlite_master is taken apart into words, and these are
 * compared one by one with the statements that Chromas write.  SQLite itself
 * has read the same text by then (that is how it finds sqlite_master), but has
 * run nothing of it.
 */
#include "chroma/safeschema.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"

#define WORDS_MAX 256		/* of one statement; Chroma's have up to 90 */

struct word {
	enum kind {
		WORD,		/* a keyword or a name */
		QUOTED,		/* a name, or a text, without its quotes */
		MARK,		/* one character of anything else */
	} kind;
	struct slice text;
};

struct statement {
	struct word word[WORDS_MAX];
	size_t n;
	bool comments;
};

/* What Chroma's statements look like.  Words are separated by spaces, what may
 * be between the commas of a table by ';'.  Upper case: a keyword or a type,
 * in any case, not quoted.  Lower case: a name, quoted or not.  In quotes: a
 * text, in quotes of either kind.  ALTER TABLE makes tables that differ only
 * in the order of their parts, or in which of them are there. */
struct shape {
	const char *name, *parts;
	bool without_rowid;
};

static const struct shape chroma_tables[] = {
	{ "migrations", "dir TEXT NOT NULL;version INTEGER NOT NULL;"
	    "filename TEXT NOT NULL;sql TEXT NOT NULL;hash TEXT NOT NULL;"
	    "PRIMARY KEY ( dir , version )", false },
	{ "acquire_write", "id INTEGER PRIMARY KEY;"
	    "lock_status INTEGER NOT NULL", false },
	{ "tenants", "id TEXT PRIMARY KEY;UNIQUE ( id )", false },
	{ "databases", "id TEXT PRIMARY KEY;name TEXT NOT NULL;"
	    "tenant_id TEXT NOT NULL REFERENCES tenants ( id ) "
	    "ON DELETE CASCADE;UNIQUE ( tenant_id , name )", false },
	{ "collections", "id TEXT PRIMARY KEY;name TEXT NOT NULL;"
	    "topic TEXT NOT NULL;dimension INTEGER;"
	    "database_id TEXT NOT NULL REFERENCES databases ( id ) "
	    "ON DELETE CASCADE;config_json_str TEXT;schema_str TEXT;"
	    "UNIQUE ( name );UNIQUE ( name , database_id )", false },
	{ "collection_metadata", "collection_id TEXT REFERENCES "
	    "collections ( id ) ON DELETE CASCADE;key TEXT NOT NULL;"
	    "str_value TEXT;int_value INTEGER;float_value REAL;"
	    "bool_value INTEGER;PRIMARY KEY ( collection_id , key )", false },
	{ "segments", "id TEXT PRIMARY KEY;type TEXT NOT NULL;"
	    "scope TEXT NOT NULL;topic TEXT;"
	    "collection TEXT REFERENCES collection ( id );"
	    "collection TEXT REFERENCES collection ( id ) NOT NULL", false },
	{ "segment_metadata", "segment_id TEXT REFERENCES segments ( id ) "
	    "ON DELETE CASCADE;key TEXT NOT NULL;str_value TEXT;"
	    "int_value INTEGER;float_value REAL;bool_value INTEGER;"
	    "PRIMARY KEY ( segment_id , key )", false },
	{ "maintenance_log", "id INT PRIMARY KEY;timestamp INT NOT NULL;"
	    "operation TEXT NOT NULL", false },
	{ "embeddings_queue", "seq_id INTEGER PRIMARY KEY;"
	    "created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP;"
	    "operation INTEGER NOT NULL;topic TEXT NOT NULL;id TEXT NOT NULL;"
	    "vector BLOB;encoding TEXT;metadata TEXT", false },
	{ "embeddings_queue_config", "id INTEGER PRIMARY KEY;"
	    "config_json_str TEXT", false },
	{ "max_seq_id", "segment_id TEXT PRIMARY KEY;seq_id BLOB NOT NULL;"
	    "seq_id INTEGER", false },
	{ "embeddings", "id INTEGER PRIMARY KEY;segment_id TEXT NOT NULL;"
	    "embedding_id TEXT NOT NULL;seq_id BLOB NOT NULL;"
	    "created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP;"
	    "UNIQUE ( segment_id , embedding_id )", false },
	{ "embedding_metadata", "id INTEGER REFERENCES embeddings ( id );"
	    "key TEXT NOT NULL;string_value TEXT;int_value INTEGER;"
	    "float_value REAL;bool_value INTEGER;PRIMARY KEY ( id , key )",
	    false },
	{ "embedding_metadata_array", "id INTEGER NOT NULL REFERENCES "
	    "embeddings ( id );key TEXT NOT NULL;string_value TEXT;"
	    "int_value INTEGER;float_value REAL;bool_value INTEGER", false },
	/* what FTS5 makes for its own use, of two tables */
#define FTS5_TABLES(name, content)					\
	{ name "_data", "id INTEGER PRIMARY KEY;block BLOB", false },	\
	{ name "_idx", "segid;term;pgno;PRIMARY KEY ( segid , term )",	\
	    true },							\
	{ name "_content", "id INTEGER PRIMARY KEY;" content, false },	\
	{ name "_docsize", "id INTEGER PRIMARY KEY;sz BLOB", false },	\
	{ name "_config", "k PRIMARY KEY;v", true }
	FTS5_TABLES("embedding_fulltext", "c0;c1"),	/* before 0.4.6 */
	FTS5_TABLES("embedding_fulltext_search", "c0"),
};

#define ON_ARRAY "ON embedding_metadata_array ( key , "

struct index {
	const char *name, *table, *sql;
};

static const struct index chroma_indexes[] = {
	{ "embedding_metadata_int_value", "embedding_metadata",
	    "ON embedding_metadata ( key , int_value ) "
	    "WHERE int_value IS NOT NULL" },
	{ "embedding_metadata_float_value", "embedding_metadata",
	    "ON embedding_metadata ( key , float_value ) "
	    "WHERE float_value IS NOT NULL" },
	{ "embedding_metadata_string_value", "embedding_metadata",
	    "ON embedding_metadata ( key , string_value ) "
	    "WHERE string_value IS NOT NULL" },
	{ "embedding_metadata_array_id_key", "embedding_metadata_array",
	    "ON embedding_metadata_array ( id , key )" },
	{ "embedding_metadata_array_key_string", "embedding_metadata_array",
	    ON_ARRAY "string_value ) WHERE string_value IS NOT NULL" },
	{ "embedding_metadata_array_key_int", "embedding_metadata_array",
	    ON_ARRAY "int_value ) WHERE int_value IS NOT NULL" },
	{ "embedding_metadata_array_key_float", "embedding_metadata_array",
	    ON_ARRAY "float_value ) WHERE float_value IS NOT NULL" },
};

/* Full-text tables: until 0.4.6 (0.4.0, 0.4.1), and from then on. */
struct fulltext {
	const char *name, *sql;
};

static const struct fulltext chroma_fulltext[] = {
	{ "embedding_fulltext", "fts5 ( id , string_value );"
	    "fts5 ( id , string_value , tokenize = 'trigram' )" },
	{ "embedding_fulltext_search",
	    "fts5 ( string_value , tokenize = 'trigram' )" },
};

/* The same of what chops makes; its words are in lower case, which is as good.
 * The indexes are the first three of Chroma's. */
static const struct shape chops_tables[] = {
	{ "embeddings_queue", "seq_id INTEGER PRIMARY KEY;"
	    "created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL;"
	    "operation INTEGER NOT NULL;topic TEXT NOT NULL;id TEXT NOT NULL;"
	    "vector BLOB;encoding TEXT;metadata TEXT", false },
	{ "max_seq_id", "segment_id TEXT PRIMARY KEY;seq_id BLOB NOT NULL",
	    false },
	{ "embeddings", "id INTEGER PRIMARY KEY;segment_id TEXT NOT NULL;"
	    "embedding_id TEXT NOT NULL;seq_id BLOB NOT NULL;"
	    "created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL;"
	    "UNIQUE ( segment_id , embedding_id )", false },
	{ "embedding_metadata", "id INTEGER REFERENCES embeddings;"
	    "key TEXT NOT NULL;string_value TEXT;int_value INTEGER;"
	    "float_value REAL;bool_value INTEGER;PRIMARY KEY ( id , key )",
	    false },
	{ "segments", "id TEXT PRIMARY KEY;type TEXT NOT NULL;"
	    "scope TEXT NOT NULL;"
	    "collection TEXT NOT NULL REFERENCES collections ( id )", false },
	{ "segment_metadata", "segment_id TEXT REFERENCES segments "
	    "ON DELETE CASCADE;key TEXT NOT NULL;str_value TEXT;"
	    "int_value INTEGER;float_value REAL;bool_value INTEGER;"
	    "PRIMARY KEY ( segment_id , key )", false },
	{ "collections", "id TEXT PRIMARY KEY;name TEXT NOT NULL;"
	    "dimension INTEGER;database_id TEXT NOT NULL;"
	    "database_name TEXT NOT NULL;tenant_id TEXT NOT NULL;"
	    "config_json_str TEXT;UNIQUE ( name , database_id )", false },
	{ "collection_metadata", "collection_id TEXT REFERENCES collections "
	    "ON DELETE CASCADE;key TEXT NOT NULL;str_value TEXT;"
	    "int_value INTEGER;float_value REAL;bool_value INTEGER;"
	    "PRIMARY KEY ( collection_id , key )", false },
	{ "hnsw_segment_data", "id INTEGER PRIMARY KEY;"
	    "segment_id TEXT NOT NULL;filename TEXT;data BLOB;sha256 TEXT;"
	    "created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL;"
	    "UNIQUE ( segment_id , filename )", false },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct schema {
	const char *whose;
	const struct shape *tables;
	size_t n_tables;
	const struct index *indexes;
	size_t n_indexes;
	const struct fulltext *fulltext;
	size_t n_fulltext;
} chroma = {
	"Chroma", chroma_tables, COUNT(chroma_tables), chroma_indexes,
	COUNT(chroma_indexes), chroma_fulltext, COUNT(chroma_fulltext),
}, chops = {
	"chops", chops_tables, COUNT(chops_tables), chroma_indexes, 3,
	chroma_fulltext, 0,
};

#define SHOWN_MAX 40

/* One row of sqlite_master. */
struct object {
	const char *file;
	const struct schema *schema;
	struct slice type, name, table, sql;
	int64_t root;
	bool has_sql;
};

/* A stranger's text in a message: short, one line, nothing that a terminal
 * would obey. */
static const char *
shown(char to[SHOWN_MAX + 4], struct slice s)
{
	size_t i, n = s.len < SHOWN_MAX ? s.len : SHOWN_MAX;

	for (i = 0; i < n; i++)
		to[i] = s.p[i] >= 0x20 && s.p[i] < 0x7f ? s.p[i] : '?';
	snprintf(to + n, 4, "%s", n < s.len ? "..." : "");
	return to;
}

static int
not_ours(const struct object *o, struct err *e)
{
	char name[SHOWN_MAX + 4], type[SHOWN_MAX + 4];

	return err_data(e, "%s: %s \"%s\" is none of %s's", o->file,
	    shown(type, o->type), shown(name, o->name), o->schema->whose);
}

/* The word at which the text of an object leaves Chroma's; NULL: its end. */
static int
strange(const struct object *o, const struct word *w, struct err *e)
{
	char name[SHOWN_MAX + 4], type[SHOWN_MAX + 4], word[SHOWN_MAX + 4];

	shown(type, o->type);
	shown(name, o->name);
	if (!w)
		return err_data(e, "%s: %s \"%s\" is not as %s makes it: "
		    "its text ends early", o->file, type, name,
		    o->schema->whose);
	return err_data(e, "%s: %s \"%s\" is not as %s makes it: \"%s\"",
	    o->file, type, name, o->schema->whose, shown(word, w->text));
}

/* ---- words ---- */

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

/* The bytes of white space or of a comment at p, as SQLite's tokenizer counts
 * them; 0: there is none. */
static size_t
blank(struct statement *st, const char *p, const char *end)
{
	const char *q = p;

	if (is_space(*p))
		return 1;
	if (end - p < 2 || !((p[0] == '-' && p[1] == '-') ||
	    (p[0] == '/' && p[1] == '*')))
		return 0;
	st->comments = true;
	if (*p == '-') {
		while (q < end && *q != '\n')
			q++;
		return (size_t)(q - p);
	}
	for (q = p + 2; q < end; q++)
		if (q[0] == '*' && end - q > 1 && q[1] == '/')
			return (size_t)(q + 2 - p);
	return (size_t)(end - p);
}

/* The next word at p; the bytes it takes. */
static size_t
take(struct word *w, const char *p, const char *end)
{
	const char *q = p + 1, close = *p == '[' ? ']' : *p;

	if (is_letter(*p)) {
		while (q < end && (is_letter(*q) || (*q >= '0' && *q <= '9') ||
		    *q == '$'))
			q++;
		*w = (struct word){ WORD, slice_of(p, (size_t)(q - p)) };
		return w->text.len;
	}
	*w = (struct word){ MARK, slice_of(p, 1) };
	if (!strchr("'\"`[", *p))
		return 1;
	while (q < end && *q != close)
		q++;
	/* a quote inside is in none of Chroma's: then it stays a mark, which
	 * is like no word */
	if (q == end || (close != ']' && end - q > 1 && q[1] == close))
		return 1;
	*w = (struct word){ QUOTED, slice_of(p + 1, (size_t)(q - p - 1)) };
	return (size_t)(q + 1 - p);
}

static int
split(struct statement *st, const struct object *o, struct err *e)
{
	const char *p = o->sql.p, *end = p + o->sql.len;
	struct word nul = { MARK, { "\0", 1 } };
	size_t n;

	st->n = 0;
	st->comments = false;
	/* SQLite reads only up to it */
	if (memchr(p, '\0', o->sql.len))
		return strange(o, &nul, e);
	while (p < end) {
		n = blank(st, p, end);
		if (n == 0) {
			if (st->n == WORDS_MAX)
				return strange(o, &st->word[WORDS_MAX - 1], e);
			n = take(&st->word[st->n++], p, end);
		}
		p += n;
	}
	return 0;
}

/* Whether w is the word of a shape that begins at p and has n characters.
 * bare: names must not be quoted. */
static bool
same_word(const struct word *w, const char *p, size_t n, bool bare)
{
	if (*p == '\'')
		return w->kind == QUOTED && (w->text.p[-1] == '\'' ||
		    w->text.p[-1] == '"') &&
		    slice_eq(w->text, slice_of(p + 1, n - 2));
	if (*p >= 'a' && *p <= 'z')
		return w->kind != MARK && !(bare && w->kind == QUOTED) &&
		    slice_eq(w->text, slice_of(p, n));
	return w->kind != QUOTED && w->text.len == n &&
	    strncasecmp(w->text.p, p, n) == 0;
}

/* How many of the n words are those of the shape at p, which ends with a ';' or
 * a NUL; *whole: all, and the shape has no more. */
static size_t
same_words(const struct word *w, size_t n, const char *p, bool bare,
    bool *whole)
{
	size_t i = 0, len;

	for (;;) {
		len = strcspn(p, " ;");
		if (i == n || !same_word(&w[i], p, len, bare))
			break;
		i++;
		p += len;
		if (*p != ' ') {
			*whole = i == n;
			return i;
		}
		p++;
	}
	*whole = false;
	return i;
}

/* The words are one of the shapes: 1 if it begins with a name, 0 if not; else
 * -1, *e says where they leave the one that is most like them. */
static int
check_words(const struct object *o, const struct word *w, size_t n,
    const char *shapes, bool bare, const struct word *next, struct err *e)
{
	const char *p;
	size_t k, best = 0;
	bool whole;

	for (p = shapes; p; p = strchr(p, ';')) {
		p += *p == ';';
		k = same_words(w, n, p, bare, &whole);
		if (whole)
			return *p >= 'a' && *p <= 'z';
		best = k > best ? k : best;
	}
	return strange(o, best < n ? &w[best] : next, e);
}

/* ---- objects ---- */

/* Beginning with the words of head, then the object's own name. */
static int
check_head(const struct object *o, const struct statement *st,
    const char *head, size_t words, struct err *e)
{
	const struct word *name = st->n > words ? &st->word[words] : NULL;
	size_t n = st->n < words ? st->n : words;

	if (check_words(o, st->word, n, head, true, NULL, e) < 0)
		return -1;
	return name && name->kind != MARK && slice_eq(name->text, o->name) ?
	    0 : strange(o, name, e);
}

/* The columns that SQLite sees are those that the text names, none of them
 * hidden. */
static int
check_columns(struct db *db, const struct object *o, struct buf *names,
    struct err *e)
{
	struct db_stmt q;
	bool good;
	int got;

	if (db_prepare(db, &q, "SELECT group_concat(name, ',') || ',', "
	    "sum(hidden) FROM pragma_table_xinfo(?1)", e) < 0)
		return -1;
	db_bind_text(&q, 1, o->name);
	got = db_step(&q, e);
	good = got > 0 && db_col_i64(&q, 1) == 0 &&
	    slice_eq(db_col_text(&q, 0), buf_slice(names));
	db_finish(&q);
	if (got < 0)
		return -1;
	if (!buf_ok(names))
		return err_nomem(e);
	return good ? 0 : err_data(e, "%s: table \"%.*s\" is not as %s "
	    "makes it: its columns are not those of its text", o->file,
	    (int)o->name.len, o->name.p, o->schema->whose);
}

/* NAME ( PART , PART ... ) */
static int
check_parts(const struct object *o, const struct statement *st,
    const struct shape *shape, struct buf *names, struct err *e)
{
	const struct word *w = st->word, *end = w + st->n, *from;
	int depth, column;

	w += 3;
	if (w == end || !slice_is(w->text, "(") || w->kind != MARK)
		return strange(o, w == end ? NULL : w, e);
	do {
		from = ++w;
		for (depth = 0; w < end; w++) {
			if (w->kind != MARK)
				continue;
			if (depth == 0 && (*w->text.p == ',' ||
			    *w->text.p == ')'))
				break;
			depth += (*w->text.p == '(') - (*w->text.p == ')');
		}
		column = check_words(o, from, (size_t)(w - from),
		    shape->parts, false, w < end ? w : NULL, e);
		if (column < 0)
			return -1;
		if (w == end)
			return strange(o, NULL, e);
		if (column) {
			buf_add(names, from->text.p, from->text.len);
			buf_addc(names, ',');
		}
	} while (*w->text.p == ',');
	w++;
	if (shape->without_rowid)
		return check_words(o, w, (size_t)(end - w), "WITHOUT ROWID",
		    true, NULL, e) < 0 ? -1 : 0;
	return w == end ? 0 : strange(o, w, e);
}

static int
check_table(struct db *db, const struct object *o, struct err *e)
{
	const struct schema *c = o->schema;
	const struct shape *shape = NULL;
	struct buf names = { 0 };
	struct statement st;
	size_t i;
	int r;

	for (i = 0; i < c->n_tables; i++)
		if (slice_is(o->name, c->tables[i].name))
			shape = &c->tables[i];
	if (!shape)
		return not_ours(o, e);
	if (split(&st, o, e) < 0 ||
	    check_head(o, &st, "CREATE TABLE", 2, e) < 0)
		return -1;
	r = check_parts(o, &st, shape, &names, e);
	if (r == 0)
		r = check_columns(db, o, &names, e);
	buf_release(&names);
	return r;
}

/* CREATE VIRTUAL TABLE NAME USING fts5 (...).  What is in the brackets goes to
 * FTS5 as it stands, comments and all. */
static int
check_virtual(const struct object *o, struct err *e)
{
	const struct schema *c = o->schema;
	struct statement st;
	struct word comment = { MARK, slice_str("a comment") };
	size_t i;

	for (i = 0; i < c->n_fulltext; i++)
		if (slice_is(o->name, c->fulltext[i].name))
			break;
	if (i == c->n_fulltext)
		return not_ours(o, e);
	if (split(&st, o, e) < 0 ||
	    check_head(o, &st, "CREATE VIRTUAL TABLE", 3, e) < 0)
		return -1;
	if (st.comments)
		return strange(o, &comment, e);
	if (check_words(o, st.word + 4, st.n > 4, "USING", true, NULL, e) < 0)
		return -1;
	return check_words(o, st.word + 5, st.n - 5, c->fulltext[i].sql, true,
	    NULL, e) < 0 ? -1 : 0;
}

/* "sqlite_autoindex_TABLE_N", which SQLite makes for keys. */
static bool
is_automatic(const struct object *o)
{
	static const char head[] = "sqlite_autoindex_";
	size_t i, n = sizeof(head) - 1 + o->table.len;

	if (o->has_sql || o->name.len < n + 2 || o->name.len > n + 3 ||
	    memcmp(o->name.p, head, sizeof(head) - 1) != 0 ||
	    memcmp(o->name.p + sizeof(head) - 1, o->table.p, o->table.len) != 0 ||
	    o->name.p[n] != '_')
		return false;
	for (i = n + 1; i < o->name.len; i++)
		if (o->name.p[i] < '0' || o->name.p[i] > '9')
			return false;
	return true;
}

static int
check_index(const struct object *o, struct err *e)
{
	const struct schema *c = o->schema;
	struct statement st;
	size_t i;

	if (is_automatic(o)) {
		for (i = 0; i < c->n_tables; i++)
			if (slice_is(o->table, c->tables[i].name))
				return 0;
		return not_ours(o, e);
	}
	for (i = 0; i < c->n_indexes; i++)
		if (slice_is(o->name, c->indexes[i].name) &&
		    slice_is(o->table, c->indexes[i].table))
			break;
	if (i == c->n_indexes || !o->has_sql)
		return not_ours(o, e);
	if (split(&st, o, e) < 0 ||
	    check_head(o, &st, "CREATE INDEX", 2, e) < 0)
		return -1;
	return check_words(o, st.word + 3, st.n - 3, c->indexes[i].sql, false,
	    NULL, e) < 0 ? -1 : 0;
}

static int
check_object(struct db *db, const struct object *o, int64_t pages,
    struct err *e)
{
	bool table = slice_is(o->type, "table");
	char name[SHOWN_MAX + 4];

	if ((!table && !slice_is(o->type, "index")) || !o->name.p)
		return not_ours(o, e);
	if (table && (!o->has_sql || !slice_eq(o->name, o->table)))
		return not_ours(o, e);
	if (table && o->root == 0)
		return check_virtual(o, e);
	if (o->root < 2 || o->root > pages)
		return err_data(e, "%s: %s \"%s\" begins at page %lld of %lld",
		    o->file, table ? "table" : "index", shown(name, o->name),
		    (long long)o->root, (long long)pages);
	return table ? check_table(db, o, e) : check_index(o, e);
}

static struct slice
text_of(struct db_stmt *q, int i)
{
	return db_col_type(q, i) == DB_TEXT ? db_col_text(q, i) :
	    slice_of("", 0);
}

static int
check_objects(struct db *db, const struct schema *schema, int64_t pages,
    struct err *e)
{
	struct db_stmt q;
	int got;

	if (db_prepare(db, &q, "SELECT type, name, tbl_name, rootpage, sql "
	    "FROM sqlite_master", e) < 0)
		return -1;
	while ((got = db_step(&q, e)) > 0) {
		struct object o = { err_tail(db->name), schema,
		    text_of(&q, 0), text_of(&q, 1), text_of(&q, 2),
		    text_of(&q, 4),
		    db_col_type(&q, 3) == DB_INTEGER ? db_col_i64(&q, 3) : -1,
		    db_col_type(&q, 4) != DB_NULL };

		if (check_object(db, &o, pages, e) < 0) {
			got = -1;
			break;
		}
	}
	db_finish(&q);
	return got;
}

/* ---- the file ---- */

static int
check_size(struct db *db, int64_t *pages, struct err *e)
{
	int64_t page_size = 0;
	uint64_t bytes;

	if (db_int(db, "PRAGMA page_count", pages, e) < 0 ||
	    db_int(db, "PRAGMA page_size", &page_size, e) < 0 ||
	    db_file_size(db, &bytes, e) < 0)
		return -1;
	if (*pages == 0)
		return err_data(e, "%s: an empty database",
		    err_tail(db->name));
	/* (both are at most 2^32) */
	return bytes == (uint64_t)*pages * (uint64_t)page_size ? 0 :
	    err_data(e, "%s: %llu bytes, but its %lld pages have %llu",
	    err_tail(db->name), (unsigned long long)bytes, (long long)*pages,
	    (unsigned long long)*pages * (unsigned long long)page_size);
}

/* The single text that sql gives is want; else *e has its last line: SQLite's
 * quick_check puts "*** in database main ***" before what it found. */
static int
check_text(struct db *db, const char *sql, const char *want, const char *what,
    struct err *e)
{
	struct db_stmt q;
	struct slice s;
	const char *line;
	int got;

	if (db_prepare(db, &q, sql, e) < 0)
		return -1;
	got = db_step(&q, e);
	s = got > 0 ? db_col_text(&q, 0) : slice_of("", 0);
	if (got >= 0 && !slice_is(s, want)) {
		line = s.len ? memrchr(s.p, '\n', s.len) : NULL;
		line = line ? line + 1 : s.p;
		got = err_data(e, "%s: %s: %.*s", err_tail(db->name), what,
		    line ? (int)(s.p + s.len - line) : 0, line ? line : "");
	}
	db_finish(&q);
	return got < 0 ? -1 : 0;
}

/* Settings of a full-text index: a Chroma makes none. */
static int
check_settings(struct db *db, const char *table, struct err *e)
{
	char sql[128];
	int64_t n = 0;
	int r = db_has_table(db, table, e);

	if (r <= 0)
		return r;
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s WHERE "
	    "k <> 'version'", table);
	if (db_int(db, sql, &n, e) < 0)
		return -1;
	return n == 0 ? 0 : err_data(e, "%s: table \"%s\" has settings that "
	    "Chroma does not make", err_tail(db->name), table);
}

static int
check(struct db *db, const struct schema *schema, struct err *e)
{
	int64_t pages = 0;

	/* the last of them reads tables, so it comes after the schema */
	return check_size(db, &pages, e) < 0 ||
	    check_text(db, "PRAGMA encoding", "UTF-8", "its encoding", e) < 0 ||
	    check_objects(db, schema, pages, e) < 0 ||
	    check_text(db, "PRAGMA quick_check(1)", "ok",
	    "SQLite's quick_check", e) < 0 ? -1 : 0;
}

int
safeschema_check(struct db *db, struct err *e)
{
	return check(db, &chroma, e) < 0 ||
	    check_settings(db, "embedding_fulltext_config", e) < 0 ||
	    check_settings(db, "embedding_fulltext_search_config", e) < 0 ?
	    -1 : 0;
}

int
safeschema_check_chops(struct db *db, struct err *e)
{
	size_t i;
	int r;

	if (check(db, &chops, e) < 0)
		return -1;
	for (i = 0; i < chops.n_tables; i++) {
		r = db_has_table(db, chops.tables[i].name, e);
		if (r <= 0)
			return r < 0 ? -1 : err_data(e, "%s: no table \"%s\"",
			    err_tail(db->name), chops.tables[i].name);
	}
	return 0;
}
