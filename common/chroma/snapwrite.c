/* SPDX-License-Identifier: Apache-2.0 */
/* snapwrite.c - collections of a persist dir, written as a snapshot stream. */
#include "chroma/snapwrite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "chroma/index.h"
#include "stream/tar.h"

#define CARVED "carved.sqlite3"

static void
tell(const struct snapwrite *s)
{
	if (s->progress)
		s->progress(s->bytes);
}

/* ---- the database ---- */

/* The new file looks like the old one; an owner that cannot be given is left. */
static int
dress(const struct snapwrite *s, int fd, struct err *e)
{
	const struct timespec times[] = { s->pd->st.st_mtim,
	    s->pd->st.st_mtim };

	if (fchown(fd, s->pd->st.st_uid, s->pd->st.st_gid) < 0 &&
	    errno != EPERM)
		return err_system(e, "fchown");
	if (fchmod(fd, s->pd->st.st_mode & 0777) < 0 || futimens(fd, times) < 0)
		return err_system(e, "fchmod");
	return 0;
}

/* Carve it into dir/name.  Its descriptor, or -1 with *e set. */
static int
carve(struct snapwrite *s, const struct dirnew *dir, const char *name,
    struct err *e)
{
	char *at = dirnew_path(dir), *path = NULL;
	int fd, r;

	if (!at || asprintf(&path, "%s/%s", at, name) < 0) {
		free(at);
		return err_nomem(e);
	}
	fd = openat(dir->fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	r = fd < 0 ? err_system(e, "%s", err_tail(path)) :
	    carve_write(s->carve, path, &s->manifest, e);
	free(at);
	free(path);
	if (r == 0 && s->carved)
		s->carved(s->arg);
	if (r == 0)
		r = dress(s, fd, e);
	if (r < 0 && fd >= 0)
		close(fd);
	return r < 0 ? -1 : fd;
}

/* ---- the stream ---- */

static int
note_member(struct snapwrite *s, const struct tar_member *m, uint32_t crc,
    struct err *e)
{
	struct manifest_member *mm = manifest_add_member(&s->manifest);

	if (!mm)
		return err_nomem(e);
	mm->name = arena_copy(&s->manifest.arena, m->name, strlen(m->name));
	mm->size = m->size;
	mm->stored = m->stored;
	mm->crc = crc;
	s->bytes += m->stored;
	tell(s);
	return mm->name ? 0 : err_nomem(e);
}

static int
put_file(struct snapwrite *s, struct tar_writer *t, const char *name, int fd,
    struct err *e)
{
	struct tar_member m;

	return tar_file(t, name, fd, name, &m, e) < 0 ? -1 :
	    note_member(s, &m, t->crc, e);
}

static int
put_database(struct snapwrite *s, struct tar_writer *t, struct err *e)
{
	int fd = carve(s, s->scratch, CARVED, e), r;

	if (fd < 0)
		return -1;
	/* nothing else needs its name */
	unlinkat(s->scratch->fd, CARVED, 0);
	r = put_file(s, t, PERSIST_FILE, fd, e);
	close(fd);
	return r;
}

/* -2: it is not there.  What is called like an index file but is none ends all:
 * Chroma cannot read it either. */
static int
open_index_file(int dirfd, const char *name, struct stat *st, struct err *e)
{
	int fd = openat(dirfd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? -2 : err_system(e, "%s", name);
	if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode)) {
		close(fd);
		return err_data(e, "%s is not a regular file", name);
	}
	return fd;
}

static int
put_index(struct snapwrite *s, struct tar_writer *t, const char *segment,
    int dirfd, uint64_t *bytes, struct err *e)
{
	char name[TAR_NAME_MAX + 1];
	struct stat st;
	int i, r = 0;

	for (i = 0; r == 0 && i < INDEX_FILES; i++) {
		int fd = open_index_file(dirfd, index_file_name[i], &st, e);

		if (fd == -2)
			continue;
		if (fd < 0)
			return err_in(e, segment);
		snprintf(name, sizeof(name), "%s/%s", segment,
		    index_file_name[i]);
		r = put_file(s, t, name, fd, e);
		*bytes += (uint64_t)st.st_size;
		close(fd);
	}
	return r;
}

/* The directory of a collection's index: see index_find(). */
static int
index_dir(const struct snapwrite *s, const struct collection *c,
    struct err *e)
{
	return c->selected && c->vector_segment ?
	    index_find(s->pd->dirfd, c->vector_segment, e) : INDEX_ABSENT;
}

static int
put_indexes(struct snapwrite *s, struct tar_writer *t, struct err *e)
{
	size_t i, n = 0;

	for (i = 0; i < s->catalog->n; i++) {
		const struct collection *c = &s->catalog->collection[i];
		int dirfd, r;

		if (!c->selected)
			continue;
		dirfd = index_dir(s, c, e);
		n++;
		if (dirfd == INDEX_ABSENT)
			continue;
		if (dirfd < 0)
			return -1;
		r = put_index(s, t, c->vector_segment, dirfd,
		    &s->manifest.collection[n - 1].index_bytes, e);
		close(dirfd);
		if (r < 0)
			return -1;
	}
	return 0;
}

