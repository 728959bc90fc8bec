/* SPDX-License-Identifier: Apache-2.0 */
/* table.h - text for people: two columns, aligned, with headings. */
#ifndef PROG_TABLE_H
#define PROG_TABLE_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"

/* A heading, an empty line before it unless it is the first. */
void table_heading(struct buf *b, struct slice text);

/* "  name            text": the name padded to a common width.  Control
 * characters are replaced by '?': text must not drive a terminal. */
void table_row(struct buf *b, const char *name, const char *fmt, ...)
    ATTR_PRINTF(3, 4);

/* A paragraph, indented and broken at 78 columns, "- " before it. */
void table_note(struct buf *b, struct slice text);

/* n as people read it: "914.2 MB" (powers of 1000) and "1,234,567". */
const char *table_bytes(uint64_t n, char out[32]);
const char *table_count(uint64_t n, char out[32]);

#endif
