/* SPDX-License-Identifier: Apache-2.0 */
/* holders.c - which processes have files of a directory open. */
#include "chroma/holders.h"

#include <dirent.h>
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

struct inode {
	dev_t dev;
	ino_t ino;
};

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
		struct inode in = { 0 };
		int sub;

		if (d->d_name[0] == '.' ||
		    fstatat(fd, d->d_name, &st, 0) < 0)
			continue;
		if (S_ISREG(st.st_mode)) {
			in.dev = st.st_dev;
			in.ino = st.st_ino;
			buf_add(inodes, &in, sizeof(in));
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

int
holders_find(const char *dir, struct holders *h, struct err *e)
{
	struct buf inodes = { 0 };
	struct dirent *d;
	uint64_t pid;
	DIR *proc = NULL;
	int fd, r = -1;

	*h = (struct holders){ 0 };
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || collect(fd, 1, &inodes) < 0) {
		err_system(e, "%s", err_tail(dir));
		goto out;
	}
	if (!buf_ok(&inodes)) {
		err_nomem(e);
		goto out;
	}
	proc = opendir("/proc");
	if (!proc) {
		err_system(e, "/proc");
		goto out;
	}
	while (h->n < HOLDERS_MAX && (d = readdir(proc))) {
		if (num_u64(d->d_name, strlen(d->d_name), INT32_MAX, &pid) < 0 ||
		    (pid_t)pid == getpid())
			continue;
		switch (holds(dirfd(proc), d->d_name,
		    (const struct inode *)(const void *)inodes.p,
		    inodes.len / sizeof(struct inode))) {
		case 1: name_holder(dirfd(proc), d->d_name,
			    &h->holder[h->n++]); break;
		case -1: h->unseen++; break;
		default: break;
		}
	}
	r = 0;
out:
	if (proc)
		closedir(proc);
	buf_release(&inodes);
	return r;
}
