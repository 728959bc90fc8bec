/* SPDX-License-Identifier: Apache-2.0 */
/* t_elements - what an index holds: healthy, with each field broken once, and
 * absurd; vectors found by id and compared. */
#include "chroma/elements.h"

#include <errno.h>
#include <math.h>
#include <time.h>

#include "stream/record.h"

#include "../index_maker.h"
#include "../tap.h"

static int dirfd_of = -1;

/* Open the index as one of l2, and look at all of it. */
static int
look(struct elements *el, struct err *e)
{
	*e = (struct err){ 0 };
	return elements_open(el, dirfd_of, "index", DIM, SPACE_L2, true, e);
}

/* Whether all counts of faults, and deleted, are as wanted. */
static bool
same_counts(const struct elements_findings *f,
    const struct elements_findings *want)
{
	return f->deleted == want->deleted &&
	    f->bad_links == want->bad_links &&
	    f->bad_flags == want->bad_flags &&
	    f->same_labels == want->same_labels &&
	    f->orphan_labels == want->orphan_labels &&
	    f->missing_labels == want->missing_labels &&
	    f->bad_pairs == want->bad_pairs &&
	    f->high_labels == want->high_labels &&
	    f->not_finite == want->not_finite &&
	    f->not_unit == want->not_unit;
}

/* One line for what was found, and one for the counts. */
static void
found_is(const struct elements *el, const char *name, const char *want,
    const struct elements_findings *counts)
{
	const struct elements_findings *f = &el->found;

	ok(strcmp(f->fault.msg, want ? want : "") == 0 &&
	    (f->fault.status == STATUS_DATA) == (want != NULL), "%s%s%s", name,
	    f->fault.status ? ": " : "", f->fault.msg);
	ok(same_counts(f, counts), "  %d deleted, %d links, %d flags, %d same, "
	    "%d orphans, %d missing, %d pairs, %d high, %d not finite, %d not "
	    "unit", (int)f->deleted, (int)f->bad_links, (int)f->bad_flags,
	    (int)f->same_labels, (int)f->orphan_labels,
	    (int)f->missing_labels, (int)f->bad_pairs, (int)f->high_labels,
	    (int)f->not_finite, (int)f->not_unit);
}

/* The internal id that an id leads to, or -1. */
static int64_t
find(const struct elements *el, const char *id)
{
	uint32_t at = 77777;

	return elements_find(el, slice_str(id), &at) ? (int64_t)at : -1;
}

static void
test_healthy(void)
{
	struct elements el;
	struct maker m;
	struct err e;

	make(&m, 5, 2);
	write_out(&m);
	ok(look(&el, &e) == 0 && el.readable == 5 && el.found.whole &&
	    el.has_pickle, "a healthy index");
	found_is(&el, "  without a fault", NULL,
	    &(struct elements_findings){ .deleted = 2 });
	ok(el.found.elements == 5 && el.found.max_level == 1 &&
	    el.found.links_size == 5 * 4 + 12, "  as it was made");
	ok(find(&el, "id0") == 0 && find(&el, "id1") == 1 &&
	    find(&el, "id2") == 2, "  its ids are found");
	ok(find(&el, "id3") == -1 && find(&el, "") == -1 &&
	    find(&el, "id") == -1 && find(&el, "id00000000000") == -1,
	    "  and no others");
	ok(el.pickle.id_to_label.n == 3 && el.pickle.id_to_label.pair[2].number
	    == 3, "  the pairs are there");
	elements_close(&el);
	ok(find(&el, "id0") == -1, "  closed, it finds nothing");

	/* larger than needed: the room that Chroma allocates beforehand */
	stretch(INDEX_LEVEL0, 1000 * ELEMENT);
	stretch(INDEX_LENGTH, 4000);
	ok(look(&el, &e) == 0 && el.found.fault.status == 0 &&
	    el.found.elements == 5 && el.found.whole, "with room to grow");
	elements_close(&el);

	make(&m, 0, 0);
	write_out(&m);
	ok(look(&el, &e) == 0 && el.found.fault.status == 0 &&
	    el.found.max_level == -1 && el.found.links_size == 0 &&
	    el.found.whole && find(&el, "id0") == -1, "an empty one");
	elements_close(&el);
	make(&m, 4, 4);
	write_out(&m);
	ok(look(&el, &e) == 0 && el.found.fault.status == 0 &&
	    el.found.deleted == 4 && find(&el, "id0") == -1, "all deleted");
	elements_close(&el);
	make(&m, 1, 0);
	m.file[INDEX_LEVEL0].p[0] = 0;
	write_out(&m);
	ok(look(&el, &e) == 0 && el.found.fault.status == 0 &&
	    el.found.elements == 1 && find(&el, "id0") == 0, "one element");
	elements_close(&el);
}

static void
test_large(void)
{
	struct elements el;
	struct maker m;
	struct err e;
	char id[32];
	int i;

	make(&m, 100000, 10);
	write_out(&m);
	ok(look(&el, &e) == 0, "100000 elements");
	found_is(&el, "  without a fault", NULL,
	    &(struct elements_findings){ .deleted = 10 });
	for (i = 0; i < 99990; i++) {
		snprintf(id, sizeof(id), "id%d", i);
		if (find(&el, id) != i)
			break;
	}
	ok(i == 99990 && find(&el, "id99990") == -1, "  each is found");
	elements_close(&el);
}

/* A chain of n elements on level 1: their links are good, and those of one
 * are made bad below. */
static void
make_tall(struct maker *m, uint32_t n)
{
	struct buf *b = &m->file[INDEX_LINKS];
	uint32_t i;

	make(m, n, 0);
	b->len = 0;
	for (i = 0; i < n; i++) {
		add_u32(b, i < n - 1 ? 4 + 4 * M : 0);
		if (i == n - 1)
			break;
		add_u32(b, 1);
		add_u32(b, i ? i - 1 : 1);
		add_u32(b, 0xdeadbeef);
	}
}

