/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.h - which bytes are text. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether the n bytes are UTF-8 (RFC 3629: shortest forms, no surrogates, at
 * most U+10FFFF). */
bool utf8_valid(const char *p, size_t n);

/* The same, lone surrogates allowed, but no high one before a low one, which
 * are one character (WTF-8; see json.h). */
bool utf8_valid_wtf8(const char *p, size_t n);

/* UTF-8, and no byte is zero. */
bool utf8_valid_text(const char *p, size_t n);

/* How many bytes at p make one well-formed sequence: 1 to 4, or 0.  Three-byte
 * forms of lone surrogates (WTF-8) count too, with *surrogate set; json.h
 * says where they come from. */
size_t utf8_sequence(const char *p, size_t n, uint32_t *code, bool *surrogate);

/* code as UTF-8 (WTF-8 for a surrogate), 1 to 4 bytes; their number. */
size_t utf8_put(char *out, uint32_t code);

/* Columns of a terminal that the text takes, about: code points. */
size_t utf8_width(const char *p, size_t n);

#endif
