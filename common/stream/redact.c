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
		r->has &= ~(unsigned)FIELD_EMBEDDING;
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

typedef int value(struct redact *rd, struct slice key, struct slice val,
    struct buf *out, struct err *e);

/* An object or array again, each value as fn writes it. */
static int
each(struct redact *rd, struct slice text, value *fn, struct buf *out,
    struct err *e)
{
	struct json_iter it;
	struct slice key = { NULL, 0 }, val;
	bool object = text.len > 0 && text.p[0] == '{', comma = false;
	int got;

	if ((object ? json_object(&it, text, e) : json_array(&it, text,
	    e)) < 0)
		return -1;
	buf_addc(out, object ? '{' : '[');
	while ((got = object ? json_next(&it, &key, &val) :
	    json_element(&it, &val)) > 0) {
		if (comma)
			buf_addc(out, ',');
		comma = true;
		if (object) {
			buf_add(out, key.p - 1, key.len + 2);
			buf_addc(out, ':');
		}
		if (fn(rd, key, val, out, e) < 0)
			return -1;
	}
	buf_addc(out, object ? '}' : ']');
	return got;
}

static int
in_collection(struct redact *rd, struct slice key, struct slice val,
    struct buf *out, struct err *e)
{
	if (!json_is_string(val) || (!json_key_is(key, "name") &&
	    !json_key_is(key, "tenant") && !json_key_is(key, "database"))) {
		buf_add(out, val.p, val.len);
		return 0;
	}
	buf_reset(&rd->text);
	if (json_string(val, &rd->text) < 0 || !buf_ok(&rd->text))
		return err_nomem(e);
	buf_addc(out, '"');
	put_digest(rd, buf_slice(&rd->text), out);
	buf_addc(out, '"');
	return 0;
}

static int
in_list(struct redact *rd, struct slice key, struct slice val,
    struct buf *out, struct err *e)
{
	(void)key;
	return each(rd, val, in_collection, out, e);
}

static int
in_source(struct redact *rd, struct slice key, struct slice val,
    struct buf *out, struct err *e)
{
	if (json_key_is(key, "collections") && rd->what & REDACT_NAMES)
		return each(rd, val, in_list, out, e);
	buf_add(out, val.p, val.len);
	return 0;
}

/* "redacted" follows "version"; one that was there before is the union's
 * other part, and its words are kept. */
static void
put_list(const struct redact *rd, struct slice before, struct buf *out)
{
	const char *comma = "";
	char quoted[24];
	size_t i;

	buf_adds(out, ",\"redacted\":[");
	for (i = 0; i < WORDS; i++) {
		snprintf(quoted, sizeof(quoted), "\"%s\"", words[i]);
		if (!(rd->what & 1u << i) && (!before.p ||
		    !memmem(before.p, before.len, quoted, strlen(quoted))))
			continue;
		buf_addf(out, "%s%s", comma, quoted);
		comma = ",";
	}
	buf_addc(out, ']');
}

int
redact_begin(struct redact *rd, struct slice text, struct buf *out,
    struct err *e)
{
	static const char *const key[] = { "redacted" };
	struct slice k, v, before[1];
	struct json_iter it;
	bool first = true;
	int got;

	if (json_members(text, key, before, 1, e) < 0 ||
	    json_object(&it, text, e) < 0)
		return -1;
	while ((got = json_next(&it, &k, &v)) > 0) {
		if (json_key_is(k, "redacted"))
			continue;
		buf_addc(out, first ? '{' : ',');
		first = false;
		buf_add(out, k.p - 1, k.len + 2);
		buf_addc(out, ':');
		if (json_key_is(k, "source") && *v.p == '{') {
			if (each(rd, v, in_source, out, e) < 0)
				return -1;
		} else {
			buf_add(out, v.p, v.len);
		}
		if (json_key_is(k, "version"))
			put_list(rd, before[0], out);
	}
	buf_addc(out, '}');
	return got == 0 && !buf_ok(out) ? err_nomem(e) : got;
}
