/* SPDX-License-Identifier: Apache-2.0 */
/* t_index - index directories, made here: the header, the sizes, and a pass
 * over elements, links and labels; healthy, damaged and absurd. */
#include "chroma/index.h"

#include <errno.h>
#include <time.h>

#include "base/le.h"

#include "../scratch.h"
#include "../tap.h"

/* An index of dim 2 and M 2: an element is 4 + 4*4 + 4*2 + 8 = 36 bytes. */
enum { DIM = 2, M = 2, MAX_M0 = 4, LABEL_AT = 28, ELEMENT = 36 };

/* Offsets in header.bin. */
enum {
	VERSION = 0, OFFSET_LEVEL0 = 4, MAX_ELEMENTS = 12, CUR_COUNT = 20,
	SIZE_DATA = 28, LABEL_OFFSET = 36, OFFSET_DATA = 44, MAX_LEVEL = 52,
	ENTER_POINT = 56, MAXM = 60, MAXM0 = 68, AT_M = 76, MULT = 84,
	EF_CONSTRUCTION = 92,
};

struct maker {
	struct buf file[INDEX_FILES];
};

static void
add_u32(struct buf *b, uint32_t v)
{
	char p[4];

	le_put_u32(p, v);
	buf_add(b, p, 4);
}

static void
add_u64(struct buf *b, uint64_t v)
{
	char p[8];

	le_put_u64(p, v);
	buf_add(b, p, 8);
}

static void
add_string(struct buf *b, const char *s)
{
	buf_addc(b, 'X');
	add_u32(b, (uint32_t)strlen(s));
	buf_adds(b, s);
}

static void
put_header(struct buf *b, uint64_t n)
{
	add_u32(b, 1);
	add_u64(b, 0);
	add_u64(b, 1000);
	add_u64(b, n);
	add_u64(b, ELEMENT);
	add_u64(b, LABEL_AT);
	add_u64(b, 4 + 4 * MAX_M0);
	add_u32(b, n ? 1 : UINT32_MAX);
	add_u32(b, n ? 0 : UINT32_MAX);
	add_u64(b, M);
	add_u64(b, MAX_M0);
	add_u64(b, M);
	add_u64(b, UINT64_C(0x3ff71547652b82fe));	/* 1 / ln 2 */
	add_u64(b, 100);
}

/* Element i: one link to the one before, label i + 1. */
static void
put_element(struct buf *b, uint32_t i, uint32_t n, bool deleted)
{
	size_t k;

	buf_addc(b, n > 1);
	buf_addc(b, 0);
	buf_addc(b, deleted);
	buf_addc(b, 0);
	add_u32(b, i ? i - 1 : n > 1);
	for (k = 1; k < MAX_M0; k++)
		add_u32(b, 0xdeadbeef);		/* past the count: anything */
	for (k = 0; k < DIM; k++)
		add_u32(b, 0x3f800000);
	add_u64(b, i + 1);
}

/* The dict of Rust, with a map of n ids "id0" ... and labels. */
static void
put_pickle(struct buf *b, uint32_t n)
{
	static const char *const map[] = { "id_to_label", "label_to_id" };
	char id[32];
	uint32_t i;
	int by;

	buf_add(b, "\x80\3}(", 4);
	add_string(b, "total_elements_added");
	buf_addc(b, 'J');
	add_u32(b, n);
	for (by = 0; by < 2; by++) {
		add_string(b, map[by]);
		buf_adds(b, "}(");
		for (i = 0; i < n; i++) {
			snprintf(id, sizeof(id), "id%u", i);
			if (by == 0)
				add_string(b, id);
			buf_addc(b, 'J');
			add_u32(b, i + 1);
			if (by == 1)
				add_string(b, id);
		}
		buf_addc(b, 'u');
	}
	buf_adds(b, "u.");
}

/* A healthy index: element 0 also on level 1, deleted ones without an id. */
static void
make(struct maker *m, uint32_t n, uint32_t deleted)
{
	uint32_t i;

	*m = (struct maker){ 0 };
	put_header(&m->file[INDEX_HEADER], n);
	for (i = 0; i < n; i++) {
		put_element(&m->file[INDEX_LEVEL0], i, n, i + deleted >= n);
		add_u32(&m->file[INDEX_LENGTH], 0x3f800000);
		if (i == 0) {
			add_u32(&m->file[INDEX_LINKS], 4 + 4 * M);
			add_u32(&m->file[INDEX_LINKS], 0);
			add_u64(&m->file[INDEX_LINKS], 0);
		} else {
			add_u32(&m->file[INDEX_LINKS], 0);
		}
	}
	put_pickle(&m->file[INDEX_PICKLE], n - deleted);
}

