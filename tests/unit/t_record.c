/* SPDX-License-Identifier: Apache-2.0 */
/* t_record - one record and its line of JSON. */
#include "stream/record.h"

#include "base/le.h"

#include "../scratch.h"
#include "../tap.h"

static struct record_memory memory;

static int
decode(const char *line, unsigned want, struct record *r, struct err *e)
{
	*e = (struct err){ 0 };
	return record_from_json(slice_str(line), want, r, &memory, e);
}

/* Written again, and compared. */
static bool
encodes_to(const struct record *r, const char *line)
{
	struct buf b = { 0 };
	bool same;

	record_to_json(r, &b);
	same = slice_is(buf_slice(&b), line);
	if (!same)
		printf("# got: %s\n", shown(buf_slice(&b)));
	buf_release(&b);
	return same;
}

/* ---- lines that are exactly what we write ---- */

#define W "{\"type\":\"wal\","
#define V "{\"type\":\"vector\","
#define R "{\"type\":\"record\","

static const struct {
	const char *line;
	enum record_type type;
	unsigned has;
} same[] = {
	{ "{\"type\":\"wal\"}", RECORD_WAL, 0 },
	{ "{\"type\":\"vector\"}", RECORD_VECTOR, 0 },
	{ "{\"type\":\"record\"}", RECORD_PLAIN, 0 },
	{ W "\"tenant\":\"t\"}", RECORD_WAL, FIELD_TENANT },
	{ W "\"database\":\"d\"}", RECORD_WAL, FIELD_DATABASE },
	{ W "\"collection\":\"c\"}", RECORD_WAL, FIELD_COLLECTION },
	{ W "\"collection_id\":\"i\"}", RECORD_WAL, FIELD_COLLECTION_ID },
	{ W "\"seq_id\":0}", RECORD_WAL, FIELD_SEQ_ID },
	{ W "\"seq_id\":9223372036854775807}", RECORD_WAL, FIELD_SEQ_ID },
	{ W "\"seq_id\":-9223372036854775808}", RECORD_WAL, FIELD_SEQ_ID },
	{ W "\"created_at\":\"2024-01-01 00:00:00\"}", RECORD_WAL,
	    FIELD_CREATED_AT },
	{ W "\"operation\":\"ADD\"}", RECORD_WAL, FIELD_OPERATION },
	{ W "\"operation\":\"UPDATE\"}", RECORD_WAL, FIELD_OPERATION },
	{ W "\"operation\":\"UPSERT\"}", RECORD_WAL, FIELD_OPERATION },
	{ W "\"operation\":\"DELETE\"}", RECORD_WAL, FIELD_OPERATION },
	{ V "\"label\":0}", RECORD_VECTOR, FIELD_LABEL },
	{ V "\"label\":18446744073709551615}", RECORD_VECTOR, FIELD_LABEL },
	{ W "\"id\":\"\"}", RECORD_WAL, FIELD_ID },
	{ W "\"id\":\"\\u0000\\\"\\\\/\\b\\f\\n\\r\\t\\u001f\x7f\"}",
	    RECORD_WAL, FIELD_ID },
	{ W "\"id\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}", RECORD_WAL,
	    FIELD_ID },
	{ W "\"id\":\"\\ud800x\\udc00\"}", RECORD_WAL, FIELD_ID },
	{ V "\"level\":0}", RECORD_VECTOR, FIELD_LEVEL },
	{ V "\"level\":65535}", RECORD_VECTOR, FIELD_LEVEL },
	{ V "\"deleted\":true}", RECORD_VECTOR, FIELD_DELETED },
	{ V "\"deleted\":false}", RECORD_VECTOR, FIELD_DELETED },
	{ V "\"length\":0}", RECORD_VECTOR, FIELD_LENGTH },
	{ V "\"length\":2.25}", RECORD_VECTOR, FIELD_LENGTH },
	{ V "\"length\":1e-45}", RECORD_VECTOR, FIELD_LENGTH },
	{ V "\"length\":3.4028235e38}", RECORD_VECTOR, FIELD_LENGTH },
	{ V "\"links\":[]}", RECORD_VECTOR, FIELD_LINKS },
	{ V "\"links\":[[]]}", RECORD_VECTOR, FIELD_LINKS },
	{ V "\"links\":[[0,18446744073709551615,7],[],[3]]}", RECORD_VECTOR,
	    FIELD_LINKS },
	{ R "\"embedding\":[]}", RECORD_PLAIN, FIELD_EMBEDDING },
	{ R "\"embedding\":[1,-0.0,0.5,3.4028235e38,1e-45]}", RECORD_PLAIN,
	    FIELD_EMBEDDING },
	{ R "\"embedding\":\"\"}", RECORD_PLAIN, FIELD_EMBEDDING },
	{ R "\"embedding\":\"AACAPwAAAMA=\"}", RECORD_PLAIN,
	    FIELD_EMBEDDING },
	{ R "\"document\":\"a\"}", RECORD_PLAIN, FIELD_DOCUMENT },
	{ R "\"document\":null}", RECORD_PLAIN, FIELD_DOCUMENT },
	{ R "\"uri\":\"a\"}", RECORD_PLAIN, FIELD_URI },
	{ R "\"uri\":null}", RECORD_PLAIN, FIELD_URI },
	{ R "\"metadata\":{}}", RECORD_PLAIN, FIELD_METADATA },
	{ R "\"metadata\":null}", RECORD_PLAIN, FIELD_METADATA },
	{ R "\"metadata\":{\"a\" : [1.0,\"\\u0041\"]}}", RECORD_PLAIN,
	    FIELD_METADATA },
	{ W "\"raw\":{\"seq_id\":1}}", RECORD_WAL, FIELD_RAW },
	{ W "\"tenant\":\"t\",\"database\":\"d\",\"collection\":\"c\","
	    "\"collection_id\":\"i\",\"seq_id\":1,\"created_at\":\"x\","
	    "\"operation\":\"ADD\",\"label\":2,\"id\":\"a\",\"level\":3,"
	    "\"deleted\":false,\"length\":5,\"links\":[[1]],"
	    "\"embedding\":[4],"
	    "\"document\":\"d\","
	    "\"uri\":\"u\",\"metadata\":{},\"raw\":{}}", RECORD_WAL,
	    FIELD_ALL },
};

