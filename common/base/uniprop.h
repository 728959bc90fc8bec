/* SPDX-License-Identifier: Apache-2.0 */
/* uniprop.h - sets of characters by their Unicode properties.
 *
 * Unicode 16.0.  Names and values as UTS #18 RL1.2 writes them and the Rust
 * crate regex-syntax 0.8 reads them: case, spaces, '_', '-' and a leading "is"
 * do not count, and what is not ASCII in them is passed over.
 */
#ifndef BASE_UNIPROP_H
#define BASE_UNIPROP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ranges.h"
#include "base/slice.h"

enum uniprop_answer {
	UNIPROP_OK,
	UNIPROP_UNKNOWN,	/* nor does regex-syntax know it */
	UNIPROP_LACKING,	/* it may know it; there is no table here */
};

/* Put the set into *r, which is empty.  With value absent: a general category,
 * a script or a property of yes and no, by its name; otherwise name is that
 * of the property: General_Category, Script, Script_Extensions, or Age (that
 * of the value or an older one). */
enum uniprop_answer uniprop_get(struct ranges *r, struct slice name,
    struct slice value);

/* \w, \d, \s of Unicode: Alphabetic, marks, decimal digits, connector
 * punctuation and Join_Control; decimal digits; White_Space. */
void uniprop_word(struct ranges *r);
void uniprop_digit(struct ranges *r);
void uniprop_space(struct ranges *r);

/* Alphabetic; and in a category of numbers. */
bool uniprop_is_alphabetic(uint32_t c);
bool uniprop_is_numeric(uint32_t c);

/* White_Space. */
bool uniprop_is_space(uint32_t c);

#endif
