/* SPDX-License-Identifier: Apache-2.0 */
/* catalog.h - tenants, databases, collections and segments of a persist dir,
 * with the watermarks and parameters of each: read at once, in one short
 * transaction, so that all of it is of one moment.
 *
 * Memory: some KiB a collection.
 */
#ifndef CHROMA_CATALOG_H
#define CHROMA_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "chroma/era.h"
#include "chroma/index.h"
#include "chroma/params.h"
#include "chroma/persist.h"

/* How far a segment has applied the log. */
enum watermark_source { WATERMARK_NONE, WATERMARK_ROW, WATERMARK_PICKLE };
struct watermark {
	enum watermark_source source;	/* NONE: nothing applied, or unknown */
	uint64_t seq_id;
	bool odd;		/* a row is there that no Chroma of this era
				 * reads: other type or length */
};

struct collection {
	const char *id, *name, *tenant, *database;	/* tenant, database:
				 * NULL if the row of its database is gone */
	const char *topic;	/* its rows in the log have this one */
	int64_t dimension;	/* -1: none yet */
	const char *config, *schema;		/* JSON or NULL */
	const char *vector_segment, *metadata_segment;	/* ids or NULL */
	const char *vector_type;		/* "urn:chroma:segment/..." */
	struct watermark metadata, vector;	/* M and H */
	struct params params;
	const char *vector_fault;	/* why the pickle that has H cannot be
				 * read, or NULL */
	char *index_fault;	/* what is wrong with its index as far as it
				 * was looked at, or NULL */
	const char *ambiguous;	/* what makes it unclear which segments or rows
				 * are its own, or NULL */
	bool selected;		/* by select.h; true after loading */
};

struct ref {
	const char *key;
	struct collection *collection;
};

struct catalog {
	struct era era;
	struct collection *collection;	/* by tenant, database, name */
	size_t n;
	struct ref *by_id, *by_segment;	/* sorted by key */
	size_t segments;
	bool odd_topics;	/* a topic does not end with its collection's
				 * id, or is of two collections */
	uint64_t newest;	/* greatest seq_id in the log; 0: empty */
	uint64_t oldest;
	int automatically_purge;	/* 1, 0; -1: this era has no setting,
					 * or no row says */
	struct arena arena;
};

/* The topic of a collection from 0.5.0 on: this and its id. */
#define TOPIC_HEAD "persistent://default/default/"

/* 0, or -1 with *e set. */
ATTR_NODISCARD int catalog_load(struct catalog *c, struct persist *pd,
    struct err *e);
void catalog_release(struct catalog *c);

/* Only what the tables say, without the index directories (so a watermark
 * that is in a pickle is missing, and parameters are the configured ones). */
ATTR_NODISCARD int catalog_load_tables(struct catalog *c, struct db *db,
    struct err *e);

/* The collection whose log rows have this topic, or NULL; a collection may
 * have a topic of its own up to 0.4.24, which ends with its id all the same.
 */
struct collection *catalog_of_topic(const struct catalog *c,
    struct slice topic);

/* Whether a topic (a column) is of no collection at all: none has it, and none
 * has its id, not even one whose rows have another topic (a Chroma of other
 * settings). */
bool catalog_dead_topic(const struct catalog *c,
    const struct db_value *topic);

/* The collection of a column: a BLOB is no topic, whatever its bytes are. */
struct collection *catalog_of_topic_value(const struct catalog *c,
    const struct db_value *topic);

/* The collection that a segment belongs to, or NULL. */
struct collection *catalog_of_segment(const struct catalog *c,
    struct slice segment);

/* min(M, H): rows at or below it are committed.  false if either is missing:
 * then nothing is. */
bool collection_committed(const struct collection *col, uint64_t *seq_id);

/* The begin record of a WAL stream of the selected collections, over seq_ids
 * from..to (inclusive).  Appended to *out. */
enum {
	BEGIN_PARTIAL = 1,	/* not every row in that range is in it */
	BEGIN_NO_EMBEDDINGS = 2,	/* the vectors were left out */
	BEGIN_IDENTITY = 4,	/* and all else but what identifies a row */
};
void catalog_begin(const struct catalog *c, uint64_t from, uint64_t to,
    unsigned flags, struct buf *out);

/* The same for a stream of vectors: BEGIN_PARTIAL and BEGIN_NO_EMBEDDINGS, no
 * range, and index, a JSON object, as "index" in its source.  c NULL: of an
 * index whose collection is not known. */
void catalog_begin_vectors(const struct catalog *c, unsigned flags,
    struct slice index, struct buf *out);

/* A collection's metadata as a JSON object, appended to *out; hnsw_only: only
 * the keys "hnsw:...".  0, or -1 with *e set. */
ATTR_NODISCARD int catalog_metadata(struct catalog *c, struct db *db,
    const struct collection *col, bool hnsw_only, struct buf *out,
    struct err *e);

#endif
