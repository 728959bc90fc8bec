/* SPDX-License-Identifier: Apache-2.0 */
/* chroma-walexport - write the WAL of a Chroma directory as a stream
 *
 * In: a persist dir, of which nothing changes.  Out: WAL records.
 * Memory: a batch of rows (1 MiB, or the largest row) and the collections.
 * See chroma-walexport(1), chroma-stream(5).
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/when.h"
#include "chroma/holders.h"
#include "chroma/wal.h"
#include "prog/opt.h"
#include "prog/prog.h"
#include "prog/progress.h"
#include "stream/stream.h"

/* Rows that Chroma would choke on are named one by one up to this many. */
#define POISON_SHOWN 20

/* Bytes of --columns that are written at once. */
#define COLUMNS_GATHERED ((size_t)1 << 18)

enum part { PART_ALL, PART_COMMITTED, PART_PENDING, PART_PRUNABLE };

struct config {
	struct opt_list only, skip;
	enum part part;
	int64_t from, to;	/* seq_ids, inclusive */
	bool from_set;
	int64_t since, until;	/* ms; since inclusive, until exclusive */
	bool timed;
	bool columns;		/* rows as `chops wal export` writes them */
	bool identity;		/* only what identifies a row */
	bool dead_topics;	/* rows of no collection, too */
	struct opt_output output;
	uint64_t wait_s;
	const char *tmpdir;
	enum progress_mode progress;
};

static const char usage_text[] =
"usage: chroma-walexport [options] DIR\n"
"Write the WAL of a Chroma directory as a stream of records.\n"
"\n"
"  -b, --binary           write the binary form\n"
"  -c, --collection=NAME  only this collection (repeatable): NAME,\n"
"                         TENANT/DATABASE/NAME or a UUID\n"
"      --columns          rows as stored, in the form of 'chops wal export'\n"
"      --committed        only rows that both segments have applied\n"
"      --dead-topics      also rows of collections that are gone\n"
"      --embedding=FORM   array (default), base64 or none\n"
"      --force            write bytes that are no text to a terminal\n"
"      --from-seq-id=N    first seq_id (default: the oldest)\n"
"  -h, --help             print this text\n"
"      --identity         only what identifies a row: enough to prune by\n"
"  -j, --jsonl            write JSONL (the default)\n"
"      --pending          only rows that are not committed\n"
"      --progress         show progress even where it is not a terminal\n"
"      --prunable         only rows that chroma-walprune may delete\n"
"  -q, --quiet            no warnings, no progress\n"
"      --since=TIME       only rows created at this time (UTC) or later\n"
"      --skip=NAME        all but this collection (repeatable)\n"
"      --tmpdir=DIR       where a private copy may go; recovers a hot journal\n"
"      --to-seq-id=N      last seq_id (default: the newest)\n"
"      --until=TIME       only rows created before this time (UTC)\n"
"  -V, --version          print the version\n"
"      --wait=SECONDS     how long to wait for a lock (default 10)\n"
"  -z, --zstd[=LEVEL]     compress with zstd (default 3)\n";

static const struct option longopts[] = {
	{ "binary",	 no_argument,		NULL, 'b' },
	{ "collection",	 required_argument,	NULL, 'c' },
	{ "columns",	 no_argument,		NULL, OPT_COLUMNS },
	{ "committed",	 no_argument,		NULL, OPT_COMMITTED },
	{ "dead-topics", no_argument,		NULL, OPT_DEAD_TOPICS },
	{ "embedding",	 required_argument,	NULL, OPT_EMBEDDING },
	{ "force",	 no_argument,		NULL, OPT_FORCE },
	{ "from-seq-id", required_argument,	NULL, OPT_FROM_SEQ_ID },
	{ "help",	 no_argument,		NULL, 'h' },
	{ "identity",	 no_argument,		NULL, OPT_IDENTITY },
	{ "jsonl",	 no_argument,		NULL, 'j' },
	{ "pending",	 no_argument,		NULL, OPT_PENDING },
	{ "progress",	 no_argument,		NULL, OPT_PROGRESS },
	{ "prunable",	 no_argument,		NULL, OPT_PRUNABLE },
	{ "quiet",	 no_argument,		NULL, 'q' },
	{ "since",	 required_argument,	NULL, OPT_SINCE },
	{ "skip",	 required_argument,	NULL, OPT_SKIP },
	{ "tmpdir",	 required_argument,	NULL, OPT_TMPDIR },
	{ "to-seq-id",	 required_argument,	NULL, OPT_TO_SEQ_ID },
	{ "until",	 required_argument,	NULL, OPT_UNTIL },
	{ "version",	 no_argument,		NULL, 'V' },
	{ "wait",	 required_argument,	NULL, OPT_WAIT },
	{ "zstd",	 optional_argument,	NULL, 'z' },
	{ NULL, 0, NULL, 0 }
};

