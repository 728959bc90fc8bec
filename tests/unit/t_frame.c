/* SPDX-License-Identifier: Apache-2.0 */
/* t_frame - records in the binary form: the bytes, and what is refused. */
#include "stream/frame.h"

#include "base/crc32c.h"
#include "base/le.h"

#include "../scratch.h"
#include "../tap.h"

/* Where things lie in the payload of a record. */
enum {
	HAS = 0, OPERATION = 4, FORM = 5, LEVEL = 6, SEQ_ID = 8, LABEL = 16,
	DIM = 24, LENGTHS = 28, FIXED = 68,
};

/* ---- the bytes ---- */

static void
test_bytes(void)
{
	static const uint8_t floats[] = { 0, 0, 0x80, 0x3f, 0, 0, 0xc0, 0x7f };
	static const char wal[] =
	    "\x54\0\0\0" "\x10\0" "\1\0"	/* 84 bytes, WAL, critical */
	    "\x52\x69\4\0"			/* has, URI null */
	    "\3" "\1" "\0\0"			/* DELETE, base64, level */
	    "\xfe\xff\xff\xff\xff\xff\xff\xff"	/* seq_id -2 */
	    "\0\0\0\0\0\0\0\0"			/* label */
	    "\2\0\0\0"				/* dim */
	    "\0\0\0\0" "\2\0\0\0" "\0\0\0\0" "\0\0\0\0"
	    "\0\0\0\0" "\1\0\0\0" "\0\0\0\0" "\0\0\0\0"
	    "\2\0\0\0" "\0\0\0\0"
	    "\0\0\x80\x3f\0\0\xc0\x7f" "db" "i" "{}"
	    "\0\0\0";				/* padding to 4 */
	struct record r = { .type = RECORD_WAL, .has = FIELD_DATABASE |
	    FIELD_SEQ_ID | FIELD_OPERATION | FIELD_ID | FIELD_EMBEDDING |
	    FIELD_METADATA | FIELD_URI, .database = BYTES("db"), .seq_id = -2,
	    .operation = OPERATION_DELETE, .id = BYTES("i"),
	    .embedding = floats, .dim = 2, .form = EMBEDDING_BASE64,
	    .metadata = BYTES("{}"), .level = 7, .label = 7,
	    .tenant = BYTES("not in has") };
	struct buf b = { 0 };
	struct slice body;
	struct err e;
	uint32_t crc;

	ok(frame_put_record(&b, &r, &crc, &e) == 0, "a WAL record");
	body = slice_of(b.p, b.len < 4 ? 0 : b.len - 4);
	/* 8 + 8 + 2 + 1 + 2 = 81 bytes, padded to 84 */
	ok(b.len == 8 + 84 + 4 && le_u32(b.p) == 84,
	    "  its length: %zu", b.len);
	ok(b.len == sizeof(wal) - 1 + 4 && memcmp(b.p, wal, sizeof(wal) - 1)
	    == 0,
	    "  and its bytes");
	ok(crc == crc32c(0, body.p, body.len) && le_u32(b.p + body.len) == crc,
	    "  and its checksum");
	b.len = 0;
	ok(frame_put_text(&b, FRAME_BEGIN, BYTES("{}"), &crc, &e) == 0 &&
	    b.len == 8 + 8 + 4 &&
	    memcmp(b.p, "\x08\0\0\0\1\0\1\0\2\0\0\0{}\0\0", 16) == 0 &&
	    le_u32(b.p + 16) == crc && crc == crc32c(0, b.p, 16),
	    "a line");
	b.len = 0;
	frame_put_end(&b, 0x0102030405060708, 0x0a0b0c0d);
	ok(b.len == 24 && memcmp(b.p, "\x0c\0\0\0\2\0\1\0\x08\7\6\5\4\3\2\1"
	    "\x0d\x0c\x0b\x0a", 20) == 0 && le_u32(b.p + 20) ==
	    crc32c(0, b.p, 20), "an end");
	ok(frame_running(0, 0x04030201) == crc32c(0, "\1\2\3\4", 4) &&
	    frame_running(7, 0x04030201) == crc32c(7, "\1\2\3\4", 4),
	    "the running checksum");
	buf_release(&b);
}

