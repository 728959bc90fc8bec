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

#define DIM_MAX ((uint64_t)INDEX_DIM_MAX)
#define M_MAX ((uint64_t)1 << 16)	/* link counts are 16 bits */
#define LEVEL_MAX 64

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
	struct err why = { 0 };
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
	struct err why = { 0 };

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

bool
index_names_dir(const char *segment)
{
	return *segment && strcmp(segment, ".") != 0 &&
	    strcmp(segment, "..") != 0 && !strchr(segment, '/');
}

int
index_find(int dirfd, const char *segment, struct err *e)
{
	int fd;

	if (!index_names_dir(segment))
		return INDEX_ABSENT;
	fd = openat(dirfd, segment, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ||
	    errno == ENAMETOOLONG ? INDEX_ABSENT : err_system(e, "%s", segment);
}

int
index_open(struct index_dir *d, int dirfd, const char *segment,
    struct err *e)
{
	struct stat st;
	struct err why = { 0 };
	int i, missing = -1, files = 0;

	*d = (struct index_dir){ .fd = -1 };
	if (!index_names_dir(segment)) {
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

bool
index_unused(const struct index_dir *d)
{
	return !d->there[INDEX_PICKLE] && d->has_header &&
	    d->header.cur_element_count == 0;
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
		*k = (struct pickle){ 0 };	/* not what it had counted */
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

void
index_stamp(struct index_stamp *s, int dirfd, const char *segment)
{
	int fd = !index_names_dir(segment) ? -1 : openat(dirfd, segment,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int i;

	*s = (struct index_stamp){ 0 };
	if (fd < 0)
		return;
	for (i = 0; i < INDEX_FILES; i++)
		if (fstatat(fd, index_file_name[i], &st, 0) == 0)
			s->file[i] = (struct index_stamp_file){ st.st_dev,
			    st.st_ino, (uint64_t)st.st_size,
			    st.st_mtim.tv_sec, st.st_mtim.tv_nsec };
	close(fd);
}

bool
index_stamp_same(const struct index_stamp *a, const struct index_stamp *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}
