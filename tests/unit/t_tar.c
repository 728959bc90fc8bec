/* SPDX-License-Identifier: Apache-2.0 */
/* t_tar - tar streams, written and read. */
#include "stream/tar.h"

#include <errno.h>
#include <inttypes.h>

#include "base/crc32c.h"

#include "../scratch.h"
#include "../tap.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

/* ---- a tar by hand ---- */

struct header {
	const char *name;
	char type;
	uint64_t size;
};

static void
seal(char *h)
{
	unsigned sum = 0;
	int i;

	memset(h + 148, ' ', 8);
	for (i = 0; i < TAR_BLOCK; i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	h[155] = ' ';
}

/* A header, appended; where it is. */
static size_t
add_header(struct buf *b, const char *name, char type, uint64_t size)
{
	char h[TAR_BLOCK] = { 0 };
	size_t at = b->len;

	memcpy(h, name, strlen(name));
	memcpy(h + 100, "0000644\0000000000\0000000000", 24);
	snprintf(h + 124, 12, "%011" PRIo64, size);
	memcpy(h + 136, "00000000012", 11);
	h[156] = type;
	memcpy(h + 257, "ustar\00000", 8);
	seal(h);
	buf_add(b, h, sizeof(h));
	return at;
}

static void
add_padded(struct buf *b, struct slice s)
{
	static const char zeros[TAR_BLOCK];

	buf_add(b, s.p, s.len);
	buf_add(b, zeros, -s.len & (TAR_BLOCK - 1));
}

static void
add_end(struct buf *b)
{
	static const char zeros[2 * TAR_BLOCK];

	buf_add(b, zeros, sizeof(zeros));
}

static void
add_pax(struct buf *b, struct slice records)
{
	add_header(b, "PaxHeaders/x", 'x', records.len);
	add_padded(b, records);
}

/* ---- what a stream comes to ---- */

/* Read it to its end or its fault: as text, a line a member, and then the
 * fault, with "T" for the path. */
static const char *
outline(const char *path)
{
	static struct buf text;
	struct tar_reader t;
	struct err e = { 0 };
	struct in in;
	const char *p, *msg;
	uint64_t offset, last, n, pieces;
	ptrdiff_t got = 0;
	int r;

	buf_reset(&text);
	if (in_open(&in, path, &e) < 0)
		scratch_die(e.msg);
	tar_reader_init(&t, &in);
	while ((r = tar_next(&t, &e)) > 0) {
		buf_addf(&text, "%s %" PRIu64 " %" PRIu64 "%s", t.m.name,
		    t.m.size, t.m.stored, t.m.sparse ? " sparse" : "");
		n = pieces = 0;
		last = UINT64_MAX;
		while ((got = tar_read(&t, &p, &offset, &e)) > 0) {
			pieces += offset != last;
			last = offset + (uint64_t)got;
			n += (uint64_t)got;
		}
		buf_addf(&text, " %" PRIu64 "/%" PRIu64 "\n", n, pieces);
		if (got < 0)
			break;
	}
	msg = strncmp(e.msg, path, strlen(path)) == 0 ?
	    e.msg + strlen(path) : e.msg;
	if (r < 0 || got < 0)
		buf_addf(&text, "%d T%s", e.status, msg);
	else if (tar_next(&t, &e) != 0)
		buf_adds(&text, "goes on after its end");
	tar_reader_release(&t);
	in_close(&in);
	return buf_str(&text);
}

static const char *
outline_of(const struct buf *b)
{
	const char *path = scratch_path("by-hand.tar");

	scratch_write(path, buf_slice(b));
	return outline(path);
}

static void
is(const char *have, const char *want, const char *what)
{
	bool same = strcmp(have, want) == 0;

	ok(same, "%s", what);
	if (!same)
		printf("# have: %s\n# want: %s\n", have, want);
}

/* ---- refusals: one byte or record, and what is said ---- */

static void
test_headers(void)
{
	static const struct {
		const char *what;
		size_t at;
		struct slice bytes;
		bool unsealed;
		const char *said;
	} wrong[] = {
		{ "a byte flipped", 3, SLICE("X"), true,
		    "3 T:+0: no tar header, or a damaged one: its checksum is "
		    "wrong" },
		{ "a checksum that is none", 148, SLICE("x"), true,
		    "3 T:+0: no tar header, or a damaged one: its checksum is "
		    "wrong" },
		{ "old GNU tar", 257, SLICE("ustar  \0"), false,
		    "3 T:+0: a tar header that is not of POSIX (ustar)" },
		{ "another version", 263, SLICE("01"), false,
		    "3 T:+0: a tar header that is not of POSIX (ustar)" },
		{ "no magic", 257, SLICE("\0"), false,
		    "3 T:+0: a tar header that is not of POSIX (ustar)" },
		{ "bytes behind the name", 90, SLICE("x"), false,
		    "3 T:+0: a tar header with bytes behind the name" },
		{ "a hard link", 156, SLICE("1"), false,
		    "3 T:+0: d/f is a hard link; only files are accepted" },
		{ "a symbolic link", 156, SLICE("2"), false,
		    "3 T:+0: d/f is a symbolic link; only files are accepted" },
		{ "a character device", 156, SLICE("3"), false,
		    "3 T:+0: d/f is a device; only files are accepted" },
		{ "a block device", 156, SLICE("4"), false,
		    "3 T:+0: d/f is a device; only files are accepted" },
		{ "a directory", 156, SLICE("5"), false,
		    "3 T:+0: d/f is a directory; only files are accepted" },
		{ "a FIFO", 156, SLICE("6"), false,
		    "3 T:+0: d/f is a FIFO; only files are accepted" },
		{ "contiguous", 156, SLICE("7"), false,
		    "3 T:+0: d/f is of an unknown type; only files are "
		    "accepted" },
		{ "version 7", 156, SLICE("\0"), false,
		    "3 T:+0: d/f is of an unknown type; only files are "
		    "accepted" },
		{ "a global header", 156, SLICE("g"), false,
		    "3 T:+0: d/f is a global pax header; only files are "
		    "accepted" },
		{ "GNU's long name", 156, SLICE("L"), false,
		    "3 T:+0: d/f is a long name as old GNU tar has it; only "
		    "files are accepted" },
		{ "GNU's old sparse", 156, SLICE("S"), false,
		    "3 T:+0: d/f is a sparse file as old GNU tar has it; only "
		    "files are accepted" },
		{ "a mode of nine digits", 100, SLICE("00006440"), false,
		    "3 T:+0: d/f: a number in its tar header is not octal, or "
		    "too large" },
		{ "a mode with more than permissions", 100, SLICE("0100644"),
		    false, "3 T:+0: d/f: a number in its tar header is not "
		    "octal, or too large" },
		{ "a size in base 256", 124, SLICE("\200"), false,
		    "3 T:+0: d/f: a number in its tar header is not octal, or "
		    "too large" },
		{ "a size with an 8", 134, SLICE("8"), false,
		    "3 T:+0: d/f: a number in its tar header is not octal, or "
		    "too large" },
		{ "a size after a space", 124, SLICE(" "), false,
		    "3 T:+0: d/f: a number in its tar header is not octal, or "
		    "too large" },
		{ "no owner", 108, SLICE("\0\0\0\0\0\0\0\0"), false,
		    "3 T:+0: d/f: a number in its tar header is not octal, or "
		    "too large" },
		{ "a time below zero", 136, SLICE("-"), false,
		    "3 T:+0: d/f: a number in its tar header is not octal, or "
		    "too large" },
		{ "a link's name", 157, SLICE("a"), false,
		    "3 T:+0: d/f: its tar header has a field that a file has "
		    "not" },
		{ "a device's number", 329, SLICE("0000001"), false,
		    "3 T:+0: d/f: its tar header has a field that a file has "
		    "not" },
		{ "another", 337, SLICE("0000001"), false,
		    "3 T:+0: d/f: its tar header has a field that a file has "
		    "not" },
		{ "an owner with bytes behind", 270, SLICE("x"), false,
		    "3 T:+0: d/f: its tar header has a field that a file has "
		    "not" },
		{ "a group with bytes behind", 310, SLICE("x"), false,
		    "3 T:+0: d/f: its tar header has a field that a file has "
		    "not" },
		{ "a prefix", 345, SLICE("p"), false,
		    "3 T:+0: d/f: its tar header has a field that a file has "
		    "not" },
		{ "bytes behind the header", 511, SLICE("x"), false,
		    "3 T:+0: d/f: its tar header has a field that a file has "
		    "not" },
		{ "an owner with a name", 265, SLICE("root"), false,
		    "d/f 3 3 3/1\n" },
		{ "device numbers", 329, SLICE("0000000\0000000000"), false,
		    "d/f 3 3 3/1\n" },
		{ "spaces for NULs", 107, SLICE(" "), false, "d/f 3 3 3/1\n" },
	};
	struct buf b = { 0 };
	size_t i;

	for (i = 0; i < COUNT(wrong); i++) {
		buf_reset(&b);
		add_header(&b, "d/f", '0', 3);
		add_padded(&b, slice_str("abc"));
		add_end(&b);
		memcpy(b.p + wrong[i].at, wrong[i].bytes.p,
		    wrong[i].bytes.len);
		if (!wrong[i].unsealed)
			seal(b.p);
		is(outline_of(&b), wrong[i].said, wrong[i].what);
	}
	buf_release(&b);
}

static void
test_names(void)
{
	static const char *const wrong[] = {
		"", "/", "/f", "..", "../f", "d/..", "d/../f", ".", "./f",
		"d/./f", "d/.", "d//f", "d/",
	}, *const right[] = { "f", "d/e/f", "...", "d/..f", "f.", ".f/.g",
		"..f" };
	struct buf b = { 0 };
	char said[256];
	size_t i;

	for (i = 0; i < COUNT(wrong); i++) {
		buf_reset(&b);
		add_header(&b, wrong[i], '0', 0);
		add_end(&b);
		snprintf(said, sizeof(said), "3 T:+0: the name \"%s\" is not "
		    "accepted: absolute, or with an empty part, \".\" or "
		    "\"..\"", wrong[i]);
		is(outline_of(&b), said, wrong[i]);
	}
	for (i = 0; i < COUNT(right); i++) {
		buf_reset(&b);
		add_header(&b, right[i], '0', 0);
		add_end(&b);
		snprintf(said, sizeof(said), "%s 0 0 0/0\n", right[i]);
		is(outline_of(&b), said, right[i]);
	}
	buf_release(&b);
}

#define SPARSE(realsize)						\
	"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"		\
	"21 GNU.sparse.name=s\n" realsize
#define SIZED(digits) SPARSE("27 GNU.sparse.realsize=" digits "\n")

static void
test_pax(void)
{
	static const struct {
		struct slice records;
		const char *said;
	} of[] = {
		{ SLICE("10 path=g\n"), "g 3 3 3/1\n" },
		{ SLICE("10 size=3\n8 uid=7\n16 gid=77777777\n12 mtime=1\n"),
		    "3 T:+512: damaged pax header: a record's length is "
		    "wrong" },
		{ SLICE("10 size=3\n8 uid=7\n17 gid=777777777\n11 mtime=1\n"
		    "10 path=g\n"), "g 3 3 3/1\n" },
		{ SLICE("16 mtime=-12.50\n"), "d/f 3 3 3/1\n" },
		{ SLICE("10 mtime=\n"), "3 T:+512: mtime in a pax header is no "
		    "number, or too large" },
		{ SLICE("13 mtime=1.2.\n"), "3 T:+512: damaged pax header: a "
		    "record's length is wrong" },
		{ SLICE("14 mtime=1.2.\n"), "3 T:+512: mtime in a pax header "
		    "is no number, or too large" },
		{ SLICE("12 mtime=.5\n"), "3 T:+512: mtime in a pax header is "
		    "no number, or too large" },
		{ SLICE("11 size=03\n"), "3 T:+512: size in a pax header is "
		    "no number, or too large" },
		{ SLICE("28 size=9223372036854775808\n"), "3 T:+512: size in a "
		    "pax header is no number, or too large" },
		{ SLICE("8 size=\n"), "3 T:+512: size in a pax header is no "
		    "number, or too large" },
		{ SLICE("10 path=g\n10 path=g\n"), "3 T:+512: a pax header "
		    "with path twice" },
		{ SLICE("12 atime=12\n"), "3 T:+512: a pax header with the key "
		    "\"atime\", which is not accepted" },
		{ SLICE("8 Path=\n"), "3 T:+512: a pax header with the key "
		    "\"Path\", which is not accepted" },
		{ SLICE("5 =a\n"), "3 T:+512: a pax header with the key \"\", "
		    "which is not accepted" },
		{ SLICE("7 path\n"), "3 T:+512: damaged pax header: a record "
		    "without \"=\"" },
		{ SLICE("7 pathh\n"), "3 T:+512: damaged pax header: a "
		    "record's length is wrong" },
		{ SLICE("9 pathhh\n"), "3 T:+512: damaged pax header: a record "
		    "without \"=\"" },
		{ SLICE("010 path=g\n"), "3 T:+512: damaged pax header: a "
		    "record's length is wrong" },
		{ SLICE("99 path=g\n"), "3 T:+512: damaged pax header: a "
		    "record's length is wrong" },
		{ SLICE("path\n"), "3 T:+512: damaged pax header: a record's "
		    "length is wrong" },
		{ SLICE("10 path=g\n\0"), "3 T:+512: damaged pax header: a "
		    "record's length is wrong" },
		{ SLICE("3 \n"), "3 T:+512: damaged pax header: a record's "
		    "length is wrong" },
		{ SLICE("12 path=a\0b\n"), "3 T:+512: a name in a pax header "
		    "that is longer than 255 bytes, or has a NUL" },
		{ SLICE("11 path=..\n"), "3 T:+1024: the name \"..\" is not "
		    "accepted: absolute, or with an empty part, \".\" or "
		    "\"..\"" },
		{ SLICE("22 GNU.sparse.major=1\n"), "3 T:+512: a sparse file "
		    "that is not of version 1.0" },
		{ SLICE("22 GNU.sparse.major=0\n22 GNU.sparse.minor=1\n"
		    "21 GNU.sparse.name=s\n25 GNU.sparse.realsize=3\n"),
		    "3 T:+512: a sparse file that is not of version 1.0" },
		{ SLICE("22 GNU.sparse.map=0,1\n"), "3 T:+512: a pax header "
		    "with the key \"GNU.sparse.map\", which is not accepted" },
	};
	struct buf b = { 0 };
	size_t i;

	for (i = 0; i < COUNT(of); i++) {
		buf_reset(&b);
		add_pax(&b, of[i].records);
		add_header(&b, "d/f", '0', 3);
		add_padded(&b, slice_str("abc"));
		add_end(&b);
		is(outline_of(&b), of[i].said, shown(of[i].records));
	}
	buf_release(&b);
}

/* Where a pax header may be, and how long. */
static void
test_pax_place(void)
{
	static const char many[8192];
	struct buf b = { 0 };

	add_pax(&b, slice_str("10 path=g\n"));
	add_pax(&b, slice_str("10 path=g\n"));
	is(outline_of(&b), "3 T:+1024: a pax header after a pax header",
	    "two pax headers");
	buf_reset(&b);
	add_pax(&b, slice_str("10 path=g\n"));
	add_end(&b);
	is(outline_of(&b), "3 T:+1024: no tar header, or a damaged one: its "
	    "checksum is wrong", "a pax header and the end");
	buf_reset(&b);
	add_pax(&b, slice_str("10 path=g\n"));
	is(outline_of(&b), "3 T:+1024: ends before the end of the tar "
	    "archive: truncated", "and nothing");
	buf_reset(&b);
	add_header(&b, "x", 'x', 0);
	is(outline_of(&b), "3 T:+0: a pax header of 0 bytes; 1 to 4096 are "
	    "accepted", "an empty one");
	buf_reset(&b);
	add_header(&b, "x", 'x', 4097);
	is(outline_of(&b), "3 T:+0: a pax header of 4097 bytes; 1 to 4096 are "
	    "accepted", "a long one");
	buf_reset(&b);
	add_header(&b, "x", 'x', 4096);
	buf_add(&b, many, 4095);
	is(outline_of(&b), "3 T:+4607: ends before the end of the tar "
	    "archive: truncated", "one that ends too early");
	buf_reset(&b);
	add_pax(&b, slice_str("10 path=g\n"));
	b.p[1023] = 'x';
	is(outline_of(&b), "3 T:+512: padding of a pax header that is not "
	    "zero", "one with more behind");
	buf_release(&b);
}

/* The map of a file of 70000 bytes, 3 of which are stored. */
static void
test_maps(void)
{
	static const struct {
		struct slice map;
		const char *said;
	} of[] = {
		{ SLICE("1\n69997\n3\n"), "s 70000 515 sparse 3/1\n" },
		{ SLICE("3\n0\n1\n9\n2\n70000\n0\n"),
		    "s 70000 515 sparse 3/2\n" },
		{ SLICE("4\n0\n1\n1\n0\n1\n0\n1\n2\n"),
		    "s 70000 515 sparse 3/1\n" },
		{ SLICE("2\n5\n2\n4\n1\n"), "3 T:+1536: s: its map of holes "
		    "is not in order, or leaves the file" },
		{ SLICE("2\n5\n2\n6\n1\n"), "3 T:+1536: s: its map of holes "
		    "is not in order, or leaves the file" },
		{ SLICE("1\n69998\n3\n"), "3 T:+1536: s: its map of holes is "
		    "not in order, or leaves the file" },
		{ SLICE("1\n70001\n0\n"), "3 T:+1536: s: its map of holes is "
		    "not in order, or leaves the file" },
		{ SLICE("1\n1\n9223372036854775807\n"), "3 T:+1536: s: its map "
		    "of holes is not in order, or leaves the file" },
		{ SLICE("1\n0\n4\n"), "3 T:+1536: s: its map of holes has 4 "
		    "bytes, the archive 3" },
		{ SLICE("0\n"), "3 T:+1536: s: its map of holes has 0 bytes, "
		    "the archive 3" },
		{ SLICE("65537\n"), "3 T:+1536: s: damaged map of holes" },
		{ SLICE("01\n0\n3\n"), "3 T:+1536: s: damaged map of holes" },
		{ SLICE("1\n0\n9223372036854775808\n"), "3 T:+1536: s: damaged "
		    "map of holes" },
		{ SLICE("1\n0\n000000000000000000003\n"), "3 T:+1536: s: "
		    "damaged map of holes" },
		{ SLICE("1\n0\n-3\n"), "3 T:+1536: s: damaged map of holes" },
		{ SLICE("\n"), "3 T:+1536: s: damaged map of holes" },
		{ SLICE("1\n0\n3\0"), "3 T:+1536: s: damaged map of holes" },
		{ SLICE("1\n0\n3\n\0\0x"), "3 T:+1536: s: padding of its map "
		    "that is not zero" },
	};
	struct buf b = { 0 };
	size_t i;

	for (i = 0; i < COUNT(of); i++) {
		buf_reset(&b);
		add_pax(&b, slice_str(SPARSE("29 GNU.sparse.realsize=70000\n")));
		add_header(&b, "GNUSparseFile.0/s", '0', TAR_BLOCK + 3);
		add_padded(&b, of[i].map);
		add_padded(&b, slice_str("abc"));
		add_end(&b);
		is(outline_of(&b), of[i].said, shown(of[i].map));
	}
	buf_reset(&b);
	add_pax(&b, slice_str(SPARSE("29 GNU.sparse.realsize=70000\n")));
	add_header(&b, "s", '0', TAR_BLOCK - 1);
	add_padded(&b, slice_str("0\n"));
	is(outline_of(&b), "3 T:+1024: s: its map of holes does not end",
	    "no room for a map");
	buf_reset(&b);
	add_pax(&b, slice_str(SPARSE("29 GNU.sparse.realsize=70000\n")));
	add_header(&b, "s", '0', 2 * TAR_BLOCK);
	for (i = 0; i < TAR_BLOCK; i++)
		buf_adds(&b, i ? "0\n" : "600\n");
	b.len = 1536 + TAR_BLOCK;
	is(outline_of(&b), "3 T:+2048: ends before the end of the tar "
	    "archive: truncated", "a map that is cut");
	buf_release(&b);
}

static void
test_ends(void)
{
	struct buf b = { 0 };
	char said[128];
	size_t all, i;
	bool same = true;

	is(outline_of(&b), "3 T:+0: ends before the end of the tar archive: "
	    "truncated", "nothing");
	add_end(&b);
	is(outline_of(&b), "", "an empty archive");
	buf_addc(&b, '\0');
	is(outline_of(&b), "3 T:+1024: bytes after the end of the tar archive",
	    "a byte after it");
	buf_reset(&b);
	add_end(&b);
	b.p[1023] = 'x';
	is(outline_of(&b), "3 T:+512: one block of zeros in a tar archive, "
	    "and not two", "one block of zeros");
	buf_reset(&b);
	add_header(&b, "f", '0', 3);
	add_padded(&b, slice_str("abc"));
	b.p[515] = 'x';
	add_end(&b);
	is(outline_of(&b), "f 3 3 3/1\n3 T:+515: f: padding that is not zero",
	    "padding");
	b.p[515] = '\0';
	all = b.len;
	for (i = 0; i < all; i++) {
		b.len = i;
		snprintf(said, sizeof(said), "%s3 T:+%zu: ends before the end "
		    "of the tar archive: truncated", i < 512 ? "" : i < 513 ?
		    "f 3 3 0/0\n" : i < 514 ? "f 3 3 1/1\n" : i < 515 ?
		    "f 3 3 2/1\n" : "f 3 3 3/1\n", i);
		same = same && strcmp(outline_of(&b), said) == 0;
	}
	ok(same, "cut at every byte");
	buf_release(&b);
}

/* ---- round trips ---- */

static void
start(struct tar_writer *t, struct out *out, int level)
{
	struct err e = { 0 };

	if (out_file(out, scratch_path("t.tar"), true, level, &e) < 0)
		scratch_die(e.msg);
	tar_writer_init(t, out);
}

static bool
finish(struct tar_writer *t, struct err *e)
{
	return tar_end(t, e) == 0 && out_close(t->out, e) == 0;
}

/* A file of these pieces, each "offset,size ", and of size bytes. */
static int
make_file(const char *name, const char *pieces, uint64_t size)
{
	int fd = open(scratch_path(name), O_RDWR | O_CREAT | O_TRUNC, 0640);
	unsigned long long at, n;
	char block[4096];
	const char *p;

	if (fd < 0)
		scratch_die(name);
	for (p = pieces; sscanf(p, "%llu,%llu", &at, &n) == 2;
	    p = strchr(p, ' ') + 1)
		for (; n > 0; at += sizeof(block), n -= sizeof(block)) {
			memset(block, (char)('a' + at / sizeof(block) % 26),
			    sizeof(block));
			if (pwrite(fd, block, sizeof(block), (off_t)at) < 0)
				scratch_die(name);
		}
	if (ftruncate(fd, (off_t)size) < 0)
		scratch_die(name);
	return fd;
}

/* What the reader gives, written to a file by its pieces. */
static bool
unpack(const char *name, uint32_t want_crc)
{
	struct tar_reader t;
	struct err e = { 0 };
	struct in in;
	const char *p;
	uint64_t offset;
	ptrdiff_t n;
	bool good;
	int fd = open(scratch_path(name), O_RDWR | O_CREAT | O_TRUNC, 0640);

	if (in_open(&in, scratch_path("t.tar"), &e) < 0 || fd < 0)
		scratch_die(name);
	tar_reader_init(&t, &in);
	good = tar_next(&t, &e) == 1 && ftruncate(fd, (off_t)t.m.size) == 0;
	while (good && (n = tar_read(&t, &p, &offset, &e)) != 0)
		good = n > 0 && pwrite(fd, p, (size_t)n, (off_t)offset) == n;
	good = good && t.crc == want_crc && tar_next(&t, &e) == 0;
	if (!good)
		printf("# %s\n", e.msg);
	tar_reader_release(&t);
	in_close(&in);
	close(fd);
	return good;
}

static bool
same_files(const char *a, const char *b)
{
	char command[1200];

	snprintf(command, sizeof(command), "cmp -s '%s' '%s'",
	    scratch_path(a), scratch_path(b));
	return system(command) == 0;
}

/* Whether tar(1) unpacks t.tar to the same, with holes where there are. */
static bool
tar_agrees(const char *name, uint64_t blocks_max)
{
	char command[1600], unpacked[300];
	struct stat st;

	snprintf(command, sizeof(command), "cd '%s' && rm -rf u && mkdir u && "
	    "tar -C u -xf t.tar 2>said && ! test -s said", scratch_dir());
	if (system(command) != 0)
		return false;
	snprintf(unpacked, sizeof(unpacked), "u/%.200s", name);
	return stat(scratch_path(unpacked), &st) == 0 &&
	    (uint64_t)st.st_blocks <= blocks_max &&
	    same_files(name, unpacked);
}

static void
test_files(void)
{
	static const struct {
		const char *what, *pieces;
		uint64_t size, stored;
		bool sparse, big;
	} of[] = {
		{ "empty", "", 0, 0, false, false },
		{ "a block", "0,4096 ", 4096, 4096, false, false },
		{ "odd", "0,4096 ", 4001, 4001, false, false },
		{ "some MiB", "0,4194304 ", 4 * MIB, 4 * MIB, false, false },
		{ "a hole at the start", "1048576,4096 ", MIB + 4096,
		    4096 + 512, true, false },
		{ "a hole in the middle", "0,4096 1048576,8192 ", MIB + 8192,
		    12288 + 512, true, false },
		{ "a hole at the end", "0,4096 ", MIB, 4096 + 512, true,
		    false },
		{ "a hole that ends oddly", "0,4096 ", MIB - 1, 4096 + 512,
		    true, false },
		{ "data that ends oddly", "1048576,4096 ", MIB + 7, 7 + 512,
		    true, false },
		{ "only a hole", "", MIB, 512, true, false },
		{ "holes everywhere", "4096,4096 16384,4096 65536,4096 ",
		    MIB, 12288 + 512, true, false },
		{ "9 GiB of hole", "0,4096 9663676416,4096 ", 9 * GIB + 4096,
		    8192 + 512, true, true },
		{ "1 TiB", "1099511619584,4096 ", 1024 * GIB, 4096 + 512,
		    true, true },
	};
	struct tar_member m;
	struct tar_writer t;
	struct out out;
	struct stat st;
	struct err e = { 0 };
	size_t i;
	int fd;
	bool holes;

	for (i = 0; i < COUNT(of); i++) {
		fd = make_file("f", of[i].pieces, of[i].size);
		if (fstat(fd, &st) < 0)
			scratch_die("fstat");
		holes = (uint64_t)st.st_blocks * 512 < of[i].size;
		if (of[i].sparse && !holes) {
			ok(true, "%s # SKIP no holes here", of[i].what);
			close(fd);
			continue;
		}
		start(&t, &out, i % 2 ? 3 : 0);
		ok(tar_file(&t, "f", fd, "file f", &m, &e) == 0 &&
		    finish(&t, &e) && m.size == of[i].size && m.stored ==
		    of[i].stored && m.sparse == of[i].sparse &&
		    m.mode == (st.st_mode & 07777) && m.uid == st.st_uid &&
		    m.gid == st.st_gid && m.mtime == st.st_mtime,
		    "%s: written, %" PRIu64 " bytes: %s", of[i].what, m.stored,
		    e.msg);
		ok(unpack("g", t.crc) && (of[i].big || same_files("f", "g")),
		    "  read");
		if (of[i].big || i % 2)
			ok(true, "  tar(1) # SKIP long");
		else
			ok(tar_agrees("f", (uint64_t)st.st_blocks + 16),
			    "  tar(1)");
		close(fd);
	}
}

/* More pieces than a reader takes: fewer are written. */
static void
test_pieces(void)
{
	const uint64_t n = TAR_PIECES_MAX + 100;
	int fd = open(scratch_path("f"), O_RDWR | O_CREAT | O_TRUNC, 0640);
	struct tar_member m;
	struct tar_writer t;
	struct out out;
	struct stat st;
	struct err e = { 0 };
	uint64_t i;
	const char *slow = getenv("TEST_LONG");

	if (!slow || !*slow) {
		ok(true, "pieces # SKIP half a GiB; TEST_LONG=1");
		close(fd);
		return;
	}
	for (i = 0; i < n; i++)
		if (pwrite(fd, "x", 1, (off_t)(i * 8192)) < 0)
			scratch_die("pwrite");
	if (ftruncate(fd, (off_t)(n * 8192)) < 0 || fstat(fd, &st) < 0)
		scratch_die("f");
	start(&t, &out, 1);
	ok(tar_file(&t, "f", fd, "f", &m, &e) == 0 && finish(&t, &e) &&
	    m.size == n * 8192, "%" PRIu64 " pieces: %s", n, e.msg);
	ok(unpack("g", t.crc) && same_files("f", "g"), "  read");
	/* a few pieces of 4096 bytes, and the map */
	ok(m.sparse && m.stored < m.size && m.stored >= n * 4096,
	    "  %" PRIu64 " bytes", m.stored);
	close(fd);
}

static void
test_names_kept(void)
{
	static const size_t lengths[] = { 1, 99, 100, 101, 200, 254, 255 };
	struct tar_member m;
	struct tar_writer t;
	struct out out;
	struct err e = { 0 };
	char name[TAR_NAME_MAX + 2], said[600], *p;
	size_t i, j;
	int fd, sparse;

	for (i = 0; i < 2 * COUNT(lengths); i++) {
		sparse = i % 2 != 0;
		memset(name, 0, sizeof(name));
		for (j = 0; j < lengths[i / 2]; j++)
			name[j] = j % 50 == 49 && j + 1 < lengths[i / 2] ?
			    '/' : (char)('a' + j % 26);
		fd = make_file("f", sparse ? "65536,4096 " : "0,4096 ", 69632);
		if (!sparse && ftruncate(fd, 4096) < 0)
			scratch_die("ftruncate");
		start(&t, &out, 0);
		ok(tar_file(&t, name, fd, "f", &m, &e) == 0 && finish(&t, &e),
		    "a name of %zu bytes: %s", lengths[i / 2], e.msg);
		snprintf(said, sizeof(said), sparse && m.sparse ?
		    "%s 69632 4608 sparse 4096/1\n" : sparse ?
		    "%s 69632 69632 69632/1\n" :
		    "%s 4096 4096 4096/1\n", name);
		is(outline(scratch_path("t.tar")), said, "  read");
		snprintf(said, sizeof(said), "test \"$(tar -tf '%s')\" = '%s'",
		    scratch_path("t.tar"), name);
		ok(system(said) == 0, "  tar(1)");
		close(fd);
	}
	p = memset(name, 'a', TAR_NAME_MAX + 1);
	p[TAR_NAME_MAX + 1] = '\0';
	fd = make_file("f", "", 0);
	start(&t, &out, 0);
	ok(tar_file(&t, name, fd, "the file", &m, &e) == -1 &&
	    e.status == STATUS_SYSTEM && strcmp(e.msg, "the file: its name in "
	    "a tar is longer than 255 bytes") == 0, "%s", e.msg);
	out_abort(&out);
	close(fd);
}

/* A member in pieces; numbers that a header cannot say. */
static void
test_members(void)
{
	struct tar_member m = { .name = "a", .size = 5, .mode = 0600,
	    .uid = 1 << 21, .gid = UINT32_MAX, .mtime = -5 };
	struct tar_writer t;
	struct tar_reader r;
	struct out out;
	struct in in;
	struct err e = { 0 };
	uint32_t crc;

	start(&t, &out, 0);
	ok(tar_begin(&t, &m, &e) == 0 && tar_data(&t, "ab", 2, &e) == 0 &&
	    tar_data(&t, "", 0, &e) == 0 && tar_data(&t, "cde", 3, &e) == 0,
	    "in pieces");
	crc = t.crc;
	ok(crc == crc32c(0, "abcde", 5), "  the checksum");
	m = (struct tar_member){ .name = "b", .mtime = INT64_MAX };
	ok(tar_begin(&t, &m, &e) == 0 && t.crc == 0 && finish(&t, &e),
	    "  and nothing");
	if (in_open(&in, scratch_path("t.tar"), &e) < 0)
		scratch_die(e.msg);
	tar_reader_init(&r, &in);
	ok(tar_next(&r, &e) == 1 && r.m.uid == 1 << 21 &&
	    r.m.gid == UINT32_MAX && r.m.mtime == 0 && r.m.mode == 0600 &&
	    r.m.size == 5 && r.m.stored == 5, "read: %s", e.msg);
	ok(tar_next(&r, &e) == 1 && strcmp(r.m.name, "b") == 0 &&
	    r.m.mtime == (INT64_C(1) << 33) - 1 && r.m.size == 0 &&
	    tar_next(&r, &e) == 0 && tar_next(&r, &e) == 0,
	    "  passed over: %s", e.msg);
	tar_reader_release(&r);
	in_close(&in);
}

/* More than a header's field has room for. */
static void
test_large(void)
{
	struct tar_member m = { .name = "large", .size = 8 * GIB };
	struct tar_writer t;
	struct tar_reader r;
	struct out out;
	struct in in;
	struct err e = { 0 };
	static char block[MIB];
	uint64_t i;
	int good = 0;

	start(&t, &out, 1);
	good = tar_begin(&t, &m, &e);
	/* its header is what is asked; the data is cut */
	for (i = 0; good == 0 && i < 2; i++)
		good = tar_data(&t, block, sizeof(block), &e);
	ok(good == 0 && out_close(&out, &e) == 0, "8 GiB: %s", e.msg);
	if (in_open(&in, scratch_path("t.tar"), &e) < 0)
		scratch_die(e.msg);
	tar_reader_init(&r, &in);
	ok(tar_next(&r, &e) == 1 && r.m.size == 8 * GIB &&
	    r.m.stored == 8 * GIB, "  read: %s", e.msg);
	ok(tar_next(&r, &e) == -1 && e.status == STATUS_DATA &&
	    strstr(e.msg, "t.tar:+2098688: ends before"), "  %s", e.msg);
	tar_reader_release(&r);
	in_close(&in);
}

/* What changes under it, and the same bytes again. */
static void
test_moved(void)
{
	struct tar_member m;
	struct tar_writer t;
	struct out out;
	struct err e = { 0 };
	struct buf a = { 0 }, b = { 0 };
	int fd = make_file("f", "0,4096 65536,8192 ", 131072), i, pipes[2];

	for (i = 0; i < 2; i++) {
		start(&t, &out, 0);
		ok(tar_file(&t, "f", fd, "f", &m, &e) == 0 && finish(&t, &e),
		    "written %d", i);
		scratch_read(scratch_path("t.tar"), i ? &b : &a);
	}
	ok(a.len == b.len && memcmp(a.p, b.p, a.len) == 0, "  the same bytes");
	close(fd);
	buf_release(&a);
	buf_release(&b);
	/* a file of the system says a size, and has less */
	fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY);
	start(&t, &out, 0);
	if (fd < 0)
		ok(true, "shorter # SKIP no such file");
	else
		ok(tar_file(&t, "f", fd, "the file", &m, &e) == -1 &&
		    e.status == STATUS_BUSY && strcmp(e.msg, "the file became "
		    "shorter while it was read") == 0, "%s", e.msg);
	out_abort(&out);
	close(fd);
	if (pipe(pipes) < 0)
		scratch_die("pipe");
	start(&t, &out, 0);
	ok(tar_file(&t, "f", pipes[0], "a pipe", &m, &e) == 0 && m.size == 0,
	    "a pipe is an empty file: %s", e.msg);
	out_abort(&out);
}

int
main(void)
{
	test_headers();
	test_names();
	test_pax();
	test_pax_place();
	test_maps();
	test_ends();
	test_files();
	test_pieces();
	test_names_kept();
	test_members();
	test_large();
	test_moved();
	return tap_done();
}
