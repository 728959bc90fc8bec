/* SPDX-License-Identifier: Apache-2.0 */
/* infojson.h - what chroma-info says: one line of JSON; chroma-info(1) lists the keys.
 *
 * privacy: without paths, names and metadata.  metadata: the collection's own,
 * a JSON object (catalog_metadata()).  All appends to *b.
 */
#ifndef PROG_INFOJSON_H
#define PROG_INFOJSON_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"
#include "chroma/survey.h"
#include "stream/json.h"

/* The members of an open object that have the HNSW parameters. */
void infojson_params(struct jsonw *w, const struct params *p);

void infojson_store(bool privacy, const struct survey *s,
    const struct persist *pd, struct buf *b);
void infojson_collection(bool privacy, const struct survey_collection *sc,
    struct slice metadata, struct buf *b);

#endif
