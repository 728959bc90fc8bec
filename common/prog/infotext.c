/* SPDX-License-Identifier: Apache-2.0 */
/* infotext.c - what chroma-info says, as text for people. */
#include "prog/infotext.h"

#include <inttypes.h>
#include <stdio.h>

#include "prog/table.h"

static void
text_notes(struct buf *b, const char *const *notes)
{
	for (; *notes; notes++)
		table_note(b, slice_str(*notes));
}

void
infotext_store(bool privacy, const struct survey *s,
    const struct persist *pd, struct buf *b)
{
	const struct catalog *c = s->catalog;
	char t[3][32];
	size_t i;

	table_heading(b, slice_str(privacy ? "Chroma directory" : pd->dir));
	table_row(b, "Chroma", "%s (migrations: sysdb %d, metadb %d, "
	    "embeddings_queue %d)", c->era.releases, c->era.sysdb,
	    c->era.metadb, c->era.queue);
	table_row(b, "created by", "%s", c->era.rust_born ? "Chroma 1.x" :
	    c->era.rust_starts ? "a Chroma before 1.0, opened since by 1.x" :
	    "a Chroma before 1.0");
	table_row(b, "size", "%s, of which %s database, %s free pages in it",
	    table_bytes(s->bytes, t[0]), table_bytes(s->sqlite_bytes, t[1]),
	    table_bytes(s->free_pages * s->page_size, t[2]));
	table_row(b, "collections", "%zu", c->n);
	if (s->counted) {
		table_row(b, "records", "%s", table_count(s->records, t[0]));
		table_row(b, "log", c->newest ? "%s rows, seq_id %" PRIu64
		    " to %" PRIu64 : "%s rows", table_count(s->wal_rows, t[0]),
		    c->oldest, c->newest);
	}
	table_row(b, "automatic purge", "%s", c->automatically_purge > 0 ?
	    "on" : c->automatically_purge == 0 ? "off" :
	    "no such setting here");
	for (i = 0; i < s->orphans; i++)
		table_row(b, i ? "" : "orphan directories", "%s (%s)",
		    s->orphan[i].name, table_bytes(s->orphan[i].bytes, t[0]));
	if (s->orphan_watermarks || s->orphan_segment_metadata ||
	    s->orphan_collection_metadata)
		table_row(b, "orphan rows", "%" PRIu64 " in max_seq_id, %"
		    PRIu64 " in segment_metadata, %" PRIu64
		    " in collection_metadata", s->orphan_watermarks,
		    s->orphan_segment_metadata, s->orphan_collection_metadata);
	for (i = 0; i < s->holders.n; i++)
		table_row(b, i ? "" : "in use by", "process %ld (%s)",
		    (long)s->holders.holder[i].pid,
		    s->holders.holder[i].command);
	text_notes(b, s->notes);
}

static void
text_watermarks(const struct survey_collection *sc, struct buf *b)
{
	const struct collection *col = sc->col;
	char m[32] = "none", h[32] = "none";
	uint64_t gap;

	if (col->metadata.source != WATERMARK_NONE)
		snprintf(m, sizeof(m), "%" PRIu64, col->metadata.seq_id);
	if (col->vector.source != WATERMARK_NONE)
		snprintf(h, sizeof(h), "%" PRIu64, col->vector.seq_id);
	if (survey_wal_gap(sc, &gap))
		table_row(b, "max_seq_id", "metadata %s, vector %s (gap %"
		    PRIu64 ")", m, h, gap);
	else
		table_row(b, "max_seq_id", "metadata %s, vector %s", m, h);
}

