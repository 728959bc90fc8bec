/* SPDX-License-Identifier: Apache-2.0 */
/* only.h - the one collection that several streams are about.
 *
 * Each begin record lists the collections of its stream; the one meant is the
 * one that goes by the name that was given, or the only one.  A stream that
 * lists none (the dump of a bare index, bare records) is about it, too, as far
 * as its records do not say otherwise.
 */
#ifndef CHROMA_ONLY_H
#define CHROMA_ONLY_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "stream/record.h"
#include "stream/stream.h"

/* A collection of a begin record. */
struct only_listed {
	struct slice obj;	/* JSON text; valid until the next record */
	struct buf text;	/* owned; what the others point into */
	struct slice id, tenant, database, name;  /* absent: it says none */
};

/* Zeroed but for name, it knows of none yet. */
struct only {
	const char *name;	/* NAME, TENANT/DATABASE/NAME or a UUID,
				 * borrowed; NULL: whichever is the only one */
	/* private */
	struct only_listed one;	/* once it is known */
	bool listed;		/* the last begin record listed it */
};

/* Fields of a record that only_test() looks at. */
#define ONLY_FIELDS (FIELD_TENANT | FIELD_DATABASE | FIELD_COLLECTION | \
	FIELD_COLLECTION_ID)

/* The next stream begins.  *col: what it says of the collection, a JSON
 * object; absent if it lists none.  0, or -1 with *e set: STATUS_USAGE, with
 * the candidates, if several are meant or none; STATUS_DATA if it is another
 * one than that of the streams before, and no name was given. */
ATTR_NODISCARD int only_begin(struct only *o, const struct begin *b,
    struct slice *col, struct err *e);

/* Whether a record is of it: 1, 0, or -1 with *e set (the stream lists no
 * collections, and there was a record of another one before). */
ATTR_NODISCARD int only_test(struct only *o, const struct record *r,
    struct err *e);

void only_release(struct only *o);

#endif
