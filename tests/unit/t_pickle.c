/* SPDX-License-Identifier: Apache-2.0 */
/* t_pickle - index_metadata.pickle in every form that Chroma wrote, and what
 * the reader must refuse.  The bytes are put together here, opcode by opcode,
 * by the names that pickletools has for them. */
#include "chroma/pickle.h"

#include "base/le.h"

#include "../scratch.h"
#include "../tap.h"

#define MODULE "chromadb.segment.impl.vector.local_persistent_hnsw"

/* ---- opcodes ---- */

struct maker {
	struct buf b;
	int protocol;
	bool memo;		/* MEMOIZE after every string and dict */
};

static void
op(struct maker *m, int code)
{
	buf_addc(&m->b, (char)code);
}

static void
le(struct maker *m, uint64_t v, size_t n)
{
	char bytes[8];

	le_put_u64(bytes, v);
	buf_add(&m->b, bytes, n);
}

static void
memoize(struct maker *m)
{
	if (m->memo)
		op(m, 0x94);
}

static void
proto(struct maker *m, int protocol)
{
	m->protocol = protocol;
	op(m, 0x80);
	op(m, protocol);
}

/* SHORT_BINUNICODE where the protocol has it, else BINUNICODE. */
static void
string_of(struct maker *m, struct slice s)
{
	if (m->protocol >= 4 && s.len < 256) {
		op(m, 0x8c);
		le(m, s.len, 1);
	} else {
		op(m, 'X');
		le(m, s.len, 4);
	}
	buf_add(&m->b, s.p, s.len);
	memoize(m);
}

static void
string(struct maker *m, const char *s)
{
	string_of(m, slice_str(s));
}

/* The shortest opcode, as CPython does. */
static void
number(struct maker *m, int64_t v)
{
	if (v >= 0 && v < 256) {
		op(m, 'K');
		le(m, (uint64_t)v, 1);
	} else if (v >= 0 && v < 65536) {
		op(m, 'M');
		le(m, (uint64_t)v, 2);
	} else if (v >= INT32_MIN && v <= INT32_MAX) {
		op(m, 'J');
		le(m, (uint64_t)v, 4);
	} else {
		op(m, 0x8a);
		op(m, 8);
		le(m, (uint64_t)v, 8);
	}
}

static void
empty_dict(struct maker *m)
{
	op(m, '}');
	memoize(m);
}

/* The object up to its state. */
static void
object(struct maker *m)
{
	if (m->protocol >= 4) {
		string(m, MODULE);
		string(m, "PersistentData");
		op(m, 0x93);		/* STACK_GLOBAL */
		memoize(m);
	} else {
		buf_adds(&m->b, "c" MODULE "\nPersistentData\n");
		memoize(m);
	}
	op(m, ')');
	op(m, 0x81);			/* NEWOBJ */
	memoize(m);
}

static const char *
id(size_t i)
{
	static char text[32];

	snprintf(text, sizeof(text), "id%zu", i);
	return text;
}

/* A dict of n ids and numbers, in groups: MARK pairs SETITEMS, or SETITEM for
 * one pair; trailing: Rust's empty group behind full ones. */
static void
map(struct maker *m, size_t n, bool by_number, size_t group, bool trailing)
{
	size_t i, k;

	empty_dict(m);
	for (i = 0; i < n; i += k) {
		k = n - i < group ? n - i : group;
		if (k > 1 || trailing)
			op(m, '(');
		for (size_t j = i; j < i + k; j++) {
			if (by_number)
				number(m, (int64_t)j + 1);
			string(m, id(j));
			if (!by_number)
				number(m, (int64_t)j + 1);
		}
		op(m, k > 1 || trailing ? 'u' : 's');
	}
	if (trailing && n && n % group == 0)
		buf_adds(&m->b, "(u");
}

