/* SPDX-License-Identifier: Apache-2.0 */
/* regexclass.h - the [...] of a regular expression. */
#ifndef BASE_REGEXCLASS_H
#define BASE_REGEXCLASS_H

#include "base/attr.h"
#include "base/ranges.h"
#include "base/regexlex.h"

/* Read the class that begins with the present character, '[', and add it to
 * *out, which is empty.  *depth is how deep it is nested, at least 1 and at
 * most REGEXLEX_DEPTH.  0, or -1 with the error set; *out is the caller's to
 * release either way. */
ATTR_NODISCARD int regexclass_parse(struct regexlex *l, struct ranges *out,
    unsigned *depth);

#endif
