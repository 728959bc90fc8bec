/* SPDX-License-Identifier: Apache-2.0 */
/* index.c - the directory of a VECTOR segment. */
#include "chroma/index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/num.h"
#include "base/rd.h"

/* Chroma allows 65536 dimensions and more; hnswlib has no limit of its own.
 * Above this an element would not be read in one piece. */
#define DIM_MAX ((uint64_t)1 << 20)
#define M_MAX ((uint64_t)1 << 16)	/* link counts are 16 bits */
#define LEVEL_MAX 64
#define CHUNK ((size_t)1 << 20)

const char *const index_file_name[INDEX_FILES] = {
	"header.bin", "data_level0.bin", "length.bin", "link_lists.bin",
	"index_metadata.pickle",
};

int
index_header_parse(struct index_header *h, const void *p, size_t n,
    struct err *e)
{
	struct rd r = rd_init(p, n);

	if (n != INDEX_HEADER_SIZE)
		return err_data(e, "%zu bytes instead of %d: truncated or not "
		    "an index header", n, INDEX_HEADER_SIZE);
	h->persistence_version = rd_u32(&r);
	h->offsetLevel0 = rd_u64(&r);
	h->max_elements = rd_u64(&r);
	h->cur_element_count = rd_u64(&r);
	h->size_data_per_element = rd_u64(&r);
	h->label_offset = rd_u64(&r);
	h->offsetData = rd_u64(&r);
	h->maxlevel = (int32_t)rd_u32(&r);
	h->enterpoint_node = rd_u32(&r);
	h->maxM = rd_u64(&r);
	h->maxM0 = rd_u64(&r);
	h->M = rd_u64(&r);
	h->mult = rd_f64(&r);
	h->ef_construction = rd_u64(&r);
	if (h->persistence_version != 1)
		return err_data(e, "+0: persistence version %u: newer than "
		    "this program, or corrupt", h->persistence_version);
	if (h->M < 1 || h->M >= M_MAX || h->maxM != h->M ||
	    h->maxM0 != 2 * h->M)
		return err_data(e, "+60: M %llu, maxM %llu, maxM0 %llu: "
		    "corrupt", (unsigned long long)h->M,
		    (unsigned long long)h->maxM, (unsigned long long)h->maxM0);
	if (h->offsetLevel0 != 0 || h->offsetData != 4 + 4 * h->maxM0 ||
	    h->label_offset < h->offsetData ||
	    h->label_offset - h->offsetData > 4 * DIM_MAX ||
	    (h->label_offset - h->offsetData) % 4 ||
	    h->size_data_per_element != h->label_offset + 8)
		return err_data(e, "+28: offsets that do not fit together: "
		    "corrupt");
	h->dim = (h->label_offset - h->offsetData) / 4;
	if (h->cur_element_count > UINT32_MAX)
		return err_data(e, "+20: %llu elements: corrupt",
		    (unsigned long long)h->cur_element_count);
	if (h->cur_element_count == 0 ? h->maxlevel > LEVEL_MAX :
	    h->maxlevel < 0 || h->maxlevel > LEVEL_MAX ||
	    h->enterpoint_node >= h->cur_element_count)
		return err_data(e, "+52: level %d, entry point %u with %llu "
		    "elements: corrupt", h->maxlevel, h->enterpoint_node,
		    (unsigned long long)h->cur_element_count);
	return 0;
}

/* Remember the first fault, with the file it is in. */
static void
fault(struct err *to, const struct err *why, enum index_file f)
{
	if (to->status)
		return;
	*to = *why;
	err_in(to, index_file_name[f]);
}

static int
read_header(struct index_dir *d, struct err *e)
{
	char bytes[INDEX_HEADER_SIZE + 1];
	struct err why;
	ssize_t n;
	int fd = openat(d->fd, index_file_name[INDEX_HEADER],
	    O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		err_system(&why, "cannot be opened");
		fault(&d->fault, &why, INDEX_HEADER);
		return 0;
	}
	n = file_pread(fd, bytes, sizeof(bytes), 0);
	if (n < 0)
		err_system(e, "%s", index_file_name[INDEX_HEADER]);
	close(fd);
	if (n < 0)
		return -1;
	if (index_header_parse(&d->header, bytes, (size_t)n, &why) < 0)
		fault(&d->fault, &why, INDEX_HEADER);
	else
		d->has_header = true;
	return 0;
}

