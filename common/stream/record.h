/* SPDX-License-Identifier: Apache-2.0 */
/* record.h - one record of a stream, as JSON.  See chroma-stream(5).
 *
 * The one struct serves WAL, vector and plain records; each has the fields
 * that its type has, in the order of the struct.
 */
#ifndef STREAM_RECORD_H
#define STREAM_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum record_type {
	RECORD_OTHER,		/* a type that this version does not know */
	RECORD_BEGIN,
	RECORD_END,
	RECORD_WAL,
	RECORD_VECTOR,
	RECORD_PLAIN,		/* "record" */
};

/* chromadb/types.py, Operation (chroma 0.4.0 to 1.5.9). */
enum operation {
	OPERATION_NONE = -1,	/* the record does not say */
	OPERATION_ADD = 0,
	OPERATION_UPDATE = 1,
	OPERATION_UPSERT = 2,
	OPERATION_DELETE = 3,
};

/* How an embedding is written in JSON. */
enum embedding_form {
	EMBEDDING_ARRAY,	/* base64 all the same if not all are finite */
	EMBEDDING_BASE64,
	EMBEDDING_NONE,		/* left out; never the form of a record */
};

/* Fields, for struct record's has and for record_from_json(). */
enum {
	FIELD_TENANT = 1 << 0,
	FIELD_DATABASE = 1 << 1,
	FIELD_COLLECTION = 1 << 2,
	FIELD_COLLECTION_ID = 1 << 3,
	FIELD_SEQ_ID = 1 << 4,
	FIELD_CREATED_AT = 1 << 5,
	FIELD_OPERATION = 1 << 6,
	FIELD_LABEL = 1 << 7,
	FIELD_ID = 1 << 8,
	FIELD_LEVEL = 1 << 9,
	FIELD_DELETED = 1 << 10,
	FIELD_EMBEDDING = 1 << 11,
	FIELD_DOCUMENT = 1 << 12,
	FIELD_URI = 1 << 13,
	FIELD_METADATA = 1 << 14,
	FIELD_RAW = 1 << 15,
	FIELD_LINKS = 1 << 19,	/* 16 to 18 are flags of frames */
	FIELD_LENGTH = 1 << 20,
	FIELD_ALL = ((1 << 16) - 1) | FIELD_LINKS | FIELD_LENGTH,
};

struct record {
	enum record_type type;
	unsigned has;			/* FIELD_ bits: what is present */
	struct slice tenant, database, collection, collection_id;
	int64_t seq_id;
	struct slice created_at;	/* as stored */
	enum operation operation;
	uint64_t label;
	struct slice id;		/* text as json.h has it in memory */
	uint32_t level;
	bool deleted;
	float length;			/* of the vector, as a cosine index
					 * has it: finite, not below 0 */
	struct slice links;		/* of each level from 0 up: u32 count,
					 * that many u64 labels; little-endian */
	const uint8_t *embedding;	/* little-endian float32 */
	uint32_t dim;			/* their number */
	enum embedding_form form;
	struct slice document, uri;	/* p NULL where the field is null */
	struct slice metadata;		/* JSON text */
	struct slice raw;		/* JSON text, see chroma-stream(5) */
	bool exact;			/* record_from_json(): the line has no
					 * member but these fields and type */
};

/* Memory that a decoded record points into. */
struct record_memory {
	struct buf text, floats, links;
};

void record_memory_release(struct record_memory *m);

/* The type that a line names, looking no further than the line's "type";
 * RECORD_OTHER for types of other programs.  plain: a line without a type is
 * a plain record.  0, or -1 with *e set. */
ATTR_NODISCARD int record_type_of(struct slice line, bool plain,
    enum record_type *type, struct err *e);

/* Decode the fields of want (FIELD_ bits) from one line, UTF-8; the others are
 * passed over, their structure checked.  Unknown members are ignored, and
 * clear exact.  A field that stands twice or has another JSON type than it
 * should is an error.  0, or -1 with *e set.  r points into line and *m. */
ATTR_NODISCARD int record_from_json(struct slice line, unsigned want,
    struct record *r, struct record_memory *m, struct err *e);

/* Append the record as one line, without the newline. */
void record_to_json(const struct record *r, struct buf *out);

/* Append the line with its embedding, which r has decoded, written in another
 * form or left out, and nothing else changed but white space between members.
 * 0, or -1 with *e set. */
ATTR_NODISCARD int record_set_embedding(struct slice line,
    const struct record *r, enum embedding_form form, struct buf *out,
    struct err *e);

/* "ADD" and so on; NULL for OPERATION_NONE. */
const char *operation_name(enum operation op);

/* The operation of that name, upper case as it is written; OPERATION_NONE. */
enum operation operation_of(struct slice name);

#endif