/* ---- there and back ---- */

static bool
same_slice(struct slice a, struct slice b)
{
	return a.p && b.p ? slice_eq(a, b) : a.p == b.p;
}

static bool
same(const struct record *a, const struct record *b)
{
	return a->type == b->type && a->has == b->has &&
	    same_slice(a->tenant, b->tenant) &&
	    same_slice(a->database, b->database) &&
	    same_slice(a->collection, b->collection) &&
	    same_slice(a->collection_id, b->collection_id) &&
	    a->seq_id == b->seq_id &&
	    same_slice(a->created_at, b->created_at) &&
	    a->operation == b->operation && a->label == b->label &&
	    same_slice(a->id, b->id) && a->level == b->level &&
	    a->deleted == b->deleted && a->dim == b->dim &&
	    (a->dim == 0 || memcmp(a->embedding, b->embedding,
	    4 * a->dim) == 0) && a->form == b->form &&
	    same_slice(a->document, b->document) &&
	    same_slice(a->uri, b->uri) &&
	    same_slice(a->metadata, b->metadata) &&
	    same_slice(a->raw, b->raw) && same_slice(a->links, b->links) &&
	    memcmp(&a->length, &b->length, sizeof(a->length)) == 0;
}

/* The one frame in b, taken apart. */
static int
parse(const struct buf *b, struct record *r, struct err *e)
{
	struct frame f;
	int64_t size = frame_size(b->p, e);

	if (size < 0 || (size_t)size != b->len)
		return -1;
	if (frame_parse(b->p, b->len, &f, e) < 0)
		return -1;
	return frame_to_record(&f, r, e);
}

static void
test_fields(void)
{
	static const char *const field[] = { "tenant", "database",
	    "collection", "collection_id", "seq_id", "created_at", "operation",
	    "label", "id", "level", "deleted", "embedding", "document", "uri",
	    "metadata", "raw" };
	static const uint8_t floats[] = "\0\0\x80\x7f\1\2\3\4";
	struct record full = { .tenant = BYTES("t"), .database = BYTES("dd"),
	    .collection = BYTES("ccc"), .collection_id = BYTES("iiii"),
	    .seq_id = INT64_MIN, .created_at = BYTES("aaaaa"),
	    .operation = OPERATION_UPSERT, .label = UINT64_MAX,
	    .id = BYTES("\0\xed\xa0\x80"), .level = UINT16_MAX,
	    .deleted = true, .embedding = floats, .dim = 2,
	    .form = EMBEDDING_BASE64, .document = BYTES("doc"),
	    .uri = BYTES(""), .metadata = BYTES("{\"a\":1}"),
	    .raw = BYTES("{}"), .links = BYTES("\0\0\0\0"),
	    .length = 0.75f };
	struct buf b = { 0 };
	struct record r, want;
	struct err e = { 0 };
	uint32_t crc;
	unsigned bit;
	int type;

	for (bit = 0; bit < COUNT(field); bit++) {
		want = full;
		want.type = RECORD_WAL;
		want.has = 1u << bit;
		b.len = 0;
		ok(frame_put_record(&b, &want, &crc, &e) == 0 &&
		    parse(&b, &r, &e) == 0 && r.has == want.has,
		    "%s alone", field[bit]);
		r.has = want.has = 0;
		b.len = 0;
		ok(frame_put_record(&b, &want, &crc, &e) == 0 && b.len == 80,
		    "  and absent");
	}
	for (type = RECORD_WAL; type <= RECORD_PLAIN; type++) {
		want = full;
		want.type = (enum record_type)type;
		want.has = FIELD_ALL;
		b.len = 0;
		ok(frame_put_record(&b, &want, &crc, &e) == 0 &&
		    parse(&b, &r, &e) == 0 && same(&r, &want),
		    "all fields of a record of type %d", type);
		want.document.p = want.uri.p = NULL;
		want.document.len = want.uri.len = 0;
		want.deleted = false;
		want.form = EMBEDDING_ARRAY;
		want.dim = 0;
		want.metadata = BYTES("null");
		b.len = 0;
		ok(frame_put_record(&b, &want, &crc, &e) == 0 &&
		    parse(&b, &r, &e) == 0 && same(&r, &want),
		    "  null, false and empty");
	}
	b.len = 0;
	want = full;
	want.type = RECORD_PLAIN;
	want.has = FIELD_ALL & ~(unsigned)FIELD_OPERATION;
	ok(frame_put_record(&b, &want, &crc, &e) == 0 &&
	    parse(&b, &r, &e) == 0 && r.operation == OPERATION_NONE,
	    "no operation");
	ok(r.exact, "a binary record is exact");
	want.links.len = UINT32_MAX / 2;
	ok(frame_put_record(&b, &want, &crc, &e) == -1,
	    "too many links");
	want.dim = UINT32_MAX;
	ok(frame_put_record(&b, &want, &crc, &e) == -1 && crc == 0 &&
	    strcmp(e.msg, "a record of more than 1 GiB") == 0, "too large");
	buf_release(&b);
}

