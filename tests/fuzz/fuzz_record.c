/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_record - a line to a record: written again and read again it is the
 * same, as JSON and as a frame. */
#include "stream/record.h"

#include "base/utf8.h"
#include "stream/frame.h"

#include "fuzz.h"

/* The record as a line that is one; and its frame gives the same line. */
static void
check(struct record *r, struct buf *line)
{
	struct buf frame = { 0 }, again = { 0 };
	struct record back;
	struct frame f;
	struct err e;
	uint32_t crc;

	if (r->type == RECORD_OTHER || r->type == RECORD_BEGIN ||
	    r->type == RECORD_END)
		r->type = RECORD_WAL;
	record_to_json(r, line);
	MUST(utf8_valid(line->p, line->len));
	MUST(!memchr(line->p, '\n', line->len));
	MUST(frame_put_record(&frame, r, &crc, &e) == 0);
	MUST(frame_size(frame.p, &e) == (int64_t)frame.len);
	MUST(frame_parse(frame.p, frame.len, &f, &e) == 0 && f.crc == crc);
	MUST(frame_to_record(&f, &back, &e) == 0);
	MUST(back.type == r->type && back.has == r->has);
	record_to_json(&back, &again);
	MUST(slice_eq(buf_slice(line), buf_slice(&again)));
	buf_release(&frame);
	buf_release(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = fuzz_copy(data, size);
	struct record_memory m = { 0 };
	struct buf line = { 0 }, again = { 0 };
	enum record_type type;
	struct record r;
	struct err e;
	unsigned has;

	/* a reader of lines has looked at that */
	if (!utf8_valid(in.p, in.len) || memchr(in.p, '\n', in.len)) {
		fuzz_free(in);
		return 0;
	}
	(void)!record_type_of(in, false, &type, &e);
	(void)!record_type_of(in, true, &type, &e);
	if (record_from_json(in, FIELD_ALL, &r, &m, &e) == 0) {
		has = r.has;
		check(&r, &line);
		MUST(record_from_json(buf_slice(&line), FIELD_ALL, &r, &m,
		    &e) == 0);
		MUST(r.has == has && r.exact);
		record_to_json(&r, &again);
		MUST(slice_eq(buf_slice(&line), buf_slice(&again)));
		/* what is taken whole is taken in part */
		MUST(record_from_json(in, FIELD_ID, &r, &m, &e) == 0);
		MUST(r.has == (has & FIELD_ID));
	} else {
		MUST(e.status == STATUS_DATA && *e.msg);
		(void)!record_from_json(in, FIELD_ID | FIELD_SEQ_ID, &r, &m,
		    &e);
	}
	record_memory_release(&m);
	buf_release(&line);
	buf_release(&again);
	fuzz_free(in);
	return 0;
}
