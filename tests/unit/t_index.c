/* SPDX-License-Identifier: Apache-2.0 */
/* t_index - index directories, made here: the header, the sizes, the pickle;
 * healthy, damaged and absurd. */
#include "chroma/index.h"

#include "../index_maker.h"
#include "../tap.h"

static int dirfd_of = -1;

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

static void
test_sizes(void)
{
	struct index_dir d;
	struct maker m;
	struct err e;
	int i;

	make(&m, 5, 2);
	write_out(&m);
	ok(index_open(&d, dirfd_of, "index", &e) == 0 && d.fault.status == 0 &&
	    d.has_header, "a healthy index");
	ok(d.size[INDEX_HEADER] == 100 && d.size[INDEX_LEVEL0] == 5 * ELEMENT
	    && d.size[INDEX_LENGTH] == 20 && d.allocated >= 4096,
	    "  its sizes");
	for (i = 0; i < INDEX_FILES; i++)
		ok(d.there[i], "  %s", index_file_name[i]);
	index_close(&d);

	/* larger than needed: the room that Chroma allocates beforehand */
	stretch(INDEX_LEVEL0, 1000 * ELEMENT);
	stretch(INDEX_LENGTH, 4000);
	ok(index_open(&d, dirfd_of, "index", &e) == 0 && d.fault.status == 0 &&
	    d.size[INDEX_LEVEL0] == 1000 * ELEMENT, "with room to grow");
	index_close(&d);
}

static void
test_absent(void)
{
	struct index_dir d;
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
	ok(index_open(&d, dirfd_of, "index", &e) == 0 && d.fault.status == 0,
	    "an empty directory");
	index_close(&d);

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
		ok(index_open(&d, dirfd_of, "index", &e) == 0 &&
		    strcmp(d.fault.msg, want) == 0, "%s", d.fault.msg);
		index_close(&d);
	}
}

/* Read the pickle of the index, for its error. */
static int
pickle_error(struct err *e)
{
	struct index_dir d;
	struct pickle k;
	char *bytes;
	int r;

	*e = (struct err){ 0 };
	if (index_open(&d, dirfd_of, "index", e) < 0)
		return -1;
	r = index_pickle(&d, &k, true, &bytes, e);
	if (r > 0)
		pickle_release(&k);
	free(bytes);
	index_close(&d);
	return r;
}

static void
test_pickles(void)
{
	struct index_dir d;
	struct pickle k;
	struct maker m;
	struct err e = { 0 };
	char *bytes;

	make(&m, 5, 1);
	m.file[INDEX_PICKLE].len -= 1;
	write_out(&m);
	ok(pickle_error(&e) == -1 && strstr(e.msg, "index_metadata.pickle: +")
	    == e.msg && strstr(e.msg, ": truncated: no end"), "%s", e.msg);
	make(&m, 5, 1);
	m.file[INDEX_PICKLE].len = 0;
	write_out(&m);
	ok(pickle_error(&e) == -1 && strcmp(e.msg,
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

static void
test_stamp(void)
{
	struct index_stamp a, b;
	struct maker m;
	char path[512];
	int i;

	make(&m, 5, 1);
	write_out(&m);
	index_stamp(&a, dirfd_of, "index");
	index_stamp(&b, dirfd_of, "index");
	ok(index_stamp_same(&a, &b), "a stamp");
	for (i = 0; i < INDEX_FILES; i++) {
		snprintf(path, sizeof(path), "%s/%s", scratch_path("index"),
		    index_file_name[i]);
		stretch((enum index_file)i, 12345);
		index_stamp(&b, dirfd_of, "index");
		ok(!index_stamp_same(&a, &b), "  another size of %s",
		    index_file_name[i]);
		a = b;
		unlink(path);
		index_stamp(&b, dirfd_of, "index");
		ok(!index_stamp_same(&a, &b), "  and none");
		a = b;
	}
	index_stamp(&a, dirfd_of, "nothing");
	index_stamp(&b, dirfd_of, "nothing");
	ok(index_stamp_same(&a, &b), "  of no directory");
}

int
main(void)
{
	dirfd_of = open(scratch_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	test_headers();
	test_sizes();
	test_absent();
	test_pickles();
	test_stamp();
	close(dirfd_of);
	return tap_done();
}
