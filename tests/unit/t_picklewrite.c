/* SPDX-License-Identifier: Apache-2.0 */
/* t_picklewrite - what is written is read again; the bytes of a small one. */
#include "chroma/picklewrite.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chroma/pickle.h"

#include "../scratch.h"
#include "../tap.h"

static int
item(void *arg, uint32_t i, struct picklewrite_item *x, struct err *e)
{
	static char id[32];

	(void)e;
	snprintf(id, sizeof(id), "%s%u", (const char *)arg, i);
	*x = (struct picklewrite_item){ slice_str(id), (int64_t)i + 1,
	    i == 1 ? INT64_C(1) << 40 : (int64_t)i * 3 };
	return 0;
}

static char *
written(const struct picklewrite *p, size_t *n)
{
	int fd = open(scratch_path("pickle"), O_RDWR | O_CREAT | O_TRUNC,
	    0666);
	char *bytes;
	struct err e;

	if (picklewrite(p, fd, &e) < 0)
		scratch_die(e.msg);
	*n = (size_t)lseek(fd, 0, SEEK_END);
	bytes = malloc(*n + 1);
	if (pread(fd, bytes, *n, 0) != (ssize_t)*n)
		scratch_die("pread");
	close(fd);
	return bytes;
}

static void
test_many(uint32_t n)
{
	char prefix[] = "\xc3\xa9-";
	struct picklewrite p = { 384, n + 7, INT64_C(1) << 33, n, item,
	    prefix };
	struct picklewrite_item x;
	struct pickle k;
	struct err e = { 0 };
	size_t size;
	char *bytes = written(&p, &size);
	uint32_t i, bad = 0;
	int r = pickle_read(&k, bytes, size, true, &e);

	ok(r == 0 && k.class_form && k.protocol == 2 && k.trailing == 0,
	    "%u items are read again: %s", n, e.msg);
	ok(r == 0 && k.dimensionality == 384 &&
	    k.total_elements_added == n + 7 &&
	    k.max_seq_id == INT64_C(1) << 33, "  the numbers");
	ok(r == 0 && k.id_to_label.n == n && k.label_to_id.n == n &&
	    k.id_to_seq_id.n == n, "  all of them");
	for (i = 0; r == 0 && i < n; i++) {
		(void)item(prefix, i, &x, &e);
		bad += !slice_eq(k.id_to_label.pair[i].id, x.id) ||
		    k.id_to_label.pair[i].number != x.label ||
		    !slice_eq(k.label_to_id.pair[i].id, x.id) ||
		    k.label_to_id.pair[i].number != x.label ||
		    !slice_eq(k.id_to_seq_id.pair[i].id, x.id) ||
		    k.id_to_seq_id.pair[i].number != x.seq_id;
	}
	ok(bad == 0, "  as they were");
	if (r == 0)
		pickle_release(&k);
	free(bytes);
}

static void
test_bytes(void)
{
	static const char want[] = "\x80\2cchromadb.segment.impl.vector."
	    "local_persistent_hnsw\nPersistentData\n)\x81}("
	    "X\16\0\0\0dimensionalityJ\2\0\0\0"
	    "X\24\0\0\0total_elements_addedJ\1\0\0\0"
	    "X\12\0\0\0max_seq_idJ\11\0\0\0"
	    "X\13\0\0\0id_to_label}(X\2\0\0\0" "a0J\1\0\0\0u"
	    "X\13\0\0\0label_to_id}(J\1\0\0\0X\2\0\0\0" "a0u"
	    "X\14\0\0\0id_to_seq_id}(X\2\0\0\0" "a0J\0\0\0\0u"
	    "ub.";
	char prefix[] = "a";
	struct picklewrite p = { 2, 1, 9, 1, item, prefix };
	size_t n;
	char *bytes = written(&p, &n);

	ok(n == sizeof(want) - 1 && memcmp(bytes, want, n) == 0,
	    "the bytes of a small one");
	free(bytes);
}

int
main(void)
{
	test_bytes();
	test_many(0);
	test_many(1);
	test_many(3);
	test_many(60000);
	return tap_done();
}
