/* SPDX-License-Identifier: Apache-2.0 */
/* elements.h - the elements of an index: mapped, checked, found by id.
 *
 * Nothing is loaded and no byte is trusted: every check that can be made on
 * the files of a VECTOR segment alone is made here, once, for chroma-info
 * --deep and for whoever must know that a vector is really there.
 *
 * Sources: chroma-core/hnswlib, hnswlib/hnswalg.h at 6868102 (what is written,
 * and what loading and searching rely on without looking);
 * chromadb/segment/impl/vector/local_persistent_hnsw.py (0.4.0 to 0.6.3) and
 * rust/segment/src/local_hnsw.rs (1.0.0 and later) for labels and maps.
 *
 * Memory: the files are mapped; the pickle and 30 to 36 bytes an id; 14 to 20
 * bytes an element.  While it is opened, what reading a pickle takes, and 5
 * bytes an element.  All of it is bounded by what the files really hold: a
 * count that only a header or a hole makes costs nothing.
 * A mapped file that is cut short while we read ends the process (prog.h).
 */
#ifndef CHROMA_ELEMENTS_H
#define CHROMA_ELEMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "chroma/index.h"
#include "chroma/params.h"
#include "chroma/pickle.h"

/* What an index holds and what is wrong with it, counted.  Faults are all 0
 * in a sound one. */
struct elements_findings {
	/* facts */
	uint64_t elements, deleted;	/* of those that can be read */
	int32_t max_level;		/* of any element; -1: none */
	uint64_t links_size;		/* bytes of link_lists.bin in use */
	bool whole;			/* every element and link was looked
					 * at; else the numbers are of what can
					 * be read */
	/* faults */
	uint64_t bad_links;		/* elements with a link that is out of
					 * range, to itself, double, or to an
					 * element that does not exist on that
					 * level, or with too many */
	uint64_t bad_flags;		/* elements with other bits than
					 * "deleted" */
	uint64_t same_labels;		/* elements with the label of another
					 * one */
	uint64_t orphan_labels;		/* live elements that no id names; of
					 * several with one label all but one */
	uint64_t missing_labels;	/* ids whose label has no live element,
					 * or one that another id has */
	uint64_t bad_pairs;		/* entries of label_to_id that are not
					 * the inverse of id_to_label, either
					 * way; and ids that stand twice */
	uint64_t high_labels;		/* elements with a label above
					 * total_elements_added: the next adds
					 * overwrite them */
	/* no faults: vectors are what the user gave */
	uint64_t not_finite;		/* live vectors with NaN or infinity */
	uint64_t not_unit;		/* live ones of a cosine index: of a
					 * norm other than 1 (0 with length 0),
					 * or with a length that is none */
	uint64_t bad_lengths;		/* live ones of a cosine index that no
					 * Chroma stores so: a length, or a
					 * norm, that is none of the other's */
	uint64_t bad_length_at;		/* the internal id of the first */
	struct err fault;		/* the first fault of all that, or of
					 * sizes, header, pickle: file, and
					 * place in it; status 0: none */
};

struct elements {
	struct index_dir dir;
	struct elements_findings found;
	bool has_pickle;
	struct pickle pickle;	/* pairs of id_to_label; the others counted */
	uint64_t readable;	/* elements whose bytes are there: those before
				 * the end of the file, and before the first
				 * that lies in a hole */
	uint64_t leveled;	/* elements whose upper links are there, too */
	uint64_t lengths;	/* cosine: elements whose length is there */
	/* private */
	enum space space;
	bool all;
	uint64_t assumed_M;
	char *bytes;			/* of the pickle */
	const uint8_t *level0, *length, *links;		/* mapped, or NULL */
	size_t level0_n, length_n, links_n;		/* bytes mapped */
	uint32_t *by_id, *by_label;	/* open addressing: 1 + its number in
					 * id_to_label, or 1 + internal id */
	uint64_t *label;		/* by internal id */
	uint8_t *taken;			/* bits: deleted, or an id's */
	uint64_t id_mask, label_mask, seed[2];
};

