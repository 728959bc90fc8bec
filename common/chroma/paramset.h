/* SPDX-License-Identifier: Apache-2.0 */
/* paramset.h - put HNSW parameters into every place where a Chroma of the
 * directory's era reads them or shows them.
 *
 * Places: segment_metadata of the VECTOR segment, where it has rows (up to
 * 0.6.3, which reads nothing else, also where it has none); those keys hnsw:*
 * that collection_metadata has; collections.config_json_str, in the form of
 * 0.5.4 to 0.6.3 ("hnsw_configuration", which shows and does not decide) and in
 * that of 1.x ("vector_index"."hnsw"); collections.schema_str, both where it
 * has the keys (keys."#embedding") and the defaults, as Chroma's own update.
 * Under 1.x JSON that says no more than the defaults gives way to
 * segment_metadata, and JSON that says more hides all of it: so what did not
 * decide before says everything that is in force afterwards.  Every other byte
 * of JSON stays.
 *
 * Sources: what eleven Chromas from 0.4.4 to 1.5.9 use and report after such
 * changes; params.h for what they read.
 */
#ifndef CHROMA_PARAMSET_H
#define CHROMA_PARAMSET_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "chroma/catalog.h"
#include "chroma/db.h"
#include "chroma/params.h"

/* Which parameters, and their values. */
struct paramset {
	bool set[PARAMS];
	struct params to;	/* num_threads from 1; source is not used */
};

/* Write them, within the caller's transaction; params_resolve() says them
 * afterwards.  The segment's id is col->vector_segment: call this before that
 * is given another one, or with the new one in *col.  0, or -1 with *e set:
 * STATUS_DATA for JSON that is not understood, with the collection's name. */
ATTR_NODISCARD int paramset_write(struct db *db, const struct catalog *c,
    const struct collection *col, const struct paramset *s, struct err *e);

/* Whether paramset_write() would change a byte, in *differs; nothing is
 * written.  0, or -1 with *e set as above. */
ATTR_NODISCARD int paramset_differs(struct db *db, const struct catalog *c,
    const struct collection *col, const struct paramset *s, bool *differs,
    struct err *e);

#endif
