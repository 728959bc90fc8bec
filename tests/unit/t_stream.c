/* SPDX-License-Identifier: Apache-2.0 */
/* t_stream - whole streams: forms there and back, cut short, put together. */
#include "stream/stream.h"

#include <zstd.h>

#include "base/crc32c.h"
#include "base/le.h"

#include "../scratch.h"
#include "../tap.h"

#define BEGIN "{\"type\":\"begin\",\"stream\":\"wal\",\"version\":1}\n"
#define END(n) "{\"type\":\"end\",\"records\":" #n "}\n"
#define WAL(id) "{\"type\":\"wal\",\"seq_id\":1,\"id\":\"" id "\"}\n"

enum { JSONL, BINARY };

/* What chroma-walfilter does with no options but the form.  0, or -1. */
static int
copy(struct stream_in *si, struct stream_out *so, struct err *e)
{
	struct item item;
	int got;

	while ((got = stream_next(si, &item, e)) > 0) {
		int r = item.type == RECORD_BEGIN ?
		    stream_put_begin(so, item.json, e) :
		    item.type == RECORD_END ? stream_put_end(so, e) :
		    stream_put_item(so, si, &item, e);

		if (r < 0)
			return -1;
	}
	return got < 0 || !so->plain ? got : stream_put_end(so, e);
}

static int
convert(const char *from, const char *to, int form, int level, bool plain,
    struct err *e)
{
	struct stream_in si;
	struct stream_out so;
	struct out out;
	int r;

	*e = (struct err){ 0 };
	if (stream_in_open(&si, from, plain, e) < 0)
		return -1;
	if (out_file(&out, to, true, level, e) < 0)
		scratch_die(e->msg);
	stream_out_init(&so, &out, form == BINARY, plain);
	r = copy(&si, &so, e);
	if (r == 0)
		r = out_close(&out, e);
	else
		out_abort(&out);
	stream_out_release(&so);
	stream_in_close(&si);
	return r;
}

/* Read all of a file.  The number of records, or -1. */
static int64_t
count(const char *path, bool plain, struct err *e)
{
	struct stream_in si;
	struct item item;
	int64_t n;
	int got;

	*e = (struct err){ 0 };
	if (stream_in_open(&si, path, plain, e) < 0)
		return -1;
	while ((got = stream_next(&si, &item, e)) > 0)
		;
	n = (int64_t)si.total;
	stream_in_close(&si);
	return got < 0 ? -1 : n;
}

static int64_t
count_bytes(struct slice bytes, bool plain, struct err *e)
{
	const char *path = scratch_path("in");

	scratch_write(path, bytes);
	return count(path, plain, e);
}

/* The message without the path at its beginning. */
static const char *
message(const struct err *e)
{
	size_t n = strlen(scratch_path("in"));

	return strlen(e->msg) > n ? e->msg + n : e->msg;
}

static bool
same_file(const char *path, struct slice want)
{
	struct buf b = { 0 };
	bool same;

	scratch_read(path, &b);
	same = slice_eq(buf_slice(&b), want);
	buf_release(&b);
	return same;
}

/* ---- a line to a frame, and back ---- */

/* A line, and the frame it becomes: one of its type only if the line is as we
 * write it. */
