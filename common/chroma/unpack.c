/* SPDX-License-Identifier: Apache-2.0 */
/* unpack.c - a snapshot, whoever sent it, unpacked and checked. */
#include "chroma/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/num.h"
#include "base/uuid.h"
#include "chroma/accord.h"
#include "chroma/chops.h"
#include "chroma/elements.h"
#include "chroma/persist.h"
#include "chroma/safeschema.h"
#include "stream/tar.h"

#define PIECE ((size_t)1 << 20)
#define CHOPS_FILE "snapshot.sqlite3"	/* as long as it is read */

/* What a file may have in holes, which cost whoever made them nothing: this
 * much, or so many times what is stored of it. */
#define HOLES_MAX ((uint64_t)1 << 30)
#define HOLES_TIMES 64

enum kind { KIND_DATABASE, KIND_INDEX, KIND_MANIFEST };

/* A stream that is being read. */
struct job {
	struct unpack *u;
	struct in *in;
	struct tar_reader t;
	bool write;			/* else only look at it */
	bool has_manifest;
	struct manifest seen;		/* its members, as they came */
	char segment[UUID_LEN + 1];	/* of the last one; "": of none */
	enum index_file file;		/* which of that */
	int segfd;			/* its directory, or -1 */
	char head[INDEX_HEADER_SIZE + 1];	/* of its header.bin */
	size_t head_n;
	bool has_header;
	struct index_header header;
	/* write: as soon as the database is there */
	struct persist pd;
	struct catalog catalog;
};

static unsigned long long
ull(uint64_t v)
{
	return v;
}

/* Something is wrong with the present member. */
static int
bad(const struct job *j, const char *why, struct err *e)
{
	return err_data(e, "%s: %s", j->t.m.name, why);
}

/* ---- names, and their order ---- */

/* UUID/FILE: its segment, in lower case, and which of the five it is. */
static bool
index_member(const char *name, char segment[UUID_LEN + 1],
    enum index_file *file)
{
	int i, k;

	if (strlen(name) <= UUID_LEN || name[UUID_LEN] != '/' ||
	    !uuid_is(slice_of(name, UUID_LEN)))
		return false;
	for (i = 0; i < UUID_LEN; i++)
		if (name[i] >= 'A' && name[i] <= 'F')
			return false;
	for (k = 0; k < INDEX_FILES; k++)
		if (strcmp(name + UUID_LEN + 1, index_file_name[k]) == 0) {
			memcpy(segment, name, UUID_LEN);
			segment[UUID_LEN] = '\0';
			*file = (enum index_file)k;
			return true;
		}
	return false;
}

/* A file of an index: of the same segment as the one before, and behind it, or
 * the first of another segment. */
static int
begin_index(struct job *j, const char *segment, enum index_file file,
    struct err *e)
{
	const struct collection *col;

	if (strcmp(segment, j->segment) == 0) {
		if (file <= j->file)
			return bad(j, file == j->file ? "stands twice" :
			    "out of its order", e);
		j->file = file;
		return 0;
	}
	if (j->segfd >= 0)
		close(j->segfd);
	j->segfd = -1;
	j->has_header = false;
	memcpy(j->segment, segment, sizeof(j->segment));
	j->file = file;
	if (!j->write)
		return 0;
	col = catalog_of_segment(&j->catalog, slice_str(segment));
	if (!col || !col->vector_segment ||
	    strcmp(col->vector_segment, segment) != 0)
		return bad(j, "of no VECTOR segment in the database", e);
	if (mkdirat(j->u->fd, segment, 0777) < 0)
		return errno == EEXIST ? bad(j, "its segment stands twice",
		    e) : err_system(e, "%s/%s", err_tail(j->u->dir), segment);
	j->segfd = openat(j->u->fd, segment, O_RDONLY | O_DIRECTORY |
	    O_NOFOLLOW | O_CLOEXEC);
	return j->segfd < 0 ? err_system(e, "%s/%s", err_tail(j->u->dir),
	    segment) : 0;
}

/* What the present member is, and whether it may stand here. */
static int
begin_member(struct job *j, enum kind *kind, struct err *e)
{
	const char *name = j->t.m.name;
	char segment[UUID_LEN + 1];
	enum index_file file;

	if (j->has_manifest)
		return bad(j, "stands behind " MANIFEST_FILE, e);
	if (j->seen.members >= UNPACK_MEMBERS_MAX)
		return bad(j, "too many members", e);
	if (strcmp(name, PERSIST_FILE) == 0) {
		*kind = KIND_DATABASE;
		return j->seen.members ? bad(j, "stands twice", e) : 0;
	}
	*kind = KIND_MANIFEST;
	if (strcmp(name, MANIFEST_FILE) != 0) {
		*kind = KIND_INDEX;
		if (!index_member(name, segment, &file))
			return bad(j, "not a file of a snapshot", e);
	}
	if (j->seen.members == 0)
		return bad(j, "stands before " PERSIST_FILE, e);
	return *kind == KIND_INDEX ? begin_index(j, segment, file, e) : 0;
}

