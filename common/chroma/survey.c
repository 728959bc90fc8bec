/* SPDX-License-Identifier: Apache-2.0 */
/* survey.c - what a persist dir holds and how it fares. */
#include "chroma/survey.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/uuid.h"
#include "chroma/notes.h"
#include "chroma/walrows.h"

/* Records counted in one read: some 5 ms. */
#define COUNT_CHUNK 20000

/* How often an index that somebody may be writing is looked at, 50 ms apart. */
#define INDEX_TRIES 20

const char *
survey_index_state_name(enum survey_index_state s)
{
	static const char *const name[] = { "none", "empty", "present",
	    "damaged" };

	return name[s];
}

/* ---- counting ---- */

static struct survey_collection *
of_collection(const struct survey *s, const struct collection *col)
{
	size_t i = 0, high = s->n, mid;

	while (i < high) {	/* in the order of the catalog */
		mid = i + (high - i) / 2;
		if (s->collection[mid].col < col)
			i = mid + 1;
		else
			high = mid;
	}
	return i < s->n && s->collection[i].col == col ?
	    &s->collection[i] : NULL;
}

static void
count_row(struct survey_wal *w, const struct collection *col, uint64_t newest,
    uint64_t seq_id, int64_t operation)
{
	uint64_t committed;

	if (!w->rows++)
		w->oldest = seq_id;
	w->newest = seq_id;
	if (operation >= 0 && operation < 4)
		w->operation[operation]++;
	else
		w->other++;
	if (collection_committed(col, &committed)) {
		w->committed += seq_id <= committed;
		w->prunable += seq_id < committed && seq_id != newest;
	}
}

/* The log, without its vectors and metadata. */
static int
count_wal(struct survey *s, struct db *db, struct err *e)
{
	const struct collection *col = NULL;
	struct survey_collection *sc = NULL;
	struct buf topic = { 0 };
	struct walrows rows;
	int64_t seq_id;
	int got = 1;

	if (walrows_open(&rows, db, ", topic, operation", INT64_MIN,
	    (int64_t)s->catalog->newest, e) < 0)
		return -1;
	while (got > 0) {
		db_batch_start(db);
		while ((got = walrows_next(&rows, &seq_id, e)) > 0) {
			struct db_value tv = db_col(&rows.st, 1);
			struct db_value op = db_col(&rows.st, 2);
			struct slice t = tv.type == DB_TEXT ? tv.bytes :
			    slice_of("", 0);

			/* rows of one collection mostly follow each other */
			if (!topic.len || !slice_eq(t, buf_slice(&topic))) {
				buf_reset(&topic);
				buf_add(&topic, t.p, t.len);
				col = catalog_of_topic(s->catalog, t);
				sc = col ? of_collection(s, col) : NULL;
			}
			s->wal_rows++;
			if (!col)
				s->dead_wal_rows++;
			else if (sc)
				count_row(&sc->wal, col, s->catalog->newest,
				    (uint64_t)seq_id, op.type == DB_INTEGER ?
				    op.i : -1);
			if (s->wal_rows % 64 == 0 && db_batch_over(db, 0))
				break;
		}
		walrows_pause(&rows);
	}
	walrows_close(&rows);
	buf_release(&topic);
	return got;
}

/* The records of one segment, some at a time. */
static int
count_segment(struct db_stmt *st, struct slice segment, uint64_t *n,
    struct err *e)
{
	struct buf last = { 0 };
	int64_t seen = 0;		/* of a chunk: last, which comes again */
	int got = 1;

	while (got > 0) {
		int64_t chunk = 0;

		db_bind_text(st, 1, segment);
		db_bind_text(st, 2, buf_slice(&last));
		got = db_step(st, e);
		if (got > 0) {
			struct slice id = db_col_text(st, 1);

			chunk = db_col_i64(st, 0);
			*n += (uint64_t)(chunk - seen);
			seen = 1;
			buf_reset(&last);
			buf_add(&last, id.p, id.len);
		}
		db_reset(st);
		if (chunk < COUNT_CHUNK)
			break;
	}
	buf_release(&last);
	return got < 0 ? -1 : 0;
}

