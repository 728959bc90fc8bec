/* SPDX-License-Identifier: Apache-2.0 */
/* repickle.c - the pickle of an index whose log gets other numbers. */
#include "chroma/repickle.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "chroma/index.h"
#include "chroma/picklewrite.h"

struct items {
	const struct pickle *from;
	uint64_t seq_id;
};

static int
item(void *arg, uint32_t i, struct picklewrite_item *x, struct err *e)
{
	const struct items *s = arg;
	const struct pickle_pair *p = &s->from->id_to_label.pair[i];

	(void)e;
	*x = (struct picklewrite_item){ p->id, p->number,
	    (int64_t)s->seq_id };
	return 0;
}

static int
write_new(const struct index_dir *d, const struct pickle *k, uint64_t seq_id,
    struct err *e)
{
	const char *name = index_file_name[INDEX_PICKLE];
	struct items s = { k, seq_id };
	struct picklewrite p = {
	    .dimensionality = k->has_dimensionality ? k->dimensionality :
	    (int64_t)d->header.dim,
	    .total_elements_added = k->total_elements_added,
	    .max_seq_id = (int64_t)seq_id,
	    .n = (uint32_t)k->id_to_label.n, .item = item, .arg = &s };
	int fd, r;

	if (unlinkat(d->fd, name, 0) < 0)
		return err_system(e, "%s", name);
	fd = openat(d->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0666);
	if (fd < 0)
		return err_system(e, "%s", name);
	r = picklewrite(&p, fd, e);
	close(fd);
	return r;
}

int
repickle(int dirfd, const char *name, uint64_t seq_id, struct err *e)
{
	struct index_dir d;
	struct pickle k;
	char *bytes;
	int got;

	if (index_open(&d, dirfd, name, e) < 0)
		return -1;
	got = index_pickle(&d, &k, true, &bytes, e);
	if (got > 0) {
		got = k.id_to_label.n > UINT32_MAX ? err_data(e, "%s: more "
		    "ids than an index can have", name) :
		    write_new(&d, &k, seq_id, e);
		pickle_release(&k);
		free(bytes);
	}
	index_close(&d);
	return got < 0 ? -1 : 0;
}
