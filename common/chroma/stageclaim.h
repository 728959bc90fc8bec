/* SPDX-License-Identifier: Apache-2.0 */
/* stageclaim.h - a claim (claim.h) for who puts index directories in place
 * (staging.h).
 */
#ifndef CHROMA_STAGECLAIM_H
#define CHROMA_STAGECLAIM_H

#include "base/attr.h"
#include "base/err.h"
#include "chroma/claim.h"

/* claim_open(); what killed runs left of such directories is removed; then the
 * index files are stamped, before anybody looks at them.  0, or -1 with *e set:
 * nothing is claimed then. */
ATTR_NODISCARD int stageclaim_open(struct claim *c, const char *path,
    const struct claim_options *o, struct err *e);

#endif
