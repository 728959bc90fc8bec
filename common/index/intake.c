/* SPDX-License-Identifier: Apache-2.0 */
/* intake.c - the vectors that records leave, id by id. */
#include "index/intake.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/le.h"
#include "index/mix.h"

#define WHAT "a file for vectors"
#define FLUSH ((size_t)1 << 20)
#define FIRST 256
#define ROUNDED 5e-7f		/* more than three times half a unit in the last
				 * place of a float32 */

int
intake_init(struct intake *in, const char *tmpdir, struct err *e)
{
	*in = (struct intake){ .dir = tmpdir, .fd = -1 };
	spool_init(&in->texts, tmpdir);
	spool_init(&in->links, tmpdir);
	return hash_key_init(&in->key, e);
}

void
intake_release(struct intake *in)
{
	if (in->map)
		munmap(in->map, in->map_size);
	if (in->fd >= 0)
		close(in->fd);
	spool_release(&in->texts);
	spool_release(&in->links);
	buf_release(&in->out);
	free(in->id);
	free(in->slot);
	free(in->link);
	free(in->room);
	free(in->place);
	*in = (struct intake){ .fd = -1 };
}

/* ---- ids ---- */

static uint32_t *
find(struct intake *in, const struct hash *print)
{
	uint32_t i = (uint32_t)print->a & (in->slots - 1);

	while (in->slot[i] &&
	    !hash_equal(in->id[in->slot[i] - 1].print, *print))
		i = (i + 1) & (in->slots - 1);
	return &in->slot[i];
}

static int
grow_links(struct intake *in, uint32_t room)
{
	uint32_t had = in->link ? in->ids_room : 0;
	struct intake_links *link = reallocarray(in->link, room,
	    sizeof(*link));

	if (!link)
		return -1;
	in->link = link;
	memset(link + had, 0, (room - had) * sizeof(*link));
	return 0;
}

static int
grow(struct intake *in, struct err *e)
{
	uint32_t room = in->ids_room ? 2 * in->ids_room : FIRST, i;
	struct intake_id *id;

	if (room > UINT32_MAX / 4)
		return err_data(e, "more ids than an index can have");
	id = reallocarray(in->id, room, sizeof(*id));
	if (!id)
		return err_nomem(e);
	in->id = id;
	if (in->link && grow_links(in, room) < 0)
		return err_nomem(e);
	in->ids_room = room;
	free(in->slot);
	in->slots = 2 * room;
	in->slot = calloc(in->slots, sizeof(*in->slot));
	if (!in->slot)
		return err_nomem(e);
	for (i = 0; i < in->ids; i++)
		*find(in, &in->id[i].print) = i + 1;
	return 0;
}

/* The entry of an id; NULL with *e set. */
static struct intake_id *
entry(struct intake *in, struct slice text, struct err *e)
{
	struct hash print = hash_bytes(&in->key, text.p, text.len);
	uint32_t *slot;

	if (in->ids == in->ids_room && grow(in, e) < 0)
		return NULL;
	slot = find(in, &print);
	if (*slot == 0) {
		in->id[in->ids] = (struct intake_id){ .print = print,
		    .at = in->texts.size, .len = (uint32_t)text.len };
		if (spool_add(&in->texts, text, e) < 0)
			return NULL;
		*slot = ++in->ids;
	}
	return &in->id[*slot - 1];
}

int
intake_text(struct intake *in, uint32_t number, struct slice *text,
    struct err *e)
{
	return spool_get(&in->texts, in->id[number].at, in->id[number].len,
	    text, e);
}

uint32_t
intake_number(struct intake *in, struct slice id)
{
	struct hash print = hash_bytes(&in->key, id.p, id.len);
	uint32_t number = in->slots ? *find(in, &print) : 0;

	return number ? number - 1 : UINT32_MAX;
}

uint32_t
intake_find(struct intake *in, struct slice id)
{
	uint32_t number = intake_number(in, id);

	return number != UINT32_MAX && in->id[number].vector ? number :
	    UINT32_MAX;
}

void
intake_drop(struct intake *in, uint32_t number)
{
	in->live -= in->id[number].vector != 0;
	in->id[number].vector = 0;
}

/* ---- vectors ---- */

/* Of a vector in the file; its length comes behind it. */
static size_t
stride(const struct intake *in)
{
	return (size_t)in->dim * 4 + 4;
}

static int
flush(struct intake *in, struct err *e)
{
	if (!buf_ok(&in->out))
		return err_nomem(e);
	if (in->fd < 0)
		in->fd = file_unnamed(in->dir, WHAT, e);
	if (in->fd < 0)
		return -1;
	if (file_write(in->fd, in->out.p, in->out.len) < 0)
		return file_unnamed_failed(in->dir, WHAT, strerror(errno), e);
	buf_reset(&in->out);
	return 0;
}