/* Links: their bytes, and counts that do not fit them. */
static void
test_links(void)
{
	static const char levels[] = "\2\0\0\0" "\1\0\0\0\0\0\0\0"
	    "\xff\xff\xff\xff\xff\xff\xff\xff" "\0\0\0\0" "\1\0\0\0"
	    "\3\0\0\0\0\0\0\0";
	enum { N = sizeof(levels) - 1, AT = FIXED + 4 + 4 };
	static const struct {
		size_t at;
		uint32_t to;
	} bad[] = {
		{ 0, 1 }, { 0, 3 }, { 0, UINT32_MAX }, { 0, 0x20000001 },
		{ N - 12, 0 }, { N - 12, 2 },
	};
	static const uint8_t floats[] = "\0\0\x80\x3f";
	struct record r, want = { .type = RECORD_VECTOR, .embedding = floats,
	    .dim = 1, .has = FIELD_LINKS | FIELD_EMBEDDING | FIELD_ID,
	    .operation = OPERATION_NONE, .id = BYTES("a"),
	    .links = slice_of(levels, N) };
	struct buf b = { 0 }, line = { 0 };
	struct err e = { 0 };
	uint32_t crc;
	size_t i;

	ok(frame_put_record(&b, &want, &crc, &e) == 0 && parse(&b, &r, &e) ==
	    0 && same(&r, &want), "links there and back");
	ok(le_u32(b.p + 8 + FIXED + 4) == N && memcmp(b.p + 8 + AT, levels, N)
	    == 0 && b.p[8 + AT + N] == 'a', "  behind the embedding");
	record_to_json(&r, &line);
	ok(slice_is(buf_slice(&line), "{\"type\":\"vector\",\"id\":\"a\","
	    "\"links\":[[1,18446744073709551615],[],[3]],"
	    "\"embedding\":[1]}"), "  as a line");
	for (i = 0; i < COUNT(bad); i++) {
		char *p = b.p + 8 + AT + bad[i].at;
		uint32_t was = le_u32(p);

		le_put_u32(p, bad[i].to);
		le_put_u32(b.p + b.len - 4, crc32c(0, b.p, b.len - 4));
		e.msg[0] = '\0';
		ok(parse(&b, &r, &e) == -1 && strcmp(e.msg, "links that do not "
		    "fit their length: corrupt") == 0, "a count of %u: %s",
		    (unsigned)bad[i].to, e.msg);
		le_put_u32(p, was);
	}
	le_put_u32(b.p + 8 + FIXED + 4, 1000);
	le_put_u32(b.p + b.len - 4, crc32c(0, b.p, b.len - 4));
	ok(parse(&b, &r, &e) == -1 && strcmp(e.msg, "lengths that do not fit "
	    "the frame: corrupt") == 0, "links behind the end");
	buf_release(&b);
	buf_release(&line);
}

