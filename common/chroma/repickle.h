/* SPDX-License-Identifier: Apache-2.0 */
/* repickle.h - the pickle of an index whose log gets other numbers.
 *
 * Written anew by picklewrite.h: so whatever form it had, and whatever was in it
 * beside ids, labels and numbers, it is then one that every Chroma loads.
 */
#ifndef CHROMA_REPICKLE_H
#define CHROMA_REPICKLE_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

/* In the index directory called name in dirfd: seq_id is the new H, and of each
 * vector.  Where there is no pickle there is nothing to do.  Memory: the
 * pickle.  0, or -1 with *e set; the old pickle is gone then, or there. */
ATTR_NODISCARD int repickle(int dirfd, const char *name, uint64_t seq_id,
    struct err *e);

#endif