static int dirfd_of = -1;

/* Write what there is into a fresh directory "index"; a buf that has failed
 * stands for a file that is missing. */
static void
write_out(struct maker *m)
{
	char path[512];
	int i;

	mkdir(scratch_path("index"), 0777);
	for (i = 0; i < INDEX_FILES; i++) {
		snprintf(path, sizeof(path), "%s/%s", scratch_path("index"),
		    index_file_name[i]);
		unlink(path);
		if (buf_ok(&m->file[i]))
			scratch_write(path, buf_slice(&m->file[i]));
		buf_release(&m->file[i]);
	}
}

/* Make a file larger without writing to it. */
static void
stretch(enum index_file f, uint64_t size)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", scratch_path("index"),
	    index_file_name[f]);
	if (truncate(path, (off_t)size) < 0)
		scratch_die("truncate");
}

/* ---- the header ---- */

static const struct {
	const char *name;
	size_t at;
	unsigned size;		/* bytes changed */
	uint64_t to;
	const char *message;	/* NULL: taken */
} headers[] = {
	{ "as it should be", VERSION, 4, 1, NULL },
	{ "version 0", VERSION, 4, 0, "+0: persistence version 0: newer than "
	    "this program, or corrupt" },
	{ "version 2", VERSION, 4, 2, "+0: persistence version 2: newer than "
	    "this program, or corrupt" },
	{ "another offsetLevel0", OFFSET_LEVEL0, 8, 4,
	    "+28: offsets that do not fit together: corrupt" },
	{ "any max_elements", MAX_ELEMENTS, 8, 0, NULL },
	{ "2^32 elements", CUR_COUNT, 8, UINT64_C(1) << 32,
	    "+20: 4294967296 elements: corrupt" },
	{ "2^32-1 elements", CUR_COUNT, 8, UINT32_MAX, NULL },
	{ "a larger element", SIZE_DATA, 8, ELEMENT + 4,
	    "+28: offsets that do not fit together: corrupt" },
	{ "a huge element", SIZE_DATA, 8, UINT64_MAX,
	    "+28: offsets that do not fit together: corrupt" },
	{ "label_offset below the data", LABEL_OFFSET, 8, 16,
	    "+28: offsets that do not fit together: corrupt" },
	{ "label_offset not a float's", LABEL_OFFSET, 8, LABEL_AT + 1,
	    "+28: offsets that do not fit together: corrupt" },
	{ "label_offset 2^64-8", LABEL_OFFSET, 8, UINT64_MAX - 7,
	    "+28: offsets that do not fit together: corrupt" },
	{ "another offsetData", OFFSET_DATA, 8, 16,
	    "+28: offsets that do not fit together: corrupt" },
	{ "level -1 with elements", MAX_LEVEL, 4, UINT32_MAX,
	    "+52: level -1, entry point 0 with 3 elements: corrupt" },
	{ "level 64", MAX_LEVEL, 4, 64, NULL },
	{ "level 65", MAX_LEVEL, 4, 65,
	    "+52: level 65, entry point 0 with 3 elements: corrupt" },
	{ "the last element is the entry", ENTER_POINT, 4, 2, NULL },
	{ "the entry is beyond", ENTER_POINT, 4, 3,
	    "+52: level 1, entry point 3 with 3 elements: corrupt" },
	{ "M 0", AT_M, 8, 0, "+60: M 0, maxM 2, maxM0 4: corrupt" },
	{ "M 65536", AT_M, 8, 65536, "+60: M 65536, maxM 2, maxM0 4: corrupt" },
	{ "another M", AT_M, 8, 3, "+60: M 3, maxM 2, maxM0 4: corrupt" },
	{ "another maxM", MAXM, 8, 3, "+60: M 2, maxM 3, maxM0 4: corrupt" },
	{ "another maxM0", MAXM0, 8, 5, "+60: M 2, maxM 2, maxM0 5: corrupt" },
	{ "any ef_construction", EF_CONSTRUCTION, 8, 0, NULL },
};

