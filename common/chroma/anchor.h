/* SPDX-License-Identifier: Apache-2.0 */
/* anchor.h - a row of the log that is there for its number alone.
 *
 * SQLite gives a new row the number after the greatest, and Chroma never
 * applies a row at or below a watermark.  So where the rows go that hold the
 * numbers up to it, one that has no effect must stay: a DELETE of an id that
 * nobody has (chroma 0.4.0 to 1.5.9).
 */
#ifndef CHROMA_ANCHOR_H
#define CHROMA_ANCHOR_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "chroma/db.h"

#define ANCHOR_ID "chromautils-anchor"

/* If the log of main has no row at or above seq_id (0: nothing to do), put one
 * there, of that topic.  0, or -1 with *e set. */
ATTR_NODISCARD int anchor_put(struct db *db, int64_t seq_id,
    const char *topic, struct err *e);

#endif
