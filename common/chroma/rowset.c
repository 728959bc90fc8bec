/* SPDX-License-Identifier: Apache-2.0 */
/* rowset.c - the rows of a log that a stream of WAL records names. */
#include "chroma/rowset.h"

#include <string.h>

struct rowset_entry {
	int64_t seq_id;
	struct hash what;	/* of collection, operation, id, created_at */
	uint64_t vector;	/* of its bytes, if has_vector */
	uint64_t place;
	uint32_t from;
	bool has_vector;
};

static int
compare(const void *pa, const void *pb)
{
	const struct rowset_entry *a = pa, *b = pb;

	return a->seq_id < b->seq_id ? -1 : a->seq_id > b->seq_id;
}

int
rowset_start(struct rowset *rs, const char *tmpdir,
    const char *const *source, struct err *e)
{
	*rs = (struct rowset){ .source = source };
	spill_init(&rs->named, sizeof(struct rowset_entry), 0, tmpdir,
	    compare);
	return hash_key_init(&rs->key, e);
}

void
rowset_end(struct rowset *rs)
{
	spill_release(&rs->named);
	buf_release(&rs->mem);
	buf_release(&rs->names);
	buf_release(&rs->collections);
}

/* The lowest number that is named in each collection: in the order of their
 * ids, which lie one after the other in names. */
struct rowset_collection {
	size_t name, len;
	int64_t lowest;
};

static struct rowset_collection *
collections(const struct rowset *rs, size_t *n)
{
	*n = rs->collections.len / sizeof(struct rowset_collection);
	return (struct rowset_collection *)(void *)rs->collections.p;
}

