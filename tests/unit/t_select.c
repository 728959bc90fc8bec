/* SPDX-License-Identifier: Apache-2.0 */
/* t_select - names on a command line to collections. */
#include "chroma/select.h"

#include "../scratch.h"
#include "../tap.h"

#define ID_1 "11111111-aaaa-4000-8000-000000000001"
#define ID_2 "22222222-bbbb-4000-8000-000000000002"
#define ID_3 "33333333-cccc-4000-8000-000000000003"
#define ID_4 "44444444-dddd-4000-8000-000000000004"

static struct collection collections[] = {
	{ .id = ID_1, .name = "one", .tenant = "t", .database = "d" },
	{ .id = ID_2, .name = "two", .tenant = "t", .database = "d" },
	{ .id = ID_3, .name = "one", .tenant = "t", .database = "other" },
	{ .id = ID_4, .name = "lost" },		/* its database is gone */
};

static struct catalog catalog = { .collection = collections, .n = 4 };

/* What is selected, a digit each, or the message. */
static const struct {
	const char *only[3], *skip[3];
	const char *selected, *message;
} selections[] = {
	{ { NULL }, { NULL }, "1234", NULL },
	{ { "two" }, { NULL }, "2", NULL },
	{ { "two", "lost" }, { NULL }, "24", NULL },
	{ { "two", "two" }, { NULL }, "2", NULL },
	{ { NULL }, { "two" }, "134", NULL },
	{ { NULL }, { "two", "lost" }, "13", NULL },
	{ { "two", "lost" }, { "two" }, "4", NULL },
	{ { "two" }, { "two" }, "", NULL },
	{ { "t/d/one" }, { NULL }, "1", NULL },
	{ { "t/other/one" }, { NULL }, "3", NULL },
	{ { ID_3 }, { NULL }, "3", NULL },
	{ { "33333333-CCCC-4000-8000-000000000003" }, { NULL }, "3", NULL },
	{ { "Two" }, { NULL }, NULL, "no collection 'Two'; there are t/d/one, "
	    "t/d/two, t/other/one, " ID_4 },
	{ { "t/other/two" }, { NULL }, NULL, "no collection 't/other/two'; "
	    "there are t/d/one, t/d/two, t/other/one, " ID_4 },
	{ { "d/one" }, { NULL }, NULL, "no collection 'd/one'; there are "
	    "t/d/one, t/d/two, t/other/one, " ID_4 },
	{ { "" }, { NULL }, NULL, "no collection ''; there are t/d/one, "
	    "t/d/two, t/other/one, " ID_4 },
	{ { "one" }, { NULL }, NULL, "'one' is 2 collections: t/d/one, "
	    "t/other/one; name one as TENANT/DATABASE/NAME or by its id" },
	{ { NULL }, { "three" }, NULL, "no collection 'three'; there are "
	    "t/d/one, t/d/two, t/other/one, " ID_4 },
};

static size_t
count(const char *const list[3])
{
	size_t n = 0;

	while (n < 3 && list[n])
		n++;
	return n;
}

static void
test_selections(void)
{
	struct err e = { 0 };
	size_t i, k;

	for (i = 0; i < COUNT(selections); i++) {
		struct select sel = { selections[i].only,
		    count(selections[i].only), selections[i].skip,
		    count(selections[i].skip) };
		int r = select_apply(&catalog, &sel, &e);
		char got[8] = "";
		size_t n = 0;

		for (k = 0; k < catalog.n; k++)
			if (collections[k].selected)
				got[n++] = (char)('1' + k);
		ok(selections[i].message ? r == -1 &&
		    e.status == STATUS_USAGE &&
		    strcmp(e.msg, selections[i].message) == 0 : r == 0 &&
		    strcmp(got, selections[i].selected) == 0,
		    "only %s, skip %s: %s", sel.n_only ? sel.only[0] : "-",
		    sel.n_skip ? sel.skip[0] : "-", r ? e.msg : got);
	}
}

static void
test_messages(void)
{
	static struct collection many[10];
	static char names[10][16];
	static const char *const only[] = { "x" };
	struct select sel = { .only = only, .n_only = 1 };
	struct catalog c = { .collection = many };
	struct err e = { 0 };
	int i;

	ok(select_apply(&c, &sel, &e) == -1 && strcmp(e.msg,
	    "no collection 'x': there are none") == 0, "%s", e.msg);
	for (i = 0; i < 10; i++) {
		snprintf(names[i], sizeof(names[i]), "n%d", i);
		many[i] = (struct collection){ .id = ID_1, .name = names[i],
		    .tenant = "t", .database = "d" };
	}
	c.n = 1;
	ok(select_apply(&c, &sel, &e) == -1 && strcmp(e.msg,
	    "no collection 'x'; there is t/d/n0") == 0, "%s", e.msg);
	c.n = 8;
	ok(select_apply(&c, &sel, &e) == -1 && strstr(e.msg, "t/d/n7") &&
	    !strstr(e.msg, "..."), "%s", e.msg);
	c.n = 9;
	ok(select_apply(&c, &sel, &e) == -1 && strstr(e.msg, "t/d/n7, ...") &&
	    !strstr(e.msg, "n8"), "%s", e.msg);
}

static const struct {
	const char *spec, *id, *tenant, *database, *name;
	bool matches;
} matches[] = {
	{ "n", ID_1, "t", "d", "n", true },
	{ "n", NULL, NULL, NULL, "n", true },
	{ "n", ID_1, "t", "d", NULL, false },
	{ "n", ID_1, "t", "d", "nn", false },
	{ "N", ID_1, "t", "d", "n", false },
	{ ID_1, ID_1, NULL, NULL, NULL, true },
	{ "11111111-AAAA-4000-8000-000000000001", ID_1, "t", "d", "n", true },
	{ ID_1, ID_2, "t", "d", "n", false },
	{ ID_1 "0", ID_1, "t", "d", "n", false },
	{ "11111111", ID_1, "t", "d", "n", false },
	{ "t/d/n", ID_1, "t", "d", "n", true },
	{ "t/d/n", ID_1, "t", "e", "n", false },
	{ "t/d/n", ID_1, "u", "d", "n", false },
	{ "t/d/n", ID_1, "t", "d", "m", false },
	{ "t/d/n", ID_1, NULL, NULL, "n", false },
	{ "t/d/n", ID_1, "t", NULL, "n", false },
	{ "//n", ID_1, "", "", "n", true },
	{ "//n", ID_1, NULL, NULL, "n", false },
	{ "t/n", ID_1, "t", "d", "n", false },
	{ "", ID_1, "t", "d", "n", false },
};

int
main(void)
{
	size_t i;

	test_selections();
	test_messages();
	for (i = 0; i < COUNT(matches); i++)
		ok(select_matches(matches[i].spec, slice_str(matches[i].id),
		    slice_str(matches[i].tenant),
		    slice_str(matches[i].database),
		    slice_str(matches[i].name)) == matches[i].matches,
		    "'%s' and %s/%s/%s", matches[i].spec, matches[i].tenant ?
		    matches[i].tenant : "-", matches[i].database ?
		    matches[i].database : "-", matches[i].name ?
		    matches[i].name : "-");
	return tap_done();
}
