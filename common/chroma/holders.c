/* SPDX-License-Identifier: Apache-2.0 */
/* holders.c - which processes have files of a directory open. */
#include "chroma/holders.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/num.h"

#define NAMED_MAX 5

struct inode {
	dev_t dev;
	ino_t ino;
};

static void
add_inode(struct buf *inodes, const struct stat *st)
{
	struct inode in;

	memset(&in, 0, sizeof(in));
	in.dev = st->st_dev;
	in.ino = st->st_ino;
	buf_add(inodes, &in, sizeof(in));
}

/* Append the inodes of the regular files in a directory; depth: how many
 * levels of directories below it are looked into.  fd is consumed. */
static int
collect(int fd, int depth, struct buf *inodes)
{
	DIR *dir = fdopendir(fd);
	struct dirent *d;
	struct stat st;

	if (!dir) {
		close(fd);
		return -1;
	}
	while ((d = readdir(dir))) {
		int sub;

		if (d->d_name[0] == '.' ||
		    fstatat(fd, d->d_name, &st, 0) < 0)
			continue;
		if (S_ISREG(st.st_mode)) {
			add_inode(inodes, &st);
		} else if (S_ISDIR(st.st_mode) && depth > 0) {
			sub = openat(fd, d->d_name,
			    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			if (sub >= 0)
				(void)collect(sub, depth - 1, inodes);
		}
	}
	closedir(dir);
	return 0;
}

/* 1 if a descriptor in /proc/PID/fd is one of the inodes, 0 if not, -1 if we
 * may not look. */
static int
holds(int procfd, const char *pid, const struct inode *in, size_t n)
{
	char path[300];		/* room for any name */
	struct dirent *d;
	struct stat st;
	int fd, found = 0;
	size_t i;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/fd", pid);
	fd = openat(procfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ESRCH ? 0 : -1;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -1;
	}
	while (!found && (d = readdir(dir))) {
		if (d->d_name[0] == '.' || fstatat(fd, d->d_name, &st, 0) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		for (i = 0; i < n && !found; i++)
			found = in[i].dev == st.st_dev && in[i].ino == st.st_ino;
	}
	closedir(dir);
	return found;
}

static void
name_holder(int procfd, const char *pid, struct holder *h)
{
	char path[300];		/* room for any name */
	ssize_t n = 0;
	int fd;

	h->pid = (pid_t)strtol(pid, NULL, 10);
	snprintf(path, sizeof(path), "%s/comm", pid);
	fd = openat(procfd, path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = file_read(fd, h->command, sizeof(h->command) - 1);
		close(fd);
	}
	while (n > 0 && h->command[n - 1] == '\n')
		n--;
	h->command[n > 0 ? n : 0] = '\0';
}

/* All processes but this one that have one of the inodes open. */
static int
search(const struct buf *inodes, struct holders *h, struct err *e)
{
	struct dirent *d;
	uint64_t pid;
	DIR *proc;

	if (!buf_ok(inodes))
		return err_nomem(e);
	proc = opendir("/proc");
	if (!proc)
		return err_system(e, "/proc");
	while (h->n < HOLDERS_MAX && (d = readdir(proc))) {
		if (num_u64(d->d_name, strlen(d->d_name), INT32_MAX, &pid) < 0 ||
		    (pid_t)pid == getpid())
			continue;
		switch (holds(dirfd(proc), d->d_name,
		    (const struct inode *)(const void *)inodes->p,
		    inodes->len / sizeof(struct inode))) {
		case 1: name_holder(dirfd(proc), d->d_name,
			    &h->holder[h->n++]); break;
		case -1: h->unseen++; break;
		default: break;
		}
	}
	closedir(proc);
	return 0;
}

/* SQLite keeps its side files beside the real file. */
static void
collect_sides(const char *dir, struct buf *inodes)
{
	static const char *const suffix[] = { "-journal", "-wal", "-shm" };
	char *path = NULL, *real = NULL;
	struct stat st;
	size_t i;

	if (asprintf(&path, "%s/chroma.sqlite3", dir) >= 0) {
		real = realpath(path, NULL);
		free(path);
	}
	for (i = 0; real && i < sizeof(suffix) / sizeof(suffix[0]); i++) {
		if (asprintf(&path, "%s%s", real, suffix[i]) < 0)
			break;
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
			add_inode(inodes, &st);
		free(path);
	}
	free(real);
}

int
holders_find(const char *dir, struct holders *h, struct err *e)
{
	struct buf inodes = { 0 };
	int fd, r;

	*h = (struct holders){ 0 };
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || collect(fd, 1, &inodes) < 0) {
		err_system(e, "%s", err_tail(dir));
		buf_release(&inodes);
		return -1;
	}
	collect_sides(dir, &inodes);
	r = search(&inodes, h, e);
	buf_release(&inodes);
	return r;
}

int
holders_of(const struct stat *st, struct holders *h, struct err *e)
{
	struct buf inodes = { 0 };
	int r;

	*h = (struct holders){ 0 };
	add_inode(&inodes, st);
	r = search(&inodes, h, e);
	buf_release(&inodes);
	return r;
}

const char *
holders_text(const struct holders *h, char text[HOLDERS_TEXT])
{
	size_t i, n = 0;

	text[0] = '\0';
	for (i = 0; i < h->n && i < NAMED_MAX; i++)
		n += (size_t)snprintf(text + n, HOLDERS_TEXT - n, "%s%ld (%s)",
		    i ? ", " : "", (long)h->holder[i].pid,
		    h->holder[i].command);
	if (h->n > NAMED_MAX)
		snprintf(text + n, HOLDERS_TEXT - n, " and %zu more",
		    h->n - NAMED_MAX);
	return text;
}

/* ---- leases ---- */

int
holders_seen(const struct holders *h, const char *dir, struct err *e)
{
	char text[HOLDERS_TEXT];

	return err_busy(e, "%s is in use by %s: stop it first", err_tail(dir),
	    holders_text(h, text));
}

enum lease
holders_lease(int fd)
{
	if (holders_remote(fd))
		return LEASE_UNKNOWN;
	/* Whoever opens the file while we have the lease makes the kernel
	 * signal us; SIGIO, its default, would kill.  SIGURG is ignored unless
	 * somebody asks for it. */
	if (fcntl(fd, F_SETSIG, SIGURG) < 0)
		return LEASE_UNKNOWN;
	if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0) {
		fcntl(fd, F_SETLEASE, F_UNLCK);
		return LEASE_FREE;
	}
	return errno == EAGAIN || errno == EBUSY ? LEASE_HELD : LEASE_UNKNOWN;
}

