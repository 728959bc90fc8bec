/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - JSON looked into without building a tree, and written.
 *
 * Text in memory is UTF-8 in which a lone surrogate (JSON's "\ud800", which
 * is no character) stands as its three-byte form, as in WTF-8; written out it
 * is an escape again.  So every JSON string has one form in memory and one on
 * output: shortest escapes, "\u00xx" in lower case for the other control
 * characters, everything else as it is.
 */
#ifndef STREAM_JSON_H
#define STREAM_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#define JSON_DEPTH_MAX 64

/* ---- reading ---- */

/* Walks over the members of one object, or the elements of one array. */
struct json_iter {
	const char *base, *p, *end;
	struct err *e;
	int members;
	int depth;		/* of the members; nesting counts from there */
	bool nonfinite;		/* the caller may set it: NaN, Infinity and
				 * -Infinity, as Python writes them, are
				 * values too */
};

/* The text is one object and nothing else but white space around it; *it then
 * gives its members.  Structure is checked as the walk goes: brackets, keys,
 * strings and their escapes, nesting at most JSON_DEPTH_MAX.  Of scalars only
 * the characters are; json_compact() and the decoders below are strict.  The
 * text must be UTF-8 (utf8.h), which is not checked here.  0, or -1 with *e
 * set ("byte N: reason"); e must outlive *it. */
ATTR_NODISCARD int json_object(struct json_iter *it, struct slice text,
    struct err *e);

/* 1 and the next member: key as in the text, between its quotes, and the text
 * of its value; 0 after the last; -1 with the error set. */
ATTR_NODISCARD int json_next(struct json_iter *it, struct slice *key,
    struct slice *val);

/* The same for an array and its elements. */
ATTR_NODISCARD int json_array(struct json_iter *it, struct slice text,
    struct err *e);
ATTR_NODISCARD int json_element(struct json_iter *it, struct slice *val);

/* Whether a key as json_next() gives it is this name (ASCII), escapes undone.
 */
bool json_key_is(struct slice key, const char *name);

/* The members key[0..n) of the object: val[i] is the text of the value, absent
 * where there is none.  One of them met twice is an error.  All of the text is
 * checked as above.  0, or -1 with *e set. */
ATTR_NODISCARD int json_members(struct slice text, const char *const key[],
    struct slice val[], size_t n, struct err *e);

/* A number in [0, 2^63-1], or any int64, digits only.  0, or -1 if val is
 * absent or anything else. */
ATTR_NODISCARD int json_u63(struct slice val, uint64_t *out);
ATTR_NODISCARD int json_i64(struct slice val, int64_t *out);

static inline bool
json_is_string(struct slice val)
{
	return val.p && val.len >= 2 && *val.p == '"';
}

/* Append what the string (with its quotes) says to *out: at most val.len
 * bytes.  0; -1 if val is not a string.  (*out may have failed.) */
ATTR_NODISCARD int json_string(struct slice val, struct buf *out);

/* Append the numbers of an array as little-endian float32 to *out: at most
 * 2 * val.len bytes.  0; -1 with *e set ("component N: reason"). */
ATTR_NODISCARD int json_floats(struct slice val, struct buf *out,
    struct err *e);

/* Append the value in canonical form: no white space, strings as at the top
 * of this page, numbers as they are.  Strict (RFC 8259).  0, or -1 with *e
 * set.  What was appended on failure is the caller's to remove. */
ATTR_NODISCARD int json_compact(struct slice val, struct buf *out,
    struct err *e);

/* ---- writing ---- */

/* Text as a string with quotes. */
void json_put_string(struct buf *b, struct slice text);

/* The same in ASCII as Python's json.dumps writes it: what is not ASCII as
 * \uXXXX, in lower case; bytes that are not UTF-8 as \udcXX, which Python's
 * "surrogateescape" turns back into them. */
void json_put_ascii(struct buf *b, struct slice text);

/* n little-endian float32 as an array; false, and nothing added, if one is
 * not finite. */
bool json_put_floats(struct buf *b, const uint8_t *le, size_t n);

/* Bytes as a string of base64. */
void json_put_base64(struct buf *b, const void *p, size_t n);

/* An object or array in the making: the functions below put the commas.  A NULL key
 * is for arrays. */
struct jsonw {
	struct buf *b;
	bool comma;
};

void json_open(struct jsonw *w, const char *key, char bracket);
void json_close(struct jsonw *w, char bracket);
void json_str(struct jsonw *w, const char *key, struct slice text);
void json_cstr(struct jsonw *w, const char *key, const char *text);
void json_int(struct jsonw *w, const char *key, int64_t v);
void json_bool(struct jsonw *w, const char *key, bool v);
void json_null(struct jsonw *w, const char *key);
/* text is JSON already. */
void json_raw(struct jsonw *w, const char *key, struct slice text);
/* v with the fewest digits from 15 up that read back to it, and with a point;
 * null if v is not finite. */
void json_double(struct jsonw *w, const char *key, double v);
/* v with at most the given digits behind the point. */
void json_real(struct jsonw *w, const char *key, double v, int digits);

#endif
