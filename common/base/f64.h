/* SPDX-License-Identifier: Apache-2.0 */
/* f64.h - doubles as JSON writes them, and as Chroma's readers take them. */
#ifndef BASE_F64_H
#define BASE_F64_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* The JSON number in exactly these n bytes, rounded to the nearest double
 * (ties to even), infinite beyond the range.  0, or -1 if it is no JSON
 * number. */
ATTR_NODISCARD int f64_parse(const char *p, size_t n, double *v);

/* The same number as Rust's serde_json without its feature float_roundtrip
 * reads it, which is how Chroma from 1.0 on (seen with 1.5.9) reads filters
 * and its log: the digits as a 64-bit integer, those that no longer fit left
 * out, then one multiplication or division by a power of ten.  For about one
 * double in five this is a neighbour of the nearest.  0; -1 if it is no JSON
 * number; -2 if it is beyond the range of double. */
ATTR_NODISCARD int f64_serde(const char *p, size_t n, double *v);

/* The finite v as Python's repr() and json.dumps() write it: of the shortest
 * digit strings that read back to v the nearest to it; an exponent from 1e16
 * up and below 1e-4, else at least one digit behind the point.  To out, which
 * has room for F64_ROOM; NUL-terminated.  The number of bytes. */
#define F64_ROOM 32
size_t f64_repr(double v, char *out);

#endif
