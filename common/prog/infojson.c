/* SPDX-License-Identifier: Apache-2.0 */
/* infojson.c - what chroma-info says, as JSONL. */
#include "prog/infojson.h"

#include "stream/json.h"
#include "stream/record.h"

static void
json_count(struct jsonw *w, const char *key, uint64_t n, bool known)
{
	if (known)
		json_int(w, key, (int64_t)n);
	else
		json_null(w, key);
}

static void
json_notes(struct jsonw *w, const char *const *notes)
{
	json_open(w, "notes", '[');
	for (; *notes; notes++)
		json_cstr(w, NULL, *notes);
	json_close(w, ']');
}

static void
json_orphans(struct jsonw *w, const struct survey *s)
{
	size_t i;

	json_open(w, "orphans", '{');
	json_open(w, "directories", '[');
	for (i = 0; i < s->orphans; i++) {
		json_open(w, NULL, '{');
		json_cstr(w, "name", s->orphan[i].name);
		json_int(w, "bytes", (int64_t)s->orphan[i].bytes);
		json_close(w, '}');
	}
	json_close(w, ']');
	json_count(w, "records", s->orphan_records, s->counted);
	json_count(w, "wal_rows", s->dead_wal_rows, s->counted);
	json_count(w, "max_seq_id", s->orphan_watermarks, s->counted);
	json_count(w, "segment_metadata", s->orphan_segment_metadata,
	    s->counted);
	json_count(w, "collection_metadata", s->orphan_collection_metadata,
	    s->counted);
	json_close(w, '}');
}

void
infojson_store(bool privacy, const struct survey *s,
    const struct persist *pd, struct buf *b)
{
	const struct catalog *c = s->catalog;
	struct jsonw w = { .b = b };
	size_t i;

	json_open(&w, NULL, '{');
	json_cstr(&w, "type", "store");
	json_cstr(&w, "path", privacy ? NULL : pd->dir);
	json_cstr(&w, "era", c->era.releases);
	json_open(&w, "migrations", '{');
	json_int(&w, "embeddings_queue", c->era.queue);
	json_int(&w, "metadb", c->era.metadb);
	json_int(&w, "sysdb", c->era.sysdb);
	json_close(&w, '}');
	json_cstr(&w, "unknown_migrations",
	    c->era.unknown[0] ? c->era.unknown : NULL);
	json_cstr(&w, "created_by", c->era.rust_born ? "rust" : "python");
	json_int(&w, "rust_starts", c->era.rust_starts);
	json_int(&w, "bytes", (int64_t)s->bytes);
	json_int(&w, "bytes_allocated", (int64_t)s->allocated);
	json_open(&w, "sqlite", '{');
	json_int(&w, "bytes", (int64_t)s->sqlite_bytes);
	json_int(&w, "page_size", (int64_t)s->page_size);
	json_int(&w, "pages", (int64_t)s->pages);
	json_int(&w, "free_pages", (int64_t)s->free_pages);
	json_cstr(&w, "journal_mode", pd->sqlite_wal ? "wal" : "delete");
	json_cstr(&w, "read", pd->way == PERSIST_COPY ? "copy" :
	    pd->way == PERSIST_IMMUTABLE ? "immutable" : "locked");
	json_close(&w, '}');
	if (c->automatically_purge < 0)
		json_null(&w, "automatically_purge");
	else
		json_bool(&w, "automatically_purge", c->automatically_purge);
	json_int(&w, "collections", (int64_t)c->n);
	json_count(&w, "records", s->records, s->counted);
	json_open(&w, "wal", '{');
	json_count(&w, "rows", s->wal_rows, s->counted);
	json_count(&w, "oldest_seq_id", c->oldest, c->oldest != 0);
	json_count(&w, "newest_seq_id", c->newest, c->newest != 0);
	json_close(&w, '}');
	json_orphans(&w, s);
	json_open(&w, "in_use_by", '[');
	for (i = 0; i < s->holders.n; i++) {
		json_open(&w, NULL, '{');
		json_int(&w, "pid", s->holders.holder[i].pid);
		json_cstr(&w, "command", s->holders.holder[i].command);
		json_close(&w, '}');
	}
	json_close(&w, ']');
	json_notes(&w, s->notes);
	json_close(&w, '}');
	buf_addc(b, '\n');
}

static void
json_watermark(struct jsonw *w, const char *key, const struct watermark *m)
{
	json_count(w, key, m->seq_id, m->source != WATERMARK_NONE);
}

void
infojson_params(struct jsonw *w, const struct params *p)
{
	int i;

	json_cstr(w, "space", space_name(p->space));
	for (i = PARAM_SPACE + 1; i < PARAMS; i++)
		if (i == PARAM_RESIZE_FACTOR)
			json_double(w, param_name[i], p->resize_factor);
		else if (i == PARAM_NUM_THREADS && !p->value[i])
			json_null(w, param_name[i]);	/* one a core */
		else
			json_int(w, param_name[i], p->value[i]);
	json_open(w, "params_from", '{');
	for (i = 0; i < PARAMS; i++)
		json_cstr(w, param_name[i], param_source_name(p->source[i]));
	json_close(w, '}');
}