/* ---- sizes ---- */

/* Holes that are larger than anything has a use for. */
static int
check_holes(const struct job *j, enum kind kind, struct err *e)
{
	const struct tar_member *m = &j->t.m;
	const struct index_header *h = &j->header;
	uint64_t elements, most;

	if (!m->sparse)
		return 0;
	if (m->size > m->stored && m->size - m->stored > HOLES_MAX &&
	    m->size / HOLES_TIMES > m->stored)
		return err_data(e, "%s: %llu bytes, of which %llu are stored: "
		    "the rest is holes", m->name, ull(m->size),
		    ull(m->stored));
	if (kind != KIND_INDEX || !j->has_header ||
	    (j->file != INDEX_LEVEL0 && j->file != INDEX_LENGTH))
		return 0;
	elements = h->max_elements > h->cur_element_count ? h->max_elements :
	    h->cur_element_count;
	if (!num_mul(elements, j->file == INDEX_LENGTH ? 4 :
	    h->size_data_per_element, &most))
		most = UINT64_MAX;
	return m->size <= most ? 0 : err_data(e, "%s: %llu bytes with holes, "
	    "but header.bin has room for %llu elements", m->name,
	    ull(m->size), ull(elements));
}

static int
check_room(const struct job *j, const char *what, uint64_t need,
    struct err *e)
{
	uint64_t have;

	if (!j->write)
		return 0;
	if (file_room(j->u->dir, &have, e) < 0)
		return -1;
	return need <= have ? 0 : err_fail(e, "%s needs %llu bytes in %s, "
	    "which has %llu", what, ull(need), err_tail(j->u->dir),
	    ull(have));
}

/* ---- the bytes ---- */

static void
tell(const struct job *j)
{
	if (j->u->progress)
		j->u->progress(j->u->arg, j->in->offset);
}

static void
keep_head(struct job *j, const char *p, size_t n, uint64_t offset)
{
	if (offset != j->head_n || j->head_n == sizeof(j->head))
		return;
	if (n > sizeof(j->head) - j->head_n)
		n = sizeof(j->head) - j->head_n;
	memcpy(j->head + j->head_n, p, n);
	j->head_n += n;
}

/* All of the member into the file fd; -1: nowhere. */
static int
copy(struct job *j, int fd, struct err *e)
{
	uint64_t offset, at = 0;
	const char *p;
	ptrdiff_t n;

	j->head_n = 0;
	while ((n = tar_read(&j->t, &p, &offset, e)) > 0) {
		keep_head(j, p, (size_t)n, offset);
		tell(j);
		if (fd < 0)
			continue;
		if ((offset != at && lseek(fd, (off_t)offset, SEEK_SET) < 0) ||
		    file_write(fd, p, (size_t)n) < 0)
			return err_system(e, "%s/%s", err_tail(j->u->dir),
			    j->t.m.name);
		at = offset + (uint64_t)n;
	}
	return (int)n;
}

/* The member as a new file in dirfd, or only read. */
static int
extract(struct job *j, int dirfd, const char *name, struct err *e)
{
	const struct tar_member *m = &j->t.m;
	int fd, r;

	if (!j->write)
		return copy(j, -1, e);
	fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0666);
	if (fd < 0)
		return err_system(e, "%s/%s", err_tail(j->u->dir), m->name);
	/* a hole at its end, too; and a size that no file can have is said
	 * now */
	r = m->sparse && ftruncate(fd, (off_t)m->size) < 0 ? err_system(e,
	    "%s/%s", err_tail(j->u->dir), m->name) : copy(j, fd, e);
	if (close(fd) < 0 && r == 0)
		r = err_system(e, "%s/%s", err_tail(j->u->dir), m->name);
	return r;
}

static int
remember(struct job *j, struct err *e)
{
	struct manifest_member *f = manifest_add_member(&j->seen);

	if (!f)
		return err_nomem(e);
	f->name = arena_copy(&j->seen.arena, j->t.m.name,
	    strlen(j->t.m.name));
	f->size = j->t.m.size;
	f->stored = j->t.m.stored;
	f->crc = j->t.crc;
	j->u->bytes += f->size;
	return f->name ? 0 : err_nomem(e);
}

