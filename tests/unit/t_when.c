/* SPDX-License-Identifier: Apache-2.0 */
/* t_when - times, as SQLite's strftime('%s', ...) counts them. */
#include "base/when.h"

#include <sqlite3.h>

#include "../scratch.h"
#include "../tap.h"

#define S INT64_C(1000)
#define DAY (86400 * S)

static const struct {
	const char *text;
	int r;
	int64_t ms;
} times[] = {
	{ "1970-01-01 00:00:00", 0, 0 },
	{ "1970-01-01", 0, 0 },
	{ "1970-01-02", 0, DAY },
	{ "1970-01-01T00:00:01Z", 0, S },
	{ "1970-01-01 00:01", 0, 60 * S },
	{ "1970-01-01 00:00:00.5", 0, 500 },
	{ "1970-01-01 00:00:00.123456789", 0, 123 },
	{ "1970-01-01 00:00:00.999999", 0, 999 },
	{ "1970-01-01 01:00:00+01:00", 0, 0 },
	{ "1969-12-31 19:00:00-05:00", 0, 0 },
	{ "1970-01-01 00:00:00+14:00", 0, -14 * 3600 * S },
	{ "1969-12-31 23:59:59", 0, -S },
	{ "2000-02-29 12:34:56", 0, 951827696 * S },
	{ "2024-02-29 00:00:00", 0, 1709164800 * S },
	{ "2024-12-31 23:59:59", 0, 1735689599 * S },
	{ "2100-03-01 00:00:00", 0, INT64_C(4107542400) * S },
	{ "9999-12-31 23:59:59", 0, INT64_C(253402300799) * S },
	{ "0000-01-01 00:00:00", 0, INT64_C(-62167219200) * S },
	{ "0000-03-01", 0, INT64_C(-62162035200) * S },
	{ "1900-03-01", 0, INT64_C(-2203891200) * S },
	{ "2023-02-31", 0, INT64_C(1677801600) * S },	/* the third of March */
	{ "1970-01-01 24:00:00", 0, DAY },
	{ "", -1, 0 },
	{ "now", -1, 0 },
	{ "1970", -1, 0 },
	{ "1970-01", -1, 0 },
	{ "1970-1-1", -1, 0 },
	{ "70-01-01", -1, 0 },
	{ "19700101", -1, 0 },
	{ "1970-00-01", -1, 0 },
	{ "1970-13-01", -1, 0 },
	{ "1970-01-00", -1, 0 },
	{ "1970-01-32", -1, 0 },
	{ "1970-01-01 25:00:00", -1, 0 },
	{ "1970-01-01 00:60:00", -1, 0 },
	{ "1970-01-01 00:00:60", -1, 0 },
	{ "1970-01-01 00", -1, 0 },
	{ "1970-01-01 0:00:00", -1, 0 },
	{ "1970-01-01 00:00:", -1, 0 },
	{ "1970-01-01 00:00:00.", -1, 0 },
	{ "1970-01-01 00:00:00 ", -1, 0 },
	{ " 1970-01-01", -1, 0 },
	{ "1970-01-01 ", -1, 0 },
	{ "1970-01-01Z", -1, 0 },
	{ "1970-01-01 00:00:00ZZ", -1, 0 },
	{ "1970-01-01 00:00:00+1:00", -1, 0 },
	{ "1970-01-01 00:00:00+15:00", -1, 0 },
	{ "1970-01-01 00:00:00+01", -1, 0 },
	{ "1970-01-01 00:00:00+01:60", -1, 0 },
	{ "1970/01/01", -1, 0 },
	{ "-1970-01-01", -1, 0 },
	{ "10000-01-01", -1, 0 },
	{ "1970-01-01 00:00:00.5x", -1, 0 },
};

/* A date of every week of ten thousand years, as SQLite reads it. */
static void
test_against_sqlite(void)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *st = NULL;
	uint64_t seed = 5;
	size_t bad = 0, n = 0;
	int64_t ms;
	char text[40];
	int y;

	if (sqlite3_open(":memory:", &db) != SQLITE_OK ||
	    sqlite3_prepare_v2(db, "SELECT CAST(strftime('%s', ?1) AS INTEGER)",
	    -1, &st, NULL) != SQLITE_OK)
		scratch_die("sqlite3");
	for (y = 0; y < 20000; y++) {
		uint64_t r = scratch_random(&seed);

		snprintf(text, sizeof(text),
		    "%04d-%02d-%02d %02d:%02d:%02d%s", y % 10000,
		    1 + (int)(r % 12), 1 + (int)(r >> 8 & 0xff) % 31,
		    (int)(r >> 16 & 0xff) % 24, (int)(r >> 24 & 0xff) % 60,
		    (int)(r >> 32 & 0xff) % 60,
		    r >> 63 ? "" : r >> 62 ? "Z" : "+02:30");
		sqlite3_bind_text(st, 1, text, -1, SQLITE_STATIC);
		if (sqlite3_step(st) != SQLITE_ROW)
			scratch_die("sqlite3_step");
		if (sqlite3_column_type(st, 0) != SQLITE_NULL) {
			n++;
			if (when_parse(text, strlen(text), &ms) < 0 ||
			    ms != sqlite3_column_int64(st, 0) * 1000) {
				if (bad++ < 5)
					printf("# %s: %lld\n", text,
					    (long long)ms);
			}
		}
		sqlite3_reset(st);
	}
	sqlite3_finalize(st);
	sqlite3_close(db);
	ok(bad == 0 && n > 19000, "%zu times as SQLite reads them", n);
}

int
main(void)
{
	size_t i;

	for (i = 0; i < COUNT(times); i++) {
		int64_t ms = 0;
		size_t n = strlen(times[i].text);
		char *p = malloc(n ? n : 1);	/* asan sees a read beyond */
		int r;

		if (!p)
			scratch_die("no memory");
		memcpy(p, times[i].text, n);
		r = when_parse(p, n, &ms);
		free(p);
		ok(r == times[i].r && ms == times[i].ms, "'%s': %d, %lld",
		    times[i].text, r, (long long)ms);
	}
	test_against_sqlite();
	return tap_done();
}