/* Whether the part of the log that was asked for has this row. */
static bool
in_part(const struct config *cf, const struct catalog *c,
    const struct wal_row *row)
{
	int64_t seq_id = row->col[WAL_SEQ_ID].i;
	uint64_t committed = 0;
	bool known;

	if (cf->part == PART_ALL)
		return true;
	if (!row->collection)
		return cf->dead_topics &&
		    catalog_dead_topic(c, &row->col[WAL_TOPIC]) &&
		    (cf->part != PART_PRUNABLE ||
		    (uint64_t)seq_id != c->newest);
	known = collection_committed(row->collection, &committed);
	switch (cf->part) {
	case PART_COMMITTED:
		return known && seq_id <= (int64_t)committed;
	case PART_PENDING:
		return !known || seq_id > (int64_t)committed;
	default:	/* strictly below, and never the newest row of all */
		return known && seq_id < (int64_t)committed &&
		    (uint64_t)seq_id != c->newest;
	}
}

/* Whether the time range has this row; one without a readable time is in
 * every range, so that an audit never misses it. */
static bool
in_time(const struct config *cf, const struct wal_row *row)
{
	const struct db_value *v = &row->col[WAL_CREATED_AT];
	int64_t ms;

	if (!cf->timed || v->type != DB_TEXT ||
	    when_parse(v->bytes.p, v->bytes.len, &ms) < 0)
		return true;
	return ms >= cf->since && ms < cf->until;
}

/* One row as a line of columns; lines gather, so->buf is their place. */
static int
put_columns(const struct wal_row *row, struct stream_out *so, struct err *e)
{
	wal_columns(row, &so->buf);
	buf_addc(&so->buf, '\n');
	return buf_ok(&so->buf) && so->buf.len < COLUMNS_GATHERED ? 0 :
	    stream_flush(so, e);
}

/* One row out, as a line of columns or as a record. */
static int
put_row(const struct config *cf, const struct wal_row *row,
    struct stream_out *so, struct buf *mem, uint64_t *poisoned,
    struct err *e)
{
	enum wal_poison poison;
	struct record r;

	if (cf->columns)
		return put_columns(row, so, e);
	if (cf->identity) {
		wal_identity(row, &r);
		return stream_put_record(so, &r, e);
	}
	if (wal_record(row, &r, mem, &poison, e) < 0)
		return -1;
	if (poison != POISON_NONE && (*poisoned)++ < POISON_SHOWN)
		prog_warn("seq_id %lld: %s; %s; written whole",
		    (long long)r.seq_id, wal_poison_what(poison),
		    wal_poison_effect(poison));
	if (cf->output.embedding == EMBEDDING_NONE)
		r.has &= ~(unsigned)FIELD_EMBEDDING;
	else
		r.form = cf->output.embedding;
	return stream_put_record(so, &r, e);
}

/* All rows that were asked for.  0, or -1 with *e set. */
static int
walexport(const struct config *cf, struct wal *w, struct stream_out *so,
    uint64_t *poisoned, struct err *e)
{
	struct buf mem = { 0 };
	struct wal_row row;
	uint64_t done = 0;
	int got;

	while ((got = wal_next(w, &row, e)) > 0) {
		if (in_part(cf, w->catalog, &row) && in_time(cf, &row) &&
		    put_row(cf, &row, so, &mem, poisoned, e) < 0) {
			got = -1;
			break;
		}
		progress_update(++done);
	}
	buf_release(&mem);
	return got;
}

/* The begin record: what is in the directory and in the stream. */
static int
put_begin(const struct config *cf, const struct catalog *c, int64_t to,
    struct stream_out *so, struct err *e)
{
	uint64_t from = cf->from_set ? (uint64_t)cf->from :
	    c->oldest ? c->oldest : 1;
	struct buf text = { 0 };
	int r;

