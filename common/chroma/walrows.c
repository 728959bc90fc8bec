/* SPDX-License-Identifier: Apache-2.0 */
/* walrows.c - the rows of embeddings_queue in the order of seq_id. */
#include "chroma/walrows.h"

#include "base/buf.h"

int
walrows_open(struct walrows *w, struct db *db, const char *columns,
    int64_t from, int64_t to, struct err *e)
{
	struct buf sql = { 0 };
	int r;

	*w = (struct walrows){ .db = db, .next = from, .last = to };
	buf_addf(&sql, "SELECT seq_id%s FROM embeddings_queue "
	    "WHERE seq_id >= ?1 AND seq_id <= ?2 ORDER BY seq_id", columns);
	r = buf_ok(&sql) ? db_prepare(db, &w->st, buf_str(&sql), e) :
	    err_nomem(e);
	buf_release(&sql);
	return r;
}

static int
disorder(const struct db *db, struct err *e)
{
	return err_data(e, "%s: rows of the log are out of order: the file is "
	    "damaged; restore a backup, or salvage the rows with sqlite3's "
	    ".recover", err_tail(db->name));
}

/* No row from next on came: none may be there up to last.  A damaged seq_id
 * that claims to be above last ends SQLite's scan where it stands. */
static int
ended(const struct walrows *w, struct err *e)
{
	struct db_stmt st;
	int got;

	if (db_prepare(w->db, &st, "SELECT max(seq_id) FROM embeddings_queue "
	    "WHERE seq_id <= ?1", e) < 0)
		return -1;
	db_bind_i64(&st, 1, w->last);
	got = db_step(&st, e);
	if (got > 0)
		got = db_col_type(&st, 0) != DB_NULL &&
		    db_col_i64(&st, 0) >= w->next ? disorder(w->db, e) : 0;
	db_finish(&st);
	return got;
}

int
walrows_next(struct walrows *w, int64_t *seq_id, struct err *e)
{
	int got;

	if (w->over)
		return 0;
	if (!w->running) {
		db_bind_i64(&w->st, 1, w->next);
		db_bind_i64(&w->st, 2, w->last);
		w->running = true;
	}
	got = db_step(&w->st, e);
	if (got <= 0) {
		w->over = true;
		return got < 0 ? -1 : ended(w, e);
	}
	*seq_id = db_col_i64(&w->st, 0);
	if (db_col_type(&w->st, 0) != DB_INTEGER || *seq_id < w->next)
		return disorder(w->db, e);
	w->over = *seq_id == w->last;
	w->next = *seq_id + !w->over;
	return 1;
}

void
walrows_pause(struct walrows *w)
{
	db_reset(&w->st);
	w->running = false;
}

void
walrows_close(struct walrows *w)
{
	db_finish(&w->st);
}
