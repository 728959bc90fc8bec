/* SPDX-License-Identifier: Apache-2.0 */
/* newnames.c - names that a Chroma would take. */
#include "chroma/newnames.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

#define LONGEST 512		/* of a collection */

static bool
alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9');
}

/* Digits and points, as an address has them; a ":" is in no name anyway. */
static bool
is_address(const char *name)
{
	struct in_addr a;

	return inet_pton(AF_INET, name, &a) == 1;
}

/* Chroma's rule for names of collections, of every era (up to 1.0.0 63 were the
 * most; what is longer is found under its name all the same).
 * Source: chromadb/api/segment.py check_index_name(),
 * rust/types/src/validators.rs. */
static bool
good_name(const char *name)
{
	size_t n = strlen(name), i;

	if (n < 3 || n > LONGEST || !alphanumeric(name[0]) ||
	    !alphanumeric(name[n - 1]) || strstr(name, "..") ||
	    is_address(name))
		return false;
	for (i = 0; i < n; i++)
		if (!alphanumeric(name[i]) && !strchr("._-", name[i]))
			return false;
	return true;
}

int
newnames_check(const char *collection, const char *tenant,
    const char *database, struct err *e)
{
	const char *const place[] = { "--tenant", tenant, "--database",
	    database };
	int i;

	if (collection && !good_name(collection))
		return err_usage(e, "--as: a name that Chroma does not take: "
		    "3 to %d letters, digits, \".\", \"_\" and \"-\", a "
		    "letter or digit first and last, no \"..\", no IP "
		    "address", LONGEST);
	for (i = 0; i < 4; i += 2) {
		const char *s = place[i + 1];

		if (s && (!utf8_valid(s, strlen(s)) ||
		    strlen(s) < 3))
			return err_usage(e, "%s: a name that Chroma does not "
			    "take: 3 characters or more, in UTF-8", place[i]);
	}
	return 0;
}