static const struct {
	const char *line;
	enum frame_type frame;
} lines[] = {
	{ "{\"type\":\"wal\"}", FRAME_WAL },
	{ "{\"type\":\"wal\",\"tenant\":\"t\",\"database\":\"d\","
	    "\"collection\":\"c\",\"collection_id\":\"i\",\"seq_id\":7,"
	    "\"created_at\":\"2024-01-02 03:04:05\",\"operation\":\"ADD\","
	    "\"id\":\"a\",\"embedding\":[1,-0.5,1e-45],\"document\":\"x\\ny\","
	    "\"uri\":\"u\",\"metadata\":{\"k\":[1,2]}}", FRAME_WAL },
	{ "{\"type\":\"wal\",\"seq_id\":-9223372036854775808,"
	    "\"operation\":\"DELETE\",\"id\":\"\",\"document\":null,"
	    "\"uri\":null,\"metadata\":null}", FRAME_WAL },
	{ "{\"type\":\"wal\",\"seq_id\":1,\"raw\":{\"id\":null}}", FRAME_WAL },
	{ "{\"type\":\"wal\",\"id\":\"\\ud800\",\"document\":\"\\udfff\"}",
	    FRAME_WAL },
	{ "{\"type\":\"wal\",\"id\":\"\\u0000\"}", FRAME_WAL },
	{ "{\"type\":\"wal\",\"embedding\":[]}", FRAME_WAL },
	{ "{\"type\":\"wal\",\"embedding\":\"\"}", FRAME_WAL },
	{ "{\"type\":\"wal\",\"embedding\":\"AADAfwAAgD8=\"}", FRAME_WAL },
	{ "{\"type\":\"wal\",\"metadata\":{\"a\": 1.0, \"\\u0041\":2}}",
	    FRAME_WAL },
	{ "{\"type\":\"vector\",\"collection_id\":\"c\",\"label\":1,"
	    "\"id\":\"a\",\"level\":2,\"deleted\":true,\"embedding\":[0.1]}",
	    FRAME_VECTOR },
	{ "{\"type\":\"vector\",\"label\":18446744073709551615}",
	    FRAME_VECTOR },
	{ "{\"type\":\"vector\",\"deleted\":false}", FRAME_VECTOR },
	{ "{\"type\":\"record\",\"id\":\"a\",\"document\":null}",
	    FRAME_PLAIN },
	/* the rest is not to the byte what we write */
	{ "{ \"type\":\"wal\"}", FRAME_TEXT },
	{ "{\"type\":\"wal\"} ", FRAME_TEXT },
	{ "{\"type\":\"wal\"}\r", FRAME_TEXT },
	{ "{\"type\":\"wal\",\"seq_id\": 1}", FRAME_TEXT },
	{ "{\"type\":\"wal\",\"id\":\"a\",\"seq_id\":1}", FRAME_TEXT },
	{ "{\"seq_id\":1,\"type\":\"wal\"}", FRAME_TEXT },
	{ "{\"type\":\"wal\",\"id\":\"\\u0061\"}", FRAME_TEXT },
	{ "{\"type\":\"wal\",\"id\":\"\\/\"}", FRAME_TEXT },
	{ "{\"type\":\"wal\",\"id\":\"\\uD800\"}", FRAME_TEXT },
	{ "{\"type\":\"wal\",\"i\\u0064\":\"a\"}", FRAME_TEXT },
	{ "{\"type\":\"wal\",\"embedding\":[1.0]}", FRAME_TEXT },
	{ "{\"type\":\"wal\",\"embedding\":[ 1]}", FRAME_TEXT },
	{ "{\"type\":\"wal\",\"seq_id\":1,\"more\":2}", FRAME_TEXT },
	{ "{\"type\":\"wal\",\"seq_id\":\"1\"}", FRAME_TEXT },
	{ "{\"type\":\"wal\",\"seq_id\":1,\"seq_id\":1}", FRAME_TEXT },
	{ "{\"type\":\"wal\",\"type\":\"wal\"}", FRAME_TEXT },
	{ "{\"type\":\"wal\",\"metadata\":[]}", FRAME_TEXT },
	{ "{\"type\":\"wal\",\"embedding\":\"AADAfwAAgD9=\"}", FRAME_TEXT },
	{ "{\"type\":\"wal\", of no use", FRAME_TEXT },
	{ "{\"type\":\"conflict\",\"seq_id\":1}", FRAME_TEXT },
	{ "{\"type\":\"conflict\",\"x\":{\"type\":\"wal\"}}", FRAME_TEXT },
	{ "{\"type\":\"\"}", FRAME_TEXT },
};

/* The type of the first record's frame in a binary file. */
static int
first_frame(const char *path)
{
	struct stream_in si;
	struct item item;
	struct err e;
	int type = -1;

	if (stream_in_open(&si, path, false, &e) < 0)
		return -1;
	if (stream_next(&si, &item, &e) > 0 && stream_next(&si, &item, &e) > 0)
		type = item.frame.type;
	stream_in_close(&si);
	return type;
}

