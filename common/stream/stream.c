/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c - streams of records, in and out. */
#include "stream/stream.h"

#include <string.h>

#include "base/num.h"
#include "base/utf8.h"
#include "stream/json.h"

int
stream_in_open(struct stream_in *s, const char *path, bool plain,
    struct err *e)
{
	*s = (struct stream_in){ .plain = plain };
	return in_open(&s->in, path, e);
}

void
stream_in_close(struct stream_in *s)
{
	in_close(&s->in);
}

/* Records are written out when so many bytes have gathered. */
#define FLUSH_SIZE ((size_t)1 << 18)

/* Put the place of the item that was just read before the message. */
static int
at_item(const struct stream_in *s, uint64_t offset, struct err *e)
{
	if (!s->binary && s->in.lineno == 0)	/* no input: see stream.h */
		return err_in(e, s->in.name);
	return s->binary ? err_off(e, s->in.name, offset) :
	    err_at(e, s->in.name, s->in.lineno);
}

static int
detect_form(struct stream_in *s, struct err *e)
{
	const char *p;
	ptrdiff_t n = in_peek(&s->in, FRAME_MAGIC_LEN, &p, e);
	int r;

	if (n < 0)
		return -1;
	r = frame_magic(p, (size_t)n, e);
	if (r < 0)
		return err_in(e, s->in.name);
	s->binary = r > 0;
	s->started = true;
	if (s->binary)
		in_skip(&s->in, FRAME_MAGIC_LEN);
	return 0;
}

/* The next line or frame: 1, 0, -1; -2 with an error that does not name the
 * place yet. */
static int
next_line(struct stream_in *s, struct item *item, struct err *e)
{
	const char *line;
	size_t len;
	int got = in_line(&s->in, &line, &len, e);

	if (got <= 0)
		return got;
	*item = (struct item){ .bytes = slice_of(line, len) };
	item->json = item->bytes;
	if (!utf8_valid(line, len)) {
		err_data(e, len >= 4 && memcmp(line, FRAME_MAGIC, 4) == 0 ?
		    "a binary stream behind a JSONL one: use one form" :
		    "not UTF-8");
		return -2;
	}
	return record_type_of(item->json, s->plain, &item->type, e) < 0 ?
	    -2 : 1;
}

/* Which record a frame holds, and its line if it holds one. */
static int
classify(const struct stream_in *s, struct item *item, struct err *e)
{
	switch (item->frame.type) {
	case FRAME_WAL: item->type = RECORD_WAL; return 0;
	case FRAME_VECTOR: item->type = RECORD_VECTOR; return 0;
	case FRAME_PLAIN: item->type = RECORD_PLAIN; return 0;
	case FRAME_END: item->type = RECORD_END; return 0;
	case FRAME_BEGIN:
	case FRAME_TEXT:
		if (frame_text(&item->frame, &item->json, e) < 0)
			return -1;
		return record_type_of(item->json, s->plain, &item->type, e);
	default:
		if (item->frame.flags & FRAME_CRITICAL)
			return err_data(e, "frames of type %u: newer than this "
			    "program", item->frame.type);
		item->type = RECORD_OTHER;
		return 0;
	}
}

static int
next_frame(struct stream_in *s, struct item *item, struct err *e)
{
	const char *p;
	ptrdiff_t n;
	int64_t size;

	*item = (struct item){ .binary = true };
	n = in_peek(&s->in, FRAME_HEAD, &p, e);
	/* streams may follow one another, each with its magic */
	if (n == FRAME_HEAD && memcmp(p, FRAME_MAGIC, 4) == 0) {
		if (frame_magic(p, (size_t)n, e) < 0)
			return -2;
		in_skip(&s->in, FRAME_MAGIC_LEN);
		n = in_peek(&s->in, FRAME_HEAD, &p, e);
	}
	if (n <= 0)
		return (int)n;
	if (n < FRAME_HEAD)
		goto truncated;
	if (*p == '{' && !s->open) {
		err_data(e, "a JSONL stream behind a binary one: use one form");
		return -2;
	}
	size = frame_size(p, e);
	if (size < 0)
		return -2;
	n = in_peek(&s->in, (size_t)size, &p, e);
	if (n < 0)
		return -1;
	if (n < size)
		goto truncated;
	if (frame_parse(p, (size_t)size, &item->frame, e) < 0)
		return -2;
	in_skip(&s->in, (size_t)size);
	item->bytes = item->frame.bytes;
	return classify(s, item, e) < 0 ? -2 : 1;

truncated:
	err_data(e, "truncated inside a frame");
	return -2;
}

static int
check_end(struct stream_in *s, const struct item *item, struct err *e)
{
	static const char *const key[] = { "records", "type" };
	struct slice val[2];
	uint64_t want;
	uint32_t running;

	if (item->binary && item->frame.type == FRAME_END) {
		if (frame_end(&item->frame, &want, &running, e) < 0)
			return -1;
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
		if (running != s->running)
			return err_data(e, "the checksum over the stream does "
			    "not match: records are missing or changed");
#endif
	} else {
		if (json_members(item->json, key, val, 2, e) < 0)
			return -1;
		if (json_u63(val[0], &want) < 0)
			return err_data(e, "the end record has no \"records\"");
	}
	if (want != s->records)
		return err_data(e, "the end record counts %llu records, but "
		    "%llu came: truncated or changed on the way",
		    (unsigned long long)want, (unsigned long long)s->records);
	return 0;
}

