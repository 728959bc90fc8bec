/* SPDX-License-Identifier: Apache-2.0 */
/* t_manifest - what a snapshot holds, written, read, refused. */
#include "chroma/manifest.h"

#include "base/crc32c.h"

#include "../scratch.h"
#include "../tap.h"

#define HEAD "{\"type\":\"snapshot\",\"version\":1," \
	"\"created_at\":\"2026-11-22T02:03:04Z\"," \
	"\"migrations\":{\"embeddings_queue\":2,\"metadb\":5,\"sysdb\":10},"
#define DOCS "{\"id\":\"8b6e5f9c-0000-4000-8000-000000000001\"," \
	"\"name\":\"docs\",\"tenant\":\"default_tenant\"," \
	"\"database\":\"default_database\",\"dimension\":384," \
	"\"space\":\"cosine\",\"M\":16,\"ef_construction\":100," \
	"\"ef_search\":90,\"records\":353,\"wal\":{\"rows\":54," \
	"\"from_seq_id\":300,\"to_seq_id\":353,\"whole\":false}," \
	"\"metadata_seq_id\":353,\"vector_seq_id\":0," \
	"\"vector_segment\":\"8b6e5f9c-0000-4000-8000-000000000002\"," \
	"\"metadata_segment\":\"8b6e5f9c-0000-4000-8000-000000000003\"," \
	"\"index_bytes\":1234,\"note\":\"H\\u0001\"}"
#define NONE "{\"id\":\"2\",\"name\":\"\",\"tenant\":null," \
	"\"database\":null,\"dimension\":null,\"space\":null,\"M\":-1," \
	"\"ef_construction\":0,\"ef_search\":0,\"records\":0,\"wal\":{" \
	"\"rows\":0,\"from_seq_id\":null,\"to_seq_id\":null,\"whole\":true}," \
	"\"metadata_seq_id\":null,\"vector_seq_id\":null," \
	"\"vector_segment\":null,\"metadata_segment\":null," \
	"\"index_bytes\":0,\"note\":null}"
#define FILES "\"members\":[{\"name\":\"chroma.sqlite3\"," \
	"\"size\":9223372036854775807,\"stored\":1234," \
	"\"crc32c\":\"e3069283\"},{\"name\":\"x/header.bin\",\"size\":100," \
	"\"stored\":100,\"crc32c\":\"00000000\"}]"
#define GOOD HEAD "\"collections\":[" DOCS "," NONE "]," FILES

/* text, with its checksum and end; in a block of exactly its size. */
static struct slice
sealed(const char *text, size_t n)
{
	char end[32], *p;
	int more = snprintf(end, sizeof(end), ",\"crc32c\":\"%08x\"}\n",
	    crc32c(0, text, n));

	p = malloc(n + (size_t)more);
	if (!p)
		scratch_die("no memory");
	memcpy(p, text, n);
	memcpy(p + n, end, (size_t)more);
	return slice_of(p, n + (size_t)more);
}

static void
drop(struct slice s)
{
	free((void *)(uintptr_t)s.p);
}

/* What reading it says: "" if it is sound. */
static const char *
verdict(struct slice text)
{
	static struct err e;
	struct manifest m;

	e = (struct err){ 0 };
	if (manifest_read(&m, text, &e) == 0)
		*e.msg = '\0';
	else if (e.status != STATUS_DATA)
		snprintf(e.msg, sizeof(e.msg), "status %d", e.status);
	manifest_release(&m);
	return e.msg;
}

/* GOOD, with the first such text replaced, what the manifest's reader says.
 */
