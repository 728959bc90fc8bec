/* SPDX-License-Identifier: Apache-2.0 */
/* pick.c - which records of a stream are asked for. */
#include "chroma/pick.h"

#include "base/buf.h"
#include "base/glob.h"
#include "base/utf8.h"
#include "base/when.h"
#include "chroma/select.h"
#include "stream/in.h"
#include "stream/json.h"

#define NAMES (FIELD_TENANT | FIELD_DATABASE | FIELD_COLLECTION | \
	FIELD_COLLECTION_ID)

static unsigned
where_fields(const struct where *w)
{
	if (!w)
		return 0;
	return FIELD_OPERATION | FIELD_RAW |
	    (where_needs_metadata(w) ? FIELD_METADATA : 0u) |
	    (where_needs_document(w) ? FIELD_DOCUMENT : 0u) |
	    (where_needs_uri(w) ? FIELD_URI : 0u);
}

unsigned
pick_fields(const struct pick *p, int which)
{
	unsigned fields = 0;

	if (which & PICK_RANGE)
		fields |= (p->ranged ? FIELD_SEQ_ID : 0u) |
		    (p->timed ? FIELD_CREATED_AT : 0u);
	if (which & PICK_REST)
		fields |= (p->operations ? FIELD_OPERATION : 0u) |
		    (p->n_only || p->n_skip ? NAMES : 0u) |
		    (p->by_id ? FIELD_ID : 0u) | where_fields(p->where) |
		    where_fields(p->where_document);
	return fields;
}

static bool
in_range(const struct pick *p, const struct record *r)
{
	int64_t ms;

	if (p->ranged && (!(r->has & FIELD_SEQ_ID) || r->seq_id < p->from ||
	    r->seq_id > p->to))
		return false;
	return !p->timed || (r->has & FIELD_CREATED_AT &&
	    when_parse(r->created_at.p, r->created_at.len, &ms) == 0 &&
	    ms >= p->since && ms < p->until);
}

static bool
listed(const char *const *word, size_t n, const struct record *r)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (select_matches(word[i], r->collection_id, r->tenant,
		    r->database, r->collection))
			return true;
	return false;
}

static bool
named(const struct pick *p, const struct record *r)
{
	size_t i;

	if (!(r->has & FIELD_ID))
		return false;
	if (textset_has(&p->ids, r->id))
		return true;
	for (i = 0; i < p->n_glob; i++)
		if (glob_matches(slice_str(p->glob[i]), r->id))
			return true;
	return false;
}

static bool
cheap(const struct pick *p, const struct record *r)
{
	if (p->operations && (r->operation == OPERATION_NONE ||
	    !(p->operations & 1u << r->operation)))
		return false;
	if (p->n_only && !listed(p->only, p->n_only, r))
		return false;
	if (p->n_skip && listed(p->skip, p->n_skip, r))
		return false;
	return !p->by_id || named(p, r);
}

/* The metadata of a row that could not be shown as they are: "raw" has them.
 * 0, or -1 with *e set. */
static int
use_raw(struct pick *p, struct slice raw, struct where_record *what,
    struct err *e)
{
	static const char *const key[] = { "metadata" };
	struct slice val[1];

	if (json_members(raw, key, val, 1, e) < 0)
		return err_in(e, "raw");
	if (!json_is_string(val[0]))
		return 0;	/* null, or no text: there are none */
	buf_reset(&p->column);
	if (json_string(val[0], &p->column) < 0 || !buf_ok(&p->column))
		return err_nomem(e);
	what->metadata = buf_slice(&p->column);
	what->column = true;
	return 0;
}

static int
passes(struct pick *p, struct where *w, const struct record *r, struct err *e)
{
	struct where_record what = {
		.document = r->has & FIELD_DOCUMENT ? r->document :
		    (struct slice){ NULL, 0 },
		.uri = r->has & FIELD_URI ? r->uri :
		    (struct slice){ NULL, 0 },
		.stored = r->type != RECORD_WAL,
	};

	if (!w || r->operation == OPERATION_DELETE)
		return 1;
	if (r->has & FIELD_METADATA && !slice_is(r->metadata, "null"))
		what.metadata = r->metadata;
	else if (r->has & FIELD_RAW && use_raw(p, r->raw, &what, e) < 0)
		return -1;
	return where_test(w, &what, e);
}

