/* SPDX-License-Identifier: Apache-2.0 */
/* t_uuid - UUIDs as text, and the random bytes that they are made of. */
#include "base/uuid.h"

#include <errno.h>
#include <sys/random.h>

#include "../scratch.h"
#include "../tap.h"

/* ---- getrandom(2), to be failed and interrupted ---- */

static int fail_with;		/* errno, once */
static size_t most = 256;	/* bytes at once */
static uint8_t next;		/* what comes; 0: counted up from 1 */
static uint8_t fixed;

ssize_t
getrandom(void *to, size_t n, unsigned flags)
{
	uint8_t *p = to;
	size_t i;

	(void)flags;
	if (fail_with) {
		errno = fail_with;
		fail_with = 0;
		return -1;
	}
	n = n < most ? n : most;
	for (i = 0; i < n; i++)
		p[i] = fixed ? fixed : ++next;
	return (ssize_t)n;
}

static const struct {
	const char *text;
	bool is;
} forms[] = {
	{ "01234567-89ab-cdef-0123-456789abcdef", true },
	{ "01234567-89AB-CDEF-0123-456789ABCDEF", true },
	{ "", false },
	{ "0123456789abcdef0123456789abcdef", false },
	{ "01234567-89ab-cdef-0123-456789abcde", false },
	{ "01234567-89ab-cdef-0123-456789abcdef0", false },
	{ "{1234567-89ab-cdef-0123-456789abcde}", false },
	{ "01234567-89ab-cdef-0123-456789abcdeg", false },
	{ "01234567-89ab-cdef-0123-456789abcde/", false },
	{ "0123456-789ab-cdef-0123-456789abcdef", false },
	{ "01234567089ab-cdef-0123-456789abcdef", false },
	{ "01234567-89ab0cdef-0123-456789abcdef", false },
	{ "01234567-89ab-cdef00123-456789abcdef", false },
	{ "01234567-89ab-cdef-01230456789abcdef", false },
	{ "------------------------------------", false },
	{ "-1234567-89ab-cdef-0123-456789abcdef", false },
};

static void
test_forms(void)
{
	static const char nul[] = "01234567-89ab-cdef-0123-456789abcde\0";
	size_t i;

	for (i = 0; i < COUNT(forms); i++)
		ok(uuid_is(slice_str(forms[i].text)) == forms[i].is,
		    "%s: %d", shown_str(forms[i].text), forms[i].is);
	ok(!uuid_is(slice_of(nul, UUID_LEN)), "a zero byte at the end");
	ok(!uuid_is((struct slice){ NULL, UUID_LEN }), "none");
}

static void
test_new(void)
{
	char a[UUID_LEN + 1], b[UUID_LEN + 1];
	struct err e = { 0 };

	ok(uuid_new(a, &e) == 0 && strcmp(a,
	    "01020304-0506-4708-890a-0b0c0d0e0f10") == 0, "%s", a);
	ok(uuid_new(b, &e) == 0 && strcmp(a, b) != 0 &&
	    uuid_is(slice_str(b)), "another one: %s", b);
	fixed = 0xff;
	ok(uuid_new(a, &e) == 0 && strcmp(a,
	    "ffffffff-ffff-4fff-bfff-ffffffffffff") == 0, "version and "
	    "variant: %s", a);
	fixed = 0;
	next = 0;
	most = 3;
	fail_with = EINTR;
	ok(uuid_new(a, &e) == 0 && strcmp(a,
	    "01020304-0506-4708-890a-0b0c0d0e0f10") == 0, "interrupted, and "
	    "a few bytes at once: %s", a);
	fail_with = ENOSYS;
	ok(uuid_new(a, &e) == -1 && e.status == STATUS_SYSTEM &&
	    strncmp(e.msg, "getrandom: ", 11) == 0, "%s", e.msg);
}

int
main(void)
{
	test_forms();
	test_new();
	return tap_done();
}
