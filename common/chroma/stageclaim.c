/* SPDX-License-Identifier: Apache-2.0 */
/* stageclaim.c - a claim for who puts index directories in place. */
#include "chroma/stageclaim.h"

#include "chroma/catalog.h"
#include "chroma/staging.h"

int
stageclaim_open(struct claim *c, const char *path,
    const struct claim_options *o, struct err *e)
{
	struct catalog cat;

	if (claim_open(c, path, o, e) < 0)
		return -1;
	if (catalog_load_tables(&cat, &c->pd.db, e) == 0) {
		staging_sweep(c->pd.dirfd, &cat);
		catalog_release(&cat);
		if (claim_stamp(c, e) == 0)
			return 0;
	}
	claim_close(c);
	return -1;
}