static void
test_absent(void)
{
	struct elements el;
	struct maker m;
	struct err e = { 0 };
	int i;

	ok(elements_open(&el, dirfd_of, "nothing", 2, SPACE_L2, true, &e) == 0
	    && el.found.fault.status == 0 && el.dir.fd == -1 &&
	    !el.has_pickle && find(&el, "id0") == -1, "no directory");
	elements_close(&el);
	make(&m, 3, 0);
	m.file[INDEX_PICKLE].failed = true;
	write_out(&m);
	ok(look(&el, &e) == 0 && el.found.fault.status == 0 &&
	    !el.has_pickle && find(&el, "id0") == -1 && el.readable == 0,
	    "no pickle");
	elements_close(&el);
	for (i = INDEX_HEADER; i < INDEX_PICKLE; i++) {
		char want[128];

		make(&m, 3, 0);
		m.file[i].failed = true;
		write_out(&m);
		snprintf(want, sizeof(want), "%s: missing: an incomplete copy, "
		    "or a write that failed", index_file_name[i]);
		ok(look(&el, &e) == 0 && !strcmp(el.found.fault.msg, want),
		    "%s", el.found.fault.msg);
		ok(find(&el, "id1") == (i == INDEX_HEADER || i == INDEX_LEVEL0 ?
		    -1 : 1) && el.found.missing_labels == (i == INDEX_HEADER ||
		    i == INDEX_LEVEL0 ? 3 : 0), "  ids are%s found",
		    i < INDEX_LENGTH ? " not" : "");
		elements_close(&el);
	}
	for (i = 0; i < 2; i++) {	/* the pickle alone */
		make(&m, (uint32_t)i, 0);
		m.file[INDEX_HEADER].failed = true;
		m.file[INDEX_LEVEL0].failed = true;
		m.file[INDEX_LENGTH].failed = true;
		m.file[INDEX_LINKS].failed = true;
		write_out(&m);
		ok(look(&el, &e) == 0 && (el.found.fault.status != 0) == i &&
		    el.has_pickle && el.found.missing_labels == (uint64_t)i,
		    "a pickle of %d ids alone", i);
		elements_close(&el);
	}
}

/* ---- damage to the files ---- */

/* Bytes at a place of a file, in an index of 5 elements of which 1 is
 * deleted; at SIZE_MAX: cut to the size in to. */
static const struct {
	const char *name;
	enum index_file file;
	size_t at;
	unsigned size;
	uint64_t to;
	const char *fault;	/* NULL: none */
	struct elements_findings found;
	uint64_t readable;
	bool part;		/* not all of it was looked at */
} damages[] = {
	{ "none", INDEX_LEVEL0, 0, 0, 0, NULL, { .deleted = 1 }, 5, false },
	{ "a header of 0 bytes", INDEX_HEADER, SIZE_MAX, 0, 0, "header.bin: 0 "
	    "bytes instead of 100: truncated or not an index header",
	    { .missing_labels = 4 }, 0, true },
	{ "a header of 99 bytes", INDEX_HEADER, SIZE_MAX, 0, 99, "header.bin: "
	    "99 bytes instead of 100: truncated or not an index header",
	    { .missing_labels = 4 }, 0, true },
	{ "a header that counts more", INDEX_HEADER, CUR_COUNT, 8, 6,
	    "data_level0.bin: 180 bytes, but 6 elements of 36 bytes: "
	    "truncated", { .deleted = 1 }, 5, true },
	{ "a header that counts less", INDEX_HEADER, CUR_COUNT, 8, 3,
	    "link_lists.bin: 32 bytes, of which 24 are links: grown without "
	    "reason", { .missing_labels = 1 }, 3, true },
	{ "no room", INDEX_HEADER, MAX_ELEMENTS, 8, 4, "header.bin: +12: room "
	    "for 4 elements, but 5 are counted", { .deleted = 1 }, 5, false },
	{ "just enough room", INDEX_HEADER, MAX_ELEMENTS, 8, 5, NULL,
	    { .deleted = 1 }, 5, false },
	{ "another mult", INDEX_HEADER, MULT, 8, UINT64_C(0x3fd715476b2b82fe),
	    "header.bin: +84: mult 0.360674, but with M 2 it is 1.4427",
	    { .deleted = 1 }, 5, false },
	{ "a mult that is NaN", INDEX_HEADER, MULT, 8, UINT64_MAX >> 1,
	    "header.bin: +84: mult nan, but with M 2 it is 1.4427",
	    { .deleted = 1 }, 5, false },
	{ "level 0", INDEX_HEADER, MAX_LEVEL, 4, 0, "header.bin: +52: level 0, "
	    "entry point 0, but that element has level 1 and the highest is 1: "
	    "corrupt", { .deleted = 1 }, 5, false },
	{ "level 2", INDEX_HEADER, MAX_LEVEL, 4, 2, "header.bin: +52: level 2, "
	    "entry point 0, but that element has level 1 and the highest is 1: "
	    "corrupt", { .deleted = 1 }, 5, false },
	{ "an entry below", INDEX_HEADER, ENTER_POINT, 4, 1, "header.bin: +52: "
	    "level 1, entry point 1, but that element has level 0 and the "
	    "highest is 1: corrupt", { .deleted = 1 }, 5, false },
	{ "level0 cut", INDEX_LEVEL0, SIZE_MAX, 0, 179, "data_level0.bin: 179 "
	    "bytes, but 5 elements of 36 bytes: truncated", { 0 }, 4, true },
	{ "level0 cut to 2", INDEX_LEVEL0, SIZE_MAX, 0, 72, "data_level0.bin: "
	    "72 bytes, but 5 elements of 36 bytes: truncated",
	    { .missing_labels = 2 }, 2, true },
	{ "level0 empty", INDEX_LEVEL0, SIZE_MAX, 0, 0, "data_level0.bin: 0 "
	    "bytes, but 5 elements of 36 bytes: truncated",
	    { .missing_labels = 4 }, 0, true },
	{ "length cut", INDEX_LENGTH, SIZE_MAX, 0, 19, "length.bin: 19 bytes, "
	    "but 5 elements: truncated", { .deleted = 1 }, 5, false },
	{ "links cut", INDEX_LINKS, SIZE_MAX, 0, 19, "link_lists.bin: 19 "
	    "bytes, but 5 elements: truncated", { .deleted = 1 }, 5, true },
	{ "links cut in the middle", INDEX_LINKS, SIZE_MAX, 0, 31,
	    "link_lists.bin: ends at element 4 of 5", { .deleted = 1 }, 5,
	    true },
	{ "links cut at a record", INDEX_LINKS, SIZE_MAX, 0, 28,
	    "link_lists.bin: ends at element 4 of 5", { .deleted = 1 }, 5,
	    true },
	{ "links of a size that cannot be", INDEX_LINKS, 0, 4, 13,
	    "link_lists.bin: +0: 13 bytes of links for element 0: corrupt",
	    { .deleted = 1 }, 5, true },
	{ "links beyond the end", INDEX_LINKS, 0, 4, 36, "link_lists.bin: +0: "
	    "36 bytes of links for element 0: corrupt", { .deleted = 1 }, 5,
	    true },
	{ "links of 2^32-4 bytes", INDEX_LINKS, 0, 4, UINT32_MAX - 3,
	    "link_lists.bin: +0: 4294967292 bytes of links for element 0: "
	    "corrupt", { .deleted = 1 }, 5, true },
	{ "a later one, too", INDEX_LINKS, 24, 4, 24, "link_lists.bin: +24: 24 "
	    "bytes of links for element 3: corrupt", { .deleted = 1 }, 5,
	    true },
	{ "no links on level 1", INDEX_LINKS, 0, 4, 0, "link_lists.bin: 32 "
	    "bytes, of which 20 are links: grown without reason",
	    { .deleted = 1 }, 5, true },
	{ "a link beyond", INDEX_LEVEL0, ELEMENT + 4, 4, 5, "data_level0.bin: "
	    "element 1: a link to an element that is not there",
	    { .deleted = 1, .bad_links = 1 }, 5, false },
	{ "a link to the last", INDEX_LEVEL0, ELEMENT + 4, 4, 4, NULL,
	    { .deleted = 1 }, 5, false },
	{ "a link to itself", INDEX_LEVEL0, ELEMENT + 4, 4, 1,
	    "data_level0.bin: element 1: a link to itself",
	    { .deleted = 1, .bad_links = 1 }, 5, false },
	{ "two links, one bad", INDEX_LEVEL0, ELEMENT, 2, 2, "data_level0.bin: "
	    "element 1: a link to an element that is not there",
	    { .deleted = 1, .bad_links = 1 }, 5, false },
	{ "too many links", INDEX_LEVEL0, ELEMENT, 2, MAX_M0 + 1,
	    "data_level0.bin: element 1: more links than M allows",
	    { .deleted = 1, .bad_links = 1 }, 5, false },
	{ "65535 links", INDEX_LEVEL0, 4 * ELEMENT, 2, 65535,
	    "data_level0.bin: element 4: more links than M allows",
	    { .deleted = 1, .bad_links = 1 }, 5, false },
	{ "a label that no id has", INDEX_LEVEL0, LABEL_AT, 8, 77,
	    "data_level0.bin: element 0: label 77, but only 5 were given: the "
	    "next adds overwrite it", { .deleted = 1, .orphan_labels = 1,
	    .missing_labels = 1, .high_labels = 1 }, 5, false },
	{ "label 0", INDEX_LEVEL0, LABEL_AT, 8, 0, "index_metadata.pickle: "
	    "entry 0 of id_to_label: label 1, which no element has",
	    { .deleted = 1, .orphan_labels = 1, .missing_labels = 1 }, 5,
	    false },
	{ "a label of 2^64-1", INDEX_LEVEL0, LABEL_AT, 8, UINT64_MAX,
	    "data_level0.bin: element 0: label 18446744073709551615, but only "
	    "5 were given: the next adds overwrite it", { .deleted = 1,
	    .orphan_labels = 1, .missing_labels = 1, .high_labels = 1 }, 5,
	    false },
	{ "a label twice", INDEX_LEVEL0, LABEL_AT, 8, 2, "data_level0.bin: "
	    "element 1: label 2, which element 0 has, too", { .deleted = 1,
	    .orphan_labels = 1, .missing_labels = 1, .same_labels = 1 }, 5,
	    false },
	{ "a label of a deleted one", INDEX_LEVEL0, 4 * ELEMENT + LABEL_AT, 8,
	    3, "data_level0.bin: element 4: label 3, which element 2 has, too",
	    { .deleted = 1, .same_labels = 1 }, 5, false },
	{ "a live element more", INDEX_LEVEL0, 4 * ELEMENT + 2, 1, 0,
	    "data_level0.bin: 1 live elements that no id names",
	    { .orphan_labels = 1 }, 5, false },
	{ "a live element less", INDEX_LEVEL0, 2, 1, 1, "index_metadata.pickle:"
	    " entry 0 of id_to_label: label 1, which only a deleted element "
	    "has", { .deleted = 2, .missing_labels = 1 }, 5, false },
	{ "other flags", INDEX_LEVEL0, 2, 1, 0xfe, "data_level0.bin: element "
	    "0: flags 0x00fe", { .deleted = 1, .bad_flags = 1 }, 5, false },
	{ "flags in the next byte", INDEX_LEVEL0, 3, 1, 1, "data_level0.bin: "
	    "element 0: flags 0x0100", { .deleted = 1, .bad_flags = 1 }, 5,
	    false },
	{ "NaN", INDEX_LEVEL0, LABEL_AT - 4, 4, 0x7fc00000, NULL,
	    { .deleted = 1, .not_finite = 1 }, 5, false },
	{ "infinity", INDEX_LEVEL0, LABEL_AT - 8, 4, 0xff800000, NULL,
	    { .deleted = 1, .not_finite = 1 }, 5, false },
	{ "the largest number", INDEX_LEVEL0, LABEL_AT - 8, 4, 0xff7fffff,
	    NULL, { .deleted = 1 }, 5, false },
	{ "NaN in a deleted one", INDEX_LEVEL0, 4 * ELEMENT + LABEL_AT - 4, 4,
	    0x7fc00000, NULL, { .deleted = 1 }, 5, false },
};

