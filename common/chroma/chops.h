/* SPDX-License-Identifier: Apache-2.0 */
/* chops.h - a snapshot that `chops collection snapshot` made, as an unpacked
 * one of ours.
 *
 * It is a SQLite database with one collection: some of Chroma's tables, and in
 * hnsw_segment_data the files of the index, each compressed by zlib, with the
 * SHA-256 of what is in it.  It has no migrations, no schema_str, no arrays of
 * metadata and no full text.  So what comes of it fits a directory that is
 * there already (of 1.0 or later if its watermarks are INTEGERs, of 0.5.6 to
 * 0.6.3 or later if they are BLOBs), and none is made of it alone.
 *
 * From Chroma 1.3 on the parameters are in schema_str alone.  Then those that
 * are in the collection's metadata ("hnsw:space") and in header.bin are put
 * into config_json_str; where the metadata does not say the distance function,
 * nothing does: whoever asks for it must say it; else config_json_str stays {},
 * and in the manifest space is NULL and the note says so.
 *
 * Source: chromadb-ops 0.1.5, chroma_ops/collection_snapshot.py and
 * chroma_ops/scripts/snapshot.sql.
 */
#ifndef CHROMA_CHOPS_H
#define CHROMA_CHOPS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "chroma/manifest.h"

/* Whether these first bytes (at least 16) are those of a SQLite database. */
bool chops_is(const void *p, size_t n);

/* Turn the snapshot in the file path, which is ours and is removed by the
 * caller, into dir/chroma.sqlite3 (tables as in the oldest era that the file
 * fits, made anew and filled with the columns that are expected; nothing else
 * of the file is read) and dir/UUID/FILE, and fill *m as carve would.  No
 * migrations have their text: era.h reads the versions.  space: the name of the
 * distance function, for a snapshot that does not say it, or NULL.  0, or -1
 * with *e set (STATUS_DATA: not a snapshot of chops, a table or column missing,
 * another one there, zlib or SHA-256 wrong: which file; STATUS_USAGE: a space
 * for one that says its own). */
ATTR_NODISCARD int chops_unpack(const char *path, const char *dir,
    const char *space, struct manifest *m, struct err *e);

/* What the index files of an unpacked one say of their distance function: that
 * of cosine stores each vector with norm 1 and its length beside it, l2 and ip
 * leave the length to chance.  UNKNOWN: nothing is in the index, or it is
 * damaged. */
enum chops_cosine { CHOPS_UNKNOWN, CHOPS_NOT_COSINE, CHOPS_LIKELY_COSINE };

/* dirfd: of dir.  0, or -1 with *e set when the system fails. */
ATTR_NODISCARD int chops_cosine(int dirfd, const struct manifest_collection *c,
    enum chops_cosine *what, struct err *e);

#endif