/* A length: its place, before the links, and what is none. */
static void
test_length(void)
{
	static const uint32_t bad[] = { 0x80000000, 0xbf800000, 0x7f800000,
	    0x7fc00000, UINT32_MAX };
	static const uint8_t floats[] = "\0\0\x80\x3f";
	struct record r, want = { .type = RECORD_VECTOR, .embedding = floats,
	    .dim = 1, .has = FIELD_LENGTH | FIELD_LINKS | FIELD_EMBEDDING |
	    FIELD_ID, .operation = OPERATION_NONE, .id = BYTES("abcd"),
	    .length = 1.5f, .links = BYTES("\0\0\0\0") };
	struct buf b = { 0 }, line = { 0 };
	struct err e = { 0 };
	uint32_t crc;
	char *p;
	size_t i;

	ok(frame_put_record(&b, &want, &crc, &e) == 0 && parse(&b, &r, &e) ==
	    0 && same(&r, &want), "a length there and back");
	p = b.p + 8 + FIXED + 4;
	ok(b.len == 8 + FIXED + 4 + 4 + 8 + 4 + 4 && le_u32(p) == 0x3fc00000 &&
	    le_u32(p + 4) == 4 && le_u32(b.p + 8) == 0x180900,
	    "  behind the embedding, before the links");
	record_to_json(&r, &line);
	ok(slice_is(buf_slice(&line), "{\"type\":\"vector\",\"id\":\"abcd\","
	    "\"length\":1.5,\"links\":[[]],\"embedding\":[1]}"),
	    "  as a line: %s", buf_str(&line));
	for (i = 0; i < COUNT(bad); i++) {
		le_put_u32(p, bad[i]);
		le_put_u32(b.p + b.len - 4, crc32c(0, b.p, b.len - 4));
		e.msg[0] = '\0';
		ok(parse(&b, &r, &e) == -1 && strcmp(e.msg, "a length that is "
		    "none: corrupt") == 0, "a length of 0x%x: %s",
		    (unsigned)bad[i], e.msg);
	}
	buf_release(&b);
	buf_release(&line);
}

/* ---- what is refused ---- */

/* Where the strings of the good record below lie. */
enum {
	ID_AT = FIXED + 4, DOCUMENT_AT = ID_AT + 3,
	METADATA_AT = DOCUMENT_AT + 6, RAW_AT = METADATA_AT + 8,
};

/* A change to its payload, and what is said of it. */
static const struct {
	const char *name;
	size_t at;
	unsigned size;		/* bytes changed, little-endian */
	uint64_t to;
	const char *message;	/* NULL: taken */
} changes[] = {
	{ "nothing", HAS, 0, 0, NULL },
	{ "no fields", HAS, 4, 0, "a string for an absent field: corrupt" },
	{ "field 16, deleted", HAS + 2, 1, 1, NULL },
	{ "field 17, document null", HAS + 2, 1, 2,
	    "a string for an absent field: corrupt" },
	{ "field 18, URI null", HAS + 2, 1, 4, NULL },
	{ "field 19, links", HAS + 2, 1, 8,
	    "lengths that do not fit the frame: corrupt" },
	{ "field 20, length", HAS + 2, 1, 16,
	    "lengths that do not fit the frame: corrupt" },
	{ "field 21", HAS + 2, 1, 32,
	    "a field that this program does not know: newer" },
	{ "field 31", HAS + 3, 1, 0x80,
	    "a field that this program does not know: newer" },
	{ "operation 3", OPERATION, 1, 3, NULL },
	{ "operation 4", OPERATION, 1, 4, "operation 4: newer" },
	{ "form 1", FORM, 1, 1, NULL },
	{ "form 2", FORM, 1, 2,
	    "a field that this program does not know: newer" },
	{ "a smaller dim", DIM, 4, 0,
	    "lengths that do not fit the frame: corrupt" },
	{ "a greater dim", DIM, 4, 2,
	    "lengths that do not fit the frame: corrupt" },
	{ "a huge dim", DIM, 4, UINT32_MAX,
	    "lengths that do not fit the frame: corrupt" },
	{ "a longer id", LENGTHS + 4 * 5, 4, 1000,
	    "lengths that do not fit the frame: corrupt" },
	{ "a huge id", LENGTHS + 4 * 5, 4, UINT32_MAX,
	    "lengths that do not fit the frame: corrupt" },
	{ "a tenant that has not", LENGTHS, 4, 1,
	    "a string for an absent field: corrupt" },
	{ "an id not UTF-8", ID_AT, 1, 0xff,
	    "a string that is not UTF-8" },
	{ "an id with a surrogate", ID_AT, 3, 0x80a0ed, NULL },
	{ "a document with half a pair", DOCUMENT_AT, 3, 0x80b0ed, NULL },
	{ "a pair in two halves", DOCUMENT_AT, 6, 0x80b0ed80a0ed,
	    "a string that is not UTF-8" },
	{ "metadata cut short", METADATA_AT + 7, 1, ' ',
	    "byte 9: expected ',' or '}'" },
	{ "metadata no object", METADATA_AT, 1, '[',
	    "byte 1: expected '{'" },
	{ "a newline in metadata", METADATA_AT + 6, 1, '\n',
	    "a line break in JSON text" },
	{ "a surrogate in metadata", METADATA_AT + 1, 3, 0x80a0ed,
	    "JSON text that is not UTF-8" },
	{ "a newline in raw", RAW_AT + 1, 1, '\n',
	    "a line break in JSON text" },
	{ "raw no object", RAW_AT, 4, 0x6c6c756e,
	    "byte 1: expected '{'" },
};

