/* SPDX-License-Identifier: Apache-2.0 */
/* params.h - the HNSW parameters of a collection that are in force, and where
 * each comes from.
 *
 * Sources: chroma, chromadb/segment/impl/vector/hnsw_params.py (0.4.0 to
 * 0.6.3); rust/types/src/collection_configuration.rs and collection_schema.rs
 * (1.0.0 to 1.5.9).  chroma-layout(5), HNSW PARAMETERS, has the precedence.
 */
#ifndef CHROMA_PARAMS_H
#define CHROMA_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "chroma/era.h"

enum space { SPACE_L2, SPACE_IP, SPACE_COSINE, SPACE_UNKNOWN };
const char *space_name(enum space s);
enum space params_space(struct slice name);	/* of that name */

enum param {
	PARAM_SPACE, PARAM_M, PARAM_EF_CONSTRUCTION, PARAM_EF_SEARCH,
	PARAM_NUM_THREADS, PARAM_RESIZE_FACTOR, PARAM_BATCH_SIZE,
	PARAM_SYNC_THRESHOLD, PARAMS,
};
extern const char *const param_name[PARAMS];	/* "space", "M", ... */
/* The same in segment_metadata and collection_metadata ("hnsw:M"), and in the
 * JSON of Chroma 1.x ("max_neighbors"). */
extern const char *const param_row_key[PARAMS];
extern const char *const param_json_key[PARAMS];

enum param_source {
	FROM_DEFAULT, FROM_SEGMENT_METADATA, FROM_CONFIG, FROM_SCHEMA,
	FROM_HEADER,
};
const char *param_source_name(enum param_source s);

struct params {
	enum space space;
	int64_t value[PARAMS];		/* PARAM_SPACE, _RESIZE_FACTOR: unused;
					 * num_threads 0: one a core */
	double resize_factor;
	enum param_source source[PARAMS];
};

/* What one place says; absent parameters have source FROM_DEFAULT. */
void params_default(struct params *p, const struct era *era);

/* One row of segment_metadata ("hnsw:space" and so on) into p; other keys are
 * passed over.  text, or else number, is the value. */
void params_from_row(struct params *p, struct slice key, struct slice text,
    double number);

/* The parameters in force, of what segment_metadata says (legacy, with the
 * defaults below it; has_legacy: it has rows at all) and of the JSON of the
 * collection (absent where there is none).  JSON that is not understood is
 * passed over. */
void params_resolve(struct params *p, const struct era *era,
    const struct params *legacy, bool has_legacy, struct slice config,
    struct slice schema);

#endif