static void
test_headers(void)
{
	struct index_header h;
	struct buf b = { 0 };
	struct err e = { 0 };
	size_t i;
	unsigned k;

	for (i = 0; i < COUNT(headers); i++) {
		int r;

		b.len = 0;
		put_header(&b, 3);
		for (k = 0; k < headers[i].size; k++)
			b.p[headers[i].at + k] =
			    (char)(headers[i].to >> (8 * k));
		r = index_header_parse(&h, b.p, b.len, &e);
		ok(headers[i].message ? r == -1 && e.status == STATUS_DATA &&
		    strcmp(e.msg, headers[i].message) == 0 : r == 0,
		    "%s%s%s", headers[i].name, r ? ": " : "", r ? e.msg : "");
	}
	b.len = 0;
	put_header(&b, 3);
	ok(index_header_parse(&h, b.p, b.len, &e) == 0 &&
	    h.persistence_version == 1 && h.max_elements == 1000 &&
	    h.cur_element_count == 3 && h.size_data_per_element == ELEMENT &&
	    h.label_offset == LABEL_AT && h.offsetData == 20 &&
	    h.maxlevel == 1 && h.enterpoint_node == 0 && h.maxM == 2 &&
	    h.maxM0 == 4 && h.M == 2 && h.mult > 1.44 && h.mult < 1.45 &&
	    h.ef_construction == 100 && h.dim == 2, "every field");
	for (i = 0; i < 100; i++)
		if (index_header_parse(&h, b.p, i, &e) == 0)
			break;
	ok(i == 100 && strcmp(e.msg, "99 bytes instead of 100: truncated or "
	    "not an index header") == 0, "cut short");
	buf_addc(&b, 0);
	ok(index_header_parse(&h, b.p, b.len, &e) == -1, "too long");
	/* of an empty index, as chroma 0.6.3 writes it: formats that are read
	 * elsewhere too */
	b.len = 0;
	buf_add(&b, "\1\0\0\0" "\0\0\0\0\0\0\0\0" "\xe8\3\0\0\0\0\0\0"
	    "\0\0\0\0\0\0\0\0" "\x94\0\0\0\0\0\0\0" "\x8c\0\0\0\0\0\0\0"
	    "\x84\0\0\0\0\0\0\0" "\xff\xff\xff\xff" "\xff\xff\xff\xff"
	    "\x10\0\0\0\0\0\0\0" "\x20\0\0\0\0\0\0\0" "\x10\0\0\0\0\0\0\0"
	    "\xfe\x82\x2b\x65\x47\x15\xd7\x3f" "\x64\0\0\0\0\0\0\0", 100);
	ok(index_header_parse(&h, b.p, b.len, &e) == 0 && h.M == 16 &&
	    h.dim == 2 && h.maxlevel == -1 && h.cur_element_count == 0,
	    "an empty index of chroma 0.6.3");
	buf_release(&b);
}

/* ---- directories ---- */

/* Open, and scan with the pickle if there is one. */
static int
look(struct index_dir *d, struct index_scan *s, struct err *e)
{
	struct pickle k;
	char *bytes = NULL;
	int r, got;

	*e = (struct err){ 0 };
	*s = (struct index_scan){ 0 };
	if (index_open(d, dirfd_of, "index", e) < 0)
		return -1;
	got = index_pickle(d, &k, true, &bytes, e);
	r = got < 0 ? -1 : index_scan(d, &k, s, e);
	if (got > 0)
		pickle_release(&k);
	free(bytes);
	index_close(d);
	return r;
}

static void
test_healthy(void)
{
	struct index_dir d;
	struct index_scan s;
	struct maker m;
	struct err e;
	struct buf *level0;
	int i;

	make(&m, 5, 2);
	write_out(&m);
	ok(look(&d, &s, &e) == 0 && d.fault.status == 0 &&
	    s.fault.status == 0 && d.has_header, "a healthy index%s%s%s",
	    e.msg, d.fault.msg, s.fault.msg);
	ok(s.elements == 5 && s.deleted == 2 && s.orphan_labels == 0 &&
	    s.missing_labels == 0 && s.bad_links == 0 && s.max_level == 1 &&
	    s.links_size == 5 * 4 + 12, "  as it was made");
	ok(d.size[INDEX_HEADER] == 100 && d.size[INDEX_LEVEL0] == 5 * ELEMENT
	    && d.size[INDEX_LENGTH] == 20 && d.allocated >= 4096,
	    "  its sizes");
	for (i = 0; i < INDEX_FILES; i++)
		ok(d.there[i], "  %s", index_file_name[i]);

	/* larger than needed: the room that Chroma allocates beforehand */
	stretch(INDEX_LEVEL0, 1000 * ELEMENT);
	stretch(INDEX_LENGTH, 4000);
	ok(look(&d, &s, &e) == 0 && d.fault.status == 0 &&
	    s.fault.status == 0 && s.elements == 5, "with room to grow");

	make(&m, 0, 0);
	write_out(&m);
	ok(look(&d, &s, &e) == 0 && d.fault.status == 0 &&
	    s.fault.status == 0 && s.max_level == -1 && s.links_size == 0,
	    "an empty one");
	make(&m, 1, 0);
	level0 = &m.file[INDEX_LEVEL0];
	level0->p[0] = 0;
	write_out(&m);
	ok(look(&d, &s, &e) == 0 && s.fault.status == 0 && s.bad_links == 0 &&
	    s.elements == 1, "one element%s", s.fault.msg);
	/* elements over many chunks */
	make(&m, 100000, 10);
	write_out(&m);
	ok(look(&d, &s, &e) == 0 && s.fault.status == 0 &&
	    s.elements == 100000 && s.deleted == 10 && s.bad_links == 0 &&
	    s.orphan_labels == 0 && s.missing_labels == 0,
	    "100000 elements");
}

