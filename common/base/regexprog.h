/* SPDX-License-Identifier: Apache-2.0 */
/* regexprog.h - a regular expression as a program over classes of characters.
 *
 * Characters that no part of the pattern tells apart are one class.  Class 0
 * is in no set of the pattern: characters that it nowhere matches, and what is
 * no character.
 */
#ifndef BASE_REGEXPROG_H
#define BASE_REGEXPROG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/regexparse.h"

enum regexprog_op {
	OP_CLASS,		/* one of class x, then the next instruction */
	OP_SET,			/* one of a class of set x, then the next */
	OP_ASSERT,		/* if regexlex_assert x holds, the next */
	OP_SPLIT,		/* the next, and x */
	OP_JUMP,		/* x */
	OP_MATCH
};

struct regexprog_inst {
	enum regexprog_op op;
	uint32_t x;
};

enum {			/* what a character, or the start, is to assertions */
	REGEXPROG_START = 1, REGEXPROG_LF = 2, REGEXPROG_CR = 4,
	REGEXPROG_WORD = 8, REGEXPROG_ASCII_WORD = 16,
};

#define REGEXPROG_BLOCK	128	/* characters in a block of the map */
#define REGEXPROG_BLOCKS ((RANGES_MAX + 1) / REGEXPROG_BLOCK)

struct regexprog {
	struct regexprog_inst *inst;	/* the first is where to start */
	uint32_t n;
	uint32_t nclasses;	/* class 0 too */
	uint8_t *kind;		/* of each class, the bits above */
	uint8_t kinds;		/* that assertions of the program ask for */
	bool anchored;		/* matches only begin where the text does */
	uint64_t *sets;		/* a bit for each class, words for each set */
	uint32_t words;
	uint16_t *map;		/* the class of each character, in blocks */
	uint16_t block[REGEXPROG_BLOCKS];	/* which of them */
	struct buf literal;	/* is in every text that matches */
	bool literal_first;	/* a match begins with it */
	bool literal_all;	/* a match is it */
};

/* 0, or -1 with *e set as regex_compile() says; *p is to be released either
 * way. */
ATTR_NODISCARD int regexprog_make(struct regexprog *p,
    const struct regexparse_tree *t, struct err *e);
void regexprog_release(struct regexprog *p);

static inline uint32_t
regexprog_class(const struct regexprog *p, uint32_t c)
{
	return p->map[(uint32_t)p->block[c / REGEXPROG_BLOCK] *
	    REGEXPROG_BLOCK + c % REGEXPROG_BLOCK];
}

static inline bool
regexprog_set_has(const struct regexprog *p, uint32_t set, uint32_t class)
{
	return p->sets[(size_t)set * p->words + class / 64] >> class % 64 & 1;
}

#endif