/* All six fields, n ids. */
static void
state(struct maker *m, size_t n, size_t group, bool trailing)
{
	empty_dict(m);
	op(m, '(');
	string(m, "dimensionality");
	number(m, 384);
	string(m, "total_elements_added");
	number(m, 70000);
	string(m, "max_seq_id");
	number(m, INT64_C(1) << 40);
	string(m, "id_to_label");
	map(m, n, false, group, trailing);
	string(m, "label_to_id");
	map(m, n, true, group, trailing);
	string(m, "id_to_seq_id");
	map(m, n, false, group, trailing);
	op(m, 'u');
}

static void
python(struct maker *m, int protocol, bool memo, size_t n)
{
	*m = (struct maker){ .memo = memo };
	proto(m, protocol);
	if (protocol >= 4) {
		op(m, 0x95);		/* FRAME; its length below */
		le(m, 0, 8);
	}
	object(m);
	state(m, n, 1000, false);
	op(m, 'b');
	op(m, '.');
	if (protocol >= 4)
		le_put_u64(m->b.p + 3, m->b.len - 11);
}

static void
rust(struct maker *m, size_t n)
{
	*m = (struct maker){ 0 };
	proto(m, 3);
	state(m, n, 1000, true);
	op(m, '.');
}

/* ---- reading ---- */

/* In a block of exactly that size. */
static int
read_bytes(struct slice s, struct pickle *k, bool maps, char **keep,
    struct err *e)
{
	*e = (struct err){ 0 };
	*keep = malloc(s.len + 1);
	if (!*keep)
		scratch_die("no memory");
	memcpy(*keep + 1, s.p, s.len);
	return pickle_read(k, *keep + 1, s.len, maps, e);
}

/* The number of an id, in the order of the file; label_to_id has the same. */
static bool
map_is(const struct pickle_map *map, size_t n)
{
	size_t i;

	if (!map->there || map->n != n || (n && !map->pair))
		return false;
	for (i = 0; i < n; i++)
		if (!slice_is(map->pair[i].id, id(i)) ||
		    map->pair[i].number != (int64_t)i + 1)
			return false;
	return true;
}

static bool
all_there(const struct pickle *k, int protocol, bool class_form, size_t n)
{
	return k->protocol == protocol && k->class_form == class_form &&
	    k->has_dimensionality && k->dimensionality == 384 &&
	    k->has_total && k->total_elements_added == 70000 &&
	    k->has_max_seq_id && k->max_seq_id == INT64_C(1) << 40 &&
	    map_is(&k->id_to_label, n) && map_is(&k->label_to_id, n) &&
	    map_is(&k->id_to_seq_id, n) && k->trailing == 0;
}

static void
check(const char *name, struct maker *m, int protocol, bool class_form,
    size_t n)
{
	struct pickle k;
	struct err e;
	char *keep;
	int r = read_bytes(buf_slice(&m->b), &k, true, &keep, &e);

	ok(r == 0 && all_there(&k, protocol, class_form, n), "%s, %zu ids%s%s",
	    name, n, r ? ": " : "", e.msg);
	if (r == 0)
		pickle_release(&k);
	free(keep);
	r = read_bytes(buf_slice(&m->b), &k, false, &keep, &e);
	ok(r == 0 && k.id_to_label.n == n && k.label_to_id.n == n &&
	    k.id_to_seq_id.n == n && !k.id_to_label.pair &&
	    !k.label_to_id.pair, "  counted");
	free(keep);
	buf_release(&m->b);
}

static void
test_forms(void)
{
	static const size_t sizes[] = { 0, 1, 2, 999, 1000, 1001, 2000 };
	char name[64];
	struct maker m;
	size_t i;
	int protocol;

	for (i = 0; i < COUNT(sizes); i++) {
		for (protocol = 2; protocol <= 5; protocol++) {
			snprintf(name, sizeof(name), "class, protocol %d",
			    protocol);
			python(&m, protocol, false, sizes[i]);
			check(name, &m, protocol, true, sizes[i]);
			if (protocol < 4)
				continue;
			python(&m, protocol, true, sizes[i]);
			check("  with a memo", &m, protocol, true, sizes[i]);
		}
		rust(&m, sizes[i]);
		check("dict, protocol 3", &m, 3, false, sizes[i]);
	}
}

