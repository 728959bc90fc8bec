/* SPDX-License-Identifier: Apache-2.0 */
/* where.h - Chroma's filters: which records a where or a where_document
 * selects.
 *
 * The language, and what it selects, are those of Chroma 1.5.9, as
 * collection.get(where=, where_document=) of its Python client has them: what
 * that refuses is refused here, what it takes is decided as it decides.  (Its
 * sources: chromadb/api/types.py, rust/types/src/where_parsing.rs,
 * rust/segment/src/sqlite_metadata.rs; each rule below was seen with it.)
 * What surprises:
 *
 *   - $ne, $nin, $not_contains and $not_regex are complements: records
 *     without the key, without any metadata, without a document match.
 *   - An integer of a record is compared with the operand cut to an integer,
 *     a float with the operand as a float: {"a": 1.5} finds the integer 1.
 *   - true is not 1.  $contains of a key looks into arrays only, for an
 *     element of the operand's own type; the other operators see no arrays.
 *   - Floats are read as Chroma reads them (f64_serde()), so that a filter
 *     finds the number that was added.
 *   - A document is searched up to its first NUL; a NUL in the operand cuts
 *     it there, and what is before it must then stand at the end.
 *   - $regex sees all of the document, in the language of regex.h.
 *   - Keys are bytes, without paths.  "chroma:document" and "chroma:uri" are
 *     keys; "#document" with $contains searches the document.
 *
 * What differs, never in what is selected: limits of SQLite (16381 numbers in
 * $in, 1000 operands, 50000 bytes of pattern) are none here; nesting ends at
 * JSON_DEPTH_MAX; a key that stands twice in an object of the filter is
 * refused, where Python takes the last; null is no filter and refused; a
 * pattern may be refused that regex.h does not support.
 */
#ifndef STREAM_WHERE_H
#define STREAM_WHERE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/slice.h"

/* One filter.  It holds memory for the record at hand: one thread. */
struct where;

enum where_kind {
	WHERE_METADATA,		/* where */
	WHERE_DOCUMENT,		/* where_document */
};

/* What is looked at of a record. */
struct where_record {
	struct slice metadata;	/* JSON text of an object, UTF-8; may be
				 * absent.  See column. */
	struct slice document;	/* text as json.h has it in memory; */
	struct slice uri;	/* absent where there is none, or null */
	bool stored;		/* Numbers are those of Chroma's tables, or of
				 * get(), already read by it.  Else they are
				 * text of a row of the log, still to be read;
				 * NaN, Infinity and -Infinity, which Python
				 * wrote there before 1.0, are as null. */
	bool column;		/* metadata is the whole column of a row of the
				 * log, as a record has it in raw: document and
				 * uri, where absent, are the "chroma:document"
				 * and "chroma:uri" in it.  Else those are not
				 * looked at. */
};

/* The filter in this JSON text.  0 and *w is the caller's to free; -1 with *e
 * set: STATUS_USAGE and "byte N: what is wrong, and what to write instead"; or
 * no memory. */
ATTR_NODISCARD int where_parse(struct where **w, struct slice json,
    enum where_kind kind, struct err *e);

/* Whether the record is selected: 1 or 0; -1 with *e set: no memory, or
 * metadata that is no JSON object (STATUS_DATA, "byte N: reason"), which is
 * not found where the filter names no key of the metadata.  The metadata is
 * walked over once; values are looked at only under keys that the filter
 * names (of a key that stands twice, the last), numbers read only there.  Null
 * and objects are as a key that is absent. */
ATTR_NODISCARD int where_test(struct where *w, const struct where_record *r,
    struct err *e);

/* Whether where_test() ever looks at this part of a record: what is not
 * needed may be left absent (of a column, when nothing is needed). */
bool where_needs_metadata(const struct where *w);
bool where_needs_document(const struct where *w);
bool where_needs_uri(const struct where *w);

/* NULL is allowed. */
void where_free(struct where *w);

#endif