/* What is broken in one place leaves the rest to be found. */
static bool
rest_found(const struct elements *el)
{
	char id[16];
	int64_t at;
	int i, n = 0;

	for (i = 0; i < 4; i++) {
		snprintf(id, sizeof(id), "id%d", i);
		at = find(el, id);
		n += at == i || (at == 0 && el->found.same_labels);
	}
	return n + (int)el->found.missing_labels == 4;
}

static void
test_damages(void)
{
	struct elements el;
	struct maker m;
	struct err e;
	size_t i;
	unsigned k;

	for (i = 0; i < COUNT(damages); i++) {
		struct buf *b = &m.file[damages[i].file];

		make(&m, 5, 1);
		if (damages[i].at == SIZE_MAX)
			b->len = damages[i].to;
		else
			for (k = 0; k < damages[i].size; k++)
				b->p[damages[i].at + k] =
				    (char)(damages[i].to >> (8 * k));
		write_out(&m);
		ok(look(&el, &e) == 0 && el.readable == damages[i].readable &&
		    el.found.elements == el.readable &&
		    el.found.whole == !damages[i].part, "%d readable%s",
		    (int)el.readable, el.found.whole ? ", all of it" : "");
		found_is(&el, damages[i].name, damages[i].fault,
		    &damages[i].found);
		ok(rest_found(&el), "  and the rest is found");
		elements_close(&el);
	}
}

/* The same of the upper links, in a chain of four on level 1 and one below. */
static const struct {
	const char *name;
	size_t at;		/* in element 2's list, from its number on */
	unsigned size;
	uint32_t to;
	const char *fault;
} uppers[] = {
	{ "a chain on level 1", 0, 2, 1, NULL },
	{ "a link to the entry", 4, 4, 0, NULL },
	{ "an upper link beyond", 4, 4, 5,
	    "a link to an element that is not there" },
	{ "one to itself", 4, 4, 2, "a link to itself" },
	{ "one to an element below", 4, 4, 4,
	    "a link to an element that is not on that level" },
	{ "three upper links", 0, 2, 3, "more links than M allows" },
};