static void
test_same(void)
{
	struct record r;
	struct err e;
	size_t i;

	for (i = 0; i < COUNT(same); i++)
		ok(decode(same[i].line, FIELD_ALL, &r, &e) == 0 &&
		    r.type == same[i].type && r.has == same[i].has &&
		    r.exact && encodes_to(&r, same[i].line), "%s",
		    shown_str(same[i].line));
}

/* ---- lines that mean what another one says ---- */

static const struct {
	const char *line, *canonical;
	bool exact;
} other[] = {
	{ " { \"type\" : \"wal\" , \"seq_id\" : 1 } ", W "\"seq_id\":1}",
	    true },
	{ W "\"id\":\"\\u0061\\/\"}", W "\"id\":\"a/\"}", true },
	{ W "\"id\":\"\\ud83d\\ude00\"}", W "\"id\":\"\xf0\x9f\x98\x80\"}",
	    true },
	{ W "\"id\":\"\\uD800\"}", W "\"id\":\"\\ud800\"}", true },
	{ W "\"\\u0069d\":\"a\"}", W "\"id\":\"a\"}", true },
	{ W "\"embedding\":[1.0, 1e0, 100e-2]}", W "\"embedding\":[1,1,1]}",
	    true },
	{ W "\"embedding\":\"AAAA\\u0041A==\"}",
	    W "\"embedding\":\"AAAAAA==\"}", true },
	{ "{\"seq_id\":1,\"type\":\"wal\"}", W "\"seq_id\":1}", true },
	{ W "\"id\":\"a\",\"seq_id\":1}", W "\"seq_id\":1,\"id\":\"a\"}",
	    true },
	{ W "\"uri\":null,\"id\":\"a\",\"tenant\":\"t\"}",
	    W "\"tenant\":\"t\",\"id\":\"a\",\"uri\":null}", true },
	{ W "\"seq_id\":1,\"unknown\":[{}]}", W "\"seq_id\":1}", false },
	{ W "\"\":0,\"seq_id\":1}", W "\"seq_id\":1}", false },
	{ W "\"Seq_id\":2,\"seq_id\":1,\"seq_idx\":3}", W "\"seq_id\":1}",
	    false },
	{ "{\"type\":\"w\\u0061l\",\"seq_id\":1}", W "\"seq_id\":1}", true },
};

static void
test_other(void)
{
	struct record r;
	struct err e;
	size_t i;

	for (i = 0; i < COUNT(other); i++)
		ok(decode(other[i].line, FIELD_ALL, &r, &e) == 0 &&
		    r.exact == other[i].exact &&
		    encodes_to(&r, other[i].canonical), "%s",
		    shown_str(other[i].line));
}

/* ---- lines that are refused ---- */

