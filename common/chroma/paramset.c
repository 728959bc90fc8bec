/* SPDX-License-Identifier: Apache-2.0 */
/* paramset.c - HNSW parameters, put where Chroma has them. */
#include "chroma/paramset.h"

#include <stdio.h>

#include "base/f64.h"
#include "stream/json.h"
#include "stream/jsonedit.h"

/* The names in the JSON of 0.5.4 to 0.6.3 are param_name. */
#define PYTHON_JSON "hnsw_configuration"
#define PATH_MAX_KEYS 8

/* One column of JSON in collections. */
struct json_column {
	const char *name;
	bool there;		/* this era has it, and it is not NULL */
	struct buf was, text;	/* as stored; as it will be */
};

struct places {
	struct db *db;
	const struct catalog *c;
	const struct collection *col;
	const struct paramset *set;
	struct params legacy;	/* what segment_metadata says ... */
	bool row[PARAMS];	/* ... in these rows */
	bool rows;		/* it has any */
	struct json_column config, schema;
	struct params to;	/* what is to be in force */
	bool all;		/* the JSON of 1.x does not decide: it is to
				 * say all of that from now on */
	bool dry;
	bool differs;
};

static int
not_understood(const struct places *p, const char *what, const char *why,
    struct err *e)
{
	struct err old = *e;	/* why may be in it */

	return err_data(e, "collection %.200s: its %s is not understood: %s",
	    p->col->name, what, why == e->msg ? old.msg : why);
}

/* ---- what is there ---- */

static int
read_rows(struct places *p, struct err *e)
{
	struct db_stmt st;
	int got, i;

	params_default(&p->legacy, &p->c->era);
	if (db_prepare(p->db, &st, "SELECT key, str_value, "
	    "coalesce(int_value, float_value) FROM segment_metadata "
	    "WHERE segment_id = ? AND key LIKE 'hnsw:%'", e) < 0)
		return -1;
	db_bind_text(&st, 1, slice_str(p->col->vector_segment));
	while ((got = db_step(&st, e)) > 0) {
		struct slice key = db_col_text(&st, 0);

		p->rows = true;
		params_from_row(&p->legacy, key, db_col_text(&st, 1),
		    db_col_real(&st, 2));
		for (i = 0; i < PARAMS; i++)
			p->row[i] |= slice_is(key, param_row_key[i]);
	}
	db_finish(&st);
	return got;
}

static int
read_json(struct places *p, struct json_column *j, const char *name,
    struct err *e)
{
	struct db_stmt st;
	char sql[80];
	int got;

	j->name = name;
	snprintf(sql, sizeof(sql), "SELECT %s FROM collections WHERE id = ?",
	    name);
	if (db_prepare(p->db, &st, sql, e) < 0)
		return -1;
	db_bind_text(&st, 1, slice_str(p->col->id));
	got = db_step(&st, e);
	if (got > 0 && db_col_type(&st, 0) == DB_TEXT) {
		struct slice text = db_col_text(&st, 0);

		j->there = true;
		buf_add(&j->was, text.p, text.len);
		buf_add(&j->text, text.p, text.len);
		got = buf_ok(&j->was) && buf_ok(&j->text) ? 0 : err_nomem(e);
	} else if (got >= 0)
		got = got > 0 && db_col_type(&st, 0) == DB_NULL ? 0 :
		    not_understood(p, name, got ? "it is no text" :
		    "it has no row", e);
	db_finish(&st);
	return got;
}

static void
resolve(const struct places *p, struct params *in_force)
{
	const struct json_column *config = &p->config, *schema = &p->schema;
	struct slice none = { NULL, 0 };

	params_resolve(in_force, &p->c->era, &p->legacy, p->rows,
	    config->there ? buf_slice(&config->text) : none,
	    schema->there ? buf_slice(&schema->text) : none);
}

static void
take(struct params *to, enum param i, const struct params *from)
{
	to->value[i] = from->value[i];
	if (i == PARAM_SPACE)
		to->space = from->space;
	else if (i == PARAM_RESIZE_FACTOR)
		to->resize_factor = from->resize_factor;
}