static void
test_upper_links(void)
{
	const size_t at = 2 * (4 + 4 + 4 * M) + 4;
	struct elements el;
	struct maker m;
	struct err e;
	char want[256];
	size_t i;
	char *p;

	for (i = 0; i < COUNT(uppers); i++) {
		make_tall(&m, 5);
		p = m.file[INDEX_LINKS].p + at;
		if (uppers[i].size == 2)
			le_put_u16(p + uppers[i].at, (uint16_t)uppers[i].to);
		else
			le_put_u32(p + uppers[i].at, uppers[i].to);
		write_out(&m);
		snprintf(want, sizeof(want), "link_lists.bin: +32: element 2, "
		    "level 1: %s", uppers[i].fault ? uppers[i].fault : "");
		ok(look(&el, &e) == 0 && el.found.whole, "links of level 1");
		found_is(&el, uppers[i].name, uppers[i].fault ? want : NULL,
		    &(struct elements_findings){ .bad_links =
		    uppers[i].fault != NULL });
		elements_close(&el);
	}
	make_tall(&m, 5);	/* both levels of one: counted once */
	le_put_u32(m.file[INDEX_LINKS].p + at + 4, 9);
	le_put_u32(m.file[INDEX_LEVEL0].p + 2 * ELEMENT + 4, 9);
	write_out(&m);
	ok(look(&el, &e) == 0 && el.found.bad_links == 1,
	    "bad on both levels: one element");
	elements_close(&el);
	make_tall(&m, 5);	/* the same link on two levels is no double */
	p = m.file[INDEX_LINKS].p + at;
	le_put_u16(p, 2);
	le_put_u32(p + 8, 1);
	write_out(&m);
	ok(look(&el, &e) == 0 && el.found.bad_links == 1 && strstr(
	    el.found.fault.msg, "the same link twice"), "%s",
	    el.found.fault.msg);
	elements_close(&el);
}

/* As many links as there is room for, of which each is good, one more, and the
 * same twice. */
static void
test_link_count(void)
{
	struct elements el;
	struct maker m;
	struct err e;
	uint32_t n, k;
	char *p;

	for (n = MAX_M0; n <= MAX_M0 + 2; n++) {
		make(&m, 6, 1);
		p = m.file[INDEX_LEVEL0].p + ELEMENT;
		p[0] = (char)(n == MAX_M0 + 2 ? MAX_M0 : n);
		for (k = 0; k < MAX_M0; k++)
			le_put_u32(p + 4 + 4 * k, k ? k + 1 : 0);
		if (n == MAX_M0 + 2)
			le_put_u32(p + 16, 0);
		write_out(&m);
		ok(look(&el, &e) == 0 && el.found.bad_links == (n > MAX_M0),
		    "%u links: %s", n, el.found.fault.msg);
		elements_close(&el);
	}
}

static void
test_dimension(void)
{
	struct elements el;
	struct maker m;
	struct err e;

	make(&m, 5, 1);
	write_out(&m);
	ok(elements_open(&el, dirfd_of, "index", 3, SPACE_L2, true, &e) == 0 &&
	    strcmp(el.found.fault.msg, "header.bin: +36: dimension 2, but the "
	    "collection has 3") == 0 && find(&el, "id1") == 1,
	    "%s", el.found.fault.msg);
	elements_close(&el);
	ok(elements_open(&el, dirfd_of, "index", -1, SPACE_L2, true, &e) == 0
	    && el.found.fault.status == 0, "a collection without a dimension");
	elements_close(&el);
}

/* ---- pickles ---- */

struct entry {
	const char *id;
	int64_t number;
};

enum { TO_LABEL, TO_ID, TO_SEQ_ID, MAPS };

static void
add_number(struct buf *b, int64_t v)
{
	buf_add(b, "\x8a\x08", 2);
	add_u64(b, (uint64_t)v);
}

static void
add_map(struct buf *b, int which, const struct entry *entry, size_t n)
{
	static const char *const name[] = { "id_to_label", "label_to_id",
	    "id_to_seq_id" };
	size_t i;

	add_string(b, name[which]);
	buf_adds(b, "}(");
	for (i = 0; i < n; i++) {
		if (which != TO_ID)
			add_string(b, entry[i].id);
		add_number(b, entry[i].number);
		if (which == TO_ID)
			add_string(b, entry[i].id);
	}
	buf_addc(b, 'u');
}

/* A pickle of four ids as Python or Rust writes it, with one thing else:
 * number and, if not NULL, id of an entry (entry 4: one more; -1: the last is
 * not there; -2: the map is not there); or a field. */
