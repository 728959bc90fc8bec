/* SPDX-License-Identifier: Apache-2.0 */
/* coverage.h - the coverage rule: nothing is removed that is not proven to
 * exist elsewhere.
 *
 * Vectors live in two places, the log and the index files, and Chroma has
 * lost them on the way from one to the other (COMPAT).  So before rows of the
 * log go, or an index is replaced, every live id of the collection must be
 * found with its vector in the index, or in a row that stays, and the last
 * vector that the log gave it must be the one that the index has.
 *
 * Live: what the metadata segment has (table embeddings) and what replaying
 * the log leaves, which must be the same.  What an operation does to an id is
 * in chroma-layout(5): an ADD of a live id has no effect.
 *
 * Memory: the indexes that are looked at (elements.h); what is known of ids
 * and rows is spilled to a file.  The caller holds a lock, or a read
 * transaction, from coverage_start() to coverage_judge().
 */
#ifndef CHROMA_COVERAGE_H
#define CHROMA_COVERAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/spill.h"
#include "chroma/catalog.h"
#include "chroma/elements.h"
#include "chroma/wal.h"

/* What stands in the way of an id. */
enum coverage_reason {
	COVERAGE_NONE,
	COVERAGE_NO_VECTOR,	/* live, and its vector neither in the index nor
				 * in a row that stays */
	COVERAGE_OTHER_VECTOR,	/* live, and the last vector that the log gives
				 * it, in a row that goes, is not the one in the
				 * index */
	COVERAGE_NO_RECORD,	/* the log leaves it live, but the metadata
				 * segment does not have it */
	COVERAGE_NOT_DELETED,	/* the other way round */
	COVERAGE_REVIVED,	/* an older row of it would stay, and bring back
				 * what the rows that go have changed */
	COVERAGE_NOT_APPLIED,	/* the record was last changed by another row
				 * than the log says: a row was never applied,
				 * as its number had been given out before */
	COVERAGE_ROW,		/* a row of it that goes is not understood */
	COVERAGE_CHANGED,	/* live, and the new index has another vector
				 * than the present one, which no row says */
	COVERAGE_REASONS,
};

/* In words, to go on after "N ids: ". */
const char *coverage_reason_text(enum coverage_reason r);

struct coverage_collection {
	const struct collection *col;
	bool used, open;	/* coverage_use() was called; its index is open */
	struct elements elements;	/* until coverage_judge() */
	bool replaces;			/* coverage_use_new(): ... */
	struct elements present;	/* ... this one, likewise */
	struct elements_findings found;	/* about them */
	uint64_t failed[COVERAGE_REASONS];	/* ids, after coverage_judge() */
};

struct coverage {
	struct db *db;
	const struct catalog *catalog;
	struct coverage_collection *of;	/* as catalog->collection */
	struct hash_key key;
	struct spill facts, failures;
};

/* tmpdir: for what does not fit into memory, see spill.h.  db and catalog must
 * outlive *cv.  0, or -1 with *e set. */
ATTR_NODISCARD int coverage_start(struct coverage *cv, struct db *db,
    const struct catalog *catalog, const char *tmpdir, struct err *e);

/* Prove this collection (before the first row): by the index in the directory
 * called segment in dirfd.  0, or -1 with *e set when the system fails. */
ATTR_NODISCARD int coverage_use(struct coverage *cv,
    const struct collection *col, int dirfd, const char *segment,
    struct err *e);

/* The same for a new index, in the directory called segment and of that space,
 * which is to take the place of the collection's present one: what that holds
 * for a live id must be in the new one, unless the log says otherwise; of a
 * damaged one what can be read. */
ATTR_NODISCARD int coverage_use_new(struct coverage *cv,
    const struct collection *col, int dirfd, const char *segment,
    enum space space, struct err *e);

/* A row of the retained log; each of them, oldest first (those of collections
 * not in use are passed over).  goes: it is to be removed, or for a new index:
 * Chroma will not apply it again. */
ATTR_NODISCARD int coverage_row(struct coverage *cv,
    const struct wal_row *row, bool goes, struct err *e);

/* All rows are in: fill failed[], close the index files.  0, or -1 with *e set.
 */
ATTR_NODISCARD int coverage_judge(struct coverage *cv, struct err *e);

/* Whether the collection passed: no id failed and the index is sound. */
bool coverage_passed(const struct coverage *cv, const struct collection *col);

/* What stands in the way of a collection, in words, appended to *why with "; "
 * between; nothing, if it passed.  The number of ids that failed. */
uint64_t coverage_explain(const struct coverage_collection *cc,
    struct buf *why);

/* The ids that failed, after coverage_judge(): by collection, then in the order
 * of their rows.  1, and what it is, valid until the next call; 0 after the
 * last; -1 with *e set. */
struct coverage_failure {
	const struct collection *col;
	enum coverage_reason reason;
	struct buf id;		/* owned; release when done */
};
ATTR_NODISCARD int coverage_failure_next(struct coverage *cv,
    struct coverage_failure *f, struct err *e);

void coverage_end(struct coverage *cv);

#endif
