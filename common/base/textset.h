/* SPDX-License-Identifier: Apache-2.0 */
/* textset.h - a set of texts, kept as fingerprints (hash.h): what is in it
 * cannot be read again, and what is not is found by error with a chance of
 * about 2^-120 a text.
 *
 * Memory: 16 to 32 bytes a text, and the key of hash.h.
 */
#ifndef BASE_TEXTSET_H
#define BASE_TEXTSET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/slice.h"

struct textset {
	size_t n;			/* different texts */
	/* private */
	struct hash *slot;		/* owned; {0, 0}: empty */
	size_t room;			/* a power of 2, or 0 */
	struct hash_key key;
};

/* Add one; an empty set is {0}.  0, or -1 with *e set: no memory. */
ATTR_NODISCARD int textset_add(struct textset *s, struct slice text,
    struct err *e);

bool textset_has(const struct textset *s, struct slice text);

void textset_release(struct textset *s);

#endif
