/* SPDX-License-Identifier: Apache-2.0 */
/* tar.h - a tar stream of regular files, as POSIX has it (pax), written and
 * read a piece at a time.
 *
 * Written: ustar headers; a pax header (path, size, uid, gid, and GNU's sparse
 * keys of version 1.0) where a field does not fit or a file has holes.  GNU tar
 * and bsdtar unpack it, holes included.  Two blocks of zeros end it, and nothing
 * comes after them.
 *
 * Read: that, and no more: regular files with relative names, whatever else a
 * tar may have (links, devices, directories, "..", other pax keys but mtime,
 * global headers, another checksum, padding that is not zero, bytes after the
 * end) is refused with its place.  Nothing is allocated by a size that the
 * stream says.
 *
 * Source: pax(1) of POSIX.1-2017 for the blocks; GNU tar 1.34, "Storing Sparse
 * Files", for PAX 1.0: the data begins with a map in decimal lines, padded to a
 * block: the number of pieces, then offset and length of each.
 */
#ifndef STREAM_TAR_H
#define STREAM_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "stream/in.h"
#include "stream/out.h"

#define TAR_BLOCK 512
#define TAR_NAME_MAX 255	/* bytes */
#define TAR_PIECES_MAX 65536	/* of one sparse file that is read */

struct tar_member {
	char name[TAR_NAME_MAX + 1];
	uint64_t size;		/* of the file */
	uint64_t stored;	/* bytes of it in the stream; a sparse one has
				 * less, but its map on top */
	bool sparse;
	unsigned mode;		/* permission bits */
	uint64_t uid, gid;
	int64_t mtime;		/* seconds */
};

/* ---- writing ---- */

struct tar_writer {
	struct out *out;	/* borrowed */
	uint64_t left;		/* bytes of the member still to come */
	uint64_t pad;		/* bytes behind them */
	uint32_t crc;		/* CRC-32C of what is stored of it so far */
};

void tar_writer_init(struct tar_writer *t, struct out *out);

/* Begin a member of m->size bytes that is not sparse (m->stored is set).  The
 * name is not checked.  0, or -1 with *e set. */
ATTR_NODISCARD int tar_begin(struct tar_writer *t, struct tar_member *m,
    struct err *e);

/* Its bytes: m->size of them, in as many calls as it takes. */
ATTR_NODISCARD int tar_data(struct tar_writer *t, const void *p, size_t n,
    struct err *e);

/* All of an open file, wherever it stands: size, mode, owner and time are those
 * of fstat(2).  Holes are not read and not written (lseek(2), SEEK_DATA), if it
 * has any before its end; of a file in more than TAR_PIECES_MAX pieces the small
 * ones are written as zeros.  A file that became shorter meanwhile is an error
 * (STATUS_BUSY); what was appended is not written.  *m: what was written; the
 * checksum is t->crc.  0, or -1 with *e set (what: the file's name for
 * messages).  Memory: a MiB, and 16 bytes a piece. */
ATTR_NODISCARD int tar_file(struct tar_writer *t, const char *name, int fd,
    const char *what, struct tar_member *m, struct err *e);

/* The end of the archive; out stays open. */
ATTR_NODISCARD int tar_end(struct tar_writer *t, struct err *e);

/* ---- reading ---- */

struct tar_piece {
	uint64_t offset, size;		/* in the file */
};

struct tar_reader {
	struct in *in;		/* borrowed */
	struct tar_member m;	/* the present one */
	uint32_t crc;		/* CRC-32C of what is stored of it, as far as
				 * it was read: the map of a sparse one, too */
	/* private */
	struct tar_piece *piece;	/* owned; of a sparse one */
	size_t pieces, cap, at;
	uint64_t done;		/* bytes of the present piece, or of the file */
	uint64_t left, pad;
	bool over;
};

void tar_reader_init(struct tar_reader *t, struct in *in);

/* The next member, into t->m; what is left of the present one is skipped, and
 * checked.  1; 0: the end of the archive, after which nothing came; -1 with *e
 * set (STATUS_DATA: what is wrong, with the member or the offset; a stream that
 * ends before its end; STATUS_SYSTEM). */
ATTR_NODISCARD int tar_next(struct tar_reader *t, struct err *e);

/* The next bytes of the present member: *p, and where in the file they belong.
 * Their number; 0 at its end; -1 with *e set. */
ATTR_NODISCARD ptrdiff_t tar_read(struct tar_reader *t, const char **p,
    uint64_t *offset, struct err *e);

void tar_reader_release(struct tar_reader *t);

#endif
