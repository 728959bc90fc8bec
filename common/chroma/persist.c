/* SPDX-License-Identifier: Apache-2.0 */
/* persist.c - a persist dir, opened for reading. */
#include "chroma/persist.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "chroma/holders.h"

#define COPY_TRIES 3
#define COPY_HEAD "chromautils-"	/* and six characters */
/* Never PERSIST_FILE: whoever calls a backup /tmp/chromautils-backup has one
 * of those in it, and what lies here is unlinked. */
#define COPY_FILE "private-copy.sqlite3"
#define COPY_YOUNG_S 60
#define LFS_HEAD "version https://git-lfs.github.com/"

static const char *const side_files[] = { "-journal", "-wal" };

/* ---- finding it ---- */

/* A directory directly below dir that holds a chroma.sqlite3, or NULL. */
static char *
look_below(const char *dir)
{
	struct dirent *d;
	struct stat st;
	char *found = NULL;
	DIR *dp = opendir(dir);

	while (dp && !found && (d = readdir(dp))) {
		if (d->d_name[0] == '.')
			continue;
		if (asprintf(&found, "%s/%s/" PERSIST_FILE, dir, d->d_name) < 0)
			found = NULL;
		else if (stat(found, &st) < 0) {
			free(found);
			found = NULL;
		} else
			*strrchr(found, '/') = '\0';
	}
	if (dp)
		closedir(dp);
	return found;
}

static int
not_there(const struct persist *pd, struct err *e)
{
	struct stat st;
	char *below;

	if (errno != ENOENT && errno != ENOTDIR)
		return err_system(e, "%s", err_tail(pd->file));
	if (fstatat(pd->dirfd, "chroma-embeddings.parquet", &st, 0) == 0)
		return err_fail(e, "%s: no " PERSIST_FILE " in it, but files "
		    "of Chroma 0.3, which had another format",
		    err_tail(pd->dir));
	below = look_below(pd->dir);
	if (below)
		err_fail(e, "%s: no " PERSIST_FILE " in it; there is one in %s",
		    err_tail(pd->dir), err_tail(below));
	else
		err_fail(e, "%s: no " PERSIST_FILE " in it; a persist dir is "
		    "the directory that Chroma was given as its path",
		    err_tail(pd->dir));
	free(below);
	return -1;
}

