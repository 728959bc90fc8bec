/* SPDX-License-Identifier: Apache-2.0 */
/* chroma-info - show what a Chroma directory holds and how it fares
 *
 * In: a persist dir, of which nothing changes.  Out: text for people, or
 * JSONL: one object for the store, one for each collection.
 * Memory: some KiB a collection; with --deep 8 bytes an element.
 * See chroma-info(1).
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "chroma/survey.h"
#include "prog/opt.h"
#include "prog/prog.h"
#include "prog/table.h"
#include "stream/json.h"

struct config {
	struct opt_list only, skip;
	enum survey_effort effort;
	bool text, jsonl;	/* neither: by what standard output is */
	bool privacy;		/* no paths, names, metadata */
	uint64_t wait_s;
	const char *tmpdir;
};

static const char usage_text[] =
"usage: chroma-info [options] DIR\n"
"Show what a Chroma directory holds and how it fares.\n"
"\n"
"  -c, --collection=NAME  only this collection (repeatable): NAME,\n"
"                         TENANT/DATABASE/NAME or a UUID\n"
"      --deep             look at every label and link of every index\n"
"  -h, --help             print this text\n"
"  -j, --jsonl            write JSONL (the default on a pipe)\n"
"      --privacy          leave out paths, names and metadata\n"
"      --quick            count nothing: only system tables and headers\n"
"  -q, --quiet            no warnings\n"
"      --skip=NAME        all but this collection (repeatable)\n"
"      --text             write text (the default on a terminal)\n"
"      --tmpdir=DIR       where a private copy may go; recovers a hot journal\n"
"  -V, --version          print the version\n"
"      --wait=SECONDS     how long to wait for a lock (default 10)\n";

static const struct option longopts[] = {
	{ "collection",	 required_argument,	NULL, 'c' },
	{ "deep",	 no_argument,		NULL, OPT_DEEP },
	{ "help",	 no_argument,		NULL, 'h' },
	{ "jsonl",	 no_argument,		NULL, 'j' },
	{ "privacy",	 no_argument,		NULL, OPT_PRIVACY },
	{ "quick",	 no_argument,		NULL, OPT_QUICK },
	{ "quiet",	 no_argument,		NULL, 'q' },
	{ "skip",	 required_argument,	NULL, OPT_SKIP },
	{ "text",	 no_argument,		NULL, OPT_TEXT },
	{ "tmpdir",	 required_argument,	NULL, OPT_TMPDIR },
	{ "version",	 no_argument,		NULL, 'V' },
	{ "wait",	 required_argument,	NULL, OPT_WAIT },
	{ NULL, 0, NULL, 0 }
};

/* ---- JSONL ---- */

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

static void
json_store(const struct config *cf, const struct survey *s,
    const struct persist *pd, struct buf *b)
{
	const struct catalog *c = s->catalog;
	struct jsonw w = { .b = b };
	size_t i;

	json_open(&w, NULL, '{');
	json_cstr(&w, "type", "store");
	json_cstr(&w, "path", cf->privacy ? NULL : pd->dir);
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

static void
json_params(struct jsonw *w, const struct params *p)
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

static uint64_t
index_bytes(const struct survey_collection *sc)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < INDEX_FILES; i++)
		n += sc->dir.size[i];
	return n;
}

static void
json_index(struct jsonw *w, const struct survey_collection *sc)
{
	const struct index_header *h = &sc->dir.header;
	bool header = sc->dir.has_header;
	bool named = sc->has_pickle && sc->counted;

	json_open(w, "index", '{');
	json_cstr(w, "state", survey_index_state_name(sc->state));
	json_int(w, "bytes", (int64_t)index_bytes(sc));
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
	if (sc->scanned) {
		json_int(w, "orphan_labels", (int64_t)sc->scan.orphan_labels);
		json_int(w, "missing_labels",
		    (int64_t)sc->scan.missing_labels);
		json_int(w, "bad_links", (int64_t)sc->scan.bad_links);
		json_int(w, "max_level", sc->scan.max_level);
	}
	json_cstr(w, "fault", sc->fault.status ? sc->fault.msg : NULL);
	json_close(w, '}');
}

