/* SPDX-License-Identifier: Apache-2.0 */
/* metavalues.h - the metadata of a log row, as the Chroma of an era reads it:
 * JSON to typed values.
 *
 * Source: chroma 0.4.0 to 0.6.3, db/mixins/embeddings_queue.py and
 * segment/impl/metadata/sqlite.py (Python's json); 1.0.0 to 1.5.9,
 * rust/log/src/sqlite_log.rs and UpdateMetadataValue of rust/types/src/
 * metadata.rs (serde_json).  Seen with the real ones: docs/COMPAT.md.
 */
#ifndef CHROMA_METAVALUES_H
#define CHROMA_METAVALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum meta_type { META_NULL, META_STRING, META_INT, META_FLOAT, META_BOOL };

struct meta_scalar {
	enum meta_type type;
	struct slice text;	/* META_STRING */
	int64_t i;		/* META_INT; META_BOOL: 0, 1 */
	double real;		/* META_FLOAT; Python's may be NaN, infinite */
};

struct meta_value {
	struct slice key;	/* decoded */
	struct meta_scalar v;	/* of a list only the type: that of all its
				 * elements, META_BOOL if it has none */
	bool list;
	size_t first, n;	/* of a list: its elements, see metavalues_element() */
};

/* Whose reading it is. */
struct meta_dialect {
	bool rust;		/* Chroma from 1.0 on */
	bool lists;		/* from 1.5 on: lists are values */
};

/* {0} is a valid empty one.  Values are valid until the next parse, and as long
 * as the text that was parsed. */
struct metavalues {
	struct meta_value *value;
	size_t n;
	struct slice document;	/* absent: the row has none */
	bool no_document;	/* it says so: null, as a Python client writes
				 * it where some of several have one */
	/* private */
	struct buf values, elements, mem, keys;
};

/* Read the text of a row's metadata.  Keys stand in the order of the text, the
 * document (under its key chroma:document) among them.  What Python passes over
 * in silence (lists, objects) is left out.  1; 0: text that a Chroma of this
 * kind does not read, or that no Chroma writes (a key twice), *why says what
 * and is static; -1 with *e set (no memory). */
ATTR_NODISCARD int metavalues_parse(struct metavalues *m, struct slice text,
    const struct meta_dialect *d, const char **why, struct err *e);

const struct meta_scalar *metavalues_element(const struct metavalues *m, size_t i);

void metavalues_release(struct metavalues *m);

#endif
