/* SPDX-License-Identifier: Apache-2.0 */
/* jsonedit.h - one member of a JSON object changed, every other byte kept. */
#ifndef STREAM_JSONEDIT_H
#define STREAM_JSONEDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

/* What is put between the parts of what is new: nothing, or blanks as Python's
 * json.dumps does. */
enum jsonedit_style { JSONEDIT_COMPACT, JSONEDIT_SPACED };

/* Set the member path[0].path[1]... (n > 0 keys, plain ASCII) of the object
 * text to value, which is JSON: the old value's text is replaced; a member that
 * is not there becomes the last one of its object, and so do objects on the
 * way, for which null counts as not there.  The new text is appended to *out.
 * 0, or -1 with *e set (STATUS_DATA): text is not one object, or what is on the
 * way is no object or stands twice. */
ATTR_NODISCARD int jsonedit_set(struct slice text, const char *const path[],
    size_t n, struct slice value, enum jsonedit_style style, struct buf *out,
    struct err *e);

/* What stands at path: 1; 0 if nothing or null does; -1 with *e set as above.
 */
ATTR_NODISCARD int jsonedit_get(struct slice text, const char *const path[],
    size_t n, struct slice *value, struct err *e);

#endif