static void
test_absent(void)
{
	struct index_dir d;
	struct index_scan s;
	struct maker m;
	struct pickle k;
	struct err e = { 0 };
	char *bytes;
	int i;

	ok(index_open(&d, dirfd_of, "nothing", &e) == 0 && d.fd == -1 &&
	    d.fault.status == 0 && index_pickle(&d, &k, true, &bytes, &e) == 0
	    && !bytes, "no directory");
	index_close(&d);
	scratch_write(scratch_path("a-file"), BYTES("x"));
	ok(index_open(&d, dirfd_of, "a-file", &e) == 0 && d.fd == -1 &&
	    d.fault.status == STATUS_SYSTEM, "a file instead is a fault");
	ok(index_open(&d, dirfd_of, "../a-file", &e) == 0 && d.fd == -1 &&
	    d.fault.status == STATUS_DATA, "an id that leads elsewhere");

	make(&m, 3, 0);
	for (i = 0; i < INDEX_FILES; i++)
		m.file[i].failed = true;
	write_out(&m);
	ok(look(&d, &s, &e) == 0 && d.fault.status == 0, "an empty directory");

	make(&m, 0, 0);
	m.file[INDEX_PICKLE].failed = true;
	write_out(&m);
	ok(index_open(&d, dirfd_of, "index", &e) == 0 && d.fault.status == 0 &&
	    !d.there[INDEX_PICKLE] && d.has_header &&
	    index_pickle(&d, &k, true, &bytes, &e) == 0, "no pickle");
	index_close(&d);
	for (i = INDEX_HEADER; i < INDEX_PICKLE; i++) {
		char want[128];

		make(&m, 3, 0);
		m.file[i].failed = true;
		write_out(&m);
		snprintf(want, sizeof(want), "%s: missing: an incomplete copy, "
		    "or a write that failed", index_file_name[i]);
		ok(look(&d, &s, &e) == 0 && strcmp(d.fault.msg, want) == 0 &&
		    strcmp(s.fault.msg, want) == 0, "%s", d.fault.msg);
	}
}

/* ---- damage ---- */

/* Bytes at a place of a file, in an index of 5 elements of which 1 is
 * deleted; at SIZE_MAX: cut to the size in to. */