static void
test_lines(void)
{
	const char *j = scratch_path("j"), *b = scratch_path("b"),
	    *k = scratch_path("k");
	struct buf text = { 0 };
	struct err e;
	size_t i;

	for (i = 0; i < COUNT(lines); i++) {
		buf_reset(&text);
		buf_adds(&text, BEGIN);
		buf_adds(&text, lines[i].line);
		buf_adds(&text, "\n" END(1));
		scratch_write(j, buf_slice(&text));
		ok(convert(j, b, BINARY, 0, false, &e) == 0 &&
		    first_frame(b) == (int)lines[i].frame,
		    "%s: a frame of type %d", shown_str(lines[i].line),
		    (int)lines[i].frame);
		ok(convert(b, k, JSONL, 0, false, &e) == 0 &&
		    same_file(k, buf_slice(&text)), "  and the same line");
	}
	buf_release(&text);
}

/* All of them in one stream, also through zstd, also as bare records. */
static void
test_forms(void)
{
	const char *j = scratch_path("j"), *b = scratch_path("b"),
	    *k = scratch_path("k"), *b2 = scratch_path("b2");
	struct buf text = { 0 }, bin = { 0 };
	struct err e;
	size_t i;

	buf_adds(&text, BEGIN);
	for (i = 0; i < COUNT(lines); i++)
		buf_addf(&text, "%s\n", lines[i].line);
	buf_addf(&text, "{\"type\":\"end\",\"records\":%zu}\n", COUNT(lines));
	scratch_write(j, buf_slice(&text));
	ok(convert(j, k, JSONL, 0, false, &e) == 0 &&
	    same_file(k, buf_slice(&text)), "JSONL to JSONL");
	ok(convert(j, b, BINARY, 0, false, &e) == 0 &&
	    convert(b, k, JSONL, 0, false, &e) == 0 &&
	    same_file(k, buf_slice(&text)), "to binary and back");
	scratch_read(b, &bin);
	ok(convert(b, b2, BINARY, 0, false, &e) == 0 &&
	    same_file(b2, buf_slice(&bin)), "binary to binary");
	ok(convert(j, b2, BINARY, 3, false, &e) == 0 &&
	    convert(b2, k, JSONL, 0, false, &e) == 0 &&
	    same_file(k, buf_slice(&text)), "to compressed binary and back");
	ok(convert(j, k, JSONL, 19, false, &e) == 0 &&
	    convert(k, b2, JSONL, 0, false, &e) == 0 &&
	    same_file(b2, buf_slice(&text)), "to compressed JSONL and back");
	ok(convert(b, k, JSONL, 0, true, &e) == 0 &&
	    same_file(k, slice_of(text.p + strlen(BEGIN), text.len -
	    strlen(BEGIN) - strlen("{\"type\":\"end\",\"records\":36}\n"))) &&
	    COUNT(lines) == 36, "plain: only the records");
	ok(convert(k, b2, BINARY, 0, true, &e) == 0 &&
	    convert(b2, j, JSONL, 0, true, &e) == 0,
	    "plain to binary and back");
	buf_reset(&text);
	scratch_read(k, &text);
	ok(same_file(j, buf_slice(&text)), "  gives the same bytes");
	buf_release(&text);
	buf_release(&bin);
}

/* Items of every size, so that they lie across the ends of buffers. */
static void
test_sizes(void)
{
	const char *j = scratch_path("j"), *b = scratch_path("b"),
	    *k = scratch_path("k");
	struct buf text = { 0 };
	uint64_t seed = 1;
	struct err e;
	size_t i, n;

	buf_adds(&text, BEGIN);
	for (i = 0; i < 1500; i++) {
		buf_addf(&text, "{\"type\":\"wal\",\"seq_id\":%zu,"
		    "\"id\":\"", i);
		n = i == 700 ? 1500000 : scratch_random(&seed) % 2000;
		while (n-- > 0)
			buf_addc(&text,
			    (char)('a' + scratch_random(&seed) % 26));
		buf_adds(&text, "\"}\n");
	}
	buf_adds(&text, END(1500));
	scratch_write(j, buf_slice(&text));
	ok(convert(j, b, BINARY, 0, false, &e) == 0 &&
	    convert(b, k, JSONL, 0, false, &e) == 0 &&
	    same_file(k, buf_slice(&text)), "3 MB to binary and back");
	ok(convert(j, b, BINARY, 1, false, &e) == 0 &&
	    convert(b, k, JSONL, 0, false, &e) == 0 &&
	    same_file(k, buf_slice(&text)), "  compressed too");
	ok(count(b, false, &e) == 1500, "  and counted");
	buf_release(&text);
}

/* ---- what is wrong with a JSONL stream ---- */