/* Strings fetched from the memo, as CPython writes the second map. */
static void
test_memo(void)
{
	static const char *const how[] = { "MEMOIZE and BINGET",
	    "BINPUT and BINGET", "LONG_BINPUT and LONG_BINGET" };
	struct maker m;
	struct pickle k;
	struct err e;
	char *keep;
	size_t i, j;

	for (i = 0; i < COUNT(how); i++) {
		int r;

		m = (struct maker){ 0 };
		proto(&m, 4);
		op(&m, '}');
		op(&m, '(');
		string(&m, "total_elements_added");
		number(&m, 3);
		string(&m, "id_to_label");
		op(&m, '}');
		op(&m, '(');
		for (j = 0; j < 3; j++) {
			string(&m, id(j));
			if (i == 0) {
				op(&m, 0x94);
			} else {
				op(&m, i == 1 ? 'q' : 'r');
				le(&m, j, i == 1 ? 1 : 4);
			}
			number(&m, (int64_t)j + 1);
		}
		op(&m, 'u');
		string(&m, "label_to_id");
		op(&m, '}');
		op(&m, '(');
		for (j = 0; j < 3; j++) {
			number(&m, (int64_t)j + 1);
			op(&m, i == 2 ? 'j' : 'h');
			le(&m, j, i == 2 ? 4 : 1);
		}
		op(&m, 'u');
		op(&m, 'u');
		op(&m, '.');
		r = read_bytes(buf_slice(&m.b), &k, true, &keep, &e);
		ok(r == 0 && map_is(&k.id_to_label, 3) &&
		    map_is(&k.label_to_id, 3) && !k.id_to_seq_id.there &&
		    !k.has_dimensionality && !k.has_max_seq_id, "%s%s", how[i],
		    e.msg);
		if (r == 0)
			pickle_release(&k);
		free(keep);
		buf_release(&m.b);
	}
}

/* ---- a state by hand ---- */

/* "{" total, both maps empty, then what the test adds; end with close_state. */
static void
open_state(struct maker *m)
{
	*m = (struct maker){ 0 };
	proto(m, 3);
	op(m, '}');
	op(m, '(');
	string(m, "total_elements_added");
	number(m, 1);
}

static void
empty_maps(struct maker *m)
{
	string(m, "id_to_label");
	op(m, '}');
	string(m, "label_to_id");
	op(m, '}');
}

static void
close_state(struct maker *m)
{
	op(m, 'u');
	op(m, '.');
}

/* Reads m; what it says goes to *e, what it holds to *k. */
static int
finish(struct maker *m, struct pickle *k, struct err *e)
{
	static char *kept;
	int r;

	free(kept);
	r = read_bytes(buf_slice(&m->b), k, true, &kept, e);
	buf_release(&m->b);
	return r;
}

