/* SPDX-License-Identifier: Apache-2.0 */
/* era.h - which Chroma a database file belongs to, from its table migrations
 * and its columns; never from a version string.
 *
 * Source: chroma, migrations/{sysdb,metadb,embeddings_queue} of every release
 * from 0.4.0 to 1.5.9; chroma-layout(5) has the table.
 */
#ifndef CHROMA_ERA_H
#define CHROMA_ERA_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "chroma/db.h"

/* Newest migrations that this program knows. */
#define ERA_SYSDB_MAX 10
#define ERA_METADB_MAX 6
#define ERA_QUEUE_MAX 2

struct era {
	int sysdb, metadb, queue;	/* newest applied; 0: none */
	const char *releases;		/* "0.5.6-0.6.3"; static */
	char unknown[128];		/* "sysdb 11, ..." newer than known, or
					 * "": readers go on, writers refuse */
	bool born_040;			/* its first metadb migration is that of
					 * 0.4.0, which no later Chroma opens */
	int64_t rust_starts;		/* processes of Chroma >= 1.0 so far; 0:
					 * never opened by one */
	bool rust_born;			/* created by Chroma >= 1.0 */
	/* what is there */
	bool has_topic;			/* collections.topic, segments.topic */
	bool has_databases;
	bool has_bool;			/* collection_metadata.bool_value */
	bool has_config;		/* collections.config_json_str */
	bool has_schema;		/* collections.schema_str */
	bool has_queue_config;		/* embeddings_queue_config */
	bool has_maintenance;		/* maintenance_log */
	bool has_array;			/* embedding_metadata_array */
};

/* 0, or -1 with *e set: no table migrations, or a table of the core missing.
 */
ATTR_NODISCARD int era_read(struct era *era, struct db *db, struct err *e);

/* For who changes the directory of file: all migrations are known.  0, or -1
 * with *e set (STATUS_DATA). */
ATTR_NODISCARD int era_known(const struct era *era, const char *file,
    struct err *e);

/* embeddings.seq_id: INTEGER from 1.0.0 on, before that 8 bytes, big-endian;
 * -1 for what is neither. */
int64_t era_seq_id(const struct db_value *v);

/* The progress of the vector segment is in the pickle, not in a row of
 * max_seq_id (Chroma up to 0.5.5). */
static inline bool
era_pickle_watermark(const struct era *era)
{
	return era->queue < 2;
}

/* max_seq_id holds INTEGERs (Chroma from 1.0.0), not 8-byte BLOBs. */
static inline bool
era_integer_watermark(const struct era *era)
{
	return era->metadb >= 5;
}

#endif