static const struct {
	const char *name;
	bool class_form;
	char what;		/* m: a map; t, s, d: a field; x: a byte behind */
	int map, entry;
	const char *id;
	int64_t number;
	const char *fault;
	struct elements_findings found;
} pickles[] = {
	{ "Rust's", false, 0, 0, 0, NULL, 0, NULL, { .deleted = 1 } },
	{ "Python's", true, 0, 0, 0, NULL, 0, NULL, { .deleted = 1 } },
	{ "a byte behind", false, 'x', 0, 0, NULL, 0, "1 bytes behind its end; "
	    "Chroma from 1.0 on refuses it", { .deleted = 1 } },
	{ "total too small", false, 't', 0, 0, NULL, 3, NULL,
	    { .deleted = 1, .high_labels = 2 } },
	{ "total 2^32", false, 't', 0, 0, NULL, INT64_C(1) << 32,
	    "total_elements_added: 4294967296 is no number of 32 bits",
	    { .deleted = 1 } },
	{ "total below zero", false, 't', 0, 0, NULL, -1,
	    "total_elements_added: -1 is no number of 32 bits",
	    { .deleted = 1 } },
	{ "max_seq_id 2^40", false, 's', 0, 0, NULL, INT64_C(1) << 40, NULL,
	    { .deleted = 1 } },
	{ "max_seq_id below zero", false, 's', 0, 0, NULL, -2,
	    "max_seq_id: -2", { .deleted = 1 } },
	{ "another dimensionality", true, 'd', 0, 0, NULL, 3,
	    "dimensionality 3, but the index has 2", { .deleted = 1 } },
	{ "an id twice", false, 'm', TO_LABEL, 4, "id1", 5, "entry 4 of "
	    "id_to_label has the id of another one",
	    { .deleted = 1, .bad_pairs = 2 } },
	{ "a label twice", false, 'm', TO_LABEL, 3, NULL, 3, "entry 3 of "
	    "id_to_label: label 3, which another id has, too",
	    { .deleted = 1, .missing_labels = 1, .orphan_labels = 1,
	    .bad_pairs = 2 } },
	{ "a deleted one's label", false, 'm', TO_LABEL, 3, NULL, 5, "entry 3 "
	    "of id_to_label: label 5, which only a deleted element has",
	    { .deleted = 1, .missing_labels = 1, .orphan_labels = 1,
	    .bad_pairs = 2 } },
	{ "nobody's label", false, 'm', TO_LABEL, 3, NULL, 6, "entry 3 of "
	    "id_to_label: label 6, which no element has",
	    { .deleted = 1, .missing_labels = 1, .orphan_labels = 1,
	    .bad_pairs = 2 } },
	{ "label 2^32 + 4", false, 'm', TO_LABEL, 3, NULL,
	    (INT64_C(1) << 32) + 4, "id_to_label: 4294967300 is no number of "
	    "32 bits", { .deleted = 1, .missing_labels = 1,
	    .orphan_labels = 1, .bad_pairs = 2 } },
	{ "label -4", false, 'm', TO_LABEL, 3, NULL, -4, "id_to_label: -4 is "
	    "no number of 32 bits", { .deleted = 1, .missing_labels = 1,
	    .orphan_labels = 1, .bad_pairs = 2 } },
	{ "an id less", false, 'm', TO_LABEL, -1, NULL, 0, NULL,
	    { .deleted = 1, .orphan_labels = 1, .bad_pairs = 1 } },
	{ "another id in label_to_id", false, 'm', TO_ID, 1, "id2", 2,
	    "entry 1 of label_to_id: label 2 has another id than in "
	    "id_to_label", { .deleted = 1, .bad_pairs = 2 } },
	{ "an unknown id in label_to_id", false, 'm', TO_ID, 1, "new", 2,
	    "entry 1 of label_to_id: label 2 has another id than in "
	    "id_to_label", { .deleted = 1, .bad_pairs = 2 } },
	{ "another label in label_to_id", false, 'm', TO_ID, 1, NULL, 7,
	    "entry 1 of label_to_id: label 7 has another id than in "
	    "id_to_label", { .deleted = 1, .bad_pairs = 2 } },
	{ "one more in label_to_id", false, 'm', TO_ID, 4, "id4", 5,
	    "entry 4 of label_to_id: label 5 has another id than in "
	    "id_to_label", { .deleted = 1, .bad_pairs = 1 } },
	{ "a pair twice in label_to_id", false, 'm', TO_ID, 4, "id3", 4,
	    "entry 4 of label_to_id: label 4 has another id than in "
	    "id_to_label", { .deleted = 1, .bad_pairs = 1 } },
	{ "one less in label_to_id", false, 'm', TO_ID, -1, NULL, 0,
	    "1 labels of id_to_label are not in label_to_id",
	    { .deleted = 1, .bad_pairs = 1 } },
	{ "one less in id_to_seq_id, Python", true, 'm', TO_SEQ_ID, -1, NULL,
	    0, "1 ids are not in id_to_seq_id: Chroma fails when it deletes "
	    "them", { .deleted = 1 } },
	{ "one less in id_to_seq_id, Rust", false, 'm', TO_SEQ_ID, -1, NULL,
	    0, NULL, { .deleted = 1 } },
	{ "one more in id_to_seq_id", true, 'm', TO_SEQ_ID, 4, "gone", 5,
	    NULL, { .deleted = 1 } },
	{ "no id_to_seq_id", false, 'm', TO_SEQ_ID, -2, NULL, 0,
	    "id_to_seq_id is not in it", { .deleted = 1 } },
	{ "seq_id 2^32", false, 'm', TO_SEQ_ID, 0, NULL, INT64_C(1) << 32,
	    "id_to_seq_id: 4294967296 is no number of 32 bits",
	    { .deleted = 1 } },
};

static void
make_pickle(struct buf *b, size_t row)
{
	static const char class[] = "\x80\2cchromadb.segment.impl.vector."
	    "local_persistent_hnsw\nPersistentData\n)\x81}(";
	char what = pickles[row].what;
	int64_t number = pickles[row].number;
	int i;

	b->len = 0;
	if (pickles[row].class_form)
		buf_add(b, class, sizeof(class) - 1);
	else
		buf_add(b, "\x80\3}(", 4);
	add_string(b, "dimensionality");
	if (pickles[row].class_form)
		add_number(b, what == 'd' ? number : DIM);
	else
		buf_addc(b, 'N');
	add_string(b, "total_elements_added");
	add_number(b, what == 't' ? number : 5);
	add_string(b, "max_seq_id");
	add_number(b, what == 's' ? number : 17);
	for (i = 0; i < MAPS; i++) {
		struct entry entry[5] = { { "id0", 1 }, { "id1", 2 },
		    { "id2", 3 }, { "id3", 4 } };
		size_t n = 4;

		if (what == 'm' && i == pickles[row].map) {
			int at = pickles[row].entry;

			n = at == 4 ? 5 : at == -1 ? 3 : 4;
			if (at == -2)
				continue;
			if (at >= 0) {
				entry[at].number = number;
				if (pickles[row].id)
					entry[at].id = pickles[row].id;
			}
		}
		add_map(b, i, entry, n);
	}
	buf_adds(b, pickles[row].class_form ? "ub." : "u.");
	if (what == 'x')
		buf_addc(b, 'x');
}

static void
test_pickles(void)
{
	struct elements el;
	struct maker m;
	struct err e;
	char want[256];
	size_t i;

	for (i = 0; i < COUNT(pickles); i++) {
		const char *fault = pickles[i].fault;

		make(&m, 5, 1);
		make_pickle(&m.file[INDEX_PICKLE], i);
		write_out(&m);
		snprintf(want, sizeof(want), "index_metadata.pickle: %s",
		    fault ? fault : "");
		if (!fault && pickles[i].found.high_labels)
			snprintf(want, sizeof(want), "data_level0.bin: element "
			    "3: label 4, but only 3 were given: the next adds "
			    "overwrite it");
		else if (!fault && pickles[i].found.orphan_labels)
			snprintf(want, sizeof(want), "data_level0.bin: 1 live "
			    "elements that no id names");
		else if (!fault)
			want[0] = '\0';
		ok(look(&el, &e) == 0 && el.readable == 5 && el.found.whole,
		    "a pickle");
		found_is(&el, pickles[i].name, *want ? want : NULL,
		    &pickles[i].found);
		ok(find(&el, "id0") == 0 && find(&el, "id1") == 1 &&
		    find(&el, "id2") == 2 && find(&el, "id3") ==
		    (pickles[i].found.missing_labels == 0 &&
		    pickles[i].entry != -1 ? 3 : pickles[i].map != TO_LABEL ?
		    3 : pickles[i].number == 3 ? 2 : -1), "  ids are found");
		elements_close(&el);
	}
	make(&m, 5, 1);
	m.file[INDEX_PICKLE].len -= 1;
	write_out(&m);
	ok(look(&el, &e) == 0 && !el.has_pickle &&
	    el.pickle.id_to_label.n == 0 && strstr(el.found.fault.msg,
	    "index_metadata.pickle: +") && strstr(el.found.fault.msg,
	    ": truncated: no end") && find(&el, "id0") == -1, "%s",
	    el.found.fault.msg);
	elements_close(&el);
}

