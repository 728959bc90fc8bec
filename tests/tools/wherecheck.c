/* SPDX-License-Identifier: Apache-2.0 */
/* wherecheck - which records each filter selects, as whereprobe.py answers.
 *
 * usage: wherecheck [--stored] RECORDS FILTERS
 *
 * RECORDS: JSON Lines with the members id, metadata, document, uri.
 * FILTERS: JSON Lines with the members where, where_document.  For each filter
 * a line {"ids":[...]}, or {"error":STATUS,"message":"..."}.  --stored: the
 * numbers are as collection.get() returned them. */
#include "stream/where.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "stream/json.h"

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "wherecheck: %s: %s\n", what, why);
	exit(4);
}

/* Members of a line; null is as absent.  NaN and Infinity pass. */
static void
members(struct slice line, const char *const name[], struct slice val[],
    size_t n)
{
	struct json_iter it;
	struct slice k, v;
	struct err e;
	size_t i;
	int r;

	memset(val, 0, n * sizeof(*val));
	if (json_object(&it, line, &e) < 0)
		die("line", e.msg);
	it.nonfinite = true;
	while ((r = json_next(&it, &k, &v)) > 0)
		for (i = 0; i < n; i++)
			if (json_key_is(k, name[i]) && !slice_is(v, "null"))
				val[i] = v;
	if (r < 0)
		die("line", e.msg);
}

/* A string on the heap, for good. */
static struct slice
text_of(struct slice val)
{
	struct buf b = { 0 };

	if (!val.p)
		return val;
	if (json_string(val, &b) < 0 || !buf_ok(&b))
		die("record", "not a string");
	return buf_slice(&b);
}

struct record {
	struct slice id;	/* with quotes */
	struct where_record r;
};

static struct record *
read_records(const char *path, bool stored, size_t *n)
{
	static const char *const name[] = { "id", "metadata", "document",
	    "uri" };
	FILE *fp = fopen(path, "r");
	struct record *rec = NULL;
	struct slice val[4];
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	if (!fp)
		die(path, strerror(errno));
	for (*n = 0; (len = getline(&line, &cap, fp)) > 0; line = NULL) {
		rec = realloc(rec, (*n + 1) * sizeof(*rec));
		if (!rec)
			die(path, "no memory");
		members(slice_of(line, (size_t)len), name, val, 4);
		rec[*n].id = val[0];
		rec[*n].r = (struct where_record){ .metadata = val[1],
		    .document = text_of(val[2]), .uri = text_of(val[3]),
		    .stored = stored };
		++*n;
	}
	fclose(fp);
	return rec;
}

/* 1 or 0, or -1 with a message in *e. */
static int
selected(struct where *w[2], const struct where_record *r, struct err *e)
{
	int i, got;

	for (i = 0; i < 2; i++) {
		got = w[i] ? where_test(w[i], r, e) : 1;
		if (got <= 0)
			return got;
	}
	return 1;
}

static int
answer(struct slice line, const struct record *rec, size_t n, struct buf *out,
    struct err *e)
{
	static const char *const name[] = { "where", "where_document" };
	struct where *w[2] = { NULL, NULL };
	struct slice val[2];
	size_t i;
	int r = 0;

	members(line, name, val, 2);
	if (val[0].p)
		r = where_parse(&w[0], val[0], WHERE_METADATA, e);
	if (r == 0 && val[1].p)
		r = where_parse(&w[1], val[1], WHERE_DOCUMENT, e);
	buf_adds(out, "{\"ids\":[");
	for (i = 0; i < n && r >= 0; i++) {
		r = selected(w, &rec[i].r, e);
		if (r <= 0)
			continue;
		if (out->p[out->len - 1] != '[')
			buf_addc(out, ',');
		buf_add(out, rec[i].id.p, rec[i].id.len);
	}
	buf_adds(out, "]}");
	where_free(w[0]);
	where_free(w[1]);
	return r;
}

int
main(int argc, char *argv[])
{
	bool stored = argc > 1 && strcmp(argv[1], "--stored") == 0;
	struct record *rec;
	struct buf out = { 0 };
	struct err e;
	char *line = NULL;
	size_t n, cap = 0;
	ssize_t len;
	FILE *fp;

	if (argc != 3 + stored)
		die("usage", "wherecheck [--stored] RECORDS FILTERS");
	rec = read_records(argv[1 + stored], stored, &n);
	fp = fopen(argv[2 + stored], "r");
	if (!fp)
		die(argv[2 + stored], strerror(errno));
	while ((len = getline(&line, &cap, fp)) > 0) {
		buf_reset(&out);
		if (answer(slice_of(line, (size_t)len), rec, n, &out,
		    &e) < 0) {
			buf_reset(&out);
			buf_addf(&out, "{\"error\":%d,\"message\":", e.status);
			json_put_string(&out, slice_str(e.msg));
			buf_addc(&out, '}');
		}
		puts(buf_str(&out));
	}
	fclose(fp);
	return 0;
}
