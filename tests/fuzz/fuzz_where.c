/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_where - a filter and a record.  Input: a byte of flags, the filter, a
 * zero byte, metadata, a zero byte, a document.  The answer does not depend on
 * how the JSON is spaced and escaped, nor on the filter's standing alone. */
#include "stream/where.h"

#include "base/utf8.h"
#include "stream/json.h"

#include "fuzz.h"

enum { DOCUMENT = 1, STORED = 2, NO_METADATA = 4, NO_DOCUMENT = 8,
	COLUMN = 16 };

/* The answer; -1 if the record is bad, -2 if the filter is refused. */
static int
answer(struct slice filter, enum where_kind kind, const struct where_record *r)
{
	struct slice copy = fuzz_copy(filter.p, filter.len);
	struct where *w;
	struct err e = { 0 };
	int got = where_parse(&w, copy, kind, &e);

	fuzz_free(copy);
	if (got < 0) {
		MUST(e.status == STATUS_USAGE && *e.msg);
		return -2;
	}
	got = where_test(w, r, &e);
	MUST(got >= -1 && got <= 1);
	if (got < 0)
		MUST(e.status == STATUS_DATA &&
		    strncmp(e.msg, "byte ", 5) == 0);
	if (got >= 0 && !where_needs_metadata(w) && !r->column) {
		struct where_record other = *r;

		other.metadata.p = NULL;
		MUST(where_test(w, &other, &e) == got);
	}
	where_free(w);
	return got;
}

/* The filter joined with itself. */
static void
check_joined(struct slice filter, enum where_kind kind,
    const struct where_record *r, int got)
{
	static const char *const joint[] = { "$and", "$or" };
	struct buf b = { 0 };
	size_t i;
	int other;

	for (i = 0; i < 2; i++) {
		buf_reset(&b);
		buf_addf(&b, " {\"%s\":[", joint[i]);
		buf_add(&b, filter.p, filter.len);
		buf_adds(&b, "\n,");
		buf_add(&b, filter.p, filter.len);
		buf_adds(&b, "]}");
		other = answer(buf_slice(&b), kind, r);
		MUST(other == got || other == -2);	/* too deep */
	}
	buf_release(&b);
}

static void
check_compact(struct slice filter, enum where_kind kind,
    const struct where_record *r, int got)
{
	struct buf b = { 0 }, m = { 0 };
	struct where_record other = *r;
	struct err e;

	MUST(json_compact(filter, &b, &e) == 0);
	MUST(answer(buf_slice(&b), kind, r) == got);
	if (r->metadata.p && utf8_valid(r->metadata.p, r->metadata.len) &&
	    json_compact(r->metadata, &m, &e) == 0) {
		other.metadata = buf_slice(&m);
		MUST(answer(filter, kind, &other) == got);
	}
	buf_release(&b);
	buf_release(&m);
}

/* Up to the next zero byte, in a block of its own. */
static struct slice
part(struct slice *rest)
{
	const char *nul = rest->len ? memchr(rest->p, '\0', rest->len) : NULL;
	size_t n = nul ? (size_t)(nul - rest->p) : rest->len;
	struct slice s = fuzz_copy(rest->p, n);

	n += nul != NULL;
	*rest = slice_of(rest->p + n, rest->len - n);
	return s;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = slice_of((const char *)data, size);
	struct slice filter, metadata, document;
	struct where_record r = { 0 };
	enum where_kind kind;
	int flags, got;

	if (size == 0)
		return 0;
	flags = *rest.p++;
	rest.len--;
	kind = flags & DOCUMENT ? WHERE_DOCUMENT : WHERE_METADATA;
	filter = part(&rest);
	metadata = part(&rest);
	document = fuzz_copy(rest.p, rest.len);
	r.stored = flags & STORED;
	r.column = flags & COLUMN;
	if (!(flags & NO_METADATA))
		r.metadata = metadata;
	if (!(flags & NO_DOCUMENT))
		r.document = r.uri = document;
	got = answer(filter, kind, &r);
	if (got >= -1) {
		check_joined(filter, kind, &r, got);
		check_compact(filter, kind, &r, got);
	}
	fuzz_free(filter);
	fuzz_free(metadata);
	fuzz_free(document);
	return 0;
}
