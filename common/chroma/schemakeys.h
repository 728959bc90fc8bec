/* SPDX-License-Identifier: Apache-2.0 */
/* schemakeys.h - the metadata keys that a collection's schema_str lists.
 *
 * Chroma from 1.3.0 on, when it applies the log to a collection that has a
 * schema, gives each key a copy of what the schema has for values of its type
 * (ensure_key_from_metadata() in rust/types/src/collection_schema.rs), and
 * writes the whole text anew.  Here all that was there keeps its bytes.
 *
 * Memory: the schema, and some 50 bytes a key and type.
 */
#ifndef CHROMA_SCHEMAKEYS_H
#define CHROMA_SCHEMAKEYS_H

#include <stddef.h>

#include "base/attr.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/textset.h"
#include "chroma/metavalues.h"

#define SCHEMAKEYS_TYPES 4	/* string, int, float, bool */

struct schemakeys {
	size_t added;		/* keys, or types of keys, that are new */
	/* private */
	struct slice text, keys;	/* the schema, and in it its keys */
	struct slice of_type[SCHEMAKEYS_TYPES];	/* what a key gets; absent:
						 * nothing */
	struct textset known;	/* type and key */
	struct buf news, scratch;
	struct arena arena;
};

/* Read a schema; text must outlive *s.  1; 0: none that Chroma reads; -1 with
 * *e set (no memory).  schemakeys_end() in any case. */
ATTR_NODISCARD int schemakeys_open(struct schemakeys *s, struct slice text,
    struct err *e);

/* A key was given values of a type.  0, or -1 with *e set. */
ATTR_NODISCARD int schemakeys_use(struct schemakeys *s, struct slice key,
    enum meta_type type, struct err *e);

/* The schema with what was added, appended to *out: new keys last, by their
 * bytes.  0, or -1 with *e set. */
ATTR_NODISCARD int schemakeys_write(struct schemakeys *s, struct buf *out,
    struct err *e);

void schemakeys_end(struct schemakeys *s);

#endif