static void
test_values(void)
{
	static const struct {
		const char *name;
		struct slice code;	/* pushes the value */
		int64_t v;
	} numbers[] = {
		{ "BININT1 255", SLICE("K\xff"), 255 },
		{ "BININT2 65535", SLICE("M\xff\xff"), 65535 },
		{ "BININT 2^31-1", SLICE("J\xff\xff\xff\x7f"), INT32_MAX },
		{ "BININT -1", SLICE("J\xff\xff\xff\xff"), -1 },
		{ "LONG1 of no bytes", SLICE("\x8a\0"), 0 },
		{ "LONG1 -1", SLICE("\x8a\1\xff"), -1 },
		{ "LONG1 255", SLICE("\x8a\2\xff\0"), 255 },
		{ "LONG1 2^31, 5 bytes", SLICE("\x8a\5\0\0\0\x80\0"),
		    INT64_C(1) << 31 },
		{ "LONG1 -2^63", SLICE("\x8a\x08\0\0\0\0\0\0\0\x80"),
		    INT64_MIN },
		{ "LONG1 2^63-1, 9 bytes",
		    SLICE("\x8a\x09\xff\xff\xff\xff\xff\xff\xff\x7f\0"),
		    INT64_MAX },
	};
	struct maker m;
	struct pickle k;
	struct err e;
	size_t i;
	int r;

	for (i = 0; i < COUNT(numbers); i++) {
		open_state(&m);
		empty_maps(&m);
		string(&m, "max_seq_id");
		buf_add(&m.b, numbers[i].code.p, numbers[i].code.len);
		close_state(&m);
		r = finish(&m, &k, &e);
		ok(r == 0 && k.has_max_seq_id && k.max_seq_id == numbers[i].v,
		    "%s%s", numbers[i].name, e.msg);
	}
	open_state(&m);
	empty_maps(&m);
	string(&m, "max_seq_id");
	op(&m, 'N');
	string(&m, "dimensionality");
	op(&m, 'N');
	close_state(&m);
	ok(finish(&m, &k, &e) == 0 && !k.has_max_seq_id &&
	    !k.has_dimensionality && k.has_total, "None is no number");

	open_state(&m);
	empty_maps(&m);
	string(&m, "total_elements_updated");
	number(&m, 9);
	string(&m, "total_invalid_operations");
	number(&m, 9);
	string(&m, "from_a_later_chroma");
	op(&m, 'N');
	close_state(&m);
	ok(finish(&m, &k, &e) == 0 && k.total_elements_added == 1,
	    "fields of other versions");
}

/* Ids are the users'; nothing keeps them from the names of the fields. */
static void
test_odd_ids(void)
{
	static const char *const names[] = { "dimensionality", "max_seq_id",
	    "total_elements_added", "id_to_label", "", "\xc3\xa9" };
	struct maker m;
	struct pickle k;
	struct err e;
	size_t i;
	int r;

	for (i = 0; i < COUNT(names); i++) {
		open_state(&m);
		string(&m, "id_to_label");
		op(&m, '}');
		string(&m, names[i]);
		number(&m, 1);
		op(&m, 's');
		string(&m, "label_to_id");
		op(&m, '}');
		number(&m, 1);
		string(&m, names[i]);
		op(&m, 's');
		close_state(&m);
		r = finish(&m, &k, &e);
		ok(r == 0 && k.id_to_label.n == 1 && slice_is(
		    k.id_to_label.pair[0].id, names[i]) &&
		    k.label_to_id.n == 1 && !k.has_max_seq_id &&
		    !k.has_dimensionality && k.total_elements_added == 1,
		    "an id called '%s'%s", shown_str(names[i]), e.msg);
		if (r == 0)
			pickle_release(&k);
	}
	/* the state that begins with its maps */
	m = (struct maker){ 0 };
	proto(&m, 3);
	op(&m, '}');
	op(&m, '(');
	string(&m, "id_to_label");
	op(&m, '}');
	string(&m, "max_seq_id");
	number(&m, 7);
	op(&m, 's');
	string(&m, "label_to_id");
	op(&m, '}');
	string(&m, "total_elements_added");
	number(&m, 5);
	string(&m, "max_seq_id");
	number(&m, 8);
	close_state(&m);
	r = finish(&m, &k, &e);
	ok(r == 0 && k.max_seq_id == 8 && k.total_elements_added == 5 &&
	    k.id_to_label.n == 1, "maps first, numbers later%s", e.msg);
	if (r == 0)
		pickle_release(&k);
}

/* One dict under two names: no crash, nothing freed twice, and the pairs are
 * in one of them. */
