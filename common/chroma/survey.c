/* SPDX-License-Identifier: Apache-2.0 */
/* survey.c - what a persist dir holds and how it fares. */
#include "chroma/survey.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "chroma/wal.h"

/* Records counted in one read: some 5 ms. */
#define COUNT_CHUNK 20000

/* How often an index that somebody may be writing is looked at, 50 ms apart. */
#define INDEX_TRIES 20

/* A share of deleted elements from which a rebuild is worth a word; Chroma
 * itself falls back to scanning above it (rust/segment/src/local_hnsw.rs). */
#define FRAGMENTED 0.2

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
	int64_t next = INT64_MIN, newest = (int64_t)s->catalog->newest;
	struct db_stmt st;
	int got = 1;

	if (db_prepare(db, &st, "SELECT seq_id, topic, operation FROM "
	    "embeddings_queue WHERE seq_id >= ?1 AND seq_id <= ?2 "
	    "ORDER BY seq_id", e) < 0)
		return -1;
	while (got > 0) {
		db_bind_i64(&st, 1, next);
		db_bind_i64(&st, 2, (int64_t)s->catalog->newest);
		db_batch_start(db);
		while ((got = db_step(&st, e)) > 0) {
			int64_t seq_id = db_col_i64(&st, 0);
			struct db_value tv = db_col(&st, 1), op = db_col(&st, 2);
			struct slice t = tv.type == DB_TEXT ? tv.bytes :
			    slice_of("", 0);

			if (seq_id < next) {
				got = wal_disorder(db, e);
				break;
			}
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
			if (seq_id == newest)
				goto out;
			next = seq_id + 1;
			if (s->wal_rows % 64 == 0 && db_batch_over(db, 0))
				break;
		}
		db_reset(&st);
	}
	if (got == 0)
		got = wal_ended(db, next, newest, e);
out:
	got = got > 0 ? 0 : got;
	db_finish(&st);
	buf_release(&topic);
	return got;
}

/* The records of one segment, some at a time. */
static int
count_segment(struct db_stmt *st, struct slice segment, uint64_t *n,
    struct err *e)
{
	struct buf last = { 0 };
	int got = 1;

