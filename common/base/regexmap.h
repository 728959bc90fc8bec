/* SPDX-License-Identifier: Apache-2.0 */
/* regexmap.h - from characters to the classes of a program. */
#ifndef BASE_REGEXMAP_H
#define BASE_REGEXMAP_H

#include "base/attr.h"
#include "base/err.h"
#include "base/regexparse.h"
#include "base/regexprog.h"

/* Work out the classes of p, whose OP_CLASS and OP_SET have characters and
 * numbers of the tree's sets until then.  0, or -1 with *e set as
 * regex_compile() says. */
ATTR_NODISCARD int regexmap_make(struct regexprog *p,
    const struct regexparse_tree *t, struct err *e);

#endif
