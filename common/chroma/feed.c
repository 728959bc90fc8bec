/* SPDX-License-Identifier: Apache-2.0 */
/* feed.c - what streams and matrices say of vectors, into an intake. */
#include "chroma/feed.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/le.h"
#include "base/utf8.h"
#include "stream/json.h"
#include "stream/stream.h"

/* Lines of what was dropped are written when there are so many bytes. */
#define FLUSH ((size_t)1 << 16)

static void
tell(const struct feed *f)
{
	if (f->progress)
		f->progress(f->in.records);
}

/* ---- what begin records say ---- */

/* A space that two streams say differently must be said by an option. */
static int
take_space(struct feed *f, struct slice val, struct err *e)
{
	enum space space = SPACE_UNKNOWN;
	char name[16];

	if (!val.p || f->space != SPACE_UNKNOWN)
		return 0;
	if (json_is_string(val) && val.len < sizeof(name)) {
		memcpy(name, val.p + 1, val.len - 2);
		name[val.len - 2] = '\0';
		space = params_space(slice_str(name));
	}
	if (space == SPACE_UNKNOWN)
		return err_data(e, "its space is none of l2, ip, cosine; "
		    "--space=SPACE says which");
	if (f->said.space != SPACE_UNKNOWN && f->said.space != space)
		return err_data(e, "its space is %s, but %s of what came "
		    "before; --space=SPACE decides", space_name(space),
		    space_name(f->said.space));
	f->said.space = space;
	return 0;
}

/* A number that no stream before has said. */
static void
take_number(struct slice val, uint64_t *to)
{
	uint64_t v;

	if (*to == 0 && json_u63(val, &v) == 0)
		*to = v;
}

/* A collection, or an index, of a begin record.  applied: all up to its
 * vector_seq_id is in the stream. */
static int
take_parameters(struct feed *f, struct slice obj, bool applied, struct err *e)
{
	static const char *const key[] = { "space", "M", "ef_construction",
	    "ef_search", "dimension", "vector_seq_id" };
	struct slice val[6];
	int64_t seq_id;

	if (json_members(obj, key, val, 6, e) < 0)
		return -1;
	if (applied && json_i64(val[5], &seq_id) == 0 && seq_id > f->last)
		f->last = seq_id;
	take_number(val[1], &f->said.m);
	take_number(val[2], &f->said.ef_construction);
	take_number(val[3], &f->said.ef_search);
	take_number(val[4], &f->dimension);
	return take_space(f, val[0], e);
}

/* Whether records can be taken for what they are. */
static int
check_redacted(struct slice text, struct err *e)
{
	static const char *const key[] = { "redacted" };
	struct slice val[1];

	if (json_members(text, key, val, 1, e) < 0)
		return -1;
	if (val[0].p && memmem(val[0].p, val[0].len, "\"ids\"", 5))
		return err_data(e, "its ids are redacted: no index of it");
	if (val[0].p && memmem(val[0].p, val[0].len, "\"embeddings\"", 12))
		return err_data(e, "its embeddings are redacted: no index of "
		    "it");
	return 0;
}

static int
take_begin(struct feed *f, struct slice text, struct err *e)
{
	static const char *const key[] = { "index" };
	struct slice col, val[1];
	struct begin b;

	if (stream_begin_parse(text, &b, e) < 0 || check_redacted(text, e) < 0)
		return -1;
	if (b.no_embeddings || b.identity)
		return err_data(e, "its embeddings were left out: no index of "
		    "it");
	if (only_begin(&f->only, &b, &col, e) < 0)
		return -1;
	if (f->begin && f->begin(f->begin_arg, &b, col, e) < 0)
		return -1;
	if (!col.p && b.source.p) {
		if (json_members(b.source, key, val, 1, e) < 0)
			return -1;
		if (val[0].p && *val[0].p == '{')
			col = val[0];
	}
	return col.p ? take_parameters(f, col, slice_is(b.stream, "vector"),
	    e) : 0;
}