static const struct {
	const char *line, *message;
} bad[] = {
	{ "", "byte 1: expected '{'" },
	{ "[]", "byte 1: expected '{'" },
	{ W "}", "byte 15: expected a string" },
	{ W "\"seq_id\":1", "byte 25: expected ',' or '}'" },
	{ W "\"seq_id\":1}x", "byte 26: text after the object" },
	{ W "\"x\":[1}", "byte 21: expected ',' or ']'" },
	{ W "\"tenant\":1}", "tenant: not a string" },
	{ W "\"tenant\":null}", "tenant: not a string" },
	{ W "\"database\":{}}", "database: not a string" },
	{ W "\"collection\":[]}", "collection: not a string" },
	{ W "\"collection_id\":true}", "collection_id: not a string" },
	{ W "\"seq_id\":\"1\"}", "seq_id: not a 64-bit integer" },
	{ W "\"seq_id\":1.0}", "seq_id: not a 64-bit integer" },
	{ W "\"seq_id\":1e3}", "seq_id: not a 64-bit integer" },
	{ W "\"seq_id\":01}", "seq_id: not a 64-bit integer" },
	{ W "\"seq_id\":-0}", "seq_id: not a 64-bit integer" },
	{ W "\"seq_id\":null}", "seq_id: not a 64-bit integer" },
	{ W "\"seq_id\":9223372036854775808}",
	    "seq_id: not a 64-bit integer" },
	{ W "\"created_at\":0}", "created_at: not a string" },
	{ W "\"operation\":0}", "operation: not a string" },
	{ W "\"operation\":\"add\"}",
	    "operation: none of ADD, UPDATE, UPSERT, DELETE" },
	{ W "\"operation\":\"\"}",
	    "operation: none of ADD, UPDATE, UPSERT, DELETE" },
	{ V "\"label\":-1}",
	    "label: not an integer from 0 to 18446744073709551615" },
	{ V "\"label\":18446744073709551616}",
	    "label: not an integer from 0 to 18446744073709551615" },
	{ W "\"id\":7}", "id: not a string" },
	{ V "\"level\":65536}", "level: not an integer from 0 to 65535" },
	{ V "\"level\":\"0\"}", "level: not an integer from 0 to 65535" },
	{ V "\"deleted\":0}", "deleted: neither true nor false" },
	{ V "\"deleted\":\"true\"}", "deleted: neither true nor false" },
	{ V "\"length\":-1}",
	    "length: not a length: a float32 from 0 up" },
	{ V "\"length\":-0.0}",
	    "length: not a length: a float32 from 0 up" },
	{ V "\"length\":1e39}",
	    "length: not a length: a float32 from 0 up" },
	{ V "\"length\":\"1\"}",
	    "length: not a length: a float32 from 0 up" },
	{ V "\"length\":null}",
	    "length: not a length: a float32 from 0 up" },
	{ V "\"length\":1,\"length\":1}", "\"length\" stands twice" },
	{ V "\"links\":[1]}", "links: byte 1: expected '['" },
	{ V "\"links\":{}}", "links: byte 1: expected '['" },
	{ V "\"links\":[[-1]]}",
	    "links: not a label: an integer from 0 to 2^64-1" },
	{ V "\"links\":[[18446744073709551616]]}",
	    "links: not a label: an integer from 0 to 2^64-1" },
	{ V "\"links\":[[1.0]]}",
	    "links: not a label: an integer from 0 to 2^64-1" },
	{ V "\"links\":[[[]]]}",
	    "links: not a label: an integer from 0 to 2^64-1" },
	{ W "\"embedding\":null}", "embedding: not an array of numbers" },
	{ W "\"embedding\":1}", "embedding: not an array of numbers" },
	{ W "\"embedding\":[1,null]}",
	    "embedding: component 2: not a number" },
	{ W "\"embedding\":[1,[2]]}", "embedding: component 2: not a number" },
	{ W "\"embedding\":[1e39]}",
	    "embedding: component 1: beyond the range of float32" },
	{ W "\"embedding\":\"AAAA\"}",
	    "embedding: not the base64 of float32 numbers" },
	{ W "\"embedding\":\"AAAAA\"}",
	    "embedding: not the base64 of float32 numbers" },
	{ W "\"document\":1}", "document: neither a string nor null" },
	{ W "\"uri\":[]}", "uri: neither a string nor null" },
	{ W "\"uri\":nul}", "uri: neither a string nor null" },
	{ W "\"metadata\":[]}", "metadata: neither an object nor null" },
	{ W "\"metadata\":\"{}\"}", "metadata: neither an object nor null" },
	{ W "\"raw\":null}", "raw: not an object" },
	{ W "\"raw\":\"\"}", "raw: not an object" },
	{ W "\"type\":\"wal\"}", "\"type\" stands twice" },
	{ W "\"x\":1,\"typ\\u0065\":\"end\"}", "\"type\" stands twice" },
	{ W "\"seq_id\":1,\"seq_id\":1}", "\"seq_id\" stands twice" },
	{ W "\"document\":\"a\",\"docu\\u006dent\":\"b\"}",
	    "\"document\" stands twice" },
	{ W "\"uri\":null,\"id\":\"a\",\"uri\":null}",
	    "\"uri\" stands twice" },
	{ W "\"id\":\"a\",\"seq_id\":1,\"id\":\"a\"}", "\"id\" stands twice" },
};

