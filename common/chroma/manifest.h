/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.h - what a snapshot holds, in its last member, MANIFEST.json.
 *
 * One line of JSON, its keys in this order (chroma-snapshot(5)):
 *
 * {"type":"snapshot","version":1,"created_at":"2026-11-22T02:03:04Z",
 *  "migrations":{"embeddings_queue":2,"metadb":5,"sysdb":10},
 *  "collections":[{"id":"...","name":"docs","tenant":"default_tenant",
 *   "database":"default_database","dimension":384,"space":"cosine","M":16,
 *   "ef_construction":100,"ef_search":100,"records":353,
 *   "wal":{"rows":54,"from_seq_id":300,"to_seq_id":353,"whole":false},
 *   "metadata_seq_id":353,"vector_seq_id":300,"vector_segment":"...",
 *   "metadata_segment":"...","index_bytes":1234,"note":null}],
 *  "members":[{"name":"chroma.sqlite3","size":1234,"stored":1234,
 *   "crc32c":"e3069283"}],"crc32c":"0badcafe"}
 *
 * What is none is null (dimension, space, from_seq_id ... of a log without
 * rows, watermarks, segments, note).  A name that is not UTF-8 stands there as
 * json.h writes it, with U+FFFD.
 *
 * The last value is the CRC-32C of all bytes before its comma.  A member's is
 * of its bytes as they are in the stream (tar.h).  MANIFEST.json itself is no
 * member of it.
 */
#ifndef CHROMA_MANIFEST_H
#define CHROMA_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "stream/json.h"

#define MANIFEST_FILE "MANIFEST.json"
#define MANIFEST_VERSION 1
#define MANIFEST_MAX ((uint64_t)256 << 20)	/* bytes */

struct manifest_collection {
	const char *id, *name, *tenant, *database;	/* tenant, database: or
							 * NULL */
	const char *vector_segment, *metadata_segment;	/* or NULL */
	const char *space;			/* "l2", ..., or NULL: unknown */
	int64_t dimension;			/* -1: none yet */
	int64_t M, ef_construction, ef_search;
	uint64_t records;			/* rows of embeddings */
	uint64_t rows;				/* of the log */
	uint64_t from_seq_id, to_seq_id;	/* of those; 0: none */
	bool whole;		/* all that was retained of its log is here;
				 * else what was committed, and proven to be in
				 * the index, was left out */
	bool has_metadata_seq_id, has_vector_seq_id;
	uint64_t metadata_seq_id, vector_seq_id;	/* M and H */
	uint64_t index_bytes;			/* of its index files */
	const char *note;			/* what is wrong with it, or NULL */
};

struct manifest_member {
	const char *name;
	uint64_t size, stored;		/* bytes: of the file, in the stream */
	uint32_t crc;
};

struct manifest {
	const char *created_at;			/* UTC, as above */
	int queue, metadb, sysdb;		/* migrations */
	struct manifest_collection *collection;	/* by tenant, database, name */
	size_t collections, collections_cap;
	struct manifest_member *member;		/* as in the stream */
	size_t members, members_cap;
	struct arena arena;		/* the text of both; see below */
};

/* {0} is an empty one.  Room for one more of either, zeroed; NULL: no memory. */
struct manifest_collection *manifest_add_collection(struct manifest *m);
struct manifest_member *manifest_add_member(struct manifest *m);

/* Its JSON, with a newline, appended to *out; out is sticky about memory. */
void manifest_write(const struct manifest *m, struct buf *out);

/* The members of one of its collections. */
void manifest_put_collection(struct jsonw *w,
    const struct manifest_collection *c);

/* Read text, what manifest_write() gives: keys that are not known are passed
 * over; strings are copied.  0, or -1 with *e set (STATUS_DATA: another
 * version, damaged, a key missing or twice, of another type; what it is): *m is
 * to be released all the same. */
ATTR_NODISCARD int manifest_read(struct manifest *m, struct slice text,
    struct err *e);

void manifest_release(struct manifest *m);

#endif