int
pick_test(struct pick *p, int which, const struct record *r, struct err *e)
{
	int got = 1;

	if (which & PICK_RANGE)
		got = in_range(p, r);
	if (which & PICK_REST) {
		if (got > 0)
			got = cheap(p, r);
		if (got > 0)
			got = passes(p, p->where, r, e);
		if (got > 0)
			got = passes(p, p->where_document, r, e);
		if (p->invert && got >= 0)
			got = !got;
	}
	return got;
}

/* ---- names ---- */

/* How many collections of the begin record go by this name. */
static int
count_named(const char *spec, struct slice collections, size_t *n,
    struct err *e)
{
	static const char *const key[] = { "id", "tenant", "database", "name" };
	struct buf text = { 0 };
	struct slice obj, val[4], s[4];
	struct json_iter it;
	size_t start[4], i;
	int got;

	*n = 0;
	if (json_array(&it, collections, e) < 0)
		return -1;
	while ((got = json_element(&it, &obj)) > 0) {
		buf_reset(&text);
		if (json_members(obj, key, val, 4, e) < 0) {
			got = -1;
			break;
		}
		for (i = 0; i < 4; i++) {
			start[i] = text.len;
			if (json_string(val[i], &text) < 0)
				val[i].p = NULL;
			s[i].len = text.len - start[i];
		}
		for (i = 0; i < 4; i++)
			s[i].p = val[i].p && text.p ? text.p + start[i] : NULL;
		*n += select_matches(spec, s[0], s[1], s[2], s[3]);
	}
	buf_release(&text);
	return got;
}

/* A name that the stream does not have, or has twice, is a mistake. */
static int
check_names(const char *const *word, size_t words, struct slice collections,
    const char *file, struct err *e)
{
	size_t i, n;

	for (i = 0; i < words; i++) {
		if (count_named(word[i], collections, &n, e) < 0)
			return err_in(e, file);
		if (n == 0)
			return err_usage(e, "no collection '%s' in %s (its "
			    "begin record names those that there are)",
			    word[i], err_tail(file));
		if (n > 1)
			return err_usage(e, "'%s' is %zu collections in %s; "
			    "name one as TENANT/DATABASE/NAME or by its id",
			    word[i], n, err_tail(file));
	}
	return 0;
}

int
pick_check_names(const struct pick *p, struct slice source, const char *file,
    struct err *e)
{
	static const char *const key[] = { "collections" };
	struct slice val[1];

	if (!source.p || (p->n_only == 0 && p->n_skip == 0))
		return 0;
	if (json_members(source, key, val, 1, e) < 0)
		return err_in(e, file);
	if (!val[0].p)
		return 0;
	return check_names(p->only, p->n_only, val[0], file, e) < 0 ||
	    check_names(p->skip, p->n_skip, val[0], file, e) < 0 ? -1 : 0;
}

/* ---- ids in a file ---- */

/* The id in a line of JSON. */
static int
id_in(struct slice line, struct buf *id, struct err *e)
{
	static const char *const key[] = { "id" };
	struct slice val[1];

	buf_reset(id);
	if (!utf8_valid(line.p, line.len))
		return err_data(e, "not UTF-8");
	if (json_members(line, key, val, 1, e) < 0)
		return -1;
	if (json_string(val[0], id) < 0)
		return err_data(e, "no \"id\" that is a string");
	return buf_ok(id) ? 0 : err_nomem(e);
}

static int
add_lines(struct pick *p, struct in *in, struct err *e)
{
	struct buf id = { 0 };
	const char *text;
	size_t len;
	bool json = false;
	int got;

	while ((got = in_line(in, &text, &len, e)) > 0) {
		struct slice line = slice_of(text, len);

		if (in->lineno == 1)
			json = len > 0 && text[0] == '{';
		if (json && id_in(line, &id, e) < 0) {
			got = err_at(e, in->name, in->lineno);
			break;
		}
		if (textset_add(&p->ids, json ? buf_slice(&id) : line,
		    e) < 0) {
			got = -1;
			break;
		}
	}
	buf_release(&id);
	return got;
}

int
pick_ids_from(struct pick *p, const char *path, struct err *e)
{
	struct in in;
	int r;

	p->by_id = true;
	if (in_open(&in, path, e) < 0)
		return -1;
	r = add_lines(p, &in, e);
	in_close(&in);
	return r;
}

void
pick_release(struct pick *p)
{
	textset_release(&p->ids);
	where_free(p->where);
	where_free(p->where_document);
	buf_release(&p->column);
}
