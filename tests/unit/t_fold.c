/* SPDX-License-Identifier: Apache-2.0 */
/* t_fold - folded rows do what the rows did, to an id that is there and to one
 * that is not: chosen histories, and random ones beside a model. */
#include "stream/fold.h"

#include <stdlib.h>
#include <string.h>

#include "stream/json.h"

#include "../tap.h"

static struct fold fold;

/* ---- chosen ones ---- */

/* What rows point into. */
static struct kept {
	struct record_memory m;
	char *line;
	struct kept *next;
} *kept;

/* A row from a line, valid until forget(). */
static struct record
row_of(const char *line)
{
	struct kept *k = calloc(1, sizeof(*k));
	struct record r;
	struct err e;

	k->line = strdup(line);
	k->next = kept;
	kept = k;
	if (record_from_json(slice_str(k->line), FIELD_ALL, &r, &k->m,
	    &e) < 0) {
		printf("Bail out! %s: %s\n", line, e.msg);
		exit(1);
	}
	return r;
}

static void
forget(void)
{
	struct kept *k;

	while ((k = kept)) {
		kept = k->next;
		record_memory_release(&k->m);
		free(k->line);
		free(k);
	}
}

/* The rows that are left, as lines with a space between. */
static const char *
left(void)
{
	static struct buf out;
	const struct fold_row *row[2];
	int i, n = fold_rows(&fold, row);

	buf_reset(&out);
	for (i = 0; i < n; i++) {
		if (i)
			buf_addc(&out, ' ');
		record_to_json(&row[i]->r, &out);
	}
	return buf_str(&out);
}

#define W "{\"type\":\"wal\","
#define OP(op) "\"operation\":\"" op "\",\"id\":\"a\""

static void
folds(const char *name, const char *const lines[], const char *want)
{
	struct record r;
	struct err e = { 0 };
	uint64_t i;
	int bad = 0;

	fold_reset(&fold);
	for (i = 0; lines[i]; i++) {
		r = row_of(lines[i]);
		bad |= fold_add(&fold, &r, i, &e) < 0;
	}
	ok(!bad && strcmp(left(), want) == 0, "%s: %s", name,
	    bad ? e.msg : left());
}

static void
test_chosen(void)
{
	folds("nothing", (const char *[]){ NULL }, "");
	folds("keys: replaced, removed, kept, added; names of the last row",
	    (const char *[]){
	    W "\"seq_id\":1,\"created_at\":\"x\"," OP("ADD")
	    ",\"embedding\":[1],\"document\":\"d\",\"uri\":\"u\","
	    "\"metadata\":{\"k\":1,\"l\":\"s\",\"m\":2.0}}",
	    W "\"seq_id\":2,\"created_at\":\"y\"," OP("UPDATE")
	    ",\"metadata\":{\"n\":[1],\"l\":true,\"k\":null}}",
	    W "\"seq_id\":3,\"created_at\":\"z\"," OP("UPSERT")
	    ",\"embedding\":[2],\"document\":null}", NULL },
	    W "\"seq_id\":3,\"created_at\":\"z\"," OP("ADD")
	    ",\"embedding\":[2],\"uri\":\"u\","
	    "\"metadata\":{\"l\":true,\"m\":2.0,\"n\":[1]}}");
	folds("an UPSERT keeps nulls: it may meet what has the key",
	    (const char *[]){
	    W OP("UPSERT") ",\"metadata\":{\"k\":null,\"l\":1}}",
	    W OP("UPDATE") ",\"document\":null,\"metadata\":{\"l\":null}}",
	    NULL }, W OP("UPSERT") ",\"document\":null,"
	    "\"metadata\":{\"k\":null,\"l\":null}}");
	folds("UPDATEs stay one", (const char *[]){
	    W OP("UPDATE") ",\"metadata\":{\"k\":1}}",
	    W OP("UPDATE") ",\"metadata\":{\"k\":null}}", NULL },
	    W OP("UPDATE") ",\"metadata\":{\"k\":null}}");
	folds("keys are compared decoded, the last of equal ones counts",
	    (const char *[]){
	    W OP("ADD") ",\"metadata\":{\"\\u006b\":1,\"k\":2,\"\\n\":0}}",
	    W OP("UPDATE") ",\"metadata\":{\"k\":3,\"\\u006b\":4}}", NULL },
	    W OP("ADD") ",\"metadata\":{\"k\":4,\"\\n\":0}}");
	folds("all keys gone", (const char *[]){
	    W OP("ADD") ",\"metadata\":{\"k\":1}}",
	    W OP("UPDATE") ",\"metadata\":{\"k\":null}}", NULL },
	    W OP("ADD") ",\"metadata\":{}}");
	folds("metadata null says nothing", (const char *[]){
	    W OP("ADD") ",\"metadata\":{\"k\":1}}",
	    W OP("UPDATE") ",\"metadata\":null}", NULL },
	    W OP("ADD") ",\"metadata\":{\"k\":1}}");
	folds("empty texts are texts", (const char *[]){
	    W OP("ADD") ",\"document\":\"d\",\"uri\":\"\"}",
	    W OP("UPDATE") ",\"document\":\"\"}", NULL },
	    W OP("ADD") ",\"document\":\"\",\"uri\":\"\"}");
	folds("added, deleted, added: no DELETE", (const char *[]){
	    W OP("ADD") ",\"metadata\":{\"k\":1}}", W OP("DELETE") "}",
	    W OP("ADD") ",\"metadata\":{\"l\":1}}", NULL },
	    W OP("ADD") ",\"metadata\":{\"l\":1}}");
	folds("upserted, deleted, upserted: the DELETE is needed",
	    (const char *[]){
	    W OP("UPSERT") ",\"metadata\":{\"k\":1}}", W OP("DELETE") "}",
	    W OP("UPSERT") ",\"metadata\":{\"l\":1}}", NULL },
	    W OP("DELETE") "} " W OP("UPSERT") ",\"metadata\":{\"l\":1}}");
	folds("a DELETE stays a DELETE", (const char *[]){
	    W OP("ADD") "}", W OP("DELETE") "}", W OP("UPDATE") "}", NULL },
	    W OP("DELETE") "}");
}

