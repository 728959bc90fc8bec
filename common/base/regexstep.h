/* SPDX-License-Identifier: Apache-2.0 */
/* regexstep.h - from one set of a program's instructions to the next.
 *
 * The instructions of a set wait for a character, or for the next one to
 * decide an assertion.
 */
#ifndef BASE_REGEXSTEP_H
#define BASE_REGEXSTEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/regexprog.h"

/* Instructions, each once, in the order of arrival. */
struct regexstep_set {
	uint32_t *v;		/* owned: n of them */
	uint32_t *stamp;	/* owned: of each instruction, the generation
				 * when it was last met */
	uint32_t n, generation;
	bool match;		/* OP_MATCH was met */
};

struct regexstep {
	const struct regexprog *p;
	struct regexstep_set now, then;
	uint32_t *stack;	/* owned */
};

/* *r is zeroed, and to be released either way.  0, or -1 without memory. */
ATTR_NODISCARD int regexstep_init(struct regexstep *r,
    const struct regexprog *p);
void regexstep_release(struct regexstep *r);

/* Where the text begins: r->then becomes the first set; its match says whether
 * there is one already. */
void regexstep_begin(struct regexstep *r);

/* From the n instructions at v (not those of r->then), behind a character of
 * the kind before, over one of the class (the number of classes: the end of
 * the text), to r->then.  Whether there is a match before that character, or
 * behind it. */
bool regexstep(struct regexstep *r, const uint32_t *v, uint32_t n,
    unsigned before, uint32_t class);

#endif
