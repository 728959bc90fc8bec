/* SPDX-License-Identifier: Apache-2.0 */
/* snapreport.h - what a snapshot holds, and what became of one: as JSON, and as
 * text for people.
 */
#ifndef PROG_SNAPREPORT_H
#define PROG_SNAPREPORT_H

#include <stdbool.h>

#include "base/buf.h"
#include "chroma/graft.h"
#include "chroma/manifest.h"
#include "stream/json.h"

/* "collections":[...] of a manifest. */
void snapreport_collections(const struct manifest *m, struct jsonw *w);

/* The same as text, appended to *b. */
void snapreport_text(const struct manifest *m, struct buf *b);

/* The members of the receipt of a graft; and as text, which is a plan as long as
 * nothing was committed. */
void snapreport_graft(const struct graft *g, struct jsonw *w);
void snapreport_graft_text(const struct graft *g, struct buf *b);

#endif