static void
test_shared(void)
{
	struct maker m;
	struct pickle k;
	struct err e;
	int r;

	open_state(&m);
	string(&m, "id_to_label");
	op(&m, '}');
	op(&m, 0x94);
	string(&m, "a");
	number(&m, 1);
	op(&m, 's');
	string(&m, "label_to_id");
	op(&m, '}');
	string(&m, "id_to_seq_id");
	op(&m, 'h');
	op(&m, 0);
	close_state(&m);
	r = finish(&m, &k, &e);
	ok(r == 0 && k.id_to_label.n + k.id_to_seq_id.n == 1 &&
	    k.id_to_seq_id.there, "one dict as two fields%s", e.msg);
	if (r == 0)
		pickle_release(&k);

	open_state(&m);
	empty_maps(&m);
	string(&m, "id_to_label");
	op(&m, '}');
	close_state(&m);
	ok(finish(&m, &k, &e) == -1 && strstr(e.msg, ": a map that stands "
	    "twice"), "one field twice");

	/* the state inside itself */
	m = (struct maker){ 0 };
	proto(&m, 3);
	op(&m, '}');
	op(&m, 0x94);
	op(&m, '(');
	string(&m, "total_elements_added");
	number(&m, 1);
	string(&m, "id_to_label");
	op(&m, 'h');
	op(&m, 0);
	string(&m, "label_to_id");
	op(&m, 'h');
	op(&m, 0);
	close_state(&m);
	r = finish(&m, &k, &e);
	ok(r == -1 || (k.id_to_label.n == 0 && k.label_to_id.n == 0),
	    "the state inside itself");
	if (r == 0)
		pickle_release(&k);
}

/* ---- what is refused ---- */

#define EMPTY "}" "(X\x14\0\0\0total_elements_addedK\1" \
	"X\x0b\0\0\0id_to_label}X\x0b\0\0\0label_to_id}u."
#define REFUSED ", which Chroma never writes: refused, nothing was executed"
#define IMPORT ", which is not Chroma's: refused, nothing was executed"

