/* SPDX-License-Identifier: Apache-2.0 */
/* intake.h - the vectors that records leave, id by id.
 *
 * Vector records and rows of a log are taken one after the other, as Chroma
 * applies them: a vector record, UPSERT and UPDATE replace, an UPDATE only
 * what is there; an ADD does nothing to what is there; a DELETE removes.  Rows
 * that an index had already applied when it was dumped change nothing.
 *
 * A vector that came with the length by which its index stored it keeps that,
 * and stays when a row has the same but for such an index's rounding; for an
 * index that does not round (exact), the row's takes its place, an ADD's, too.
 * Links that came with it are remembered as hints.
 *
 * Memory: 40 to 48 bytes an id, 16 more where there are links; vectors, ids and
 * links lie in files without names.
 */
#ifndef INDEX_INTAKE_H
#define INDEX_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/spool.h"
#include "index/hints.h"
#include "index/vectors.h"
#include "stream/record.h"

struct intake_id {
	struct hash print;
	uint64_t at;			/* in the spool of ids */
	uint32_t len;
	uint32_t vector;		/* its place, from 1; 0: none, it was
					 * removed */
	int64_t seq_id;			/* of the row it came from; 0: unknown
					 */
};

struct intake_links {
	uint64_t label;			/* of the id's element */
	uint64_t at;			/* in the spool of links, from 1; 0:
					 * none */
};

struct intake {
	bool exact;			/* by the caller: see above */
	uint32_t dim;			/* 0: no vector yet */
	uint64_t records;		/* taken */
	uint32_t live;			/* ids that have a vector */
	/* private */
	struct hash_key key;
	struct intake_id *id;		/* owned; in the order of coming */
	uint32_t ids, ids_room;
	uint32_t *slot;			/* owned; 1 + number */
	uint32_t slots;
	struct spool texts, links;
	struct intake_links *link;	/* owned; of each id; NULL: none has
					 * any */
	const char *dir;		/* borrowed */
	int fd;				/* the vectors' */
	uint32_t vectors;		/* in the file */
	struct buf out;			/* not yet in it */
	bool lengths;			/* some vector came with one */
	uint8_t *room;			/* owned; for one vector */
	void *map;
	size_t map_size;
	uint32_t *place;		/* owned; of the live vectors */
};

/* tmpdir: see spool.h.  0, or -1 with *e set. */
ATTR_NODISCARD int intake_init(struct intake *in, const char *tmpdir,
    struct err *e);

/* One more record, with id, operation, deleted, embedding, length, label and
 * links decoded.  0, or
 * -1 with *e set: STATUS_DATA (no id; a vector of another dimension), no
 * memory, no room. */
ATTR_NODISCARD int intake_take(struct intake *in, const struct record *r,
    struct err *e);

/* All are in: what is live, in the order of coming.  v->base points into *in;
 * number[i] is the id of vector i (for intake_text()), to be freed.  0, or -1
 * with *e set. */
ATTR_NODISCARD int intake_finish(struct intake *in, struct vectors *v,
    uint32_t **number, struct err *e);

/* Before intake_finish(): this id has no vector after all. */
void intake_drop(struct intake *in, uint32_t number);

/* The number of an id, or UINT32_MAX: no record named it; intake_find(): or it
 * has no vector. */
uint32_t intake_number(struct intake *in, struct slice id);
uint32_t intake_find(struct intake *in, struct slice id);

/* After intake_finish(): hints from the links that came with vectors.  n and
 * number: as that gave them.  0, or -1 with *e set: no memory. */
ATTR_NODISCARD int intake_hints(struct intake *in, const uint32_t *number,
    uint32_t n, struct hints *h, struct err *e);

/* The text of an id; valid until the next call. */
ATTR_NODISCARD int intake_text(struct intake *in, uint32_t number,
    struct slice *text, struct err *e);

/* Bytes of memory that it has, and that the calls above take beside it. */
uint64_t intake_memory(const struct intake *in);

void intake_release(struct intake *in);

#endif
