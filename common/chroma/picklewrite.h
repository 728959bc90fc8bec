/* SPDX-License-Identifier: Apache-2.0 */
/* picklewrite.h - index_metadata.pickle in the one form that every Chroma from
 * 0.4.0 to 1.5.9 loads: protocol 2, an instance of Python's class with all six
 * fields.
 *
 * (Python needs the class, chromadb/segment/impl/vector/
 * local_persistent_hnsw.py; Rust takes its state for a dict and ignores the
 * class, rust/segment/src/local_hnsw.rs.)
 */
#ifndef CHROMA_PICKLEWRITE_H
#define CHROMA_PICKLEWRITE_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/slice.h"

/* Item i: its id (UTF-8, valid until the next call), label, and the seq_id of
 * the row that its vector came from (0: unknown).  0, or -1 with *e set. */
struct picklewrite_item {
	struct slice id;
	int64_t label, seq_id;
};
typedef int picklewrite_fn(void *arg, uint32_t i,
    struct picklewrite_item *item, struct err *e);

struct picklewrite {
	int64_t dimensionality;
	int64_t total_elements_added;	/* the greatest label ever given */
	int64_t max_seq_id;
	uint32_t n;
	picklewrite_fn *item;		/* asked for each item three times */
	void *arg;
};

/* Write it.  0, or -1 with *e set. */
ATTR_NODISCARD int picklewrite(const struct picklewrite *p, int fd,
    struct err *e);

#endif
