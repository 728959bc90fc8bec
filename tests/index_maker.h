/* SPDX-License-Identifier: Apache-2.0 */
/* index_maker.h - for unit tests: small index directories, healthy until
 * somebody changes a byte. */
#ifndef INDEX_MAKER_H
#define INDEX_MAKER_H

#include "base/le.h"
#include "chroma/index.h"

#include "scratch.h"

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

static inline void
add_u32(struct buf *b, uint32_t v)
{
	char p[4];

	le_put_u32(p, v);
	buf_add(b, p, 4);
}

static inline void
add_u64(struct buf *b, uint64_t v)
{
	char p[8];

	le_put_u64(p, v);
	buf_add(b, p, 8);
}

static inline void
add_string(struct buf *b, const char *s)
{
	buf_addc(b, 'X');
	add_u32(b, (uint32_t)strlen(s));
	buf_adds(b, s);
}

static inline void
put_header(struct buf *b, uint64_t n)
{
	add_u32(b, 1);
	add_u64(b, 0);
	add_u64(b, n > 1000 ? n : 1000);
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
static inline void
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

/* The dict of Rust, with n ids "id0" ... and labels. */
static inline void
put_pickle(struct buf *b, uint32_t n, uint32_t total)
{
	static const char *const map[] = { "id_to_label", "label_to_id" };
	char id[32];
	uint32_t i;
	int by;

	buf_add(b, "\x80\3}(", 4);
	add_string(b, "total_elements_added");
	buf_addc(b, 'J');
	add_u32(b, total);
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
	add_string(b, "id_to_seq_id");
	buf_adds(b, "}u.");
}

/* A healthy index: element 0 also on level 1, deleted ones without an id. */
static inline void
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
	put_pickle(&m->file[INDEX_PICKLE], n - deleted, n);
}

/* Write what there is into a fresh directory "index"; a buf that has failed
 * stands for a file that is missing. */
static inline void
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

/* Make a file of "index" larger without writing to it. */
static inline void
stretch(enum index_file f, uint64_t size)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", scratch_path("index"),
	    index_file_name[f]);
	if (truncate(path, (off_t)size) < 0)
		scratch_die("truncate");
}

#endif
