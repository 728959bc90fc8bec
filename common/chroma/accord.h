/* SPDX-License-Identifier: Apache-2.0 */
/* accord.h - whether a database holds what the manifest beside it says: the
 * same collections, segments, parameters, watermarks, and as many records and
 * rows of the log; and nothing of any other.
 */
#ifndef CHROMA_ACCORD_H
#define CHROMA_ACCORD_H

#include "base/attr.h"
#include "base/err.h"
#include "chroma/catalog.h"
#include "chroma/db.h"
#include "chroma/manifest.h"

/* c: catalog_load() of the directory that db is the database of.  0, or -1 with
 * *e set (STATUS_DATA: the first thing that differs). */
ATTR_NODISCARD int accord_check(const struct manifest *m,
    const struct catalog *c, struct db *db, struct err *e);

#endif
