/* SPDX-License-Identifier: Apache-2.0 */
/* safeschema.h - a database file of a stranger, before anything is read from
 * its tables.
 *
 * Chroma's schemas, of every era, are made of few words: names of its tables
 * and columns, types, keys, one DEFAULT.  A file whose sqlite_master has
 * other words than those (a trigger, a view, a CHECK, a generated column, a
 * collation, an expression in an index, a table that is none of Chroma's, a
 * virtual table other than its full-text ones) is refused.
 *
 * Source: the migrations of chroma 0.4.0 to 1.5.9
 * (chromadb/migrations/{sysdb,metadb,embeddings_queue}), and the acquire_write
 * of rust/sqlite; chroma-layout(5).
 */
#ifndef CHROMA_SAFESCHEMA_H
#define CHROMA_SAFESCHEMA_H

#include "base/attr.h"
#include "base/err.h"
#include "chroma/db.h"

/* db is open as DB_UNTRUSTED.  0, or -1 with *e set (STATUS_DATA: the object
 * and the word; also where the file is not sound: quick_check). */
ATTR_NODISCARD int safeschema_check(struct db *db, struct err *e);

/* The same for a snapshot that chops made (chops.h): its tables, all of them,
 * and no others. */
ATTR_NODISCARD int safeschema_check_chops(struct db *db, struct err *e);

#endif