static const struct {
	const char *name;
	enum index_file file;
	size_t at;
	unsigned size;
	uint64_t to;
	const char *fault;	/* NULL: none */
	uint64_t bad_links, orphans, missing, deleted;
} damages[] = {
	{ "none", INDEX_LEVEL0, 0, 0, 0, NULL, 0, 0, 0, 1 },
	{ "a header of 0 bytes", INDEX_HEADER, SIZE_MAX, 0, 0, "header.bin: 0 "
	    "bytes instead of 100: truncated or not an index header",
	    0, 0, 0, 0 },
	{ "a header of 99 bytes", INDEX_HEADER, SIZE_MAX, 0, 99, "header.bin: "
	    "99 bytes instead of 100: truncated or not an index header",
	    0, 0, 0, 0 },
	{ "a header that counts more", INDEX_HEADER, CUR_COUNT, 8, 6,
	    "data_level0.bin: 180 bytes, but 6 elements of 36 bytes: "
	    "truncated", 0, 0, 0, 0 },
	{ "level0 cut", INDEX_LEVEL0, SIZE_MAX, 0, 179, "data_level0.bin: 179 "
	    "bytes, but 5 elements of 36 bytes: truncated", 0, 0, 0, 0 },
	{ "level0 empty", INDEX_LEVEL0, SIZE_MAX, 0, 0, "data_level0.bin: 0 "
	    "bytes, but 5 elements of 36 bytes: truncated", 0, 0, 0, 0 },
	{ "length cut", INDEX_LENGTH, SIZE_MAX, 0, 19,
	    "length.bin: 19 bytes, but 5 elements: truncated", 0, 0, 0, 0 },
	{ "links cut", INDEX_LINKS, SIZE_MAX, 0, 19,
	    "link_lists.bin: 19 bytes, but 5 elements: truncated", 0, 0, 0, 0 },
	{ "links cut in the middle", INDEX_LINKS, SIZE_MAX, 0, 31,
	    "link_lists.bin: ends at element 4 of 5", 0, 0, 0, 1 },
	{ "links cut at a record", INDEX_LINKS, SIZE_MAX, 0, 28,
	    "link_lists.bin: ends at element 4 of 5", 0, 0, 0, 1 },
	{ "links of a size that cannot be", INDEX_LINKS, 0, 4, 13,
	    "link_lists.bin: +0: 13 bytes of links for element 0: corrupt",
	    0, 0, 0, 1 },
	{ "links beyond the end", INDEX_LINKS, 0, 4, 36,
	    "link_lists.bin: +0: 36 bytes of links for element 0: corrupt",
	    0, 0, 0, 1 },
	{ "links of 2^32-4 bytes", INDEX_LINKS, 0, 4, UINT32_MAX - 3,
	    "link_lists.bin: +0: 4294967292 bytes of links for element 0: "
	    "corrupt", 0, 0, 0, 1 },
	{ "a later one, too", INDEX_LINKS, 24, 4, 24,
	    "link_lists.bin: +24: 24 bytes of links for element 3: corrupt",
	    0, 0, 0, 1 },
	{ "no links on level 1", INDEX_LINKS, 0, 4, 0, "link_lists.bin: 32 "
	    "bytes, of which 20 are links: grown without reason", 0, 0, 0, 1 },
	{ "a link beyond", INDEX_LEVEL0, ELEMENT + 4, 4, 5, NULL, 1, 0, 0, 1 },
	{ "a link to the last", INDEX_LEVEL0, ELEMENT + 4, 4, 4, NULL,
	    0, 0, 0, 1 },
	{ "a link to itself", INDEX_LEVEL0, ELEMENT + 4, 4, 1, NULL,
	    1, 0, 0, 1 },
	{ "too many links", INDEX_LEVEL0, ELEMENT, 2, MAX_M0 + 1, NULL,
	    1, 0, 0, 1 },
	{ "65535 links", INDEX_LEVEL0, 4 * ELEMENT, 2, 65535, NULL,
	    1, 0, 0, 1 },
	{ "a label that no id has", INDEX_LEVEL0, LABEL_AT, 8, 77, NULL,
	    0, 1, 1, 1 },
	{ "a label of 2^64-1", INDEX_LEVEL0, LABEL_AT, 8, UINT64_MAX, NULL,
	    0, 1, 1, 1 },
	{ "a label twice", INDEX_LEVEL0, LABEL_AT, 8, 2, NULL, 0, 1, 1, 1 },
	{ "a live element more", INDEX_LEVEL0, 4 * ELEMENT + 2, 1, 0, NULL,
	    0, 1, 0, 0 },
	{ "a live element less", INDEX_LEVEL0, 2, 1, 1, NULL, 0, 0, 1, 2 },
	{ "other flags", INDEX_LEVEL0, 2, 1, 0xfe, NULL, 0, 0, 0, 1 },
};

