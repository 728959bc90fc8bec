/* SPDX-License-Identifier: Apache-2.0 */
/* purge.c - whether Chroma purges its log by itself. */
#include "chroma/purge.h"

#include "base/buf.h"
#include "stream/json.h"

#define FIRST_ROW "FROM embeddings_queue_config ORDER BY id LIMIT 1"

static int
not_understood(const struct db *db, const char *why, struct err *e)
{
	return err_data(e, "%s: the row of embeddings_queue_config is not what "
	    "Chroma writes: %s", err_tail(db->name), why);
}

/* The first row, which is the one that Chroma reads: its text into *b, and
 * where in it the value is.  1; 0: no row; -1 with *e set. */
static int
find_value(struct db *db, struct buf *b, struct slice *value, struct err *e)
{
	static const char *const key[] = { "automatically_purge" };
	struct db_stmt st;
	struct err why;
	int got;

	if (db_prepare(db, &st, "SELECT config_json_str " FIRST_ROW, e) < 0)
		return -1;
	got = db_step(&st, e);
	if (got > 0 && db_col_type(&st, 0) != DB_TEXT)
		got = not_understood(db, "it has no text", e);
	else if (got > 0)
		buf_add(b, db_col_text(&st, 0).p, db_col_text(&st, 0).len);
	db_finish(&st);
	if (got <= 0)
		return got;
	if (!buf_ok(b))
		return err_nomem(e);
	if (json_members(buf_slice(b), key, value, 1, &why) < 0)
		return not_understood(db, why.msg, e);
	if (!slice_is(*value, "true") && !slice_is(*value, "false"))
		return not_understood(db, "automatically_purge is neither true "
		    "nor false", e);
	return 1;
}

int
purge_read(struct db *db, const struct era *era, enum purge *p, struct err *e)
{
	struct buf b = { 0 };
	struct slice value;
	int got = 0;

	*p = PURGE_NO_TABLE;
	if (!era->has_queue_config)
		return 0;
	got = find_value(db, &b, &value, e);
	if (got >= 0)
		*p = got == 0 ? PURGE_NO_ROW :
		    slice_is(value, "true") ? PURGE_AUTO : PURGE_OFF;
	buf_release(&b);
	return got < 0 ? -1 : 0;
}

/* The whole text with another value in it; of a new row if there is none. */
static int
new_text(struct db *db, const struct era *era, enum purge p, struct buf *out,
    struct err *e)
{
	const char *word = p == PURGE_AUTO ? "true" : "false";
	const char *space = era_integer_watermark(era) ? "" : " ";
	struct buf old = { 0 };
	struct slice value;
	int got = find_value(db, &old, &value, e);

	if (got > 0) {
		buf_add(out, old.p, (size_t)(value.p - old.p));
		buf_adds(out, word);
		buf_add(out, value.p + value.len, old.len - value.len -
		    (size_t)(value.p - old.p));
	} else if (got == 0)
		buf_addf(out, "{\"automatically_purge\":%s%s,%s\"_type\":%s"
		    "\"EmbeddingsQueueConfigurationInternal\"}", space, word,
		    space, space);
	buf_release(&old);
	return got >= 0 && !buf_ok(out) ? err_nomem(e) : got;
}

int
purge_write(struct db *db, const struct era *era, enum purge p, struct err *e)
{
	struct buf text = { 0 };
	struct db_stmt st;
	int got = new_text(db, era, p, &text, e);

	if (got >= 0 && db_prepare(db, &st, got == 0 ?
	    "INSERT INTO embeddings_queue_config (id, config_json_str) "
	    "VALUES (1, ?)" : "UPDATE embeddings_queue_config SET "
	    "config_json_str = ? WHERE id = (SELECT id " FIRST_ROW ")",
	    e) == 0) {
		db_bind_text(&st, 1, buf_slice(&text));
		got = db_step(&st, e);
		db_finish(&st);
	} else
		got = -1;
	buf_release(&text);
	return got < 0 ? -1 : 0;
}
