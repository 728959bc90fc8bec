/* SPDX-License-Identifier: Apache-2.0 */
/* t_claim - a persist dir for ourselves alone: who is in the way, what stays
 * as it was, and a replacement that is there whole or not at all. */
#include "chroma/claim.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>

#include "../scratch.h"
#include "../tap.h"

#define SEGMENT "11111111-2222-4333-8444-555555555555"

static const struct claim_options now = { 0 };

/* ---- the system calls of a replacement, to be failed and died in ---- */

static bool no_exchange;	/* as a file system without it */
static bool no_rename;
static const char *intrude;	/* opened by somebody while we lock */
static pid_t intruder;
static int die_at = -1;		/* at this call; even: before it, odd: after */

static const char *watched;	/* a database that others open as soon as */
static char seen[64];		/* ... it has its name: what they find */
static const char *value(const char *path);

static void
look_at_new(void)
{
	if (watched)
		snprintf(seen, sizeof(seen), "%s", value(watched));
	watched = NULL;
}

static void
before(void)
{
	if (die_at >= 0 && die_at-- == 0)
		_exit(99);
}

int
renameat2(int d1, const char *from, int d2, const char *to, unsigned flags)
{
	int r;

	if (no_exchange) {
		errno = EINVAL;
		return -1;
	}
	before();
	r = (int)syscall(SYS_renameat2, d1, from, d2, to, flags);
	look_at_new();
	before();
	return r;
}

int
renameat(int d1, const char *from, int d2, const char *to)
{
	int r;

	if (no_rename) {
		errno = EIO;
		return -1;
	}
	before();
	r = (int)syscall(SYS_renameat2, d1, from, d2, to, 0);
	look_at_new();
	before();
	return r;
}

int
linkat(int d1, const char *from, int d2, const char *to, int flags)
{
	int r;

	before();
	r = (int)syscall(SYS_linkat, d1, from, d2, to, flags);
	before();
	return r;
}

int
unlinkat(int d, const char *name, int flags)
{
	int r;

	before();
	r = (int)syscall(SYS_unlinkat, d, name, flags);
	before();
	return r;
}

static pid_t hold(const char *path);

int
flock(int fd, int how)
{
	if (intrude)
		intruder = hold(intrude);
	intrude = NULL;
	return (int)syscall(SYS_flock, fd, how);
}

/* ---- a directory, and others who have it ---- */