	while (got > 0) {
		int64_t chunk = 0;

		db_bind_text(st, 1, segment);
		db_bind_text(st, 2, buf_slice(&last));
		got = db_step(st, e);
		if (got > 0) {
			struct slice id = db_col_text(st, 1);

			chunk = db_col_i64(st, 0);
			*n += (uint64_t)chunk;
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
	    "embedding_id > ?2 AND typeof(embedding_id) = 'text' "
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

static bool
uuid_like(const char *name)
{
	size_t i;

	for (i = 0; name[i]; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? name[i] != '-' :
		    !strchr("0123456789abcdefABCDEF", name[i]))
			return false;
	return i == 36;
}

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
		if (!uuid_like(d->d_name) || catalog_of_segment(s->catalog,
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
 * counts no elements.  Then no damage to the other files loses anything, and
 * Chroma makes them anew. */
static bool
holds_nothing(const struct survey_collection *sc)
{
	return !sc->dir.there[INDEX_PICKLE] && sc->dir.has_header &&
	    sc->dir.header.cur_element_count == 0 &&
	    sc->col->vector.source == WATERMARK_NONE;
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

/* The index directory of one collection. */
static int
read_index(struct survey *s, struct survey_collection *sc, int dirfd,
    struct err *e)
{
	struct err why = { 0 };
	char *bytes = NULL;
	int r;

	sc->dir.fd = -1;
	if (!sc->col->vector_segment)
		return 0;
	if (index_open(&sc->dir, dirfd, sc->col->vector_segment, e) < 0)
		return -1;
	sc->fault = sc->dir.fault;
	r = s->effort == SURVEY_QUICK ? 0 : index_pickle(&sc->dir, &sc->pickle,
	    s->effort == SURVEY_DEEP, &bytes, &why);
	if (r < 0 && !sc->fault.status)
		sc->fault = why;
	sc->has_pickle = r > 0 || (s->effort == SURVEY_QUICK &&
	    sc->dir.there[INDEX_PICKLE]);
	if (r > 0 && sc->pickle.trailing && !sc->fault.status)
		err_data(&sc->fault, "index_metadata.pickle: %zu bytes behind "
		    "its end; Chroma from 1.0 on refuses it",
		    sc->pickle.trailing);
	r = r > 0 && s->effort == SURVEY_DEEP ?
	    index_scan(&sc->dir, &sc->pickle, &sc->scan, e) : 0;
	if (r == 0 && s->effort == SURVEY_DEEP && sc->has_pickle) {
		sc->scanned = !sc->scan.fault.status;
		if (!sc->fault.status)
			sc->fault = sc->scan.fault;
		if (!sc->fault.status && (sc->scan.bad_links ||
		    sc->scan.orphan_labels || sc->scan.missing_labels))
			err_data(&sc->fault, "%" PRIu64 " elements with links "
			    "that lead nowhere, %" PRIu64 " without an id, %"
			    PRIu64 " ids without an element",
			    sc->scan.bad_links, sc->scan.orphan_labels,
			    sc->scan.missing_labels);
	}
	pickle_release(&sc->pickle);
	free(bytes);
	index_close(&sc->dir);
	set_state(sc);
	return r;
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
		return sc->scan.deleted;
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

/* ---- in words ---- */

static void ATTR_PRINTF(4, 5)
note(struct arena *a, const char **notes, size_t max, const char *fmt, ...)
{
	struct buf text = { 0 };
	char line[ERR_MSG_SIZE + 512];
	va_list ap;
	size_t i;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	buf_adds(&text, line);
	for (i = 0; i + 1 < max && notes[i]; i++)
		;
	if (i + 1 < max)
		notes[i] = arena_copy(a, buf_str(&text), text.len);
	buf_release(&text);
}

#define NOTE(sc, ...) note(&s->arena, (sc)->notes, \
	sizeof((sc)->notes) / sizeof((sc)->notes[0]), __VA_ARGS__)

/* What is dangerous, most of all. */
static void
note_dangers(struct survey *s, struct survey_collection *sc)
{
	const struct collection *col = sc->col;
	uint64_t newest = s->catalog->newest;
	uint64_t m = col->metadata.seq_id, h = col->vector.seq_id;
	bool has_m = col->metadata.source != WATERMARK_NONE;
	bool has_h = col->vector.source != WATERMARK_NONE;

	if (sc->state == INDEX_DAMAGED)
		NOTE(sc, "Its index is damaged: %s. Do not delete the "
		    "directory or the pickle: vectors that the log no longer "
		    "has are nowhere else. Copy %s away before any Chroma "
		    "opens this directory.", sc->fault.msg,
		    col->vector_segment);
	else if (!sc->has_pickle && col->vector.source == WATERMARK_ROW)
		NOTE(sc, "Its index was persisted up to seq_id %" PRIu64
		    ", but its files are gone or empty: the next Chroma "
		    "starts it anew, without the vectors that the log no "
		    "longer has. Look for a backup of directory %s first.", h,
		    col->vector_segment);
	if (col->metadata.odd || col->vector.odd)
		NOTE(sc, "A row of max_seq_id has a form that this era of "
		    "Chroma cannot read: the collection fails on every call.");
	if ((has_m && m > newest) || (has_h && h > newest))
		NOTE(sc, "A watermark (%" PRIu64 ") is above the newest seq_id "
		    "of the log (%" PRIu64 "): Chroma will ignore and purge "
		    "new writes until the numbers have caught up.",
		    m > h ? m : h, newest);
	if (!col->vector_segment || !col->metadata_segment)
		NOTE(sc, "It lacks a segment: Chroma fails on every call.");
	sc->healthy = !sc->notes[0];
	if (sc->fault.status && sc->state != INDEX_DAMAGED)
		NOTE(sc, "Its index directory is incomplete (%s), but nothing "
		    "was persisted in it: no harm.", sc->fault.msg);
}

static void
note_log_only(struct survey *s, struct survey_collection *sc)
{
	const struct collection *col = sc->col;
	int64_t every = col->params.value[PARAM_SYNC_THRESHOLD];

	if (!sc->counted) {
		NOTE(sc, "Nothing is in the index files yet: its vectors are "
		    "in the log alone.");
		return;
	}
	if (sc->wal.rows == 0 && sc->records == 0) {
		NOTE(sc, "Healthy: it was never written to.");
		return;
	}
	if (sc->records == 0) {
		NOTE(sc, "Healthy: it holds no records; the log keeps %" PRIu64
		    " rows of its past, and nothing is in the index files.",
		    sc->wal.rows);
		return;
	}
	NOTE(sc, "Healthy: nothing is in the index files yet, all vectors are "
	    "in the log (Chroma writes an index every %lld changes).",
	    (long long)every);
	NOTE(sc, "So the log is the only copy: none of its %" PRIu64 " rows "
	    "may be pruned, and Chroma replays them at every start. What "
	    "helps, if starting is slow: committing the log into the index.",
	    sc->wal.rows);
}

static void
note_state(struct survey *s, struct survey_collection *sc)
{
	uint64_t pending = sc->wal.rows - sc->wal.committed;

	if (sc->state == INDEX_NONE || sc->state == INDEX_EMPTY) {
		if (sc->healthy && !(sc->state == INDEX_EMPTY &&
		    sc->has_pickle))
			note_log_only(s, sc);
		else if (sc->healthy)
			NOTE(sc, "Healthy: all its records are deleted, and its "
			    "index is empty.");
		return;
	}
	if (sc->healthy && sc->counted && pending)
		NOTE(sc, "Healthy: the newest %" PRIu64 " row%s of its log %s "
		    "not in the index files yet; Chroma replays %s when it "
		    "first uses the collection.", pending,
		    pending == 1 ? "" : "s", pending == 1 ? "is" : "are",
		    pending == 1 ? "it" : "them");
	else if (sc->healthy)
		NOTE(sc, "Healthy: the index files hold %s.", sc->counted ?
		    "all that the log says" : "an index");
	if (sc->counted && survey_fragmentation(sc) >= FRAGMENTED)
		NOTE(sc, "%.0f %% of the elements in its index are deleted "
		    "ones (%" PRIu64 " of %" PRIu64 "): they take space and "
		    "slow down queries until the index is rebuilt.",
		    100 * survey_fragmentation(sc), survey_deleted(sc),
		    sc->dir.header.cur_element_count);
	if (sc->wal.prunable)
		NOTE(sc, "%" PRIu64 " row%s of its log %s in both segments "
		    "already and may be pruned.", sc->wal.prunable,
		    sc->wal.prunable == 1 ? "" : "s",
		    sc->wal.prunable == 1 ? "is" : "are");
}

static void
note_store(struct survey *s, const struct persist *pd)
{
	const struct catalog *c = s->catalog;
	uint64_t bytes = 0, prunable = 0;
	size_t i;

	for (i = 0; i < s->orphans; i++)
		bytes += s->orphan[i].bytes;
	for (i = 0; i < s->n; i++)
		prunable += s->collection[i].wal.prunable;
	if (c->era.unknown[0])
		NOTE(s, "It was migrated by a Chroma newer than this program "
		    "knows (%s): what is shown may be incomplete.",
		    c->era.unknown);
	if (c->era.born_040)
		NOTE(s, "It was created by Chroma 0.4.0, whose first migration "
		    "every later release refuses.");
	if (c->n == 0)
		NOTE(s, "It has no collections.");
	if (s->orphans)
		NOTE(s, "%zu director%s (%" PRIu64 " bytes) belong%s to no "
		    "collection: left behind by deleted ones.", s->orphans,
		    s->orphans == 1 ? "y" : "ies", bytes,
		    s->orphans == 1 ? "s" : "");
	if (s->orphan_records)
		NOTE(s, "%" PRIu64 " records belong to no collection: left "
		    "behind by deleted ones.", s->orphan_records);
	if (s->dead_wal_rows)
		NOTE(s, "%" PRIu64 " rows of the log belong to no collection.",
		    s->dead_wal_rows);
	if (c->automatically_purge == 0 && prunable)
		NOTE(s, "Automatic purge is off: the log keeps every row, and "
		    "grows.");
	else if (c->era.queue < 2 && prunable)
		NOTE(s, "This era of Chroma never purges its log, which "
		    "grows.");
	if (s->free_pages * 4 > s->pages)
		NOTE(s, "%" PRIu64 " of %" PRIu64 " pages of the database are "
		    "free: VACUUM would give %" PRIu64 " bytes back.",
		    s->free_pages, s->pages, s->free_pages * s->page_size);
	if (pd->sqlite_wal)
		NOTE(s, "SQLite is in WAL mode, which Chroma never sets; its "
		    "-wal file is part of the data.");
	if (s->holders.n)
		NOTE(s, "A process has it open: numbers may change while they "
		    "are read.");
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
		note_dangers(s, sc);
		note_state(s, sc);
	}
	note_store(s, pd);
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
