/* SPDX-License-Identifier: Apache-2.0 */
/* uuid.h - UUIDs as text: 36 characters, hyphenated. */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/slice.h"

#define UUID_LEN 36

/* Whether text has the form of one, of either case. */
bool uuid_is(struct slice text);

/* A new one at random (version 4, RFC 9562), in lower case and with a NUL
 * behind it.  0, or -1 with *e set. */
ATTR_NODISCARD int uuid_new(char to[UUID_LEN + 1], struct err *e);

#endif
