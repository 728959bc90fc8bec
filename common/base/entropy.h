/* SPDX-License-Identifier: Apache-2.0 */
/* entropy.h - bytes that nobody can foretell. */
#ifndef BASE_ENTROPY_H
#define BASE_ENTROPY_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

/* n bytes from getrandom(2).  0, or -1 with *e set. */
ATTR_NODISCARD int entropy(void *to, size_t n, struct err *e);

#endif