static const struct {
	const char *text;
	int64_t records;	/* -1: an error, with this message */
	const char *message;
	bool plain;
} streams[] = {
	{ BEGIN END(0), 0, NULL, false },
	{ BEGIN WAL("a") WAL("b") END(2), 2, NULL, false },
	{ BEGIN WAL("a") "{\"type\":\"end\",\"records\":1}", 1, NULL, false },
	{ BEGIN WAL("a") END(1) BEGIN WAL("b") WAL("c") END(2), 3, NULL,
	    false },
	{ BEGIN "{\"type\":\"end\",\"x\":1,\"records\":0}\n", 0, NULL, false },
	{ "", -1, ": empty: not even a begin record; what should have written "
	    "it failed", false },
	{ BEGIN, -1, ": no end record: truncated after 0 records", false },
	{ BEGIN WAL("a"), -1, ": no end record: truncated after 1 records",
	    false },
	{ BEGIN WAL("a") END(1) BEGIN WAL("b"), -1,
	    ": no end record: truncated after 1 records", false },
	{ BEGIN WAL("a") END(2), -1, ":3: the end record counts 2 records, but "
	    "1 came: truncated or changed on the way", false },
	{ BEGIN WAL("a") WAL("b") END(1), -1, ":4: the end record counts 1 "
	    "records, but 2 came: truncated or changed on the way", false },
	{ BEGIN WAL("a") END(1) BEGIN WAL("b") END(2), -1, ":6: the end record "
	    "counts 2 records, but 1 came: truncated or changed on the way",
	    false },
	{ BEGIN "{\"type\":\"end\"}\n", -1,
	    ":2: the end record has no \"records\"", false },
	{ BEGIN "{\"type\":\"end\",\"records\":\"0\"}\n", -1,
	    ":2: the end record has no \"records\"", false },
	{ BEGIN "{\"type\":\"end\",\"records\":0\n", -1,
	    ":2: byte 26: expected ',' or '}'", false },
	{ BEGIN WAL("a") BEGIN END(1), -1, ":3: a begin record before the end "
	    "of the stream before it: that one is truncated", false },
	{ END(0), -1, ":1: an end record without a begin", false },
	{ BEGIN END(0) END(0), -1, ":3: an end record without a begin", false },
	{ WAL("a"), -1, ":1: no begin record: not a stream of chromautils, or "
	    "its head is missing (chroma-walfilter --plain reads bare records)",
	    false },
	{ BEGIN END(0) WAL("a"), -1, ":3: no begin record: not a stream of "
	    "chromautils, or its head is missing (chroma-walfilter --plain "
	    "reads bare records)", false },
	{ BEGIN "{\"id\":\"a\"}\n" END(1), -1,
	    ":2: no \"type\": not a record of a stream", false },
	{ BEGIN "\n" END(0), -1, ":2: byte 1: expected '{'", false },
	{ BEGIN "{\"type\":\"wal\",\"id\":\"\xff\"}\n" END(1), -1,
	    ":2: not UTF-8", false },
	{ BEGIN "{\"type\":\"wal\",\"id\":\"\xed\xa0\x80\"}\n" END(1), -1,
	    ":2: not UTF-8", false },
	{ BEGIN END(0) "\211CHS\r\n\032\001", -1, ":3: a binary stream behind "
	    "a JSONL one: use one form", false },
	{ "\211CHS\r\n\032", -1,
	    ": truncated: ends inside its first 8 bytes", false },
	{ "\211CHS\r\n\032\002", -1, ": binary form, version 2; this program "
	    "reads version 1", false },
	{ "\211CHS\n\032\001", -1,
	    ": its line ends were changed on the way", false },
	{ "\211PNG\r\n\032\n", -1, ":1: not UTF-8", false },
	/* plain: with or without begin and end, which are passed over */
	{ "", 0, NULL, true },
	{ WAL("a"), 1, NULL, true },
	{ "{\"id\":\"a\"}\n{\"id\":\"b\"}", 2, NULL, true },
	{ BEGIN WAL("a") END(7), 1, NULL, true },
	{ WAL("a") BEGIN BEGIN END(1) WAL("b"), 2, NULL, true },
	{ "\n", -1, ":1: byte 1: expected '{'", true },
	{ "[]\n", -1, ":1: byte 1: expected '{'", true },
};

