/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_json - JSON text: the canonical form is its own, what the strict reader
 * takes the loose ones take, and strings and floats come back. */
#include "stream/json.h"

#include "base/utf8.h"

#include "fuzz.h"

static const char *const keys[] = { "type", "document", "id" };

/* Walk over everything in an object or an array, without an order. */
static int
walk(struct slice text, bool object)
{
	struct json_iter it;
	struct slice key, val;
	struct err e;
	int r = object ? json_object(&it, text, &e) :
	    json_array(&it, text, &e);

	while (r >= 0 && (r = object ? json_next(&it, &key, &val) :
	    json_element(&it, &val)) > 0) {
		MUST(val.p >= text.p && val.len > 0 &&
		    (size_t)(val.p - text.p) <= text.len - val.len);
		if (object)
			(void)json_key_is(key, "document");
	}
	return r;
}

/* Of a canonical value. */
static void
check_value(struct slice val)
{
	struct buf b = { 0 }, again = { 0 };
	struct slice member[3];
	struct err e;

	MUST(utf8_valid(val.p, val.len));
	MUST(!memchr(val.p, '\n', val.len) && !memchr(val.p, '\t', val.len));
	switch (*val.p) {
	case '{':
		MUST(walk(val, true) == 0);
		MUST(json_members(val, keys, member, 3, &e) == 0 ||
		    strstr(e.msg, "stands twice"));
		break;
	case '[':
		MUST(walk(val, false) == 0);
		break;
	case '"':
		MUST(json_string(val, &b) == 0 && b.len <= val.len);
		MUST(utf8_valid_wtf8(b.p ? b.p : "", b.len));
		json_put_string(&again, buf_slice(&b));
		MUST(slice_eq(buf_slice(&again), val));
		break;
	default:
		break;
	}
	buf_release(&b);
	buf_release(&again);
}

static void
check_compact(struct slice in)
{
	struct buf b = { 0 }, again = { 0 };
	struct slice member[3];
	struct err e;
	int r = json_compact(in, &b, &e);

	if (r < 0)
		MUST(e.status == STATUS_DATA && *e.msg);
	(void)!json_members(in, keys, member, 3, &e);
	(void)walk(in, true);
	(void)walk(in, false);
	if (r == 0 && utf8_valid(in.p, in.len)) {
		MUST(b.len <= in.len);
		MUST(json_compact(buf_slice(&b), &again, &e) == 0);
		MUST(slice_eq(buf_slice(&b), buf_slice(&again)));
		check_value(buf_slice(&b));
	}
	buf_release(&b);
	buf_release(&again);
}

/* Numbers read, written and read. */
static void
check_floats(struct slice in)
{
	struct buf b = { 0 }, text = { 0 }, again = { 0 };
	struct err e;

	if (json_floats(in, &b, &e) == 0) {
		MUST(b.len % 4 == 0 && b.len <= 2 * in.len);
		MUST(json_put_floats(&text,
		    (const uint8_t *)(b.p ? b.p : ""), b.len / 4));
		MUST(json_floats(buf_slice(&text), &again, &e) == 0);
		MUST(slice_eq(buf_slice(&b), buf_slice(&again)));
	}
	buf_release(&b);
	buf_release(&text);
	buf_release(&again);
}

/* Any bytes as a string, in both ways. */
static void
check_writers(struct slice in)
{
	struct buf b = { 0 }, again = { 0 };
	struct err e;
	size_t i;

	json_put_string(&b, in);
	MUST(json_compact(buf_slice(&b), &again, &e) == 0);
	if (utf8_valid_wtf8(in.p, in.len)) {
		MUST(slice_eq(buf_slice(&b), buf_slice(&again)));
		again.len = 0;
		MUST(json_string(buf_slice(&b), &again) == 0);
		MUST(slice_eq(buf_slice(&again), in));
	}
	b.len = again.len = 0;
	json_put_ascii(&b, in);
	for (i = 0; i < b.len; i++)
		MUST(b.p[i] >= ' ' && b.p[i] < 0x7f);
	MUST(json_compact(buf_slice(&b), &again, &e) == 0);
	again.len = 0;
	MUST(json_string(buf_slice(&b), &again) == 0);
	if (utf8_valid(in.p, in.len))
		MUST(slice_eq(buf_slice(&again), in));
	buf_release(&b);
	buf_release(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = fuzz_copy(data, size);

	check_compact(in);
	check_floats(in);
	check_writers(in);
	fuzz_free(in);
	return 0;
}
