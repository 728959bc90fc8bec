/* SPDX-License-Identifier: Apache-2.0 */
/* select.h - names on a command line to collections. */
#ifndef CHROMA_SELECT_H
#define CHROMA_SELECT_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "chroma/catalog.h"

/* NAME, TENANT/DATABASE/NAME or a UUID, as --collection and --skip take it. */
struct select {
	const char *const *only;	/* n_only of them; none: all */
	size_t n_only;
	const char *const *skip;
	size_t n_skip;
};

/* Set selected of every collection.  A name that no collection has, or that
 * several have, is STATUS_USAGE with the candidates in the message.  0, or -1
 * with *e set. */
ATTR_NODISCARD int select_apply(struct catalog *c, const struct select *sel,
    struct err *e);

/* Whether this one collection goes by that name. */
bool select_matches(const char *spec, struct slice id, struct slice tenant,
    struct slice database, struct slice name);

#endif
