/* SPDX-License-Identifier: Apache-2.0 */
/* frame.c - records in the binary form. */
#include "stream/frame.h"

#include <string.h>

#include "base/crc32c.h"
#include "base/f32.h"
#include "base/le.h"
#include "base/rd.h"
#include "base/utf8.h"
#include "stream/json.h"

/* Fixed part of a record's payload; the lengths of the strings follow at
 * LENGTHS, in the order of string_fields. */
enum {
	AT_HAS = 0,		/* u32 FIELD_ bits, and those below */
	AT_OPERATION = 4,	/* u8 */
	AT_FORM = 5,		/* u8 enum embedding_form */
	AT_LEVEL = 6,		/* u16 */
	AT_SEQ_ID = 8,		/* i64 */
	AT_LABEL = 16,		/* u64 */
	AT_DIM = 24,		/* u32 */
	AT_LENGTHS = 28,	/* u32 each */
	STRINGS = 10,
	FIXED = AT_LENGTHS + 4 * STRINGS,
};
_Static_assert(FIXED == 68 && FIXED % 4 == 0, "floats are 4-aligned");

#define HAS_DELETED_TRUE (1u << 16)
#define HAS_DOCUMENT_NULL (1u << 17)
#define HAS_URI_NULL (1u << 18)
#define HAS_FLAGS (HAS_DELETED_TRUE | HAS_DOCUMENT_NULL | HAS_URI_NULL)
#define HAS_ALL (FIELD_ALL | HAS_FLAGS)
_Static_assert((FIELD_ALL & HAS_FLAGS) == 0, "the flags are no fields");

static const unsigned string_fields[STRINGS] = {
	FIELD_TENANT, FIELD_DATABASE, FIELD_COLLECTION, FIELD_COLLECTION_ID,
	FIELD_CREATED_AT, FIELD_ID, FIELD_DOCUMENT, FIELD_URI, FIELD_METADATA,
	FIELD_RAW,
};

/* Pointers to the strings of a record, in that order. */
static void
strings_of(struct record *r, struct slice *s[STRINGS])
{
	s[0] = &r->tenant;
	s[1] = &r->database;
	s[2] = &r->collection;
	s[3] = &r->collection_id;
	s[4] = &r->created_at;
	s[5] = &r->id;
	s[6] = &r->document;
	s[7] = &r->uri;
	s[8] = &r->metadata;
	s[9] = &r->raw;
}

int
frame_magic(const char *p, size_t n, struct err *e)
{
	size_t same = n < FRAME_MAGIC_LEN - 1 ? n : FRAME_MAGIC_LEN - 1;

	if (n == 0 || *p != FRAME_MAGIC[0])
		return 0;
	if (memcmp(p, FRAME_MAGIC, same) != 0)
		return n > 4 && memcmp(p, FRAME_MAGIC, 4) == 0 ?
		    err_data(e, "its line ends were changed on the way") : 0;
	if (n < FRAME_MAGIC_LEN)
		return err_data(e, "truncated: ends inside its first 8 bytes");
	if (p[7] != FRAME_MAGIC[7])
		return err_data(e, "binary form, version %d; this program "
		    "reads version %d", (unsigned char)p[7], FRAME_MAGIC[7]);
	return 1;
}

int64_t
frame_size(const char *p, struct err *e)
{
	uint32_t len = le_u32(p);

	if (len > FRAME_PAYLOAD_MAX || len % 4)
		return err_data(e, "a frame of %u bytes: corrupt", len);
	return (int64_t)len + FRAME_HEAD + FRAME_TAIL;
}

int
frame_parse(const char *p, size_t n, struct frame *f, struct err *e)
{
	size_t len = n - FRAME_HEAD - FRAME_TAIL;

	f->type = le_u16(p + 4);
	f->flags = le_u16(p + 6);
	f->payload = slice_of(p + FRAME_HEAD, len);
	f->bytes = slice_of(p, n);
	f->crc = le_u32(p + FRAME_HEAD + len);
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
	if (crc32c(0, p, FRAME_HEAD + len) != f->crc)
		return err_data(e, "checksum does not match: corrupt");
#endif
	if (f->flags & ~FRAME_CRITICAL)
		return err_data(e, "flags 0x%x: newer than this program",
		    f->flags);
	return 0;
}

static int
too_new(struct err *e)
{
	return err_data(e, "a field that this program does not know: newer");
}

int
frame_text(const struct frame *f, struct slice *text, struct err *e)
{
	uint32_t len = f->payload.len < 4 ? UINT32_MAX : le_u32(f->payload.p);

	if (len > f->payload.len - 4 || f->payload.len - 4 - len > 3)
		return err_data(e, "a text of %u bytes in a frame of %zu: "
		    "corrupt", len, f->payload.len);
	*text = slice_of(f->payload.p + 4, len);
	if (memchr(text->p, '\n', len) || !utf8_valid(text->p, len))
		return err_data(e, "a text that is not one line of UTF-8");
	return 0;
}

/* Whether metadata or raw can stand in a line as it is: an object, or null
 * where that is allowed.  A lone surrogate has no place there: in JSON text it
 * is an escape. */