/* A live element with a deleted one's label: the live one counts. */
static void
test_live_first(void)
{
	struct elements el;
	struct maker m;
	struct err e;

	make(&m, 5, 0);
	m.file[INDEX_LEVEL0].p[2] = 1;
	m.file[INDEX_LEVEL0].p[4 * ELEMENT + LABEL_AT] = 1;
	write_out(&m);
	ok(look(&el, &e) == 0 && el.found.same_labels == 1 &&
	    el.found.missing_labels == 1 && find(&el, "id0") == 4 &&
	    find(&el, "id4") == -1, "a live element before a deleted one");
	elements_close(&el);
}

/* ---- vectors ---- */

/* Four elements whose vectors are given, with lengths; normalised ones for
 * cosine. */
static void
make_vectors(struct maker *m, float (*v)[DIM], bool cosine)
{
	uint32_t i, k;

	make(m, 4, 0);
	for (i = 0; i < 4; i++) {
		char *p = m->file[INDEX_LEVEL0].p + i * ELEMENT + LABEL_AT - 8;
		float sum = 0, scale;

		for (k = 0; k < DIM; k++)
			sum += v[i][k] * v[i][k];
		sum = sqrtf(sum);
		scale = 1.0f / (sum + 1e-30f);
		for (k = 0; k < DIM; k++)
			le_put_f32(p + 4 * k, cosine ? v[i][k] * scale :
			    v[i][k]);
		le_put_f32(m->file[INDEX_LENGTH].p + 4 * i, sum);
	}
	write_out(m);
}

static bool
holds(const struct elements *el, uint32_t i, float a, float b)
{
	uint8_t v[8];

	le_put_f32(v, a);
	le_put_f32(v + 4, b);
	return elements_holds(el, i, v, DIM);
}

static void
test_plain(enum space space)
{
	float v[4][DIM] = { { 3, 4 }, { 0, 0 }, { -0.0f, 1 }, { NAN, 1 } };
	struct elements el;
	struct maker m;
	struct err e;
	uint8_t raw[12] = { 0 };

	make_vectors(&m, v, false);
	ok(elements_open(&el, dirfd_of, "index", DIM, space, true, &e) == 0 &&
	    el.found.not_finite == 1 && el.found.not_unit == 0 &&
	    el.found.fault.status == 0, "%s", space_name(space));
	ok(holds(&el, 0, 3, 4) && !holds(&el, 0, 3, 4.0000005f) &&
	    !holds(&el, 1, 3, 4), "  the same bits");
	ok(holds(&el, 1, 0, 0) && !holds(&el, 1, -0.0f, 0) &&
	    holds(&el, 2, -0.0f, 1) && holds(&el, 3, NAN, 1),
	    "  also of zeros and NaN");
	ok(!elements_holds(&el, 1, raw, DIM - 1) &&
	    !elements_holds(&el, 1, raw, DIM + 1) &&
	    elements_holds(&el, 1, raw, DIM), "  of the same dimension");
	ok(!elements_holds(&el, 4, raw, DIM) &&
	    !elements_holds(&el, UINT32_MAX, raw, DIM), "  of one that is");
	elements_close(&el);
	ok(elements_open(&el, dirfd_of, "index", DIM, space, false, &e) == 0 &&
	    el.found.not_finite == 0, "  vectors are looked at when asked");
	elements_close(&el);
	ok(elements_open(&el, dirfd_of, "index", DIM, SPACE_UNKNOWN, true, &e)
	    == 0 && !holds(&el, 0, 3, 4), "  in no space nothing is equal");
	elements_close(&el);
}

static void
test_cosine(void)
{
	float v[4][DIM] = { { 3, 4 }, { 0, 0 }, { 1e-25f, 0 }, { 5e20f, 1 } };
	struct elements el;
	struct maker m;
	struct err e;

	make_vectors(&m, v, true);
	ok(elements_open(&el, dirfd_of, "index", DIM, SPACE_COSINE, true, &e)
	    == 0 && el.found.fault.status == 0 && el.found.not_unit == 2,
	    "cosine, of which %d not of norm 1", (int)el.found.not_unit);
	ok(holds(&el, 0, 3, 4) && holds(&el, 0, 3.00001f, 4) &&
	    !holds(&el, 0, 3.0001f, 4) && !holds(&el, 0, 4, 3) &&
	    !holds(&el, 0, -3, -4), "  within 1e-5 of the norm");
	ok(!holds(&el, 0, 6, 8) && !holds(&el, 0, 0.6f, 0.8f) &&
	    !holds(&el, 0, 3.0003f, 4.0004f), "  the length, too");
	ok(holds(&el, 1, 0, 0) && !holds(&el, 1, 1e-20f, 0) &&
	    !holds(&el, 0, 0, 0) && !holds(&el, 2, 0, 0),
	    "  zeros are zeros only");
	ok(holds(&el, 2, 1e-25f, 0) && !holds(&el, 2, 2e-25f, 0),
	    "  a norm that float32 does not have, by its bits");
	ok(!holds(&el, 3, 5e20f, 1) && !holds(&el, 3, NAN, 1) &&
	    !holds(&el, 0, NAN, 4) && !holds(&el, 0, INFINITY, 4),
	    "  one that it does not hold is lost in the zeros");
	elements_close(&el);

	make(&m, 4, 1);		/* of norm 1.41 with length 1 */
	le_put_f32(m.file[INDEX_LENGTH].p + 4, -1);
	write_out(&m);
	ok(elements_open(&el, dirfd_of, "index", DIM, SPACE_COSINE, true, &e)
	    == 0 && el.found.fault.status == 0 && el.found.not_unit == 3,
	    "an index of another space");
	elements_close(&el);
	make_vectors(&m, v, true);
	scratch_write(scratch_path("index/length.bin"),
	    slice_of("\0\0\xa0\x40\0\0", 6));
	ok(elements_open(&el, dirfd_of, "index", DIM, SPACE_COSINE, true, &e)
	    == 0 && holds(&el, 0, 3, 4) && !holds(&el, 1, 0, 0),
	    "lengths cut short");
	elements_close(&el);
}

/* ---- one after the other ---- */

/* "label id level deleted links" of all elements, ';' behind each. */
static const char *
walked(struct elements *el, struct buf *b)
{
	struct elements_walk w;
	struct element x;
	struct err e;
	struct buf links = { 0 }, line = { 0 };
	int round;

	for (round = 0; round < 2; round++) {
		buf_reset(b);
		if (round == 0 && elements_walk_begin(&w, el, &e) < 0)
			return "no memory";
		elements_walk_again(&w);
		while (elements_next(&w, &x)) {
			struct record r = { .type = RECORD_VECTOR,
			    .has = FIELD_LINKS };

			buf_reset(&links);
			buf_reset(&line);
			if (elements_links(el, &x, &links, &e) < 0)
				return "no memory";
			r.links = buf_slice(&links);
			record_to_json(&r, &line);
			buf_addf(b, "%d %.*s %d%s%s ", (int)x.label,
			    x.id.p ? (int)x.id.len : 1, x.id.p ? x.id.p : "-",
			    x.level, x.deleted ? " deleted" : "",
			    x.blank ? " blank" : "");
			/* behind {"type":"vector","links": */
			buf_add(b, line.p + 25, line.len - 26);
			buf_addc(b, ';');
		}
	}
	elements_walk_end(&w);
	buf_release(&links);
	buf_release(&line);
	return buf_str(b);
}

