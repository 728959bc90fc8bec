/* SPDX-License-Identifier: Apache-2.0 */
/* t_pages - what SQLite itself needs for the same rows. */
#include "chroma/pages.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "../tap.h"

static int64_t
number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st;
	int64_t n = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

/* Rows of one size. */
static void
compare(int page, int row, int rows)
{
	char sql[256];
	struct pages p;
	sqlite3 *db;
	int64_t real;
	int i;

	snprintf(sql, sizeof(sql), "PRAGMA page_size=%d; CREATE TABLE t "
	    "(k INTEGER PRIMARY KEY, v); WITH r(i) AS (SELECT 1 UNION ALL "
	    "SELECT i + 1 FROM r WHERE i < %d) INSERT INTO t SELECT i, "
	    "zeroblob(%d) FROM r", page, rows, row);
	sqlite3_open(":memory:", &db);
	sqlite3_exec(db, sql, NULL, NULL, NULL);
	real = number(db, "PRAGMA page_count") * page;
	sqlite3_close(db);
	pages_init(&p, (uint64_t)page);
	for (i = 0; i < rows; i++)
		pages_add(&p, (uint64_t)row + 4);
	ok((int64_t)pages_bytes(&p) > real * 97 / 100 - 3 * page &&
	    (int64_t)pages_bytes(&p) < real * 102 / 100,
	    "%d rows of %d in pages of %d: %lld, really %lld", rows, row, page,
	    (long long)pages_bytes(&p), (long long)real);
}

int
main(void)
{
	static const int row[] = { 1, 100, 480, 1340, 2050, 4000, 4060, 4090,
	    6500, 8100, 13000, 70000 };
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		compare(4096, row[i], 2000);
		compare(1024, row[i], 500);
		compare(65536, row[i], 500);
	}
	return tap_done();
}