static int
check_json(struct slice text, bool null, struct err *e)
{
	struct json_iter it;
	struct slice key, val;
	int r;

	if (!text.p || (null && slice_is(text, "null")))
		return 0;
	if (!utf8_valid(text.p, text.len))
		return err_data(e, "JSON text that is not UTF-8");
	if (memchr(text.p, '\n', text.len))
		return err_data(e, "a line break in JSON text");
	if (json_object(&it, text, e) < 0)
		return -1;
	while ((r = json_next(&it, &key, &val)) > 0)
		;
	return r;
}

/* The length of a record, if it has one: a number, and not below 0. */
static int
read_length(struct rd *rd, unsigned has, float *length, struct err *e)
{
	uint32_t bits;

	*length = 0;
	if (!(has & FIELD_LENGTH))
		return 0;
	bits = rd_u32(rd);
	if (bits >> 31 || !f32_finite(bits))
		return err_data(e, "a length that is none: corrupt");
	memcpy(length, &bits, sizeof(*length));
	return 0;
}

/* The links of a record, if it has any: u32 length, and so many bytes that
 * are levels with their counts. */
static int
read_links(struct rd *rd, unsigned has, struct slice *links, struct err *e)
{
	struct rd in;
	uint32_t len;

	*links = (struct slice){ NULL, 0 };
	if (!(has & FIELD_LINKS))
		return 0;
	len = rd_u32(rd);
	*links = slice_of((const char *)rd_bytes(rd, len), len);
	if (!rd_ok(rd))
		return 0;	/* the caller says so */
	for (in = rd_init(links->p, len); rd_ok(&in) && rd_left(&in) > 0;)
		(void)rd_bytes(&in, (size_t)rd_u32(&in) * 8);
	return rd_ok(&in) ? 0 : err_data(e, "links that do not fit their "
	    "length: corrupt");
}

/* The strings are text, and those of absent fields become absent. */
static int
check_strings(struct record *r, struct slice *s[STRINGS], unsigned has,
    struct err *e)
{
	size_t i;

	for (i = 0; i < STRINGS; i++)
		if (!(has & string_fields[i]) ||
		    (s[i] == &r->document && has & HAS_DOCUMENT_NULL) ||
		    (s[i] == &r->uri && has & HAS_URI_NULL)) {
			if (s[i]->len)
				return err_data(e, "a string for an absent "
				    "field: corrupt");
			*s[i] = (struct slice){ NULL, 0 };
		} else if (!utf8_valid_wtf8(s[i]->p, s[i]->len)) {
			return err_data(e, "a string that is not UTF-8");
		}
	if (check_json(r->metadata, true, e) < 0)
		return -1;
	return check_json(r->raw, false, e);
}

int
frame_to_record(const struct frame *f, struct record *r, struct err *e)
{
	struct rd rd = rd_init(f->payload.p, f->payload.len);
	struct slice *s[STRINGS];
	uint32_t len[STRINGS];
	size_t i;
	unsigned has, form, operation;

	*r = (struct record){ .exact = true };
	r->type = f->type == FRAME_WAL ? RECORD_WAL :
	    f->type == FRAME_VECTOR ? RECORD_VECTOR : RECORD_PLAIN;
	has = rd_u32(&rd);
	operation = rd_u8(&rd);
	form = rd_u8(&rd);
	r->level = rd_u16(&rd);
	r->seq_id = (int64_t)rd_u64(&rd);
	r->label = rd_u64(&rd);
	r->dim = rd_u32(&rd);
	for (i = 0; i < STRINGS; i++)
		len[i] = rd_u32(&rd);
	if (has & ~HAS_ALL || form > EMBEDDING_BASE64)
		return too_new(e);
	r->embedding = rd_bytes(&rd, (size_t)r->dim * 4);
	if (read_length(&rd, has, &r->length, e) < 0 ||
	    read_links(&rd, has, &r->links, e) < 0)
		return -1;
	strings_of(r, s);
	for (i = 0; i < STRINGS; i++) {
		s[i]->p = (const char *)rd_bytes(&rd, len[i]);
		s[i]->len = len[i];
	}
	if (!rd_ok(&rd) || rd_left(&rd) > 3)
		return err_data(e, "lengths that do not fit the frame: "
		    "corrupt");
	if (has & FIELD_OPERATION && operation > OPERATION_DELETE)
		return err_data(e, "operation %u: newer", operation);
	r->has = has & FIELD_ALL;
	r->operation = has & FIELD_OPERATION ? (enum operation)operation :
	    OPERATION_NONE;
	r->form = (enum embedding_form)form;
	r->deleted = has & HAS_DELETED_TRUE;
	return check_strings(r, s, has, e);
}

/* Begin a frame with a payload of len bytes (padded to 4 with zeros); where
 * the payload goes, or NULL. */
static char *
open_frame(struct buf *out, uint64_t len)
{
	uint64_t padded = (len + 3) / 4 * 4;
	char *to = buf_room(out, FRAME_HEAD + padded + FRAME_TAIL);

	if (!to)
		return NULL;
	le_put_u32(to, (uint32_t)padded);
	memset(to + FRAME_HEAD + len, 0, padded - len);
	return to + FRAME_HEAD;
}

