/* SPDX-License-Identifier: Apache-2.0 */
/* unzlib.c - zlib's format, a piece at a time. */
#define ZLIB_CONST
#include "stream/unzlib.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

struct unzlib {
	z_stream s;
};

struct unzlib *
unzlib_new(struct err *e)
{
	struct unzlib *z = calloc(1, sizeof(*z));

	if (!z || inflateInit(&z->s) != Z_OK) {
		free(z);
		err_nomem(e);
		return NULL;
	}
	return z;
}

void
unzlib_free(struct unzlib *z)
{
	if (z)
		inflateEnd(&z->s);
	free(z);
}

int
unzlib_step(struct unzlib *z, struct slice *in, char *out, size_t room,
    size_t *n, struct err *e)
{
	uInt have = in->len < UINT_MAX ? (uInt)in->len : UINT_MAX;
	uInt want = room < UINT_MAX ? (uInt)room : UINT_MAX;
	int r;

	z->s.next_in = (const Bytef *)in->p;
	z->s.avail_in = have;
	z->s.next_out = (Bytef *)out;
	z->s.avail_out = want;
	r = inflate(&z->s, Z_NO_FLUSH);
	in->p += have - z->s.avail_in;
	in->len -= have - z->s.avail_in;
	*n = want - z->s.avail_out;
	switch (r) {
	case Z_OK:
	case Z_BUF_ERROR:	/* nothing to take, or nowhere to put it */
		return 1;
	case Z_STREAM_END:
		return 0;
	case Z_MEM_ERROR:
		return err_nomem(e);
	default:
		return err_data(e, "zlib: %s", z->s.msg ? z->s.msg :
		    "a dictionary is wanted");
	}
}