static void
sql(const char *path, const char *text)
{
	sqlite3 *db;
	char *why = NULL;

	if (sqlite3_open(path, &db) != SQLITE_OK ||
	    sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
		scratch_die(why ? why : path);
	sqlite3_close(db);
}

/* The value in the table, as another process finds it; "busy", "?". */
static const char *
value(const char *path)
{
	static char text[64];
	int to[2];
	ssize_t n;
	pid_t pid;

	if (pipe(to) < 0 || (pid = fork()) < 0)
		scratch_die("fork");
	if (pid == 0) {
		const char *v = "?";
		sqlite3_stmt *st = NULL;
		sqlite3 *db;
		int rc;

		sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
		rc = sqlite3_prepare_v2(db, "SELECT v FROM t", -1, &st, NULL);
		if (rc == SQLITE_OK)
			rc = sqlite3_step(st);
		if (rc == SQLITE_BUSY)
			v = "busy";
		else if (rc == SQLITE_ROW)
			v = (const char *)sqlite3_column_text(st, 0);
		rc = write(to[1], v, strlen(v) + 1) < 0;
		sqlite3_finalize(st);
		sqlite3_close(db);
		_exit(rc);
	}
	close(to[1]);
	n = file_read(to[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	close(to[0]);
	waitpid(pid, NULL, 0);
	return text;
}

static bool
is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static char dir[512], file[600], header[700];

/* A new directory, its database in the journal mode given. */
static void
fresh(const char *mode)
{
	static int n;
	char name[32], text[600];

	snprintf(name, sizeof(name), "p%d", n++);
	snprintf(dir, sizeof(dir), "%s", scratch_path(name));
	snprintf(file, sizeof(file), "%s/" PERSIST_FILE, dir);
	snprintf(text, sizeof(text), "%s/" SEGMENT, dir);
	snprintf(header, sizeof(header), "%s/header.bin", text);
	if (mkdir(dir, 0777) < 0 || mkdir(text, 0777) < 0)
		scratch_die(dir);
	scratch_write(header, slice_str("header"));
	snprintf(text, sizeof(text), "PRAGMA journal_mode=%s; "
	    "CREATE TABLE t (v); INSERT INTO t VALUES ('old')", mode);
	sql(file, text);
}

/* Names in the directory of the database and its bytes. */
static void
picture(const char *where, const char *db, struct buf *b)
{
	DIR *dp = opendir(where);
	struct dirent *d;
	unsigned long names = 0, k;
	const char *p;

	buf_reset(b);
	while (dp && (d = readdir(dp))) {	/* in no order */
		for (k = 5381, p = d->d_name; *p; p++)
			k = k * 33 + (unsigned char)*p;
		names += k;
	}
	if (dp)
		closedir(dp);
	buf_addf(b, "%lu:", names);
	scratch_read(db, b);
}

/* A process that has path open, until let_go(). */
static pid_t
hold(const char *path)
{
	int ready[2];
	pid_t pid;
	char x;

	if (pipe(ready) < 0 || (pid = fork()) < 0)
		scratch_die("fork");
	if (pid == 0) {
		if (open(path, O_RDONLY) >= 0 && write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	if (read(ready[0], &x, 1) != 1)
		scratch_die(path);
	close(ready[0]);
	return pid;
}

static void
let_go(pid_t pid)
{
	if (pid <= 0)		/* kill(2) would end more than that */
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* "PID (COMMAND)" of a child, as messages have it. */
static const char *
named(pid_t c)
{
	static char text[64];

	snprintf(text, sizeof(text), "%ld (t_claim)", (long)c);
	return text;
}

static bool
busy_with(const struct err *e, pid_t c)
{
	char want[1200];

	snprintf(want, sizeof(want), "%s is in use by %s: stop it first", dir,
	    named(c));
	if (e->status == STATUS_BUSY && is(e->msg, want))
		return true;
	printf("# %d %s\n# wanted %s\n", e->status, e->msg, want);
	return false;
}

static void
must_open(struct claim *c)
{
	struct err e;

	if (claim_open(c, dir, &now, &e) < 0)
		scratch_die(e.msg);
}

/* ---- opening changes nothing ---- */

static void
test_unchanged(const char *mode)
{
	struct buf a = { 0 }, b = { 0 };
	struct claim c;
	struct err e;
	int64_t n = 0;
	int r;

	fresh(mode);
	picture(dir, file, &a);
	r = claim_open(&c, dir, &now, &e);
	ok(r == 0, "%s: claimed", mode);
	if (r < 0)
		printf("# %s\n", e.msg);
	ok(c.sqlite_wal == is(mode, "wal"), "%s: known", mode);
	ok(is(value(file), "busy"), "%s: locked for others", mode);
	ok(db_int(&c.pd.db, "SELECT count(*) FROM t", &n, &e) == 0 && n == 1,
	    "%s: read", mode);
	ok(is(value(file), "busy"), "%s: locked after a read", mode);
	ok(claim_stamp(&c, &e) == 0 && c.stamps == 1 && claim_look(&c, &e) == 0,
	    "%s: nobody came", mode);
	ok(is(value(file), "busy"), "%s: locked after a look", mode);
	claim_close(&c);
	picture(dir, file, &b);
	ok(slice_eq(buf_slice(&a), buf_slice(&b)), "%s: nothing changed", mode);
	ok(is(value(file), "old"), "%s: open for others again", mode);
	ok(claim_open(&c, file, &now, &e) == 0 &&
	    db_exec(&c.pd.db, "UPDATE t SET v = 'new'", &e) == 0,
	    "%s: changed", mode);
	ok(is(value(file), "busy"), "%s: locked after a change", mode);
	claim_close(&c);
	ok(is(value(file), "new"), "%s: the change is there", mode);
	picture(dir, file, &b);
	ok(strtoul(buf_str(&a), NULL, 10) == strtoul(buf_str(&b), NULL, 10),
	    "%s: no side file is left", mode);
	buf_release(&a);
	buf_release(&b);
}

/* A -wal with frames that a process left when it was killed. */
static void
test_frames(void)
{
	char from[800], to[800];
	struct buf a = { 0 }, b = { 0 }, wal = { 0 };
	struct claim c;
	struct err e;
	int64_t n = 0;
	pid_t pid;

	fresh("wal");
	pid = fork();
	if (pid == 0) {
		sqlite3 *db;

		sqlite3_open(file, &db);
		sqlite3_exec(db, "INSERT INTO t VALUES ('more')", NULL, NULL,
		    NULL);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	snprintf(from, sizeof(from), "%s-wal", file);
	snprintf(to, sizeof(to), "%s-shm", file);
	scratch_read(from, &wal);
	ok(wal.len > 0, "a -wal with frames");
	picture(dir, file, &a);
	must_open(&c);
	ok(c.sqlite_wal && db_int(&c.pd.db, "SELECT count(*) FROM t", &n,
	    &e) == 0 && n == 2, "its frames count");
	claim_close(&c);
	picture(dir, file, &b);
	ok(slice_eq(buf_slice(&a), buf_slice(&b)), "nothing changed");
	buf_reset(&b);
	scratch_read(from, &b);
	ok(slice_eq(buf_slice(&wal), buf_slice(&b)), "nor in the -wal");
	must_open(&c);
	ok(claim_rollback_mode(&c, &e) == 0, "to rollback mode");
	ok(access(from, F_OK) < 0 && access(to, F_OK) < 0, "nothing beside it");
	ok(is(value(file), "busy"), "still locked");
	ok(db_int(&c.pd.db, "SELECT count(*) FROM t", &n, &e) == 0 && n == 2,
	    "the frames are in it");
	claim_close(&c);
	must_open(&c);
	ok(c.sqlite_wal, "a file that was not replaced is in WAL mode again");
	claim_close(&c);
	ok(access(from, F_OK) < 0 && access(to, F_OK) < 0, "nothing left");
	/* again one with frames, and something is added */
	pid = fork();
	if (pid == 0) {
		sqlite3 *db;

		sqlite3_open(file, &db);
		sqlite3_exec(db, "INSERT INTO t VALUES ('more')", NULL, NULL,
		    NULL);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	must_open(&c);
	ok(db_exec(&c.pd.db, "DELETE FROM t WHERE v <> 'old'", &e) == 0,
	    "changed in SQLite-WAL mode");
	claim_close(&c);
	ok(access(from, F_OK) < 0, "is written back");
	ok(is(value(file), "old"), "and there");
	buf_release(&a);
	buf_release(&b);
	buf_release(&wal);
}

/* SQLite looks for side files whatever the header says. */
static void
test_strays(void)
{
	static const char *const suffix[] = { "-wal", "-shm", "-journal" };
	char path[800];
	struct buf a = { 0 }, b = { 0 };
	struct claim c;
	size_t i;

	for (i = 0; i < 3; i++) {
		fresh("delete");
		snprintf(path, sizeof(path), "%s%s", file, suffix[i]);
		scratch_write(path, slice_str(""));
		picture(dir, file, &a);
		must_open(&c);
		claim_close(&c);
		if (i == 2)		/* SQLite removes an empty journal */
			scratch_write(path, slice_str(""));
		picture(dir, file, &b);
		ok(slice_eq(buf_slice(&a), buf_slice(&b)),
		    "nothing changed beside an empty %s", suffix[i]);
	}
	buf_release(&a);
	buf_release(&b);
}

/* A transaction that was interrupted half way is rolled back. */
static void
test_hot_journal(void)
{
	char journal[800];
	struct claim c;
	struct stat st;
	pid_t pid;

	fresh("delete");
	sql(file, "CREATE TABLE big (x); WITH n(i) AS (SELECT 1 UNION ALL "
	    "SELECT i + 1 FROM n WHERE i < 500) INSERT INTO big "
	    "SELECT hex(zeroblob(500)) FROM n");
	pid = fork();
	if (pid == 0) {
		sqlite3 *db;

		sqlite3_open(file, &db);
		sqlite3_exec(db, "PRAGMA cache_size=5; BEGIN; "
		    "UPDATE t SET v = 'half'; UPDATE big SET x = x || 'y'",
		    NULL, NULL, NULL);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	snprintf(journal, sizeof(journal), "%s-journal", file);
	ok(stat(journal, &st) == 0 && st.st_size > 0, "a hot journal");
	must_open(&c);
	claim_close(&c);
	ok(is(value(file), "old") && access(journal, F_OK) < 0,
	    "is rolled back");
}

/* ---- who is in the way ---- */

static bool write_new(struct claim *c, char **path);
static bool gone(const char *where);

static void
test_holders(void)
{
	const struct claim_options patient = { .wait_ms = 20000 };
	const struct claim_options sure = { .assume_stopped = true };
	const struct timespec t = { .tv_nsec = 300000000 };
	pid_t k[7];
	struct claim c;
	struct err e;
	char tail[64];
	pid_t pid;
	int i, r;

	fresh("delete");
	k[0] = hold(file);
	r = claim_open(&c, dir, &now, &e);
	ok(r < 0 && busy_with(&e, k[0]), "who has the database");
	r = claim_open(&c, dir, &sure, &e);
	ok(r < 0 && busy_with(&e, k[0]), "whatever is assumed");
	pid = fork();
	if (pid == 0) {
		nanosleep(&t, NULL);
		kill(k[0], SIGKILL);
		_exit(0);
	}
	r = claim_open(&c, dir, &patient, &e);
	ok(r == 0, "waited for");
	claim_close(&c);
	waitpid(pid, NULL, 0);
	waitpid(k[0], NULL, 0);
	k[0] = hold(header);
	r = claim_open(&c, dir, &now, &e);
	ok(r < 0 && busy_with(&e, k[0]), "who has an index file");
	let_go(k[0]);
	for (i = 0; i < 7; i++)
		k[i] = hold(file);
	r = claim_open(&c, dir, &now, &e);
	snprintf(tail, sizeof(tail), "(t_claim) and 2 more: stop it first");
	ok(r < 0 && strlen(e.msg) > strlen(tail) &&
	    is(e.msg + strlen(e.msg) - strlen(tail), tail), "seven of them");
	for (i = 0; i < 7; i++)
		let_go(k[i]);
	must_open(&c);
	ok(claim_look(&c, &e) == 0, "nobody");
	k[0] = hold(file);
	ok(claim_look(&c, &e) < 0 && busy_with(&e, k[0]), "who came later");
	let_go(k[0]);
	claim_close(&c);
	intrude = file;
	r = claim_open(&c, dir, &now, &e);
	ok(r < 0 && busy_with(&e, intruder), "who came while we locked");
	let_go(intruder);
}

/* The lock that keeps others from taking a file of ours for a dead run's. */
static bool
marked(const char *path)
{
	int status, fd;
	pid_t pid = fork();

	if (pid == 0) {
		fd = open(path, O_RDONLY);
		_exit(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 &&
		    errno == EWOULDBLOCK);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status) == 1;
}

/* SQLite's lock, of a process that is seen, and our own. */
static void
test_locks(void)
{
	struct claim a, b;
	struct err e;
	char want[1200];
	int r, to[2];
	pid_t pid;

	fresh("delete");
	must_open(&a);
	if (pipe(to) < 0 || (pid = fork()) < 0)
		scratch_die("fork");
	if (pid == 0) {
		r = claim_open(&b, dir, &now, &e);
		_exit(r < 0 && write(to[1], e.msg, strlen(e.msg) + 1) > 0);
	}
	waitpid(pid, &r, 0);
	snprintf(want, sizeof(want), "%s is in use by %ld (t_claim): stop it "
	    "first", dir, (long)getpid());
	ok(WEXITSTATUS(r) == 1 && read(to[0], e.msg, sizeof(e.msg)) > 0 &&
	    is(e.msg, want), "of two claims the first counts");
	claim_close(&a);
	close(to[0]);
	close(to[1]);
}

/* Whoever opens a file while we try a lease makes the kernel signal us. */
static void
test_signals(void)
{
	struct claim c;
	struct err e;
	int i = 0, bad = 0;
	pid_t pid;

	fresh("delete");
	pid = fork();
	if (pid == 0)
		for (;;)
			close(open(i++ % 2 ? header : file, O_RDONLY));
	for (i = 0; i < 300; i++) {
		if (claim_open(&c, dir, &now, &e) == 0)
			claim_close(&c);
		else if (e.status != STATUS_BUSY) {
			bad++;
			printf("# %s\n", e.msg);
		}
	}
	let_go(pid);
	ok(bad == 0, "leases that are broken do no harm");
}

/* Run f in a process with a mount namespace of its own.  Its exit status; -1
 * if that cannot be had here. */
static int
apart(int (*f)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL,
		    MS_REC | MS_PRIVATE, NULL) < 0)
			_exit(77);
		_exit(f());
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) != 77 ?
	    WEXITSTATUS(status) : -1;
}

static bool
mentions(const struct err *e, const char *part)
{
	if (e->status == STATUS_BUSY && strstr(e->msg, part))
		return true;
	printf("# %d %s\n# wanted %s\n", e->status, e->msg, part);
	return false;
}

static int
with_empty_proc(void)
{
	struct claim c;
	struct err e;

	if (mount("none", "/proc", "tmpfs", 0, NULL) < 0)
		return 77;
	return claim_open(&c, dir, &now, &e) < 0 && mentions(&e,
	    " is in use: a process that /proc does not show here "
	    "(in a container?) has ") ? 0 : 1;
}

static int
replace_with_empty_proc(void)
{
	struct claim c;
	struct stat old, st;
	struct err e;
	char *path;
	pid_t k;
	bool was_wal;
	int bad;

	if (mount("none", "/proc", "tmpfs", 0, NULL) < 0)
		return 77;
	must_open(&c);
	was_wal = c.sqlite_wal;
	stat(file, &old);
	if (claim_rollback_mode(&c, &e) < 0 || !write_new(&c, &path))
		return 1;
	k = hold(file);
	bad = claim_replace(&c, path, NULL, &e) == 0 || !mentions(&e,
	    " (in a container?) has the old chroma.sqlite3 open; ") ||
	    stat(file, &st) < 0 || st.st_ino != old.st_ino ||
	    !is(value(file), "busy");
	claim_close(&c);
	let_go(k);
	if (bad || !is(value(file), "old") || !gone(dir))
		return 2;
	must_open(&c);
	bad = c.sqlite_wal != was_wal;
	claim_close(&c);
	return bad ? 3 : 0;
}

static int
with_empty_proc_alone(void)
{
	struct claim c;
	struct err e;

	if (mount("none", "/proc", "tmpfs", 0, NULL) < 0)
		return 77;
	return claim_open(&c, dir, &now, &e) == 0 ? 0 : 1;
}

static int
as_nobody(void)
{
	const struct claim_options sure = { .assume_stopped = true };
	struct claim c;
	struct err e;

	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 77;
	if (claim_open(&c, dir, &now, &e) == 0 || !mentions(&e, " open cannot "
	    "be told: ") || !mentions(&e, " may not be looked at by this user; "
	    "stop Chroma and say so with --assume-stopped"))
		return 1;
	if (claim_open(&c, dir, &sure, &e) < 0)
		return 2;
	claim_close(&c);
	return 0;
}

static void
report(int r, const char *name)
{
	if (r < 0)
		printf("ok %d - %s # SKIP no namespace of our own\n", ++tap_n,
		    name);
	else
		ok(r == 0, "%s", name);
}

static void
test_unseen(void)
{
	pid_t k;

	fresh("delete");
	k = hold(file);
	report(apart(with_empty_proc), "whom /proc does not show, the lease does");
	let_go(k);
	k = hold(header);
	report(apart(with_empty_proc), "the same for an index file");
	let_go(k);
	report(apart(with_empty_proc_alone), "a lease suffices without /proc");
	report(apart(replace_with_empty_proc),
	    "the lease shows who has the old file, which is put back");
	fresh("wal");
	report(apart(replace_with_empty_proc), "the same in SQLite-WAL mode");
	fresh("delete");
	if (chmod(scratch_dir(), 0755) < 0 || chmod(dir, 0777) < 0 ||
	    chmod(file, 0666) < 0)
		scratch_die(dir);
	report(geteuid() == 0 ? apart(as_nobody) : -1,
	    "neither says it: refused, unless assumed");
}

static void
test_stamps(void)
{
	struct claim c;
	struct err e;
	char pickle[700];

	fresh("delete");
	snprintf(pickle, sizeof(pickle), "%s/" SEGMENT
	    "/index_metadata.pickle", dir);
	must_open(&c);
	ok(claim_stamp(&c, &e) == 0 && claim_look(&c, &e) == 0, "as stamped");
	scratch_write(header, slice_str("HEADER"));
	ok(claim_look(&c, &e) < 0 && mentions(&e, SEGMENT "/header.bin changed "
	    "while we worked: "), "a file was written");
	ok(claim_stamp(&c, &e) == 0 && claim_look(&c, &e) == 0, "stamped anew");
	scratch_write(pickle, slice_str("p"));
	ok(claim_look(&c, &e) < 0 && mentions(&e, SEGMENT
	    "/index_metadata.pickle changed"), "a file came");
	ok(claim_stamp(&c, &e) == 0 && c.stamps == 2, "two files");
	unlink(pickle);
	ok(claim_look(&c, &e) < 0 && mentions(&e, SEGMENT
	    "/index_metadata.pickle changed"), "a file went");
	claim_close(&c);
	must_open(&c);
	snprintf(pickle, sizeof(pickle), "%s/other", dir);
	sql(pickle, "CREATE TABLE t (v)");
	rename(pickle, file);
	ok(claim_look(&c, &e) < 0 && mentions(&e, " was replaced while we "
	    "worked; try again"), "the database was replaced");
	claim_close(&c);
}

/* ---- replacing it ---- */

/* Write a new database where the claim wants it. */
static bool
write_new(struct claim *c, char **path)
{
	struct err e;
	int fd;

	if (claim_replacement(c, path, &fd, &e) != 1) {
		printf("# %s\n", e.msg);
		return false;
	}
	sql(*path, "PRAGMA journal_mode=OFF; CREATE TABLE t (v); "
	    "INSERT INTO t VALUES ('new')");
	return fsync(fd) == 0;
}

static bool
gone(const char *where)
{
	DIR *dp = opendir(where);
	struct dirent *d;
	bool found = false;

	while (dp && (d = readdir(dp)))
		found |= strstr(d->d_name, ".chromautils-") != NULL;
	if (dp)
		closedir(dp);
	return !found;
}

static void
test_replace(const char *how)
{
	char backup[800], *path = NULL;
	struct stat old, st;
	struct claim c;
	struct err e;
	char attr[8] = "";
	bool has;

	fresh("delete");
	snprintf(backup, sizeof(backup), "%s/kept", dir);
	has = setxattr(file, "user.test", "kept", 4, 0) == 0;
	if (chmod(file, 0641) < 0 || (geteuid() == 0 &&
	    chown(file, 1234, 2345) < 0) || stat(file, &old) < 0)
		scratch_die(file);
	must_open(&c);
	ok(write_new(&c, &path), "%s: a replacement", how);
	ok(is(value(file), "busy"), "%s: locked meanwhile", how);
	ok(marked(file) && marked(path), "%s: both are marked as ours", how);
	ok(claim_replace(&c, path, backup, &e) == 0, "%s: in place", how);
	claim_close(&c);
	ok(is(value(file), "new") && is(value(backup), "old"),
	    "%s: the new one, and the old one", how);
	ok(gone(dir), "%s: nothing left", how);
	ok(stat(backup, &st) == 0 && st.st_ino == old.st_ino,
	    "%s: a hard link", how);
	ok(stat(file, &st) == 0 && st.st_mode == old.st_mode &&
	    st.st_uid == old.st_uid && st.st_gid == old.st_gid,
	    "%s: owner and mode", how);
	ok(!has || (getxattr(file, "user.test", attr, 8) == 4 &&
	    is(attr, "kept")), "%s: attributes", how);
	free(path);
	must_open(&c);
	ok(write_new(&c, &path), "%s: another one", how);
	ok(claim_replace(&c, path, backup, &e) < 0 && e.status == STATUS_USAGE,
	    "%s: a backup is not replaced", how);
	claim_close(&c);
	ok(gone(dir) && is(value(file), "new"), "%s: as it was", how);
	free(path);
}

/* Somebody opened the old file after we claimed it. */
static void
test_put_back(const char *how, const char *mode)
{
	char backup[800], *path = NULL;
	struct stat old, st;
	struct claim c;
	pid_t k;
	struct err e;
	int r;

	fresh(mode);
	snprintf(backup, sizeof(backup), "%s/kept", dir);
	must_open(&c);
	ok(claim_rollback_mode(&c, &e) == 0, "%s: no other files", how);
	stat(file, &old);
	ok(write_new(&c, &path), "%s: a replacement", how);
	k = hold(file);
	watched = file;
	r = claim_replace(&c, path, backup, &e);
	ok(r < 0 && busy_with(&e, k), "%s: somebody has the old file", how);
	ok(is(seen, "busy"), "%s: nobody could write to the new one", how);
	ok(stat(path, &st) < 0 || st.st_size == 0,
	    "%s: which has no tables any more", how);
	ok(stat(file, &st) == 0 && st.st_ino == old.st_ino,
	    "%s: which has its name again", how);
	ok(access(backup, F_OK) < 0, "%s: and no other", how);
	claim_close(&c);
	let_go(k);
	ok(gone(dir) && is(value(file), "old"), "%s: nothing left", how);
	free(path);
	must_open(&c);
	ok(c.sqlite_wal == is(mode, "wal"), "%s: in its mode", how);
	claim_close(&c);
}

/* Die before and after each call that changes a name. */
static void
test_killed(const char *how)
{
	char backup[800], *path;
	struct claim c;
	struct err e;
	const char *v;
	int n, status, bad = 0;
	bool old = false, new = false;
	pid_t pid;

	for (n = 0, status = 99; status == 99 && n < 100; n++) {
		fresh("delete");
		snprintf(backup, sizeof(backup), "%s/kept", dir);
		pid = fork();
		if (pid == 0) {
			must_open(&c);
			if (!write_new(&c, &path))
				_exit(1);
			die_at = n;
			if (claim_replace(&c, path, backup, &e) < 0)
				_exit(2);
			claim_close(&c);
			_exit(0);
		}
		waitpid(pid, &status, 0);
		status = WEXITSTATUS(status);
		v = value(file);
		old |= is(v, "old");
		new |= is(v, "new");
		if (!is(v, "old") && !is(v, "new")) {
			bad++;
			printf("# killed at %d: %s\n", n, v);
		}
		if (claim_open(&c, dir, &now, &e) < 0) {
			bad++;
			printf("# killed at %d: %s\n", n, e.msg);
			continue;
		}
		bad += !is(value(file), "busy");
		claim_close(&c);
		bad += !gone(dir);
	}
	ok(status == 0 && bad == 0 && old && new && n > 6,
	    "%s: killed at any of %d moments", how, n - 1);
}

static void
test_symlink(void)
{
	char data[600], real[700], shm[800], *path = NULL;
	struct stat st;
	struct claim c;
	pid_t k;
	struct err e;

	fresh("delete");
	snprintf(data, sizeof(data), "%s-data", dir);
	snprintf(real, sizeof(real), "%s/x.sqlite3", data);
	if (mkdir(data, 0777) < 0 || rename(file, real) < 0 ||
	    symlink(real, file) < 0)
		scratch_die(real);
	k = hold(real);
	ok(claim_open(&c, dir, &now, &e) < 0 && busy_with(&e, k),
	    "link: who has the real file");
	let_go(k);
	snprintf(shm, sizeof(shm), "%s-shm", real);
	scratch_write(shm, slice_str(""));
	k = hold(shm);
	ok(claim_open(&c, dir, &now, &e) < 0 && busy_with(&e, k),
	    "link: who has a file beside it");
	let_go(k);
	unlink(shm);
	must_open(&c);
	ok(write_new(&c, &path) && strncmp(path, data, strlen(data)) == 0,
	    "link: a replacement beside the real file");
	ok(claim_replace(&c, path, NULL, &e) == 0, "link: in place");
	claim_close(&c);
	ok(lstat(file, &st) == 0 && S_ISLNK(st.st_mode), "link: still one");
	ok(is(value(real), "new") && gone(data) && gone(dir), "link: new");
	free(path);
}

static void
test_leftovers(void)
{
	char a[800], b[900], *path = NULL;
	struct claim c;
	struct err e;
	int fd;

	fresh("delete");
	snprintf(a, sizeof(a), "%s/.chroma.sqlite3.chromautils-999999999", dir);
	snprintf(b, sizeof(b), "%s-old", a);
	scratch_write(a, slice_str("half"));
	if (link(file, b) < 0)
		scratch_die(b);
	must_open(&c);
	ok(gone(dir), "what dead runs left is removed");
	ok(is(value(file), "busy"), "and the lock is held");
	claim_close(&c);
	unlink(header);
	if (link(file, header) < 0)
		scratch_die(header);
	must_open(&c);
	ok(claim_look(&c, &e) == 0 && is(value(file), "busy"),
	    "nor does another name of the database cost the lock");
	claim_close(&c);
	scratch_write(a, slice_str("half"));
	fd = open(a, O_RDONLY);
	flock(fd, LOCK_EX);
	must_open(&c);
	ok(!gone(dir), "a living one's stays");
	close(fd);
	snprintf(a, sizeof(a), "%s-wal", file);
	ok(write_new(&c, &path), "a replacement");
	scratch_write(a, slice_str(""));
	ok(claim_replace(&c, path, NULL, &e) < 0 && e.status == STATUS_SYSTEM &&
	    strstr(e.msg, "chroma.sqlite3-wal lies beside the database: "),
	    "a side file is in the way");
	unlink(a);
	no_exchange = no_rename = true;
	ok(claim_replace(&c, path, NULL, &e) < 0 && e.status == STATUS_SYSTEM,
	    "a rename that fails");
	no_exchange = no_rename = false;
	snprintf(a, sizeof(a), "%s-old", path);
	ok(access(a, F_OK) < 0, "leaves no other name");
	snprintf(a, sizeof(a), "%s/aside", dir);
	snprintf(b, sizeof(b), "%s/foreign", dir);
	scratch_write(b, slice_str("foreign"));
	if (rename(file, a) < 0 || rename(b, file) < 0)
		scratch_die(b);
	ok(claim_replace(&c, path, NULL, &e) < 0 && e.status == STATUS_BUSY,
	    "a foreign file is not replaced");
	if (rename(a, file) < 0)
		scratch_die(a);
	unlink(path);
	ok(claim_replace(&c, path, NULL, &e) < 0 && e.status == STATUS_BUSY,
	    "it must be there");
	claim_close(&c);
	ok(is(value(file), "old"), "all as it was");
	free(path);
}

static int
mounted(void)
{
	char *path;
	struct claim c;
	struct err e;
	int fd, r;

	if (mount(file, file, NULL, MS_BIND, NULL) < 0)
		return 77;
	if (claim_open(&c, dir, &now, &e) < 0)
		return 1;
	r = claim_replacement(&c, &path, &fd, &e);
	claim_close(&c);
	return r == 0 && strstr(e.msg, "chroma.sqlite3 is a mount point") ?
	    0 : 2;
}

static void
test_wal_replaced(void)
{
	char *path = NULL;
	struct claim c;
	struct err e;

	fresh("wal");
	must_open(&c);
	ok(claim_rollback_mode(&c, &e) == 0 && write_new(&c, &path) &&
	    claim_replace(&c, path, NULL, &e) == 0, "WAL mode: replaced");
	claim_close(&c);
	ok(is(value(file), "new"), "WAL mode: new");
	free(path);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	test_unchanged("delete");
	test_unchanged("wal");
	test_frames();
	test_strays();
	test_hot_journal();
	test_holders();
	test_locks();
	test_signals();
	test_unseen();
	test_stamps();
	test_replace("exchange");
	test_put_back("exchange", "delete");
	test_put_back("exchange, WAL mode", "wal");
	test_killed("exchange");
	no_exchange = true;
	test_replace("links");
	test_put_back("links", "delete");
	test_killed("links");
	no_exchange = false;
	test_symlink();
	test_leftovers();
	test_wal_replaced();
	report(apart(mounted), "a mount point is not replaced");
	return tap_done();
}