/* The bytes of a vector that was put down; in place or in in->room. */
static const uint8_t *
put_before(struct intake *in, uint32_t place, struct err *e)
{
	const size_t n = stride(in);
	uint64_t at = (uint64_t)place * n, filed = (uint64_t)in->vectors * n -
	    in->out.len;

	if (at >= filed)
		return (const uint8_t *)in->out.p + (at - filed);
	if (!in->room && !(in->room = malloc(n))) {
		err_nomem(e);
		return NULL;
	}
	if (file_pread(in->fd, in->room, n, at) != (ssize_t)n) {
		file_unnamed_failed(in->dir, WHAT, strerror(errno), e);
		return NULL;
	}
	return in->room;
}

/* Whether an id has this vector already, as a cosine index gives it back: each
 * number went through three roundings.  1 or 0; -1 with *e set. */
static int
has_it(struct intake *in, const struct intake_id *id, const uint8_t *vector,
    struct err *e)
{
	const uint8_t *old;
	uint32_t i;

	if (id->vector == 0 || !in->lengths)
		return 0;
	old = put_before(in, id->vector - 1, e);
	if (!old)
		return -1;
	if (!(le_f32(old + 4 * (size_t)in->dim) > 0))
		return 0;
	for (i = 0; i < in->dim; i++) {
		float a = le_f32(old + 4 * (size_t)i);
		float b = le_f32(vector + 4 * (size_t)i);

		if (!(fabsf(a - b) <= fabsf(a) * ROUNDED))
			return 0;
	}
	return 1;
}

static int
put(struct intake *in, struct intake_id *id, const struct record *r,
    struct err *e)
{
	const bool has_length = r->has & FIELD_LENGTH && r->length > 0;
	uint8_t length[4];
	int same;

	if (r->dim == 0)
		return err_data(e, "a vector without numbers");
	if (in->dim == 0)
		in->dim = r->dim;
	if (r->dim != in->dim)
		return err_data(e, "a vector of %u numbers, where those before "
		    "have %u", r->dim, in->dim);
	if (in->vectors == UINT32_MAX - 1)
		return err_data(e, "more vectors than an index can have");
	same = has_length ? 0 : has_it(in, id, r->embedding, e);
	if (same < 0)
		return -1;
	id->seq_id = r->has & FIELD_SEQ_ID && r->seq_id > 0 ? r->seq_id : 0;
	if (same && !in->exact)
		return 0;
	buf_add(&in->out, r->embedding, (size_t)r->dim * 4);
	le_put_f32(length, has_length ? r->length : 0);
	buf_add(&in->out, length, sizeof(length));
	in->lengths |= has_length;
	in->live += id->vector == 0;
	id->vector = ++in->vectors;
	return in->out.len >= FLUSH ? flush(in, e) : 0;
}

/* An ADD of what is there has no effect; but it may be the very row from which
 * a cosine index had the vector, and has it unrounded. */
static int
add(struct intake *in, struct intake_id *id, const struct record *r,
    struct err *e)
{
	const int64_t seq_id = id->seq_id;
	int same;

	if (id->vector == 0)
		return put(in, id, r, e);
	if (!in->exact || r->dim != in->dim)
		return 0;
	same = has_it(in, id, r->embedding, e);
	if (same <= 0)
		return same;
	if (put(in, id, r, e) < 0)
		return -1;
	id->seq_id = seq_id;
	return 0;
}

/* Those of level 0. */
static int
keep_links(struct intake *in, const struct intake_id *id,
    const struct record *r, struct err *e)
{
	struct intake_links *link;
	struct slice links = r->links;

	if (links.len < 4)
		return 0;
	if (!in->link && grow_links(in, in->ids_room) < 0)
		return err_nomem(e);
	link = &in->link[id - in->id];
	link->label = r->label;
	link->at = in->links.size + 1;
	links.len = 4 + 8 * (size_t)le_u32(links.p);
	return spool_add(&in->links, links, e);
}

int
intake_take(struct intake *in, const struct record *r, struct err *e)
{
	enum operation op = r->type == RECORD_WAL ? r->operation :
	    OPERATION_UPSERT;
	bool vector = r->has & FIELD_EMBEDDING;
	struct intake_id *id;

	in->records++;
	if (r->has & FIELD_DELETED && r->deleted)
		return 0;
	if (!(r->has & FIELD_ID))
		return err_data(e, "a record without an id");
	id = entry(in, r->id, e);
	if (!id)
		return -1;
	switch (op) {
	case OPERATION_DELETE:
		in->live -= id->vector != 0;
		id->vector = 0;
		return 0;
	case OPERATION_ADD:
		return vector ? add(in, id, r, e) : 0;
	case OPERATION_UPDATE:
		return vector && id->vector != 0 ? put(in, id, r, e) : 0;
	case OPERATION_UPSERT:
		if (!vector)
			return 0;
		if (r->has & FIELD_LINKS && keep_links(in, id, r, e) < 0)
			return -1;
		return put(in, id, r, e);
	default:
		return err_data(e, "a WAL record without an operation");
	}
}

