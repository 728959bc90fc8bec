/* SPDX-License-Identifier: Apache-2.0 */
/* installreport.h - what was installed in the place of an index, or would be.
 */
#ifndef PROG_INSTALLREPORT_H
#define PROG_INSTALLREPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "chroma/publish.h"
#include "stream/json.h"

struct installreport {
	const struct publish *publish;
	const struct publish_diff *diff;
	const struct paramset *change;
	const char *segment;	/* the new one's id; NULL: nothing was
				 * installed */
	const char *backup;	/* what the old directory became; NULL: it was
				 * removed */
	uint64_t elements, bytes;	/* of the new one */
	bool needed;
	bool only_params;	/* nothing but parameters changes */
};

/* The members of the receipt. */
void installreport_receipt(const struct installreport *r, struct jsonw *w);

/* The same as text for people, appended to *b.  Its last line is
 * INSTALLREPORT_IDLE where there is nothing to do. */
#define INSTALLREPORT_IDLE "Nothing to do."
void installreport_text(const struct installreport *r, struct buf *b);

#endif