static const struct {
	const char *name;
	struct slice bytes;
	const char *message;
} bad[] = {
	{ "nothing", SLICE(""), "+0: truncated: no end" },
	{ "protocol 1", SLICE("\x80\1" EMPTY), "+2: not protocol 2 to 5" },
	{ "protocol 6", SLICE("\x80\6" EMPTY), "+2: not protocol 2 to 5" },
	{ "os.system by REDUCE", SLICE("\x80\2cos\nsystem\n"
	    "X\x04\0\0\0true\x85R."),
	    "+13: wants to import os.system" IMPORT },
	{ "posix.system by STACK_GLOBAL", SLICE("\x80\4\x8c\5posix"
	    "\x8c\6system\x93\x8c\4true\x85R."),
	    "+18: wants to import posix.system" IMPORT },
	{ "another class of the module", SLICE("\x80\2c" MODULE
	    "\nPersistentLocalHnswSegment\n)\x81."),
	    "+81: wants to import " MODULE ".PersistentLocalHnswSegment"
	    IMPORT },
	{ "its class from another module", SLICE("\x80\2cos\nPersistentData\n"),
	    "+21: wants to import os.PersistentData" IMPORT },
	{ "REDUCE", SLICE("\x80\2}R."), "+3: instruction 0x52" REFUSED },
	{ "INST", SLICE("\x80\2(ios\nsystem\n."),
	    "+3: instruction 0x69" REFUSED },
	{ "OBJ", SLICE("\x80\2(o."), "+3: instruction 0x6f" REFUSED },
	{ "NEWOBJ_EX", SLICE("\x80\4})})\x92."),
	    "+6: instruction 0x92" REFUSED },
	{ "EXT1", SLICE("\x80\2\x82\1."), "+2: instruction 0x82" REFUSED },
	{ "PERSID", SLICE("\x80\2Pfoo\n."), "+2: instruction 0x50" REFUSED },
	{ "BINPERSID", SLICE("\x80\2NQ."), "+3: instruction 0x51" REFUSED },
	{ "LONG4", SLICE("\x80\2\x8b\1\0\0\0\1."),
	    "+2: instruction 0x8b" REFUSED },
	{ "EMPTY_LIST", SLICE("\x80\2]."), "+2: instruction 0x5d" REFUSED },
	{ "text protocol", SLICE("(dp0\n."), "+1: instruction 0x64" REFUSED },
	{ "BUILD on nothing", SLICE("\x80\2}b."),
	    "+4: takes from an empty stack" },
	{ "BUILD on a dict", SLICE("\x80\2}}b."),
	    "+5: builds something that is not Chroma's object" },
	{ "NEWOBJ of a dict", SLICE("\x80\2})\x81."),
	    "+5: makes an object in a way that Chroma does not" },
	{ "STACK_GLOBAL of numbers", SLICE("\x80\4K\1K\2\x93."),
	    "+7: an import that is not named by strings" },
	{ "STACK_GLOBAL of one", SLICE("\x80\4\x8c\1a\x93."),
	    "+6: takes from an empty stack" },
	{ "SETITEM of nothing", SLICE("\x80\2s."),
	    "+3: sets an item without its dict" },
	{ "SETITEM of a number", SLICE("\x80\2K\1K\2K\3s."),
	    "+9: sets items of something that is no dict" },
	{ "SETITEMS without MARK", SLICE("\x80\2}K\1K\2u."),
	    "+8: sets items without a mark" },
	{ "SETITEMS without dict", SLICE("\x80\2(K\1K\2u."),
	    "+8: sets items without a mark" },
	{ "SETITEMS of an odd number", SLICE("\x80\2}(K\1u."),
	    "+7: sets items without their dict" },
	{ "MEMOIZE of nothing", SLICE("\x80\4\x94."),
	    "+3: remembers from an empty stack" },
	{ "BINPUT out of order", SLICE("\x80\2}q\5."),
	    "+5: memo entries out of order" },
	{ "LONG_BINPUT 2^32-1", SLICE("\x80\2}r\xff\xff\xff\xff."),
	    "+8: memo entries out of order" },
	{ "BINGET of nothing", SLICE("\x80\2h\0."),
	    "+4: a memo entry that was never made" },
	{ "BINUNICODE beyond the end", SLICE("\x80\2X\xff\xff\xff\xff" "a"),
	    "+7: truncated inside a string" },
	{ "BINUNICODE8 of 2^63",
	    SLICE("\x80\4\x8d\0\0\0\0\0\0\0\x80" "a"),
	    "+11: a string of more than 4 GiB" },
	{ "a string not UTF-8", SLICE("\x80\4\x8c\1\xff."),
	    "+5: a string that is not UTF-8" },
	{ "LONG1 of 9 bytes, not zero-padded",
	    SLICE("\x80\2\x8a\x09\0\0\0\0\0\0\0\0\1."),
	    "+13: an integer beyond 64 bits" },
	{ "LONG1 of 2^63", SLICE("\x80\2\x8a\x09\0\0\0\0\0\0\0\x80\0."),
	    "+13: an integer beyond 64 bits" },
	{ "LONG1 of 200 bytes", SLICE("\x80\2\x8a\xc8."),
	    "+4: truncated inside an integer" },
	{ "a frame beyond the end", SLICE("\x80\4\x95\5\0\0\0\0\0\0\0}."),
	    "+11: truncated inside a frame" },
	{ "a number alone", SLICE("\x80\2K\1."),
	    "+5: does not end with the metadata of an index" },
	{ "a class alone", SLICE("\x80\2c" MODULE "\nPersistentData\n."),
	    "+70: does not end with the metadata of an index" },
	{ "only STOP", SLICE("\x80\2."),
	    "+3: does not end with the metadata of an index" },
	{ "two values", SLICE("\x80\2K\1" EMPTY),
	    "+69: does not end with the metadata of an index" },
	{ "an empty dict", SLICE("\x80\2}."), "not the metadata of an index: "
	    "id_to_label, label_to_id or total_elements_added is not in it" },
	{ "no total", SLICE("\x80\2}(X\x0b\0\0\0id_to_label}"
	    "X\x0b\0\0\0label_to_id}u."), "not the metadata of an index: "
	    "id_to_label, label_to_id or total_elements_added is not in it" },
	{ "a map instead of a number", SLICE("\x80\2}("
	    "X\x14\0\0\0total_elements_added}u."),
	    "+32: a field that should be a number is none" },
	{ "a number instead of a map", SLICE("\x80\2}("
	    "X\x14\0\0\0total_elements_addedK\1"
	    "X\x0b\0\0\0id_to_labelK\1u."),
	    "+51: a field that should be a dict is none" },
	{ "a map the wrong way round", SLICE("\x80\2}("
	    "X\x14\0\0\0total_elements_addedK\1"
	    "X\x0b\0\0\0id_to_label}K\1X\1\0\0\0asu."),
	    "+59: a map the wrong way round" },
	{ "keys of two kinds", SLICE("\x80\2}("
	    "X\x14\0\0\0total_elements_addedK\1"
	    "X\x0b\0\0\0id_to_label}(K\1X\1\0\0\0aX\1\0\0\0aK\1uu."),
	    "+66: a map with keys of two kinds" },
	{ "ids for ids", SLICE("\x80\2}(X\x0b\0\0\0id_to_label}"
	    "X\1\0\0\0aX\1\0\0\0asu."),
	    "+34: a pair that is no id and number" },
	{ "a dict inside a map", SLICE("\x80\2}(X\x0b\0\0\0id_to_label}"
	    "(X\1\0\0\0aK\1X\1\0\0\0b}uu."), "+38: a dict inside a map" },
};