static void
test_streams(void)
{
	struct err e;
	size_t i;

	for (i = 0; i < COUNT(streams); i++) {
		int64_t n = count_bytes(slice_str(streams[i].text),
		    streams[i].plain, &e);

		ok(n == streams[i].records && (n >= 0 ||
		    strcmp(message(&e), streams[i].message) == 0),
		    "%s: %s", shown_str(streams[i].text),
		    n < 0 ? message(&e) : "as it should");
		if (n < 0 && e.status != STATUS_DATA)
			ok(0, "  but with status %d", e.status);
	}
	ok(count(scratch_path("missing"), false, &e) == -1 &&
	    e.status == STATUS_SYSTEM, "no file");
	ok(count(scratch_dir(), false, &e) == -1 && e.status == STATUS_SYSTEM &&
	    strstr(e.msg, "is a directory"), "a directory");
}

/* ---- cut short, and damaged ---- */

/* A small stream in a form, and its bytes. */
static void
make(int form, int level, struct buf *b)
{
	static const char text[] = BEGIN WAL("a")
	    "{\"type\":\"wal\",\"embedding\":[1,2],\"document\":null}\n"
	    "{\"type\":\"odd\"}\n" END(3);
	const char *j = scratch_path("j"), *out = scratch_path("made");
	struct err e;

	scratch_write(j, BYTES(text));
	if (convert(j, out, form, level, false, &e) < 0)
		scratch_die(e.msg);
	buf_reset(b);
	scratch_read(out, b);
}

static void
test_truncation(void)
{
	static const struct {
		const char *name;
		int form, level;
	} form[] = {
		{ "JSONL", JSONL, 0 }, { "binary", BINARY, 0 },
		{ "compressed JSONL", JSONL, 3 },
		{ "compressed binary", BINARY, 3 },
	};
	struct buf b = { 0 };
	struct err e;
	size_t i, n, accepted, elsewhere;

	for (i = 0; i < COUNT(form); i++) {
		make(form[i].form, form[i].level, &b);
		ok(count_bytes(buf_slice(&b), false, &e) == 3, "%s, whole",
		    form[i].name);
		accepted = elsewhere = 0;
		for (n = 0; n < b.len; n++)
			if (count_bytes(slice_of(b.p, n), false, &e) >= 0)
				accepted++;
			else
				elsewhere += e.status != STATUS_DATA;
		/* JSONL may lack its last newline */
		ok(accepted == (i == 0) && elsewhere == 0,
		    "%s cut short: %zu of %zu lengths taken", form[i].name,
		    accepted, b.len);
	}
	buf_release(&b);
}

static void
test_flips(void)
{
	struct buf b = { 0 }, plain = { 0 };
	struct err e;
	size_t i, bit, accepted = 0;

	make(BINARY, 0, &plain);
	make(BINARY, 0, &b);
	for (i = 0; i < b.len; i++)
		for (bit = 0; bit < 8; bit++) {
			b.p[i] ^= (char)(1 << bit);
			if (count_bytes(buf_slice(&b), false, &e) >= 0) {
				printf("# bit %zu of byte %zu\n", bit, i);
				accepted++;
			}
			b.p[i] ^= (char)(1 << bit);
		}
	ok(accepted == 0, "binary, each of %zu bits flipped: %zu taken",
	    8 * b.len, accepted);
	make(BINARY, 3, &b);
	accepted = 0;
	for (i = 0; i < b.len; i++) {
		b.p[i] ^= 0x10;
		if (count_bytes(buf_slice(&b), false, &e) >= 0) {
			/* bits that zstd does not look at change nothing */
			accepted += convert(scratch_path("in"),
			    scratch_path("k"), BINARY, 0, false, &e) < 0 ||
			    !same_file(scratch_path("k"), buf_slice(&plain));
		}
		b.p[i] ^= 0x10;
	}
	ok(accepted == 0, "compressed, a bit of each byte flipped: %zu changes "
	    "taken", accepted);
	buf_release(&plain);
	buf_release(&b);
}

/* ---- frames by hand ---- */

struct maker {
	struct buf b;
	uint64_t records;
	uint32_t running;
};

static void
put_begin(struct maker *m)
{
	struct err e;
	uint32_t crc;

	buf_add(&m->b, FRAME_MAGIC, FRAME_MAGIC_LEN);
	if (frame_put_text(&m->b, FRAME_BEGIN, slice_of(BEGIN,
	    strlen(BEGIN) - 1), &crc, &e) < 0)
		scratch_die(e.msg);
	m->running = frame_running(0, crc);
	m->records = 0;
}

