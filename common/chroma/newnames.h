/* SPDX-License-Identifier: Apache-2.0 */
/* newnames.h - names that a Chroma would take, for what is to be called by a
 * new one.
 *
 * Source: chromadb/api/segment.py check_index_name(), rust/types/src/
 * validators.rs; what chroma 0.4.4 to 1.5.9 say when they are asked.
 */
#ifndef CHROMA_NEWNAMES_H
#define CHROMA_NEWNAMES_H

#include "base/attr.h"
#include "base/err.h"

/* NULL: none is given.  0, or -1 with *e set (STATUS_USAGE, by the option that
 * gave it). */
ATTR_NODISCARD int newnames_check(const char *collection, const char *tenant,
    const char *database, struct err *e);

#endif