static void
test_bad(void)
{
	struct pickle k;
	struct err e;
	size_t i;
	char *keep;

	for (i = 0; i < COUNT(bad); i++) {
		int r = read_bytes(bad[i].bytes, &k, true, &keep, &e);

		ok(r == -1 && e.status == STATUS_DATA &&
		    strcmp(e.msg, bad[i].message) == 0, "%s: %s", bad[i].name,
		    r ? e.msg : "taken");
		if (r == 0)
			pickle_release(&k);
		free(keep);
	}
	ok(read_bytes(BYTES("\x80\3" EMPTY), &k, true, &keep, &e) == 0,
	    "and the empty index is taken");
	free(keep);
}

static void
test_limits(void)
{
	struct maker m;
	struct pickle k;
	struct err e;
	int i;

	m = (struct maker){ 0 };
	proto(&m, 3);
	for (i = 0; i < 17; i++)
		op(&m, '}');
	ok(finish(&m, &k, &e) == -1 && strstr(e.msg,
	    ": more dicts than an index has"), "17 dicts");
	open_state(&m);
	empty_maps(&m);
	for (i = 0; i < 20; i++) {
		string(&m, id((size_t)i));
		op(&m, 'N');
	}
	close_state(&m);
	ok(finish(&m, &k, &e) == -1 && strstr(e.msg,
	    ": more fields than an index has"), "23 fields");
}

static void
test_trailing(void)
{
	struct pickle k;
	struct err e;
	char *keep;

	ok(read_bytes(BYTES("\x80\3" EMPTY "xyz"), &k, false, &keep, &e) == 0
	    && k.trailing == 3, "bytes behind the end are counted");
	free(keep);
}

static void
test_truncation(void)
{
	struct maker m;
	struct pickle k;
	struct err e;
	size_t n, taken, i;
	char *keep;

	for (i = 0; i < 3; i++) {
		if (i == 0)
			rust(&m, 5);
		else
			python(&m, i == 1 ? 2 : 5, i == 2, 5);
		for (n = taken = 0; n < m.b.len; n++) {
			int r = read_bytes(slice_of(m.b.p, n), &k, n % 2, &keep,
			    &e);

			if (r == 0) {
				taken++;
				pickle_release(&k);
			}
			free(keep);
		}
		ok(taken == 0, "%s: none of %zu prefixes is taken", i == 0 ?
		    "dict" : i == 1 ? "class, protocol 2" :
		    "class, protocol 5", m.b.len);
		buf_release(&m.b);
	}
}

int
main(void)
{
	test_forms();
	test_memo();
	test_values();
	test_odd_ids();
	test_shared();
	test_bad();
	test_limits();
	test_trailing();
	test_truncation();
	return tap_done();
}