static int
count_records(struct survey *s, struct db *db, struct err *e)
{
	struct db_stmt next, count;
	struct buf segment = { 0 };
	char sql[320];
	int got = 1;

	snprintf(sql, sizeof(sql), "SELECT count(*), max(embedding_id) FROM "
	    "(SELECT embedding_id FROM embeddings WHERE segment_id = ?1 AND "
	    "embedding_id >= ?2 AND typeof(embedding_id) = 'text' "
	    "ORDER BY embedding_id LIMIT %d)", COUNT_CHUNK);
	if (db_prepare(db, &next, "SELECT min(segment_id) FROM embeddings "
	    "WHERE segment_id > ?1 AND typeof(segment_id) = 'text'", e) < 0)
		return -1;
	if (db_prepare(db, &count, sql, e) < 0) {
		db_finish(&next);
		return -1;
	}
	while (got > 0) {
		struct survey_collection *sc = NULL;
		const struct collection *col;
		uint64_t n = 0;

		db_bind_text(&next, 1, buf_slice(&segment));
		got = db_step(&next, e);
		if (got <= 0 || db_col_type(&next, 0) == DB_NULL) {
			got = got < 0 ? -1 : 0;
			break;
		}
		buf_reset(&segment);
		buf_add(&segment, db_col_text(&next, 0).p,
		    db_col_text(&next, 0).len);
		db_reset(&next);
		if (count_segment(&count, buf_slice(&segment), &n, e) < 0) {
			got = -1;
			break;
		}
		col = catalog_of_segment(s->catalog, buf_slice(&segment));
		if (col)
			sc = of_collection(s, col);
		if (!col)
			s->orphan_records += n;
		else
			s->records += n;
		if (sc)
			sc->records += n;
	}
	db_finish(&next);
	db_finish(&count);
	buf_release(&segment);
	return got;
}

static int
count_orphan_rows(struct survey *s, struct db *db, struct err *e)
{
	const struct {
		const char *sql;
		uint64_t *n;
	} query[] = {
		{ "SELECT count(*) FROM max_seq_id WHERE segment_id NOT IN "
		    "(SELECT id FROM segments)", &s->orphan_watermarks },
		{ "SELECT count(*) FROM segment_metadata WHERE segment_id NOT "
		    "IN (SELECT id FROM segments)",
		    &s->orphan_segment_metadata },
		{ "SELECT count(*) FROM collection_metadata WHERE "
		    "collection_id NOT IN (SELECT id FROM collections)",
		    &s->orphan_collection_metadata },
	};
	size_t i;

	for (i = 0; i < sizeof(query) / sizeof(query[0]); i++) {
		int64_t n = 0;

		if (db_int(db, query[i].sql, &n, e) < 0)
			return -1;
		*query[i].n = (uint64_t)n;
	}
	return 0;
}

static int
read_pages(struct survey *s, struct db *db, struct err *e)
{
	int64_t size = 0, pages = 0, free = 0;

	if (db_int(db, "PRAGMA page_size", &size, e) < 0 ||
	    db_int(db, "PRAGMA page_count", &pages, e) < 0 ||
	    db_int(db, "PRAGMA freelist_count", &free, e) < 0)
		return -1;
	s->page_size = (uint64_t)size;
	s->pages = (uint64_t)pages;
	s->free_pages = (uint64_t)free;
	return 0;
}

/* ---- files ---- */

/* Sizes of the regular files in a directory (one level); fd is consumed. */
static void
sum_files(int fd, uint64_t *bytes, uint64_t *allocated)
{
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;
	struct stat st;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((d = readdir(dir)))
		if (fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode)) {
			*bytes += (uint64_t)st.st_size;
			*allocated += (uint64_t)st.st_blocks * 512;
		}
	closedir(dir);
}

