/* SPDX-License-Identifier: Apache-2.0 */
/* notes.c - what the facts of a survey mean, in words. */
#include "chroma/notes.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* A share of deleted elements from which a rebuild is worth a word; Chroma
 * itself falls back to scanning above it (rust/segment/src/local_hnsw.rs). */
#define FRAGMENTED 0.2

static void ATTR_PRINTF(4, 5)
note(struct arena *a, const char **notes, size_t max, const char *fmt, ...)
{
	struct buf text = { 0 };
	char line[ERR_MSG_SIZE + 512];
	va_list ap;
	size_t i;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	buf_adds(&text, line);
	for (i = 0; i + 1 < max && notes[i]; i++)
		;
	if (i + 1 < max)
		notes[i] = arena_copy(a, buf_str(&text), text.len);
	buf_release(&text);
}

#define NOTE(sc, ...) note(&s->arena, (sc)->notes, \
	sizeof((sc)->notes) / sizeof((sc)->notes[0]), __VA_ARGS__)

/* What is dangerous, most of all. */
static void
note_dangers(struct survey *s, struct survey_collection *sc)
{
	const struct collection *col = sc->col;
	uint64_t newest = s->catalog->newest;
	uint64_t m = col->metadata.seq_id, h = col->vector.seq_id;
	bool has_m = col->metadata.source != WATERMARK_NONE;
	bool has_h = col->vector.source != WATERMARK_NONE;

	if (sc->state == INDEX_DAMAGED)
		NOTE(sc, "Its index is damaged: %s. Do not delete the "
		    "directory or the pickle: vectors that the log no longer "
		    "has are nowhere else. Copy %s away before any Chroma "
		    "opens this directory.", sc->fault.msg,
		    col->vector_segment);
	else if (!sc->has_pickle && col->vector.source == WATERMARK_ROW)
		NOTE(sc, "Its index was persisted up to seq_id %" PRIu64
		    ", but its files are gone or empty: the next Chroma "
		    "starts it anew, without the vectors that the log no "
		    "longer has. Look for a backup of directory %s first.", h,
		    col->vector_segment);
	if (col->metadata.odd || col->vector.odd)
		NOTE(sc, "A row of max_seq_id has a form that this era of "
		    "Chroma cannot read: the collection fails on every call.");
	if ((has_m && m > newest) || (has_h && h > newest))
		NOTE(sc, "A watermark (%" PRIu64 ") is above the newest seq_id "
		    "of the log (%" PRIu64 "): Chroma will ignore and purge "
		    "new writes until the numbers have caught up.",
		    m > h ? m : h, newest);
	if (!col->vector_segment || !col->metadata_segment)
		NOTE(sc, "It lacks a segment: Chroma fails on every call.");
	sc->healthy = !sc->notes[0];
	if (sc->fault.status && sc->state != INDEX_DAMAGED)
		NOTE(sc, "Its index directory is incomplete (%s), but nothing "
		    "was persisted in it: no harm.", sc->fault.msg);
}

static void
note_log_only(struct survey *s, struct survey_collection *sc)
{
	const struct collection *col = sc->col;
	int64_t every = col->params.value[PARAM_SYNC_THRESHOLD];

	if (!sc->counted) {
		NOTE(sc, "Nothing is in the index files yet: its vectors are "
		    "in the log alone.");
		return;
	}
	if (sc->wal.rows == 0 && sc->records == 0) {
		NOTE(sc, "Healthy: it was never written to.");
		return;
	}
	if (sc->records == 0) {
		NOTE(sc, "Healthy: it holds no records; the log keeps %" PRIu64
		    " rows of its past, and nothing is in the index files.",
		    sc->wal.rows);
		return;
	}
	NOTE(sc, "Healthy: nothing is in the index files yet, all vectors are "
	    "in the log (Chroma writes an index every %lld changes).",
	    (long long)every);
	NOTE(sc, "So the log is the only copy: none of its %" PRIu64 " rows "
	    "may be pruned, and Chroma replays them at every start. What "
	    "helps, if starting is slow: chroma-commit.",
	    sc->wal.rows);
}

/* Vectors that are there as they were given, and yet of no use. */
static void
note_vectors(struct survey *s, struct survey_collection *sc)
{
	const struct elements_findings *f = &sc->found;

	if (f->not_finite)
		NOTE(sc, "%" PRIu64 " of its vectors hold NaN or infinity: "
		    "distances to them mean nothing.", f->not_finite);
	if (f->not_unit)
		NOTE(sc, "%" PRIu64 " vectors of its cosine index are not of "
		    "length 1: too large or too small for float32, or the "
		    "index was written in another space.", f->not_unit);
}