static void
test_changes(void)
{
	static const uint8_t floats[4];
	struct record good = { .type = RECORD_WAL, .has = FIELD_OPERATION |
	    FIELD_EMBEDDING | FIELD_ID | FIELD_DOCUMENT | FIELD_METADATA |
	    FIELD_RAW, .operation = OPERATION_ADD, .embedding = floats,
	    .dim = 1, .id = BYTES("abc"), .document = BYTES("docdoc"),
	    .metadata = BYTES("{\"ab\":1}"), .raw = BYTES("{  }") }, r;
	struct buf b = { 0 };
	struct err e = { 0 };
	uint32_t crc;
	size_t i;
	unsigned k;

	for (i = 0; i < COUNT(changes); i++) {
		char *p;
		int got;

		b.len = 0;
		if (frame_put_record(&b, &good, &crc, &e) < 0)
			scratch_die(e.msg);
		p = b.p + FRAME_HEAD;
		for (k = 0; k < changes[i].size; k++)
			p[changes[i].at + k] = (char)(changes[i].to >> (8 * k));
		le_put_u32(b.p + b.len - 4, crc32c(0, b.p, b.len - 4));
		got = parse(&b, &r, &e);
		ok(changes[i].message ? got == -1 &&
		    strcmp(e.msg, changes[i].message) == 0 &&
		    e.status == STATUS_DATA : got == 0, "%s: %s",
		    changes[i].name, got ? e.msg : "taken");
	}
	buf_release(&b);
}

static const struct {
	const char *name;
	struct slice payload;
	const char *text, *message;
} texts[] = {
	{ "a text", SLICE("\3\0\0\0abc\0"), "abc", NULL },
	{ "an empty one", SLICE("\0\0\0\0"), "", NULL },
	{ "no room for a length", SLICE(""), NULL,
	    "a text of 4294967295 bytes in a frame of 0: corrupt" },
	{ "longer than the frame", SLICE("\5\0\0\0abcd"), NULL,
	    "a text of 5 bytes in a frame of 8: corrupt" },
	{ "much longer", SLICE("\xff\xff\xff\xff" "abcd"), NULL,
	    "a text of 4294967295 bytes in a frame of 8: corrupt" },
	{ "four bytes of padding", SLICE("\0\0\0\0\0\0\0\0"), NULL,
	    "a text of 0 bytes in a frame of 8: corrupt" },
	{ "a newline", SLICE("\3\0\0\0a\nc\0"), NULL,
	    "a text that is not one line of UTF-8" },
	{ "not UTF-8", SLICE("\3\0\0\0a\xff\x63\0"), NULL,
	    "a text that is not one line of UTF-8" },
	{ "a surrogate", SLICE("\3\0\0\0\xed\xa0\x80\0"), NULL,
	    "a text that is not one line of UTF-8" },
};

static void
test_texts(void)
{
	struct slice text;
	struct err e;
	size_t i;

	for (i = 0; i < COUNT(texts); i++) {
		struct frame f = { .type = FRAME_TEXT,
		    .payload = texts[i].payload };
		int r = frame_text(&f, &text, &e);

		ok(texts[i].text ? r == 0 && slice_is(text, texts[i].text) :
		    r == -1 && strcmp(e.msg, texts[i].message) == 0,
		    "%s", texts[i].name);
	}
}