static int
compare_orphans(const void *a, const void *b)
{
	const struct survey_orphan *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* All files, and the directories that look like a segment's and are none. */
static int
look_at_files(struct survey *s, struct persist *pd, struct err *e)
{
	struct buf list = { 0 };
	struct dirent *d;
	struct stat st;
	DIR *dir;
	int fd = openat(pd->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		err_system(e, "%s", err_tail(pd->dir));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while ((d = readdir(dir))) {
		uint64_t bytes = 0, allocated = 0;
		struct survey_orphan o;

		if (strcmp(d->d_name, ".") == 0 ||
		    strcmp(d->d_name, "..") == 0 ||
		    fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISREG(st.st_mode)) {
			s->bytes += (uint64_t)st.st_size;
			s->allocated += (uint64_t)st.st_blocks * 512;
		}
		if (!S_ISDIR(st.st_mode))
			continue;
		sum_files(openat(fd, d->d_name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), &bytes,
		    &allocated);
		s->bytes += bytes;
		s->allocated += allocated;
		if (!uuid_is(slice_str(d->d_name)) || catalog_of_segment(s->catalog,
		    slice_str(d->d_name)))
			continue;
		o.name = arena_copy(&s->arena, d->d_name, strlen(d->d_name));
		o.bytes = bytes;
		if (!o.name)
			list.failed = true;
		buf_add(&list, &o, sizeof(o));
	}
	closedir(dir);
	s->orphans = list.len / sizeof(struct survey_orphan);
	s->orphan = arena_array(&s->arena, s->orphans + 1,
	    sizeof(struct survey_orphan));
	if (!buf_ok(&list) || !s->orphan) {
		buf_release(&list);
		return err_nomem(e);
	}
	if (list.p)
		memcpy(s->orphan, list.p, list.len);
	buf_release(&list);
	qsort(s->orphan, s->orphans, sizeof(struct survey_orphan),
	    compare_orphans);
	return 0;
}

/* Nothing was ever persisted: no pickle, no watermark, and a header that
 * counts no elements; or a pickle without ids alone.  Then no damage to the
 * other files loses anything, and Chroma makes them anew. */
static bool
holds_nothing(const struct survey_collection *sc)
{
	const struct index_dir *d = &sc->dir;
	int i, files = 0;

	for (i = 0; i < INDEX_PICKLE; i++)
		files += d->there[i];
	if (sc->has_pickle)
		return sc->counted && files == 0 &&
		    sc->pickle.id_to_label.n == 0;
	return index_unused(d) && sc->col->vector.source == WATERMARK_NONE;
}

static void
set_state(struct survey_collection *sc)
{
	const struct index_dir *d = &sc->dir;
	int i, files = 0;

	for (i = 0; i < INDEX_FILES; i++)
		files += d->there[i];
	if (sc->fault.status && !holds_nothing(sc))
		sc->state = INDEX_DAMAGED;
	else if (files == 0)
		sc->state = INDEX_NONE;
	else if (!sc->has_pickle || (sc->pickle.id_to_label.n == 0 &&
	    d->header.cur_element_count == 0))
		sc->state = INDEX_EMPTY;
	else
		sc->state = INDEX_PRESENT;
}

/* The index directory of one collection, without its elements. */
static int
read_sizes(struct survey *s, struct survey_collection *sc, int dirfd,
    struct err *e)
{
	struct err why = { 0 };
	char *bytes = NULL;
	int r;

	if (index_open(&sc->dir, dirfd, sc->col->vector_segment, e) < 0)
		return -1;
	sc->fault = sc->dir.fault;
	r = s->effort == SURVEY_QUICK ? 0 : index_pickle(&sc->dir, &sc->pickle,
	    false, &bytes, &why);
	if (r < 0 && !sc->fault.status)
		sc->fault = why;
	sc->has_pickle = r > 0 || (s->effort == SURVEY_QUICK &&
	    sc->dir.there[INDEX_PICKLE]);
	if (r > 0 && sc->pickle.trailing && !sc->fault.status)
		err_data(&sc->fault, "index_metadata.pickle: %zu bytes behind "
		    "its end; Chroma from 1.0 on refuses it",
		    sc->pickle.trailing);
	pickle_release(&sc->pickle);
	free(bytes);
	index_close(&sc->dir);
	return 0;
}

/* The same with all that is in it. */
static int
read_elements(struct survey_collection *sc, int dirfd, struct err *e)
{
	struct elements el;

	if (elements_open(&el, dirfd, sc->col->vector_segment,
	    sc->col->dimension, sc->col->params.space, true, e) < 0)
		return -1;
	elements_close(&el);
	sc->dir = el.dir;
	sc->has_pickle = el.has_pickle;
	sc->pickle = el.pickle;
	sc->found = el.found;
	sc->fault = el.found.fault;
	sc->scanned = el.has_pickle && el.found.whole;
	return 0;
}

static int
read_index(struct survey *s, struct survey_collection *sc, int dirfd,
    struct err *e)
{
	sc->dir.fd = -1;
	if (!sc->col->vector_segment)
		return 0;
	if (s->effort == SURVEY_DEEP ? read_elements(sc, dirfd, e) < 0 :
	    read_sizes(s, sc, dirfd, e) < 0)
		return -1;
	set_state(sc);
	return 0;
}

/* The same, beside a Chroma that may be writing it: what looks like damage is
 * looked at again for a while. */
static int
look_at_index(struct survey *s, struct survey_collection *sc, int dirfd,
    struct err *e)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	const struct survey_collection fresh = *sc;
	int try;

	for (try = 0; ; try++) {
		if (read_index(s, sc, dirfd, e) < 0)
			return -1;
		if (sc->state != INDEX_DAMAGED || s->holders.n == 0 ||
		    try == INDEX_TRIES)
			return 0;
		nanosleep(&pause, NULL);
		*sc = fresh;
	}
}

uint64_t
survey_deleted(const struct survey_collection *sc)
{
	uint64_t n = sc->dir.header.cur_element_count;
	uint64_t ids = sc->pickle.id_to_label.n;

	if (sc->scanned)
		return sc->found.deleted;
	return n > ids ? n - ids : 0;
}

double
survey_fragmentation(const struct survey_collection *sc)
{
	uint64_t n = sc->dir.header.cur_element_count;

	return n ? (double)survey_deleted(sc) / (double)n : 0;
}

uint64_t
survey_index_bytes(const struct survey_collection *sc)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < INDEX_FILES; i++)
		n += sc->dir.size[i];
	return n;
}