static bool
same(const struct params *a, enum param i, const struct params *b)
{
	if (i == PARAM_SPACE)
		return a->space == b->space;
	if (i == PARAM_RESIZE_FACTOR)
		return a->resize_factor <= b->resize_factor &&
		    a->resize_factor >= b->resize_factor;
	return a->value[i] == b->value[i];
}

/* num_threads counts only if it is set: 1.x does not use it, and where the JSON
 * does not have it, it is not to be put there (1.0.0 refuses one above the
 * machine's cores). */
static bool
counts(const struct places *p, enum param i)
{
	return i != PARAM_NUM_THREADS || p->set->set[i];
}

/* What the places say now is what is to be in force. */
static bool
agrees(const struct places *p)
{
	struct params now;
	bool yes = true;
	int i;

	resolve(p, &now);
	for (i = 0; i < PARAMS; i++)
		yes &= !counts(p, (enum param)i) ||
		    same(&now, (enum param)i, &p->to);
	return yes;
}

/* ---- JSON ---- */

/* The value of a parameter as JSON, NUL-terminated. */
static struct slice
value_text(const struct params *p, enum param i, char text[F64_ROOM])
{
	if (i == PARAM_SPACE)
		snprintf(text, F64_ROOM, "\"%s\"", space_name(p->space));
	else if (i == PARAM_RESIZE_FACTOR)
		f64_repr(p->resize_factor, text);
	else
		snprintf(text, F64_ROOM, "%lld", (long long)p->value[i]);
	return slice_str(text);
}

/* Whether the JSON number or string says this already. */
static bool
says(struct slice text, const struct params *p, enum param i)
{
	char want[F64_ROOM];
	double v;

	if (i == PARAM_RESIZE_FACTOR && text.p &&
	    f64_parse(text.p, text.len, &v) == 0)
		/* 0.5.4 to 0.6.3 take no integer */
		return v >= p->resize_factor && v <= p->resize_factor &&
		    memchr(text.p, '.', text.len);
	return slice_eq(text, value_text(p, i, want));
}

/* path[0..n), then the parameter's key, to the value that is to be. */
static int
edit(struct places *p, struct json_column *j, const char *path[], size_t n,
    const char *key, enum param i, struct err *e)
{
	enum jsonedit_style style = memmem(j->text.p, j->text.len, "\": ", 3) ?
	    JSONEDIT_SPACED : JSONEDIT_COMPACT;
	struct buf out = { 0 };
	struct slice is;
	char want[F64_ROOM];
	int got;

	path[n] = key;
	got = jsonedit_get(buf_slice(&j->text), path, n + 1, &is, e);
	if (got > 0 && says(is, &p->to, i))
		return 0;
	if (got < 0 || jsonedit_set(buf_slice(&j->text), path, n + 1,
	    value_text(&p->to, i, want), style, &out, e) < 0) {
		buf_release(&out);
		return e->status == STATUS_DATA ?
		    not_understood(p, j->name, e->msg, e) : -1;
	}
	buf_release(&j->text);
	j->text = out;
	return 0;
}

/* The order in which Chroma 1.x writes them. */
static const enum param rust_order[PARAMS] = {
	PARAM_SPACE, PARAM_EF_CONSTRUCTION, PARAM_EF_SEARCH, PARAM_M,
	PARAM_RESIZE_FACTOR, PARAM_SYNC_THRESHOLD, PARAM_NUM_THREADS,
	PARAM_BATCH_SIZE,
};

/* Whether a parameter goes into JSON: which was given, or, where all are to be
 * said, all that has a value of its own. */
static bool
wanted(const struct places *p, enum param i, bool all)
{
	if (p->set->set[i])
		return true;
	if (i == PARAM_BATCH_SIZE)
		return all && p->to.source[i] != FROM_DEFAULT;
	return all && i != PARAM_NUM_THREADS;
}

/* 1.x takes no "hnsw" beside a "spann", which only its clusters have. */
static int
refuse_spann(const struct places *p, const struct json_column *j,
    const char *path[], size_t n, struct err *e)
{
	struct slice is;
	int got;

	path[n] = "spann";
	got = jsonedit_get(buf_slice(&j->text), path, n + 1, &is, e);
	if (got != 0)
		return not_understood(p, j->name, got < 0 ? e->msg :
		    "its index is not HNSW but SPANN", e);
	return 0;
}

