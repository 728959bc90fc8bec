/* SPDX-License-Identifier: Apache-2.0 */
/* regexlex.h - the characters and escapes of a regular expression.
 *
 * For regexparse and regexclass only; regex.h says what the language is.  The
 * functions that can fail return -1 with *l->e set ("byte N: reason", N from
 * 1, STATUS_USAGE).
 */
#ifndef BASE_REGEXLEX_H
#define BASE_REGEXLEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/ranges.h"
#include "base/slice.h"

#define REGEXLEX_END	UINT32_MAX	/* behind the last character */
#define REGEXLEX_DEPTH	250		/* of nesting, as Rust counts it */

/* How many ranges may be looked at for one pattern: that of a class is up to
 * some 3000, and a long pattern has many classes. */
#define REGEXLEX_WORK_MAX	(UINT64_C(64) << 20)

enum {			/* flags, as bits */
	REGEXLEX_I = 1, REGEXLEX_M = 2, REGEXLEX_S = 4, REGEXLEX_R = 8,
	REGEXLEX_SWAP = 16, REGEXLEX_U = 32, REGEXLEX_X = 64,
};

enum regexlex_assert {
	ASSERT_TEXT_START, ASSERT_TEXT_END,
	ASSERT_LINE_START, ASSERT_LINE_END,		/* by \n */
	ASSERT_CRLF_START, ASSERT_CRLF_END,		/* by \r, \n, \r\n */
	/* in this order, and again for ASCII words */
	ASSERT_WORD, ASSERT_NOT_WORD, ASSERT_WORD_START, ASSERT_WORD_END,
	ASSERT_WORD_START_HALF, ASSERT_WORD_END_HALF,
	ASSERT_ASCII_WORD, ASSERT_ASCII_NOT_WORD, ASSERT_ASCII_WORD_START,
	ASSERT_ASCII_WORD_END, ASSERT_ASCII_WORD_START_HALF,
	ASSERT_ASCII_WORD_END_HALF,
};

struct regexlex {
	struct slice text;	/* the pattern: UTF-8 */
	size_t at;		/* the character to be read */
	uint32_t c;		/* it, or REGEXLEX_END */
	unsigned flags;
	uint64_t work;		/* ranges looked at */
	struct ranges perl[6];	/* \d \s \w and their negations, once made */
	struct err *e;
};

/* What an escape, or a character by itself, stands for. */
enum regexlex_kind { ITEM_LITERAL, ITEM_SET, ITEM_ASSERT };

struct regexlex_item {
	enum regexlex_kind kind;
	uint32_t c;		/* ITEM_LITERAL */
	bool byte;		/* it was written \xHH: without the flag u a
				 * byte */
	enum regexlex_assert assert;
	struct ranges set;	/* ITEM_SET: to be released */
};

/* Begin with the pattern, which must outlive *l. */
ATTR_NODISCARD int regexlex_begin(struct regexlex *l, struct slice text,
    struct err *e);
void regexlex_release(struct regexlex *l);

/* -1 with the error; at is where. */
int regexlex_bad(struct regexlex *l, size_t at, const char *reason);

/* Go on by one character; then, with the flag x, over white space and
 * comments.  Whether there is a character. */
bool regexlex_bump(struct regexlex *l);
void regexlex_space(struct regexlex *l);
bool regexlex_bump_space(struct regexlex *l);

/* Back to where one was. */
void regexlex_seek(struct regexlex *l, size_t at);

/* The character behind the present one; _space: with the flag x, the first
 * that counts. */
uint32_t regexlex_peek(struct regexlex *l);
uint32_t regexlex_peek_space(struct regexlex *l);

/* Whether s comes next. */
bool regexlex_next_is(const struct regexlex *l, const char *s);

/* Count n ranges of work. */
ATTR_NODISCARD int regexlex_work(struct regexlex *l, size_t n);

/* Read the escape that begins with the present character, '\'. */
ATTR_NODISCARD int regexlex_escape(struct regexlex *l,
    struct regexlex_item *item);

/* Apply the flag i, then a negation, to a class, as its place is. */
ATTR_NODISCARD int regexlex_fold_negate(struct regexlex *l, size_t at,
    struct ranges *r, bool negate);

#endif