static void
test_mistakes(void)
{
	struct record r = row_of(W OP("ADD") ",\"metadata\":{\"k\":1}}");
	struct err e;

	fold_reset(&fold);
	ok(fold_add(&fold, &r, 0, &e) == 0, "an ADD");
	r = row_of(W OP("UPDATE") "}");
	r.has |= FIELD_METADATA;
	r.metadata = slice_str("{\"k\":1");
	ok(fold_add(&fold, &r, 0, &e) < 0 && e.status == STATUS_DATA &&
	    strcmp(e.msg, "metadata: byte 7: expected ',' or '}'") == 0,
	    "metadata cut short: %s", e.msg);
	r.operation = OPERATION_NONE;
	ok(fold_add(&fold, &r, 0, &e) < 0 && e.status == STATUS_DATA,
	    "no operation");
}

/* ---- random ones ---- */

#define KEYS 3
#define GONE 0			/* as a value: null */
#define UNNAMED -1

struct id {
	bool there;
	int value[KEYS], document, embedding;	/* GONE: none */
};

struct operation_on {
	enum operation op;
	int value[KEYS], document, embedding;	/* or UNNAMED */
};

static int
below(int n)
{
	return rand() % n;
}

static struct operation_on
any_operation(int number)
{
	struct operation_on o = { .op = (enum operation)below(4) };
	int i;

	for (i = 0; i < KEYS; i++)
		o.value[i] = below(2) ? UNNAMED : below(3) ? number : GONE;
	o.document = below(2) ? UNNAMED : below(3) ? number : GONE;
	o.embedding = o.op == OPERATION_UPDATE && below(2) ? UNNAMED : number;
	return o;
}

static void
play(struct id *id, const struct operation_on *o)
{
	int i;

	switch (o->op) {
	case OPERATION_DELETE:
		*id = (struct id){ 0 };
		return;
	case OPERATION_UPDATE:
		if (!id->there)
			return;
		break;
	case OPERATION_ADD:
		if (id->there)
			return;
		break;
	default:
		break;
	}
	id->there = true;
	for (i = 0; i < KEYS; i++)
		if (o->value[i] != UNNAMED)
			id->value[i] = o->value[i];
	if (o->document != UNNAMED)
		id->document = o->document;
	if (o->embedding != UNNAMED)
		id->embedding = o->embedding;
}

