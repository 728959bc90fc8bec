/* SPDX-License-Identifier: Apache-2.0 */
/* pick.h - which records of a stream are asked for.
 *
 * Wishes of one kind are alternatives, those of different kinds must all be
 * met.  A record that lacks what is asked for does not meet it.
 */
#ifndef CHROMA_PICK_H
#define CHROMA_PICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/textset.h"
#include "stream/record.h"
#include "stream/where.h"

/* Zeroed, it asks for nothing: all records meet it. */
struct pick {
	unsigned operations;		/* 1 << enum operation; 0: any */
	const char *const *only;	/* collections (select.h), borrowed */
	size_t n_only;
	const char *const *skip;
	size_t n_skip;
	bool by_id;			/* those in ids, or of a glob */
	struct textset ids;
	const char *const *glob;	/* checked; borrowed */
	size_t n_glob;
	bool ranged;			/* seq_id */
	int64_t from, to;		/* inclusive */
	bool timed;			/* created_at, ms since 1970 UTC */
	int64_t since, until;		/* inclusive, exclusive */
	struct where *where, *where_document;	/* owned; NULL: none */
	bool invert;			/* those that do not meet it */
	/* private */
	struct buf column;
};

/* Which wishes: some have to be looked at before others. */
enum {
	PICK_RANGE = 1,			/* seq_id and time */
	PICK_REST = 2,			/* all others; and invert */
	PICK_ALL = PICK_RANGE | PICK_REST,
};

/* FIELD_ bits of what these wishes look at; 0: there are none. */
unsigned pick_fields(const struct pick *p, int which);

/* Whether the record, of which these fields are decoded, is asked for: 1, 0,
 * -1 with *e set (metadata that is no JSON object; no memory).
 * A DELETE says nothing of metadata and documents: it meets every where. */
ATTR_NODISCARD int pick_test(struct pick *p, int which,
    const struct record *r, struct err *e);

/* Whether a stream has the collections of only and skip, each once.  source:
 * of its begin record, or absent: nothing can be said then; file: for the
 * message.  0, or -1 with *e set: STATUS_USAGE for a name that is not there,
 * or there twice. */
ATTR_NODISCARD int pick_check_names(const struct pick *p, struct slice source,
    const char *file, struct err *e);

/* Add the ids in a file: a line each, as they are; or, if it begins with "{",
 * JSON objects, a line each, with the id as "id".  0, or -1 with *e set. */
ATTR_NODISCARD int pick_ids_from(struct pick *p, const char *path,
    struct err *e);

void pick_release(struct pick *p);

#endif
