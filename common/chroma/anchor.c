/* SPDX-License-Identifier: Apache-2.0 */
/* anchor.c - a row of the log that is there for its number alone. */
#include "chroma/anchor.h"

int
anchor_put(struct db *db, int64_t seq_id, const char *topic, struct err *e)
{
	struct db_stmt st;
	int64_t newest = 0;
	int got;

	if (db_int(db, "SELECT max(seq_id) FROM main.embeddings_queue",
	    &newest, e) < 0)
		return -1;
	if (seq_id <= newest)
		return 0;
	if (db_prepare(db, &st, "INSERT INTO main.embeddings_queue (seq_id, "
	    "created_at, operation, topic, id, metadata) VALUES (?1, "
	    "'1970-01-01 00:00:00', 3, ?2, '" ANCHOR_ID "', '{}')", e) < 0)
		return -1;
	db_bind_i64(&st, 1, seq_id);
	db_bind_text(&st, 2, slice_str(topic));
	got = db_step(&st, e);
	db_finish(&st);
	return got;
}