static void
test_bad(void)
{
	struct record r;
	struct err e;
	size_t i;

	for (i = 0; i < COUNT(bad); i++) {
		int got = decode(bad[i].line, FIELD_ALL, &r, &e);

		ok(got == -1 && e.status == STATUS_DATA &&
		    strcmp(e.msg, bad[i].message) == 0, "%s: %s",
		    shown_str(bad[i].line), got ? e.msg : "taken");
	}
}

/* ---- what is in the fields ---- */

static void
test_values(void)
{
	struct record r;
	struct err e;

	ok(decode(W "\"tenant\":\"t\",\"database\":\"d\",\"collection\":\"c\","
	    "\"collection_id\":\"i\",\"seq_id\":-5,\"created_at\":\"x\","
	    "\"operation\":\"UPSERT\",\"label\":2,\"id\":\"\\u0041\\n\","
	    "\"level\":3,\"deleted\":true,\"embedding\":[4,0.5],"
	    "\"document\":\"\\ud800\",\"uri\":\"u\",\"metadata\": {\"k\":1} ,"
	    "\"raw\":{}}", FIELD_ALL, &r, &e) == 0, "all fields");
	ok(slice_is(r.tenant, "t") && slice_is(r.database, "d") &&
	    slice_is(r.collection, "c") && slice_is(r.collection_id, "i") &&
	    slice_is(r.created_at, "x") && slice_is(r.uri, "u"), "  strings");
	ok(slice_is(r.id, "A\n") && slice_is(r.document, "\xed\xa0\x80"),
	    "  with escapes undone");
	ok(r.seq_id == -5 && r.label == 2 && r.level == 3 && r.deleted &&
	    r.operation == OPERATION_UPSERT, "  numbers");
	ok(r.dim == 2 && le_u32(r.embedding) == 0x40800000 &&
	    le_u32(r.embedding + 4) == 0x3f000000 &&
	    r.form == EMBEDDING_ARRAY, "  the embedding");
	ok(slice_is(r.metadata, "{\"k\":1}") && slice_is(r.raw, "{}"),
	    "  JSON");
	ok(decode(W "\"document\":null}", FIELD_ALL, &r, &e) == 0 &&
	    r.has == FIELD_DOCUMENT && !r.document.p, "a null document");
	ok(decode(W "\"document\":\"\"}", FIELD_ALL, &r, &e) == 0 &&
	    r.document.p && r.document.len == 0, "an empty document");
	ok(decode(W "\"seq_id\":1}", FIELD_ALL, &r, &e) == 0 &&
	    r.operation == OPERATION_NONE && r.has == FIELD_SEQ_ID &&
	    !r.id.p && !r.document.p && !r.metadata.p && r.dim == 0,
	    "absent fields");

	/* only what is wanted is looked at */
	ok(decode(W "\"seq_id\":\"x\",\"id\":\"a\",\"embedding\":[null],"
	    "\"raw\":7}", FIELD_ID, &r, &e) == 0 && r.has == FIELD_ID &&
	    slice_is(r.id, "a"), "a field alone");
	ok(decode(W "\"seq_id\":[}", 0, &r, &e) == -1,
	    "  the structure all the same");
	ok(decode("{\"type\":\"begin\"}", 0, &r, &e) == 0 &&
	    r.type == RECORD_BEGIN, "begin");
	ok(decode("{\"type\":\"end\"}", 0, &r, &e) == 0 &&
	    r.type == RECORD_END, "end");
	ok(decode("{\"type\":\"walls\"}", 0, &r, &e) == 0 &&
	    r.type == RECORD_OTHER, "a type of somebody else's");
	ok(decode("{\"type\":7}", 0, &r, &e) == 0 && r.type == RECORD_OTHER,
	    "a type that is a number");
	ok(decode("{\"id\":\"a\"}", 0, &r, &e) == 0 && r.type == RECORD_OTHER,
	    "no type");
}

