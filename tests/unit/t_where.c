/* SPDX-License-Identifier: Apache-2.0 */
/* t_where - Chroma's filters: what is refused, what is selected, and the
 * answers that a real Chroma gave. */
#include "stream/where.h"

#include "stream/json.h"

#include "../scratch.h"
#include "../tap.h"
#include "../vectors.h"

/* The bytes in a block of exactly their size, so that asan sees every read
 * beyond them. */
static struct slice
exact(struct slice s)
{
	char *p;

	if (!s.p)
		return s;
	p = malloc(s.len ? s.len : 1);
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

static int
parse(struct where **w, struct slice json, enum where_kind kind, struct err *e)
{
	struct slice copy = exact(json);
	int r = where_parse(w, copy, kind, e);

	drop(copy);		/* nothing of it is needed any more */
	return r;
}

/* ---- what is refused ---- */

struct refusal {
	const char *json, *message;
};

static const struct refusal refused[] = {
	{ "", "byte 1: expected a value" },
	{ "{\"a\":1", "byte 7: expected ',' or '}'" },
	{ "{'a':1}", "byte 2: strings of JSON stand in double quotes" },
	{ "{\"a\":True}", "byte 6: JSON writes true" },
	{ "{\"a\":False}", "byte 6: JSON writes false" },
	{ "{\"a\":None}",
	    "byte 6: JSON writes null, which Chroma does not filter by" },
	{ "{\"a\":NaN}", "byte 6: Chroma does not filter by NaN" },
	{ "{\"a\":-Infinity}",
	    "byte 7: Chroma does not filter by infinity" },
	{ "{\"a\":01}", "byte 7: expected ',' or '}'" },
	{ "{\"a\":\"\xff\"}", "the filter is not UTF-8" },
	{ "{\"a\":1}}", "byte 8: text after the value" },
	{ "null", "byte 1: a filter is an object with one member, not null" },
	{ "  7", "byte 3: a filter is an object with one member, not 7" },
	{ "[{\"a\":1}]",
	    "byte 1: a filter is an object with one member, not [{\"a\":1}]" },
	{ " {}", "byte 2: a filter has no member, but wants exactly one; to "
	    "select everything, leave the filter out" },
	{ "{\"a\":1,\"b\":2}", "byte 8: a filter has more than one member: put "
	    "each into an object of its own, in a list under \"$and\"" },
	{ "{\"a\":1,\"a\":1}", "byte 8: a filter has more than one member: put "
	    "each into an object of its own, in a list under \"$and\"" },
	{ "{\"a\":{}}", "byte 6: the condition on a key has no member, but "
	    "wants exactly one" },
	{ "{\"a\":{\"$gt\":1,\"$lt\":5}}", "byte 15: the condition on a key "
	    "has more than one member: put each into an object of its own, in "
	    "a list under \"$and\"" },
	{ "{\"$and\":{}}", "byte 9: \"$and\" takes a list of filters, not {}" },
	{ "{\"$or\":[{\"a\":1}]}", "byte 8: \"$or\" wants two filters or more; "
	    "one alone stands without it" },
	{ "{\"\\u0024or\":[]}", "byte 13: \"$or\" wants two filters or more; "
	    "one alone stands without it" },
	{ "{\"$and\":[{\"a\":1},{}]}", "byte 18: a filter has no member, but "
	    "wants exactly one" },
	{ "{\"$not\":{\"a\":1}}", "byte 2: \"$not\" is no key of metadata: "
	    "none begins with \"$\"; conditions are written {\"key\": "
	    "{\"$gt\": 1}}" },
	{ "{\"$contains\":\"x\"}", "byte 2: \"$contains\" is no key of "
	    "metadata; documents are searched with where_document, or with "
	    "the key \"#document\"" },
	{ "{\"a\":[1,2]}", "byte 6: \"a\": a list is no operand by itself; "
	    "write {\"$in\": [...]}" },
	{ "{\"a\":null}", "byte 6: \"a\" takes a string, a number, true or "
	    "false, not null; for records without the key there is no "
	    "operator but \"$ne\" and \"$nin\"" },
	{ "{\"a\":{\"gt\":1}}", "byte 7: \"gt\" is not an operator; there are "
	    "$eq $ne $gt $gte $lt $lte $in $nin $contains $not_contains" },
	{ "{\"a\":{\"$and\":[1,2]}}", "byte 7: \"$and\" joins whole filters: "
	    "{\"$and\": [{\"k\": {\"$gt\": 1}}, {\"k\": {\"$lt\": 5}}]}" },
	{ "{\"a\":{\"$regex\":\"x\"}}", "byte 7: \"$regex\" is for documents "
	    "only, in a where_document" },
	{ "{\"a\":{\"$eq\":[1]}}", "byte 13: \"$eq\" takes one value, not a "
	    "list; several are joined with \"$or\", or \"$in\" where they are "
	    "to be equal" },
	{ "{\"a\":{\"$gt\":\"x\"}}",
	    "byte 13: \"$gt\" compares numbers only, not \"x\"" },
	{ "{\"a\":{\"$lte\":true}}",
	    "byte 14: \"$lte\" compares numbers only, not true" },
	{ "{\"a\":{\"$in\":1}}", "byte 13: \"$in\" takes a list, such as "
	    "[\"a\", \"b\"], not 1" },
	{ "{\"a\":{\"$nin\":[]}}", "byte 14: the list of \"$nin\" is empty, "
	    "which Chroma refuses" },
	{ "{\"a\":{\"$in\":[[1]]}}", "byte 14: the list of \"$in\" holds "
	    "strings, numbers, or true and false, not [1]" },
	{ "{\"a\":{\"$in\":[1,\"x\"]}}", "byte 16: the values of \"$in\" are "
	    "of one type; 1 and \"x\" are not" },
	{ "{\"a\":{\"$in\":[1,2.5]}}", "byte 16: the values of \"$in\" are of "
	    "one type; 1 and 2.5 are not (integers and floats: write 1.0 for "
	    "1)" },
	{ "{\"a\":9223372036854775808}", "byte 6: 9223372036854775808: Chroma "
	    "takes no integer from 2^63 up to 2^64; write it with a point "
	    "(9223372036854775808.0)" },
	{ "{\"a\":1e309}", "byte 6: 1e309 is beyond the range of float" },
	{ "{\"a\":{\"$in\":[1,-9223372036854775809]}}", "byte 16: "
	    "-9223372036854775809: an integer beyond 64 bits in a list that "
	    "begins with one within; write all with a point" },
	{ "{\"a\":\"\\ud800\"}", "byte 6: a lone surrogate, which is no "
	    "character; Chroma takes no such text" },
	{ "{\"#document\":\"x\"}", "byte 2: \"#document\" takes only "
	    "$contains and $not_contains; to compare the whole document use "
	    "the key \"chroma:document\"" },
	{ "{\"#document\":{\"$contains\":1}}", "byte 27: \"$contains\" of "
	    "\"#document\" takes a string, not 1" },
	{ "{\"a\":\"a long text of more than forty bytes, \xc3\xa9\xc3\xa9, "
	    "cut\",\"b\":1}", "byte 56: a filter has more than one member: "
	    "put each into an object of its own, in a list under \"$and\"" },
	{ "{\"a\":{\"$gt\":\"0123456789012345678901234567890123456789\"}}",
	    "byte 13: \"$gt\" compares numbers only, not "
	    "\"012345678901234567890123456789012345678" },
	{ "{\"a\":{\"$gt\":\"01234567890123456789012345678901234567"
	    "\xc3\xa9\"}}", "byte 13: \"$gt\" compares numbers only, not "
	    "\"01234567890123456789012345678901234567" },
};

static const struct refusal refused_document[] = {
	{ "{}", "byte 1: a document filter has no member, but wants exactly "
	    "one; to select everything, leave the filter out" },
	{ "\"x\"", "byte 1: a document filter is an object with one member, "
	    "not \"x\"" },
	{ "{\"a\":\"x\"}", "byte 2: \"a\" is not an operator on documents; "
	    "there are $contains $not_contains $regex $not_regex $and $or" },
	{ "{\"$contains\":\"\"}", "byte 14: \"$contains\" takes a string that "
	    "is not empty, not \"\"" },
	{ "{\"$not_contains\":1}", "byte 18: \"$not_contains\" takes a string "
	    "that is not empty, not 1" },
	{ "{\"$regex\":\"\"}", "byte 11: \"$regex\" takes a string that is "
	    "not empty, not \"\"" },
	{ "{\"$and\":[{\"$contains\":\"a\"}]}", "byte 9: \"$and\" wants two "
	    "filters or more; one alone stands without it" },
	{ "{\"$contains\":\"a\",\"$not_contains\":\"b\"}", "byte 18: a "
	    "document filter has more than one member: put each into an "
	    "object of its own, in a list under \"$and\"" },
};

static void
test_refused(const struct refusal *t, size_t n, enum where_kind kind)
{
	struct where *w;
	struct err e;
	size_t i;

	for (i = 0; i < n; i++) {
		e = (struct err){ 0 };
		ok(parse(&w, slice_str(t[i].json), kind, &e) == -1 &&
		    e.status == STATUS_USAGE &&
		    strcmp(e.msg, t[i].message) == 0, "refused: %s",
		    shown_str(t[i].json));
		if (strcmp(e.msg, t[i].message) != 0)
			printf("# got: %s\n", e.msg);
	}
}

/* Both places are in the message: in the filter, and in the pattern. */
static void
test_pattern(void)
{
	static const char head[] = "byte 15: pattern: byte 3: ";
	struct where *w;
	struct err e = { 0 };

	ok(parse(&w, BYTES("{\"$not_regex\":\"ab\\\\p{foo}\"}"),
	    WHERE_DOCUMENT, &e) == -1 && e.status == STATUS_USAGE &&
	    strncmp(e.msg, head, strlen(head)) == 0, "a pattern refused");
}

/* $and in $and, in the end around {"a":1}; levels of nesting in all. */
static int
parse_nested(int levels, struct err *e)
{
	struct buf b = { 0 };
	struct where *w = NULL;
	int i, r;

	for (i = 1; i < levels; i += 2)
		buf_adds(&b, "{\"$and\":[{\"b\":1},");
	buf_adds(&b, "{\"a\":1}");
	for (i = 1; i < levels; i += 2)
		buf_adds(&b, "]}");
	r = parse(&w, buf_slice(&b), WHERE_METADATA, e);
	where_free(r == 0 ? w : NULL);
	buf_release(&b);
	return r;
}

static void
test_nesting(void)
{
	struct err e = { 0 };

	ok(parse_nested(JSON_DEPTH_MAX - 1, &e) == 0, "nested %d deep",
	    JSON_DEPTH_MAX - 1);
	ok(parse_nested(JSON_DEPTH_MAX + 1, &e) == -1 &&
	    e.status == STATUS_USAGE && strstr(e.msg, "nested too deeply"),
	    "nested %d deep: refused", JSON_DEPTH_MAX + 1);
}

/* ---- one record, one filter ---- */

static const struct {
	const char *filter, *metadata;
	int want;
	const char *message;	/* where want is -1 */
} single[] = {
	/* the metadata as the log may have it */
	{ "{\"a\":1}", " { \"b\" : 2 , \"a\" : 1 } ", 1, NULL },
	{ "{\"a\":1}", NULL, 0, NULL },
	{ "{\"a\":{\"$ne\":1}}", NULL, 1, NULL },
	{ "{\"a\":1}", "{}", 0, NULL },
	{ "{\"a\":1}", "{\"a\":2,\"a\":1}", 1, NULL },
	{ "{\"a\":1}", "{\"a\":1,\"a\":2}", 0, NULL },
	{ "{\"a\":1}", "{\"a\":1,\"a\":null}", 0, NULL },
	{ "{\"a\":1}", "{\"\\u0061\":1}", 1, NULL },
	{ "{\"\\u0061\":1}", "{\"a\":1}", 1, NULL },
	{ "{\"a\":1}", "{\"aa\":1,\"b\":1,\"\":1}", 0, NULL },
	{ "{\"\":1}", "{\"\":1}", 1, NULL },
	{ "{\"a\\u0000b\":1}", "{\"a\\u0000b\":1}", 1, NULL },
	{ "{\"a\\u0000b\":1}", "{\"a\\u0000c\":1}", 0, NULL },
	{ "{\"a\":\"\xc3\xa9\"}", "{\"a\":\"\\u00e9\"}", 1, NULL },
	{ "{\"a\":\"\\u00e9\"}", "{\"a\":\"\xc3\xa9\"}", 1, NULL },
	{ "{\"a\":\"\xf0\x9f\x98\x80\"}", "{\"a\":\"\\ud83d\\ude00\"}", 1,
	    NULL },
	{ "{\"a\":\"x\"}", "{\"a\":\"\\ud800\"}", 0, NULL },
	{ "{\"a\":\"\\\\\\\"\"}", "{\"a\":\"\\\\\\\"\"}", 1, NULL },
	{ "{\"a\":{\"$in\":[\"bb\",\"a\",\"ccc\"]}}", "{\"a\":\"ccc\"}", 1,
	    NULL },
	{ "{\"a\":{\"$in\":[\"bb\",\"a\",\"ccc\"]}}", "{\"a\":\"\"}", 0,
	    NULL },
	{ "{\"a\":{\"$in\":[\"bb\",\"\"]}}", "{\"a\":\"\"}", 1, NULL },
	{ "{\"\xc3\xa9\":1}", "{\"\\u00e9\":1}", 1, NULL },
	/* values of other kinds */
	{ "{\"a\":1}", "{\"a\":{\"a\":1}}", 0, NULL },
	{ "{\"a\":{\"$ne\":1}}", "{\"a\":{\"indices\":[1],\"values\":[1]}}", 1,
	    NULL },
	{ "{\"a\":{\"$gt\":0}}", "{\"a\":NaN}", 0, NULL },
	{ "{\"a\":{\"$gt\":0}}", "{\"a\":Infinity}", 0, NULL },
	{ "{\"a\":{\"$lt\":0}}", "{\"a\":-Infinity}", 0, NULL },
	{ "{\"a\":{\"$gt\":0}}", "{\"a\":1e999}", 0, NULL },
	{ "{\"b\":1}", "{\"a\":NaN,\"b\":1,\"c\":[-Infinity,NaN]}", 1, NULL },
	{ "{\"a\":true}", "{\"a\":true}", 1, NULL },
	{ "{\"a\":1}", "{\"a\":true}", 0, NULL },
	{ "{\"a\":true}", "{\"a\":1}", 0, NULL },
	{ "{\"a\":false}", "{\"a\":null}", 0, NULL },
	/* numbers */
	{ "{\"a\":1.5}", "{\"a\":1}", 1, NULL },
	{ "{\"a\":1.5}", "{\"a\":1.0}", 0, NULL },
	{ "{\"a\":0}", "{\"a\":-0}", 1, NULL },
	{ "{\"a\":{\"$contains\":0}}", "{\"a\":[-0]}", 0, NULL },
	{ "{\"a\":{\"$contains\":0.0}}", "{\"a\":[-0]}", 1, NULL },
	{ "{\"a\":-0}", "{\"a\":0}", 1, NULL },
	{ "{\"a\":{\"$contains\":-0}}", "{\"a\":[0]}", 1, NULL },
	{ "{\"a\":9223372036854775807}", "{\"a\":9223372036854775807}", 1,
	    NULL },
	{ "{\"a\":9223372036854775807}", "{\"a\":9223372036854775808}", 1,
	    NULL },
	{ "{\"a\":9223372036854775807}", "{\"a\":9223372036854775806}", 0,
	    NULL },
	{ "{\"a\":1e300}", "{\"a\":9223372036854775807}", 1, NULL },
	{ "{\"a\":-1e300}", "{\"a\":-9223372036854775808}", 1, NULL },
	{ "{\"a\":{\"$gt\":1e19}}", "{\"a\":9223372036854775807}", 0, NULL },
	{ "{\"a\":{\"$in\":[18446744073709551616,9007199254740993]}}",
	    "{\"a\":9007199254740992}", 1, NULL },
	{ "{\"a\":{\"$in\":[18446744073709551616,9007199254740993]}}",
	    "{\"a\":9007199254740993}", 0, NULL },
	{ "{\"a\":{\"$in\":[18446744073709551616,9223372036854775808]}}",
	    "{\"a\":9223372036854775808}", 1, NULL },
	{ "{\"a\":0.42451918914251396}", "{\"a\":0.42451918914251396}", 1,
	    NULL },
	{ "{\"a\":0.42451918914251396}", "{\"a\":0.4245191891425139}", 1,
	    NULL },
	{ "{\"a\":0.42451918914251396000}", "{\"a\":0.42451918914251396}", 1,
	    NULL },
	{ "{\"a\":99098.964486881508}", "{\"a\":99098.96448688151}", 1,
	    NULL },
	{ "{\"a\":1e15}", "{\"a\":1e15}", 1, NULL },
	{ "{\"a\":-6e18}", "{\"a\":-6000000000000000000}", 1, NULL },
	{ "{\"a\":{\"$in\":[3.5,1.5,2.5]}}", "{\"a\":1.5}", 1, NULL },
	{ "{\"a\":{\"$in\":[3.5,1.5,2.5]}}", "{\"a\":3.5}", 1, NULL },
	{ "{\"a\":{\"$in\":[3.5,1.5,2.5]}}", "{\"a\":2.4}", 0, NULL },
	/* arrays */
	{ "{\"a\":{\"$contains\":1}}", "{\"a\":[3,2,1]}", 1, NULL },
	{ "{\"a\":{\"$contains\":1}}", "{\"a\":[1.0,2.0]}", 0, NULL },
	{ "{\"a\":{\"$contains\":1.0}}", "{\"a\":[1,2]}", 0, NULL },
	{ "{\"a\":{\"$contains\":1.0}}", "{\"a\":[1,2.5]}", 1, NULL },
	{ "{\"a\":{\"$contains\":1}}", "{\"a\":[1,2.5]}", 0, NULL },
	{ "{\"a\":{\"$contains\":1}}", "{\"a\":[1,9223372036854775808]}", 0,
	    NULL },
	{ "{\"a\":{\"$contains\":\"x\"}}", "{\"a\":[\"y\",\"\\u0078\"]}", 1,
	    NULL },
	{ "{\"a\":{\"$contains\":\"x\"}}", "{\"a\":[\"xx\"]}", 0, NULL },
	{ "{\"a\":{\"$contains\":\"\"}}", "{\"a\":[\"\"]}", 1, NULL },
	{ "{\"a\":{\"$contains\":\"x\"}}", "{\"a\":\"x\"}", 0, NULL },
	{ "{\"a\":{\"$contains\":\"x\"}}", "{\"a\":[\"x\",1]}", 0, NULL },
	{ "{\"a\":{\"$contains\":\"x\"}}", "{\"a\":[\"x\",null]}", 0, NULL },
	{ "{\"a\":{\"$contains\":true}}", "{\"a\":[false,true]}", 1, NULL },
	{ "{\"a\":{\"$contains\":true}}", "{\"a\":[1]}", 0, NULL },
	{ "{\"a\":{\"$contains\":false}}", "{\"a\":[true]}", 0, NULL },
	{ "{\"a\":{\"$contains\":2.5}}", "{\"a\":[2.5,NaN]}", 0, NULL },
	{ "{\"a\":{\"$contains\":1}}", "{\"a\":[]}", 0, NULL },
	{ "{\"a\":{\"$not_contains\":1}}", "{\"a\":[]}", 1, NULL },
	{ "{\"a\":\"x\"}", "{\"a\":[\"x\"]}", 0, NULL },
	/* all of a tree, and no more than it needs */
	{ "{\"$or\":[{\"a\":1},{\"b\":1}]}", "{\"b\":1}", 1, NULL },
	{ "{\"$and\":[{\"a\":1},{\"b\":1}]}", "{\"b\":1}", 0, NULL },
	{ "{\"$and\":[{\"a\":1},{\"a\":{\"$lt\":2}}]}", "{\"a\":1}", 1, NULL },
	{ "{\"$or\":[{\"a\":1},{\"b\":1}]}", "{\"a\":1,\"b\":-}", 1, NULL },
	/* no metadata */
	{ "{\"a\":1}", "[]", -1, "byte 1: expected '{'" },
	{ "{\"a\":1}", "{\"a\":1", -1, "byte 7: expected ',' or '}'" },
	{ "{\"a\":1}", "{\"b\":1,}", -1, "byte 8: expected a string" },
	{ "{\"a\":1}", "{\"b\": 1, \"a\": 1x}", -1,
	    "byte 15: 1x is not a value of JSON" },
	{ "{\"a\":1}", "{\"a\":truth}", -1,
	    "byte 6: truth is not a value of JSON" },
	{ "{\"a\":{\"$contains\":1}}", "{\"a\":[1,nul]}", -1,
	    "byte 9: nul is not a value of JSON" },
	{ "{\"#document\":{\"$contains\":\"x\"}}", "[", 0, NULL },
};

static int
test_one(const char *filter, enum where_kind kind, struct where_record r,
    struct err *e)
{
	struct where *w;
	int got;

	if (parse(&w, slice_str(filter), kind, e) < 0)
		return -2;
	r.metadata = exact(r.metadata);
	r.document = exact(r.document);
	got = where_test(w, &r, e);
	if (got >= 0 && where_test(w, &r, e) != got)
		got = -3;		/* the same once more */
	drop(r.metadata);
	drop(r.document);
	where_free(w);
	return got;
}

static void
test_single(void)
{
	struct where_record r = { .stored = false };
	struct err e;
	size_t i;
	int got;

	for (i = 0; i < COUNT(single); i++) {
		e = (struct err){ 0 };
		r.metadata = slice_str(single[i].metadata);
		got = test_one(single[i].filter, WHERE_METADATA, r, &e);
		ok(got == single[i].want && (got >= 0 ||
		    (e.status == STATUS_DATA &&
		    strcmp(e.msg, single[i].message) == 0)), "%s on %s",
		    shown_str(single[i].filter), shown(r.metadata));
		if (got < 0 && single[i].want != got)
			printf("# %d: %s\n", got, e.msg);
	}
}

/* Numbers that Chroma has read once are not read so again. */
static void
test_stored(void)
{
	struct where_record r = {
		.metadata = BYTES("{\"a\":0.42451918914251396}"),
	};
	struct err e;

	ok(test_one("{\"a\":{\"$gt\":0.4245191891425139}}", WHERE_METADATA,
	    r, &e) == 0, "a float of the log");
	r.stored = true;
	ok(test_one("{\"a\":{\"$gt\":0.4245191891425139}}", WHERE_METADATA,
	    r, &e) == 1, "a stored float");
	r.metadata = BYTES("{\"a\":1e999}");
	ok(test_one("{\"a\":{\"$gt\":0}}", WHERE_METADATA, r, &e) == 0,
	    "a stored infinity");
}

/* ---- document and URI ---- */

static const struct {
	const char *filter;
	struct slice document;
	int want;
} documents[] = {
	{ "{\"$contains\":\"b\"}", SLICE("abc"), 1 },
	{ "{\"$contains\":\"B\"}", SLICE("abc"), 0 },
	{ "{\"$contains\":\"abcd\"}", SLICE("abc"), 0 },
	{ "{\"$contains\":\"b\"}", SLICE(""), 0 },
	{ "{\"$contains\":\"b\"}", { NULL, 0 }, 0 },
	{ "{\"$not_contains\":\"b\"}", { NULL, 0 }, 1 },
	{ "{\"$not_contains\":\"b\"}", SLICE("abc"), 0 },
	{ "{\"$contains\":\"_\"}", SLICE("abc"), 0 },
	{ "{\"$contains\":\"%\"}", SLICE("abc"), 0 },
	{ "{\"$contains\":\"\\\\\"}", SLICE("a\\c"), 1 },
	/* NUL */
	{ "{\"$contains\":\"b\"}", SLICE("a\0b"), 0 },
	{ "{\"$contains\":\"a\"}", SLICE("a\0b"), 1 },
	{ "{\"$contains\":\"b\\u0000\"}", SLICE("ab"), 1 },
	{ "{\"$contains\":\"b\\u0000x\"}", SLICE("ab\0y"), 1 },
	{ "{\"$contains\":\"a\\u0000\"}", SLICE("ab"), 0 },
	{ "{\"$contains\":\"abc\\u0000\"}", SLICE("bc"), 0 },
	{ "{\"$contains\":\"\\u0000x\"}", SLICE("ab"), 1 },
	{ "{\"$contains\":\"\\u0000x\"}", SLICE(""), 1 },
	{ "{\"$contains\":\"\\u0000x\"}", { NULL, 0 }, 0 },
	{ "{\"$not_contains\":\"b\\u0000\"}", SLICE("ab"), 0 },
	{ "{\"$and\":[{\"$contains\":\"a\"},{\"$contains\":\"b\"}]}",
	    SLICE("ab"), 1 },
	{ "{\"$or\":[{\"$contains\":\"x\"},{\"$not_contains\":\"b\"}]}",
	    SLICE("ab"), 0 },
	/* patterns; they see the whole text */
	{ "{\"$regex\":\"^a.b$\"}", SLICE("a\0b"), 1 },
	{ "{\"$regex\":\"\\u0000b\"}", SLICE("a\0b"), 1 },
	{ "{\"$not_regex\":\"^a.b$\"}", SLICE("a\0b"), 0 },
	{ "{\"$regex\":\"^$\"}", SLICE(""), 1 },
	{ "{\"$regex\":\"^$\"}", { NULL, 0 }, 0 },
	{ "{\"$not_regex\":\"^$\"}", { NULL, 0 }, 1 },
	{ "{\"$and\":[{\"$regex\":\"(?i)B\"},{\"$regex\":\"c$\"}]}",
	    SLICE("abc"), 1 },
	/* keys */
	{ "{\"#document\":{\"$contains\":\"\"}}", SLICE(""), 1 },
	{ "{\"#document\":{\"$contains\":\"\"}}", { NULL, 0 }, 0 },
	{ "{\"#document\":{\"$not_contains\":\"a\"}}", SLICE("a"), 0 },
	{ "{\"#document\":{\"$ne\":1}}", SLICE("a"), 1 },
	{ "{\"chroma:document\":\"a\"}", SLICE("a"), 1 },
	{ "{\"chroma:document\":\"a\"}", SLICE("ab"), 0 },
	{ "{\"chroma:document\":\"a\\u0000b\"}", SLICE("a\0b"), 1 },
	{ "{\"chroma:document\":{\"$ne\":\"a\"}}", { NULL, 0 }, 1 },
	{ "{\"chroma:document\":{\"$gt\":1}}", SLICE("a"), 0 },
	{ "{\"chroma:document\":{\"$contains\":\"a\"}}", SLICE("a"), 0 },
};

static void
test_documents(void)
{
	struct where_record r = { .metadata = BYTES("{\"#document\":1.5,"
	    "\"chroma:document\":\"x\"}") };
	enum where_kind kind;
	struct err e;
	size_t i;

	for (i = 0; i < COUNT(documents); i++) {
		r.document = documents[i].document;
		kind = documents[i].filter[2] == '$' ? WHERE_DOCUMENT :
		    WHERE_METADATA;
		ok(test_one(documents[i].filter, kind, r, &e) ==
		    documents[i].want, "%s on %s",
		    shown_str(documents[i].filter), r.document.p ?
		    shown(r.document) : "no document");
	}
	r = (struct where_record){ .uri = BYTES("http://a/") };
	ok(test_one("{\"chroma:uri\":\"http://a/\"}", WHERE_METADATA, r, &e) ==
	    1, "a URI");
	r.uri.p = NULL;
	ok(test_one("{\"chroma:uri\":\"http://a/\"}", WHERE_METADATA, r, &e) ==
	    0, "no URI");
}

/* A row of the log that is no JSON for others: all is in its column. */
static void
test_column(void)
{
	static const struct {
		const char *filter;
		int want, without;	/* as a column, and not */
	} column[] = {
		{ "{\"b\":2}", 1, 1 },
		{ "{\"a\":{\"$ne\":1}}", 1, 1 },
		{ "{\"chroma:document\":\"x\\ny\"}", 1, 0 },
		{ "{\"chroma:uri\":\"u\"}", 1, 0 },
		{ "{\"$and\":[{\"b\":2},{\"chroma:document\":\"x\\ny\"}]}",
		    1, 0 },
		{ "{\"$contains\":\"y\"}", 1, 0 },
		{ "{\"$not_contains\":\"y\"}", 0, 1 },
		{ "{\"$regex\":\"\\ny$\"}", 1, 0 },
		{ "{\"$and\":[{\"#document\":{\"$contains\":\"x\"}},{\"b\":2},"
		    "{\"chroma:uri\":\"u\"}]}", 1, 0 },
	};
	struct where_record r = { .metadata = BYTES("{\"a\": NaN, \"b\": 2, "
	    "\"chroma:document\": \"old\", \"\\u0063hroma:document\": "
	    "\"x\\ny\", \"chroma:uri\": \"u\"}") };
	enum where_kind kind;
	struct err e;
	size_t i;

	for (i = 0; i < COUNT(column); i++) {
		kind = column[i].filter[2] == '$' && column[i].filter[3] !=
		    'a' ? WHERE_DOCUMENT : WHERE_METADATA;
		r.column = true;
		ok(test_one(column[i].filter, kind, r, &e) == column[i].want,
		    "a column: %s", shown_str(column[i].filter));
		r.column = false;
		ok(test_one(column[i].filter, kind, r, &e) ==
		    column[i].without, "no column: %s",
		    shown_str(column[i].filter));
	}
	r.column = true;
	r.document = BYTES("other");
	ok(test_one("{\"$contains\":\"other\"}", WHERE_DOCUMENT, r, &e) == 1,
	    "a document beside the column");
	r = (struct where_record){ .column = true,
	    .metadata = BYTES("{\"chroma:document\":null}") };
	ok(test_one("{\"$regex\":\"^$\"}", WHERE_DOCUMENT, r, &e) == 0,
	    "a column without a document");
}

/* What where_needs_... say: m, d, u, or nothing. */
static void
test_needs(void)
{
	static const struct {
		const char *filter, *want;
	} needs[] = {
		{ "{\"a\":1}", "m" },
		{ "{\"chroma:document\":\"x\"}", "d" },
		{ "{\"chroma:uri\":{\"$ne\":\"x\"}}", "u" },
		{ "{\"#document\":{\"$contains\":\"x\"}}", "d" },
		{ "{\"#document\":{\"$ne\":1}}", "m" },
		{ "{\"$or\":[{\"#document\":{\"$contains\":\"x\"}},{\"a\":1},"
		    "{\"chroma:uri\":\"x\"}]}", "mdu" },
		{ "{\"$contains\":\"a\"}", "d" },
		{ "{\"$regex\":\"a\"}", "d" },
	};
	char got[4];
	struct where *w;
	struct err e;
	size_t i;

	for (i = 0; i < COUNT(needs); i++) {
		if (parse(&w, slice_str(needs[i].filter),
		    needs[i].filter[2] == '$' && needs[i].filter[3] != 'o' ?
		    WHERE_DOCUMENT : WHERE_METADATA, &e) < 0)
			scratch_die(e.msg);
		snprintf(got, sizeof(got), "%s%s%s",
		    where_needs_metadata(w) ? "m" : "",
		    where_needs_document(w) ? "d" : "",
		    where_needs_uri(w) ? "u" : "");
		ok(strcmp(got, needs[i].want) == 0, "%s needs %s",
		    needs[i].filter, needs[i].want);
		where_free(w);
	}
	where_free(NULL);
}

/* Many keys, and many values. */
static void
test_many(void)
{
	struct buf b = { 0 }, m = { 0 };
	struct where_record r = { .stored = true };
	struct where *w;
	struct err e;
	int i, right = 0;

	buf_adds(&b, "{\"$or\":[{\"v\":{\"$in\":[1000000");
	for (i = 0; i < 50000; i++)
		buf_addf(&b, ",%d", i * 7 % 50000 * 2);
	buf_adds(&b, "]}}");
	for (i = 0; i < 2000; i++)
		buf_addf(&b, ",{\"key%d\":%d}", i, i);
	buf_adds(&b, "]}");
	if (parse(&w, buf_slice(&b), WHERE_METADATA, &e) < 0)
		scratch_die(e.msg);
	for (i = 0; i < 2000; i++) {
		buf_reset(&m);
		buf_addf(&m, "{\"v\":%d,\"key%d\":%d}", i, i, i ^ (i & 2));
		r.metadata = buf_slice(&m);
		right += where_test(w, &r, &e) == (!(i & 1) || !(i & 2));
	}
	ok(right == 2000, "50001 values, 2001 keys");
	where_free(w);
	buf_release(&b);
	buf_release(&m);
}

/* ---- a real Chroma's answers ---- */

struct op {
	struct slice id;	/* with its quotes */
	struct where_record r;
	struct buf text;	/* the document's */
	bool wanted;
};

#define OPS_MAX 100

/* Operations that Chroma 1.5.9 refuses: nulls, keys that begin with "#" or
 * "$", arrays that are empty or mixed. */
static bool
never_stored(struct slice id)
{
	static const char *const name[] = { "\"anull\"", "\"kdollar\"",
	    "\"kdoc\"", "\"kid\"", "\"aempty\"", "\"amix\"", "\"amixs\"" };
	size_t i;

	for (i = 0; i < COUNT(name); i++)
		if (slice_is(id, name[i]))
			return true;
	return false;
}

/* Members of a line of the vectors; NaN may be in it. */
static void
take(struct slice line, const char *const name[], struct slice val[], size_t n)
{
	struct json_iter it;
	struct slice k, v;
	struct err e;
	size_t i;

	memset(val, 0, n * sizeof(*val));
	if (json_object(&it, line, &e) < 0)
		scratch_die(e.msg);
	it.nonfinite = true;
	while (json_next(&it, &k, &v) > 0)
		for (i = 0; i < n; i++)
			if (json_key_is(k, name[i]) && !slice_is(v, "null"))
				val[i] = v;
}

static size_t
read_ops(struct slice rest, struct op *op)
{
	static const char *const name[] = { "id", "metadata", "document" };
	struct slice line, val[3];
	size_t n = 0;

	while ((line = vectors_line(&rest)).p) {
		take(line, name, val, 3);
		if (never_stored(val[0]))
			continue;
		if (n == OPS_MAX)
			scratch_die("too many operations");
		op[n] = (struct op){ .id = val[0] };
		op[n].r.metadata = val[1];
		if (val[2].p && json_string(val[2], &op[n].text) == 0)
			op[n].r.document = buf_slice(&op[n].text);
		n++;
	}
	return n;
}

static void
mark_wanted(struct slice ids, struct op *op, size_t n)
{
	struct json_iter it;
	struct slice val;
	struct err e;
	size_t i;

	for (i = 0; i < n; i++)
		op[i].wanted = false;
	if (json_array(&it, ids, &e) < 0)
		scratch_die(e.msg);
	while (json_element(&it, &val) > 0) {
		for (i = 0; i < n && !slice_eq(op[i].id, val); i++)
			;
		if (i == n)
			scratch_die("an id that no operation has");
		op[i].wanted = true;
	}
}

/* Patterns that Chroma takes, and regex.h says that we do not. */
static size_t unsupported;

/* NULL, or what is wrong. */
static const char *
check_answer(struct slice filter, struct slice answer, struct op *op, size_t n)
{
	static const char *const part[] = { "where", "where_document" };
	static const char *const kind[] = { "ids", "error" };
	struct where *w[2] = { NULL, NULL };
	struct slice json[2], got[2];
	const char *why = NULL;
	struct err e;
	size_t i, k;
	int r = 0;

	take(filter, part, json, 2);
	take(answer, kind, got, 2);
	for (k = 0; k < 2 && r == 0; k++)
		if (json[k].p)
			r = parse(&w[k], json[k], k == 0 ? WHERE_METADATA :
			    WHERE_DOCUMENT, &e);
	if (r < 0 && strstr(e.msg, "is not supported here")) {
		unsupported++;
	} else if (got[1].p && slice_is(got[1], "\"InternalError\"")) {
		;	/* a limit of its own: too large when it compiled it */
	} else if (r < 0 || got[1].p) {
		why = r == 0 ? "should be refused" : got[0].p ? "refused" :
		    NULL;
	} else {
		mark_wanted(got[0], op, n);
		for (i = 0; i < n; i++) {
			for (k = 0, r = 1; k < 2 && r == 1; k++)
				if (w[k])
					r = where_test(w[k], &op[i].r, &e);
			if (r != op[i].wanted)
				why = "selects others";
		}
	}
	where_free(w[0]);
	where_free(w[1]);
	return why;
}

static void
test_vectors(const char *ops, const char *name)
{
	static struct op op[OPS_MAX];
	struct buf records = { 0 }, filters = { 0 }, answers = { 0 };
	static const char *const ids = "ids";
	struct slice f, a, filter, answer, asked;
	char file[3][64];
	const char *why;
	size_t n;

	snprintf(file[0], sizeof(file[0]), "%s.ops", ops);
	snprintf(file[1], sizeof(file[1]), "%s.filters", name);
	snprintf(file[2], sizeof(file[2]), "%s.1.5.9", name);
	vectors_read(file[0], &records);
	vectors_read(file[1], &filters);
	vectors_read(file[2], &answers);
	n = read_ops(buf_slice(&records), op);
	f = buf_slice(&filters);
	a = buf_slice(&answers);
	while ((filter = vectors_line(&f)).p) {
		answer = vectors_line(&a);
		take(filter, &ids, &asked, 1);
		if (asked.p)		/* for ids too: not a filter's work */
			continue;
		why = check_answer(filter, answer, op, n);
		ok(!why, "%s: %s", name, shown(filter));
		if (why)
			printf("# %s\n", why);
	}
	ok(a.len == 0, "%s: as many answers", name);
	while (n > 0)
		buf_release(&op[--n].text);
	buf_release(&records);
	buf_release(&filters);
	buf_release(&answers);
}

int
main(void)
{
	test_refused(refused, COUNT(refused), WHERE_METADATA);
	test_refused(refused_document, COUNT(refused_document),
	    WHERE_DOCUMENT);
	test_pattern();
	test_nesting();
	test_single();
	test_stored();
	test_documents();
	test_column();
	test_needs();
	test_many();
	test_vectors("nasty", "nasty-where");
	test_vectors("nasty", "nasty-numbers");
	test_vectors("nasty", "nasty-refused");
	test_vectors("cjk", "cjk");
	test_vectors("nasty", "nasty-document");
	test_vectors("nasty", "nasty-minus-u");
	test_vectors("small", "small");
	test_vectors("small", "small-class");
	test_vectors("unicode", "unicode");
	ok(unsupported <= 15, "properties not supported: %zu", unsupported);
	return tap_done();
}
