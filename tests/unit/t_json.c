/* SPDX-License-Identifier: Apache-2.0 */
/* t_json - JSON looked into, made canonical, and written. */
#include "stream/json.h"

#include <math.h>

#include "base/le.h"
#include "base/utf8.h"

#include "../scratch.h"
#include "../tap.h"

/* The bytes in a block of exactly their size, so that asan sees every read
 * beyond them. */
static struct slice
exact(struct slice s)
{
	char *p = malloc(s.len ? s.len : 1);

	if (!p)
		scratch_die("no memory");
	memcpy(p, s.p, s.len);
	return slice_of(p, s.len);
}

static void
drop(struct slice s)
{
	free((void *)(uintptr_t)s.p);
}

/* ---- canonical form ---- */

/* A value, and its one form. */
static const struct {
	struct slice text;
	struct slice want;
} canonical[] = {
	{ SLICE("null"), SLICE("null") },
	{ SLICE(" true "), SLICE("true") },
	{ SLICE("\t\r\nfalse"), SLICE("false") },
	{ SLICE("0"), SLICE("0") },
	{ SLICE("-0"), SLICE("-0") },
	{ SLICE("1.50e+05"), SLICE("1.50e+05") },
	{ SLICE("1E5"), SLICE("1E5") },
	{ SLICE("-0.0e-0"), SLICE("-0.0e-0") },
	{ SLICE("123456789012345678901234567890"),
	    SLICE("123456789012345678901234567890") },
	{ SLICE("{ }"), SLICE("{}") },
	{ SLICE("[ ]"), SLICE("[]") },
	{ SLICE(" [ 1 , 2 ] "), SLICE("[1,2]") },
	{ SLICE("{ \"a\" : { \"b\" : [ ] } , \"c\" : 1 }"),
	    SLICE("{\"a\":{\"b\":[]},\"c\":1}") },
	{ SLICE("{\"a\":1,\"a\":2}"), SLICE("{\"a\":1,\"a\":2}") },
	{ SLICE("\"\""), SLICE("\"\"") },
	{ SLICE("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
	    SLICE("\"\\\"\\\\/\\b\\f\\n\\r\\t\"") },
	{ SLICE("\"\\u0022\\u005c\\u002f\\u0008\\u000c\\u000a\\u000d\\u0009\""),
	    SLICE("\"\\\"\\\\/\\b\\f\\n\\r\\t\"") },
	{ SLICE("\"\\u0000\\u0001\\u001F\\u0020\\u007f\""),
	    SLICE("\"\\u0000\\u0001\\u001f \x7f\"") },
	{ SLICE("\"\\u00e9\\u20AC\""), SLICE("\"\xc3\xa9\xe2\x82\xac\"") },
	{ SLICE("\"\\ud83d\\ude00\""), SLICE("\"\xf0\x9f\x98\x80\"") },
	{ SLICE("\"\\uD83D\\uDE00\""), SLICE("\"\xf0\x9f\x98\x80\"") },
	{ SLICE("\"\\ud800\\udc00\\udbff\\udfff\""),
	    SLICE("\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"") },
	{ SLICE("\"\\ud800\""), SLICE("\"\\ud800\"") },
	{ SLICE("\"\\uDFFF\""), SLICE("\"\\udfff\"") },
	{ SLICE("\"\\udc00\\ud800\""), SLICE("\"\\udc00\\ud800\"") },
	{ SLICE("\"\\ud800\\ud800\\udc00\""),
	    SLICE("\"\\ud800\xf0\x90\x80\x80\"") },
	{ SLICE("\"\\ud800x\\udc00\""), SLICE("\"\\ud800x\\udc00\"") },
	{ SLICE("\"\\ud800\\ue000\\ud800\\udbff\""),
	    SLICE("\"\\ud800\xee\x80\x80\\ud800\\udbff\"") },
	{ SLICE("\"\\ud800\\n\""), SLICE("\"\\ud800\\n\"") },
	{ SLICE("\"\\ud800\\u0041\""), SLICE("\"\\ud800A\"") },
	{ SLICE("{\"\\u0061\":1}"), SLICE("{\"a\":1}") },
	{ SLICE("\"0123456\\u0041bcdefghijklmnop\\\"\""),
	    SLICE("\"0123456Abcdefghijklmnop\\\"\"") },
};

static void
test_canonical(void)
{
	struct buf b = { 0 }, again = { 0 };
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < COUNT(canonical); i++) {
		struct slice text = exact(canonical[i].text);

		b.len = again.len = 0;
		ok(json_compact(text, &b, &e) == 0 &&
		    slice_eq(buf_slice(&b), canonical[i].want), "%s",
		    shown(canonical[i].text));
		ok(json_compact(buf_slice(&b), &again, &e) == 0 &&
		    slice_eq(buf_slice(&again), canonical[i].want),
		    "  and again");
		drop(text);
	}
	buf_release(&b);
	buf_release(&again);
}

/* What is no JSON, and where.  loose: json_object() takes it as the value of
 * a member, because scalars are only looked at by who decodes them. */
static const struct {
	struct slice text;
	const char *message;
	bool loose;
} bad[] = {
	{ SLICE(""), "byte 1: expected a value", false },
	{ SLICE("  "), "byte 3: expected a value", false },
	{ SLICE("nul"), "byte 1: expected a value", true },
	{ SLICE("nullx"), "byte 5: text after the value", true },
	{ SLICE("True"), "byte 1: expected a value", false },
	{ SLICE("NaN"), "byte 1: expected a value", false },
	{ SLICE("Infinity"), "byte 1: expected a value", false },
	{ SLICE("-"), "byte 2: expected a value", true },
	{ SLICE("-a"), "byte 2: expected a value", true },
	{ SLICE("+1"), "byte 1: expected a value", true },
	{ SLICE(".5"), "byte 1: expected a value", true },
	{ SLICE("1."), "byte 3: bad number", true },
	{ SLICE("1.e5"), "byte 3: bad number", true },
	{ SLICE("1e"), "byte 3: bad number", true },
	{ SLICE("1e+"), "byte 4: bad number", true },
	{ SLICE("1e-+5"), "byte 4: bad number", true },
	{ SLICE("01"), "byte 2: text after the value", true },
	{ SLICE("0x1"), "byte 2: text after the value", true },
	{ SLICE("1 2"), "byte 3: text after the value", false },
	{ SLICE("\""), "byte 2: unterminated string", false },
	{ SLICE("\"abcdefgh"), "byte 10: unterminated string", false },
	{ SLICE("\"a\\"), "byte 4: bad escape", false },
	{ SLICE("\"\\x\""), "byte 3: bad escape", false },
	{ SLICE("\"\\'\""), "byte 3: bad escape", false },
	{ SLICE("\"\\u\""), "byte 4: bad \\u escape", false },
	{ SLICE("\"\\u12\""), "byte 4: bad \\u escape", false },
	{ SLICE("\"\\u123\""), "byte 4: bad \\u escape", false },
	{ SLICE("\"\\u123g\""), "byte 4: bad \\u escape", false },
	{ SLICE("\"\\u+123\""), "byte 4: bad \\u escape", false },
	{ SLICE("\"\\U0041\""), "byte 3: bad escape", false },
	{ SLICE("\"a\nb\""), "byte 3: control character in a string", false },
	{ SLICE("\"a\0b\""), "byte 3: control character in a string", false },
	{ SLICE("\"0123456789\x1f\""),
	    "byte 12: control character in a string", false },
	{ SLICE("\"0123\x01" "567890123456\""),
	    "byte 6: control character in a string", false },
	{ SLICE("'a'"), "byte 1: expected a value", false },
	{ SLICE("["), "byte 2: expected a value", false },
	{ SLICE("[,1]"), "byte 2: expected a value", false },
	{ SLICE("[1,]"), "byte 4: expected a value", false },
	{ SLICE("[1 2]"), "byte 4: expected ',' or ']'", false },
	{ SLICE("[1}"), "byte 3: expected ',' or ']'", false },
	{ SLICE("[1"), "byte 3: expected ',' or ']'", false },
	{ SLICE("{"), "byte 2: expected a string", false },
	{ SLICE("{a:1}"), "byte 2: expected a string", false },
	{ SLICE("{1:1}"), "byte 2: expected a string", false },
	{ SLICE("{\"a\"}"), "byte 5: expected ':'", false },
	{ SLICE("{\"a\" 1}"), "byte 6: expected ':'", false },
	{ SLICE("{\"a\":}"), "byte 6: expected a value", false },
	{ SLICE("{\"a\":1,}"), "byte 8: expected a string", false },
	{ SLICE("{\"a\":1]"), "byte 7: expected ',' or '}'", false },
	{ SLICE("{\"a\":1 \"b\":2}"), "byte 8: expected ',' or '}'", false },
	{ SLICE("[1]]"), "byte 4: text after the value", false },
	{ SLICE("{}{}"), "byte 3: text after the value", false },
	{ SLICE("/**/1"), "byte 1: expected a value", false },
	{ SLICE("\xef\xbb\xbf{}"), "byte 1: expected a value", false },
	{ SLICE("1\f"), "byte 2: text after the value", false },
};

/* json_next() over one member with this value. */
static int
as_member(struct slice value)
{
	struct buf b = { 0 };
	struct json_iter it;
	struct slice key, val, text;
	struct err e;
	int r;

	buf_adds(&b, "{\"k\":");
	buf_add(&b, value.p, value.len);
	buf_addc(&b, '}');
	text = exact(buf_slice(&b));
	r = json_object(&it, text, &e);
	while (r >= 0 && (r = json_next(&it, &key, &val)) > 0)
		;
	drop(text);
	buf_release(&b);
	return r;
}

static void
test_bad(void)
{
	struct buf b = { 0 };
	struct err e;
	size_t i;

	for (i = 0; i < COUNT(bad); i++) {
		struct slice text = exact(bad[i].text);
		int r;

		e = (struct err){ 0 };
		b.len = 0;
		r = json_compact(text, &b, &e);
		ok(r == -1 && strcmp(e.msg, bad[i].message) == 0 &&
		    e.status == STATUS_DATA, "%s: %s", shown(bad[i].text),
		    r ? e.msg : "taken");
		ok((as_member(bad[i].text) == 0) == bad[i].loose,
		    "  as a member: %s", bad[i].loose ? "taken" : "refused");
		drop(text);
	}
	for (i = 0; i < COUNT(canonical); i++)
		ok(as_member(canonical[i].text) == 0, "as a member: %s",
		    shown(canonical[i].text));
	buf_release(&b);
}

static void
test_depth(void)
{
	char deep[2 * JSON_DEPTH_MAX + 64];
	static const char *const key[] = { "a" };
	struct slice val[1];
	struct buf b = { 0 };
	struct err e;
	size_t n;

	for (n = JSON_DEPTH_MAX; n <= JSON_DEPTH_MAX + 1; n++) {
		bool fits = n == JSON_DEPTH_MAX;

		memset(deep, '[', n);
		memset(deep + n, ']', n);
		b.len = 0;
		ok((json_compact(slice_of(deep, 2 * n), &b, &e) == 0) == fits &&
		    (fits || strcmp(e.msg, "byte 65: nested too deeply") == 0),
		    "%zu arrays in one another: %s", n, fits ? "" : e.msg);
		memcpy(deep, "{\"a\":", 5);
		memset(deep + 5, '[', n - 1);
		memset(deep + 4 + n, ']', n - 1);
		deep[3 + 2 * n] = '}';
		ok((json_members(slice_of(deep, 4 + 2 * n), key, val, 1, &e)
		    == 0) == fits && (fits ||
		    strcmp(e.msg, "byte 69: nested too deeply") == 0),
		    "  in an object: %s", fits ? "" : e.msg);
	}
	buf_release(&b);
}

/* ---- members and elements ---- */

static const struct {
	const char *text;
	const char *document, *id;	/* values; NULL: absent */
	const char *message;		/* NULL: taken */
} members[] = {
	{ "{}", NULL, NULL, NULL },
	{ " { } ", NULL, NULL, NULL },
	{ "{\"id\":1}", NULL, "1", NULL },
	{ "{\"document\" : \"x\" , \"id\" : [ 1 ] }", "\"x\"", "[ 1 ]", NULL },
	{ "{\"ids\":1,\"i\":2,\"ID\":3,\"\":4}", NULL, NULL, NULL },
	{ "{\"docu\\u006dent\":1}", "1", NULL, NULL },
	{ "{\"\\u0069\\u0064\":1}", NULL, "1", NULL },
	{ "{\"\\u0069d\\u0000\":1}", NULL, NULL, NULL },
	{ "{\"i\\u0064d\":1,\"\\u0069\":2,\"\\\"d\":3}", NULL, NULL, NULL },
	{ "{\"\\u0169d\":1,\"\\ud869d\":2}", NULL, NULL, NULL },
	{ "{\"x\":{\"id\":1}}", NULL, NULL, NULL },
	{ "{\"id\":1,\"id\":1}", NULL, NULL, "\"id\" stands twice" },
	{ "{\"document\":1,\"docu\\u006dent\":2}", NULL, NULL,
	    "\"document\" stands twice" },
	{ "{\"\\u0064ocument\":1,\"docu\\u006dent\":2}", NULL, NULL,
	    "\"document\" stands twice" },
	{ "{\"x\":1,\"x\":2}", NULL, NULL, NULL },
	{ "", NULL, NULL, "byte 1: expected '{'" },
	{ "[]", NULL, NULL, "byte 1: expected '{'" },
	{ "null", NULL, NULL, "byte 1: expected '{'" },
	{ "{", NULL, NULL, "byte 2: expected a string" },
	{ "{} x", NULL, NULL, "byte 4: text after the object" },
	{ "{\"id\":1,}", NULL, NULL, "byte 9: expected a string" },
	{ "{\"id\":1 \"x\":2}", NULL, NULL, "byte 9: expected ',' or '}'" },
	{ "{,\"id\":1}", NULL, NULL, "byte 2: expected a string" },
	{ "{\"x\":[{\"a\":\"\\q\"}]}", NULL, NULL, "byte 14: bad escape" },
	{ "{\"id\":1", NULL, NULL, "byte 8: expected ',' or '}'" },
};

static bool
is(struct slice s, const char *want)
{
	return want ? slice_is(s, want) : !s.p;
}

static void
test_members(void)
{
	static const char *const key[] = { "document", "id" };
	struct slice val[2];
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < COUNT(members); i++) {
		struct slice text = exact(slice_str(members[i].text));
		int r = json_members(text, key, val, 2, &e);

		ok(members[i].message ? r == -1 &&
		    strcmp(e.msg, members[i].message) == 0 : r == 0 &&
		    is(val[0], members[i].document) &&
		    is(val[1], members[i].id), "members of %s: %s",
		    shown_str(members[i].text), r ? e.msg : "");
		drop(text);
	}
}

static void
test_elements(void)
{
	static const struct {
		const char *text, *joined;	/* by '|'; NULL: an error */
		const char *message;
	} t[] = {
		{ "[]", "", NULL },
		{ " [ ] ", "", NULL },
		{ "[1]", "1|", NULL },
		{ " [ 1 , \"a,]\" , [2,3] ] ", "1|\"a,]\"|[2,3]|", NULL },
		{ "{}", NULL, "byte 1: expected '['" },
		{ "[", NULL, "byte 2: expected a value" },
		{ "[1,]", NULL, "byte 4: expected a value" },
		{ "[1 2]", NULL, "byte 4: expected ',' or ']'" },
		{ "[1]2", NULL, "byte 4: text after the array" },
	};
	struct json_iter it;
	struct slice val;
	struct buf b = { 0 };
	struct err e = { 0 };
	size_t i;
	int r;

	for (i = 0; i < COUNT(t); i++) {
		b.len = 0;
		r = json_array(&it, slice_str(t[i].text), &e);
		while (r >= 0 && (r = json_element(&it, &val)) > 0) {
			buf_add(&b, val.p, val.len);
			buf_addc(&b, '|');
		}
		ok(t[i].joined ? r == 0 && slice_is(buf_slice(&b), t[i].joined)
		    : r == -1 && strcmp(e.msg, t[i].message) == 0,
		    "elements of %s", t[i].text);
	}
	buf_release(&b);
}

/* ---- scalars ---- */

static void
test_numbers(void)
{
	uint64_t u = 0;
	int64_t v = 0;

	ok(json_u63(slice_str("0"), &u) == 0 && u == 0, "0");
	ok(json_u63(slice_str("9223372036854775807"), &u) == 0 &&
	    u == INT64_MAX, "2^63 - 1");
	ok(json_u63(slice_str("9223372036854775808"), &u) == -1, "2^63");
	ok(json_u63(slice_str("-1"), &u) == -1, "-1 as unsigned");
	ok(json_u63(slice_str("1.0"), &u) == -1, "1.0");
	ok(json_u63(slice_str("1e3"), &u) == -1, "1e3");
	ok(json_u63(slice_str("\"1\""), &u) == -1, "a string");
	ok(json_u63(slice_str(NULL), &u) == -1, "absent");
	ok(json_i64(slice_str("-9223372036854775808"), &v) == 0 &&
	    v == INT64_MIN, "-2^63");
	ok(json_i64(slice_str("-9223372036854775809"), &v) == -1, "-2^63 - 1");
	ok(json_i64(slice_str(NULL), &v) == -1, "absent");
}

/* A string, and what it says; lone surrogates in WTF-8. */
static const struct {
	struct slice text, says;
} strings[] = {
	{ SLICE("\"\""), SLICE("") },
	{ SLICE("\"a\""), SLICE("a") },
	{ SLICE("\"\\u0000\""), SLICE("\0") },
	{ SLICE("\"\\ud83d\\ude00\""), SLICE("\xf0\x9f\x98\x80") },
	{ SLICE("\"\\ud83d\""), SLICE("\xed\xa0\xbd") },
	{ SLICE("\"\\ude00\\ud83d\""), SLICE("\xed\xb8\x80\xed\xa0\xbd") },
	{ SLICE("\"a\\\\\\\"\\/\\b\\f\\n\\r\\tb\""),
	    SLICE("a\\\"/\b\f\n\r\tb") },
	{ SLICE("\"\\u00ff\\uffff\""), SLICE("\xc3\xbf\xef\xbf\xbf") },
};

static void
test_strings(void)
{
	struct buf b = { 0 }, out = { 0 };
	size_t i;

	for (i = 0; i < COUNT(strings); i++) {
		struct slice text = exact(strings[i].text);

		b.len = out.len = 0;
		ok(json_string(text, &b) == 0 &&
		    slice_eq(buf_slice(&b), strings[i].says), "%s says %s",
		    shown(strings[i].text), shown(strings[i].says));
		ok(b.len <= text.len && utf8_valid_wtf8(b.p ? b.p : "", b.len),
		    "  which is short, and text");
		json_put_string(&out, buf_slice(&b));
		b.len = 0;
		ok(json_string(buf_slice(&out), &b) == 0 &&
		    slice_eq(buf_slice(&b), strings[i].says),
		    "  and comes back");
		drop(text);
	}
	ok(json_string(slice_str("1"), &b) == -1 &&
	    json_string(slice_str("null"), &b) == -1 &&
	    json_string(slice_str(NULL), &b) == -1, "no string");
	out.len = 0;
	json_put_string(&out, BYTES("a\xff" "b\xc3"));
	ok(slice_is(buf_slice(&out), "\"a\xef\xbf\xbd" "b\xef\xbf\xbd\""),
	    "bytes that are no text become U+FFFD");
	buf_release(&b);
	buf_release(&out);
}

/* What json.dumps of CPython 3.11 writes for the text that these bytes are
 * with errors="surrogateescape". */
static const struct {
	struct slice text, want;
} ascii[] = {
	{ SLICE(""), SLICE("\"\"") },
	{ SLICE("plain text, longer than a word"),
	    SLICE("\"plain text, longer than a word\"") },
	{ SLICE("\"\\/\b\f\n\r\t"), SLICE("\"\\\"\\\\/\\b\\f\\n\\r\\t\"") },
	{ SLICE("\0\x1f\x7f"), SLICE("\"\\u0000\\u001f\\u007f\"") },
	{ SLICE("01234567\x7f"), SLICE("\"01234567\\u007f\"") },
	{ SLICE("0123\x7f" "567"), SLICE("\"0123\\u007f567\"") },
	{ SLICE("\xc2\x80\xc3\xa9"), SLICE("\"\\u0080\\u00e9\"") },
	{ SLICE("\xe2\x82\xac\xef\xbf\xbf"), SLICE("\"\\u20ac\\uffff\"") },
	{ SLICE("\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf"),
	    SLICE("\"\\ud83d\\ude00\\udbff\\udfff\"") },
	{ SLICE("a\xff\xfe" "b"), SLICE("\"a\\udcff\\udcfeb\"") },
	{ SLICE("\xed\xa0\x80"), SLICE("\"\\udced\\udca0\\udc80\"") },
	{ SLICE("\xc3"), SLICE("\"\\udcc3\"") },
	{ SLICE("\xf0\x9f\x98"), SLICE("\"\\udcf0\\udc9f\\udc98\"") },
};

static void
test_ascii(void)
{
	struct buf b = { 0 };
	size_t i;

	for (i = 0; i < COUNT(ascii); i++) {
		struct slice text = exact(ascii[i].text);

		b.len = 0;
		json_put_ascii(&b, text);
		ok(slice_eq(buf_slice(&b), ascii[i].want), "ASCII of %s: %s",
		    shown(ascii[i].text), shown(buf_slice(&b)));
		drop(text);
	}
	buf_release(&b);
}

/* ---- floats ---- */

static const struct {
	const char *text;
	size_t n;
	uint32_t first, last;	/* bits */
	const char *message;	/* NULL: taken */
} floats[] = {
	{ "[]", 0, 0, 0, NULL },
	{ "[ ]", 0, 0, 0, NULL },
	{ "[1]", 1, 0x3f800000, 0x3f800000, NULL },
	{ "[ 1 ,\t-2.5\n, 1e-45 ]", 3, 0x3f800000, 1, NULL },
	{ "[-0,-0.0]", 2, 0x80000000, 0x80000000, NULL },
	{ "[1e-60]", 1, 0, 0, NULL },
	{ "1", 0, 0, 0, "not an array of numbers" },
	{ "null", 0, 0, 0, "not an array of numbers" },
	{ "{}", 0, 0, 0, "not an array of numbers" },
	{ "[null]", 0, 0, 0, "component 1: not a number" },
	{ "[1,\"2\"]", 0, 0, 0, "component 2: not a number" },
	{ "[1,[2]]", 0, 0, 0, "component 2: not a number" },
	{ "[1,]", 0, 0, 0, "component 2: not a number" },
	{ "[1 2]", 0, 0, 0, "component 1: not a number" },
	{ "[1a]", 0, 0, 0, "component 1: not a number" },
	{ "[01]", 0, 0, 0, "component 1: not a number" },
	{ "[NaN]", 0, 0, 0, "component 1: not a number" },
	{ "[1,2,3.5e38]", 0, 0, 0,
	    "component 3: beyond the range of float32" },
	{ "[-1e999]", 0, 0, 0, "component 1: beyond the range of float32" },
	{ "[", 0, 0, 0, "component 1: not a number" },
	{ "[1", 0, 0, 0, "component 1: not a number" },
};

static void
test_floats(void)
{
	struct buf b = { 0 };
	struct err e = { 0 };
	uint8_t le[12];
	size_t i;

	for (i = 0; i < COUNT(floats); i++) {
		struct slice text = exact(slice_str(floats[i].text));
		int r;

		b.len = 0;
		r = json_floats(text, &b, &e);
		ok(floats[i].message ? r == -1 &&
		    strcmp(e.msg, floats[i].message) == 0 : r == 0 &&
		    b.len == 4 * floats[i].n && (b.len == 0 ||
		    (le_u32(b.p) == floats[i].first &&
		    le_u32(b.p + b.len - 4) == floats[i].last)),
		    "floats %s: %s", shown_str(floats[i].text), r ? e.msg : "");
		drop(text);
	}
	ok(json_floats(slice_str(NULL), &b, &e) == -1, "floats of nothing");
	le_put_u32(le, 0x3f800000);
	le_put_u32(le + 4, 0x80000000);
	le_put_u32(le + 8, 0x7f800000);
	b.len = 0;
	buf_addc(&b, 'x');
	ok(json_put_floats(&b, le, 2) &&
	    slice_is(buf_slice(&b), "x[1,-0.0]"), "floats written");
	ok(!json_put_floats(&b, le, 3) &&
	    slice_is(buf_slice(&b), "x[1,-0.0]"), "not one that is infinite");
	b.len = 0;
	ok(json_put_floats(&b, le, 0) && slice_is(buf_slice(&b), "[]"), "none");
	b.len = 0;
	json_put_base64(&b, "abcd", 4);
	ok(slice_is(buf_slice(&b), "\"YWJjZA==\""), "base64");
	buf_release(&b);
}

/* ---- writing ---- */

static const struct {
	double v;
	const char *text;
} doubles[] = {
	{ 0, "0.0" }, { -0.0, "-0.0" }, { 1, "1.0" }, { 0.1, "0.1" },
	{ 1e15, "1e+15" }, { 1e300, "1e+300" }, { 1.5e-7, "1.5e-07" },
	{ 0.1 + 0.2, "0.30000000000000004" }, { 123456, "123456.0" },
	{ 5e-324, "4.94065645841247e-324" },
	{ 1.7976931348623157e308, "1.7976931348623157e+308" },
	{ HUGE_VAL, "null" }, { -HUGE_VAL, "null" },
};

static void
test_writer(void)
{
	struct buf b = { 0 };
	struct jsonw w = { .b = &b };
	size_t i;

	json_open(&w, NULL, '{');
	json_str(&w, "s", BYTES("a\n\xed\xa0\x80"));
	json_str(&w, "none", slice_str(NULL));
	json_cstr(&w, "c\"", "x");
	json_cstr(&w, "cnone", NULL);
	json_int(&w, "i", INT64_MIN);
	json_bool(&w, "t", true);
	json_bool(&w, "f", false);
	json_null(&w, "n");
	json_open(&w, "a", '[');
	json_int(&w, NULL, 1);
	json_open(&w, NULL, '[');
	json_close(&w, ']');
	json_open(&w, NULL, '{');
	json_raw(&w, "r", slice_str("[1]"));
	json_close(&w, '}');
	json_close(&w, ']');
	json_real(&w, "x", 1.25, 1);
	json_real(&w, "y", 2, 3);
	json_real(&w, "z", 0.1239, 3);
	json_close(&w, '}');
	ok(slice_is(buf_slice(&b), "{\"s\":\"a\\n\\ud800\",\"none\":null,"
	    "\"c\\\"\":\"x\",\"cnone\":null,\"i\":-9223372036854775808,"
	    "\"t\":true,\"f\":false,\"n\":null,\"a\":[1,[],{\"r\":[1]}],"
	    "\"x\":1.2,\"y\":2.0,\"z\":0.124}"), "%s", shown(buf_slice(&b)));
	for (i = 0; i < COUNT(doubles); i++) {
		b.len = 0;
		w.comma = false;
		json_double(&w, NULL, doubles[i].v);
		ok(slice_is(buf_slice(&b), doubles[i].text), "%s", shown(
		    buf_slice(&b)));
	}
	buf_release(&b);
}

int
main(void)
{
	test_canonical();
	test_bad();
	test_depth();
	test_members();
	test_elements();
	test_numbers();
	test_strings();
	test_ascii();
	test_floats();
	test_writer();
	return tap_done();
}