/* A frame with this type, flags and text. */
static void
put(struct maker *m, unsigned type, unsigned flags, const char *text)
{
	size_t at = m->b.len;
	struct err e;
	uint32_t crc;
	char *p;

	if (frame_put_text(&m->b, FRAME_TEXT, slice_str(text), &crc, &e) < 0)
		scratch_die(e.msg);
	p = m->b.p + at;
	le_put_u16(p + 4, (uint16_t)type);
	le_put_u16(p + 6, (uint16_t)flags);
	crc = crc32c(0, p, m->b.len - at - 4);
	le_put_u32(m->b.p + m->b.len - 4, crc);
	m->running = frame_running(m->running, crc);
	m->records++;
}

static void
put_end(struct maker *m)
{
	frame_put_end(&m->b, m->records, m->running);
}

static void
test_frames(void)
{
	struct maker m = { 0 };
	struct err e;
	size_t a, b, c, n;
	char *swapped;

	put_begin(&m);
	a = m.b.len;
	put(&m, FRAME_TEXT, FRAME_CRITICAL, "{\"type\":\"wal\",\"id\":\"a\"}");
	b = m.b.len;
	put(&m, FRAME_TEXT, FRAME_CRITICAL, "{\"type\":\"wal\",\"id\":\"b\"}");
	c = m.b.len;
	put_end(&m);
	ok(count_bytes(buf_slice(&m.b), false, &e) == 2, "frames by hand");

	swapped = malloc(m.b.len);
	if (!swapped)
		scratch_die("no memory");
	memcpy(swapped, m.b.p, m.b.len);
	memcpy(swapped + a, m.b.p + b, c - b);
	memcpy(swapped + a + (c - b), m.b.p + a, b - a);
	ok(count_bytes(slice_of(swapped, m.b.len), false, &e) == -1 &&
	    strstr(e.msg, ": the checksum over the stream does not match: "
	    "records are missing or changed"), "two records swapped");
	memcpy(swapped + a + (c - b), m.b.p + b, c - b);
	ok(count_bytes(slice_of(swapped, m.b.len), false, &e) == -1 &&
	    strstr(e.msg, "the checksum over the stream"),
	    "one record twice, another gone");
	memcpy(swapped + b, m.b.p + c, m.b.len - c);
	ok(count_bytes(slice_of(swapped, m.b.len - (c - b)), false, &e) == -1 &&
	    strstr(e.msg, "the checksum over the stream"), "a record gone");

	n = m.b.len;
	memcpy(swapped, m.b.p, n);
	buf_add(&m.b, swapped, n);
	free(swapped);
	ok(count_bytes(buf_slice(&m.b), false, &e) == 4, "two, by cat(1)");
	ok(count_bytes(slice_of(m.b.p, n + b), false, &e) == -1 &&
	    strcmp(message(&e), ": no end record: truncated after 1 records")
	    == 0, "  the second cut short");
	memmove(m.b.p + c, m.b.p + n, n);	/* the first loses its end */
	ok(count_bytes(slice_of(m.b.p, c + n), false, &e) == -1 &&
	    strstr(e.msg, "a begin record before the end"),
	    "  the first cut short");

	m.b.len = 0;
	put_begin(&m);
	put(&m, 99, 0, "what a later version adds");
	put(&m, FRAME_TEXT, FRAME_CRITICAL, "{\"type\":\"wal\"}");
	put_end(&m);
	ok(count_bytes(buf_slice(&m.b), false, &e) == 2,
	    "a frame of unknown type that is not critical");
	ok(convert(scratch_path("in"), scratch_path("b2"), BINARY, 0, false,
	    &e) == 0 && same_file(scratch_path("b2"), buf_slice(&m.b)),
	    "  is kept in the binary form");
	ok(convert(scratch_path("in"), scratch_path("k"), JSONL, 0, false,
	    &e) == -1 && strstr(e.msg, "a frame of type 99 cannot be written "
	    "as JSONL"), "  and has no other");

	m.b.len = 0;
	put_begin(&m);
	put(&m, 99, FRAME_CRITICAL, "x");
	put_end(&m);
	ok(count_bytes(buf_slice(&m.b), false, &e) == -1 && strstr(e.msg,
	    ": frames of type 99: newer than this program"),
	    "a critical one is refused");

	m.b.len = 0;
	put_begin(&m);
	put(&m, FRAME_TEXT, FRAME_CRITICAL, "{\"type\":\"wal\"}");
	m.records++;
	put_end(&m);
	ok(count_bytes(buf_slice(&m.b), false, &e) == -1 && strstr(e.msg,
	    "the end record counts 2 records, but 1 came"), "a wrong count");

	m.b.len = 0;
	put_begin(&m);
	put(&m, FRAME_TEXT, FRAME_CRITICAL, "no JSON");
	put_end(&m);
	ok(count_bytes(buf_slice(&m.b), false, &e) == -1 &&
	    strcmp(message(&e), ":+68: byte 1: expected '{'") == 0,
	    "a line that is none, and where");
	ok(count_bytes(BYTES(FRAME_MAGIC), false, &e) == -1 && strstr(e.msg,
	    "empty"), "only the magic");
	ok(count_bytes(BYTES(FRAME_MAGIC), true, &e) == 0,
	    "  which is an empty plain stream");
	buf_release(&m.b);
}

