/* SPDX-License-Identifier: Apache-2.0 */
/* intake.c - the vectors that records leave, id by id. */
#include "index/intake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"

#define WHAT "a file for vectors"
#define FLUSH ((size_t)1 << 20)
#define FIRST 256

int
intake_init(struct intake *in, const char *tmpdir, struct err *e)
{
	*in = (struct intake){ .dir = tmpdir, .fd = -1 };
	spool_init(&in->texts, tmpdir);
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
	buf_release(&in->out);
	free(in->id);
	free(in->slot);
	free(in->gathered);
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

/* ---- vectors ---- */

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

static int
put(struct intake *in, struct intake_id *id, const struct record *r,
    struct err *e)
{
	if (r->dim == 0)
		return err_data(e, "a vector without numbers");
	if (in->dim == 0)
		in->dim = r->dim;
	if (r->dim != in->dim)
		return err_data(e, "a vector of %u numbers, where those before "
		    "have %u", r->dim, in->dim);
	if (in->vectors == UINT32_MAX - 1)
		return err_data(e, "more vectors than an index can have");
	buf_add(&in->out, r->embedding, (size_t)r->dim * 4);
	in->live += id->vector == 0;
	id->vector = ++in->vectors;
	id->seq_id = r->has & FIELD_SEQ_ID ? r->seq_id : 0;
	return in->out.len >= FLUSH ? flush(in, e) : 0;
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
		return vector && id->vector == 0 ? put(in, id, r, e) : 0;
	case OPERATION_UPDATE:
		return vector && id->vector != 0 ? put(in, id, r, e) : 0;
	case OPERATION_UPSERT:
		return vector ? put(in, id, r, e) : 0;
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
	in->map_size = (size_t)in->vectors * in->dim * 4;
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
	size_t size = (size_t)in->dim * 4;
	uint32_t i, n = 0;

	*v = (struct vectors){ .stride = size, .dim = in->dim,
	    .n = in->live };
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
	in->gathered = codes_alloc(n, size);
	if (!in->gathered)
		return err_nomem(e);
	for (i = 0; i < n; i++)
		memcpy(in->gathered + i * size, (const char *)in->map +
		    (size_t)(in->id[(*number)[i]].vector - 1) * size, size);
	v->base = in->gathered;
	return 0;
}
