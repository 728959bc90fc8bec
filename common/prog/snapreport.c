/* SPDX-License-Identifier: Apache-2.0 */
/* snapreport.c - what a snapshot holds, and what became of one. */
#include "prog/snapreport.h"

#include <inttypes.h>

#include "prog/table.h"

void
snapreport_collections(const struct manifest *m, struct jsonw *w)
{
	size_t i;

	json_open(w, "collections", '[');
	for (i = 0; i < m->collections; i++) {
		json_open(w, NULL, '{');
		manifest_put_collection(w, &m->collection[i]);
		json_close(w, '}');
	}
	json_close(w, ']');
}

static void
heading(struct buf *b, const char *tenant, const char *database,
    const char *name)
{
	struct buf line = { 0 };

	buf_addf(&line, "%s/%s/%s", tenant ? tenant : "?",
	    database ? database : "?", name);
	table_heading(b, buf_slice(&line));
	buf_release(&line);
}

static void
text_collection(const struct manifest_collection *c, struct buf *b)
{
	char t[3][32];

	heading(b, c->tenant, c->database, c->name);
	table_row(b, "id", "%s", c->id);
	if (c->dimension >= 0)
		table_row(b, "vectors", "%" PRId64 " dimensions, %s, M %" PRId64
		    ", ef_construction %" PRId64 ", ef_search %" PRId64,
		    c->dimension, c->space ? c->space : "unknown space", c->M,
		    c->ef_construction, c->ef_search);
	table_row(b, "records", "%s", table_count(c->records, t[0]));
	if (c->rows)
		table_row(b, "log", "%s rows, %" PRIu64 " to %" PRIu64 "%s",
		    table_count(c->rows, t[1]), c->from_seq_id, c->to_seq_id,
		    c->whole ? "" : "; those before are in the index");
	else
		table_row(b, "log", "no rows");
	table_row(b, "index", "%s", table_bytes(c->index_bytes, t[2]));
	if (c->note)
		table_note(b, slice_str(c->note));
}

void
snapreport_text(const struct manifest *m, struct buf *b)
{
	size_t i;

	for (i = 0; i < m->collections; i++)
		text_collection(&m->collection[i], b);
}

static void
put_mark(struct jsonw *w, const char *key, bool there, uint64_t seq_id)
{
	if (there)
		json_int(w, key, (int64_t)seq_id);
	else
		json_null(w, key);
}

static void
graft_collection(const struct graft *g, const struct graft_of *of,
    struct jsonw *w)
{
	const struct collection *c = of->from;
	const bool kept = g->made, done = g->committed && !kept;

	json_open(w, NULL, '{');
	json_cstr(w, "collection", of->name);
	json_cstr(w, "tenant", of->tenant);
	json_cstr(w, "database", of->database);
	json_cstr(w, "collection_id", of->id);
	json_open(w, "was", '{');
	json_cstr(w, "collection", c->name);
	json_cstr(w, "tenant", c->tenant);
	json_cstr(w, "database", c->database);
	json_cstr(w, "collection_id", c->id);
	json_close(w, '}');
	json_int(w, "records", (int64_t)of->records);
	json_int(w, "wal_rows", (int64_t)of->rows);
	if (done || kept) {
		json_cstr(w, "vector_segment", done ? of->vector :
		    c->vector_segment);
		put_mark(w, "metadata_seq_id", done ? of->has_m :
		    c->metadata.source != WATERMARK_NONE, done ? of->m :
		    c->metadata.seq_id);
		put_mark(w, "vector_seq_id", done ? of->has_h :
		    c->vector.source != WATERMARK_NONE, done ? of->h :
		    c->vector.seq_id);
	}
	json_bool(w, "replaced", of->replaced != NULL);
	json_close(w, '}');
}

void
snapreport_graft(const struct graft *g, struct jsonw *w)
{
	size_t i;

	json_cstr(w, "dir", g->dir);
	if (g->o->dry_run)
		json_bool(w, "dry_run", true);
	json_bool(w, "created", g->made);
	json_open(w, "collections", '[');
	for (i = 0; i < g->n; i++)
		graft_collection(g, &g->of[i], w);
	json_close(w, ']');
	if (g->backed_up)
		json_cstr(w, "backup", g->o->backup);
	else
		json_null(w, "backup");
}

static void
text_graft(const struct graft *g, const struct graft_of *of, struct buf *b)
{
	const struct collection *c = of->from;
	char t[2][32];

	heading(b, of->tenant, of->database, of->name);
	table_row(b, g->committed ? "grafted" : "graft", "%s records, %s rows "
	    "of the log", table_count(of->records, t[0]),
	    table_count(of->rows, t[1]));
	table_row(b, "from", "%s/%s/%s", c->tenant ? c->tenant : "?",
	    c->database ? c->database : "?", c->name);
	if (of->replaced)
		table_row(b, "instead of", "%s, which goes%s%s",
		    of->replaced->id, g->o->backup ? " to " : "",
		    g->o->backup ? g->o->backup : "");
}

void
snapreport_graft_text(const struct graft *g, struct buf *b)
{
	size_t i;

	table_heading(b, slice_str(g->dir));
	if (g->made)
		table_row(b, g->committed ? "made" : "make", "a new directory "
		    "of Chroma %s", g->from.era.releases);
	for (i = 0; i < g->n; i++)
		text_graft(g, &g->of[i], b);
}