/* ---- the database ---- */

static int
open_database(struct job *j, bool trusted, struct err *e)
{
	size_t n = strlen(j->u->dir) + sizeof("/" PERSIST_FILE);
	char *path = malloc(n);
	int r;

	if (!path)
		return err_nomem(e);
	snprintf(path, n, "%s/%s", j->u->dir, PERSIST_FILE);
	j->pd.dir = j->u->dir;		/* borrowed, as the next */
	j->pd.dirfd = j->u->fd;
	r = db_open(&j->pd.db, path, PERSIST_FILE, DB_UNTRUSTED, 0, e);
	free(path);
	if (r == 0 && !trusted)
		r = safeschema_check(&j->pd.db, e);
	return r < 0 || catalog_load_tables(&j->catalog, &j->pd.db, e) < 0 ?
	    -1 : 0;
}

/* All of it is there: what the database says of it, and the manifest. */
static int
check_accord(struct job *j, struct err *e)
{
	struct catalog c;
	int r;

	if (catalog_load(&c, &j->pd, e) < 0)
		return -1;
	r = accord_check(&j->u->manifest, &c, &j->pd.db, e);
	catalog_release(&c);
	return r < 0 ? err_in(e, PERSIST_FILE) : 0;
}

/* ---- the manifest ---- */

static int
read_manifest(struct job *j, struct err *e)
{
	struct buf text = { 0 };
	uint64_t offset;
	const char *p;
	ptrdiff_t n;
	int r = -1;

	if (j->t.m.sparse || j->t.m.size > MANIFEST_MAX)
		return bad(j, j->t.m.sparse ? "has holes" : "too large", e);
	while ((n = tar_read(&j->t, &p, &offset, e)) > 0) {
		buf_add(&text, p, (size_t)n);
		tell(j);
	}
	if (n == 0 && !buf_ok(&text))
		err_nomem(e);
	else if (n == 0) {
		r = manifest_read(&j->u->manifest, buf_slice(&text), e);
		if (r < 0 && e->status == STATUS_DATA)
			err_in(e, MANIFEST_FILE);
	}
	buf_release(&text);
	j->has_manifest = true;
	return r;
}

static int
compare_member(const struct manifest_member *said,
    const struct manifest_member *is, struct err *e)
{
	if (strcmp(said->name, is->name) != 0)
		return err_data(e, "%s: " MANIFEST_FILE " has %.80s in its "
		    "place", is->name, said->name);
	if (said->size != is->size || said->stored != is->stored)
		return err_data(e, "%s: %llu bytes, %llu of them stored, but "
		    MANIFEST_FILE " says %llu, %llu", is->name, ull(is->size),
		    ull(is->stored), ull(said->size), ull(said->stored));
	return said->crc == is->crc ? 0 : err_data(e, "%s: its checksum is "
	    "%08x, but " MANIFEST_FILE " says %08x: damaged", is->name,
	    is->crc, said->crc);
}

/* The files of one segment. */
struct total {
	char segment[UUID_LEN + 1];
	uint64_t bytes;
	bool met;		/* a collection has it */
};

static int
compare_totals(const void *a, const void *b)
{
	const struct total *x = a, *y = b;

	return strcmp(x->segment, y->segment);
}

/* The members of indexes, summed up by segment, sorted.  Their number. */
static size_t
sum_up(const struct manifest *m, struct total *total)
{
	char segment[UUID_LEN + 1];
	enum index_file file;
	size_t i, n = 0;

	for (i = 0; i < m->members; i++) {
		if (!index_member(m->member[i].name, segment, &file))
			continue;
		if (n == 0 || strcmp(total[n - 1].segment, segment) != 0) {
			total[n] = (struct total){ .bytes = 0 };
			memcpy(total[n++].segment, segment, sizeof(segment));
		}
		total[n - 1].bytes += m->member[i].size;
	}
	qsort(total, n, sizeof(*total), compare_totals);
	return n;
}

static int
match_totals(const struct manifest *m, struct total *total, size_t n,
    struct err *e)
{
	const struct manifest_collection *c;
	struct total key, *t;
	uint64_t bytes;
	size_t i;

