/* SPDX-License-Identifier: Apache-2.0 */
/* pickle.h - index_metadata.pickle, read by a machine that can build integers,
 * strings, None and dicts, and call nothing.
 *
 * Sources: chroma, chromadb/segment/impl/vector/local_persistent_hnsw.py
 * (0.4.0 to 0.6.3: an instance of PersistentData) and rust/segment/src/
 * local_hnsw.rs with serde-pickle (1.0.0 and later: a dict); the opcodes are
 * those of CPython's pickletools, protocols 2 to 5.
 */
#ifndef CHROMA_PICKLE_H
#define CHROMA_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/slice.h"

/* An id and its number, in the order of the file. */
struct pickle_pair {
	struct slice id;	/* UTF-8; points into the file's bytes */
	int64_t number;		/* label, or seq_id */
};

struct pickle_map {
	size_t n;
	struct pickle_pair *pair;	/* owned; NULL if only counted */
	bool there;
};

struct pickle {
	int protocol;
	bool class_form;		/* Python's; else Rust's dict */
	bool has_dimensionality, has_total, has_max_seq_id;
	int64_t dimensionality;
	int64_t total_elements_added;	/* the greatest label ever given */
	int64_t max_seq_id;
	struct pickle_map id_to_label, label_to_id, id_to_seq_id;
	size_t trailing;		/* bytes after the end: Chroma from
					 * 1.0 refuses the file */
};

/* Read the n bytes at p, which must outlive *k.  want_maps: keep the pairs,
 * else only their numbers.  0, or -1 with *e set ("+offset: reason"): not
 * this kind of file, cut short, or an instruction to import, call or build
 * anything else. */
ATTR_NODISCARD int pickle_read(struct pickle *k, const void *p, size_t n,
    bool want_maps, struct err *e);

void pickle_release(struct pickle *k);

#endif