static const struct {
	const char *name;
	struct slice bytes;
	int r;
	const char *message;
} magics[] = {
	{ "nothing", SLICE(""), 0, NULL },
	{ "JSON", SLICE("{\"type\":"), 0, NULL },
	{ "our magic", SLICE("\211CHS\r\n\032\1"), 1, NULL },
	{ "with more behind", SLICE("\211CHS\r\n\032\1abc"), 1, NULL },
	{ "the next version", SLICE("\211CHS\r\n\032\2"), -1,
	    "binary form, version 2; this program reads version 1" },
	{ "version 255", SLICE("\211CHS\r\n\032\377"), -1,
	    "binary form, version 255; this program reads version 1" },
	{ "no version", SLICE("\211CHS\r\n\032"), -1,
	    "truncated: ends inside its first 8 bytes" },
	{ "one byte", SLICE("\211"), -1,
	    "truncated: ends inside its first 8 bytes" },
	{ "without CR", SLICE("\211CHS\n\032\1\0"), -1,
	    "its line ends were changed on the way" },
	{ "CR doubled", SLICE("\211CHS\r\r\n\032"), -1,
	    "its line ends were changed on the way" },
	{ "PNG", SLICE("\211PNG\r\n\032\n"), 0, NULL },
};

static void
test_heads(void)
{
	static const struct {
		uint32_t len;
		int64_t size;
	} sizes[] = {
		{ 0, 12 }, { 4, 16 }, { 84, 96 },
		{ FRAME_PAYLOAD_MAX, (int64_t)FRAME_PAYLOAD_MAX + 12 },
		{ FRAME_PAYLOAD_MAX + 4, -1 }, { UINT32_MAX - 3, -1 },
		{ 1, -1 }, { 2, -1 }, { 3, -1 }, { 5, -1 },
	};
	struct buf b = { 0 };
	struct frame f;
	struct err e;
	uint64_t records;
	uint32_t crc, running;
	char head[8];
	size_t i;

	for (i = 0; i < COUNT(magics); i++) {
		int r = frame_magic(magics[i].bytes.p, magics[i].bytes.len, &e);

		ok(r == magics[i].r && (r >= 0 ||
		    strcmp(e.msg, magics[i].message) == 0), "magic: %s",
		    magics[i].name);
	}
	for (i = 0; i < COUNT(sizes); i++) {
		le_put_u32(head, sizes[i].len);
		ok(frame_size(head, &e) == sizes[i].size,
		    "a frame of %u bytes", sizes[i].len);
	}
	if (frame_put_text(&b, FRAME_TEXT, BYTES("{}"), &crc, &e) < 0)
		scratch_die(e.msg);
	ok(frame_parse(b.p, b.len, &f, &e) == 0 && f.type == FRAME_TEXT &&
	    f.flags == FRAME_CRITICAL && f.crc == crc && f.payload.len == 8 &&
	    f.bytes.p == b.p && f.bytes.len == b.len, "a good frame");
	b.p[13] ^= 1;
	ok(frame_parse(b.p, b.len, &f, &e) == -1 &&
	    strcmp(e.msg, "checksum does not match: corrupt") == 0,
	    "a bad one");
	b.p[13] ^= 1;
	le_put_u16(b.p + 6, 3);
	le_put_u32(b.p + b.len - 4, crc32c(0, b.p, b.len - 4));
	ok(frame_parse(b.p, b.len, &f, &e) == -1 &&
	    strcmp(e.msg, "flags 0x3: newer than this program") == 0,
	    "unknown flags");
	b.len = 0;
	frame_put_end(&b, 5, 6);
	ok(frame_parse(b.p, b.len, &f, &e) == 0 &&
	    frame_end(&f, &records, &running, &e) == 0 && records == 5 &&
	    running == 6, "an end");
	f.payload.len = 16;
	ok(frame_end(&f, &records, &running, &e) == -1 &&
	    strcmp(e.msg, "an end of 16 bytes: newer or corrupt") == 0,
	    "a longer end");
	buf_release(&b);
}

int
main(void)
{
	test_bytes();
	test_fields();
	test_links();
	test_length();
	test_changes();
	test_texts();
	test_heads();
	return tap_done();
}