	for (i = 1; i < n; i++)
		if (compare_totals(&total[i - 1], &total[i]) == 0)
			return err_data(e, "%s: its segment stands twice",
			    total[i].segment);
	for (i = 0; i < m->collections; i++) {
		c = &m->collection[i];
		t = NULL;
		if (c->vector_segment && strlen(c->vector_segment) ==
		    UUID_LEN && n > 0) {
			memcpy(key.segment, c->vector_segment, UUID_LEN + 1);
			t = bsearch(&key, total, n, sizeof(*total),
			    compare_totals);
		}
		bytes = t ? t->bytes : 0;
		if ((t && t->met) || bytes != c->index_bytes)
			return err_data(e, MANIFEST_FILE ": collection "
			    "%.40s: %s", c->id, t && t->met ? "its segment is "
			    "of another one, too" : "\"index_bytes\" are not "
			    "those of its files");
		if (t)
			t->met = true;
	}
	for (i = 0; i < n; i++)
		if (!total[i].met)
			return err_data(e, "%s: of no collection in "
			    MANIFEST_FILE, total[i].segment);
	return 0;
}

/* That the members are those of the manifest, and each of a collection. */
static int
check_members(const struct job *j, struct err *e)
{
	const struct manifest *m = &j->u->manifest;
	struct total *total;
	size_t i;
	int r;

	for (i = 0; i < m->members && i < j->seen.members; i++)
		if (compare_member(&m->member[i], &j->seen.member[i], e) < 0)
			return -1;
	if (m->members != j->seen.members)
		return m->members > i ? err_data(e, "%.80s: in "
		    MANIFEST_FILE ", but not in the snapshot",
		    m->member[i].name) : err_data(e, "%s: not in "
		    MANIFEST_FILE, j->seen.member[i].name);
	total = calloc(m->members + 1, sizeof(*total));
	if (!total)
		return err_nomem(e);
	r = match_totals(m, total, sum_up(m, total), e);
	free(total);
	return r;
}

/* ---- the stream ---- */

static int
one_member(struct job *j, struct err *e)
{
	enum kind kind = KIND_MANIFEST;

	if (begin_member(j, &kind, e) < 0)
		return -1;
	if (kind == KIND_MANIFEST)
		return read_manifest(j, e);
	if (check_holes(j, kind, e) < 0 ||
	    check_room(j, j->t.m.name, j->t.m.stored, e) < 0)
		return -1;
	if (kind == KIND_DATABASE)
		return extract(j, j->u->fd, PERSIST_FILE, e) < 0 ||
		    remember(j, e) < 0 ||
		    (j->write && open_database(j, false, e) < 0) ? -1 : 0;
	if (extract(j, j->segfd, index_file_name[j->file], e) < 0 ||
	    remember(j, e) < 0)
		return -1;
	if (j->file == INDEX_HEADER) {
		struct err ignored;	/* unpack_check_indexes() says it */

		j->has_header = index_header_parse(&j->header, j->head,
		    j->head_n, &ignored) == 0;
	}
	return 0;
}

static int
read_tar(struct job *j, struct err *e)
{
	int r;

	tar_reader_init(&j->t, j->in);
	while ((r = tar_next(&j->t, e)) > 0)
		if (one_member(j, e) < 0)
			return -1;
	if (r < 0)
		return -1;
	if (!j->has_manifest)
		return err_data(e, "%s is missing: not a whole snapshot",
		    j->seen.members ? MANIFEST_FILE : PERSIST_FILE);
	if (check_members(j, e) < 0)
		return -1;
	return j->write ? check_accord(j, e) : 0;
}

/* How long a SQLite file says that it is (sqlite.org/fileformat2.html, "The
 * Database Header"). */
static uint64_t
sqlite_size(const uint8_t *head)
{
	uint64_t page = (uint64_t)head[16] << 8 | head[17], pages = 0;
	int i;

	for (i = 28; i < 32; i++)
		pages = pages << 8 | head[i];
	return (page == 1 ? 65536 : page) * pages;
}

/* The stream, to its end, so many bytes, into a file; -1: nowhere. */
static int
spool(struct job *j, int fd, uint64_t want, struct err *e)
{
	uint64_t bytes = 0;
	const char *p;
	ptrdiff_t n;

	while ((n = in_peek(j->in, PIECE, &p, e)) > 0) {
		bytes += (uint64_t)n;
		if (bytes > want)
			break;
		if (fd >= 0 && file_write(fd, p, (size_t)n) < 0)
			return err_system(e, "%s/%s", err_tail(j->u->dir),
			    CHOPS_FILE);
		in_skip(j->in, (size_t)n);
		tell(j);
	}
	return n < 0 ? -1 : bytes == want ? 0 : err_data(e, bytes < want ?
	    "%llu bytes, but its first page says %llu: truncated" :
	    "%llu bytes or more, but its first page says %llu", ull(bytes),
	    ull(want));
}

