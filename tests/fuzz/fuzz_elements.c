/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_elements - a whole index directory: whatever its five files hold, it is
 * opened, its ids are found where they are, and nothing is read beyond.
 *
 * Input: a byte (the space, and whether vectors are looked at), then the files
 * in their order, each after its size in 2 bytes (65535: not there); what is
 * cut off the end is missing. */
#include "chroma/elements.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/le.h"
#include "base/rd.h"
#include "stream/record.h"

#include "fuzz.h"

#define ABSENT 65535

static char dir[] = "/tmp/fuzz-elements-XXXXXX";
static int parent = -1, dirfd_of = -1;

static void
remove_dir(void)
{
	int i;

	for (i = 0; i < INDEX_FILES; i++)
		unlinkat(dirfd_of, index_file_name[i], 0);
	rmdir(dir);
}

static void
write_file(enum index_file f, struct rd *rd)
{
	size_t n = rd_u16(rd);
	const uint8_t *p;
	int fd;

	if (!rd_ok(rd) || n == ABSENT) {
		unlinkat(dirfd_of, index_file_name[f], 0);
		return;
	}
	if (n > rd_left(rd))
		n = rd_left(rd);
	p = rd_bytes(rd, n);
	fd = openat(dirfd_of, index_file_name[f],
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	MUST(fd >= 0 && file_write(fd, p, n) == 0 && close(fd) == 0);
}

/* Every id: it is where its label is, and equals what is there. */
static void
find_all(const struct elements *el)
{
	const struct index_header *h = &el->dir.header;
	uint64_t n = 0;
	uint32_t at;
	size_t i;

	for (i = 0; i < el->pickle.id_to_label.n; i++) {
		struct slice stored;

		if (!elements_find(el, el->pickle.id_to_label.pair[i].id, &at))
			continue;
		n++;
		MUST(at < el->readable);
		stored = fuzz_copy(el->level0 + at * h->size_data_per_element +
		    h->offsetData, 4 * h->dim);
		MUST(elements_holds(el, at, (const uint8_t *)stored.p, h->dim)
		    || el->space == SPACE_COSINE);
		fuzz_free(stored);
	}
	MUST(n == 0 || el->has_pickle);
	MUST(!elements_holds(el, (uint32_t)el->readable,
	    (const uint8_t *)"", 0));
	if (el->found.fault.status)
		return;
	MUST(n == el->pickle.id_to_label.n);
	if (el->has_pickle && el->found.whole)
		MUST(n == el->found.elements - el->found.deleted);
}

/* All that can be read, whatever is wrong: vectors and links of each. */
static void
walk_all(const struct elements *el, uint64_t M)
{
	uint64_t n = 0, live = 0, dim = el->dir.header.dim;
	struct buf links = { 0 }, line = { 0 };
	struct elements_walk w;
	struct element x;
	uint8_t *room = malloc(4 * (size_t)dim + 1);
	struct err e;

	MUST(room && elements_walk_begin(&w, el, &e) == 0);
	for (; elements_next(&w, &x); n++) {
		struct record r = { .type = RECORD_VECTOR, .has = FIELD_LINKS |
		    FIELD_EMBEDDING | FIELD_LABEL, .label = x.label,
		    .dim = (uint32_t)dim };

		MUST(x.internal == n && x.level <= 64);
		live += !x.deleted && x.id.p;
		buf_reset(&links);
		buf_reset(&line);
		MUST(elements_links(el, &x, &links, &e) == 0);
		r.links = buf_slice(&links);
		r.embedding = elements_vector(el, x.internal, room);
		record_to_json(&r, &line);
	}
	MUST(n == el->readable);
	if (!el->found.fault.status) {
		MUST(live == el->found.elements - el->found.deleted);
		MUST(M == 0 || el->dir.has_header || n == 0);
	}
	elements_walk_end(&w);
	buf_release(&links);
	buf_release(&line);
	free(room);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd rd = rd_init(data, size);
	uint8_t how = rd_u8(&rd);
	struct elements el;
	struct err e;
	int i;

	if (dirfd_of < 0) {
		MUST(mkdtemp(dir));
		dirfd_of = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		parent = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		MUST(dirfd_of >= 0 && parent >= 0 && atexit(remove_dir) == 0);
	}
	for (i = 0; i < INDEX_FILES; i++)
		write_file((enum index_file)i, &rd);
	MUST(elements_open(&el, parent, strrchr(dir, '/') + 1, -1, (enum space)(how % 3),
	    how & 4, &e) == 0);
	MUST(el.found.fault.status == 0 || *el.found.fault.msg);
	find_all(&el);
	elements_close(&el);
	MUST(elements_open_all(&el, parent, strrchr(dir, '/') + 1, how & 8 ? 2 :
	    -1, how & 16 ? 2 : 0, (enum space)(how % 3), how & 4, &e) == 0);
	walk_all(&el, how & 16 ? 2 : 0);
	elements_close(&el);
	return 0;
}