static int
put_manifest(struct snapwrite *s, struct tar_writer *t,
    const struct stat *like, struct err *e)
{
	struct tar_member m = { .name = MANIFEST_FILE, .mode = 0644,
	    .uid = like->st_uid, .gid = like->st_gid };
	struct buf text = { 0 };
	char at[32];
	struct tm tm;
	time_t now = time(NULL);
	int r;

	if (!gmtime_r(&now, &tm) || strftime(at, sizeof(at),
	    "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return err_fail(e, "the time of day is none");
	s->manifest.created_at = at;
	manifest_write(&s->manifest, &text);
	s->manifest.created_at = NULL;
	m.size = text.len;
	m.mtime = now;
	r = !buf_ok(&text) ? err_nomem(e) : tar_begin(t, &m, e);
	if (r == 0)
		r = tar_data(t, text.p, text.len, e);
	buf_release(&text);
	return r;
}

int
snapwrite(struct snapwrite *s, struct out *out, struct err *e)
{
	const struct stat like = s->pd->st;
	struct tar_writer t;

	tar_writer_init(&t, out);
	return put_database(s, &t, e) < 0 || put_indexes(s, &t, e) < 0 ||
	    (s->check && s->check(s->arg, e) < 0) ||
	    put_manifest(s, &t, &like, e) < 0 ? -1 : tar_end(&t, e);
}

/* ---- a directory ---- */

static int
copy_file(struct snapwrite *s, int fromdir, int todir, const char *name,
    uint64_t *bytes, struct err *e)
{
	struct stat st;
	int from = open_index_file(fromdir, name, &st, e), to, r = 0;

	if (from == -2)
		return 0;
	if (from < 0)
		return -1;
	to = openat(todir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (to < 0 || file_copy(from, to) < 0)
		r = err_system(e, "copying %s", name);
	if (r == 0)
		r = file_like(to, from, e);
	*bytes += (uint64_t)st.st_size;
	s->bytes += (uint64_t)st.st_size;
	tell(s);
	close(from);
	if (to >= 0)
		close(to);
	return r;
}

static int
copy_index(struct snapwrite *s, int dirfd, const struct dirnew *to,
    const char *segment, uint64_t *bytes, struct err *e)
{
	int todir = -1, i, r = 0;

	if (mkdirat(to->fd, segment, 0777) == 0)
		todir = openat(to->fd, segment, O_RDONLY | O_DIRECTORY |
		    O_CLOEXEC);
	if (todir < 0)
		return err_system(e, "%s", segment);
	for (i = 0; r == 0 && i < INDEX_FILES; i++)
		r = copy_file(s, dirfd, todir, index_file_name[i], bytes, e);
	if (r == 0)
		r = file_like(todir, dirfd, e);
	close(todir);
	return r;
}

int
snapwrite_dir(struct snapwrite *s, const struct dirnew *to, struct err *e)
{
	int fd = carve(s, to, PERSIST_FILE, e), r = 0;
	struct stat st;
	size_t i, n = 0;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0)
		s->bytes += (uint64_t)st.st_size;
	close(fd);
	for (i = 0; r == 0 && i < s->catalog->n; i++) {
		const struct collection *c = &s->catalog->collection[i];

		if (!c->selected)
			continue;
		fd = index_dir(s, c, e);
		n++;
		if (fd == INDEX_ABSENT)
			continue;
		r = fd < 0 ? -1 : copy_index(s, fd, to, c->vector_segment,
		    &s->manifest.collection[n - 1].index_bytes, e);
		if (fd >= 0)
			close(fd);
	}
	return r < 0 ? -1 : s->check ? s->check(s->arg, e) : 0;
}

/* ---- a plan ---- */

int
snapwrite_plan(struct snapwrite *s, struct err *e)
{
	int fd = carve(s, s->scratch, CARVED, e), f;
	struct index_stamp files;
	struct stat st;
	size_t i, n = 0;

	if (fd < 0)
		return -1;
	unlinkat(s->scratch->fd, CARVED, 0);
	if (fstat(fd, &st) == 0)
		s->bytes += (uint64_t)st.st_size;
	close(fd);
	for (i = 0; i < s->catalog->n; i++) {
		const struct collection *c = &s->catalog->collection[i];
		uint64_t *bytes;

		if (!c->selected)
			continue;
		bytes = &s->manifest.collection[n++].index_bytes;
		if (!c->vector_segment)
			continue;
		index_stamp(&files, s->pd->dirfd, c->vector_segment);
		for (f = 0; f < INDEX_FILES; f++)
			if (files.file[f].ino)
				*bytes += files.file[f].size;
		s->bytes += *bytes;
	}
	return s->check ? s->check(s->arg, e) : 0;
}

void
snapwrite_end(struct snapwrite *s)
{
	manifest_release(&s->manifest);
}