/* config_json_str as 1.x has it.  all: it says everything from now on. */
static int
edit_rust_config(struct places *p, bool all, struct err *e)
{
	const char *path[PATH_MAX_KEYS] = { "vector_index", "hnsw" };
	int k;

	if (!p->config.there) {
		buf_adds(&p->config.text, "{}");
		p->config.there = true;
	}
	if (refuse_spann(p, &p->config, path, 1, e) < 0)
		return -1;
	path[1] = "hnsw";
	for (k = 0; k < PARAMS; k++)
		if (wanted(p, rust_order[k], all) && edit(p, &p->config, path,
		    2, param_json_key[rust_order[k]], rust_order[k], e) < 0)
			return -1;
	return 0;
}

/* config_json_str as 0.5.4 to 0.6.3 have it, if it is that.  Of batch_size and
 * sync_threshold both: the first must not be above the second, or that Chroma
 * does not open the directory. */
static int
edit_python_config(struct places *p, struct err *e)
{
	const char *path[PATH_MAX_KEYS] = { PYTHON_JSON };
	bool both = p->set->set[PARAM_BATCH_SIZE] ||
	    p->set->set[PARAM_SYNC_THRESHOLD];
	struct slice is;
	int got, i;

	if (!p->config.there)
		return 0;
	got = jsonedit_get(buf_slice(&p->config.text), path, 1, &is, e);
	if (got < 0)
		return not_understood(p, p->config.name, e->msg, e);
	for (i = 0; got > 0 && i < PARAMS; i++) {
		bool pair = i == PARAM_BATCH_SIZE || i == PARAM_SYNC_THRESHOLD;

		if ((p->set->set[i] || (pair && both)) && edit(p, &p->config,
		    path, 1, param_name[i], (enum param)i, e) < 0)
			return -1;
	}
	return 0;
}

/* "config" of one vector index in schema_str, at path[0..n). */
static int
edit_vector_index(struct places *p, const char *path[], size_t n,
    struct err *e)
{
	int k;

	if (refuse_spann(p, &p->schema, path, n, e) < 0)
		return -1;
	for (k = 0; k < PARAMS; k++) {
		enum param i = rust_order[k];
		size_t deep = n;

		if (!wanted(p, i, p->all))
			continue;
		if (i != PARAM_SPACE)
			path[deep++] = "hnsw";
		if (edit(p, &p->schema, path, deep, param_json_key[i], i,
		    e) < 0)
			return -1;
	}
	return 0;
}

static int
edit_schema(struct places *p, struct err *e)
{
	const char *key[PATH_MAX_KEYS] = { "keys", "#embedding", "float_list",
	    "vector_index", "config" };
	const char *def[PATH_MAX_KEYS] = { "defaults", "float_list",
	    "vector_index", "config" };
	struct slice text = buf_slice(&p->schema.text), is;
	int keys, embedding, of_key = 0, of_def = 0;

	keys = jsonedit_get(text, key, 1, &is, e);
	if (keys == 0)
		key[0] = "key_overrides";
	embedding = keys < 0 ? -1 : jsonedit_get(text, key, 2, &is, e);
	if (embedding > 0)
		of_key = jsonedit_get(text, key, 5, &is, e);
	if (embedding >= 0 && of_key >= 0)
		of_def = jsonedit_get(text, def, 4, &is, e);
	if (embedding < 0 || of_key < 0 || of_def < 0)
		return not_understood(p, p->schema.name, e->msg, e);
	if (embedding > 0 ? !of_key : !of_def)
		return not_understood(p, p->schema.name, "it has no vector "
		    "index", e);
	if ((of_key && edit_vector_index(p, key, 5, e) < 0) ||
	    (of_def && edit_vector_index(p, def, 4, e) < 0))
		return -1;
	return 0;
}

/* Whether the JSON decides what is in force. */
static bool
json_decides(const struct params *in_force)
{
	int i;

	for (i = 0; i < PARAMS; i++)
		if (in_force->source[i] == FROM_CONFIG ||
		    in_force->source[i] == FROM_SCHEMA)
			return true;
	return false;
}