bool
holders_remote(int fd)
{
	/* linux/magic.h and the file systems' own sources; some of them answer
	 * EAGAIN to any lease */
	static const uint32_t magic[] = {
		0x00006969,	/* NFS */
		0x0000517b,	/* SMB */
		0xfe534d42,	/* SMB2 */
		0xff534d42,	/* CIFS */
		0x01021997,	/* 9p */
		0x65735546,	/* FUSE, virtiofs */
		0x00c36400,	/* Ceph */
		0x5346414f,	/* AFS */
		0x6b414653,	/* kAFS */
		0x73757245,	/* Coda */
		0x01161970,	/* GFS2 */
		0x7461636f,	/* OCFS2 */
		0x0bd00bd0,	/* Lustre */
		0x47504653,	/* GPFS */
		0x19830326,	/* BeeGFS */
		0x013111a8,	/* IBRIX */
		0x786f4256,	/* VirtualBox shared folders */
		0xbacbacbc,	/* VMware shared folders */
	};
	struct statfs fs;
	size_t i;

	if (fstatfs(fd, &fs) < 0)
		return true;
	for (i = 0; i < sizeof(magic) / sizeof(magic[0]); i++)
		if ((uint32_t)fs.f_type == magic[i])
			return true;
	return false;
}

bool
holders_confined(void)
{
	/* linux/proc_ns.h, PROC_PID_INIT_INO */
	static const char init[] = "pid:[4026531836]";
	char now[64];
	ssize_t n = readlink("/proc/self/ns/pid", now, sizeof(now));

	return n != (ssize_t)sizeof(init) - 1 ||
	    memcmp(now, init, (size_t)n) != 0;
}