static const struct {
	const char *what, *by, *want;
} refused[] = {
	{ "353", "353", "" },
	{ "{\"type\"", "{\"new\":[{}],\"type\"", "" },
	{ "\"type\"", " \n\"\\u0074ype\" ", "" },
	{ "\"snapshot\"", "\"wal\"", "not the manifest of a snapshot" },
	{ "\"type\"", "\"tipe\"", "not the manifest of a snapshot" },
	{ "\"version\":1", "\"version\":2",
	    "version 2: newer than this program" },
	{ "\"version\":1", "\"version\":0", "version 0: there is none" },
	{ "\"version\":1", "\"version\":-1", "\"version\" is not a number" },
	{ "\"version\":1", "\"x\":1", "\"version\" is missing" },
	{ "\"version\":1", "\"version\":1,\"version\":1",
	    "\"version\" stands twice" },
	{ "\"2026-11-22T02:03:04Z\"", "null",
	    "\"created_at\" is not a string" },
	{ "\"migrations\"", "\"m\"", "\"migrations\" is missing" },
	{ "\"metadb\":5", "\"metadb\":10000",
	    "migrations: \"metadb\" is not a migration" },
	{ "\"sysdb\":10", "\"sysdb\":null",
	    "migrations: \"sysdb\" is not a number" },
	{ "\"migrations\":{", "\"migrations\":[{",
	    "byte 140: expected ',' or ']'" },
	{ "\"migrations\":{\"embeddings_queue\":2,\"metadb\":5,\"sysdb\":10}",
	    "\"migrations\":7", "migrations: byte 1: expected '{'" },
	{ "\"collections\"", "\"c\"", "\"collections\" is missing" },
	{ "\"collections\":[", "\"collections\":[7,",
	    "collections: number 1: byte 1: expected '{'" },
	{ "\"members\"", "\"m\"", "\"members\" is missing" },
	{ "\"members\":[", "\"members\":[{},",
	    "members: number 1: \"name\" is missing" },
	{ "\"id\":\"2\"", "\"id\":null",
	    "collections: number 2: \"id\" is not a string" },
	{ "\"id\":\"2\"", "\"id\":\"a\\u0000b\"",
	    "collections: number 2: \"id\" is a string with a zero in it" },
	{ "\"tenant\":null", "\"tenant\":2",
	    "collections: number 2: \"tenant\" is not a string" },
	{ "\"dimension\":384", "\"dimension\":-1",
	    "collections: number 1: \"dimension\" is not a number" },
	{ "\"M\":16", "\"M\":1.5",
	    "collections: number 1: \"M\" is not a number" },
	{ "\"records\":353", "\"records\":9223372036854775808",
	    "collections: number 1: \"records\" is not a number" },
	{ "\"records\":353,\"wal\":", "\"records\":353,\"w\":",
	    "collections: number 1: \"wal\" is missing" },
	{ "\"wal\":{\"rows\":54", "\"wal\":{\"r\":54",
	    "collections: number 1: wal: \"rows\" is missing" },
	{ "\"whole\":false", "\"whole\":0",
	    "collections: number 1: wal: \"whole\" is not true or false" },
	{ "\"vector_seq_id\":0", "\"vector_seq_id\":\"0\"",
	    "collections: number 1: \"vector_seq_id\" is not a number" },
	{ "\"note\":null", "\"n\":null",
	    "collections: number 2: \"note\" is missing" },
	{ "\"name\":\"x/header.bin\"", "\"name\":\"x\",\"name\":\"y\"",
	    "members: number 2: \"name\" stands twice" },
	{ "e3069283", "E3069283",
	    "members: number 1: \"crc32c\" is not a checksum" },
	{ "e3069283", "e306928",
	    "members: number 1: \"crc32c\" is not a checksum" },
	{ "\"stored\":1234", "\"stored\":-0",
	    "members: number 1: \"stored\" is not a number" },
	{ "\"docs\"", "\"\xff\"", "not UTF-8: damaged" },
};

static void
test_refused(void)
{
	char text[8192];
	const char *at, *got;
	struct slice s;
	size_t i;

	for (i = 0; i < COUNT(refused); i++) {
		at = strstr(GOOD, refused[i].what);
		if (!at)
			scratch_die(refused[i].what);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - GOOD),
		    GOOD, refused[i].by, at + strlen(refused[i].what));
		s = sealed(text, strlen(text));
		got = verdict(s);
		ok(strcmp(got, refused[i].want) == 0, "%s: %s", shown_str(
		    refused[i].by), *got ? shown_str(got) : "read");
		if (strcmp(got, refused[i].want) != 0)
			printf("# wanted: %s\n", refused[i].want);
		drop(s);
	}
}

/* ---- the checksum ---- */