/* The sizes against what the header says must be there. */
static void
check_sizes(struct index_dir *d)
{
	const struct index_header *h = &d->header;
	uint64_t n = h->cur_element_count, need;
	struct err why;

	if (!num_mul(n, h->size_data_per_element, &need) ||
	    d->size[INDEX_LEVEL0] < need) {
		err_data(&why, "%llu bytes, but %llu elements of %llu bytes: "
		    "truncated", (unsigned long long)d->size[INDEX_LEVEL0],
		    (unsigned long long)n,
		    (unsigned long long)h->size_data_per_element);
		fault(&d->fault, &why, INDEX_LEVEL0);
	}
	if (d->size[INDEX_LENGTH] < 4 * n) {
		err_data(&why, "%llu bytes, but %llu elements: truncated",
		    (unsigned long long)d->size[INDEX_LENGTH],
		    (unsigned long long)n);
		fault(&d->fault, &why, INDEX_LENGTH);
	}
	if (d->size[INDEX_LINKS] < 4 * n) {
		err_data(&why, "%llu bytes, but %llu elements: truncated",
		    (unsigned long long)d->size[INDEX_LINKS],
		    (unsigned long long)n);
		fault(&d->fault, &why, INDEX_LINKS);
	}
}

int
index_open(struct index_dir *d, int dirfd, const char *segment,
    struct err *e)
{
	struct stat st;
	struct err why;
	int i, missing = -1, files = 0;

	*d = (struct index_dir){ .fd = -1 };
	if (!*segment || *segment == '.' || strchr(segment, '/')) {
		err_data(&d->fault, "segment id '%.80s' names no directory",
		    segment);
		return 0;
	}
	d->fd = openat(dirfd, segment, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->fd < 0) {
		if (errno == ENOENT)
			return 0;
		if (errno == ENOTDIR || errno == ELOOP ||
		    errno == ENAMETOOLONG) {
			err_system(&d->fault, "cannot be opened as a "
			    "directory");
			return 0;
		}
		return err_system(e, "%s", segment);
	}
	for (i = 0; i < INDEX_FILES; i++) {
		if (fstatat(d->fd, index_file_name[i], &st, 0) < 0) {
			if (errno != ENOENT) {
				err_system(&why, "cannot be looked at");
				fault(&d->fault, &why, (enum index_file)i);
			} else if (i != INDEX_PICKLE && missing < 0) {
				missing = i;
			}
			continue;
		}
		files++;
		if (!S_ISREG(st.st_mode)) {
			err_data(&why, "not a regular file");
			fault(&d->fault, &why, (enum index_file)i);
			continue;
		}
		d->there[i] = true;
		d->size[i] = (uint64_t)st.st_size;
		d->allocated += (uint64_t)st.st_blocks * 512;
	}
	if (missing >= 0 && files > 0) {
		err_data(&why, "missing: an incomplete copy, or a write that "
		    "failed");
		fault(&d->fault, &why, (enum index_file)missing);
	}
	if (d->there[INDEX_HEADER]) {
		if (read_header(d, e) < 0) {
			index_close(d);
			return err_in(e, segment);
		}
		if (d->has_header)
			check_sizes(d);
	}
	return 0;
}

