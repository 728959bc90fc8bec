/* SPDX-License-Identifier: Apache-2.0 */
/* base64.h - RFC 4648 section 4, with padding, without line breaks. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* Characters that n bytes become. */
#define BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* Encode n bytes to out, which has room for BASE64_LEN(n).  That number. */
size_t base64_encode(const void *p, size_t n, char *out);

/* The same without special instructions: what base64_encode() must agree
 * with. */
size_t base64_encode_portable(const void *p, size_t n, char *out);

/* Decode n characters to out, which has room for n / 4 * 3 bytes.  Strict:
 * whole groups, padding only at the end and with zero bits under it.  0 with
 * *len the number of bytes, or -1. */
ATTR_NODISCARD int base64_decode(const char *p, size_t n, uint8_t *out,
    size_t *len);

#endif
