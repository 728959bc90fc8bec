/* SPDX-License-Identifier: Apache-2.0 */
/* unzlib.h - zlib's format (RFC 1950), a piece at a time.  The only module
 * that includes zlib.h.
 *
 * Memory: some 40 KiB.
 */
#ifndef STREAM_UNZLIB_H
#define STREAM_UNZLIB_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/slice.h"

struct unzlib;

/* NULL with *e set: no memory. */
struct unzlib *unzlib_new(struct err *e);
void unzlib_free(struct unzlib *z);

/* Take from the front of *in, which is shortened by that, and put at most room
 * bytes at out, *n of them.  1: go on, with more of *in where it is used up;
 * 0: that was the end of the stream, *in is what follows it; -1 with *e set
 * (STATUS_DATA: damaged). */
ATTR_NODISCARD int unzlib_step(struct unzlib *z, struct slice *in, char *out,
    size_t room, size_t *n, struct err *e);

#endif
