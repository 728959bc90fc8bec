/* SPDX-License-Identifier: Apache-2.0 */
/* claim.c - a persist dir for ourselves alone. */
#include "chroma/claim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "chroma/holders.h"
#include "chroma/index.h"

struct claim_stamp {
	char name[NAME_MAX + 32];	/* SEGMENT/header.bin */
	struct stat st;
};

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* ---- the index files ---- */

static int
by_name(const void *a, const void *b)
{
	const struct claim_stamp *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* All index files of all directories directly below, as they are now. */
static int
list_index_files(const struct claim *c, struct buf *list, struct err *e)
{
	struct claim_stamp s;
	struct dirent *d;
	int i, fd = openat(c->pd.dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		err_system(e, "%s", err_tail(c->pd.dir));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while ((d = readdir(dir))) {
		if (d->d_name[0] == '.' || d->d_type == DT_REG)
			continue;
		for (i = 0; i < INDEX_FILES; i++) {
			memset(&s, 0, sizeof(s));
			snprintf(s.name, sizeof(s.name), "%s/%s", d->d_name,
			    index_file_name[i]);
			if (fstatat(c->pd.dirfd, s.name, &s.st, 0) == 0)
				buf_add(list, &s, sizeof(s));
		}
	}
	closedir(dir);
	if (!buf_ok(list))
		return err_nomem(e);
	if (list->len)
		qsort(list->p, list->len / sizeof(s), sizeof(s), by_name);
	return 0;
}

int
claim_stamp(struct claim *c, struct err *e)
{
	struct buf list = { 0 };

	if (list_index_files(c, &list, e) < 0) {
		buf_release(&list);
		return -1;
	}
	free(c->stamp);
	c->stamps = list.len / sizeof(struct claim_stamp);
	c->stamp = malloc(list.len + 1);
	if (c->stamp && list.len)
		memcpy(c->stamp, list.p, list.len);
	else if (!c->stamp)
		c->stamps = 0;
	buf_release(&list);
	return c->stamp ? 0 : err_nomem(e);
}

static bool
same_state(const struct stat *a, const struct stat *b)
{
	return same_file(a, b) && a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* No index file came, went or changed since they were stamped. */
static int
compare_stamps(const struct claim *c, const struct claim_stamp *now, size_t n,
    struct err *e)
{
	size_t i;

	for (i = 0; i < n && i < c->stamps; i++)
		if (by_name(&c->stamp[i], &now[i]) != 0 ||
		    !same_state(&c->stamp[i].st, &now[i].st))
			break;
	if (i == n && i == c->stamps)
		return 0;
	return err_busy(e, "%s/%s changed while we worked: something writes to "
	    "this directory; stop it first", err_tail(c->pd.dir),
	    i < c->stamps ? c->stamp[i].name : now[i].name);
}

/* ---- who else is there ---- */

static int
hidden(const struct claim *c, const char *name, struct err *e)
{
	return err_busy(e, "%s is in use: a process that /proc does not show "
	    "here (in a container?) has %s open; stop it first",
	    err_tail(c->pd.dir), name);
}

/* Try a lease on each file.  The database is opened by hand for its own only
 * while SQLite does not have it (with_db), and never under another name. */
static int
try_leases(const struct claim *c, const struct claim_stamp *s, size_t n,
    bool with_db, bool *unknown, struct err *e)
{
	enum lease lease;
	size_t i;
	int fd;

	if (with_db) {
		lease = holders_lease(c->fd);
		if (lease == LEASE_HELD)
			return hidden(c, PERSIST_FILE, e);
		*unknown |= lease == LEASE_UNKNOWN;
	} else
		*unknown |= holders_remote(c->fd);
	for (i = 0; i < n; i++) {
		if (!S_ISREG(s[i].st.st_mode) ||
		    same_file(&s[i].st, &c->pd.st))
			continue;
		fd = openat(c->pd.dirfd, s[i].name,
		    O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0) {
			*unknown |= errno != ENOENT;
			continue;
		}
		lease = holders_lease(fd);
		close(fd);
		if (lease == LEASE_HELD)
			return hidden(c, s[i].name, e);
		*unknown |= lease == LEASE_UNKNOWN;
	}
	return 0;
}

/* Leases could not say: does /proc?  0, or -1 with *e set. */
static int
proc_suffices(const struct claim *c, const struct holders *h, bool no_proc,
    struct err *e)
{
	char why[96];

	if (holders_remote(c->fd))
		snprintf(why, sizeof(why), "it is on a network or FUSE file "
		    "system, where others can have it open");
	else if (no_proc)
		snprintf(why, sizeof(why), "there is no /proc here");
	else if (h->unseen > 0)
		snprintf(why, sizeof(why), "%zu process%s may not be looked "
		    "at by this user", h->unseen, h->unseen == 1 ? "" : "es");
	else if (holders_confined())
		snprintf(why, sizeof(why), "/proc shows the processes of this "
		    "container only");
	else
		return 0;
	return err_busy(e, "whether another process has %s open cannot be "
	    "told: %s; stop Chroma and say so with --assume-stopped",
	    err_tail(c->pd.dir), why);
}

/* 0: nobody.  1: somebody, *e says who.  -1 with *e set: it cannot be told, or
 * an error. */
static int
look(const struct claim *c, bool with_db, const struct claim_stamp *files,
    size_t n, struct err *e)
{
	struct holders h;
	bool unknown = false, no_proc;

	no_proc = holders_find(c->pd.dir, &h, e) < 0;
	if (no_proc && access("/proc/self", F_OK) == 0)
		return -1;		/* no memory, or the directory */
	if (h.n > 0) {
		holders_seen(&h, c->pd.dir, e);
		return 1;
	}
	if (try_leases(c, files, n, with_db, &unknown, e) < 0)
		return 1;
	return unknown && !c->assume_stopped ?
	    proc_suffices(c, &h, no_proc, e) : 0;
}

static int
look_around(const struct claim *c, bool with_db, bool stamps, struct err *e)
{
	struct buf list = { 0 };
	const struct claim_stamp *files;
	size_t n;
	int r = -1;

	if (list_index_files(c, &list, e) == 0) {
		files = (const struct claim_stamp *)(const void *)list.p;
		n = list.len / sizeof(*files);
		r = look(c, with_db, files, n, e);
		if (r == 0 && stamps && compare_stamps(c, files, n, e) < 0)
			r = 1;
	}
	buf_release(&list);
	return r;
}

/* The name still leads to the file that we have. */
static int
still_there(const struct claim *c, struct err *e)
{
	struct stat now;

	if (stat(c->pd.file, &now) < 0 || !same_file(&now, &c->pd.st))
		return err_busy(e, "%s was replaced while we worked; try again",
		    err_tail(c->pd.file));
	return 0;
}

int
claim_look(struct claim *c, struct err *e)
{
	return look_around(c, false, c->stamp != NULL, e) != 0 ||
	    still_there(c, e) < 0 ? -1 : 0;
}

/* ---- opening ---- */

/* The directory of the real file, and the file itself. */
static int
open_file(struct claim *c, struct err *e)
{
	char *slash = strrchr(c->pd.real, '/');
	char *dir = strndup(c->pd.real, slash == c->pd.real ? 1 :
	    (size_t)(slash - c->pd.real));
	struct stat st;

	if (!dir)
		return err_nomem(e);
	c->realdir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	/* SQLite would open a file that may not be written for reading, and
	 * would miss the journal's place in the midst of a change */
	if (c->realdir < 0 ||
	    faccessat(c->realdir, ".", W_OK, AT_EACCESS) < 0)
		return err_system(e, "%s: its directory cannot be written to",
		    err_tail(c->pd.file));
	c->fd = open(c->pd.real, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (c->fd < 0 || fstat(c->fd, &st) < 0)
		return err_system(e, "%s", err_tail(c->pd.file));
	if (!same_file(&st, &c->pd.st)) {
		err_busy(e, "%s was replaced at this moment; try again",
		    err_tail(c->pd.file));
		return 1;
	}
	return 0;
}

/* A lock of our own kind, so that two of our programs know of one another when
 * the names change places, too: the new file has it before it gets the name.
 * Over a network flock() may be a lock of SQLite's kind, which would then find
 * the file locked. */
static int
lock_for_us(int fd)
{
	return holders_remote(fd) ? 0 : flock(fd, LOCK_EX | LOCK_NB);
}

/* What a dead run left may be another name of the database itself: it is
 * removed while SQLite does not have that open. */
static int
sweep_and_lock(struct claim *c, struct err *e)
{
	file_sweep(c->realdir, PERSIST_FILE);
	if (lock_for_us(c->fd) == 0 || errno != EWOULDBLOCK)
		return 0;
	err_busy(e, "%s is in use by another program of chromautils: let it "
	    "end first", err_tail(c->pd.dir));
	return 1;
}

static int
lock_it(struct claim *c, struct err *e)
{
	/* locking_mode before the first access: a database in SQLite-WAL mode
	 * then needs no -shm.  Debian's SQLite zeroes what is deleted. */
	return db_exec(&c->pd.db, "PRAGMA locking_mode=EXCLUSIVE", e) < 0 ||
	    db_exec(&c->pd.db, "PRAGMA foreign_keys=OFF", e) < 0 ||
	    db_exec(&c->pd.db, "PRAGMA secure_delete=OFF", e) < 0 ||
	    db_exec(&c->pd.db, "PRAGMA synchronous=FULL", e) < 0 ||
	    db_exec(&c->pd.db, "BEGIN EXCLUSIVE", e) < 0 ||
	    db_exec(&c->pd.db, "COMMIT", e) < 0 ? -1 : 0;
}

/* The journal of a transaction that was killed: SQLite applies it and removes
 * it, but in locking_mode EXCLUSIVE it would only empty it. */
static int
apply_journal(struct claim *c, struct err *e)
{
	struct stat st;
	int64_t n;

	return persist_beside(&c->pd, "-journal", &st) ? db_int(&c->pd.db,
	    "SELECT count(*) FROM sqlite_master", &n, e) : 0;
}

/* One that is there now, under our lock, is empty, and nobody's: it has no
 * business beside another file. */
static void
drop_dead_journal(struct claim *c)
{
	struct stat st;
	char *name;

	if (persist_beside(&c->pd, "-journal", &st) &&
	    asprintf(&name, "%s-journal", c->pd.real) >= 0) {
		unlink(name);
		free(name);
	}
}

/* 1 for wal, 0 for another journal mode, -1 with *e set. */
static int
in_wal_mode(struct db *db, const char *pragma, struct err *e)
{
	struct db_stmt st;
	int got;

	if (db_prepare(db, &st, pragma, e) < 0)
		return -1;
	got = db_step(&st, e);
	if (got > 0)
		got = slice_is(db_col_text(&st, 0), "wal");
	db_finish(&st);
	return got;
}

/* 0; 1: busy, *e says by whom; -1 with *e set. */
static int
try(struct claim *c, const char *path, int wait_ms, struct err *e)
{
	int r;

	if (persist_find(&c->pd, path, e) < 0)
		return -1;
	r = open_file(c, e);
	if (r == 0)
		r = look_around(c, true, false, e);
	if (r == 0)
		r = sweep_and_lock(c, e);
	if (r != 0)
		return r;
	(void)persist_beside(&c->pd, "-wal", &c->wal);
	if (db_open(&c->pd.db, c->pd.real, c->pd.file, DB_WRITE,
	    wait_ms, e) < 0)
		return -1;
	if (apply_journal(c, e) < 0 || lock_it(c, e) < 0)
		return e->status == STATUS_BUSY ? 1 : -1;
	r = in_wal_mode(&c->pd.db, "PRAGMA journal_mode", e);
	if (r < 0)
		return -1;
	c->sqlite_wal = r > 0;
	drop_dead_journal(c);
	if (still_there(c, e) < 0)
		return 1;
	/* applying a journal has changed it */
	if (stat(c->pd.real, &c->pd.st) < 0)
		return err_system(e, "%s", err_tail(c->pd.file));
	return look_around(c, false, false, e);
}

static void
clear(struct claim *c, bool assume_stopped)
{
	*c = (struct claim){ .fd = -1, .realdir = -1, .newfd = -1,
	    .assume_stopped = assume_stopped };
	c->pd.dirfd = -1;
}

int
claim_open(struct claim *c, const char *path, const struct claim_options *o,
    struct err *e)
{
	const struct timespec pause = { .tv_nsec = CLAIM_RETRY_MS * 1000000L };
	int64_t end = clock_ms() + o->wait_ms;
	int r;

	for (;;) {
		clear(c, o->assume_stopped);
		r = try(c, path, o->wait_ms < CLAIM_RETRY_MS ? o->wait_ms :
		    CLAIM_RETRY_MS, e);
		if (r == 0)
			return 0;
		claim_close(c);
		if (r < 0 || clock_ms() >= end)
			return -1;
		nanosleep(&pause, NULL);
	}
}

int
claim_read(struct persist *pd, const char *path,
    const struct persist_options *o, struct err *e)
{
	struct holders h;

	if (persist_open(pd, path, o, e) < 0 ||
	    holders_find(pd->dir, &h, e) < 0)
		return -1;
	return h.n > 0 ? holders_seen(&h, pd->dir, e) : 0;
}

/* ---- a replacement ---- */

static bool
side_file(const struct claim *c, const char **suffix)
{
	static const char *const all[] = { "-journal", "-wal", "-shm" };
	struct stat st;
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (persist_beside(&c->pd, all[i], &st)) {
			*suffix = all[i];
			return true;
		}
	return false;
}

/* In locking_mode EXCLUSIVE SQLite keeps an empty journal lying there: let go
 * once, and look again. */
static int
lock_anew(struct claim *c, struct err *e)
{
	int64_t n;

	return db_exec(&c->pd.db, "PRAGMA locking_mode=NORMAL", e) < 0 ||
	    db_int(&c->pd.db, "SELECT count(*) FROM sqlite_master", &n,
	    e) < 0 || lock_it(c, e) < 0 || claim_look(c, e) < 0 ? -1 : 0;
}

int
claim_rollback_mode(struct claim *c, struct err *e)
{
	const char *suffix;
	char *shm;
	int r;

	if (!c->sqlite_wal)
		return 0;
	if (db_exec(&c->pd.db, "PRAGMA wal_checkpoint(TRUNCATE)", e) < 0)
		return -1;
	r = in_wal_mode(&c->pd.db, "PRAGMA journal_mode=DELETE", e);
	if (r == 0) {
		c->rollback_mode = true;
		r = lock_anew(c, e);
	} else if (r > 0)
		return err_fail(e, "%s: it could not be taken out of SQLite's "
		    "WAL mode", err_tail(c->pd.file));
	if (r < 0)
		return -1;
	r = in_wal_mode(&c->pd.db, "PRAGMA journal_mode", e);
	if (r != 0)
		return r < 0 ? -1 : err_busy(e, "%s was put into SQLite's WAL "
		    "mode by another process", err_tail(c->pd.file));
	/* what is left of a -shm means nothing without a -wal */
	if (asprintf(&shm, "%s-shm", c->pd.real) < 0)
		return err_nomem(e);
	unlink(shm);
	free(shm);
	if (side_file(c, &suffix))
		return err_fail(e, "%s%s is still there", err_tail(c->pd.real),
		    suffix);
	return 0;
}

/* 1: yes; 0: no, *e says why. */
static int
replaceable(const struct claim *c, struct err *e)
{
	struct statx sx;
	struct stat own, its;

	if (statx(AT_FDCWD, c->pd.real, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS,
	    &sx) == 0 && (sx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) &&
	    (sx.stx_attributes & STATX_ATTR_MOUNT_ROOT)) {
		err_fail(e, "%s is a mount point", err_tail(c->pd.real));
		return 0;
	}
	if (fstat(c->realdir, &own) == 0 && fstat(c->fd, &its) == 0 &&
	    own.st_dev != its.st_dev) {
		err_fail(e, "%s is on another file system than its directory",
		    err_tail(c->pd.real));
		return 0;
	}
	return 1;
}

static void
drop_replacement(struct claim *c)
{
	if (c->tmp)
		unlinkat(c->realdir, c->tmp, 0);
	if (c->newfd >= 0)
		close(c->newfd);
	free(c->tmp);
	c->tmp = NULL;
	c->newfd = -1;
}

int
claim_replacement(struct claim *c, char **path, int *fd, struct err *e)
{
	const char *slash = strrchr(c->pd.real, '/');

	drop_replacement(c);
	if (!replaceable(c, e))
		return 0;
	c->tmp = file_tmp_name(PERSIST_FILE);
	if (!c->tmp)
		return err_nomem(e);
	c->newfd = openat(c->realdir, c->tmp,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (c->newfd < 0) {
		err_system(e, "%s: making a replacement",
		    err_tail(c->pd.file));
		free(c->tmp);		/* not ours to remove */
		c->tmp = NULL;
		return -1;
	}
	(void)lock_for_us(c->newfd);
	if (file_like(c->newfd, c->fd, e) < 0) {
		drop_replacement(c);
		err_in(e, err_tail(c->pd.file));
		return 0;
	}
	if (asprintf(path, "%.*s/%s", (int)(slash - c->pd.real), c->pd.real,
	    c->tmp) < 0) {
		drop_replacement(c);
		return err_nomem(e);
	}
	*fd = c->newfd;
	return 1;
}

/* ---- putting it in place ---- */

/* How the two names change places.  Without RENAME_EXCHANGE (not every file
 * system has it) the old file gets a second name first: spare. */
struct swap {
	const char *name;	/* of the real file in realdir */
	char spare[64];		/* "" where the exchange works */
};

static int
swap_in(const struct claim *c, struct swap *s)
{
	s->spare[0] = '\0';
	if (renameat2(c->realdir, c->tmp, c->realdir, s->name,
	    RENAME_EXCHANGE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP)
		return -1;
	snprintf(s->spare, sizeof(s->spare), "%.48s-old", c->tmp);
	if (linkat(c->realdir, s->name, c->realdir, s->spare, 0) < 0) {
		s->spare[0] = '\0';
		return -1;
	}
	if (renameat(c->realdir, c->tmp, c->realdir, s->name) < 0) {
		int why = errno;

		unlinkat(c->realdir, s->spare, 0);
		errno = why;
		return -1;
	}
	return 0;
}

/* 0; 1: done, but the disk does not confirm it; -1 with errno. */
static int
swap_back(const struct claim *c, const struct swap *s)
{
	int r = s->spare[0] ?
	    renameat(c->realdir, s->spare, c->realdir, s->name) :
	    renameat2(c->realdir, c->tmp, c->realdir, s->name,
	    RENAME_EXCHANGE);

	return r < 0 ? -1 : fsync(c->realdir) < 0;
}

/* What must hold before the names change places. */
static int
ready(const struct claim *c, const char *path, struct err *e)
{
	const char *suffix, *slash = strrchr(path, '/');
	struct stat st, own;

	if (!c->tmp || !slash || strcmp(slash + 1, c->tmp) != 0 ||
	    fstatat(c->realdir, c->tmp, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstat(c->newfd, &own) < 0 || !same_file(&st, &own))
		return err_busy(e, "%s: its replacement %s is not there any "
		    "more", err_tail(c->pd.file), err_tail(path));
	if (side_file(c, &suffix))
		return err_fail(e, "%s%s lies beside the database: SQLite "
		    "would take it for the new file's", err_tail(c->pd.real),
		    suffix);
	if (fsync(c->newfd) < 0)
		return err_system(e, "%s: fsync", err_tail(path));
	return still_there(c, e);
}

/* A second name for the old file.  Nothing has changed if that fails. */
static int
make_backup(const struct claim *c, const char *name, const char *backup,
    struct err *e)
{
	const char *slash = strrchr(backup, '/');
	char *dir = slash == backup ? strdup("/") : slash ?
	    strndup(backup, (size_t)(slash - backup)) : strdup(".");
	int fd, r = 0;

	if (!dir)
		return err_nomem(e);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	if (fd < 0)
		return err_system(e, "%s", err_tail(backup));
	if (linkat(c->realdir, name, AT_FDCWD, backup, 0) < 0)
		r = errno == EEXIST ? err_usage(e, "%s exists",
		    err_tail(backup)) : err_system(e, "%s: keeping the old "
		    "file under this name", err_tail(backup));
	else if (fsync(fd) < 0) {
		r = err_system(e, "%s: fsync of its directory",
		    err_tail(backup));
		unlink(backup);
	}
	close(fd);
	return r;
}

/* The bytes that SQLite locks (sqlite.org/lockingv3.html: 512 from 1 GiB on),
 * for this descriptor: it is neither in the way of SQLite's own locks nor lost
 * when another descriptor is closed.  -1 with errno. */
static int
lock_bytes(int fd, short type)
{
	struct flock all = { .l_type = type, .l_whence = SEEK_SET,
	    .l_start = 0x40000000, .l_len = 512 };

	return fcntl(fd, F_OFD_SETLK, &all);
}

/* Nobody may write to the new file before it is certain that it stays: that
 * would be lost with it. */
static int
hold_new(const struct claim *c, struct err *e)
{
	if (lock_bytes(c->newfd, F_WRLCK) == 0 ||
	    (errno != EAGAIN && errno != EACCES))
		return 0;
	return err_busy(e, "%s: somebody has its replacement %s open",
	    err_tail(c->pd.file), c->tmp);
}

/* Whom /proc does not show.  Our own descriptors are in the way of a lease, so
 * SQLite gives up its one, and its lock with it; the same bytes are locked
 * again for the descriptor that is left, lest somebody who waits for them
 * writes to the old file. */
static int
look_for_hidden(struct claim *c, struct err *e)
{
	db_close(&c->pd.db);
	if (c->pd.db.h)			/* a statement is left */
		return 0;
	if ((lock_bytes(c->fd, F_WRLCK) < 0 &&
	    (errno == EAGAIN || errno == EACCES)) ||
	    holders_lease(c->fd) == LEASE_HELD)
		return hidden(c, "the old " PERSIST_FILE, e);
	return 0;
}

/* The new file has the name: is somebody left who has the old one? */
static int
look_behind(struct claim *c, struct err *e)
{
	struct holders h;

	if (holders_of(&c->pd.st, &h, e) < 0) {
		if (access("/proc/self", F_OK) == 0)
			return -1;
	} else if (h.n > 0)
		return holders_seen(&h, c->pd.dir, e);
	return look_for_hidden(c, e);
}

/* Say what became of the names after a failure, which *e says. */
static int
undo(struct claim *c, const struct swap *s, struct err *e)
{
	const struct err why = *e;
	const char *other = s->spare[0] ? s->spare : c->tmp;
	int r = swap_back(c, s);

	if (r == 0) {
		/* who waits for the new file must not write to it, once it
		 * has no name: it finds no tables in it */
		(void)!ftruncate(c->newfd, 0);
		return -1;
	}
	/* both are complete; after a power cut either may have the name */
	if (r > 0)
		err_fail(e, "%.300s; the old file is in its place again, but "
		    "the disk did not confirm that: see to the disk",
		    why.msg);
	else
		err_system(e, "%.300s; and the old file, which is %s in its "
		    "directory now, could not be put back: move it away first, "
		    "as the next run would remove it", why.msg, other);
	e->status = STATUS_SYSTEM;
	free(c->tmp);		/* never to be removed */
	c->tmp = NULL;
	return -1;
}

int
claim_replace(struct claim *c, const char *path, const char *backup,
    struct err *e)
{
	struct swap s = { .name = strrchr(c->pd.real, '/') + 1 };
	int r;

	if (ready(c, path, e) < 0 || hold_new(c, e) < 0 ||
	    (backup && make_backup(c, s.name, backup, e) < 0))
		return -1;
	if (swap_in(c, &s) < 0)
		r = err_system(e, "%s: putting the new file in its place",
		    err_tail(c->pd.file));
	else if (fsync(c->realdir) < 0) {
		err_system(e, "%s: fsync of its directory",
		    err_tail(c->pd.file));
		r = undo(c, &s, e);
	} else {
		r = look_behind(c, e);
		if (r < 0)
			r = undo(c, &s, e);
	}
	if (r < 0) {
		if (backup && c->tmp)
			unlink(backup);
		return -1;
	}
	c->replaced = true;
	lock_bytes(c->newfd, F_UNLCK);
	unlinkat(c->realdir, s.spare[0] ? s.spare : c->tmp, 0);
	free(c->tmp);
	c->tmp = NULL;
	return 0;
}

/* A file that was to be replaced, and was not, is put back into its mode; as
 * far as that can be done now. */
static void
restore_mode(struct claim *c)
{
	struct err ignored;

	if (!c->pd.db.h) {		/* look_for_hidden() closed it */
		lock_bytes(c->fd, F_UNLCK);
		if (db_open(&c->pd.db, c->pd.real, c->pd.file, DB_WRITE,
		    CLAIM_RETRY_MS, &ignored) < 0)
			return;
	}
	(void)in_wal_mode(&c->pd.db, "PRAGMA journal_mode=WAL", &ignored);
}

/* With locking_mode=EXCLUSIVE SQLite keeps the journal of a transaction that is
 * over, its header zeroed: harmless, but not ours to leave behind.  (It may as
 * well be one that could not be rolled back: only SQLite can tell.) */
static void
drop_own_journal(struct claim *c)
{
	struct stat st;
	struct err ignored;

	if (c->pd.db.h && !c->replaced &&
	    persist_beside(&c->pd, "-journal", &st))
		(void)!db_exec(&c->pd.db, "PRAGMA locking_mode=NORMAL; "
		    "PRAGMA journal_mode=PERSIST; PRAGMA journal_mode=DELETE",
		    &ignored);
}

void
claim_close(struct claim *c)
{
	struct stat wal;

	drop_own_journal(c);
	if (c->rollback_mode && !c->replaced)
		restore_mode(c);
	if (c->pd.db.h) {
		if (!persist_beside(&c->pd, "-wal", &wal) ||
		    !same_state(&c->wal, &wal))
			db_checkpoint_on_close(&c->pd.db);
	}
	drop_replacement(c);
	persist_close(&c->pd);
	if (c->fd >= 0)
		close(c->fd);		/* only now: it takes locks with it */
	if (c->realdir >= 0)
		close(c->realdir);
	free(c->stamp);
	clear(c, false);
}
