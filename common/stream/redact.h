/* SPDX-License-Identifier: Apache-2.0 */
/* redact.h - take content out of a stream, so that it can be shown.
 *
 * What is taken out is absent, never null.  Ids and names become the first 32
 * hexadecimal digits of their HMAC-SHA-256: equal ones stay equal, and without
 * the key nobody finds out what they were.  A record is written anew from the
 * fields that are known; what else a line says, and "raw", which has every
 * column, goes.  So do members that are not known of begin records, and
 * "chroma:document" and "chroma:uri" in metadata with the document.
 */
#ifndef STREAM_REDACT_H
#define STREAM_REDACT_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/slice.h"
#include "stream/record.h"

enum {
	REDACT_DOCUMENTS = 1,		/* document and uri */
	REDACT_METADATA = 2,
	REDACT_IDS = 4,
	REDACT_EMBEDDINGS = 8,
	REDACT_NAMES = 16,		/* of collection, database, tenant */
};
#define REDACT_KEYED (REDACT_IDS | REDACT_NAMES)	/* want a key */

#define REDACT_KEY_MIN 16		/* bytes */
#define REDACT_KEY_MAX 4096

struct redact {
	unsigned what;			/* REDACT_ bits */
	struct hmac_key key;
	/* private */
	unsigned before;		/* taken out of what was noted */
	bool noted;
	struct buf text, metadata;	/* owned */
};

/* The bit of a word ("documents", ...); 0: none. */
unsigned redact_of(const char *word);

/* The key in a file: all of its bytes.  0, or -1 with *e set: it cannot be
 * read (STATUS_SYSTEM), or is too short or too long (STATUS_USAGE). */
ATTR_NODISCARD int redact_key_file(struct redact *rd, const char *path,
    struct err *e);

/* Take it out of a record whose fields are all decoded.  r then points into
 * *rd, too, until the next call.  0, or -1 with *e set. */
ATTR_NODISCARD int redact_record(struct redact *rd, struct record *r,
    struct err *e);

/* Have what this begin record says is redacted in the list of the next that
 * is written, too: their records go into one stream.  0, or -1 with *e set. */
ATTR_NODISCARD int redact_note(struct redact *rd, struct slice text,
    struct err *e);

/* Whether what was noted was redacted. */
static inline bool
redact_noted(const struct redact *rd)
{
	return rd->noted;
}

/* The begin record without it: names of collections, and members that are not
 * known; and "redacted" with the list of what is, and was before.  Appended to
 * *out.  0, or -1 with *e set. */
ATTR_NODISCARD int redact_begin(struct redact *rd, struct slice text,
    struct buf *out, struct err *e);

void redact_release(struct redact *rd);

#endif