void
index_close(struct index_dir *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

/* Where the file has its first hole: bytes that were never written, and that
 * may be of any size at no cost to who made them. */
static uint64_t
first_hole(int fd)
{
	off_t hole = lseek(fd, 0, SEEK_HOLE);

	return hole < 0 ? UINT64_MAX : (uint64_t)hole;
}

int
index_pickle(const struct index_dir *d, struct pickle *k, bool want_maps,
    char **bytes, struct err *e)
{
	const char *name = index_file_name[INDEX_PICKLE];
	struct stat st;
	ssize_t n = -1;
	int fd;

	*k = (struct pickle){ 0 };
	*bytes = NULL;
	if (d->fd < 0 || !d->there[INDEX_PICKLE])
		return 0;
	fd = openat(d->fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		err_system(e, "%s", name);
		goto fail;
	}
	if (first_hole(fd) < (uint64_t)st.st_size) {
		err_data(e, "%s: %llu bytes with a hole in them: corrupt",
		    name, (unsigned long long)st.st_size);
		goto fail;
	}
	*bytes = malloc((size_t)st.st_size + 1);
	if (!*bytes) {
		err_nomem(e);
		goto fail;
	}
	n = file_pread(fd, *bytes, (size_t)st.st_size, 0);
	if (n < 0) {
		err_system(e, "%s", name);
		goto fail;
	}
	close(fd);
	if (pickle_read(k, *bytes, (size_t)n, want_maps, e) < 0) {
		free(*bytes);
		*bytes = NULL;
		return err_in(e, name);
	}
	return 1;
fail:
	if (fd >= 0)
		close(fd);
	free(*bytes);
	*bytes = NULL;
	return -1;
}

/* ---- a pass over everything ---- */

/* A file read in pieces, from front to back. */
struct walk {
	int fd;
	uint64_t offset;	/* of the byte behind the buffer */
	char *buf;
	size_t start, end, cap;
};

/* The next n bytes (n at most cap), or NULL: *eof, or errno. */
static const char *
walk_next(struct walk *w, size_t n, bool *eof)
{
	const char *p;
	ssize_t got;

	*eof = false;
	if (w->end - w->start < n) {
		memmove(w->buf, w->buf + w->start, w->end - w->start);
		w->end -= w->start;
		w->start = 0;
		got = file_pread(w->fd, w->buf + w->end, w->cap - w->end,
		    w->offset);
		if (got < 0)
			return NULL;
		w->end += (size_t)got;
		w->offset += (uint64_t)got;
	}
	if (w->end - w->start < n) {
		*eof = true;
		return NULL;
	}
	p = w->buf + w->start;
	w->start += n;
	return p;
}

static int
walk_open(struct walk *w, const struct index_dir *d, enum index_file f,
    size_t cap, struct err *e)
{
	*w = (struct walk){ .fd = -1, .cap = cap };
	w->buf = calloc(1, cap);
	if (!w->buf) {
		err_nomem(e);
		return -1;
	}
	w->fd = openat(d->fd, index_file_name[f], O_RDONLY | O_CLOEXEC);
	if (w->fd < 0) {
		err_system(e, "%s", index_file_name[f]);
		free(w->buf);
		w->buf = NULL;
		return -1;
	}
	return 0;
}

static void
walk_close(struct walk *w)
{
	close(w->fd);
	free(w->buf);
}

/* Whether the links of one element lead to elements that exist. */
static bool
links_ok(const char *p, uint64_t max, uint64_t count, uint64_t self)
{
	uint16_t n = le_u16(p), i;
	uint32_t to;

	if (n > max)
		return false;
	for (i = 0; i < n; i++) {
		to = le_u32(p + 4 + 4 * (size_t)i);
		if (to >= count || to == self)
			return false;
	}
	return true;
}

static int
compare_u64(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

static int
scan_level0(const struct index_dir *d, struct index_scan *s,
    uint64_t *live, size_t *live_n, struct err *e)
{
	const struct index_header *h = &d->header;
	size_t size = (size_t)h->size_data_per_element;
	struct walk w;
	struct err why;
	uint64_t i;
	bool eof;
	int r = 0;

	if (walk_open(&w, d, INDEX_LEVEL0, CHUNK + size, e) < 0)
		return -1;
	for (i = 0; i < h->cur_element_count; i++) {
		const char *p = walk_next(&w, size, &eof);

		if (!p) {
			if (eof) {
				err_data(&why, "ends at element %llu",
				    (unsigned long long)i);
				fault(&s->fault, &why, INDEX_LEVEL0);
			} else {
				r = err_system(e, "data_level0.bin");
			}
			break;
		}
		s->elements++;
		s->bad_links += !links_ok(p, h->maxM0, h->cur_element_count,
		    i);
		if (p[2] & 1)
			s->deleted++;
		else
			live[(*live_n)++] = le_u64(p + h->label_offset);
	}
	walk_close(&w);
	return r;
}

/* An element in a hole was never written.  0, or -1 with *e set. */
static int
check_hole(const struct index_dir *d, struct err *to, struct err *e)
{
	const struct index_header *h = &d->header;
	struct err why;
	uint64_t hole;
	int fd = openat(d->fd, index_file_name[INDEX_LEVEL0],
	    O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_system(e, "%s", index_file_name[INDEX_LEVEL0]);
	hole = first_hole(fd);
	close(fd);
	if (hole < h->cur_element_count * h->size_data_per_element) {
		err_data(&why, "element %llu lies in a hole of the file: never "
		    "written", (unsigned long long)
		    (hole / h->size_data_per_element));
		fault(to, &why, INDEX_LEVEL0);
	}
	return 0;
}

/* link_lists.bin: its records must tile the file exactly. */
static int
scan_links(const struct index_dir *d, struct index_scan *s, struct err *e)
{
	const struct index_header *h = &d->header;
	uint64_t per_level = 4 + 4 * h->maxM, i, used = 0;
	struct walk w;
	struct err why;
	int32_t enter_level = -1;
	bool eof = false;
	int r = 0;

	s->max_level = h->cur_element_count ? 0 : -1;
	if (walk_open(&w, d, INDEX_LINKS, CHUNK + (size_t)per_level, e) < 0)
		return -1;
	for (i = 0; i < h->cur_element_count; i++) {
		const char *p = walk_next(&w, 4, &eof);
		int32_t level;
		uint32_t n;
		bool ok;

		if (!p)
			break;
		n = le_u32(p);
		if (n % per_level || n / per_level > LEVEL_MAX ||
		    n > d->size[INDEX_LINKS] - used - 4) {
			err_data(&why, "+%llu: %u bytes of links for element "
			    "%llu: corrupt", (unsigned long long)used, n,
			    (unsigned long long)i);
			fault(&s->fault, &why, INDEX_LINKS);
			break;
		}
		level = (int32_t)(n / per_level);
		if (level > s->max_level)
			s->max_level = level;
		if (i == h->enterpoint_node)
			enter_level = level;
		for (ok = true; n > 0; n -= (uint32_t)per_level) {
			p = walk_next(&w, (size_t)per_level, &eof);
			if (!p)
				break;
			ok &= links_ok(p, h->maxM, h->cur_element_count, i);
			used += per_level;
		}
		if (n > 0)
			break;
		s->bad_links += !ok;
		used += 4;
	}
	if (i < h->cur_element_count && !s->fault.status) {
		if (eof) {
			err_data(&why, "ends at element %llu of %llu",
			    (unsigned long long)i,
			    (unsigned long long)h->cur_element_count);
			fault(&s->fault, &why, INDEX_LINKS);
		} else {
			r = err_system(e, "link_lists.bin");
		}
	}
	if (r == 0 && !s->fault.status && used != d->size[INDEX_LINKS]) {
		err_data(&why, "%llu bytes, of which %llu are links: grown "
		    "without reason", (unsigned long long)d->size[INDEX_LINKS],
		    (unsigned long long)used);
		fault(&s->fault, &why, INDEX_LINKS);
	}
	if (r == 0 && !s->fault.status && h->cur_element_count > 0 &&
	    (enter_level != h->maxlevel || s->max_level != h->maxlevel)) {
		err_data(&why, "+52: level %d, entry point %u, but that element "
		    "has level %d and the highest is %d: corrupt", h->maxlevel,
		    h->enterpoint_node, enter_level, s->max_level);
		fault(&s->fault, &why, INDEX_HEADER);
	}
	s->links_size = used;
	walk_close(&w);
	return r;
}

/* Labels on one side only, of two sorted lists. */
static void
compare_labels(const uint64_t *a, size_t an, const uint64_t *b, size_t bn,
    uint64_t *only_a, uint64_t *only_b)
{
	size_t i = 0, j = 0;

	while (i < an || j < bn)
		if (j == bn || (i < an && a[i] < b[j])) {
			++*only_a;
			i++;
		} else if (i == an || b[j] < a[i]) {
			++*only_b;
			j++;
		} else {
			i++;
			j++;
		}
}

int
index_scan(const struct index_dir *d, const struct pickle *k,
    struct index_scan *s, struct err *e)
{
	uint64_t n = d->header.cur_element_count, *live, *named;
	size_t live_n = 0, i;
	int r = -1;

	*s = (struct index_scan){ .max_level = -1 };
	if (!d->has_header || d->fault.status) {
		s->fault = d->fault;
		return 0;
	}
	if (check_hole(d, &s->fault, e) < 0)
		return -1;
	if (s->fault.status)
		return 0;
	/* so that many elements are really on disk */
	live = malloc((size_t)(n + 1) * sizeof(*live));
	named = malloc((k->id_to_label.n + 1) * sizeof(*named));
	if (!live || !named) {
		err_nomem(e);
		goto out;
	}
	if (scan_level0(d, s, live, &live_n, e) < 0 ||
	    scan_links(d, s, e) < 0)
		goto out;
	for (i = 0; i < k->id_to_label.n; i++)
		named[i] = (uint64_t)k->id_to_label.pair[i].number;
	qsort(live, live_n, sizeof(*live), compare_u64);
	qsort(named, i, sizeof(*named), compare_u64);
	compare_labels(live, live_n, named, i, &s->orphan_labels,
	    &s->missing_labels);
	r = 0;
out:
	free(live);
	free(named);
	return r;
}