/* Open it whatever is wrong, walk, and compare. */
static void
walk_is(const char *name, const char *fault, const char *want)
{
	struct elements el;
	struct buf b = { 0 };
	struct err e = { 0 };
	const char *got;

	if (elements_open_all(&el, dirfd_of, "index", DIM, M, SPACE_L2, true,
	    &e) < 0) {
		ok(false, "%s: %s", name, e.msg);
		return;
	}
	got = walked(&el, &b);
	ok(strcmp(got, want) == 0, "%s: %s", name, got);
	ok(strcmp(el.found.fault.msg, fault) == 0, "  %s",
	    el.found.fault.msg);
	elements_close(&el);
	buf_release(&b);
}

static void
test_walk(void)
{
	struct maker m;

	make(&m, 3, 1);
	write_out(&m);
	walk_is("a walk", "", "1 id0 1 [[2],[]];2 id1 0 [[1]];"
	    "3 - 0 deleted [[2]];");
	make(&m, 0, 0);
	write_out(&m);
	walk_is("of nothing", "", "");
	make(&m, 3, 1);
	m.file[INDEX_PICKLE].failed = true;
	write_out(&m);
	walk_is("without a pickle", "index_metadata.pickle: missing, but "
	    "header.bin counts 3 elements", "1 - 1 [[2],[]];2 - 0 [[1]];"
	    "3 - 0 deleted [[2]];");
	make(&m, 0, 0);
	m.file[INDEX_PICKLE].failed = true;
	write_out(&m);
	walk_is("nothing, without a pickle", "", "");
	make(&m, 3, 1);
	m.file[INDEX_PICKLE].len--;
	write_out(&m);
	walk_is("a pickle cut short", "index_metadata.pickle: +143: truncated: "
	    "no end", "1 - 1 [[2],[]];2 - 0 [[1]];3 - 0 deleted [[2]];");
	make(&m, 3, 1);
	m.file[INDEX_LINKS].len -= 4;
	write_out(&m);
	walk_is("links cut short", "link_lists.bin: ends at element 2 of 3",
	    "1 id0 1 [[2],[]];2 id1 0 [[1]];3 - -1 deleted [[2]];");
	make(&m, 3, 1);
	le_put_u32(m.file[INDEX_LEVEL0].p + ELEMENT + 4, 99);
	write_out(&m);
	walk_is("a link to nowhere", "data_level0.bin: element 1: a link to an "
	    "element that is not there", "1 id0 1 [[2],[]];2 id1 0 [[]];"
	    "3 - 0 deleted [[2]];");
	make(&m, 3, 1);
	le_put_u16(m.file[INDEX_LEVEL0].p + ELEMENT, 5);
	write_out(&m);
	walk_is("too many links", "data_level0.bin: element 1: more links than "
	    "M allows", "1 id0 1 [[2],[]];2 id1 0 [[]];3 - 0 deleted [[2]];");
	make(&m, 3, 0);
	memset(m.file[INDEX_LEVEL0].p + ELEMENT, 0, ELEMENT);
	write_out(&m);
	walk_is("one of zeros", "index_metadata.pickle: entry 1 of id_to_label: "
	    "label 2, which no element has", "1 id0 1 [[0],[]];"
	    "0 - 0 blank [[]];3 id2 0 [[0]];");
	make(&m, 3, 1);
	m.file[INDEX_HEADER].len -= 1;
	memset(m.file[INDEX_LEVEL0].p + 2 * ELEMENT, 0x55, ELEMENT);
	write_out(&m);
	walk_is("without a header", "header.bin: 99 bytes instead of 100: "
	    "truncated or not an index header", "1 id0 1 [[2],[]];"
	    "2 id1 0 [[1]];1431655765 - 0 deleted blank [[]];");
	make(&m, 3, 1);
	m.file[INDEX_HEADER].len -= 1;
	m.file[INDEX_PICKLE].failed = true;
	write_out(&m);
	walk_is("without both", "header.bin: 99 bytes instead of 100: "
	    "truncated or not an index header", "1 - 1 blank [[2],[]];"
	    "2 - 0 blank [[1]];3 - 0 deleted blank [[2]];");
	make(&m, 3, 1);
	m.file[INDEX_LEVEL0].len -= 1;
	write_out(&m);
	walk_is("elements cut short", "data_level0.bin: 107 bytes, but 3 "
	    "elements of 36 bytes: truncated", "1 id0 1 [[2],[]];"
	    "2 id1 0 [[1]];");
}

/* A header that is gone, and settings that are not those of the index; and one
 * that is bad in a field. */
static void
test_assumed(void)
{
	static const struct {
		unsigned at, to;
		uint64_t readable;
	} row[] = {
		{ VERSION, 7, 5 }, { SIZE_DATA, 32, 5 }, { SIZE_DATA, 3, 5 },
		{ LABEL_OFFSET, 24, 5 }, { LABEL_OFFSET, 0, 5 },
		{ OFFSET_DATA, 16, 5 }, { MAXM, 3, 5 }, { MAXM0, 5, 5 },
		{ AT_M, 3, 5 }, { ENTER_POINT, 5, 5 },
	};
	struct elements el;
	struct maker m;
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < 2; i++) {
		make(&m, 5, 1);
		m.file[INDEX_HEADER].len = 99;
		write_out(&m);
		ok(elements_open_all(&el, dirfd_of, "index", i ? DIM : DIM + 1,
		    i ? M + 1 : M, SPACE_L2, true, &e) == 0 &&
		    !el.dir.has_header && el.readable == 0 &&
		    el.leveled == 0 && el.found.missing_labels == 4 &&
		    find(&el, "id0") == -1, "settings of another index");
		elements_close(&el);
	}
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		make(&m, 5, 1);
		le_put_u32(m.file[INDEX_HEADER].p + row[i].at, row[i].to);
		write_out(&m);
		ok(elements_open_all(&el, dirfd_of, "index", -1, 0, SPACE_L2,
		    true, &e) == 0 && !el.dir.has_header &&
		    el.dir.header.dim == DIM && el.dir.header.M == M &&
		    el.readable == row[i].readable && find(&el, "id3") == 3,
		    "a header that has %u at +%u: %s", row[i].to, row[i].at,
		    el.found.fault.msg);
		elements_close(&el);
	}
}

/* What a vector was. */
static bool
was(const struct elements *el, uint32_t i, float a, float b)
{
	uint8_t v[8], room[8];

	le_put_f32(v, a);
	le_put_f32(v + 4, b);
	return memcmp(elements_vector(el, i, room), v, 8) == 0;
}