	catalog_begin(c, from, (uint64_t)to,
	    (cf->part != PART_ALL || cf->timed ? BEGIN_PARTIAL : 0u) |
	    (cf->output.embedding == EMBEDDING_NONE ? BEGIN_NO_EMBEDDINGS : 0u) |
	    (cf->identity ? BEGIN_IDENTITY : 0u), &text);
	r = buf_ok(&text) ? stream_put_begin(so, buf_slice(&text), e) :
	    err_nomem(e);
	buf_release(&text);
	return r;
}

/* What could not be read is missing in the begin record, and watermarks decide
 * what is committed: say so. */
static void
warn_of_faults(const struct config *cf, const struct catalog *c, bool shared)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		const struct collection *col = &c->collection[i];

		if (col->selected && (col->index_fault ||
		    (cf->part != PART_ALL && (col->vector.odd ||
		    col->metadata.odd))))
			prog_warn("collection %s: %s%s", col->name,
			    !col->index_fault ?
			    "a watermark that no Chroma reads" : shared ?
			    "its index is damaged, or being written: " :
			    "its index is damaged: ",
			    col->index_fault ? col->index_fault : "");
	}
}

/* What is committed cannot be told where a watermark cannot be read. */
static int
check_watermarks(const struct config *cf, const struct catalog *c,
    bool shared, struct err *e)
{
	size_t i;

	if (cf->part == PART_ALL)
		return 0;
	for (i = 0; i < c->n; i++) {
		const struct collection *col = &c->collection[i];

		if (!col->selected || !col->vector_fault)
			continue;
		if (shared)
			return err_busy(e, "collection %s: %s; it may be being "
			    "written: try again", col->name, col->vector_fault);
		return err_data(e, "collection %s: %s; so it cannot be told "
		    "what is committed: export all rows, or --skip it",
		    col->name, col->vector_fault);
	}
	return 0;
}

/* The rows; if that fails, those that were read go out, without an end. */
static int
rows(const struct config *cf, struct wal *w, struct stream_out *so,
    struct out *out, struct err *e)
{
	uint64_t poisoned = 0;
	struct err ignored;

	if (walexport(cf, w, so, &poisoned, e) < 0) {
		(void)!(stream_flush(so, &ignored) < 0 ||
		    out_flush(out, &ignored) < 0);
		return -1;
	}
	progress_end();
	if (poisoned > POISON_SHOWN)
		prog_warn("%llu rows of this kind in all",
		    (unsigned long long)poisoned);
	return 0;
}

/* Open, write, close in the order that lets a writer of the same directory
 * follow in the pipe: DIR is closed before the end record goes out. */
static int
run(const struct config *cf, const char *dir, struct out *out, struct err *e)
{
	struct persist_options po = opt_persist(cf->wait_s, cf->tmpdir);
	struct select sel = opt_select(&cf->only, &cf->skip);
	struct persist pd;
	struct catalog c;
	struct holders h;
	struct stream_out so;
	struct wal w;
	int64_t to = 0;
	bool shared;
	int r;

	if (persist_open(&pd, dir, &po, e) < 0)
		return -1;
	/* only the heads of rows are read, all over the file: through a map */
	if (cf->identity && db_map(&pd.db, true, e) < 0)
		return persist_failed(&pd, e);
	/* the rows first, then what is said of them: what goes in between is
	 * then missed */
	shared = holders_find(pd.dir, &h, e) < 0 || h.n > 0 || h.unseen > 0;
	r = db_has_table(&pd.db, "embeddings_queue", e);
	if (r == 0)		/* no Chroma: the catalog says what it is */
		r = catalog_load(&c, &pd, e);
	if (r < 0 || db_int(&pd.db, "SELECT max(seq_id) FROM embeddings_queue",
	    &to, e) < 0)
		return persist_failed(&pd, e);
	if (cf->to < to)
		to = cf->to;
	if (wal_open(&w, &pd.db, cf->from_set ? cf->from : INT64_MIN, to,
	    cf->dead_topics || (cf->only.n == 0 && cf->part == PART_ALL),
	    cf->identity, shared, e) < 0 ||
	    catalog_load(&c, &pd, e) < 0 || select_apply(&c, &sel, e) < 0 ||
	    check_watermarks(cf, &c, shared, e) < 0)
		return persist_failed(&pd, e);
	wal_use(&w, &c);
	if (c.era.unknown[0])
		prog_warn("%s: migrations newer than this program knows (%s); "
		    "reading on", pd.file, c.era.unknown);
	warn_of_faults(cf, &c, shared);
	stream_out_init(&so, out, cf->output.binary, cf->columns);
	if (put_begin(cf, &c, to, &so, e) < 0)
		return -1;
	progress_start(cf->progress, "rows",
	    c.newest ? c.newest - c.oldest + 1 : 0);
	if (rows(cf, &w, &so, out, e) < 0)
		return persist_failed(&pd, e);
	wal_close(&w);
	if (persist_check(&pd, e) < 0)
		return -1;
	persist_close(&pd);
	catalog_release(&c);
	r = cf->columns ? stream_flush(&so, e) : stream_put_end(&so, e);
	stream_out_release(&so);
	return r;
}