/* Whether JSON of what is to be in force will give way to rows. */
static bool
all_default(const struct places *p)
{
	struct params def;
	bool yes = true;
	int i;

	params_default(&def, &p->c->era);
	for (i = 0; i < PARAMS; i++)
		yes &= i == PARAM_NUM_THREADS ||
		    same(&def, (enum param)i, &p->to);
	return yes;
}

static int
edit_json(struct places *p, struct err *e)
{
	const char *path[] = { "vector_index", "hnsw" };
	struct slice is;
	int got;

	if (p->c->era.has_config && edit_python_config(p, e) < 0)
		return -1;
	if (!era_integer_watermark(&p->c->era))
		return 0;
	if (!p->schema.there)
		return edit_rust_config(p, p->all, e);
	if (edit_schema(p, e) < 0)
		return -1;
	if (!p->config.there)
		return 0;
	got = jsonedit_get(buf_slice(&p->config.text), path, 2, &is, e);
	if (got < 0)
		return not_understood(p, p->config.name, e->msg, e);
	return got ? edit_rust_config(p, false, e) : 0;
}

static int
write_json(struct places *p, struct json_column *j, struct err *e)
{
	struct db_stmt st;
	char sql[80];
	int got;

	if (!j->there || (j->was.len && slice_eq(buf_slice(&j->was),
	    buf_slice(&j->text))))
		return 0;
	p->differs = true;
	if (p->dry)
		return 0;
	snprintf(sql, sizeof(sql), "UPDATE collections SET %s = ? "
	    "WHERE id = ?", j->name);
	if (db_prepare(p->db, &st, sql, e) < 0)
		return -1;
	db_bind_text(&st, 1, buf_slice(&j->text));
	db_bind_text(&st, 2, slice_str(p->col->id));
	got = db_step(&st, e);
	db_finish(&st);
	return got;
}

/* ---- rows ---- */

/* Run a statement of three values: text (absent: NULL), and a number as text,
 * of which the columns are made by CAST; owner and key follow. */
static int
run(struct places *p, const char *sql, const char *owner, enum param i,
    struct err *e)
{
	struct db_stmt st;
	char number[F64_ROOM];
	int got;

	if (db_prepare(p->db, &st, sql, e) < 0)
		return -1;
	if (i == PARAM_SPACE)
		db_bind_text(&st, 1, slice_str(space_name(p->to.space)));
	else
		db_bind_text(&st, i == PARAM_RESIZE_FACTOR ? 3 : 2,
		    value_text(&p->to, i, number));
	db_bind_text(&st, 4, slice_str(owner));
	db_bind_text(&st, 5, slice_str(param_row_key[i]));
	got = db_step(&st, e);
	db_finish(&st);
	return got;
}

static int
write_row(struct places *p, enum param i, struct err *e)
{
	if (p->row[i] && same(&p->to, i, &p->legacy))
		return 0;
	p->differs = true;
	p->row[i] = true;
	take(&p->legacy, i, &p->to);
	p->legacy.source[i] = FROM_SEGMENT_METADATA;
	return p->dry ? 0 : run(p, "INSERT OR REPLACE INTO segment_metadata "
	    "(str_value, int_value, float_value, segment_id, key) VALUES "
	    "(?1, CAST(?2 AS INTEGER), CAST(?3 AS REAL), ?4, ?5)",
	    p->col->vector_segment, i, e);
}

static int
write_rows(struct places *p, struct err *e)
{
	bool agree;
	int i;

	if (!p->rows && era_integer_watermark(&p->c->era))
		return 0;
	if (!p->col->vector_segment)
		return not_understood(p, "list of segments",
		    "it has no VECTOR segment", e);
	for (i = 0; i < PARAMS; i++)
		if (p->set->set[i] && write_row(p, (enum param)i, e) < 0)
			return -1;
	p->rows = true;
	/* JSON that has just come down to the defaults gives way */
	agree = agrees(p);
	for (i = 0; !agree && i < PARAMS; i++)
		if (counts(p, (enum param)i) &&
		    !same(&p->legacy, (enum param)i, &p->to) &&
		    write_row(p, (enum param)i, e) < 0)
			return -1;
	return 0;
}