static void
close_frame(struct buf *out, enum frame_type type, uint32_t *crc)
{
	char *p = out->p + out->len;
	uint32_t len = le_u32(p);

	le_put_u16(p + 4, (uint16_t)type);
	le_put_u16(p + 6, FRAME_CRITICAL);
	*crc = crc32c(0, p, FRAME_HEAD + (size_t)len);
	le_put_u32(p + FRAME_HEAD + len, *crc);
	out->len += FRAME_HEAD + (size_t)len + FRAME_TAIL;
}

static int
fits(uint64_t len, struct err *e)
{
	return len <= FRAME_PAYLOAD_MAX - 4 ? 0 :
	    err_data(e, "a record of more than 1 GiB");
}

int
frame_put_text(struct buf *out, enum frame_type type, struct slice payload,
    uint32_t *crc, struct err *e)
{
	char *to;

	*crc = 0;
	if (fits(payload.len, e) < 0)
		return -1;
	to = open_frame(out, payload.len + 4);
	if (!to)
		return err_nomem(e);
	le_put_u32(to, (uint32_t)payload.len);
	memcpy(to + 4, payload.p, payload.len);
	close_frame(out, type, crc);
	return 0;
}

int
frame_put_record(struct buf *out, const struct record *record, uint32_t *crc,
    struct err *e)
{
	struct record r = *record;
	struct slice *s[STRINGS];
	uint64_t len = FIXED;
	uint32_t has = r.has, dim = r.has & FIELD_EMBEDDING ? r.dim : 0;
	char *to;
	size_t i;

	*crc = 0;
	strings_of(&r, s);
	len += (uint64_t)dim * 4;
	len += has & FIELD_LENGTH ? 4 : 0;
	if (has & FIELD_LINKS)
		len += 4 + r.links.len;
	for (i = 0; i < STRINGS; i++) {
		if (!(has & string_fields[i]))
			*s[i] = (struct slice){ NULL, 0 };
		len += s[i]->len;
	}
	if (fits(len, e) < 0)
		return -1;
	to = open_frame(out, len);
	if (!to)
		return err_nomem(e);
	has |= r.has & FIELD_DELETED && r.deleted ? HAS_DELETED_TRUE : 0;
	has |= r.has & FIELD_DOCUMENT && !r.document.p ? HAS_DOCUMENT_NULL : 0;
	has |= r.has & FIELD_URI && !r.uri.p ? HAS_URI_NULL : 0;
	memset(to, 0, FIXED);
	le_put_u32(to + AT_HAS, has);
	if (has & FIELD_OPERATION)
		to[AT_OPERATION] = (char)r.operation;
	to[AT_FORM] = has & FIELD_EMBEDDING && r.form == EMBEDDING_BASE64;
	le_put_u16(to + AT_LEVEL, has & FIELD_LEVEL ? (uint16_t)r.level : 0);
	le_put_u64(to + AT_SEQ_ID,
	    has & FIELD_SEQ_ID ? (uint64_t)r.seq_id : 0);
	le_put_u64(to + AT_LABEL, has & FIELD_LABEL ? r.label : 0);
	le_put_u32(to + AT_DIM, dim);
	for (i = 0; i < STRINGS; i++)
		le_put_u32(to + AT_LENGTHS + 4 * i, (uint32_t)s[i]->len);
	to += FIXED;
	if (dim)
		memcpy(to, r.embedding, (size_t)dim * 4);
	to += (size_t)dim * 4;
	if (has & FIELD_LENGTH) {
		le_put_f32(to, r.length);
		to += 4;
	}
	if (has & FIELD_LINKS) {
		le_put_u32(to, (uint32_t)r.links.len);
		if (r.links.len)
			memcpy(to + 4, r.links.p, r.links.len);
		to += 4 + r.links.len;
	}
	for (i = 0; i < STRINGS; i++) {
		if (s[i]->len)
			memcpy(to, s[i]->p, s[i]->len);
		to += s[i]->len;
	}
	close_frame(out, r.type == RECORD_WAL ? FRAME_WAL :
	    r.type == RECORD_VECTOR ? FRAME_VECTOR : FRAME_PLAIN, crc);
	return 0;
}

void
frame_put_end(struct buf *out, uint64_t records, uint32_t running)
{
	char *to = open_frame(out, 12);
	uint32_t crc;

	if (!to)
		return;
	le_put_u64(to, records);
	le_put_u32(to + 8, running);
	close_frame(out, FRAME_END, &crc);
}

int
frame_end(const struct frame *f, uint64_t *records, uint32_t *running,
    struct err *e)
{
	if (f->payload.len != 12)
		return err_data(e, "an end of %zu bytes: newer or corrupt",
		    f->payload.len);
	*records = le_u64(f->payload.p);
	*running = le_u32(f->payload.p + 8);
	return 0;
}

uint32_t
frame_running(uint32_t running, uint32_t crc)
{
	uint8_t b[4];

	le_put_u32(b, crc);
	return crc32c(running, b, sizeof(b));
}