static void
test_checksum(void)
{
	struct slice s = sealed(GOOD, strlen(GOOD));
	char *p = (char *)(uintptr_t)s.p;
	size_t i, accepted = 0;
	unsigned bit;

	ok(*verdict(slice_of(s.p, s.len - 1)) == '\0', "without a newline");
	for (i = 0; i < s.len - 1; i++)
		accepted += *verdict(slice_of(s.p, i)) == '\0';
	ok(accepted == 0, "cut at each byte: refused");
	for (i = 0; i < s.len - 1; i++)
		for (bit = 1; bit < 256; bit <<= 1) {
			p[i] = (char)((unsigned char)p[i] ^ bit);
			accepted += *verdict(s) == '\0';
			p[i] = (char)((unsigned char)p[i] ^ bit);
		}
	ok(accepted == 0, "each bit flipped: refused");
	p[s.len - 4]--;
	ok(strcmp(verdict(s), "checksum does not match: damaged") == 0,
	    "another checksum: %s", verdict(s));
	p[s.len - 4]++;
	p[s.len - 1] = ' ';
	ok(strcmp(verdict(s), "\"crc32c\" is not the checksum at its end")
	    == 0, "a blank at the end: %s", verdict(s));
	drop(s);
	s = slice_str("{\"type\":\"snapshot\",\"version\":1}");
	ok(strcmp(verdict(s), "\"crc32c\" is missing") == 0,
	    "none: %s", verdict(s));
	ok(strcmp(verdict(slice_str("")), "byte 1: expected '{'") == 0,
	    "nothing: %s", verdict(slice_str("")));
}

/* ---- there and back ---- */

static void
test_both_ways(void)
{
	struct slice s = sealed(GOOD, strlen(GOOD));
	struct buf out = { 0 };
	struct manifest m;
	struct err e;

	if (manifest_read(&m, s, &e) < 0)
		scratch_die(e.msg);
	ok(strcmp(m.created_at, "2026-11-22T02:03:04Z") == 0 && m.queue == 2 &&
	    m.metadb == 5 && m.sysdb == 10, "head");
	ok(m.collections == 2 && strcmp(m.collection[0].name, "docs") == 0 &&
	    m.collection[0].M == 16 && m.collection[0].ef_search == 90 &&
	    m.collection[0].rows == 54 && !m.collection[0].whole &&
	    m.collection[0].from_seq_id == 300 &&
	    m.collection[0].has_vector_seq_id &&
	    m.collection[0].vector_seq_id == 0 &&
	    strcmp(m.collection[0].note, "H\1") == 0, "a collection");
	ok(m.collection[1].dimension == -1 && !m.collection[1].tenant &&
	    !m.collection[1].space && !m.collection[1].note &&
	    !m.collection[1].vector_segment && m.collection[1].whole &&
	    !m.collection[1].has_metadata_seq_id, "one that has nothing");
	ok(m.members == 2 && m.member[0].size == INT64_MAX &&
	    m.member[0].stored == 1234 && m.member[0].crc == 0xe3069283 &&
	    strcmp(m.member[1].name, "x/header.bin") == 0, "members");
	buf_adds(&out, "before");
	manifest_write(&m, &out);
	ok(buf_ok(&out) && slice_eq(slice_of(out.p + 6, out.len - 6), s),
	    "written again: the same bytes");
	buf_release(&out);
	manifest_release(&m);
	ok(!m.collection && !m.member && !m.members, "released: empty");
	drop(s);
}

static void
test_many(void)
{
	struct manifest m = { .created_at = "now" }, again;
	struct buf out = { 0 };
	struct manifest_collection *c;
	struct manifest_member *f;
	struct err e;
	char name[32];
	int i;

	for (i = 0; i < 1000; i++) {
		c = manifest_add_collection(&m);
		f = manifest_add_member(&m);
		snprintf(name, sizeof(name), "name %d", i);
		c->id = f->name = c->name = arena_copy(&m.arena, name,
		    strlen(name));
		c->dimension = i;
		f->size = (uint64_t)i;
	}
	manifest_write(&m, &out);
	ok(manifest_read(&again, buf_slice(&out), &e) == 0 &&
	    again.collections == 1000 && again.members == 1000 &&
	    again.collection[999].dimension == 999 &&
	    strcmp(again.member[500].name, "name 500") == 0, "a thousand");
	manifest_release(&again);
	manifest_release(&m);
	buf_release(&out);
}

int
main(void)
{
	test_both_ways();
	test_refused();
	test_checksum();
	test_many();
	return tap_done();
}
