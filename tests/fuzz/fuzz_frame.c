/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_frame - one frame: what is accepted can be written, as a frame and as a
 * line, and says the same when it is read again. */
#include "stream/frame.h"

#include "base/crc32c.h"
#include "base/le.h"
#include "base/utf8.h"

#include "fuzz.h"

static void
parse(const struct buf *b, struct frame *f)
{
	struct err e;

	MUST(frame_size(b->p, &e) == (int64_t)b->len);
	MUST(frame_parse(b->p, b->len, f, &e) == 0);
}

static void
check_text(const struct frame *f)
{
	struct buf b = { 0 };
	struct slice text, again;
	struct frame back;
	struct err e;
	uint32_t crc;

	if (frame_text(f, &text, &e) < 0)
		return;
	MUST(utf8_valid(text.p, text.len) && !memchr(text.p, '\n', text.len));
	MUST(frame_put_text(&b, (enum frame_type)f->type, text, &crc, &e) == 0);
	parse(&b, &back);
	MUST(back.type == f->type && back.crc == crc);
	MUST(frame_text(&back, &again, &e) == 0 && slice_eq(text, again));
	buf_release(&b);
}

static bool
same_slice(struct slice a, struct slice b)
{
	return a.p && b.p ? slice_eq(a, b) : a.p == b.p;
}

static bool
same(const struct record *a, const struct record *b)
{
	unsigned has = a->has;

	return a->type == b->type && has == b->has &&
	    same_slice(a->tenant, b->tenant) &&
	    same_slice(a->database, b->database) &&
	    same_slice(a->collection, b->collection) &&
	    same_slice(a->collection_id, b->collection_id) &&
	    (!(has & FIELD_SEQ_ID) || a->seq_id == b->seq_id) &&
	    same_slice(a->created_at, b->created_at) &&
	    a->operation == b->operation &&
	    (!(has & FIELD_LABEL) || a->label == b->label) &&
	    same_slice(a->id, b->id) &&
	    (!(has & FIELD_LEVEL) || a->level == b->level) &&
	    (!(has & FIELD_DELETED) || a->deleted == b->deleted) &&
	    (!(has & FIELD_EMBEDDING) || (a->dim == b->dim &&
	    a->form == b->form && (a->dim == 0 || memcmp(a->embedding,
	    b->embedding, (size_t)a->dim * 4) == 0))) &&
	    same_slice(a->document, b->document) &&
	    same_slice(a->uri, b->uri) &&
	    same_slice(a->metadata, b->metadata) && same_slice(a->raw, b->raw);
}

/* The line is one that a reader takes, and it says the same. */
static void
check_line(const struct record *r)
{
	struct record_memory m = { 0 };
	struct buf line = { 0 }, again = { 0 };
	struct record back;
	struct err e;

	record_to_json(r, &line);
	MUST(utf8_valid(line.p, line.len) && !memchr(line.p, '\n', line.len));
	MUST(record_from_json(buf_slice(&line), FIELD_ALL, &back, &m, &e)
	    == 0);
	MUST(back.has == r->has && back.type == r->type);
	MUST(!(r->has & FIELD_EMBEDDING) || (back.dim == r->dim &&
	    (r->dim == 0 || memcmp(back.embedding, r->embedding,
	    (size_t)r->dim * 4) == 0)));
	MUST(same_slice(back.id, r->id));
	MUST(same_slice(back.document, r->document));
	/* white space around metadata is not in its value; then no more */
	record_to_json(&back, &again);
	MUST(record_from_json(buf_slice(&again), FIELD_ALL, &back, &m, &e)
	    == 0);
	line.len = 0;
	record_to_json(&back, &line);
	MUST(slice_eq(buf_slice(&line), buf_slice(&again)));
	record_memory_release(&m);
	buf_release(&line);
	buf_release(&again);
}

static void
check_record(const struct frame *f)
{
	struct buf b = { 0 };
	struct record r, again;
	struct frame back;
	struct err e;
	uint32_t crc;

	if (frame_to_record(f, &r, &e) < 0) {
		MUST(e.status == STATUS_DATA && *e.msg);
		return;
	}
	MUST(frame_put_record(&b, &r, &crc, &e) == 0);
	parse(&b, &back);
	MUST(frame_to_record(&back, &again, &e) == 0);
	MUST(same(&r, &again));
	check_line(&r);
	buf_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in;
	struct frame f;
	struct err e;
	uint64_t records;
	uint32_t running;
	int64_t n;

	(void)!frame_magic((const char *)data, size, &e);
	if (size < FRAME_HEAD)
		return 0;
	n = frame_size((const char *)data, &e);
	if (n < 0 || (uint64_t)n > size)
		return 0;
	in = fuzz_copy(data, (size_t)n);
	/* a checksum that matches, with and without the fuzzing mode */
	le_put_u32((char *)(uintptr_t)in.p + n - 4,
	    crc32c(0, in.p, (size_t)n - 4));
	if (frame_parse(in.p, in.len, &f, &e) == 0) {
		check_text(&f);
		(void)!frame_end(&f, &records, &running, &e);
		if (f.type >= FRAME_WAL && f.type <= FRAME_PLAIN)
			check_record(&f);
	}
	fuzz_free(in);
	return 0;
}
