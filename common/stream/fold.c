/* SPDX-License-Identifier: Apache-2.0 */
/* fold.c - the rows of one id as the fewest rows that do the same. */
#include "stream/fold.h"

#include <stdlib.h>
#include <string.h>

#include "stream/json.h"

/* A member of the object that is merged in. */
struct fold_slot {
	struct hash hash;
	size_t key, key_len;	/* in f->keys, escapes undone */
	struct slice value;
	bool taken;		/* the other object had it, too */
};

int
fold_init(struct fold *f, struct err *e)
{
	*f = (struct fold){ 0 };
	return hash_key_init(&f->key, e);
}

static void
release_row(struct fold_row *row)
{
	buf_release(&row->names);
	buf_release(&row->document);
	buf_release(&row->uri);
	buf_release(&row->metadata);
	buf_release(&row->floats);
}

void
fold_release(struct fold *f)
{
	release_row(&f->before);
	release_row(&f->state);
	free(f->slots);
	buf_release(&f->keys);
	buf_release(&f->merged);
}

void
fold_reset(struct fold *f)
{
	f->before.there = f->state.there = f->born = false;
	f->before.last = f->state.last = UINT64_MAX;
}

/* ---- objects ---- */

static int
key_of(struct fold *f, struct slice key, struct fold_slot *s, struct err *e)
{
	s->key = f->keys.len;
	if (!buf_room(&f->keys, key.len + 2) ||
	    json_string(slice_of(key.p - 1, key.len + 2), &f->keys) < 0)
		return err_nomem(e);
	s->key_len = f->keys.len - s->key;
	s->hash = hash_bytes(&f->key, f->keys.p + s->key, s->key_len);
	return 0;
}

/* The slot of a key, or the empty one where it would go. */
static struct fold_slot *
find(struct fold *f, size_t mask, const struct hash *h)
{
	size_t i = h->a & mask;

	while (f->slots[i].value.p && !hash_equal(f->slots[i].hash, *h))
		i = (i + 1) & mask;
	return &f->slots[i];
}

/* Have the members of an object in the table; of equal keys the last counts,
 * as in Chroma.  *mask: of the table. */
static int
take_members(struct fold *f, struct slice object, size_t *mask, struct err *e)
{
	struct json_iter it;
	struct slice key, val;
	struct fold_slot s = { 0 }, *at;
	size_t n = 0, room = 16;
	int got;

	if (json_object(&it, object, e) < 0)
		return -1;
	while ((got = json_next(&it, &key, &val)) > 0)
		n++;
	while (room < 2 * n)
		room *= 2;
	if (got == 0 && room > f->room) {
		free(f->slots);
		f->slots = calloc(room, sizeof(*f->slots));
		f->room = f->slots ? room : 0;
		if (!f->slots)
			return err_nomem(e);
	} else if (got == 0) {
		memset(f->slots, 0, room * sizeof(*f->slots));
	}
	*mask = room - 1;
	buf_reset(&f->keys);
	if (got < 0 || json_object(&it, object, e) < 0)
		return -1;
	while ((got = json_next(&it, &key, &val)) > 0) {
		if (key_of(f, key, &s, e) < 0)
			return -1;
		at = find(f, *mask, &s.hash);
		s.value = val;
		*at = s;
	}
	return got;
}

static void
put_member(struct fold *f, const struct fold_slot *s, struct slice value,
    bool known)
{
	if (known && slice_is(value, "null"))
		return;
	buf_addc(&f->merged, f->merged.len == 0 ? '{' : ',');
	json_put_string(&f->merged, slice_of(f->keys.p + s->key, s->key_len));
	buf_addc(&f->merged, ':');
	buf_add(&f->merged, value.p, value.len);
}

/* The members of the object that are in the table, as the table has them; and
 * the others. */
static int
put_members(struct fold *f, struct slice object, size_t mask, bool known,
    struct err *e)
{
	struct json_iter it;
	struct slice key, val;
	struct fold_slot s = { 0 }, *at;
	int got;

	if (json_object(&it, object, e) < 0)
		return -1;
	while ((got = json_next(&it, &key, &val)) > 0) {
		if (key_of(f, key, &s, e) < 0)
			return -1;
		at = find(f, mask, &s.hash);
		if (at->taken)
			continue;
		put_member(f, &s, at->value.p ? at->value : val, known);
		if (at->value.p)
			at->taken = true;
	}
	return got;
}

/* Merge an object into row->metadata. */
static int
merge_metadata(struct fold *f, struct fold_row *row, struct slice object,
    struct err *e)
{
	struct slice old = buf_slice(&row->metadata);
	struct buf swap;
	size_t mask = 0;

	if (old.len == 0)
		old = slice_str("{}");
	buf_reset(&f->merged);
	if (take_members(f, object, &mask, e) < 0 ||
	    put_members(f, old, mask, row->known, e) < 0 ||
	    put_members(f, object, mask, row->known, e) < 0)
		return -1;
	buf_adds(&f->merged, f->merged.len == 0 ? "{}" : "}");
	if (!buf_ok(&f->merged) || !buf_ok(&f->keys))
		return err_nomem(e);
	swap = row->metadata;
	row->metadata = f->merged;
	f->merged = swap;
	return 0;
}