/* Open and check the index of a segment.  dimension: of its collection, -1:
 * none.  vectors: look at every live vector, too (not_finite, not_unit).
 *
 * What is wrong goes into el->found; what is still readable can be found all
 * the same.  Where two elements have one label, or two entries of the pickle
 * one id, the first wins (a live element before a deleted one).  No directory,
 * or a sound one without a pickle (nothing persisted yet), or a pickle without
 * ids alone: no fault, and nothing is found.  0, or -1 with *e set when the
 * system fails. */
ATTR_NODISCARD int elements_open(struct elements *el, int dirfd,
    const char *segment, int64_t dimension, enum space space, bool vectors,
    struct err *e);
void elements_close(struct elements *el);

/* The internal id of the live element that an id names.  false: there is none,
 * or it cannot be read. */
bool elements_find(const struct elements *el, struct slice id,
    uint32_t *internal);

/* Whether that element holds this vector: dim little-endian float32.  l2, ip:
 * the same bits.  cosine: stored times its length, each number within 1e-5 of
 * the norm, and the length, too; or exactly what Chroma makes of the vector.
 * A vector of zeros equals only one of zeros; in a space that is unknown
 * nothing is equal. */
bool elements_holds(const struct elements *el, uint32_t internal,
    const uint8_t *vector, uint64_t dim);

/* elements_open() for who wants the elements themselves, whatever is wrong:
 * also without a pickle that can be read (a missing one is then a fault, if
 * there are elements), and those behind a hole.  M: as configured, 0: not known.
 * Where header.bin is bad (dir.has_header is false), what else says M and the
 * dimension stands in for it; as the number of elements is unknown then, all
 * are blank but those that the pickle names. */
ATTR_NODISCARD int elements_open_all(struct elements *el, int dirfd,
    const char *segment, int64_t dimension, uint64_t M, enum space space,
    bool vectors, struct err *e);

/* One element. */
struct element {
	uint32_t internal;
	uint64_t label;
	bool deleted;
	bool blank;		/* nothing was ever written there: a hole, or
				 * room for more */
	struct slice id;	/* absent: the pickle names no such label, or
				 * the label of another element, too */
	int level;		/* -1: cannot be read */
	const uint8_t *links;	/* of level 0; stored as hnswlib has them */
	const uint8_t *upper;	/* of level 1, 2 ..., if level > 0 */
};

/* A walk over all readable elements by internal id.  Memory: 4 bytes an
 * element. */
struct elements_walk {
	const struct elements *el;	/* borrowed */
	uint32_t *pair;		/* owned: 1 + number in id_to_label */
	uint64_t next, links_at;
};

/* 0, or -1 with *e set. */
ATTR_NODISCARD int elements_walk_begin(struct elements_walk *w,
    const struct elements *el, struct err *e);
void elements_walk_again(struct elements_walk *w);	/* from the start */
bool elements_next(struct elements_walk *w, struct element *x);
void elements_walk_end(struct elements_walk *w);

/* The vector as Chroma's get() gives it, dim little-endian float32: what is
 * stored, in a cosine index times its length (one float32 product a number,
 * as hnswlib's getDataByLabel()), if that is there; where lengths are damaged
 * (bad_lengths) and that one is 0 or no number, what is stored.  room: dim
 * float32.  Points into the index, or to room. */
const uint8_t *elements_vector(const struct elements *el, uint32_t internal,
    uint8_t *room);

/* The length that elements_vector() multiplies by; false: that is none, or 0 or
 * no number, and the space is not cosine, or the index is damaged, or the
 * vector was one of zeros. */
bool elements_length(const struct elements *el, uint32_t internal,
    float *length);

/* Append the links of an element as struct record has them: labels, for each
 * level from 0 to the element's.  What leads nowhere, or has too many, is left
 * out; so are upper levels that cannot be read.  0, or -1 with *e set. */
ATTR_NODISCARD int elements_links(const struct elements *el,
    const struct element *x, struct buf *out, struct err *e);

/* The label of an element, or false if it cannot be read. */
bool elements_label(const struct elements *el, uint64_t internal,
    uint64_t *label);

#endif
