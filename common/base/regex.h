/* SPDX-License-Identifier: Apache-2.0 */
/* regex.h - is there a match of a regular expression in a text.
 *
 * The language is that of Rust's crate regex 1.12 (regex-syntax 0.8, Unicode
 * 16.0), described at docs.rs/regex, as Chroma 1.5's $regex has it: no look
 * around, no backreferences; Unicode throughout; nested classes with && -- ~~;
 * flags i m s R U u x.  Only whether there is a match is told, so greedy and
 * lazy are the same and groups capture nothing.  As in Chroma, a class without
 * members or of bytes (flag u off) is refused, but where Rust simplifies it
 * away.
 *
 * What differs shows as an error, never as another answer:
 *   - "... is not supported here": most properties of yes and no (kept are
 *     Alphabetic, Lowercase, Uppercase, White_Space, Join_Control, Emoji and
 *     Emoji_...), Grapheme_Cluster_Break, Word_Break, Sentence_Break.
 *   - "too large ...": the limits below take the place of Rust's 10 MB.
 *   - Classes of bytes in alternations that Rust simplifies by a common
 *     prefix are refused.
 *
 * Text is UTF-8 and may have NUL in it.  Lone surrogates (WTF-8; see json.h)
 * and bytes that are not UTF-8 are matched by nothing, not even (?s:.), and
 * are no part of a word.
 *
 * Time to match is linear in the text: usually a few steps a byte, at worst
 * (a pattern with many states, a text that meets ever new sets of them) as many
 * as the pattern has states.  No backtracking, no recursion but over the
 * nesting of the pattern, which has at most 250 levels.
 */
#ifndef BASE_REGEX_H
#define BASE_REGEX_H

#include "base/attr.h"
#include "base/err.h"
#include "base/slice.h"

#define REGEX_PATTERN_MAX	(1u << 20)	/* bytes */
#define REGEX_STATES_MAX	(1u << 18)	/* after counts are written out:
						 * x{3} is three x */
#define REGEX_CACHE_MAX		(8u << 20)	/* bytes, about, of what was
						 * met in texts */

struct regex;

/* *r becomes the pattern, ready to match; to be freed.  0, or -1 with *e set,
 * and nothing to free: STATUS_USAGE, "byte N: reason" (from 1), for what Rust
 * refuses and for the limits above; STATUS_SYSTEM without memory. */
ATTR_NODISCARD int regex_compile(struct regex **r, struct slice pattern,
    struct err *e);

/* Whether the pattern matches anywhere in text (absent: as empty): 1, 0, or
 * -1 with *e set (no memory).  *r learns from texts, so two threads must not
 * use one at the same time. */
ATTR_NODISCARD int regex_matches(struct regex *r, struct slice text,
    struct err *e);

/* r may be NULL. */
void regex_free(struct regex *r);

#endif