static void
text_index(const struct survey_collection *sc, struct buf *b)
{
	const struct index_header *h = &sc->dir.header;
	char t[3][32];

	if (sc->state == INDEX_NONE) {
		table_row(b, "index", "none");
		return;
	}
	if (!sc->dir.has_header || !sc->has_pickle || !sc->counted) {
		table_row(b, "index", "%s, %s%s",
		    survey_index_state_name(sc->state),
		    table_bytes(survey_index_bytes(sc), t[0]), sc->dir.has_header &&
		    h->cur_element_count ? "" : ", no elements");
	} else {
		table_row(b, "index", "%s, %s, %s", survey_index_state_name(
		    sc->state), table_bytes(survey_index_bytes(sc), t[0]),
		    sc->pickle.class_form ? "written by Python" :
		    "written by Rust");
		table_row(b, "elements", "%s, of which %s deleted; room for %s",
		    table_count(h->cur_element_count, t[0]),
		    table_count(survey_deleted(sc), t[1]),
		    table_count(h->max_elements, t[2]));
		table_row(b, "fragmentation", "%.1f %%%s",
		    100 * survey_fragmentation(sc),
		    sc->scanned ? "" : " (by count)");
	}
	if (sc->scanned) {
		const struct elements_findings *f = &sc->found;

		table_row(b, "labels", "%" PRIu64 " orphan, %" PRIu64
		    " missing; %" PRIu64 " elements with bad links",
		    f->orphan_labels, f->missing_labels, f->bad_links);
		if (f->same_labels || f->high_labels || f->bad_pairs ||
		    f->bad_flags)
			table_row(b, "", "%" PRIu64 " double, %" PRIu64
			    " above total_elements_added; %" PRIu64 " bad "
			    "pairs in the pickle; %" PRIu64 " elements with "
			    "unknown flags", f->same_labels, f->high_labels,
			    f->bad_pairs, f->bad_flags);
	}
}

void
infotext_collection(bool privacy, const struct survey_collection *sc,
    struct slice metadata, struct buf *b)
{
	const struct collection *col = sc->col;
	const struct params *p = &col->params;
	const struct survey_wal *l = &sc->wal;
	struct buf name = { 0 };
	char t[4][32];

	if (privacy)
		buf_adds(&name, col->id);
	else
		buf_addf(&name, "%s/%s/%s", col->tenant ? col->tenant : "?",
		    col->database ? col->database : "?", col->name);
	table_heading(b, buf_slice(&name));
	buf_release(&name);
	if (!privacy)
		table_row(b, "id", "%s", col->id);
	if (metadata.len > 2)
		table_row(b, "metadata", "%.*s", (int)metadata.len, metadata.p);
	if (sc->counted)
		table_row(b, "records", "%s", table_count(sc->records, t[0]));
	if (col->dimension >= 0)
		table_row(b, "dimension", "%" PRId64, col->dimension);
	table_row(b, "HNSW", "space %s, M %" PRId64 ", ef_construction %"
	    PRId64 ", ef_search %" PRId64, space_name(p->space),
	    p->value[PARAM_M], p->value[PARAM_EF_CONSTRUCTION],
	    p->value[PARAM_EF_SEARCH]);
	table_row(b, "", "batch_size %" PRId64 ", sync_threshold %" PRId64
	    ", resize_factor %g", p->value[PARAM_BATCH_SIZE],
	    p->value[PARAM_SYNC_THRESHOLD], p->resize_factor);
	if (sc->counted) {
		table_row(b, "log", "%s rows: %s committed, %s pending, %s "
		    "prunable", table_count(l->rows, t[0]),
		    table_count(l->committed, t[1]),
		    table_count(l->rows - l->committed, t[2]),
		    table_count(l->prunable, t[3]));
		if (l->rows)
			table_row(b, "", "%" PRIu64 " add, %" PRIu64
			    " update, %" PRIu64 " upsert, %" PRIu64 " delete",
			    l->operation[0], l->operation[1], l->operation[2],
			    l->operation[3]);
	}
	text_watermarks(sc, b);
	table_row(b, "vector segment", "%s", col->vector_segment ?
	    col->vector_segment : "none");
	text_index(sc, b);
	text_notes(b, sc->notes);
}