static void
test_damages(void)
{
	struct index_dir d;
	struct index_scan s;
	struct maker m;
	struct err e;
	size_t i;
	unsigned k;

	for (i = 0; i < COUNT(damages); i++) {
		struct buf *b = &m.file[damages[i].file];
		int r;

		make(&m, 5, 1);
		if (damages[i].at == SIZE_MAX)
			b->len = damages[i].to;
		else
			for (k = 0; k < damages[i].size; k++)
				b->p[damages[i].at + k] =
				    (char)(damages[i].to >> (8 * k));
		write_out(&m);
		r = look(&d, &s, &e);
		ok(r == 0 && strcmp(s.fault.msg, damages[i].fault ?
		    damages[i].fault : "") == 0 && (s.fault.status ==
		    STATUS_DATA) == (damages[i].fault != NULL),
		    "%s%s%s%s", damages[i].name, s.fault.msg[0] ? ": " : "",
		    s.fault.msg, e.msg);
		ok(damages[i].fault || (s.elements == 5 &&
		    s.bad_links == damages[i].bad_links &&
		    s.orphan_labels == damages[i].orphans &&
		    s.missing_labels == damages[i].missing),
		    "  %d bad, %d orphans, %d missing", (int)s.bad_links,
		    (int)s.orphan_labels, (int)s.missing_labels);
		ok(s.deleted == damages[i].deleted, "  %d deleted",
		    (int)s.deleted);
	}
}

/* More links than there is room for, of which each would be good. */
static void
test_link_count(void)
{
	struct index_dir d;
	struct index_scan s;
	struct maker m;
	struct err e;
	char *p;
	int n;

	for (n = MAX_M0; n <= MAX_M0 + 1; n++) {
		make(&m, 5, 1);
		p = m.file[INDEX_LEVEL0].p + ELEMENT;
		p[0] = (char)n;
		memset(p + 4, 0, LABEL_AT - 4);
		write_out(&m);
		ok(look(&d, &s, &e) == 0 &&
		    s.bad_links == (uint64_t)(n > MAX_M0), "%d links", n);
	}
}

static void
test_pickles(void)
{
	struct index_dir d;
	struct index_scan s;
	struct pickle k;
	struct maker m;
	struct err e = { 0 };
	char *bytes;

	make(&m, 5, 1);
	m.file[INDEX_PICKLE].len -= 1;
	write_out(&m);
	ok(look(&d, &s, &e) == -1 && strstr(e.msg, "index_metadata.pickle: +")
	    == e.msg && strstr(e.msg, ": truncated: no end"), "%s", e.msg);
	make(&m, 5, 1);
	m.file[INDEX_PICKLE].len = 0;
	write_out(&m);
	ok(look(&d, &s, &e) == -1 && strcmp(e.msg,
	    "index_metadata.pickle: +0: truncated: no end") == 0, "%s", e.msg);
	make(&m, 5, 1);
	write_out(&m);
	ok(index_open(&d, dirfd_of, "index", &e) == 0 &&
	    index_pickle(&d, &k, false, &bytes, &e) == 1 &&
	    k.id_to_label.n == 4 && !k.id_to_label.pair, "ids counted only");
	pickle_release(&k);
	free(bytes);
	index_close(&d);
	/* a hole: as large as one likes, and never worth reading */
	stretch(INDEX_PICKLE, UINT64_C(1) << 43);
	ok(index_open(&d, dirfd_of, "index", &e) == 0 &&
	    index_pickle(&d, &k, false, &bytes, &e) == -1 && !bytes &&
	    strstr(e.msg, "8796093022208 bytes with a hole in them: corrupt"),
	    "a pickle of 8 TiB: %s", e.msg);
	index_close(&d);
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
	struct index_dir d;
	struct index_scan s;
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
		ok(look(&d, &s, &e) == 0 && strcmp(s.fault.msg,
		    "link_lists.bin: 18691697672192 bytes, of which 32 are "
		    "links: grown without reason") == 0 && s.elements == 5,
		    "17 TiB of links: %s", s.fault.msg);
		ok(seconds() - start < 5, "  in no time");
		ok(d.allocated < 1 << 20, "  that take no room");
	}
	/* a count that only a hole backs: no memory for it */
	make(&m, 5, 1);
	le_put_u64(m.file[INDEX_HEADER].p + CUR_COUNT, 4000000000);
	write_out(&m);
	stretch(INDEX_LEVEL0, UINT64_C(4000000000) * ELEMENT);
	stretch(INDEX_LENGTH, UINT64_C(16000000000));
	stretch(INDEX_LINKS, UINT64_C(16000000000));
	start = seconds();
	ok(look(&d, &s, &e) == 0 && d.fault.status == 0 && strstr(s.fault.msg,
	    "lies in a hole of the file: never written") && s.elements == 0,
	    "4000000000 elements in a hole: %s", s.fault.msg);
	ok(seconds() - start < 5, "  in no time");
}

int
main(void)
{
	dirfd_of = open(scratch_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	test_headers();
	test_healthy();
	test_absent();
	test_damages();
	test_link_count();
	test_pickles();
	test_absurd();
	close(dirfd_of);
	return tap_done();
}
