/* SPDX-License-Identifier: Apache-2.0 */
/* survey.h - what a persist dir holds and how it fares: the facts that
 * chroma-info shows, and what they mean in words.
 *
 * Reads in short batches like everything that runs beside a Chroma.
 * Memory: some KiB a collection; with SURVEY_DEEP what elements.h needs for one
 * index.
 */
#ifndef CHROMA_SURVEY_H
#define CHROMA_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "chroma/catalog.h"
#include "chroma/elements.h"
#include "chroma/holders.h"
#include "chroma/index.h"
#include "chroma/persist.h"

enum survey_effort {
	SURVEY_QUICK,	/* no counting: tables of the system and headers */
	SURVEY_NORMAL,	/* rows of the log and records counted, pickles read */
	SURVEY_DEEP,	/* every label, link and vector looked at */
};

struct survey_wal {
	uint64_t rows, operation[4], other;	/* other: no known operation */
	uint64_t committed, prunable;	/* pending: rows - committed */
	uint64_t oldest, newest;	/* seq_ids; 0: no rows */
};

enum survey_index_state {
	INDEX_NONE,	/* no directory: never written to */
	INDEX_EMPTY,	/* files, but nothing persisted yet: all in the log */
	INDEX_PRESENT,
	INDEX_DAMAGED,
};
const char *survey_index_state_name(enum survey_index_state s);

struct survey_collection {
	const struct collection *col;
	bool counted;			/* records and wal are known */
	uint64_t records;		/* rows of the metadata segment */
	struct survey_wal wal;
	enum survey_index_state state;
	struct index_dir dir;		/* its descriptor is closed */
	bool has_pickle;
	struct pickle pickle;		/* numbers only, no pairs */
	struct err fault;		/* of the index; status 0: none */
	bool scanned;			/* found is of all of it */
	struct elements_findings found;
	const char *notes[12];		/* sentences, NULL behind the last */
	bool healthy;
};

struct survey_orphan {
	const char *name;		/* of a directory */
	uint64_t bytes;
};

struct survey {
	struct catalog *catalog;
	enum survey_effort effort;
	struct survey_collection *collection;	/* of the selected ones */
	size_t n;
	uint64_t bytes, allocated;	/* of all files in the directory */
	uint64_t sqlite_bytes, page_size, pages, free_pages;
	bool counted;
	uint64_t records, wal_rows, dead_wal_rows;
	struct survey_orphan *orphan;	/* index directories of no segment */
	size_t orphans;
	uint64_t orphan_records, orphan_watermarks, orphan_segment_metadata,
	    orphan_collection_metadata;
	bool looked_for_holders;
	struct holders holders;
	const char *notes[12];
	struct arena arena;
};

/* Fill *s for the selected collections of c.  0, or -1 with *e set. */
ATTR_NODISCARD int survey(struct survey *s, struct catalog *c,
    struct persist *pd, enum survey_effort effort, struct err *e);
void survey_release(struct survey *s);

/* Deleted elements of an index, and what share of all they are (0 to 1):
 * exact after a scan, else elements less ids. */
uint64_t survey_deleted(const struct survey_collection *sc);
double survey_fragmentation(const struct survey_collection *sc);

/* Bytes of the five files of its index, apparent. */
uint64_t survey_index_bytes(const struct survey_collection *sc);

/* M - H: how many numbers of the log (of all collections) the index is behind.
 * false if there is no M. */
bool survey_wal_gap(const struct survey_collection *sc, uint64_t *gap);

#endif