/* ---- reading ---- */

static bool
all_finite(const struct record *r)
{
	uint32_t i;

	for (i = 0; i < r->dim; i++)
		if (!isfinite(le_f32(r->embedding + (size_t)i * 4)))
			return false;
	return true;
}

static int
flush_dropped(struct feed *f, struct err *e)
{
	struct buf *b = &f->drop_lines;

	if (!buf_ok(b))
		return err_nomem(e);
	if (f->drop_fd >= 0 &&
	    file_write(f->drop_fd, b->p, b->len) < 0)
		return err_system(e, "%s: write", err_tail(f->drop));
	buf_reset(b);
	return 0;
}

/* A vector that is not finite; row: of a matrix, else 0.  0 if it is left out,
 * or -1 with *e set. */
static int
drop(struct feed *f, const struct record *r, uint64_t row, struct err *e)
{
	struct jsonw w = { .b = &f->drop_lines };

	if (!f->drop)
		return err_data(e, "the vector of '%.*s' has NaN or infinity; "
		    "--drop-nonfinite=FILE leaves such out",
		    (int)(r->id.len < 100 ? r->id.len : 100), r->id.p);
	f->dropped++;
	json_open(&w, NULL, '{');
	if (r->has & FIELD_ID)
		json_str(&w, "id", r->id);
	if (r->has & FIELD_SEQ_ID)
		json_int(&w, "seq_id", r->seq_id);
	if (r->has & FIELD_LABEL && r->label <= INT64_MAX)
		json_int(&w, "label", (int64_t)r->label);
	if (row > 0)
		json_int(&w, "row", (int64_t)row);
	json_close(&w, '}');
	buf_addc(&f->drop_lines, '\n');
	return f->drop_lines.len >= FLUSH ? flush_dropped(f, e) : 0;
}

/* A record of the collection, wherever it came from. */
static int
take(struct feed *f, const struct record *r, uint64_t row, struct err *e)
{
	if (r->has & FIELD_EMBEDDING && !(r->has & FIELD_DELETED &&
	    r->deleted)) {
		if (r->dim > MATRIX_DIM_MAX)
			return err_data(e, "a vector of %u numbers: %d at most",
			    r->dim, MATRIX_DIM_MAX);
		if (!all_finite(r))
			return drop(f, r, row, e);
	}
	/* json.h: text may have half a surrogate pair */
	if (r->has & FIELD_ID && !utf8_valid(r->id.p, r->id.len))
		return err_data(e, "an id with half of a surrogate pair: no "
		    "Chroma loads it");
	return intake_take(&f->in, r, e);
}

static int
take_record(struct feed *f, const struct stream_in *si,
    const struct item *item, struct record_memory *m, struct err *e)
{
	struct record r;
	int got;

	if (item->type == RECORD_OTHER)
		return 0;
	if (stream_record(si, item, ONLY_FIELDS | FIELD_ID | FIELD_OPERATION |
	    FIELD_SEQ_ID | FIELD_LABEL | FIELD_DELETED | FIELD_LENGTH |
	    FIELD_LINKS | FIELD_EMBEDDING, &r, m, e) < 0)
		return -1;
	got = only_test(&f->only, &r, e);
	if (got == 0)
		return 0;
	if (got > 0 && r.has & FIELD_SEQ_ID && r.seq_id < 0)
		got = err_data(e, "a seq_id below 0: no Chroma gives one");
	if (got > 0 && r.has & FIELD_SEQ_ID && r.seq_id > f->last)
		f->last = r.seq_id;
	return got < 0 || take(f, &r, 0, e) < 0 ? stream_at(si, item, e) : 0;
}

