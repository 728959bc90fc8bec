/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_tar - a tar stream: what is read stays inside its file and comes in
 * order; and what is written of it again is read as the same. */
#include "stream/tar.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crc32c.h"

#include "fuzz.h"

/* The file that fd is, as a path. */
static const char *
path_of(int fd, char *path, size_t n)
{
	snprintf(path, n, "/proc/self/fd/%d", fd);
	return path;
}

/* All of it; those that are not sparse also to w, if there is one.  What their
 * bytes come to. */
static uint32_t
read_all(const char *path, struct tar_writer *w, bool *sound)
{
	struct tar_reader t;
	struct tar_member m;
	struct err e = { 0 };
	struct in in;
	const char *p;
	uint64_t offset, end, got_all;
	uint32_t sum = 0;
	ptrdiff_t got = 0;
	int r;

	MUST(in_open(&in, path, &e) == 0);
	tar_reader_init(&t, &in);
	while ((r = tar_next(&t, &e)) > 0) {
		MUST(t.m.name[0] && t.m.name[0] != '/' &&
		    strlen(t.m.name) <= TAR_NAME_MAX && t.m.mode <= 07777 &&
		    (t.m.sparse || t.m.size == t.m.stored));
		end = got_all = 0;
		m = t.m;
		if (w && !m.sparse && m.size < 1 << 16)
			MUST(tar_begin(w, &m, &e) == 0);
		while ((got = tar_read(&t, &p, &offset, &e)) > 0) {
			MUST(offset >= end && (t.m.sparse || offset == end));
			end = offset + (uint64_t)got;
			MUST(end <= t.m.size);
			got_all += (uint64_t)got;
			if (t.m.sparse || m.size >= 1 << 16)
				continue;
			sum = crc32c(sum, p, (size_t)got);
			if (w)
				MUST(tar_data(w, p, (size_t)got, &e) == 0);
		}
		if (got < 0)
			break;
		MUST(t.m.sparse ? got_all < t.m.stored :
		    got_all == t.m.size);
	}
	*sound = r == 0 && got == 0;
	MUST(*sound || (e.status >= STATUS_DATA && e.msg[0]));
	tar_reader_release(&t);
	in_close(&in);
	return sum;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tar_writer w;
	struct out out;
	struct err e = { 0 };
	uint32_t sum;
	char path[64];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	int to = memfd_create("fuzz", MFD_CLOEXEC);
	bool sound;

	MUST(fd >= 0 && to >= 0 && file_write(fd, data, size) == 0);
	read_all(path_of(fd, path, sizeof(path)), NULL, &sound);
	if (sound) {
		/* again, into memory */
		MUST(out_stdout(&out, 0, &e) == 0);
		out.fd = to;
		tar_writer_init(&w, &out);
		sum = read_all(path, &w, &sound);
		MUST(sound && tar_end(&w, &e) == 0 && out_flush(&out, &e) ==
		    0);
		out_abort(&out);
		MUST(read_all(path_of(to, path, sizeof(path)), NULL, &sound) ==
		    sum && sound);
	}
	close(fd);
	close(to);
	return 0;
}
