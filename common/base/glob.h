/* SPDX-License-Identifier: Apache-2.0 */
/* glob.h - shell patterns over text of any length and with any byte.
 *
 * "*" is any text, "?" any character, "[a-z]" one of these and "[!a-z]" none
 * of these, "\x" x itself; the whole text must match.  Characters are code
 * points of UTF-8 (of WTF-8, see json.h), whatever the locale, and "/" and "."
 * are like any other.
 */
#ifndef BASE_GLOB_H
#define BASE_GLOB_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/slice.h"

/* 0, or -1 with *e set (STATUS_USAGE): no pattern. */
ATTR_NODISCARD int glob_check(struct slice pattern, struct err *e);

/* Whether a pattern that was checked matches.  Time: pattern times text at
 * most. */
bool glob_matches(struct slice pattern, struct slice text);

#endif