/* stream_record() of a frame that no version of ours knows. */
static void
test_unknown_record(void)
{
	struct maker m = { 0 };
	struct record_memory mem = { 0 };
	struct stream_in si;
	struct record r;
	struct item item;
	struct err e;

	put_begin(&m);
	put(&m, 99, 0, "x");
	put_end(&m);
	scratch_write(scratch_path("in"), buf_slice(&m.b));
	ok(stream_in_open(&si, scratch_path("in"), false, &e) == 0 &&
	    stream_next(&si, &item, &e) == 1 &&
	    stream_next(&si, &item, &e) == 1 && item.type == RECORD_OTHER &&
	    stream_record(&si, &item, FIELD_ALL, &r, &mem, &e) == 0 &&
	    r.type == RECORD_OTHER && r.has == 0,
	    "a frame of unknown type is a record without fields");
	stream_in_close(&si);
	record_memory_release(&mem);
	buf_release(&m.b);
}

/* Where a fault in a record is said to be. */
static void
test_place(void)
{
	struct record_memory mem = { 0 };
	struct stream_in si;
	struct record r;
	struct item item;
	struct err e = { 0 };

	scratch_write(scratch_path("in"), slice_str(BEGIN
	    "{\"type\":\"wal\",\"seq_id\":1.5}\n" END(1)));
	ok(stream_in_open(&si, scratch_path("in"), false, &e) == 0 &&
	    stream_next(&si, &item, &e) == 1 &&
	    stream_next(&si, &item, &e) == 1 &&
	    stream_record(&si, &item, FIELD_ALL, &r, &mem, &e) == -1 &&
	    strcmp(message(&e), ":2: seq_id: not a 64-bit integer") == 0,
	    "a wrong field: %s", message(&e));
	ok(stream_record(&si, &item, 0, &r, &mem, &e) == 0 &&
	    r.type == RECORD_WAL, "  which nobody wanted");
	stream_in_close(&si);
	record_memory_release(&mem);
}

/* ---- zstd ---- */

static void
compress(struct slice text, int window, struct buf *to)
{
	ZSTD_CCtx *z = ZSTD_createCCtx();
	ZSTD_inBuffer in = { text.p, text.len, 0 };
	ZSTD_outBuffer out;

	if (!z || !buf_room(to, 65536))
		scratch_die("no memory");
	out = (ZSTD_outBuffer){ to->p + to->len, 65536, 0 };
	ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, window);
	/* in two steps, so that the size is not known at the start */
	if (ZSTD_compressStream2(z, &out, &in, ZSTD_e_flush) != 0 ||
	    ZSTD_compressStream2(z, &out, &in, ZSTD_e_end) != 0)
		scratch_die("zstd");
	to->len += out.pos;
	ZSTD_freeCCtx(z);
}