static int
find(struct persist *pd, const char *path, struct err *e)
{
	size_t n = strlen(path);
	struct stat st;

	while (n > 1 && path[n - 1] == '/')
		n--;
	pd->dir = strndup(path, n);
	if (!pd->dir)
		return err_nomem(e);
	if (stat(pd->dir, &st) < 0)
		return err_system(e, "%s", err_tail(path));
	if (!S_ISDIR(st.st_mode)) {
		char *slash = strrchr(pd->dir, '/');

		if (strcmp(slash ? slash + 1 : pd->dir, PERSIST_FILE) != 0)
			return err_fail(e, "%s is not a directory; give the "
			    "persist dir, the one with " PERSIST_FILE " in it",
			    err_tail(path));
		if (!slash)	/* the name alone: longer than "." */
			memcpy(pd->dir, ".", 2);
		else
			slash[slash == pd->dir] = '\0';
	}
	pd->dirfd = open(pd->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (pd->dirfd < 0)
		return err_system(e, "%s", err_tail(pd->dir));
	if (asprintf(&pd->file, "%s/" PERSIST_FILE, pd->dir) < 0) {
		pd->file = NULL;
		return err_nomem(e);
	}
	return 0;
}

/* What cannot be looked at counts as there: then a copy is made, or the attempt
 * says why not. */
bool
persist_beside(const struct persist *pd, const char *suffix, struct stat *st)
{
	char *path;
	int r = -1, why = ENOMEM;

	if (asprintf(&path, "%s%s", pd->real, suffix) >= 0) {
		r = stat(path, st);
		why = errno;
		free(path);
	}
	if (r < 0)
		*st = (struct stat){ .st_size = 1 };
	return r == 0 || why != ENOENT;
}

bool
persist_reserved(const struct persist *pd, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 :
	    path, *own = strrchr(pd->real, '/') + 1;
	size_t n = strlen(own), m = strlen(FILE_TMP_HEAD(PERSIST_FILE));
	struct stat a, b;
	char *dir, *real;
	bool same;

	if (strncmp(name, FILE_TMP_HEAD(PERSIST_FILE), m) != 0 &&
	    (strncmp(name, own, n) != 0 || (strcmp(name + n, "-journal") != 0 &&
	    strcmp(name + n, "-wal") != 0 && strcmp(name + n, "-shm") != 0)))
		return false;
	dir = slash ? strndup(path, (size_t)(name - path)) : strdup(".");
	real = strndup(pd->real, (size_t)(own - pd->real));
	/* where it cannot be told: yes */
	same = !dir || !real || stat(dir, &a) < 0 || stat(real, &b) < 0 ||
	    (a.st_dev == b.st_dev && a.st_ino == b.st_ino);
	free(dir);
	free(real);
	return same;
}

/* The first bytes: is it SQLite at all, and in which mode?  Before SQLite has
 * it open: closing a descriptor drops every lock of the process on the file. */
static int
look_inside(struct persist *pd, struct err *e)
{
	char head[100] = { 0 };
	ssize_t n;
	/* without O_NONBLOCK a FIFO would wait for its writer */
	int fd = open(pd->file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return not_there(pd, e);
	n = fstat(fd, &pd->st);
	if (n == 0 && !S_ISREG(pd->st.st_mode)) {
		close(fd);
		return err_data(e, "%s is not a regular file",
		    err_tail(pd->file));
	}
	pd->real = realpath(pd->file, NULL);
	if (!pd->real) {
		close(fd);
		return err_system(e, "%s", err_tail(pd->file));
	}
	if (n == 0)
		n = file_pread(fd, head, sizeof(head), 0);
	if (n < 0)
		err_system(e, "%s", err_tail(pd->file));
	close(fd);
	if (n < 0)
		return -1;
	if (n == 0)
		return err_data(e, "%s is empty (0 bytes): a copy that failed, "
		    "or a Chroma that never wrote; restore it from a backup",
		    err_tail(pd->file));
	if ((size_t)n >= strlen(LFS_HEAD) &&
	    memcmp(head, LFS_HEAD, strlen(LFS_HEAD)) == 0)
		return err_data(e, "%s is a Git LFS pointer, not the file "
		    "itself; fetch it with: git lfs pull", err_tail(pd->file));
	if (n < 100 || memcmp(head, "SQLite format 3", 16) != 0)
		return err_data(e, "%s: not a SQLite database",
		    err_tail(pd->file));
	/* sqlite.org/fileformat.html: 18, 19 are 1 for rollback, 2 for WAL */
	pd->sqlite_wal = head[18] == 2 || head[19] == 2;
	return 0;
}

/* SQLite opens what lies beside the file without a look: a FIFO would make it
 * wait for ever. */
static int
look_at_sides(const struct persist *pd, struct err *e)
{
	struct stat st;
	size_t i;

	for (i = 0; i < sizeof(side_files) / sizeof(side_files[0]); i++)
		if (persist_beside(pd, side_files[i], &st) && st.st_mode &&
		    !S_ISREG(st.st_mode))
			return err_data(e, "%s%s is not a regular file: SQLite "
			    "keeps its journals under that name; move it away",
			    err_tail(pd->real), side_files[i]);
	return 0;
}

/* ---- a private copy ---- */

/* pd->file + suffix to copy + suffix; a missing side file is no error. */
static int
copy_one(const struct persist *pd, const char *copy, const char *suffix,
    struct err *e)
{
	char *src = NULL, *dst = NULL;
	int from = -1, to = -1, r = -1;

	if (asprintf(&src, "%s%s", pd->real, suffix) < 0 ||
	    asprintf(&dst, "%s%s", copy, suffix) < 0) {
		src = dst = NULL;
		err_nomem(e);
		goto out;
	}
	from = open(src, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (from < 0 && errno == ENOENT && *suffix) {
		r = 0;
		goto out;
	}
	to = from < 0 ? -1 : open(dst,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (to < 0 || file_copy(from, to) < 0)
		err_system(e, "copying %s to %s", err_tail(src), err_tail(dst));
	else
		r = 0;
out:
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	free(src);
	free(dst);
	return r;
}

/* What must not change while a copy is made: a checkpoint or a commit shows
 * in the file itself, a transaction in its journal. */
struct seen {
	struct stat st[3];
	bool there[3];
};

static void
look(const struct persist *pd, struct seen *s)
{
	static const char *const suffix[] = { "", "-journal", "-wal" };
	int i;

	for (i = 0; i < 3; i++)
		s->there[i] = persist_beside(pd, suffix[i], &s->st[i]);
}

static bool
same_stat(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	    a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool
unchanged(const struct seen *a, const struct seen *b)
{
	int i;

	for (i = 0; i < 3; i++)
		if (a->there[i] != b->there[i] || (a->there[i] &&
		    !same_stat(&a->st[i], &b->st[i])))
			return false;
	return true;
}

static int
check_room(const struct seen *s, const char *tmpdir, struct err *e)
{
	uint64_t need = 0, have;
	int i;

	for (i = 0; i < 3; i++)
		if (s->there[i])
			need += (uint64_t)s->st[i].st_size;
	if (file_room(tmpdir, &have, e) < 0)
		return -1;
	if (have < need)
		return err_fail(e, "a private copy needs %llu bytes, %s has "
		    "%llu; name another place with --tmpdir=DIR",
		    (unsigned long long)need, err_tail(tmpdir),
		    (unsigned long long)have);
	return 0;
}

static void
unlink_files(const char *copy)
{
	static const char *const suffix[] = { "", "-journal", "-wal", "-shm" };
	char path[4096];
	size_t i;

	for (i = 0; i < sizeof(suffix) / sizeof(suffix[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", copy, suffix[i]);
		unlink(path);
	}
}

/* Remove the copies that dead runs left in tmpdir: a living one holds a lock
 * on its directory, or is younger than it takes to get one. */
static void
sweep_copies(const char *tmp)
{
	struct dirent *d;
	struct stat st;
	char dir[2048], copy[2080];
	DIR *dp = opendir(tmp);
	int fd;

	while (dp && (d = readdir(dp))) {
		if (strncmp(d->d_name, COPY_HEAD, strlen(COPY_HEAD)) != 0 ||
		    strlen(d->d_name) != strlen(COPY_HEAD) + 6)
			continue;
		snprintf(dir, sizeof(dir), "%s/%s", tmp, d->d_name);
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
		    st.st_mtime < time(NULL) - COPY_YOUNG_S &&
		    flock(fd, LOCK_EX | LOCK_NB) == 0) {
			snprintf(copy, sizeof(copy), "%s/" COPY_FILE, dir);
			unlink_files(copy);
			rmdir(dir);
		}
		close(fd);
	}
	if (dp)
		closedir(dp);
}

/* The file and what lies beside it, of one moment. */
static int
make_copy(const struct persist *pd, const char *copy, struct err *e)
{
	struct seen before, after;
	int try;
	size_t i;

	for (try = 0; try < COPY_TRIES; try++) {
		unlink_files(copy);
		look(pd, &before);
		if (copy_one(pd, copy, "", e) < 0)
			return -1;
		for (i = 0; i < 2; i++)
			if (copy_one(pd, copy, side_files[i], e) < 0)
				return -1;
		look(pd, &after);
		if (unchanged(&before, &after))
			return 0;
	}
	return err_busy(e, "%s is written to all the time: it changed during "
	    "each of %d copies; try again when Chroma is quiet",
	    err_tail(pd->file), COPY_TRIES);
}

/* Open a copy, which is unlinked at once: SQLite keeps its descriptors, and
 * nothing is left behind unless we are killed while it is made. */
static int
open_copy(struct persist *pd, const struct persist_options *opt,
    struct err *e)
{
	const char *tmp = opt->tmpdir ? opt->tmpdir : getenv("TMPDIR");
	char dir[2048], copy[2080];
	struct stat st, own;
	struct seen now;
	int64_t n = 0;
	int r, lock;

	if (!tmp || !*tmp)
		tmp = "/tmp";
	if (strlen(tmp) > 1024)
		return err_fail(e, "%s: too long", err_tail(tmp));
	if (stat(tmp, &st) == 0 && fstat(pd->dirfd, &own) == 0 &&
	    st.st_dev == own.st_dev && st.st_ino == own.st_ino)
		return err_usage(e, "a private copy is needed, and must not lie "
		    "in %s itself; name another place with --tmpdir=DIR",
		    err_tail(pd->dir));
	look(pd, &now);
	sweep_copies(tmp);
	if (check_room(&now, tmp, e) < 0)
		return -1;
	snprintf(dir, sizeof(dir), "%s/" COPY_HEAD "XXXXXX", tmp);
	if (!mkdtemp(dir))
		return err_system(e, "%s", err_tail(tmp));
	lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock >= 0)
		(void)flock(lock, LOCK_EX | LOCK_NB);
	snprintf(copy, sizeof(copy), "%s/" COPY_FILE, dir);
	r = make_copy(pd, copy, e);
	if (r == 0)
		r = db_open(&pd->db, copy, pd->file, DB_PRIVATE, opt->wait_ms,
		    e);
	if (r == 0) {
		pd->way = PERSIST_COPY;
		r = db_int(&pd->db, "SELECT count(*) FROM sqlite_master", &n,
		    e);
	}
	unlink_files(copy);
	rmdir(dir);
	if (lock >= 0)
		close(lock);
	return r;
}

/* ---- opening ---- */

static bool
hot_journal(const struct persist *pd)
{
	struct stat st;

	return persist_beside(pd, "-journal", &st) && st.st_size > 0;
}

static int
open_in_place(struct persist *pd, const struct persist_options *opt,
    struct err *e)
{
	int64_t n;

	if (db_open(&pd->db, pd->real, pd->file,
	    pd->way == PERSIST_IMMUTABLE ? DB_IMMUTABLE : DB_READ,
	    opt->wait_ms, e) < 0)
		return -1;
	/* the first read finds a hot journal, if there is one */
	if (db_int(&pd->db, "SELECT count(*) FROM sqlite_master", &n, e) == 0)
		return 0;
	if (opt->tmpdir && e->status == STATUS_SYSTEM && hot_journal(pd)) {
		db_close(&pd->db);
		return open_copy(pd, opt, e);
	}
	return -1;
}

static int
open_wal_mode(struct persist *pd, const struct persist_options *opt,
    struct err *e)
{
	struct holders h;
	struct stat st;
	bool frames = persist_beside(pd, "-wal", &st) && st.st_size > 0;

	if (frames || hot_journal(pd) || holders_find(pd->dir, &h, e) < 0 ||
	    h.n > 0 || h.unseen > 0)
		return open_copy(pd, opt, e);
	pd->way = PERSIST_IMMUTABLE;
	return open_in_place(pd, opt, e);
}

int
persist_find(struct persist *pd, const char *path, struct err *e)
{
	*pd = (struct persist){ .dirfd = -1 };
	return find(pd, path, e) < 0 || look_inside(pd, e) < 0 ||
	    look_at_sides(pd, e) < 0 ? -1 : 0;
}

int
persist_open(struct persist *pd, const char *path,
    const struct persist_options *opt, struct err *e)
{
	struct stat st;
	int r;

	if (persist_find(pd, path, e) < 0) {
		persist_close(pd);
		return -1;
	}
	/* SQLite looks for a -wal whatever the file's header says */
	r = pd->sqlite_wal || persist_beside(pd, "-wal", &st) ?
	    open_wal_mode(pd, opt, e) : open_in_place(pd, opt, e);
	if (r < 0)
		persist_close(pd);
	return r;
}

int
persist_check(const struct persist *pd, struct err *e)
{
	struct stat now;

	if (stat(pd->file, &now) < 0)
		return errno != ENOENT ? err_system(e, "%s",
		    err_tail(pd->file)) : err_busy(e, "%s disappeared while it was read",
		    err_tail(pd->file));
	if (now.st_dev != pd->st.st_dev || now.st_ino != pd->st.st_ino)
		return err_busy(e, "%s was replaced while it was read; try "
		    "again", err_tail(pd->file));
	if (pd->way == PERSIST_IMMUTABLE && !same_stat(&now, &pd->st))
		return err_busy(e, "%s changed while it was read; try again",
		    err_tail(pd->file));
	return 0;
}

int
persist_failed(const struct persist *pd, struct err *e)
{
	if (e->status == STATUS_DATA)
		(void)!persist_check(pd, e);
	return -1;
}

void
persist_close(struct persist *pd)
{
	db_close(&pd->db);
	if (pd->dirfd >= 0)
		close(pd->dirfd);
	free(pd->dir);
	free(pd->file);
	free(pd->real);
	*pd = (struct persist){ .dirfd = -1 };
}
