/* SPDX-License-Identifier: Apache-2.0 */
/* regexcheck.h - what Chroma refuses of the regular expressions that Rust
 * takes: classes of bytes. */
#ifndef BASE_REGEXCHECK_H
#define BASE_REGEXCHECK_H

#include "base/attr.h"
#include "base/err.h"
#include "base/regexparse.h"

/* 0, or -1 with *e set as regex_compile() says. */
ATTR_NODISCARD int regexcheck(const struct regexparse_tree *t, struct err *e);

#endif