bool
survey_wal_gap(const struct survey_collection *sc, uint64_t *gap)
{
	const struct watermark *m = &sc->col->metadata, *v = &sc->col->vector;
	uint64_t h = v->source == WATERMARK_NONE ? 0 : v->seq_id;

	*gap = m->seq_id > h ? m->seq_id - h : 0;
	return m->source != WATERMARK_NONE;
}

/* ---- all of it ---- */

static int
gather(struct survey *s, struct persist *pd, struct err *e)
{
	struct err ignored;
	size_t i;

	s->looked_for_holders = holders_find(pd->dir, &s->holders,
	    &ignored) == 0;
	s->sqlite_bytes = (uint64_t)pd->st.st_size;
	if (look_at_files(s, pd, e) < 0 || read_pages(s, &pd->db, e) < 0)
		return -1;
	if (s->effort != SURVEY_QUICK &&
	    (count_wal(s, &pd->db, e) < 0 ||
	    count_records(s, &pd->db, e) < 0 ||
	    count_orphan_rows(s, &pd->db, e) < 0))
		return -1;
	s->counted = s->effort != SURVEY_QUICK;
	for (i = 0; i < s->n; i++) {
		struct survey_collection *sc = &s->collection[i];

		sc->counted = s->counted;
		if (look_at_index(s, sc, pd->dirfd, e) < 0)
			return -1;
		notes_collection(s, sc);
	}
	notes_store(s, pd);
	return 0;
}

int
survey(struct survey *s, struct catalog *c, struct persist *pd,
    enum survey_effort effort, struct err *e)
{
	size_t i;

	*s = (struct survey){ .catalog = c, .effort = effort };
	s->collection = arena_array(&s->arena, c->n + 1,
	    sizeof(*s->collection));
	if (!s->collection)
		return err_nomem(e);
	for (i = 0; i < c->n; i++)
		if (c->collection[i].selected)
			s->collection[s->n++].col = &c->collection[i];
	if (gather(s, pd, e) < 0) {
		survey_release(s);
		return -1;
	}
	return 0;
}

void
survey_release(struct survey *s)
{
	arena_release(&s->arena);
}