static void
take_part(struct config *cf, enum part part)
{
	static const char *const name[] = { "", "--committed", "--pending",
	    "--prunable" };

	if (cf->part != PART_ALL && cf->part != part)
		opt_conflict(name[cf->part], name[part]);
	cf->part = part;
}

static void
take_seq_id(struct config *cf, int ch, const char *arg)
{
	if (ch == OPT_FROM_SEQ_ID) {
		cf->from = (int64_t)opt_u64("--from-seq-id", arg, 0, INT64_MAX);
		cf->from_set = true;
	} else {
		cf->to = (int64_t)opt_u64("--to-seq-id", arg, 0, INT64_MAX);
	}
}

static void
check(const struct config *cf, int operands)
{
	if (operands != 1)
		prog_usage(operands ? "one DIR at a time" : "no DIR given: the "
		    "persist dir, the one with chroma.sqlite3 in it");
	if (cf->columns && cf->output.binary)
		opt_conflict("--columns", "--binary");
	if (cf->columns && cf->output.embedding_set)
		opt_conflict("--columns", "--embedding");
	if (cf->columns && cf->identity)
		opt_conflict("--columns", "--identity");
	if (cf->identity && cf->output.embedding_set)
		opt_conflict("--identity", "--embedding");
	if (cf->part == PART_PENDING && cf->dead_topics)
		opt_conflict("--pending", "--dead-topics");
	if (cf->from_set && cf->from > cf->to)
		prog_usage("--from-seq-id is greater than --to-seq-id");
	if (cf->timed && cf->since >= cf->until)
		prog_usage("--since is not before --until");
}

int
main(int argc, char *argv[])
{
	struct config cf = { .to = INT64_MAX, .since = INT64_MIN,
	    .until = INT64_MAX, .wait_s = OPT_WAIT_DEFAULT };
	struct err e = { 0 };
	struct out out;
	int ch;

	prog_start(argv[0]);
	while ((ch = getopt_long(argc, argv, ":bc:hjqVz", longopts, NULL)) != -1)
		switch (ch) {
		case 'c': opt_add(&cf.only, "--collection", optarg); break;
		case 'h': return prog_help(usage_text);
		case 'q': cf.progress = PROGRESS_OFF; prog_quiet(); break;
		case 'V': return prog_version();
		case OPT_COLUMNS: cf.columns = true; break;
		case OPT_COMMITTED: take_part(&cf, PART_COMMITTED); break;
		case OPT_DEAD_TOPICS: cf.dead_topics = true; break;
		case OPT_IDENTITY: cf.identity = true; break;
		case OPT_PENDING: take_part(&cf, PART_PENDING); break;
		case OPT_PRUNABLE: take_part(&cf, PART_PRUNABLE); break;
		case OPT_FROM_SEQ_ID:
		case OPT_TO_SEQ_ID: take_seq_id(&cf, ch, optarg); break;
		case OPT_PROGRESS: cf.progress = PROGRESS_FORCED; break;
		case OPT_SINCE:
			cf.since = opt_time("--since", optarg);
			cf.timed = true;
			break;
		case OPT_UNTIL:
			cf.until = opt_time("--until", optarg);
			cf.timed = true;
			break;
		case OPT_SKIP: opt_add(&cf.skip, "--skip", optarg); break;
		case OPT_TMPDIR: cf.tmpdir = optarg; break;
		case OPT_WAIT:
			cf.wait_s = opt_u64("--wait", optarg, 0, OPT_WAIT_MAX);
			break;
		default:
			if (!opt_output_take(&cf.output, ch, optarg))
				opt_bad(ch, argv);
		}
	check(&cf, argc - optind);
	if (opt_output_open(&cf.output, cf.output.binary, &out, &e) < 0)
		prog_fail(&e);
	if (run(&cf, argv[optind], &out, &e) < 0 || out_close(&out, &e) < 0)
		prog_fail(&e);
	return STATUS_OK;
}