/* ---- rows ---- */

static void
copy(struct buf *to, struct slice from)
{
	buf_reset(to);
	buf_add(to, from.p, from.len);
}

/* The fields that say which row it is. */
static void
take_names(struct fold_row *row, const struct record *r)
{
	const struct slice from[] = { r->tenant, r->database, r->collection,
	    r->collection_id, r->created_at, r->id };
	struct slice *const to[] = { &row->r.tenant, &row->r.database,
	    &row->r.collection, &row->r.collection_id, &row->r.created_at,
	    &row->r.id };
	const unsigned fields = FIELD_TENANT | FIELD_DATABASE |
	    FIELD_COLLECTION | FIELD_COLLECTION_ID | FIELD_SEQ_ID |
	    FIELD_CREATED_AT | FIELD_ID;
	size_t i, at = 0;

	buf_reset(&row->names);
	for (i = 0; i < 6; i++)
		buf_add(&row->names, from[i].p, from[i].len);
	for (i = 0; i < 6; i++) {
		*to[i] = slice_of(row->names.p + at, from[i].len);
		at += from[i].len;
	}
	row->r.seq_id = r->seq_id;
	row->r.has = (row->r.has & ~fields) | (r->has & fields);
}

/* A text that may be null: the field of has in *to, kept in b. */
static void
take_text(struct fold_row *row, unsigned field, struct slice from,
    struct slice *to, struct buf *b)
{
	row->r.has |= field;
	*to = (struct slice){ NULL, 0 };
	if (from.p) {
		copy(b, from);
		*to = b->p ? buf_slice(b) : slice_str("");
	} else if (row->known) {
		row->r.has &= ~field;
	}
}

/* What a row says comes on top of what there is. */
static int
merge(struct fold *f, struct fold_row *row, const struct record *r,
    uint64_t tag, struct err *e)
{
	row->rows++;
	row->last = tag;
	take_names(row, r);
	if (r->has & FIELD_EMBEDDING) {
		copy(&row->floats, slice_of((const char *)r->embedding,
		    (size_t)r->dim * 4));
		row->r.embedding = (const uint8_t *)row->floats.p;
		row->r.dim = r->dim;
		row->r.form = r->form;
		row->r.has |= FIELD_EMBEDDING;
	}
	if (r->has & FIELD_DOCUMENT)
		take_text(row, FIELD_DOCUMENT, r->document, &row->r.document,
		    &row->document);
	if (r->has & FIELD_URI)
		take_text(row, FIELD_URI, r->uri, &row->r.uri, &row->uri);
	if (r->has & FIELD_METADATA && !slice_is(r->metadata, "null")) {
		if (merge_metadata(f, row, r->metadata, e) < 0)
			return err_in(e, "metadata");
		row->r.metadata = buf_slice(&row->metadata);
		row->r.has |= FIELD_METADATA;
	}
	return buf_ok(&row->names) && buf_ok(&row->floats) &&
	    buf_ok(&row->document) && buf_ok(&row->uri) ? 0 : err_nomem(e);
}

static int
start(struct fold *f, struct fold_row *row, bool known, const struct record *r,
    uint64_t tag, struct err *e)
{
	row->there = true;
	row->rows = 0;
	row->known = known;
	row->r = (struct record){ .type = r->type,
	    .operation = r->operation, .has = FIELD_OPERATION };
	buf_reset(&row->metadata);
	return merge(f, row, r, tag, e);
}

/* An UPDATE or UPSERT of an id that lives if anything before says so. */
static int
change(struct fold *f, const struct record *r, uint64_t tag, struct err *e)
{
	/* an ADD behind an UPDATE: whether it did anything is not known, so
	 * both have to say it */
	if (f->before.there && f->before.r.operation == OPERATION_UPDATE &&
	    f->state.r.operation == OPERATION_ADD &&
	    merge(f, &f->before, r, tag, e) < 0)
		return -1;
	return merge(f, &f->state, r, tag, e);
}

int
fold_add(struct fold *f, const struct record *r, uint64_t tag, struct err *e)
{
	bool deleted = f->before.there &&
	    f->before.r.operation == OPERATION_DELETE;

	switch (r->operation) {
	case OPERATION_ADD:
		if (f->state.there)
			return 0;
		f->born |= !f->before.there;
		return start(f, &f->state, true, r, tag, e);
	case OPERATION_UPSERT:
		return f->state.there ? change(f, r, tag, e) :
		    start(f, &f->state, deleted, r, tag, e);
	case OPERATION_UPDATE:
		if (f->state.there)
			return change(f, r, tag, e);
		if (deleted)
			return 0;
		return f->before.there ? merge(f, &f->before, r, tag, e) :
		    start(f, &f->before, false, r, tag, e);
	case OPERATION_DELETE:
		f->state.there = false;
		return start(f, &f->before, true, r, tag, e);
	default:
		return err_data(e, "a WAL record without an operation");
	}
}

int
fold_rows(const struct fold *f, const struct fold_row *row[2])
{
	int n = 0;

	/* an id that was absent at first need not be deleted */
	if (f->before.there && !(f->born && f->state.there))
		row[n++] = &f->before;
	if (f->state.there)
		row[n++] = &f->state;
	return n;
}