/* Where an id is, or would be. */
static size_t
find(const struct rowset *rs, struct slice id, bool *there)
{
	size_t n, low = 0, high, mid;
	const struct rowset_collection *c = collections(rs, &n);
	int order;

	*there = false;
	for (high = n; low < high && !*there;) {
		mid = low + (high - low) / 2;
		order = memcmp(rs->names.p + c[mid].name, id.p,
		    c[mid].len < id.len ? c[mid].len : id.len);
		if (order == 0 && c[mid].len == id.len) {
			*there = true;
			low = mid;
		} else if (order < 0 || (order == 0 && c[mid].len < id.len)) {
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	return low;
}

static int
note_collection(struct rowset *rs, const struct record *r, struct err *e)
{
	struct rowset_collection new = { rs->names.len, r->collection_id.len,
	    r->seq_id }, *c;
	size_t n, i;
	bool there;

	if (!(r->has & FIELD_COLLECTION_ID))
		return 0;
	i = find(rs, r->collection_id, &there);
	if (!there) {
		buf_add(&rs->names, r->collection_id.p, r->collection_id.len);
		buf_add(&rs->collections, &new, sizeof(new));
		if (!buf_ok(&rs->names) || !buf_ok(&rs->collections))
			return err_nomem(e);
	}
	c = collections(rs, &n);
	if (!there) {
		memmove(c + i + 1, c + i, (n - 1 - i) * sizeof(*c));
		c[i] = new;
	}
	if (c[i].lowest > r->seq_id)
		c[i].lowest = r->seq_id;
	return 0;
}

bool
rowset_names(const struct rowset *rs, struct slice collection_id,
    int64_t *lowest)
{
	size_t n, i;
	bool there;

	i = find(rs, collection_id, &there);
	if (there)
		*lowest = collections(rs, &n)[i].lowest;
	return there;
}

/* Length and bytes; absent and empty are not the same. */
static void
put(struct buf *b, bool there, struct slice s)
{
	uint64_t n = there ? s.len + 1 : 0;

	buf_add(b, &n, sizeof(n));
	if (there)
		buf_add(b, s.p, s.len);
}

/* What names a row, as one number. */
static int
identify(struct rowset *rs, const struct record *r, struct hash *h,
    struct err *e)
{
	struct buf *b = &rs->mem;
	int32_t operation = r->has & FIELD_OPERATION ? r->operation :
	    OPERATION_NONE;

	buf_reset(b);
	buf_add(b, &operation, sizeof(operation));
	put(b, r->has & FIELD_COLLECTION_ID, r->collection_id);
	put(b, r->has & FIELD_ID, r->id);
	put(b, r->has & FIELD_CREATED_AT, r->created_at);
	*h = hash_bytes(&rs->key, b->p, b->len);
	return buf_ok(b) ? 0 : err_nomem(e);
}

static uint64_t
hash_vector(struct rowset *rs, const struct record *r)
{
	return hash_bytes(&rs->key, r->embedding, (size_t)r->dim * 4).a;
}

int
rowset_add(struct rowset *rs, const struct record *r, uint32_t from,
    uint64_t place, struct err *e)
{
	struct rowset_entry n = { .seq_id = r->seq_id, .from = from,
	    .place = place };

	if (!(r->has & FIELD_SEQ_ID))
		return err_data(e, "%s:%llu: a record without seq_id names no "
		    "row", rs->source[from], (unsigned long long)place);
	if (note_collection(rs, r, e) < 0 ||
	    identify(rs, r, &n.what, e) < 0)
		return -1;
	n.has_vector = r->has & FIELD_EMBEDDING;
	if (n.has_vector)
		n.vector = hash_vector(rs, r);
	rs->records++;
	return spill_add(&rs->named, &n, e);
}

static int
advance(struct rowset *rs, struct err *e)
{
	const void *p;
	int got = spill_next(&rs->named, &p, e);

	rs->at = got > 0 ? p : NULL;
	return got < 0 ? -1 : 0;
}

int
rowset_rewind(struct rowset *rs, struct err *e)
{
	rs->gone = 0;
	return spill_rewind(&rs->named, e) < 0 ? -1 : advance(rs, e);
}

/* Whether an entry is of this row. */
static int
agrees(struct rowset *rs, const struct wal_row *row, struct err *e)
{
	const struct db_value *v = &row->col[WAL_VECTOR];
	const struct rowset_entry *n = rs->at;
	struct record r;
	struct hash h;

	wal_identity(row, &r);
	if (identify(rs, &r, &h, e) < 0)
		return -1;
	if (h.a != n->what.a || h.b != n->what.b)
		return 0;
	return !n->has_vector || (v->type == DB_BLOB &&
	    hash_bytes(&rs->key, v->bytes.p, v->bytes.len).a == n->vector);
}

/* Count the numbers below seq_id, which no row has. */
static int
pass(struct rowset *rs, int64_t seq_id, struct err *e)
{
	int64_t last = INT64_MIN;

	while (rs->at && rs->at->seq_id < seq_id) {
		rs->gone += rs->at->seq_id != last;
		last = rs->at->seq_id;
		if (advance(rs, e) < 0)
			return -1;
	}
	return 0;
}

bool
rowset_next_is(const struct rowset *rs, int64_t seq_id)
{
	return rs->at && rs->at->seq_id <= seq_id;
}

int
rowset_has(struct rowset *rs, const struct wal_row *row, const char *file,
    struct err *e)
{
	int64_t seq_id = row->col[WAL_SEQ_ID].i;
	int found = 0, same;

	if (pass(rs, seq_id, e) < 0)
		return -1;
	while (rs->at && rs->at->seq_id == seq_id) {
		same = agrees(rs, row, e);
		if (same < 0)
			return -1;
		if (!same)
			return err_data(e, "%s:%llu: seq_id %lld is another "
			    "row in %s: the stream is not of this directory, "
			    "or of another time; nothing was changed",
			    rs->source[rs->at->from],
			    (unsigned long long)rs->at->place,
			    (long long)seq_id, err_tail(file));
		found = 1;
		if (advance(rs, e) < 0)
			return -1;
	}
	return found;
}

int
rowset_finish(struct rowset *rs, struct err *e)
{
	return pass(rs, INT64_MAX, e);
}
