/* SPDX-License-Identifier: Apache-2.0 */
/* when.h - times as Chroma's log stores them: UTC, "YYYY-MM-DD HH:MM:SS". */
#ifndef BASE_WHEN_H
#define BASE_WHEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* The n bytes at p as milliseconds since 1970 UTC: YYYY-MM-DD, then
 * optionally a space or 'T' and HH:MM[:SS[.fraction]], then optionally 'Z' or
 * +HH:MM or -HH:MM.  A date alone is its midnight; what names no zone is UTC;
 * years 0000 to 9999.  These are the forms that SQLite's strftime() takes,
 * without its day numbers and words.  0, or -1. */
ATTR_NODISCARD int when_parse(const char *p, size_t n, int64_t *ms);

#endif