/* M - H: log rows (of all collections) that the index is behind. */
static bool
wal_gap(const struct collection *col, uint64_t *gap)
{
	uint64_t h = col->vector.source == WATERMARK_NONE ? 0 :
	    col->vector.seq_id;

	*gap = col->metadata.seq_id > h ? col->metadata.seq_id - h : 0;
	return col->metadata.source != WATERMARK_NONE;
}

static void
json_collection(const struct config *cf, const struct survey_collection *sc,
    struct slice metadata, struct buf *b)
{
	const struct collection *col = sc->col;
	struct jsonw w = { .b = b };
	uint64_t gap;
	bool known;

	json_open(&w, NULL, '{');
	json_cstr(&w, "type", "collection");
	json_cstr(&w, "id", col->id);
	json_cstr(&w, "name", cf->privacy ? NULL : col->name);
	json_cstr(&w, "tenant", cf->privacy ? NULL : col->tenant);
	json_cstr(&w, "database", cf->privacy ? NULL : col->database);
	json_count(&w, "dimension", (uint64_t)col->dimension,
	    col->dimension >= 0);
	json_count(&w, "records", sc->records, sc->counted);
	json_raw(&w, "metadata", metadata);
	json_params(&w, &col->params);
	json_cstr(&w, "metadata_segment", col->metadata_segment);
	json_cstr(&w, "vector_segment", col->vector_segment);
	json_cstr(&w, "vector_type", col->vector_type);
	json_watermark(&w, "metadata_seq_id", &col->metadata);
	json_watermark(&w, "vector_seq_id", &col->vector);
	known = wal_gap(col, &gap);
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

/* ---- text ---- */

static void
text_notes(struct buf *b, const char *const *notes)
{
	for (; *notes; notes++)
		table_note(b, slice_str(*notes));
}

static void
text_store(const struct config *cf, const struct survey *s,
    const struct persist *pd, struct buf *b)
{
	const struct catalog *c = s->catalog;
	char t[3][32];
	size_t i;

	table_heading(b, slice_str(cf->privacy ? "Chroma directory" : pd->dir));
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
text_watermarks(const struct collection *col, struct buf *b)
{
	char m[32] = "none", h[32] = "none";
	uint64_t gap;

	if (col->metadata.source != WATERMARK_NONE)
		snprintf(m, sizeof(m), "%" PRIu64, col->metadata.seq_id);
	if (col->vector.source != WATERMARK_NONE)
		snprintf(h, sizeof(h), "%" PRIu64, col->vector.seq_id);
	if (wal_gap(col, &gap))
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
		    table_bytes(index_bytes(sc), t[0]), sc->dir.has_header &&
		    h->cur_element_count ? "" : ", no elements");
	} else {
		table_row(b, "index", "%s, %s, %s", survey_index_state_name(
		    sc->state), table_bytes(index_bytes(sc), t[0]),
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
	if (sc->scanned)
		table_row(b, "labels", "%" PRIu64 " orphan, %" PRIu64
		    " missing; %" PRIu64 " elements with bad links",
		    sc->scan.orphan_labels, sc->scan.missing_labels,
		    sc->scan.bad_links);
}

static void
text_collection(const struct config *cf, const struct survey_collection *sc,
    struct slice metadata, struct buf *b)
{
	const struct collection *col = sc->col;
	const struct params *p = &col->params;
	const struct survey_wal *l = &sc->wal;
	struct buf name = { 0 };
	char t[4][32];

	if (cf->privacy)
		buf_adds(&name, col->id);
	else
		buf_addf(&name, "%s/%s/%s", col->tenant ? col->tenant : "?",
		    col->database ? col->database : "?", col->name);
	table_heading(b, buf_slice(&name));
	buf_release(&name);
	if (!cf->privacy)
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
	text_watermarks(col, b);
	table_row(b, "vector segment", "%s", col->vector_segment ?
	    col->vector_segment : "none");
	text_index(sc, b);
	text_notes(b, sc->notes);
}

/* ---- the flow ---- */

/* Everything into *b.  0, or -1 with *e set. */
static int
render(const struct config *cf, const struct survey *s, struct persist *pd,
    struct buf *b, struct err *e)
{
	bool text = cf->text || (!cf->jsonl && isatty(STDOUT_FILENO));
	struct buf metadata = { 0 };
	size_t i;
	int r = 0;

	if (text)
		text_store(cf, s, pd, b);
	else
		json_store(cf, s, pd, b);
	for (i = 0; i < s->n && r == 0; i++) {
		const struct survey_collection *sc = &s->collection[i];

		buf_reset(&metadata);
		r = catalog_metadata(s->catalog, &pd->db, sc->col, cf->privacy,
		    &metadata, e);
		if (text)
			text_collection(cf, sc, buf_slice(&metadata), b);
		else
			json_collection(cf, sc, buf_slice(&metadata), b);
	}
	buf_release(&metadata);
	return r == 0 && !buf_ok(b) ? err_nomem(e) : r;
}

static int
run(const struct config *cf, const char *dir, struct buf *b, struct err *e)
{
	struct persist_options po = opt_persist(cf->wait_s, cf->tmpdir);
	struct select sel = opt_select(&cf->only, &cf->skip);
	struct persist pd;
	struct catalog c;
	struct survey s;

	if (persist_open(&pd, dir, &po, e) < 0 ||
	    catalog_load(&c, &pd, e) < 0 || select_apply(&c, &sel, e) < 0 ||
	    survey(&s, &c, &pd, cf->effort, e) < 0 ||
	    render(cf, &s, &pd, b, e) < 0 || persist_check(&pd, e) < 0)
		return -1;
	survey_release(&s);
	catalog_release(&c);
	persist_close(&pd);
	return 0;
}

static void
take_effort(struct config *cf, enum survey_effort effort)
{
	if (cf->effort != SURVEY_NORMAL && cf->effort != effort)
		opt_conflict("--quick", "--deep");
	cf->effort = effort;
}

int
main(int argc, char *argv[])
{
	struct config cf = { .effort = SURVEY_NORMAL,
	    .wait_s = OPT_WAIT_DEFAULT };
	struct err e = { 0 };
	struct buf b = { 0 };
	struct out out;
	int ch;

	prog_start(argv[0]);
	while ((ch = getopt_long(argc, argv, ":c:hjqV", longopts, NULL)) != -1)
		switch (ch) {
		case 'c': opt_add(&cf.only, "--collection", optarg); break;
		case 'h': return prog_help(usage_text);
		case 'j': cf.jsonl = true; break;
		case 'q': prog_quiet(); break;
		case 'V': return prog_version();
		case OPT_DEEP: take_effort(&cf, SURVEY_DEEP); break;
		case OPT_PRIVACY: cf.privacy = true; break;
		case OPT_QUICK: take_effort(&cf, SURVEY_QUICK); break;
		case OPT_SKIP: opt_add(&cf.skip, "--skip", optarg); break;
		case OPT_TEXT: cf.text = true; break;
		case OPT_TMPDIR: cf.tmpdir = optarg; break;
		case OPT_WAIT:
			cf.wait_s = opt_u64("--wait", optarg, 0, OPT_WAIT_MAX);
			break;
		default: opt_bad(ch, argv);
		}
	if (cf.text && cf.jsonl)
		opt_conflict("--text", "--jsonl");
	if (argc - optind != 1)
		prog_usage(argc > optind ? "one DIR at a time" : "no DIR "
		    "given: the persist dir, the one with chroma.sqlite3 in "
		    "it");
	if (run(&cf, argv[optind], &b, &e) < 0 ||
	    out_stdout(&out, 0, &e) < 0 ||
	    out_write(&out, b.p, b.len, &e) < 0 || out_close(&out, &e) < 0)
		prog_fail(&e);
	return STATUS_OK;
}