static void
test_zstd(void)
{
	struct slice half[2] = { BYTES(BEGIN WAL("a")), BYTES(END(1)) };
	struct buf b = { 0 };
	struct err e;
	size_t first;

	compress(half[0], 20, &b);
	first = b.len;
	compress(half[1], 20, &b);
	ok(count_bytes(buf_slice(&b), false, &e) == 1,
	    "one stream in two zstd frames");
	ok(count_bytes(slice_of(b.p, first), false, &e) == -1 && strstr(e.msg,
	    "no end record"), "  the second one gone");
	buf_add(&b, "\x50\x2a\x4d\x18\x03\0\0\0xyz", 11);
	ok(count_bytes(buf_slice(&b), false, &e) == 1,
	    "  with a skippable frame behind");
	buf_adds(&b, "garbage");
	ok(count_bytes(buf_slice(&b), false, &e) == -1 && strstr(e.msg,
	    "bytes after the zstd stream that are none"),
	    "  and garbage: %s", message(&e));
	b.len -= 5;
	ok(count_bytes(buf_slice(&b), false, &e) == -1, "  of two bytes");
	b.len = 0;
	compress(BYTES(""), 20, &b);
	ok(count_bytes(buf_slice(&b), false, &e) == -1 && strstr(e.msg,
	    "empty: not even a begin"), "nothing, compressed");
	b.len = 0;
	compress(BYTES(BEGIN WAL("a") END(1)), ZIO_WINDOW_LOG_MAX, &b);
	ok(count_bytes(buf_slice(&b), false, &e) == 1, "the largest window");
	b.len = 0;
	compress(BYTES(BEGIN WAL("a") END(1)), ZIO_WINDOW_LOG_MAX + 1, &b);
	ok(count_bytes(buf_slice(&b), false, &e) == -1 && strstr(e.msg,
	    ": compressed with a window above 16 MiB; decompress it with zstd "
	    "-dc --long=31"), "one larger");
	buf_release(&b);
}

/* ---- the begin record ---- */

static const struct {
	const char *text;
	const char *message;	/* NULL: taken */
	const char *stream, *source;
	bool partial, redacted, none;
} begins[] = {
	{ "{\"type\":\"begin\",\"version\":1}", NULL, NULL, NULL, 0, 0, 0 },
	{ "{\"type\":\"begin\",\"stream\":\"wal\",\"version\":1,"
	    "\"source\":{\"a\":1}}", NULL, "wal", "{\"a\":1}", 0, 0, 0 },
	{ "{\"type\":\"begin\",\"version\":0,\"partial\":true,\"x\":1}", NULL,
	    NULL, NULL, 1, 0, 0 },
	{ "{\"type\":\"begin\",\"version\":1,\"partial\":false,\"redacted\":"
	    "[\"document\"],\"embedding\":\"none\"}", NULL, NULL, NULL,
	    0, 1, 1 },
	{ "{\"version\":1,\"embedding\":\"array\",\"type\":\"begin\"}", NULL,
	    NULL, NULL, 0, 0, 0 },
	{ "{\"type\":\"begin\",\"version\":2}",
	    "records of version 2; this program reads version 1",
	    NULL, NULL, 0, 0, 0 },
	{ "{\"type\":\"begin\"}", "a begin record without a version",
	    NULL, NULL, 0, 0, 0 },
	{ "{\"type\":\"begin\",\"version\":\"1\"}",
	    "a begin record without a version", NULL, NULL, 0, 0, 0 },
	{ "{\"type\":\"end\",\"version\":1}",
	    "a begin record without a version", NULL, NULL, 0, 0, 0 },
	{ "{\"type\":\"begin\",\"version\":1,\"version\":1}",
	    "\"version\" stands twice", NULL, NULL, 0, 0, 0 },
};

static bool
is(struct slice s, const char *want)
{
	return want ? slice_is(s, want) : !s.p;
}

static void
test_begins(void)
{
	struct begin b;
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < COUNT(begins); i++) {
		int r = stream_begin_parse(slice_str(begins[i].text), &b, &e);

		ok(begins[i].message ? r == -1 && strcmp(e.msg,
		    begins[i].message) == 0 : r == 0 &&
		    is(b.stream, begins[i].stream) &&
		    is(b.source, begins[i].source) &&
		    is(b.text, begins[i].text) &&
		    b.partial == begins[i].partial &&
		    b.redacted == begins[i].redacted &&
		    b.no_embeddings == begins[i].none,
		    "%s", shown_str(begins[i].text));
	}
}

int
main(void)
{
	test_lines();
	test_forms();
	test_sizes();
	test_streams();
	test_truncation();
	test_flips();
	test_frames();
	test_unknown_record();
	test_place();
	test_zstd();
	test_begins();
	return tap_done();
}
