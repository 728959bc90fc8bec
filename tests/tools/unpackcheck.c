/* SPDX-License-Identifier: Apache-2.0 */
/* unpackcheck - a snapshot unpacked and checked, or only looked at.
 *
 * usage: unpackcheck SNAPSHOT [DIR]
 *
 * DIR: an empty directory, to unpack into; none: the stream is only looked at
 * (unpack_skim).  Says how many collections, members and bytes, or what is
 * wrong, with its status. */
#include <stdio.h>
#include <stdlib.h>

#include "chroma/unpack.h"

static int
die(const struct err *e)
{
	fprintf(stderr, "unpackcheck: %s\n", e->msg);
	return e->status;
}

static int
check_indexes(const struct unpack *u, struct err *e)
{
	const struct persist_options opt = { .wait_ms = 0 };
	const struct collection *col;
	struct persist pd;
	struct catalog c;
	struct err fault;
	int r;

	if (persist_open(&pd, u->dir, &opt, e) < 0)
		return -1;
	r = catalog_load(&c, &pd, e);
	if (r == 0) {
		r = unpack_check_indexes(u, &c, &col, &fault, e);
		if (r == 0 && fault.status)
			r = err_data(e, "%s: index: %s", col->name,
			    fault.msg);
		catalog_release(&c);
	}
	persist_close(&pd);
	return r;
}

int
main(int argc, char *argv[])
{
	struct unpack u = { 0 };
	struct in in;
	struct err e;
	int r;

	if (argc < 2 || argc > 3) {
		fputs("usage: unpackcheck SNAPSHOT [DIR]\n", stderr);
		return 2;
	}
	if (in_open(&in, argv[1], &e) < 0)
		return die(&e);
	r = argc == 3 ? unpack_read(&u, &in, argv[2], &e) :
	    unpack_skim(&u, &in, &e);
	if (r == 0 && argc == 3 && check_indexes(&u, &e) < 0)
		r = err_in(&e, in.name);
	if (r == 0)
		printf("%zu collections, %zu members, %llu bytes%s\n",
		    u.manifest.collections, u.manifest.members,
		    (unsigned long long)u.bytes, u.chops ? ", of chops" : "");
	unpack_release(&u);
	in_close(&in);
	return r == 0 ? 0 : die(&e);
}
