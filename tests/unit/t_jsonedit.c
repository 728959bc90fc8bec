/* SPDX-License-Identifier: Apache-2.0 */
/* t_jsonedit - one member changed, every other byte as it was. */
#include "stream/jsonedit.h"

#include <string.h>

#include "../scratch.h"
#include "../tap.h"

/* text, the path with blanks between its keys, what comes of it with the value
 * 7; NULL: refused with why. */
static const struct {
	const char *text, *path, *compact, *spaced, *why;
} t[] = {
	{ "{}", "a", "{\"a\":7}", "{\"a\": 7}", NULL },
	{ " { } ", "a", " {\"a\":7 } ", " {\"a\": 7 } ", NULL },
	{ "{\"a\":1}", "a", "{\"a\":7}", "{\"a\":7}", NULL },
	{ "{\"b\" : [1, 2 ] ,\"a\" :  null}\n", "a",
	    "{\"b\" : [1, 2 ] ,\"a\" :  7}\n",
	    "{\"b\" : [1, 2 ] ,\"a\" :  7}\n", NULL },
	{ "{\"b\":\"}{\\\"\" \n}", "a", "{\"b\":\"}{\\\"\",\"a\":7 \n}",
	    "{\"b\":\"}{\\\"\", \"a\": 7 \n}", NULL },
	{ "{\"x\":{\"y\":{\"a\":\"old\",\"z\":1}},\"a\":2}", "x y a",
	    "{\"x\":{\"y\":{\"a\":7,\"z\":1}},\"a\":2}",
	    "{\"x\":{\"y\":{\"a\":7,\"z\":1}},\"a\":2}", NULL },
	{ "{\"x\":{\"y\":{}},\"a\":2}", "x y a",
	    "{\"x\":{\"y\":{\"a\":7}},\"a\":2}",
	    "{\"x\":{\"y\":{\"a\": 7}},\"a\":2}", NULL },
	{ "{\"x\":{},\"a\":2}", "x y a",
	    "{\"x\":{\"y\":{\"a\":7}},\"a\":2}",
	    "{\"x\":{\"y\": {\"a\": 7}},\"a\":2}", NULL },
	{ "{\"x\":null,\"a\":2}", "x y a",
	    "{\"x\":{\"y\":{\"a\":7}},\"a\":2}",
	    "{\"x\":{\"y\": {\"a\": 7}},\"a\":2}", NULL },
	{ "{\"x\":{\"y\":null}}", "x y a", "{\"x\":{\"y\":{\"a\":7}}}",
	    "{\"x\":{\"y\":{\"a\": 7}}}", NULL },
	{ "{\"a\":2}", "x y a", "{\"a\":2,\"x\":{\"y\":{\"a\":7}}}",
	    "{\"a\":2, \"x\": {\"y\": {\"a\": 7}}}", NULL },
	{ "{\"\\u0061\":{\"b\":1}}", "a b", "{\"\\u0061\":{\"b\":7}}",
	    "{\"\\u0061\":{\"b\":7}}", NULL },
	{ "{\"x\":[]}", "x a", NULL, NULL, "\"x\" is not an object" },
	{ "{\"x\":\"\"}", "x a", NULL, NULL, "\"x\" is not an object" },
	{ "{\"x\":1}", "x y a", NULL, NULL, "\"x\" is not an object" },
	{ "{\"a\":1,\"a\":1}", "a", NULL, NULL, "\"a\" stands twice" },
	{ "{\"x\":{\"a\":1,\"\\u0061\":1}}", "x a", NULL, NULL,
	    "\"a\" stands twice" },
	{ "{\"x\":{\"a\":1}", "x a", NULL, NULL, "" },
	{ "{\"a\":1}}", "a", NULL, NULL, "" },
	{ "[]", "a", NULL, NULL, "" },
	{ "null", "a", NULL, NULL, "" },
	{ "7", "a", NULL, NULL, "" },
	{ "", "a", NULL, NULL, "" },
};

static size_t
split(char *words, const char *path[])
{
	size_t n = 0;
	char *word;

	for (word = strtok(words, " "); word; word = strtok(NULL, " "))
		path[n++] = word;
	return n;
}

static void
test_set(size_t i, enum jsonedit_style style, const char *want)
{
	char words[64];
	const char *path[8];
	struct buf out = { 0 };
	struct err e;
	size_t n;
	int r;

	snprintf(words, sizeof(words), "%s", t[i].path);
	n = split(words, path);
	buf_adds(&out, "before");
	r = jsonedit_set(slice_str(t[i].text), path, n, slice_str("7"), style,
	    &out, &e);
	ok(want ? r == 0 && out.len > 6 && strcmp(buf_str(&out) + 6,
	    want) == 0 : r == -1 && e.status == STATUS_DATA &&
	    (!*t[i].why || strcmp(e.msg, t[i].why) == 0), "%s: %s: %s",
	    shown_str(t[i].text), t[i].path, r ? e.msg :
	    shown(buf_slice(&out)));
	buf_release(&out);
}

static void
test_get(const char *text, const char *key, const char *next, int want,
    const char *value)
{
	const char *path[] = { key, next };
	struct slice is = slice_str("untouched");
	struct err e;
	int r = jsonedit_get(slice_str(text), path, next ? 2 : 1, &is, &e);

	ok(r == want && (r < 0 || (value ? slice_is(is, value) : !is.p)),
	    "get %s of %s", key, shown_str(text));
}

int
main(void)
{
	size_t i;

	for (i = 0; i < COUNT(t); i++) {
		test_set(i, JSONEDIT_COMPACT, t[i].compact);
		test_set(i, JSONEDIT_SPACED, t[i].spaced);
	}
	test_get("{\"a\": 1.0 }", "a", NULL, 1, "1.0");
	test_get("{\"a\": null}", "a", NULL, 0, NULL);
	test_get("{\"b\": 1}", "a", NULL, 0, NULL);
	test_get("{\"a\":{\"b\":[1]}}", "a", "b", 1, "[1]");
	test_get("{\"a\":null}", "a", "b", 0, NULL);
	test_get("{\"a\":{\"b\":null}}", "a", "b", 0, NULL);
	test_get("{\"a\":{}}", "a", "b", 0, NULL);
	test_get("{\"a\":1}", "a", "b", -1, NULL);
	test_get("[1]", "a", NULL, -1, NULL);
	return tap_done();
}
