/* SPDX-License-Identifier: Apache-2.0 */
/* assign.h - which of some leaders are the nearest to nodes. */
#ifndef INDEX_ASSIGN_H
#define INDEX_ASSIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "index/codes.h"
#include "index/leaf.h"
#include "index/near.h"

#define ASSIGN_MAX 16		/* leaders of a node */

struct assign {
	const struct codes *c;
	const uint32_t *node;
	uint32_t n;
	unsigned most;			/* leaders that each gets, at most
					 * ASSIGN_MAX */
	uint32_t first;			/* the number of the first leader */
	struct near *to;		/* of each place in node[], or of each
					 * node: the leaders' numbers */
	bool by_node;
	/* private */
	const uint32_t *leader;
	struct leaf_panels leaders;
	char *room;			/* packed rows of each thread */
	size_t room_size;
};

/* Merge the nearest of these leaders (nodes, numbered from a->first on) into
 * a->to.  ip: the nearest by direction, or long ones would get all.  0, or -1:
 * no memory. */
ATTR_NODISCARD int assign_run(struct assign *a, const uint32_t *leader,
    uint32_t leaders, unsigned threads);

#endif
