/* SPDX-License-Identifier: Apache-2.0 */
/* redact.h - take content out of a stream, so that it can be shown.
 *
 * What is taken out is absent, never null.  Ids and names become the first 32
 * hexadecimal digits of their HMAC-SHA-256: equal ones stay equal, and without
 * the key nobody finds out what they were.  A record is written anew from the
 * fields that are known; what else a line says, and "raw", which has every
 * column, goes.
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
	struct buf text;		/* owned */
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

/* The begin record without it: names of collections, and "redacted" with the
 * list of what is.  Appended to *out.  0, or -1 with *e set. */
ATTR_NODISCARD int redact_begin(struct redact *rd, struct slice text,
    struct buf *out, struct err *e);

void redact_release(struct redact *rd);

#endif