/* Keys that the collection's metadata has. */
static int
write_metadata(struct places *p, enum param i, struct err *e)
{
#define OTHER_METADATA "collection_metadata WHERE collection_id = ?4 AND key = ?5 " \
	"AND NOT (str_value IS ?1 AND int_value IS CAST(?2 AS INTEGER) AND " \
	"float_value IS CAST(?3 AS REAL))"
	struct db_stmt st;
	char number[F64_ROOM];
	int got;

	if (db_prepare(p->db, &st, "SELECT 1 FROM " OTHER_METADATA, e) < 0)
		return -1;
	if (i == PARAM_SPACE)
		db_bind_text(&st, 1, slice_str(space_name(p->to.space)));
	else
		db_bind_text(&st, i == PARAM_RESIZE_FACTOR ? 3 : 2,
		    value_text(&p->to, i, number));
	db_bind_text(&st, 4, slice_str(p->col->id));
	db_bind_text(&st, 5, slice_str(param_row_key[i]));
	got = db_step(&st, e);
	db_finish(&st);
	if (got <= 0)
		return got;
	p->differs = true;
	if (p->dry)
		return 0;
	return run(p, "UPDATE collection_metadata SET str_value = ?1, "
	    "int_value = CAST(?2 AS INTEGER), float_value = CAST(?3 AS REAL) "
	    "WHERE collection_id = ?4 AND key = ?5", p->col->id, i, e);
}

/* ---- */

/* 1.0.0 opens no collection whose JSON has a sync_threshold below batch_size,
 * or below its default where it has none: what 1.x does not even use. */
static void
lower_batch(struct places *p)
{
	int64_t most = p->to.value[PARAM_SYNC_THRESHOLD];

	if (!era_integer_watermark(&p->c->era) || p->schema.there ||
	    !p->all || p->set->set[PARAM_BATCH_SIZE] ||
	    p->to.value[PARAM_BATCH_SIZE] <= most)
		return;
	p->to.value[PARAM_BATCH_SIZE] = most;
	p->to.source[PARAM_BATCH_SIZE] = FROM_CONFIG;
}

/* What says nothing changes nothing: not even where it is said. */
static bool
asks(const struct paramset *s)
{
	bool yes = false;
	int i;

	for (i = 0; i < PARAMS; i++)
		yes |= s->set[i];
	return yes;
}

static int
put(struct places *p, struct err *e)
{
	const struct era *era = &p->c->era;
	struct params in_force;
	int i;

	if (!asks(p->set))
		return 0;
	if (read_rows(p, e) < 0 ||
	    (era->has_config && read_json(p, &p->config, "config_json_str",
	    e) < 0) ||
	    (era->has_schema && read_json(p, &p->schema, "schema_str", e) < 0))
		return -1;
	resolve(p, &in_force);
	p->to = in_force;
	for (i = 0; i < PARAMS; i++)
		if (p->set->set[i])
			take(&p->to, (enum param)i, &p->set->to);
	p->all = !json_decides(&in_force) || (p->rows && all_default(p));
	lower_batch(p);
	if (edit_json(p, e) < 0 || write_rows(p, e) < 0 ||
	    write_json(p, &p->config, e) < 0 ||
	    write_json(p, &p->schema, e) < 0)
		return -1;
	if (!agrees(p))
		return not_understood(p, "list of parameters",
		    "what would be written would not be in force", e);
	for (i = 0; i < PARAMS; i++)
		if (p->set->set[i] && write_metadata(p, (enum param)i, e) < 0)
			return -1;
	return 0;
}

static int
start(struct db *db, const struct catalog *c, const struct collection *col,
    const struct paramset *s, bool dry, bool *differs, struct err *e)
{
	struct places p = { .db = db, .c = c, .col = col, .set = s,
	    .dry = dry };
	int r = put(&p, e);

	buf_release(&p.config.was);
	buf_release(&p.config.text);
	buf_release(&p.schema.was);
	buf_release(&p.schema.text);
	*differs = p.differs;
	return r;
}

int
paramset_write(struct db *db, const struct catalog *c,
    const struct collection *col, const struct paramset *s, struct err *e)
{
	bool differs;

	return start(db, c, col, s, false, &differs, e);
}

int
paramset_differs(struct db *db, const struct catalog *c,
    const struct collection *col, const struct paramset *s, bool *differs,
    struct err *e)
{
	return start(db, c, col, s, true, differs, e);
}