static int
map(struct intake *in, struct err *e)
{
	void *p;

	if (flush(in, e) < 0)
		return -1;
	in->map_size = (size_t)in->vectors * stride(in);
	p = mmap(NULL, in->map_size, PROT_READ, MAP_SHARED, in->fd, 0);
	if (p == MAP_FAILED)
		return err_system(e, "mapping %zu bytes", in->map_size);
	in->map = p;
	return 0;
}

/* Whether the live vectors are all, in the order of their ids. */
static bool
in_order(const struct intake *in)
{
	uint32_t i, last = 0;

	for (i = 0; i < in->ids; i++)
		if (in->id[i].vector && in->id[i].vector != ++last)
			return false;
	return last == in->vectors;
}

int
intake_finish(struct intake *in, struct vectors *v, uint32_t **number,
    struct err *e)
{
	uint32_t i, n = 0;

	*v = (struct vectors){ .stride = stride(in), .dim = in->dim,
	    .told = (size_t)in->dim * 4, .n = in->live };
	*number = malloc(((size_t)in->live + 1) * sizeof(**number));
	if (!*number)
		return err_nomem(e);
	for (i = 0; i < in->ids; i++)
		if (in->id[i].vector)
			(*number)[n++] = i;
	if (n == 0)
		return 0;
	if (map(in, e) < 0)
		return -1;
	v->base = in->map;
	if (in_order(in))
		return 0;
	in->place = malloc(n * sizeof(*in->place));
	if (!in->place)
		return err_nomem(e);
	for (i = 0; i < n; i++)
		in->place[i] = in->id[(*number)[i]].vector - 1;
	v->place = in->place;
	return 0;
}

uint64_t
intake_memory(const struct intake *in)
{
	uint64_t id = sizeof(*in->id) + 2 * sizeof(*in->slot);

	if (in->link)
		id += sizeof(*in->link);
	return in->ids_room * id + in->live * (uint64_t)(in->link ? 128 : 16) +
	    2 * SPOOL_MEMORY;
}

/* ---- hints ---- */

/* Live vectors by label, in open addressing: 1 + number of the vector. */
struct labels {
	const struct intake *in;
	const uint32_t *number;
	uint32_t *slot, mask;
};

static uint32_t *
by_label(const struct labels *l, uint64_t label)
{
	uint32_t i = (uint32_t)(mix64(label)) & l->mask;

	while (l->slot[i] &&
	    l->in->link[l->number[l->slot[i] - 1]].label != label)
		i = (i + 1) & l->mask;
	return &l->slot[i];
}

static int
labels_make(struct labels *l, uint32_t n, struct err *e)
{
	uint32_t i;

	for (l->mask = 1; l->mask / 2 < n; l->mask = l->mask * 2 + 1)
		;
	l->slot = calloc((size_t)l->mask + 1, sizeof(*l->slot));
	if (!l->slot)
		return err_nomem(e);
	for (i = 0; i < n; i++)
		if (l->in->link[l->number[i]].at)
			*by_label(l, l->in->link[l->number[i]].label) = i + 1;
	return 0;
}

static int
add_hints(struct intake *in, const struct labels *l, uint32_t vector,
    struct hints *h, struct err *e)
{
	uint64_t at = in->link[l->number[vector]].at;
	uint32_t to[HINTS_MAX], n, i, all;
	struct slice s;

	if (at == 0)
		return 0;
	if (spool_get(&in->links, at - 1, 4, &s, e) < 0)
		return -1;
	all = le_u32(s.p);
	if (spool_get(&in->links, at + 3, 8 * (size_t)all, &s, e) < 0)
		return -1;
	for (i = n = 0; i < all && n < HINTS_MAX; i++) {
		uint32_t other = *by_label(l, le_u64(s.p + 8 *
		    (size_t)i));

		if (other && other - 1 != vector)
			to[n++] = other - 1;
	}
	return hints_add(h, vector, to, n, e);
}

int
intake_hints(struct intake *in, const uint32_t *number, uint32_t n,
    struct hints *h, struct err *e)
{
	struct labels l = { .in = in, .number = number };
	uint32_t i;
	int r = hints_init(h, n, e);

	if (r < 0 || !in->link || n == 0)
		return r;
	r = labels_make(&l, n, e);
	for (i = 0; r == 0 && i < n; i++)
		r = add_hints(in, &l, i, h, e);
	free(l.slot);
	return r;
}
