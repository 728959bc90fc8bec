/* SPDX-License-Identifier: Apache-2.0 */
/* receipt.h - what a program did, as one JSON object on standard output.
 *
 * {"receipt":"chroma-walfilter", ... fields of the program ..., "seconds":1.5}
 */
#ifndef PROG_RECEIPT_H
#define PROG_RECEIPT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "stream/json.h"

struct receipt {
	struct buf buf;
	struct jsonw w;		/* add fields with json.h's functions */
	double started;
};

/* Begin, at the start of the work. */
void receipt_start(struct receipt *r);

/* Print it with a newline and flush.  0, or -1 with *e set. */
ATTR_NODISCARD int receipt_print(struct receipt *r, struct err *e);

/* Print text for people in its place; frees it.  0, or -1 with *e set. */
ATTR_NODISCARD int receipt_print_text(struct buf *text, struct err *e);

#endif