static void
json_wal(struct jsonw *w, const struct survey_collection *sc)
{
	const struct survey_wal *l = &sc->wal;
	bool known = sc->counted;

	json_open(w, "wal", '{');
	json_count(w, "rows", l->rows, known);
	json_count(w, "add", l->operation[OPERATION_ADD], known);
	json_count(w, "update", l->operation[OPERATION_UPDATE], known);
	json_count(w, "upsert", l->operation[OPERATION_UPSERT], known);
	json_count(w, "delete", l->operation[OPERATION_DELETE], known);
	json_count(w, "other", l->other, known);
	json_count(w, "committed", l->committed, known);
	json_count(w, "pending", l->rows - l->committed, known);
	json_count(w, "prunable", l->prunable, known);
	json_count(w, "oldest_seq_id", l->oldest, l->rows > 0);
	json_count(w, "newest_seq_id", l->newest, l->rows > 0);
	json_close(w, '}');
}

static void
json_found(struct jsonw *w, const struct elements_findings *f)
{
	json_int(w, "orphan_labels", (int64_t)f->orphan_labels);
	json_int(w, "missing_labels", (int64_t)f->missing_labels);
	json_int(w, "same_labels", (int64_t)f->same_labels);
	json_int(w, "high_labels", (int64_t)f->high_labels);
	json_int(w, "bad_pairs", (int64_t)f->bad_pairs);
	json_int(w, "bad_links", (int64_t)f->bad_links);
	json_int(w, "bad_flags", (int64_t)f->bad_flags);
	json_int(w, "not_finite", (int64_t)f->not_finite);
	json_int(w, "not_unit", (int64_t)f->not_unit);
	json_int(w, "max_level", f->max_level);
}

static void
json_index(struct jsonw *w, const struct survey_collection *sc)
{
	const struct index_header *h = &sc->dir.header;
	bool header = sc->dir.has_header;
	bool named = sc->has_pickle && sc->counted;

	json_open(w, "index", '{');
	json_cstr(w, "state", survey_index_state_name(sc->state));
	json_int(w, "bytes", (int64_t)survey_index_bytes(sc));
	json_int(w, "bytes_allocated", (int64_t)sc->dir.allocated);
	json_count(w, "elements", h->cur_element_count, header);
	json_count(w, "capacity", h->max_elements, header);
	json_count(w, "ids", sc->pickle.id_to_label.n, named);
	json_count(w, "deleted", survey_deleted(sc), header && named);
	if (header && named)
		json_real(w, "fragmentation", survey_fragmentation(sc), 4);
	else
		json_null(w, "fragmentation");
	json_count(w, "total_elements_added",
	    (uint64_t)sc->pickle.total_elements_added, named);
	json_cstr(w, "pickle", !sc->has_pickle ? NULL : !named ? "present" :
	    sc->pickle.class_form ? "class" : "dict");
	json_count(w, "dimension", h->dim, header);
	if (sc->scanned)
		json_found(w, &sc->found);
	json_cstr(w, "fault", sc->fault.status ? sc->fault.msg : NULL);
	json_close(w, '}');
}

void
infojson_collection(bool privacy, const struct survey_collection *sc,
    struct slice metadata, struct buf *b)
{
	const struct collection *col = sc->col;
	struct jsonw w = { .b = b };
	uint64_t gap;
	bool known;

	json_open(&w, NULL, '{');
	json_cstr(&w, "type", "collection");
	json_cstr(&w, "id", col->id);
	json_cstr(&w, "name", privacy ? NULL : col->name);
	json_cstr(&w, "tenant", privacy ? NULL : col->tenant);
	json_cstr(&w, "database", privacy ? NULL : col->database);
	json_count(&w, "dimension", (uint64_t)col->dimension,
	    col->dimension >= 0);
	json_count(&w, "records", sc->records, sc->counted);
	json_raw(&w, "metadata", metadata);
	infojson_params(&w, &col->params);
	json_cstr(&w, "metadata_segment", col->metadata_segment);
	json_cstr(&w, "vector_segment", col->vector_segment);
	json_cstr(&w, "vector_type", col->vector_type);
	json_watermark(&w, "metadata_seq_id", &col->metadata);
	json_watermark(&w, "vector_seq_id", &col->vector);
	known = survey_wal_gap(sc, &gap);
	json_count(&w, "wal_gap", gap, known);
	known = sc->counted && (sc->has_pickle || sc->state == INDEX_NONE ||
	    sc->state == INDEX_EMPTY);
	if (known)	/* negative: the index has ids that are deleted by now */
		json_int(&w, "not_in_index", (int64_t)sc->records -
		    (int64_t)sc->pickle.id_to_label.n);
	else
		json_null(&w, "not_in_index");
	json_wal(&w, sc);
	json_index(&w, sc);
	json_bool(&w, "healthy", sc->healthy);
	json_notes(&w, sc->notes);
	json_close(&w, '}');
	buf_addc(b, '\n');
}
