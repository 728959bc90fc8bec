/* SPDX-License-Identifier: Apache-2.0 */
/* files.h - a graph and its vectors as hnswlib's four files.
 *
 * Source of the layout: chroma-core/hnswlib, hnswlib/hnswalg.h at 6868102
 * (persistDirty); chroma-layout(5).  Every file has exactly the size that its
 * elements take, and no byte that was not set.
 */
#ifndef INDEX_FILES_H
#define INDEX_FILES_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "index/build.h"

struct files {
	const struct build_result *b;
	const struct vectors *v;
	const uint64_t *label;		/* of each vector */
	uint64_t ef_construction;
	uint64_t bytes;			/* written */
};

/* Write header.bin, data_level0.bin, length.bin and link_lists.bin into a
 * directory that has none of them.  0, or -1 with *e set. */
ATTR_NODISCARD int files_write(struct files *f, int dirfd, struct err *e);

#endif
