/* SPDX-License-Identifier: Apache-2.0 */
/* still.c - a persist dir of one moment. */
#include "chroma/still.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "chroma/holders.h"

/* A file that was written less than this ago may be written again without its
 * time changing: the clock of file systems goes in steps of some milliseconds. */
#define YOUNG_MS 50
#define PAUSE_MS 20
#define SCRATCH "chroma-snap"

static void
pause_ms(int ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

/* ---- index files ---- */

static bool
young(const struct index_stamp *s, const struct timespec *now)
{
	int i;

	for (i = 0; i < INDEX_FILES; i++) {
		int64_t age = (now->tv_sec - s->file[i].mtime_s) * 1000 +
		    (now->tv_nsec - s->file[i].mtime_ns) / 1000000;

		if (s->file[i].ino && age >= 0 && age < YOUNG_MS)
			return true;
	}
	return false;
}

/* What the index files of the selected collections look like, of a moment when
 * none has just been written. */
static void
look(const struct catalog *c, int dirfd, struct index_stamp *stamp)
{
	struct timespec now;
	bool again = true;
	int tries;
	size_t i;

	for (tries = 0; again && tries < 10; tries++) {
		again = false;
		clock_gettime(CLOCK_REALTIME, &now);
		for (i = 0; i < c->n; i++) {
			if (!c->collection[i].selected ||
			    !c->collection[i].vector_segment)
				continue;
			index_stamp(&stamp[i], dirfd,
			    c->collection[i].vector_segment);
			again |= young(&stamp[i], &now);
		}
		if (again)
			pause_ms(YOUNG_MS);
	}
}

static bool
unmoved(const struct catalog *c, int dirfd, const struct index_stamp *stamp)
{
	struct index_stamp now;
	size_t i;

	for (i = 0; i < c->n; i++) {
		if (!c->collection[i].selected ||
		    !c->collection[i].vector_segment)
			continue;
		index_stamp(&now, dirfd, c->collection[i].vector_segment);
		if (!index_stamp_same(&now, &stamp[i]))
			return false;
	}
	return true;
}

static uint64_t
index_bytes(const struct catalog *c, const struct index_stamp *stamp)
{
	uint64_t n = 0;
	size_t i;
	int f;

	for (i = 0; i < c->n; i++)
		for (f = 0; f < INDEX_FILES; f++)
			if (stamp[i].file[f].ino)
				n += stamp[i].file[f].size;
	return n;
}

/* (Symbolic links are followed, as Chroma follows them.) */
static int
copy_file(int fromdir, int todir, const char *name, struct err *e)
{
	int from = openat(fromdir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int to, r = 0;
	struct stat st;

	if (from < 0)
		return errno == ENOENT ? 0 : err_system(e, "%s", name);
	if (fstat(from, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(from);
		return err_data(e, "%s is not a regular file", name);
	}
	to = openat(todir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to < 0 || file_copy(from, to) < 0)
		r = err_system(e, "copying %s", name);
	close(from);
	if (to >= 0)
		close(to);
	return r;
}

static int
copy_index(int fromdir, int todir, const char *segment, struct err *e)
{
	int from, to = -1, i, r = 0;

	from = index_find(fromdir, segment, e);
	if (from < 0)
		return from == INDEX_ABSENT ? 0 : -1;
	if (mkdirat(todir, segment, 0700) == 0)
		to = openat(todir, segment, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (to < 0)
		r = err_system(e, "%s", segment);
	for (i = 0; r == 0 && i < INDEX_FILES; i++)
		if (copy_file(from, to, index_file_name[i], e) < 0)
			r = err_in(e, segment);
	close(from);
	if (to >= 0)
		close(to);
	return r;
}

static int
copy_indexes(const struct catalog *c, int from, int to, struct err *e)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (c->collection[i].selected &&
		    c->collection[i].vector_segment && copy_index(from, to,
		    c->collection[i].vector_segment, e) < 0)
			return -1;
	return 0;
}

/* ---- a copy of all ---- */

static int
make_room(const struct still *s, const struct persist *pd,
    const struct index_stamp *stamp, struct err *e)
{
	uint64_t need = (uint64_t)pd->st.st_size + index_bytes(&s->catalog,
	    stamp), have;

	if (dirnew_room(&s->scratch, &have, e) < 0)
		return -1;
	return have >= need ? 0 : err_fail(e, "a copy of %s needs %" PRIu64
	    " bytes, there are %" PRIu64 "; name another place with "
	    "--tmpdir=DIR", err_tail(pd->dir), need, have);
}

/* Before 1.0 a transaction that has a journal may have written index files
 * that are of rows nobody else sees yet. */
static int
wait_for_writer(const struct persist *pd, int wait_ms, struct err *e)
{
	int64_t end = clock_ms() + wait_ms;
	struct stat st;

	while (persist_beside(pd, "-journal", &st) && st.st_size > 0) {
		if (clock_ms() >= end)
			return err_busy(e, "%s is in the middle of a "
			    "transaction; try again, or --wait=SECONDS",
			    err_tail(pd->file));
		pause_ms(PAUSE_MS);
	}
	return 0;
}

static int
make_empty(const char *path, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_system(e, "%s", err_tail(path));
	close(fd);
	return 0;
}

/* One try: 1: it is of one moment; 0: something moved; -1 with *e set. */
static int
copy_once(struct still *s, const char *path, const struct select *sel,
    const struct persist_options *o, const char *to, struct err *e)
{
	struct index_stamp *stamp;
	struct persist pd;
	int r;

	if (persist_open(&pd, path, o, e) < 0)
		return -1;
	r = catalog_load_tables(&s->catalog, &pd.db, e);
	if (r == 0)
		r = select_apply(&s->catalog, sel, e);
	stamp = r < 0 ? NULL : calloc(s->catalog.n + 1, sizeof(*stamp));
	if (r == 0 && !stamp)
		r = err_nomem(e);
	if (r == 0) {
		look(&s->catalog, pd.dirfd, stamp);
		r = make_room(s, &pd, stamp, e);
	}
	/* (the journal of a copy is that of a dead one, and rolled back) */
	if (r == 0 && pd.way != PERSIST_COPY)
		r = wait_for_writer(&pd, o->wait_ms, e);
	if (r == 0)
		r = make_empty(to, e);
	if (r == 0)
		r = db_copy(&pd.db, to, e);
	if (r == 0)
		r = copy_indexes(&s->catalog, pd.dirfd, s->scratch.fd, e);
	/* (a collection that came in between is in the database, its index is
	 * not: seen by whoever opens the copy) */
	if (r == 0)
		r = unmoved(&s->catalog, pd.dirfd, stamp);
	if (r < 0 && e->status == STATUS_DATA)
		(void)!persist_failed(&pd, e);
	free(stamp);
	catalog_release(&s->catalog);
	persist_close(&pd);
	return r;
}

/* An empty place for what is temporary. */
static int
find_room(struct still *s, const char *tmpdir, struct err *e)
{
	const char *tmp = tmpdir ? tmpdir : getenv("TMPDIR");

	dirnew_abort(&s->scratch);
	return dirnew_scratch(&s->scratch, tmp && *tmp ? tmp : "/tmp", SCRATCH,
	    e);
}

static int
copy_all(struct still *s, const char *path, const struct select *sel,
    const struct persist_options *o, struct err *e)
{
	int try, got = 0;

	s->copied = true;
	for (try = 0; got == 0 && try < STILL_TRIES; try++) {
		char *to = NULL, *dir = NULL;

		if (find_room(s, o->tmpdir, e) < 0)
			return -1;
		dir = dirnew_path(&s->scratch);
		if (!dir || asprintf(&to, "%s/" PERSIST_FILE, dir) < 0)
			got = err_nomem(e);
		else
			got = copy_once(s, path, sel, o, to, e);
		if (got > 0 && persist_open(&s->pd, dir, o, e) < 0)
			got = -1;
		free(dir);
		free(to);
	}
	return got < 0 ? -1 : got > 0 ? 0 : err_busy(e, "%s: index files were "
	    "written during each of %d copies; try again when Chroma is quiet",
	    err_tail(path), STILL_TRIES);
}

/* ---- either way ---- */

/* Nobody has it open, as far as can be seen, and its file can be read by its
 * name. */
static bool
quiet(const struct persist *pd)
{
	struct holders h;
	struct err ignored;

	return pd->way != PERSIST_COPY && !holders_confined() &&
	    !holders_remote(pd->dirfd) &&
	    holders_find(pd->dir, &h, &ignored) == 0 && h.n == 0 &&
	    h.unseen == 0;
}

/* The catalog, which is loaded in a transaction of its own, and SQLite's shared
 * lock from then on: asking for the version takes it. */
static int
hold(struct still *s, struct err *e)
{
	int64_t before, after;
	int try;

	for (try = 0; try < STILL_TRIES; try++) {
		if (db_version(&s->pd.db, &before, e) < 0 ||
		    catalog_load(&s->catalog, &s->pd, e) < 0)
			return -1;
		if (db_exec(&s->pd.db, "BEGIN", e) < 0 ||
		    db_version(&s->pd.db, &after, e) < 0)
			return -1;
		if (before == after)
			return 0;
		catalog_release(&s->catalog);
		if (db_exec(&s->pd.db, "END", e) < 0)
			return -1;
	}
	return err_busy(e, "%s is written to all the time; try again when "
	    "Chroma is quiet", err_tail(s->pd.file));
}

int
still_open(struct still *s, const char *path, const struct select *sel,
    const struct persist_options *o, struct err *e)
{
	int r;

	*s = (struct still){ .pd = { .dirfd = -1 }, .scratch = { .fd = -1,
	    .parent = -1 } };
	if (persist_open(&s->pd, path, o, e) < 0)
		return -1;
	if (quiet(&s->pd)) {
		r = find_room(s, o->tmpdir, e);
	} else {
		persist_close(&s->pd);
		r = copy_all(s, path, sel, o, e);
	}
	if (r == 0 && hold(s, e) < 0)
		r = persist_failed(&s->pd, e);
	if (r == 0)
		r = select_apply(&s->catalog, sel, e);
	if (r < 0)
		return -1;
	s->stamp = calloc(s->catalog.n + 1, sizeof(*s->stamp));
	if (!s->stamp)
		return err_nomem(e);
	look(&s->catalog, s->pd.dirfd, s->stamp);
	s->index_bytes = index_bytes(&s->catalog, s->stamp);
	return 0;
}

void
still_unlock(struct still *s)
{
	struct err ignored;

	(void)!db_exec(&s->pd.db, "END", &ignored);
}

int
still_done(struct still *s, struct err *e)
{
	int r = persist_check(&s->pd, e);

	if (r == 0 && !unmoved(&s->catalog, s->pd.dirfd, s->stamp))
		r = err_busy(e, "%s: index files were written while they "
		    "were read; try again", err_tail(s->pd.dir));
	persist_close(&s->pd);
	return r;
}

void
still_close(struct still *s)
{
	free(s->stamp);
	catalog_release(&s->catalog);
	if (s->pd.dir)
		persist_close(&s->pd);
	dirnew_abort(&s->scratch);
	*s = (struct still){ .pd = { .dirfd = -1 }, .scratch = { .fd = -1,
	    .parent = -1 } };
}