/* Begin, records and end in their order. */
static int
account(struct stream_in *s, const struct item *item, struct err *e)
{
	switch (item->type) {
	case RECORD_BEGIN:
		if (s->open)
			return err_data(e, "a begin record before the end of "
			    "the stream before it: that one is truncated");
		s->open = true;
		s->sections++;
		s->records = 0;
		s->running = item->binary ?
		    frame_running(0, item->frame.crc) : 0;
		return 0;
	case RECORD_END:
		if (!s->open)
			return err_data(e, "an end record without a begin");
		if (check_end(s, item, e) < 0)
			return -1;
		s->open = false;
		return 0;
	default:
		if (!s->open)
			return err_data(e, "no begin record: not a stream of "
			    "chromautils, or its head is missing (%s)",
			    "chroma-walfilter --plain reads bare records");
		if (item->binary)
			s->running = frame_running(s->running,
			    item->frame.crc);
		s->records++;
		s->total++;
		return 0;
	}
}

static int
at_eof(const struct stream_in *s, struct err *e)
{
	if (s->plain)
		return 0;
	if (s->open)
		err_data(e, "no end record: truncated after %llu records",
		    (unsigned long long)s->records);
	else if (!s->sections)
		err_data(e, "empty: not even a begin record; what should have "
		    "written it failed");
	else
		return 0;
	return err_in(e, s->in.name);
}

int
stream_next(struct stream_in *s, struct item *item, struct err *e)
{
	uint64_t offset;
	int got;

	if (!s->started && detect_form(s, e) < 0)
		return -1;
	do {
		offset = s->in.offset;
		got = s->binary ? next_frame(s, item, e) :
		    next_line(s, item, e);
		if (got == 0)
			return at_eof(s, e);
		if (got < 0)
			return got == -2 ? at_item(s, offset, e) : -1;
		if (!s->plain && account(s, item, e) < 0)
			return at_item(s, offset, e);
	} while (s->plain && (item->type == RECORD_BEGIN ||
	    item->type == RECORD_END));
	if (s->plain)
		s->total++;
	return 1;
}

int
stream_record(const struct stream_in *s, const struct item *item,
    unsigned want, struct record *r, struct record_memory *m, struct err *e)
{
	int got;

	if (item->type == RECORD_OTHER && !item->json.p) {
		*r = (struct record){ .operation = OPERATION_NONE };
		return 0;
	}
	got = item->json.p ? record_from_json(item->json, want, r, m, e) :
	    frame_to_record(&item->frame, r, e);
	if (got < 0)
		return stream_at(s, item, e);
	if (r->type == RECORD_OTHER)
		r->type = item->type;
	return 0;
}

int
stream_at(const struct stream_in *s, const struct item *item, struct err *e)
{
	return at_item(s, s->in.offset - item->bytes.len, e);
}

int
stream_begin_parse(struct slice text, struct begin *b, struct err *e)
{
	static const char *const key[] = { "type", "stream", "version",
	    "partial", "redacted", "embedding", "source",
	    "identity" };
	struct slice val[8];
	uint64_t version;

	if (json_members(text, key, val, 8, e) < 0)
		return -1;
	if (!slice_is(val[0], "\"begin\"") || json_u63(val[2], &version) < 0)
		return err_data(e, "a begin record without a version");
	if (version > STREAM_VERSION)
		return err_data(e, "records of version %llu; this program "
		    "reads version %d", (unsigned long long)version,
		    STREAM_VERSION);
	*b = (struct begin){ .text = text, .source = val[6] };
	if (json_is_string(val[1]))
		b->stream = slice_of(val[1].p + 1, val[1].len - 2);
	b->partial = slice_is(val[3], "true");
	b->redacted = val[4].p != NULL;
	b->no_embeddings = slice_is(val[5], "\"none\"");
	b->identity = slice_is(val[7], "true");
	return 0;
}

int
stream_mark_begin(struct slice text, const char *key, const char *value,
    struct buf *out, struct err *e)
{
	const char *const keys[] = { key };
	struct slice k, v, have[1];
	struct json_iter it;
	int got;

	buf_reset(out);
	if (json_members(text, keys, have, 1, e) < 0)
		return -1;
	if (slice_is(have[0], value)) {
		buf_add(out, text.p, text.len);
		return buf_ok(out) ? 0 : err_nomem(e);
	}
	if (json_object(&it, text, e) < 0)
		return -1;
	while ((got = json_next(&it, &k, &v)) > 0) {
		if (json_key_is(k, key))
			continue;
		buf_addc(out, out->len ? ',' : '{');
		buf_add(out, k.p - 1, k.len + 2);
		buf_addc(out, ':');
		buf_add(out, v.p, v.len);
		if (json_key_is(k, "version"))
			buf_addf(out, ",\"%s\":%s", key, value);
	}
	buf_addc(out, '}');
	return got == 0 && !buf_ok(out) ? err_nomem(e) : got;
}