static void
to_line(const struct operation_on *o, char *line, size_t size)
{
	bool comma = false;
	int i, n;

	n = snprintf(line, size, W OP("%s"), operation_name(o->op));
	if (o->op == OPERATION_DELETE) {
		snprintf(line + n, size - (size_t)n, "}");
		return;
	}
	if (o->embedding != UNNAMED)
		n += snprintf(line + n, size - (size_t)n,
		    ",\"embedding\":[%d]", o->embedding);
	if (o->document > 0)
		n += snprintf(line + n, size - (size_t)n,
		    ",\"document\":\"%d\"", o->document);
	else if (o->document == GONE)
		n += snprintf(line + n, size - (size_t)n,
		    ",\"document\":null");
	n += snprintf(line + n, size - (size_t)n, ",\"metadata\":{");
	for (i = 0; i < KEYS; i++) {
		if (o->value[i] == UNNAMED)
			continue;
		n += snprintf(line + n, size - (size_t)n, "%s\"k%d\":",
		    comma ? "," : "", i);
		n += snprintf(line + n, size - (size_t)n,
		    o->value[i] == GONE ? "null" : "%d", o->value[i]);
		comma = true;
	}
	snprintf(line + n, size - (size_t)n, "}}");
}

static struct operation_on
from_record(const struct record *r)
{
	static const char *const key[KEYS] = { "k0", "k1", "k2" };
	struct operation_on o = { .op = r->operation,
	    .document = UNNAMED, .embedding = UNNAMED };
	struct slice val[KEYS] = { { NULL, 0 } };
	uint64_t v;
	struct err e;
	int i;

	if (r->has & FIELD_METADATA &&
	    json_members(r->metadata, key, val, KEYS, &e) < 0)
		return o;
	for (i = 0; i < KEYS; i++)
		o.value[i] = !val[i].p ? UNNAMED : slice_is(val[i], "null") ?
		    GONE : json_u63(val[i], &v) == 0 ? (int)v : -2;
	if (r->has & FIELD_DOCUMENT)
		o.document = !r->document.p ? GONE :
		    json_u63(r->document, &v) == 0 ? (int)v : -2;
	if (r->has & FIELD_EMBEDDING) {
		float f;

		memcpy(&f, r->embedding, 4);
		o.embedding = (int)f;
	}
	return o;
}

/* One history, upon an id that is there or not. */
static bool
same_effect(const struct operation_on *o, int n, bool there)
{
	struct id raw = { there, { 1000, 1001, GONE }, 1002, 1003 };
	const struct fold_row *row[2];
	struct id folded;
	int i, rows = fold_rows(&fold, row);

	if (!there)
		raw = (struct id){ 0 };
	folded = raw;
	for (i = 0; i < n; i++)
		play(&raw, &o[i]);
	for (i = 0; i < rows; i++) {
		struct operation_on f = from_record(&row[i]->r);

		play(&folded, &f);
	}
	return memcmp(&raw, &folded, sizeof(raw)) == 0;
}

static void
test_random(void)
{
	struct operation_on o[10];
	const struct fold_row *row[2];
	struct record r;
	char line[512], *keep[10];
	struct err e;
	int i, k, n, bad = 0, wrong = 0, one = 0, unmerged = 0;

	srand(42);
	for (i = 0; i < 20000; i++) {
		struct record_memory m = { 0 };

		n = 1 + below(10);
		fold_reset(&fold);
		for (k = 0; k < n; k++) {
			o[k] = any_operation(k + 1);
			to_line(&o[k], line, sizeof(line));
			keep[k] = strdup(line);
			bad |= record_from_json(slice_str(keep[k]), FIELD_ALL,
			    &r, &m, &e) < 0 ||
			    fold_add(&fold, &r, (uint64_t)k, &e) < 0;
		}
		if (!same_effect(o, n, false) || (o[0].op != OPERATION_ADD &&
		    !same_effect(o, n, true))) {
			if (wrong++ < 3)
				for (k = 0; k < n; k++)
					printf("# %s\n", keep[k]);
		}
		for (k = fold_rows(&fold, row); k-- > 0;) {
			one += row[k]->rows == 1;
			/* of one row, it is that one */
			if (row[k]->rows == 1 &&
			    o[row[k]->last].op != row[k]->r.operation)
				unmerged++;
		}
		for (k = 0; k < n; k++)
			free(keep[k]);
		record_memory_release(&m);
	}
	ok(!bad && !wrong, "20000 random histories: %d differ", wrong);
	ok(one > 1000 && !unmerged, "%d rows of one row", one);
}

int
main(void)
{
	struct err e;

	if (fold_init(&fold, &e) < 0)
		return 1;
	test_chosen();
	test_mistakes();
	test_random();
	fold_release(&fold);
	forget();
	return tap_done();
}
