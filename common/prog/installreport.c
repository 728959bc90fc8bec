/* SPDX-License-Identifier: Apache-2.0 */
/* installreport.c - what was installed in the place of an index. */
#include "prog/installreport.h"

#include <inttypes.h>
#include <stdio.h>

#include "prog/table.h"

static void
put_mark(struct jsonw *w, const char *key, uint64_t seq_id)
{
	if (seq_id > 0)
		json_int(w, key, (int64_t)seq_id);
	else
		json_null(w, key);
}

static uint64_t
mark_before(const struct installreport *r)
{
	const struct watermark *h = &r->publish->was.vector;

	return h->source == WATERMARK_NONE ? 0 : h->seq_id;
}

void
installreport_receipt(const struct installreport *r, struct jsonw *w)
{
	const struct publish *p = r->publish;

	json_cstr(w, "dir", p->dir);
	json_cstr(w, "collection", p->name);
	json_cstr(w, "collection_id", p->id);
	json_bool(w, "installed", r->segment != NULL);
	if (r->only_params)
		json_bool(w, "only_parameters", true);
	json_open(w, "vector_segment", '{');
	json_cstr(w, "before", p->was.segment);
	if (r->needed)
		json_cstr(w, "after", r->segment);
	json_close(w, '}');
	json_open(w, "vector_seq_id", '{');
	put_mark(w, "before", mark_before(r));
	put_mark(w, "after", p->seq_id);
	json_close(w, '}');
	json_int(w, "added", (int64_t)r->diff->added);
	json_int(w, "replaced", (int64_t)r->diff->replaced);
	json_int(w, "removed", (int64_t)r->diff->removed);
	json_int(w, "deleted", (int64_t)r->diff->deleted);
	json_int(w, "ghosts", (int64_t)p->ghosts);
	json_int(w, "bytes_before", (int64_t)r->diff->bytes);
	if (r->needed)
		json_cstr(w, "backup", r->backup);
}

static void
text_mark(struct buf *b, uint64_t before, uint64_t after)
{
	char from[24] = "none", to[24] = "none";

	if (before > 0)
		snprintf(from, sizeof(from), "%" PRIu64, before);
	if (after > 0)
		snprintf(to, sizeof(to), "%" PRIu64, after);
	if (before == after)
		table_row(b, "applied", "up to row %s of the log", to);
	else
		table_row(b, "applied", "up to row %s of the log, was %s", to,
		    from);
}

static void
text_params(const struct installreport *r, struct buf *b)
{
	const struct params *was = &r->publish->params;
	const struct paramset *c = r->change;
	int i;

	if (c->set[PARAM_SPACE] && c->to.space != was->space)
		table_row(b, "space", "%s, was %s", space_name(c->to.space),
		    space_name(was->space));
	for (i = PARAM_M; i < PARAMS; i++)
		if (c->set[i] && i != PARAM_RESIZE_FACTOR &&
		    c->to.value[i] != was->value[i])
			table_row(b, param_name[i], "%" PRId64 ", was %" PRId64,
			    c->to.value[i], was->value[i]);
}

void
installreport_text(const struct installreport *r, struct buf *b)
{
	const struct publish_diff *d = r->diff;
	char n[32], add[32], repl[32], rem[32], was[32], is[32];

	table_heading(b, slice_str(r->publish->path));
	table_row(b, "vectors", "%s: %s new, %s replaced, %s removed",
	    table_count(r->elements, n), table_count(d->added, add),
	    table_count(d->replaced, repl), table_count(d->removed, rem));
	if (d->deleted)
		table_row(b, "deleted", "%s elements, which go",
		    table_count(d->deleted, n));
	if (d->damaged)
		table_row(b, "damaged", "the present index is");
	if (r->publish->ghosts)
		table_row(b, "left out", "%s ids of no record",
		    table_count(r->publish->ghosts, n));
	text_params(r, b);
	text_mark(b, mark_before(r), r->publish->seq_id);
	if (r->only_params)
		return;
	if (!r->needed) {
		buf_adds(b, INSTALLREPORT_IDLE "\n");
		return;
	}
	table_row(b, "index", r->segment ? "%s, was %s" : "about %s, is %s",
	    table_bytes(r->bytes, is), table_bytes(d->bytes, was));
	if (r->backup)
		table_row(b, "old index", r->segment ? "kept as %s" :
		    "to be kept as %s", r->backup);
	else
		table_row(b, "old index", r->segment ? "removed" :
		    "to be removed");
}
