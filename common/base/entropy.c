/* SPDX-License-Identifier: Apache-2.0 */
/* entropy.c - bytes that nobody can foretell. */
#include "base/entropy.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/types.h>

int
entropy(void *to, size_t n, struct err *e)
{
	char *p = to;
	ssize_t got;

	while (n > 0) {
		got = getrandom(p, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_system(e, "getrandom");
		p += got;
		n -= (size_t)got;
	}
	return 0;
}
