/* SPDX-License-Identifier: Apache-2.0 */
/* infotext.h - what chroma-info says: rows of a table and notes.
 *
 * privacy: without paths, names and metadata.  metadata: the collection's own,
 * a JSON object (catalog_metadata()).  All appends to *b.
 */
#ifndef PROG_INFOTEXT_H
#define PROG_INFOTEXT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"
#include "chroma/survey.h"

void infotext_store(bool privacy, const struct survey *s,
    const struct persist *pd, struct buf *b);
void infotext_collection(bool privacy, const struct survey_collection *sc,
    struct slice metadata, struct buf *b);

#endif