static int
read_stream(struct feed *f, const char *path, struct err *e)
{
	struct record_memory m = { 0 };
	struct stream_in si;
	struct item item;
	int got, r = 0;

	if (stream_in_open(&si, path, false, e) < 0)
		return -1;
	while (r == 0 && (got = stream_next(&si, &item, e)) != 0) {
		if (got < 0)
			r = -1;
		else if (item.type == RECORD_BEGIN)
			r = take_begin(f, item.json, e) < 0 ?
			    stream_at(&si, &item, e) : 0;
		else if (item.type != RECORD_END)
			r = take_record(f, &si, &item, &m, e);
		tell(f);
	}
	record_memory_release(&m);
	stream_in_close(&si);
	return r;
}

/* The next line of --ids: 1 and the id, 0 at the end, -1. */
static int
next_id(struct feed_ids *ids, struct slice *id, struct err *e)
{
	struct in *in = &ids->in;
	const char *line;
	size_t len;
	int got = in_line(in, &line, &len, e);

	if (got <= 0)
		return got;
	buf_reset(&ids->line);
	buf_reset(&ids->text);
	if (!utf8_valid(line, len)) {
		err_data(e, "not UTF-8");
		return err_at(e, in->name, in->lineno);
	}
	if (json_compact(slice_of(line, len), &ids->line, e) < 0 ||
	    json_string(buf_slice(&ids->line), &ids->text) < 0) {
		err_data(e, "not an id: each is a JSON string on a line of its "
		    "own");
		return err_at(e, in->name, in->lineno);
	}
	if (!buf_ok(&ids->line) || !buf_ok(&ids->text))
		return err_nomem(e);
	*id = buf_slice(&ids->text);
	return 1;
}

static int
take_row(struct feed *f, const struct matrix_in *m, const uint8_t *row,
    struct err *e)
{
	struct record r = { .type = RECORD_PLAIN, .operation = OPERATION_NONE,
	    .has = FIELD_ID | FIELD_EMBEDDING, .embedding = row,
	    .dim = m->dim };
	int got = next_id(&f->of, &r.id, e);

	if (got < 0)
		return -1;
	if (got == 0) {
		err_data(e, "no id: %s ends after %" PRIu64,
		    err_tail(f->of.in.name), f->of.in.lineno);
		return matrix_in_at(m, e);
	}
	return take(f, &r, m->rows, e) < 0 ? matrix_in_at(m, e) : 0;
}

static int
read_matrix(struct feed *f, const char *path, struct err *e)
{
	struct matrix_in m;
	const uint8_t *row;
	int got;

	if (matrix_in_open(&m, path, f->form, e) < 0)
		return -1;
	while ((got = matrix_in_next(&m, &row, e)) > 0) {
		if (take_row(f, &m, row, e) < 0) {
			got = -1;
			break;
		}
		tell(f);
	}
	if (got == 0 && f->dimension == 0)
		f->dimension = m.dim;
	matrix_in_close(&m);
	return got;
}

/* Every id must have had its row. */
static int
end_ids(struct feed *f, struct err *e)
{
	struct slice id;
	int got = f->of.open ? next_id(&f->of, &id, e) : 0;

	if (got > 0) {
		err_data(e, "no row for this id and what follows");
		return err_at(e, f->of.in.name, f->of.in.lineno);
	}
	return got;
}

/* ---- all of it ---- */

int
feed_begin(struct feed *f, const char *tmpdir, struct err *e)
{
	f->said.space = SPACE_UNKNOWN;
	if (intake_init(&f->in, tmpdir, e) < 0)
		return -1;
	f->in.exact = f->space == SPACE_L2 || f->space == SPACE_IP;
	if (f->ids && in_open(&f->of.in, f->ids, e) < 0)
		return -1;
	f->of.open = f->ids;
	return 0;
}

int
feed_read(struct feed *f, const char *path, struct err *e)
{
	return f->matrix ? read_matrix(f, path, e) : read_stream(f, path, e);
}

int
feed_end(struct feed *f, struct err *e)
{
	if (end_ids(f, e) < 0)
		return -1;
	/* where there are no vectors, later ones will have that dimension */
	if (f->in.dim == 0 && f->dimension <= MATRIX_DIM_MAX)
		f->in.dim = (uint32_t)f->dimension;
	return flush_dropped(f, e);
}
