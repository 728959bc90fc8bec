/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_stream - a whole stream, in either form, compressed or not: what is
 * accepted can be converted, and comes back to the byte.  The first byte of
 * the input says how to read the rest: bit 0, as bare records. */
#include "stream/stream.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

/* Bytes as a file that can be opened by name. */
struct memory {
	int fd;
	char path[64];
};

static struct memory
memory(const void *p, size_t n)
{
	struct memory m = { .fd = memfd_create("fuzz", MFD_CLOEXEC) };

	MUST(m.fd >= 0 && file_write(m.fd, p, n) == 0);
	snprintf(m.path, sizeof(m.path), "/proc/self/fd/%d", m.fd);
	return m;
}

static int
copy(struct stream_in *si, struct stream_out *so, struct err *e)
{
	struct item item;
	int got;

	while ((got = stream_next(si, &item, e)) > 0) {
		int r = item.type == RECORD_BEGIN ?
		    stream_put_begin(so, item.json, e) :
		    item.type == RECORD_END ? stream_put_end(so, e) :
		    stream_put_item(so, si, &item, e);

		if (r < 0)
			return -1;
	}
	return got < 0 || !so->plain ? got : stream_put_end(so, e);
}

/* From bytes to bytes, in the other form or the same.  struct out writes to
 * standard output, which is a file in memory here. */
static int
convert(struct slice from, bool binary, bool plain, struct buf *to,
    bool *was_binary)
{
	struct memory in = memory(from.p, from.len);
	struct memory mem = memory("", 0);
	struct stream_in si;
	struct stream_out so;
	struct err e = { 0 };
	struct out out;
	ssize_t n;
	int r;

	MUST(dup2(mem.fd, STDOUT_FILENO) == STDOUT_FILENO);
	MUST(out_stdout(&out, 0, &e) == 0);
	MUST(stream_in_open(&si, in.path, plain, &e) == 0);
	stream_out_init(&so, &out, binary, plain);
	r = copy(&si, &so, &e);
	MUST(r == 0 || (e.status == STATUS_DATA && *e.msg));
	*was_binary = si.binary;
	stream_out_release(&so);
	stream_in_close(&si);
	if (r == 0)
		MUST(out_close(&out, &e) == 0);
	else
		out_abort(&out);
	buf_reset(to);
	while (r == 0 && (n = file_pread(mem.fd, buf_room(to, 65536), 65536,
	    to->len)) > 0)
		to->len += (size_t)n;
	/* closed by now; no other file may get its number */
	MUST(dup2(mem.fd, STDOUT_FILENO) == STDOUT_FILENO);
	close(mem.fd);
	close(in.fd);
	return r;
}

/* What each record says is looked at, too. */
static void
decode(struct slice from, bool plain)
{
	struct memory in = memory(from.p, from.len);
	struct record_memory m = { 0 };
	struct stream_in si;
	struct item item;
	struct begin b;
	struct record r;
	struct err e;

	MUST(stream_in_open(&si, in.path, plain, &e) == 0);
	while (stream_next(&si, &item, &e) > 0) {
		if (item.type == RECORD_BEGIN)
			(void)!stream_begin_parse(item.json, &b, &e);
		else if (item.type != RECORD_END)
			(void)!stream_record(&si, &item, FIELD_ALL, &r, &m, &e);
	}
	stream_in_close(&si);
	record_memory_release(&m);
	close(in.fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf lines = { 0 }, frames = { 0 }, b = { 0 };
	struct slice in;
	bool plain, binary, ignored;
	int to_lines, to_frames;

	if (size == 0)
		return 0;
	plain = data[0] & 1;
	in = slice_of((const char *)data + 1, size - 1);
	decode(in, plain);
	to_lines = convert(in, false, plain, &lines, &binary);
	to_frames = convert(in, true, plain, &frames, &binary);
	/* a frame may hold what no line can say, never the other way */
	MUST(to_lines == to_frames || (binary && to_frames == 0));
	if (to_frames == 0) {
		MUST(convert(buf_slice(&frames), true, plain, &b, &ignored)
		    == 0);
		MUST(slice_eq(buf_slice(&b), buf_slice(&frames)));
	}
	if (to_lines == 0) {
		MUST(convert(buf_slice(&lines), false, plain, &b, &ignored)
		    == 0);
		MUST(slice_eq(buf_slice(&b), buf_slice(&lines)));
		MUST(convert(buf_slice(&lines), true, plain, &frames, &ignored)
		    == 0);
		MUST(convert(buf_slice(&frames), false, plain, &b, &ignored)
		    == 0);
		MUST(slice_eq(buf_slice(&b), buf_slice(&lines)));
	}
	buf_release(&lines);
	buf_release(&frames);
	buf_release(&b);
	return 0;
}