static void
test_embeddings(void)
{
	static const uint8_t nan[] = { 0, 0, 0x80, 0x3f, 0, 0, 0xc0, 0x7f };
	struct record r = { .type = RECORD_WAL, .has = FIELD_EMBEDDING,
	    .embedding = nan, .dim = 2 }, back;
	struct err e;

	ok(encodes_to(&r, W "\"embedding\":\"AACAPwAAwH8=\"}"),
	    "NaN makes it base64");
	r.dim = 1;
	ok(encodes_to(&r, W "\"embedding\":[1]}"), "without, an array");
	r.form = EMBEDDING_BASE64;
	ok(encodes_to(&r, W "\"embedding\":\"AACAPw==\"}"), "base64 if told");
	ok(decode(W "\"embedding\":\"AACAPw==\"}", FIELD_ALL, &back, &e) == 0
	    && back.form == EMBEDDING_BASE64, "  is read as a choice of form");
	ok(decode(W "\"embedding\":\"AACAPwAAwH8=\"}", FIELD_ALL, &back, &e)
	    == 0 && back.form == EMBEDDING_ARRAY, "  but not where NaN is one");
	r.dim = 0;
	ok(encodes_to(&r, W "\"embedding\":\"\"}"), "empty base64");
}

/* ---- types and names ---- */

static const struct {
	const char *line;
	bool plain;
	int type;		/* -1: refused */
} types[] = {
	{ "{\"type\":\"wal\"}", false, RECORD_WAL },
	{ "{\"type\":\"wal\",\"id\":\"a\"}", false, RECORD_WAL },
	{ "{\"type\":\"vector\"}", false, RECORD_VECTOR },
	{ "{\"type\":\"record\"}", false, RECORD_PLAIN },
	{ "{\"type\":\"begin\"}", false, RECORD_BEGIN },
	{ "{\"type\":\"end\"}", false, RECORD_END },
	{ "{\"type\":\"wa\"}", false, RECORD_OTHER },
	{ "{\"type\":\"wall\"}", false, RECORD_OTHER },
	{ "{\"type\":\"\"}", false, RECORD_OTHER },
	{ "{\"type\":\"a\\\"b\"}", false, RECORD_OTHER },
	{ "{\"type\":\"w\\u0061l\"}", false, RECORD_WAL },
	{ "{\"type\":\"w\\u0061l", false, -1 },
	{ "{ \"type\": \"wal\" }", false, RECORD_WAL },
	{ "{\"id\":\"a\",\"type\":\"wal\"}", false, RECORD_WAL },
	{ "{\"x\":{\"type\":\"end\"},\"type\":\"wal\"}", false, RECORD_WAL },
	{ "{\"id\":\"a\"}", false, -1 },
	{ "{\"id\":\"a\"}", true, RECORD_PLAIN },
	{ "{\"type\":7}", false, -1 },
	{ "{\"type\":7}", true, -1 },
	{ "{\"type\":null}", true, -1 },
	{ "{\"type\":\"wal", false, -1 },
	{ "{\"type\":", false, -1 },
	{ "{\"type\":\"", false, -1 },
	{ "", true, -1 },
	{ "7", true, -1 },
};

static void
test_types(void)
{
	static const char *const name[] = { "ADD", "UPDATE", "UPSERT",
	    "DELETE" };
	enum record_type type;
	struct err e;
	size_t i;

	for (i = 0; i < COUNT(types); i++) {
		/* an exact-size copy, so that asan sees an access beyond */
		size_t n = strlen(types[i].line);
		char *line = malloc(n + 1);
		int r;

		if (!line)
			scratch_die("no memory");
		memcpy(line, types[i].line, n);
		r = record_type_of(slice_of(line, n), types[i].plain, &type,
		    &e);
		ok(types[i].type < 0 ? r == -1 : r == 0 &&
		    (int)type == types[i].type, "type of %s",
		    shown_str(types[i].line));
		free(line);
	}
	for (i = 0; i < COUNT(name); i++)
		ok(operation_of(slice_str(name[i])) == (enum operation)i &&
		    strcmp(operation_name((enum operation)i), name[i]) == 0,
		    "%s", name[i]);
	ok(operation_of(slice_str("add")) == OPERATION_NONE &&
	    operation_of(slice_str("")) == OPERATION_NONE &&
	    !operation_name(OPERATION_NONE), "no operation");
}

int
main(void)
{
	test_same();
	test_other();
	test_bad();
	test_values();
	test_embeddings();
	test_types();
	record_memory_release(&memory);
	return tap_done();
}
