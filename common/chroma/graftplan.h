/* SPDX-License-Identifier: Apache-2.0 */
/* graftplan.h - which collection of a snapshot becomes which: names, ids, and
 * what is replaced.
 */
#ifndef CHROMA_GRAFTPLAN_H
#define CHROMA_GRAFTPLAN_H

#include "base/attr.h"
#include "base/err.h"
#include "chroma/db.h"
#include "chroma/graft.h"

/* Fill g->of, by g->from and its selection, and g->to.  db: of the target, or of
 * the snapshot, where the target is to be made.  May be called again.  0, or -1
 * with *e set (STATUS_USAGE: a name that is taken, a database that is missing;
 * STATUS_DATA: the snapshot is newer than the target). */
ATTR_NODISCARD int graftplan(struct graft *g, struct db *db, struct err *e);

#endif