static void
test_vectors(void)
{
	float v[4][DIM] = { { 3, 4 }, { 0, 0 }, { 1e-23f, 0 }, { 5e20f, 1 } };
	float r = 1.0f / (5.0f + 1e-30f);
	struct elements el;
	struct maker m;
	struct err e;

	make_vectors(&m, v, false);
	ok(elements_open(&el, dirfd_of, "index", DIM, SPACE_L2, true, &e) == 0
	    && was(&el, 0, 3, 4) && was(&el, 3, 5e20f, 1) &&
	    el.found.bad_lengths == 0, "vectors of l2, as they are");
	elements_close(&el);
	make_vectors(&m, v, true);
	ok(elements_open(&el, dirfd_of, "index", DIM, SPACE_COSINE, true, &e)
	    == 0 && was(&el, 0, 3 * r * 5, 4 * r * 5) && was(&el, 1, 0, 0) &&
	    was(&el, 3, 0 * INFINITY, 0 * INFINITY) && el.lengths == 4,
	    "of cosine, times length");
	ok(el.found.bad_lengths == 0 && el.found.not_unit == 2,
	    "  too large or small ones are no fault");
	elements_close(&el);
	make_vectors(&m, v, true);
	scratch_write(scratch_path("index/length.bin"),
	    slice_of("\0\0\0\0\0\0\0\0\0\0\0\0", 12));
	ok(elements_open(&el, dirfd_of, "index", DIM, SPACE_COSINE, true, &e)
	    == 0 && el.found.bad_lengths == 1 && el.found.bad_length_at == 0 &&
	    el.lengths == 3, "  zeros for lengths are one");
	ok(was(&el, 0, 3 * r, 4 * r) && was(&el, 1, 0, 0) && was(&el, 2, 0, 0),
	    "  then what is stored");
	elements_close(&el);
	v[2][0] = 1e-26f;
	make_vectors(&m, v, true);
	ok(elements_open(&el, dirfd_of, "index", DIM, SPACE_COSINE, true, &e)
	    == 0 && el.found.bad_lengths == 1 && el.found.bad_length_at == 2,
	    "  very small ones cannot be told from damage");
	elements_close(&el);
	make(&m, 4, 1);		/* of norm 1.41 with length 1 */
	le_put_f32(m.file[INDEX_LENGTH].p + 4, -1);
	write_out(&m);
	ok(elements_open(&el, dirfd_of, "index", DIM, SPACE_COSINE, true, &e)
	    == 0 && el.found.bad_lengths == 3 && was(&el, 0, 1, 1) &&
	    was(&el, 1, 1, 1), "  another space is a fault");
	elements_close(&el);
}

/* ---- sizes that only a header or a hole makes ---- */

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
test_absurd(void)
{
	struct elements el;
	struct maker m;
	struct err e;
	double start;

	/* seen in the wild: link_lists.bin grown to terabytes */
	make(&m, 5, 1);
	write_out(&m);
	if (truncate(scratch_path("index/link_lists.bin"),
	    (off_t)17 << 40) < 0) {
		ok(1, "17 TiB of links # SKIP no such files here: %s",
		    strerror(errno));
	} else {
		start = seconds();
		ok(look(&el, &e) == 0 && strcmp(el.found.fault.msg,
		    "link_lists.bin: 18691697672192 bytes, of which 32 are "
		    "links: grown without reason") == 0 && el.readable == 5 &&
		    !el.found.whole, "17 TiB of links: %s",
		    el.found.fault.msg);
		ok(seconds() - start < 5, "  in no time");
		ok(el.dir.allocated < 1 << 20, "  that take no room");
		elements_close(&el);
	}
	/* a count that only a hole backs: no memory for it */
	make(&m, 5, 1);
	le_put_u64(m.file[INDEX_HEADER].p + CUR_COUNT, 4000000000);
	le_put_u64(m.file[INDEX_HEADER].p + MAX_ELEMENTS, 4000000000);
	write_out(&m);
	stretch(INDEX_LEVEL0, UINT64_C(4000000000) * ELEMENT);
	stretch(INDEX_LENGTH, UINT64_C(16000000000));
	stretch(INDEX_LINKS, UINT64_C(16000000000));
	start = seconds();
	ok(look(&el, &e) == 0 && strstr(el.found.fault.msg,
	    "lies in a hole of the file: never written") &&
	    el.readable < 100000 && !el.found.whole && find(&el, "id3") == 3,
	    "4000000000 elements in a hole: %s", el.found.fault.msg);
	elements_close(&el);
	ok(seconds() - start < 5, "  in no time");
}

/* Elements of 8192 numbers, of which only the label is on disk: a sparse copy
 * of vectors of zeros is in order, and one that is nearly all hole is not. */
static void
test_sparse(void)
{
	static const struct {
		uint64_t dim, n;
		const char *fault;
	} row[] = {
		{ 8192, 4, NULL },
		{ 1 << 20, 4, "data_level0.bin: 4 elements in " },
	};
	struct elements el;
	struct maker m;
	struct err e;
	char *h;
	size_t i, k;
	int fd;

	for (i = 0; i < COUNT(row); i++) {
		uint64_t size = 20 + 4 * row[i].dim + 8;

		make(&m, 4, 0);
		h = m.file[INDEX_HEADER].p;
		le_put_u64(h + SIZE_DATA, size);
		le_put_u64(h + LABEL_OFFSET, size - 8);
		m.file[INDEX_LEVEL0].len = 0;
		write_out(&m);
		fd = open(scratch_path("index/data_level0.bin"),
		    O_WRONLY | O_CLOEXEC);
		for (k = 0; k < row[i].n; k++)
			if (pwrite(fd, "\1\2\3\4" + k, 1,
			    (off_t)((k + 1) * size - 8)) != 1)
				scratch_die("pwrite");
		close(fd);
		stretch(INDEX_LEVEL0, row[i].n * size);
		ok(elements_open(&el, dirfd_of, "index", -1, SPACE_L2, true,
		    &e) == 0 && (row[i].fault ? strstr(el.found.fault.msg,
		    row[i].fault) == el.found.fault.msg && el.readable == 0 :
		    !el.found.fault.status && el.readable == 4 &&
		    find(&el, "id3") == 3), "dim %d, all holes: %s",
		    (int)row[i].dim, el.found.fault.msg);
		elements_close(&el);
	}
}

int
main(void)
{
	dirfd_of = open(scratch_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	test_healthy();
	test_large();
	test_absent();
	test_damages();
	test_upper_links();
	test_link_count();
	test_dimension();
	test_pickles();
	test_live_first();
	test_plain(SPACE_L2);
	test_plain(SPACE_IP);
	test_cosine();
	test_walk();
	test_assumed();
	test_vectors();
	test_absurd();
	test_sparse();
	close(dirfd_of);
	return tap_done();
}
