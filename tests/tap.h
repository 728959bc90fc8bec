/* SPDX-License-Identifier: Apache-2.0 */
/* tap.h - TAP from C.  One main() per file; ends with `return tap_done();`. */
#ifndef TAP_H
#define TAP_H

#include <stdio.h>

static int tap_n, tap_bad;

/* One test line; on failure also where and what. */
#define ok(cond, ...) do {						\
	int tap_ok = !!(cond);						\
	printf("%sok %d - ", tap_ok ? "" : "not ", ++tap_n);		\
	printf(__VA_ARGS__);						\
	printf("\n");							\
	if (!tap_ok) {							\
		tap_bad++;						\
		printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond);	\
	}								\
} while (0)

static inline int
tap_done(void)
{
	printf("1..%d\n", tap_n);
	return tap_bad != 0;
}

#endif
