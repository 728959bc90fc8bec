/* SPDX-License-Identifier: Apache-2.0 */
/* t_textset - what was added is there, and nothing else. */
#include "base/textset.h"

#include <stdio.h>
#include <string.h>

#include "../tap.h"

#define TEXTS 20000

static struct slice
text(int i)
{
	static char s[32];

	snprintf(s, sizeof(s), "id-%d", i);
	return slice_str(s);
}

int
main(void)
{
	struct textset s = { 0 };
	struct err e;
	int i, bad = 0, found = 0;

	ok(!textset_has(&s, slice_str("")), "nothing is in an empty set");
	for (i = 0; i < TEXTS; i++)
		bad |= textset_add(&s, text(2 * i), &e) < 0;
	for (i = 0; i < TEXTS; i += 7)
		bad |= textset_add(&s, text(2 * i), &e) < 0;
	ok(!bad && s.n == TEXTS, "%zu texts", s.n);
	for (i = 0; i < 2 * TEXTS; i++)
		bad |= textset_has(&s, text(i)) != (i % 2 == 0);
	ok(!bad, "each is there, and none between");
	ok(!textset_has(&s, slice_str("")), "nor the empty one");
	ok(textset_add(&s, slice_str(""), &e) == 0 &&
	    textset_add(&s, slice_of("a\0b", 3), &e) == 0 &&
	    textset_has(&s, slice_str("")) &&
	    textset_has(&s, slice_of("a\0b", 3)) &&
	    !textset_has(&s, slice_of("a\0c", 3)) &&
	    !textset_has(&s, slice_str("a")), "any bytes");
	for (i = 0; i < TEXTS; i++)
		found += textset_has(&s, text(2 * i));
	ok(found == TEXTS, "all are still there");
	textset_release(&s);
	ok(s.n == 0 && !textset_has(&s, text(0)), "released");
	return tap_done();
}