static int
read_chops(struct job *j, uint64_t want, struct err *e)
{
	struct unpack *u = j->u;
	size_t i, n = strlen(u->dir) + sizeof("/" CHOPS_FILE);
	char *path;
	int fd, r;

	if (check_room(j, "a copy of the snapshot", want, e) < 0)
		return -1;
	path = malloc(n);

	if (!path)
		return err_nomem(e);
	snprintf(path, n, "%s/%s", u->dir, CHOPS_FILE);
	fd = openat(u->fd, CHOPS_FILE, O_WRONLY | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0600);
	r = fd < 0 ? err_system(e, "%s", err_tail(path)) :
	    spool(j, fd, want, e);
	if (fd >= 0 && close(fd) < 0 && r == 0)
		r = err_system(e, "%s", err_tail(path));
	if (r == 0)
		r = chops_unpack(path, u->dir, u->space, &u->manifest, e);
	if (fd >= 0)
		unlinkat(u->fd, CHOPS_FILE, 0);
	free(path);
	for (i = 0; i < u->manifest.members; i++)
		u->bytes += u->manifest.member[i].size;
	if (r < 0 || open_database(j, true, e) < 0)
		return -1;
	return check_accord(j, e);
}

static int
read_stream(struct job *j, struct err *e)
{
	uint8_t head[32];
	const char *p;
	ptrdiff_t n = in_peek(j->in, sizeof(head), &p, e);

	if (n < 0)
		return -1;
	if (n < (ptrdiff_t)sizeof(head))
		return err_data(e, "%td bytes: not a snapshot", n);
	memcpy(head, p, sizeof(head));
	j->u->chops = chops_is(head, sizeof(head));
	if (!j->u->chops && j->u->space)
		return err_usage(e, "--space: only for a snapshot of chops "
		    "that does not say its own; chroma-rebuild changes that of "
		    "a collection");
	if (!j->u->chops)
		return read_tar(j, e);
	if (j->write)
		return read_chops(j, sqlite_size(head), e);
	j->u->bytes = sqlite_size(head);
	return spool(j, -1, j->u->bytes, e);
}

/* Put the stream's name in front, once. */
static int
named(const struct in *in, struct err *e)
{
	size_t n = strlen(in->name);

	if (e->status != STATUS_DATA || (strncmp(e->msg, in->name, n) == 0 &&
	    e->msg[n] == ':'))
		return -1;
	return err_in(e, in->name);
}

static int
run(struct unpack *u, struct in *in, bool write, struct err *e)
{
	struct job j = { .u = u, .in = in, .write = write, .segfd = -1,
	    .pd.dirfd = -1 };
	int r = read_stream(&j, e);

	if (r < 0)
		named(in, e);
	tar_reader_release(&j.t);
	if (j.segfd >= 0)
		close(j.segfd);
	manifest_release(&j.seen);
	catalog_release(&j.catalog);
	db_close(&j.pd.db);
	return r;
}

int
unpack_read(struct unpack *u, struct in *in, const char *dir, struct err *e)
{
	u->dir = strdup(dir);
	if (!u->dir) {
		u->fd = -1;
		return err_nomem(e);
	}
	u->fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (u->fd < 0)
		return err_system(e, "%s", err_tail(dir));
	return run(u, in, true, e);
}

int
unpack_skim(struct unpack *u, struct in *in, struct err *e)
{
	u->fd = -1;
	return run(u, in, false, e);
}

int
unpack_check_indexes(const struct unpack *u, const struct catalog *c,
    const struct collection **col, struct err *fault, struct err *e)
{
	struct elements el;
	size_t i;

	*fault = (struct err){ 0 };
	for (i = 0; i < c->n; i++) {
		*col = &c->collection[i];
		if (!(*col)->selected || !(*col)->vector_segment)
			continue;
		if (elements_open(&el, u->fd, (*col)->vector_segment,
		    (*col)->dimension, (*col)->params.space, false, e) < 0)
			return -1;
		if (!index_unused(&el.dir) ||
		    (*col)->vector.source != WATERMARK_NONE)
			*fault = el.found.fault;
		elements_close(&el);
		if (fault->status)
			return 0;
	}
	*col = NULL;
	return 0;
}

void
unpack_release(struct unpack *u)
{
	if (u->dir && u->fd >= 0)
		close(u->fd);
	free(u->dir);
	manifest_release(&u->manifest);
	u->dir = NULL;
	u->fd = -1;
}