void
stream_out_init(struct stream_out *s, struct out *out, bool binary,
    bool plain)
{
	*s = (struct stream_out){ .out = out, .binary = binary,
	    .plain = plain };
}

void
stream_out_release(struct stream_out *s)
{
	buf_release(&s->buf);
	buf_release(&s->line);
	record_memory_release(&s->memory);
}

int
stream_flush(struct stream_out *s, struct err *e)
{
	int r = buf_ok(&s->buf) ? out_write(s->out, s->buf.p, s->buf.len, e) :
	    err_nomem(e);

	buf_reset(&s->buf);
	return r;
}

/* Records gather in s->buf until there are enough for one write. */
static int
gathered(struct stream_out *s, struct err *e)
{
	return buf_ok(&s->buf) && s->buf.len < FLUSH_SIZE ? 0 :
	    stream_flush(s, e);
}

static void
start_binary(struct stream_out *s)
{
	if (s->binary && !s->started)
		buf_add(&s->buf, FRAME_MAGIC, FRAME_MAGIC_LEN);
	s->started = true;
}

static int
put_line(struct stream_out *s, struct slice line, struct err *e)
{
	buf_add(&s->buf, line.p, line.len);
	buf_addc(&s->buf, '\n');
	return gathered(s, e);
}

static void
count(struct stream_out *s, uint32_t crc)
{
	s->running = frame_running(s->running, crc);
	s->records++;
	s->total++;
}

int
stream_put_begin(struct stream_out *s, struct slice text, struct err *e)
{
	uint32_t crc = 0;

	s->records = 0;
	if (s->plain)
		return 0;
	if (!s->binary)
		return put_line(s, text, e);
	start_binary(s);
	if (frame_put_text(&s->buf, FRAME_BEGIN, text, &crc, e) < 0)
		return -1;
	s->running = frame_running(0, crc);
	return gathered(s, e);
}

int
stream_put_record(struct stream_out *s, const struct record *r, struct err *e)
{
	size_t before = s->buf.len;
	uint32_t crc = 0;

	if (s->binary) {
		start_binary(s);
		if (frame_put_record(&s->buf, r, &crc, e) < 0)
			return -1;
	} else {
		record_to_json(r, &s->buf);
		if (s->buf.len - before > IN_ITEM_MAX) {
			s->buf.len = before;
			return err_data(e, "a record of more than 1 GiB as "
			    "JSON; --binary or --embedding=base64 is shorter");
		}
		buf_addc(&s->buf, '\n');
	}
	count(s, crc);
	return gathered(s, e);
}

/* A line as a frame: of its type if the line is what we would write for the
 * record, else as text, so that it comes back to the byte. */
static int
line_to_frame(struct stream_out *s, const struct item *item, uint32_t *crc,
    struct err *e)
{
	struct record r;
	struct err why;
	bool same = false;

	if (item->type == RECORD_WAL || item->type == RECORD_VECTOR ||
	    item->type == RECORD_PLAIN) {
		int got = record_from_json(item->json, FIELD_ALL, &r,
		    &s->memory, &why);

		if (got < 0 && why.status == STATUS_SYSTEM)
			return err_nomem(e);
		if (got == 0 && r.exact && r.type == item->type) {
			buf_reset(&s->line);
			record_to_json(&r, &s->line);
			if (!buf_ok(&s->line))
				return err_nomem(e);
			same = slice_eq(buf_slice(&s->line), item->json);
		}
	}
	start_binary(s);
	return same ? frame_put_record(&s->buf, &r, crc, e) :
	    frame_put_text(&s->buf, FRAME_TEXT, item->json, crc, e);
}

int
stream_put_item(struct stream_out *s, const struct stream_in *from,
    const struct item *item, struct err *e)
{
	struct record r;
	uint32_t crc = 0;

	if (!s->binary && item->json.p) {
		count(s, 0);
		return put_line(s, item->json, e);
	}
	if (s->binary && item->binary) {
		start_binary(s);
		count(s, item->frame.crc);
		buf_add(&s->buf, item->bytes.p, item->bytes.len);
		return gathered(s, e);
	}
	if (s->binary) {
		if (line_to_frame(s, item, &crc, e) < 0)
			return -1;
		count(s, crc);
		return gathered(s, e);
	}
	if (item->type == RECORD_OTHER)
		return err_data(e, "%s: a frame of type %u cannot be written "
		    "as JSONL", err_tail(from->in.name), item->frame.type);
	if (stream_record(from, item, FIELD_ALL, &r, &s->memory, e) < 0)
		return -1;
	return stream_put_record(s, &r, e);
}

int
stream_put_end(struct stream_out *s, struct err *e)
{
	if (s->plain || s->binary)
		start_binary(s);	/* an empty binary stream is its magic */
	if (s->binary && !s->plain)
		frame_put_end(&s->buf, s->records, s->running);
	else if (!s->plain)
		buf_addf(&s->buf, "{\"type\":\"end\",\"records\":%llu}\n",
		    (unsigned long long)s->records);
	return stream_flush(s, e);
}