static void
note_state(struct survey *s, struct survey_collection *sc)
{
	uint64_t pending = sc->wal.rows - sc->wal.committed;

	if (sc->state == INDEX_NONE || sc->state == INDEX_EMPTY) {
		if (sc->healthy && !(sc->state == INDEX_EMPTY &&
		    sc->has_pickle))
			note_log_only(s, sc);
		else if (sc->healthy)
			NOTE(sc, "Healthy: all its records are deleted, and its "
			    "index is empty.");
		return;
	}
	if (sc->healthy && sc->counted && pending)
		NOTE(sc, "Healthy: the newest %" PRIu64 " row%s of its log %s "
		    "not in the index files yet; Chroma replays %s when it "
		    "first uses the collection.", pending,
		    pending == 1 ? "" : "s", pending == 1 ? "is" : "are",
		    pending == 1 ? "it" : "them");
	else if (sc->healthy)
		NOTE(sc, "Healthy: the index files hold %s.", sc->counted ?
		    "all that the log says" : "an index");
	if (sc->counted && survey_fragmentation(sc) >= FRAGMENTED)
		NOTE(sc, "%.0f %% of the elements in its index are deleted "
		    "ones (%" PRIu64 " of %" PRIu64 "): they take space and "
		    "slow down queries, until chroma-rebuild.",
		    100 * survey_fragmentation(sc), survey_deleted(sc),
		    sc->dir.header.cur_element_count);
	if (sc->wal.prunable)
		NOTE(sc, "%" PRIu64 " row%s of its log %s in both segments "
		    "already and may be pruned (chroma-prune).",
		    sc->wal.prunable,
		    sc->wal.prunable == 1 ? "" : "s",
		    sc->wal.prunable == 1 ? "is" : "are");
}

void
notes_store(struct survey *s, const struct persist *pd)
{
	const struct catalog *c = s->catalog;
	uint64_t bytes = 0, prunable = 0;
	size_t i;

	for (i = 0; i < s->orphans; i++)
		bytes += s->orphan[i].bytes;
	for (i = 0; i < s->n; i++)
		prunable += s->collection[i].wal.prunable;
	if (c->era.unknown[0])
		NOTE(s, "It was migrated by a Chroma newer than this program "
		    "knows (%s): what is shown may be incomplete.",
		    c->era.unknown);
	if (c->era.born_040)
		NOTE(s, "It was created by Chroma 0.4.0, whose first migration "
		    "every later release refuses.");
	if (c->n == 0)
		NOTE(s, "It has no collections.");
	if (s->orphans)
		NOTE(s, "%zu director%s (%" PRIu64 " bytes) belong%s to no "
		    "collection: left behind by deleted ones.", s->orphans,
		    s->orphans == 1 ? "y" : "ies", bytes,
		    s->orphans == 1 ? "s" : "");
	if (s->orphan_records)
		NOTE(s, "%" PRIu64 " records belong to no collection: left "
		    "behind by deleted ones.", s->orphan_records);
	if (s->dead_wal_rows)
		NOTE(s, "%" PRIu64 " rows of the log belong to no collection.",
		    s->dead_wal_rows);
	if (c->automatically_purge == 0 && prunable)
		NOTE(s, "Automatic purge is off: the log keeps every row, and "
		    "grows.");
	else if (c->era.queue < 2 && prunable)
		NOTE(s, "This era of Chroma never purges its log, which "
		    "grows.");
	if (s->free_pages * 4 > s->pages)
		NOTE(s, "%" PRIu64 " of %" PRIu64 " pages of the database are "
		    "free: VACUUM would give %" PRIu64 " bytes back.",
		    s->free_pages, s->pages, s->free_pages * s->page_size);
	if (pd->sqlite_wal)
		NOTE(s, "SQLite is in WAL mode, which Chroma never sets; its "
		    "-wal file is part of the data.");
	if (s->holders.n)
		NOTE(s, "A process has it open: numbers may change while they "
		    "are read.");
}

void
notes_collection(struct survey *s, struct survey_collection *sc)
{
	note_dangers(s, sc);
	note_state(s, sc);
	note_vectors(s, sc);
}
