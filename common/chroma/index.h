/* SPDX-License-Identifier: Apache-2.0 */
/* index.h - the directory of a VECTOR segment: four files of hnswlib's and a
 * pickle, opened, and their sizes and header looked at; elements.h has what is
 * in them.
 *
 * Source: chroma-core/hnswlib, hnswlib/hnswalg.h at 6868102 (persistDirty,
 * loadPersistedIndex; the layout is the same in chroma-hnswlib 0.7.1 to 0.7.6
 * and 0.8); chroma-layout(5) has it to the byte.
 */
#ifndef CHROMA_INDEX_H
#define CHROMA_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "chroma/pickle.h"

/* Chroma allows 65536 dimensions and more; hnswlib has no limit of its own.
 * Above this an element would not be read in one piece. */
#define INDEX_DIM_MAX (1 << 20)

/* header.bin, every field under hnswlib's name. */
#define INDEX_HEADER_SIZE 100
struct index_header {
	uint32_t persistence_version;
	uint64_t offsetLevel0, max_elements, cur_element_count;
	uint64_t size_data_per_element, label_offset, offsetData;
	int32_t maxlevel;		/* -1: empty */
	uint32_t enterpoint_node;	/* internal id; UINT32_MAX: empty */
	uint64_t maxM, maxM0, M;
	double mult;
	uint64_t ef_construction;
	uint64_t dim;			/* derived from the offsets */
};

/* Take the 100 bytes apart and check that the fields agree with one another.
 * 0, or -1 with *e set. */
ATTR_NODISCARD int index_header_parse(struct index_header *h, const void *p,
    size_t n, struct err *e);

enum index_file {
	INDEX_HEADER, INDEX_LEVEL0, INDEX_LENGTH, INDEX_LINKS, INDEX_PICKLE,
	INDEX_FILES,
};
extern const char *const index_file_name[INDEX_FILES];

/* Whether a segment's id can be the name of a directory in the persist dir: a
 * stranger's may be "../x". */
bool index_names_dir(const char *segment);

/* Open the directory of a segment, and nothing else.  Its descriptor,
 * INDEX_ABSENT: there is none (or something else), -1 with *e set. */
#define INDEX_ABSENT (-2)
ATTR_NODISCARD int index_find(int dirfd, const char *segment, struct err *e);

struct index_dir {
	int fd;			/* owned; -1: there is no directory */
	bool there[INDEX_FILES];
	uint64_t size[INDEX_FILES];	/* apparent, bytes */
	uint64_t allocated;	/* bytes on disk of all five */
	bool has_header;	/* header is valid; else its fields are as
				 * found, or 0 if there are not 100 bytes */
	struct index_header header;
	struct err fault;	/* the first thing wrong, status 0 if none */
};

/* Look at the directory called segment in dirfd: the files' sizes and the
 * header, nothing else is read.  What is missing or wrong goes into d->fault;
 * a directory without a pickle (nothing persisted yet), and none at all, are
 * not faults.  0, or -1 with *e set when the system fails. */
ATTR_NODISCARD int index_open(struct index_dir *d, int dirfd,
    const char *segment, struct err *e);
void index_close(struct index_dir *d);

/* No pickle, and a header that counts no elements: where there is no watermark
 * either, nothing was ever persisted, and Chroma makes anew what is missing. */
bool index_unused(const struct index_dir *d);

/* Read the pickle.  *bytes is what *k points into; free it after k.  1, 0 if
 * there is none, -1 with *e set. */
ATTR_NODISCARD int index_pickle(const struct index_dir *d, struct pickle *k,
    bool want_maps, char **bytes, struct err *e);

/* What the five files look like from outside, to see that nobody wrote to them
 * meanwhile. */
struct index_stamp {
	struct index_stamp_file {
		uint64_t dev, ino, size;	/* ino 0: not there */
		int64_t mtime_s, mtime_ns;
	} file[INDEX_FILES];
};
void index_stamp(struct index_stamp *s, int dirfd, const char *segment);
bool index_stamp_same(const struct index_stamp *a,
    const struct index_stamp *b);

#endif
