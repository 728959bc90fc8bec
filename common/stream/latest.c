/* SPDX-License-Identifier: Apache-2.0 */
/* latest.c - log compaction: of each id, what its rows come to. */
#include "stream/latest.h"

#include <stdio.h>
#include <string.h>

#include "base/le.h"
#include "stream/json.h"

/* A record in the spool. */
struct entry {
	struct hash of;			/* collection and id */
	uint64_t number;		/* it came in as this one */
	uint64_t at;
	uint32_t len;
	uint8_t type;			/* enum record_type */
	bool binary;			/* a frame, else a line */
	bool whole;			/* not to be merged */
};

static int
by_id(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->of.a != y->of.a)
		return x->of.a < y->of.a ? -1 : 1;
	if (x->of.b != y->of.b)
		return x->of.b < y->of.b ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static int
by_number(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

int
latest_init(struct latest *l, const char *tmpdir, struct err *e)
{
	*l = (struct latest){ 0 };
	spool_init(&l->spool, tmpdir);
	spill_init(&l->in, sizeof(struct entry), 0, tmpdir, by_id);
	spill_init(&l->out, sizeof(struct entry), SPILL_DEFAULT / 2, tmpdir,
	    by_number);
	return hash_key_init(&l->key, e) < 0 ? -1 : fold_init(&l->fold, e);
}

void
latest_release(struct latest *l)
{
	spool_release(&l->spool);
	spill_release(&l->in);
	spill_release(&l->out);
	fold_release(&l->fold);
	record_memory_release(&l->memory);
	buf_release(&l->name);
	buf_release(&l->line);
}

/* Texts one after the other, so that no two lists give the same bytes. */
static void
put_part(struct buf *b, struct slice s)
{
	uint8_t len[8];

	le_put_u64(len, s.p ? s.len : UINT64_MAX);
	buf_add(b, len, sizeof(len));
	if (s.p)
		buf_add(b, s.p, s.len);
}

static struct slice
part(const struct record *r, unsigned field, struct slice s)
{
	return r->has & field ? s : (struct slice){ NULL, 0 };
}

/* The collection has one name: its id, else the others. */
static int
identify(struct latest *l, const struct record *r, struct hash *of,
    struct err *e)
{
	buf_reset(&l->name);
	if (r->has & FIELD_COLLECTION_ID) {
		put_part(&l->name, r->collection_id);
	} else {
		put_part(&l->name, part(r, FIELD_TENANT, r->tenant));
		put_part(&l->name, part(r, FIELD_DATABASE, r->database));
		put_part(&l->name, part(r, FIELD_COLLECTION, r->collection));
	}
	put_part(&l->name, r->id);
	if (!buf_ok(&l->name))
		return err_nomem(e);
	*of = hash_bytes(&l->key, l->name.p, l->name.len);
	return 0;
}

/* A value that Chroma takes: text, number, truth or null, or a list of these. */
static bool
flat(struct slice val)
{
	return *val.p != '{' && (*val.p != '[' ||
	    (!memchr(val.p + 1, '[', val.len - 1) &&
	    !memchr(val.p + 1, '{', val.len - 1)));
}

/* Whether the fields of the record say all that the column for metadata has:
 * an object without nested values, its document null, nothing there twice that
 * the fields have once. */
static bool
all_said(struct latest *l, struct slice column)
{
	struct slice key, val;
	struct json_iter it;
	int got, documents = 0, uris = 0;
	bool right = true;
	struct err ignored;

	buf_reset(&l->line);
	if (!json_is_string(column) || json_string(column, &l->line) < 0 ||
	    !buf_ok(&l->line) ||
	    json_object(&it, buf_slice(&l->line), &ignored) < 0)
		return false;
	while ((got = json_next(&it, &key, &val)) > 0) {
		if (json_key_is(key, "chroma:document")) {
			documents++;
			right &= slice_is(val, "null");
		} else if (json_key_is(key, "chroma:uri")) {
			uris++;
			right &= slice_is(val, "null") || json_is_string(val);
		} else {
			right &= flat(val);
		}
	}
	return got == 0 && right && documents == 1 && uris <= 1;
}

/* Whether a row with "raw" says all that it has in its other fields, and
 * Chroma could apply it, as one whose document is null: that is what Python
 * wrote for none, up to 0.6.3.  (Whether the vector is as long as those of the
 * collection is not looked at.) */
static int
mergeable(struct latest *l, const struct item *item, bool *yes, struct err *e)
{
	static const char *const key[] = { "vector", "encoding", "metadata" };
	const unsigned all = FIELD_TENANT | FIELD_DATABASE | FIELD_COLLECTION |
	    FIELD_COLLECTION_ID | FIELD_CREATED_AT | FIELD_ID |
	    FIELD_OPERATION | FIELD_METADATA | FIELD_DOCUMENT;
	struct slice val[3];
	struct record r;
	int got = item->json.p ? record_from_json(item->json, FIELD_ALL, &r,
	    &l->memory, e) : frame_to_record(&item->frame, &r, e);
	bool vector;

	if (got < 0 || json_members(r.raw, key, val, 3, e) < 0)
		return -1;
	vector = r.has & FIELD_EMBEDDING;
	*yes = (r.has & all) == all && !r.document.p &&
	    (vector ? slice_is(val[1], "\"FLOAT32\"") :
	    slice_is(val[0], "null") && slice_is(val[1], "null") &&
	    r.operation == OPERATION_UPDATE) && all_said(l, val[2]);
	return 0;
}

int
latest_add(struct latest *l, const struct item *item, const struct record *r,
    struct err *e)
{
	struct slice bytes = item->binary ? item->bytes : item->json;
	struct entry x = {
		.number = l->rows++,
		.at = l->spool.size,
		.len = (uint32_t)bytes.len,
		.type = (uint8_t)item->type,
		.binary = item->binary,
	};
	bool merges = true;

	if (item->type == RECORD_OTHER ||
	    (r->has & FIELD_RAW && !(r->has & FIELD_ID))) {
		x.whole = true;		/* alone */
		buf_reset(&l->name);
		buf_add(&l->name, &x.number, sizeof(x.number));
		if (!buf_ok(&l->name))
			return err_nomem(e);
		x.of = hash_bytes(&l->key, l->name.p, l->name.len);
	} else {
		if (item->type != RECORD_WAL)
			return err_data(e, "not a WAL record: only of a log "
			    "there is a latest state");
		if (!(r->has & FIELD_ID))
			return err_data(e, "a WAL record without an id");
		if (r->has & FIELD_RAW) {
			if (mergeable(l, item, &merges, e) < 0)
				return -1;
			x.whole = !merges;
		}
		if (!x.whole && r->operation == OPERATION_NONE)
			return err_data(e, "a WAL record without an "
			    "operation");
		if (identify(l, r, &x.of, e) < 0)
			return -1;
	}
	return spool_add(&l->spool, bytes, e) < 0 ||
	    spill_add(&l->in, &x, e) < 0 ? -1 : 0;
}

/* ---- folding ---- */

static int
item_of(struct latest *l, const struct entry *x, struct item *item,
    struct err *e)
{
	struct slice bytes;

	if (spool_get(&l->spool, x->at, x->len, &bytes, e) < 0)
		return -1;
	*item = (struct item){ .type = (enum record_type)x->type,
	    .bytes = bytes, .binary = x->binary };
	if (!x->binary) {
		item->json = bytes;
		return 0;
	}
	if (frame_parse(bytes.p, bytes.len, &item->frame, e) < 0)
		return -1;
	return item->frame.type == FRAME_TEXT ?
	    frame_text(&item->frame, &item->json, e) : 0;
}

static void
set_place(struct latest *l, const struct entry *x)
{
	snprintf(l->place, sizeof(l->place), "record %llu",
	    (unsigned long long)x->number + 1);
}

static int
decode(struct latest *l, const struct entry *x, struct record *r,
    struct err *e)
{
	struct item item;
	int got;

	if (item_of(l, x, &item, e) < 0)
		return -1;
	got = item.json.p ? record_from_json(item.json, FIELD_ALL, r,
	    &l->memory, e) : frame_to_record(&item.frame, r, e);
	if (got == 0)
		return 0;
	set_place(l, x);
	return err_in(e, l->place);
}

/* A row of more than one: into the spool as a line. */
static int
put_merged(struct latest *l, const struct fold_row *row, struct err *e)
{
	struct entry x = { .number = row->last, .at = l->spool.size,
	    .type = RECORD_WAL };

	buf_reset(&l->line);
	record_to_json(&row->r, &l->line);
	if (!buf_ok(&l->line))
		return err_nomem(e);
	if (l->line.len > IN_ITEM_MAX)
		return err_data(e, "the rows of an id come to more than 1 GiB "
		    "as JSON");
	x.len = (uint32_t)l->line.len;
	return spool_add(&l->spool, buf_slice(&l->line), e) < 0 ||
	    spill_add(&l->out, &x, e) < 0 ? -1 : 0;
}

/* The rows of one id. */
struct group {
	uint64_t n;
	struct entry first;		/* not looked into while it is alone */
	struct entry before, state;	/* the last in each row of the fold */
	bool folding;			/* the fold has some of them */
	bool stopped;			/* one could not be merged */
};

/* What was folded goes out. */
static int
flush(struct latest *l, struct group *g, struct err *e)
{
	const struct fold_row *row[2];
	int i, n = g->folding ? fold_rows(&l->fold, row) : 0, r = 0;

	for (i = 0; i < n && r == 0; i++)
		r = row[i]->rows > 1 ? put_merged(l, row[i], e) :
		    spill_add(&l->out, row[i] == &l->fold.before ?
		    &g->before : &g->state, e);
	g->folding = false;
	return r;
}

static int
take(struct latest *l, struct group *g, const struct entry *x, struct err *e)
{
	struct record r;

	if (g->stopped)
		return spill_add(&l->out, x, e);
	if (x->whole) {
		g->stopped = true;
		return flush(l, g, e) < 0 ? -1 : spill_add(&l->out, x, e);
	}
	if (!g->folding)
		fold_reset(&l->fold);
	g->folding = true;
	if (decode(l, x, &r, e) < 0)
		return -1;
	if (fold_add(&l->fold, &r, x->number, e) < 0) {
		set_place(l, x);
		return e->status == STATUS_DATA ? err_in(e, l->place) : -1;
	}
	if (l->fold.before.last == x->number)
		g->before = *x;
	if (l->fold.state.last == x->number)
		g->state = *x;
	return 0;
}

/* One more row of the id. */
static int
more(struct latest *l, struct group *g, const struct entry *x, struct err *e)
{
	if (g->n++ == 0) {
		g->first = *x;
		return 0;
	}
	return (g->n == 2 && take(l, g, &g->first, e) < 0) ||
	    take(l, g, x, e) < 0 ? -1 : 0;
}

/* The rows of the id are over. */
static int
finish(struct latest *l, struct group *g, struct err *e)
{
	int r = g->n == 1 ? spill_add(&l->out, &g->first, e) :
	    flush(l, g, e);

	*g = (struct group){ 0 };
	return r;
}

int
latest_fold(struct latest *l, struct err *e)
{
	struct group g = { 0 };
	const void *p;
	int got;

	if (spill_rewind(&l->in, e) < 0)
		return -1;
	while ((got = spill_next(&l->in, &p, e)) > 0) {
		const struct entry *x = p;

		if ((g.n > 0 && !hash_equal(g.first.of, x->of) &&
		    finish(l, &g, e) < 0) || more(l, &g, x, e) < 0) {
			got = -1;
			break;
		}
	}
	if (got == 0)
		got = finish(l, &g, e);
	spill_release(&l->in);
	return got == 0 ? spill_rewind(&l->out, e) : -1;
}

int
latest_next(struct latest *l, struct item *item, struct err *e)
{
	const void *p;
	int got = spill_next(&l->out, &p, e);

	if (got <= 0)
		return got;
	set_place(l, p);
	return item_of(l, p, item, e) < 0 ? -1 : 1;
}
