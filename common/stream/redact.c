/* SPDX-License-Identifier: Apache-2.0 */
/* redact.c - take content out of a stream. */
#include "stream/redact.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "stream/json.h"

#define DIGITS 32			/* of a digest, that are shown */

static const char *const words[] = { "documents", "metadata", "ids",
    "embeddings", "names" };
#define WORDS (sizeof(words) / sizeof(words[0]))

unsigned
redact_of(const char *word)
{
	size_t i;

	for (i = 0; i < WORDS; i++)
		if (strcmp(word, words[i]) == 0)
			return 1u << i;
	return 0;
}

int
redact_key_file(struct redact *rd, const char *path, struct err *e)
{
	char key[REDACT_KEY_MAX + 1];
	ssize_t n = -1, got = 1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		for (n = 0; got > 0 && n < (ssize_t)sizeof(key); n += got)
			got = file_read(fd, key + n, sizeof(key) - (size_t)n);
	if (fd < 0 || got < 0) {
		err_system(e, "%s", err_tail(path));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	close(fd);
	if (n < REDACT_KEY_MIN || n > REDACT_KEY_MAX)
		return err_usage(e, "%s: a key has %d to %d bytes: head -c 32 "
		    "/dev/urandom >FILE makes one", err_tail(path),
		    REDACT_KEY_MIN, REDACT_KEY_MAX);
	sha256_hmac_init(&rd->key, key, (size_t)n);
	explicit_bzero(key, sizeof(key));
	return 0;
}

void
redact_release(struct redact *rd)
{
	buf_release(&rd->text);
	buf_release(&rd->metadata);
	explicit_bzero(rd, sizeof(*rd));
}

/* Append what a text is replaced by. */
static void
put_digest(const struct redact *rd, struct slice text, struct buf *out)
{
	unsigned char digest[SHA256_SIZE];
	int i;

	sha256_hmac(&rd->key, text.p, text.len, digest);
	for (i = 0; i < DIGITS / 2; i++)
		buf_addf(out, "%02x", digest[i]);
}

/* Metadata without a document and uri: Chroma keeps them there, and a writer
 * of streams that knows no better may have left them.  0 or -1. */
static int
redact_metadata(struct redact *rd, struct record *r, struct err *e)
{
	static const char *const keys[] = { "chroma:document", "chroma:uri" };
	struct slice key, val;
	struct json_iter it;
	size_t cut = 0;
	int got;

	if (!(r->has & FIELD_METADATA) || *r->metadata.p != '{')
		return 0;
	buf_reset(&rd->metadata);
	if (json_object(&it, r->metadata, e) < 0)
		return -1;
	while ((got = json_next(&it, &key, &val)) > 0) {
		if (json_key_is(key, keys[0]) || json_key_is(key, keys[1])) {
			cut++;
			continue;
		}
		buf_addc(&rd->metadata, rd->metadata.len == 0 ? '{' : ',');
		buf_add(&rd->metadata, key.p - 1, key.len + 2);
		buf_addc(&rd->metadata, ':');
		buf_add(&rd->metadata, val.p, val.len);
	}
	buf_adds(&rd->metadata, rd->metadata.len == 0 ? "{}" : "}");
	if (got == 0 && !buf_ok(&rd->metadata))
		return err_nomem(e);
	if (got == 0 && cut > 0)
		r->metadata = buf_slice(&rd->metadata);
	return got;
}

int
redact_record(struct redact *rd, struct record *r, struct err *e)
{
	const struct {
		unsigned what, field;
		struct slice *text;
	} keyed[] = {
		{ REDACT_IDS, FIELD_ID, &r->id },
		{ REDACT_NAMES, FIELD_COLLECTION, &r->collection },
		{ REDACT_NAMES, FIELD_DATABASE, &r->database },
		{ REDACT_NAMES, FIELD_TENANT, &r->tenant },
	};
	const size_t n = sizeof(keyed) / sizeof(keyed[0]);
	size_t i, at = 0;

	r->has &= ~(unsigned)FIELD_RAW;
	if (rd->what & REDACT_DOCUMENTS)
		r->has &= ~(unsigned)(FIELD_DOCUMENT | FIELD_URI);
	if (rd->what & REDACT_METADATA)
		r->has &= ~(unsigned)FIELD_METADATA;
	if (rd->what & REDACT_EMBEDDINGS)
		r->has &= ~(unsigned)(FIELD_EMBEDDING | FIELD_LENGTH);
	if (rd->what & REDACT_DOCUMENTS && redact_metadata(rd, r, e) < 0)
		return err_in(e, "metadata");
	buf_reset(&rd->text);
	for (i = 0; i < n; i++)
		if (rd->what & keyed[i].what && r->has & keyed[i].field)
			put_digest(rd, *keyed[i].text, &rd->text);
	if (!buf_ok(&rd->text))
		return err_nomem(e);
	for (i = 0; i < n; i++)
		if (rd->what & keyed[i].what && r->has & keyed[i].field) {
			*keyed[i].text = slice_of(rd->text.p + at, DIGITS);
			at += DIGITS;
		}
	return 0;
}

/* ---- the begin record ---- */

/* Append a value as it is to stand: 1, 0 to leave it out, -1 with *e set. */
typedef int value(struct redact *rd, struct slice key, struct slice val,
    struct buf *out, struct err *e);

static bool
one_of(struct slice key, const char *const name[])
{
	while (*name && !json_key_is(key, *name))
		name++;
	return *name;
}

/* An object or array again, each value as fn writes it; 1. */
static int
each(struct redact *rd, struct slice text, value *fn, struct buf *out,
    struct err *e)
{
	struct json_iter it;
	struct slice key = { NULL, 0 }, val;
	bool object = text.len > 0 && text.p[0] == '{', comma = false;
	int got, put = 0;

	if ((object ? json_object(&it, text, e) : json_array(&it, text,
	    e)) < 0)
		return -1;
	buf_addc(out, object ? '{' : '[');
	while ((got = object ? json_next(&it, &key, &val) :
	    json_element(&it, &val)) > 0) {
		size_t len = out->len;

		if (comma)
			buf_addc(out, ',');
		if (object) {
			buf_add(out, key.p - 1, key.len + 2);
			buf_addc(out, ':');
		}
		put = fn(rd, key, val, out, e);
		if (put < 0)
			return -1;
		if (put == 0 && buf_ok(out))
			out->len = len;
		comma |= put > 0;
	}
	buf_addc(out, object ? '}' : ']');
	return got < 0 ? -1 : 1;
}

/* A text, number, true, false or null. */
static int
simple(struct slice val, struct buf *out)
{
	if (*val.p == '{' || *val.p == '[')
		return 0;
	buf_add(out, val.p, val.len);
	return 1;
}

static int
in_collection(struct redact *rd, struct slice key, struct slice val,
    struct buf *out, struct err *e)
{
	static const char *const names[] = { "name", "tenant", "database",
	    NULL };
	static const char *const others[] = { "id", "dimension", "space", "M",
	    "ef_construction", "ef_search", "metadata_seq_id",
	    "vector_seq_id", "vector_segment", "metadata_segment", NULL };

	if (one_of(key, others))
		return simple(val, out);
	if (!one_of(key, names))
		return 0;
	if (!(rd->what & REDACT_NAMES) || slice_is(val, "null"))
		return simple(val, out);
	if (!json_is_string(val))
		return 0;
	buf_reset(&rd->text);
	if (json_string(val, &rd->text) < 0 || !buf_ok(&rd->text))
		return err_nomem(e);
	buf_addc(out, '"');
	put_digest(rd, buf_slice(&rd->text), out);
	buf_addc(out, '"');
	return 1;
}

static int
in_list(struct redact *rd, struct slice key, struct slice val,
    struct buf *out, struct err *e)
{
	(void)key;
	return *val.p == '{' ? each(rd, val, in_collection, out, e) : 0;
}

static int
in_migrations(struct redact *rd, struct slice key, struct slice val,
    struct buf *out, struct err *e)
{
	static const char *const known[] = { "embeddings_queue", "metadb",
	    "sysdb", NULL };

	(void)rd;
	(void)e;
	return one_of(key, known) ? simple(val, out) : 0;
}

static int
in_source(struct redact *rd, struct slice key, struct slice val,
    struct buf *out, struct err *e)
{
	static const char *const known[] = { "from_seq_id", "to_seq_id",
	    NULL };

	if (json_key_is(key, "collections") && *val.p == '[')
		return each(rd, val, in_list, out, e);
	if (json_key_is(key, "migrations") && *val.p == '{')
		return each(rd, val, in_migrations, out, e);
	return one_of(key, known) ? simple(val, out) : 0;
}

int
redact_note(struct redact *rd, struct slice text, struct err *e)
{
	static const char *const key[] = { "redacted" };
	struct slice val[1];
	char quoted[24];
	size_t i;

	if (json_members(text, key, val, 1, e) < 0)
		return -1;
	rd->noted |= val[0].p != NULL;
	for (i = 0; i < WORDS && val[0].p; i++) {
		snprintf(quoted, sizeof(quoted), "\"%s\"", words[i]);
		if (memmem(val[0].p, val[0].len, quoted, strlen(quoted)))
			rd->before |= 1u << i;
	}
	return 0;
}

static void
put_list(const struct redact *rd, struct buf *out)
{
	const char *comma = "";
	size_t i;

	buf_adds(out, ",\"redacted\":[");
	for (i = 0; i < WORDS; i++) {
		if (!((rd->what | rd->before) & 1u << i))
			continue;
		buf_addf(out, "%s\"%s\"", comma, words[i]);
		comma = ",";
	}
	buf_addc(out, ']');
}

static int
in_begin(struct redact *rd, struct slice key, struct slice val,
    struct buf *out, struct err *e)
{
	static const char *const known[] = { "type", "stream", "version",
	    "partial", "latest", "embedding", "identity", NULL };
	int put;

	if (json_key_is(key, "source") && *val.p == '{')
		return each(rd, val, in_source, out, e);
	if (!one_of(key, known))
		return 0;
	put = simple(val, out);
	if (json_key_is(key, "version"))
		put_list(rd, out);
	return put;
}

int
redact_begin(struct redact *rd, struct slice text, struct buf *out,
    struct err *e)
{
	unsigned before = rd->before;
	int r;

	if (redact_note(rd, text, e) < 0)
		return -1;
	r = each(rd, text, in_begin, out, e);
	rd->before = before;
	return r < 0 ? -1 : buf_ok(out) ? 0 : err_nomem(e);
}
