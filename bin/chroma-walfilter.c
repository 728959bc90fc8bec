/* SPDX-License-Identifier: Apache-2.0 */
/* chroma-walfilter - the grep of streams of records
 *
 * In: streams of records, in any form.  Out: those asked for, byte for byte as
 * they came unless another form was asked for; or what they come to, id by id
 * (--latest); or without some of their content (--redact).
 * Memory: one record (three while it is converted); --latest: 40 MiB more.
 * See chroma-walfilter(1), chroma-stream(5).
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/glob.h"
#include "chroma/pick.h"
#include "chroma/select.h"
#include "prog/opt.h"
#include "prog/prog.h"
#include "prog/progress.h"
#include "prog/receipt.h"
#include "stream/json.h"
#include "stream/latest.h"
#include "stream/redact.h"
#include "stream/stream.h"

struct config {
	struct opt_list only, skip, globs;
	const char *where, *where_document;
	const char *key_file, *tmpdir;
	bool latest;		/* log compaction */
	bool plain;
	bool count;		/* print how many, not the records */
	bool exit_status;	/* 1 if none was selected */
	uint64_t limit;
	struct opt_output output;
	enum progress_mode progress;
	struct pick pick;
	struct redact redact;
};

static const char usage_text[] =
"usage: chroma-walfilter [options] [file ...]\n"
"Select records of streams, compact, redact, convert them.\n"
"\n"
"  -b, --binary           write the binary form\n"
"  -c, --collection=NAME  only this collection (repeatable): NAME,\n"
"                         TENANT/DATABASE/NAME or a UUID\n"
"      --count            print the number of records instead of them\n"
"      --embedding=FORM   write embeddings as array, base64 or none\n"
"  -e, --exit-status      status 1 if no record was selected\n"
"      --force            replace the file of -o; write to a terminal what is\n"
"                         no text\n"
"      --from-seq-id=N    first seq_id\n"
"  -h, --help             print this text\n"
"      --id=ID            only this id (repeatable)\n"
"      --id-glob=PATTERN  only ids that match, with * ? [a-z] (repeatable)\n"
"      --ids-from=FILE    only the ids in FILE, a line each (repeatable)\n"
"  -v, --invert           those records that are not selected\n"
"  -j, --jsonl            write JSONL\n"
"      --key-file=FILE    the key that --redact=ids and names need\n"
"      --latest           of each id, only what its records come to\n"
"      --limit=N          stop after N records\n"
"      --operation=OP     only ADD, UPDATE, UPSERT or DELETE (repeatable, or\n"
"                         with commas)\n"
"  -o, --output=FILE      write FILE, which appears when it is complete\n"
"      --plain            neither want nor write begin and end records\n"
"      --progress         show progress even where it is not a terminal\n"
"  -q, --quiet            no receipt, no progress\n"
"      --redact=WHAT      take out documents, metadata, ids, embeddings or\n"
"                         names (repeatable, or with commas)\n"
"      --since=TIME       only records created at this time (UTC) or later\n"
"      --skip=NAME        all but this collection (repeatable)\n"
"      --tmpdir=DIR       where --latest keeps what does not fit into memory\n"
"      --to-seq-id=N      last seq_id\n"
"      --until=TIME       only records created before this time (UTC)\n"
"  -V, --version          print the version\n"
"      --where=JSON       only records whose metadata meet this filter of\n"
"                         Chroma's\n"
"      --where-document=JSON\n"
"                         the same for documents\n"
"  -z, --zstd[=LEVEL]     compress with zstd (default 3)\n";

static const struct option longopts[] = {
	{ "binary",	 no_argument,		NULL, 'b' },
	{ "collection",	 required_argument,	NULL, 'c' },
	{ "count",	 no_argument,		NULL, OPT_COUNT },
	{ "embedding",	 required_argument,	NULL, OPT_EMBEDDING },
	{ "exit-status", no_argument,		NULL, 'e' },
	{ "force",	 no_argument,		NULL, OPT_FORCE },
	{ "from-seq-id", required_argument,	NULL, OPT_FROM_SEQ_ID },
	{ "help",	 no_argument,		NULL, 'h' },
	{ "id",		 required_argument,	NULL, OPT_ID },
	{ "id-glob",	 required_argument,	NULL, OPT_ID_GLOB },
	{ "ids-from",	 required_argument,	NULL, OPT_IDS_FROM },
	{ "invert",	 no_argument,		NULL, 'v' },
	{ "jsonl",	 no_argument,		NULL, 'j' },
	{ "key-file",	 required_argument,	NULL, OPT_KEY_FILE },
	{ "latest",	 no_argument,		NULL, OPT_LATEST },
	{ "limit",	 required_argument,	NULL, OPT_LIMIT },
	{ "operation",	 required_argument,	NULL, OPT_OPERATION },
	{ "output",	 required_argument,	NULL, 'o' },
	{ "plain",	 no_argument,		NULL, OPT_PLAIN },
	{ "progress",	 no_argument,		NULL, OPT_PROGRESS },
	{ "quiet",	 no_argument,		NULL, 'q' },
	{ "redact",	 required_argument,	NULL, OPT_REDACT },
	{ "since",	 required_argument,	NULL, OPT_SINCE },
	{ "skip",	 required_argument,	NULL, OPT_SKIP },
	{ "tmpdir",	 required_argument,	NULL, OPT_TMPDIR },
	{ "to-seq-id",	 required_argument,	NULL, OPT_TO_SEQ_ID },
	{ "until",	 required_argument,	NULL, OPT_UNTIL },
	{ "version",	 no_argument,		NULL, 'V' },
	{ "where",	 required_argument,	NULL, OPT_WHERE },
	{ "where-document", required_argument,	NULL, OPT_WHERE_DOCUMENT },
	{ "zstd",	 optional_argument,	NULL, 'z' },
	{ NULL, 0, NULL, 0 }
};

/* The work, over all inputs. */
struct job {
	struct config *cf;
	struct stream_out so;
	struct latest latest;
	struct record_memory memory;
	struct buf line;
	struct buf begin;	/* --latest: the last begin record, */
	bool bare, identity;	/* and what any of them said */
	bool ending;		/* an end came, and goes out when nothing
				 * damaged follows it */
	bool done;		/* the limit is reached */
};

/* Marks that a begin record gets: of what is no longer what its source had. */
static int
mark_begin(const struct job *j, const struct begin *bg, struct buf *out,
    struct err *e)
{
	const struct config *cf = j->cf;
	struct buf b = { 0 }, swap;
	bool picks = pick_fields(&cf->pick, PICK_ALL) || cf->pick.invert ||
	    cf->limit != UINT64_MAX || cf->latest;
	bool bare = bg->no_embeddings || j->bare ||
	    (cf->redact.what & REDACT_EMBEDDINGS) ||
	    (cf->output.embedding_set &&
	    cf->output.embedding == EMBEDDING_NONE);
	const struct {
		bool wanted;
		const char *key, *value;
	} marks[] = {
		{ picks, "partial", "true" },
		{ cf->latest, "latest", "true" },
		{ bare, "embedding", "\"none\"" },
		{ j->identity, "identity", "true" },
	};
	size_t i;
	int r = 0;

	buf_add(out, bg->text.p, bg->text.len);
	for (i = 0; i < sizeof(marks) / sizeof(marks[0]) && r == 0; i++) {
		if (!marks[i].wanted)
			continue;
		r = stream_mark_begin(buf_slice(out), marks[i].key,
		    marks[i].value, &b, e);
		swap = *out;
		*out = b;
		b = swap;
	}
	buf_release(&b);
	return r == 0 && !buf_ok(out) ? err_nomem(e) : r;
}

/* A begin record goes out as it came, but for its marks. */
static int
put_begin(struct job *j, const struct begin *bg, struct err *e)
{
	struct config *cf = j->cf;
	struct buf a = { 0 }, b = { 0 };
	int r = mark_begin(j, bg, &a, e);

	if (r == 0 && (cf->redact.what || redact_noted(&cf->redact))) {
		r = redact_begin(&cf->redact, buf_slice(&a), &b, e);
		buf_release(&a);
		a = b;
	}
	if (r == 0)
		r = stream_put_begin(&j->so, buf_slice(&a), e);
	buf_release(&a);
	return r;
}

/* A begin record: checked, and written (unless records are only counted, or
 * come later). */
static int
take_begin(struct job *j, const struct stream_in *si, struct slice text,
    struct err *e)
{
	struct config *cf = j->cf;
	struct begin bg;

	if (stream_begin_parse(text, &bg, e) < 0)
		return err_in(e, si->in.name);
	if (pick_check_names(&cf->pick, bg.source, si->in.name, e) < 0)
		return -1;
	if (cf->latest) {
		j->bare |= bg.no_embeddings;
		j->identity |= bg.identity;
		if (redact_note(&cf->redact, text, e) < 0)
			return -1;
		buf_reset(&j->begin);
		buf_add(&j->begin, text.p, text.len);
		return buf_ok(&j->begin) ? 0 : err_nomem(e);
	}
	return cf->count ? 0 : put_begin(j, &bg, e);
}

/* A record without what is to be taken out. */
static int
put_redacted(struct job *j, const struct stream_in *si,
    const struct item *item, struct err *e)
{
	struct config *cf = j->cf;
	struct record r;

	if (item->type == RECORD_OTHER)
		return err_data(e, "%s: a record of a type that this program "
		    "does not know: it cannot say what to take out",
		    err_tail(si->in.name));
	if (stream_record(si, item, FIELD_ALL, &r, &j->memory, e) < 0 ||
	    redact_record(&cf->redact, &r, e) < 0)
		return -1;
	if (cf->output.embedding_set &&
	    cf->output.embedding == EMBEDDING_NONE)
		r.has &= ~(unsigned)FIELD_EMBEDDING;
	else if (cf->output.embedding_set)
		r.form = cf->output.embedding;
	return stream_put_record(&j->so, &r, e);
}

/* A record whose embedding is to be written another way. */
static int
put_converted(struct job *j, const struct stream_in *si,
    const struct item *item, struct err *e)
{
	enum embedding_form form = j->cf->output.embedding;
	struct item changed = *item;
	struct record r;

	if (item->type == RECORD_OTHER)
		return stream_put_item(&j->so, si, item, e);
	if (stream_record(si, item, item->json.p ? FIELD_EMBEDDING : FIELD_ALL,
	    &r, &j->memory, e) < 0)
		return -1;
	if (!(r.has & FIELD_EMBEDDING))
		return stream_put_item(&j->so, si, item, e);
	if (!item->json.p) {
		if (form == EMBEDDING_NONE)
			r.has &= ~(unsigned)FIELD_EMBEDDING;
		r.form = form;
		return stream_put_record(&j->so, &r, e);
	}
	/* a line may say more than a record has fields for */
	buf_reset(&j->line);
	if (record_set_embedding(item->json, &r, form, &j->line, e) < 0)
		return -1;
	if (!buf_ok(&j->line))
		return err_nomem(e);
	changed.json = changed.bytes = buf_slice(&j->line);
	changed.binary = false;
	return stream_put_item(&j->so, si, &changed, e);
}

/* A record that was selected. */
static int
put(struct job *j, const struct stream_in *si, const struct item *item,
    struct err *e)
{
	const struct config *cf = j->cf;

	if (cf->count) {
		j->so.total++;
		return 0;
	}
	if (cf->redact.what)
		return put_redacted(j, si, item, e);
	return cf->output.embedding_set ? put_converted(j, si, item, e) :
	    stream_put_item(&j->so, si, item, e);
}

/* A record: put, kept for later, or passed over. */
static int
take_record(struct job *j, const struct stream_in *si,
    const struct item *item, struct err *e)
{
	struct config *cf = j->cf;
	int which = cf->latest ? PICK_RANGE : PICK_ALL;
	unsigned fields = pick_fields(&cf->pick, which);
	struct record r;
	int got;

	if (cf->latest && item->type != RECORD_OTHER)
		fields |= LATEST_FIELDS;
	if (stream_record(si, item, fields, &r, &j->memory, e) < 0)
		return -1;
	got = pick_test(&cf->pick, which, &r, e);
	if (got > 0 && !cf->latest)
		return put(j, si, item, e);
	if (got > 0)
		got = latest_add(&j->latest, item, &r, e);
	if (got < 0 && e->status == STATUS_DATA)
		return stream_at(si, item, e);
	return got < 0 ? -1 : 0;
}

/* Whether there are as many as were asked for; --latest knows at the end. */
static bool
at_limit(const struct job *j)
{
	return !j->cf->latest && j->so.total == j->cf->limit;
}

/* One input, to its end or to the limit; *item is its first, as stream_next()
 * gave it.  0, or -1 with *e set. */
static int
take_input(struct job *j, struct stream_in *si, struct item *item, int got,
    struct err *e)
{
	const struct config *cf = j->cf;
	int r = 0;

	for (; got > 0 && r == 0; got = r < 0 ? 0 : stream_next(si, item, e)) {
		if (item->type == RECORD_BEGIN) {
			if (j->ending && !cf->count && !cf->latest)
				r = stream_put_end(&j->so, e);
			j->ending = false;
			if (r == 0)
				r = take_begin(j, si, item->json, e);
			continue;
		}
		if (item->type == RECORD_END) {
			j->ending = true;
			continue;
		}
		if (!at_limit(j))
			r = take_record(j, si, item, e);
		progress_update(si->total);
		/* what comes next may be damaged, or never come */
		if (at_limit(j)) {
			j->done = true;
			break;
		}
	}
	return r < 0 || got < 0 ? -1 : 0;
}

/* What the records came to. */
static int
put_latest(struct job *j, struct err *e)
{
	struct stream_in from = { .in.name = j->latest.place };
	struct config *cf = j->cf;
	struct begin bg;
	struct item item;
	struct record r;
	int got = 0;

	if (latest_fold(&j->latest, e) < 0)
		return -1;
	if (!cf->count && j->begin.len > 0 && (stream_begin_parse(
	    buf_slice(&j->begin), &bg, e) < 0 || put_begin(j, &bg, e) < 0))
		return -1;
	while (j->so.total < cf->limit &&
	    (got = latest_next(&j->latest, &item, e)) > 0) {
		if (stream_record(&from, &item, pick_fields(&cf->pick,
		    PICK_REST), &r, &j->memory, e) < 0)
			return -1;
		got = pick_test(&cf->pick, PICK_REST, &r, e);
		if (got < 0 || (got > 0 && put(j, &from, &item, e) < 0))
			return -1;
	}
	return got < 0 || (!cf->count && stream_put_end(&j->so, e) < 0) ?
	    -1 : 0;
}

/* All inputs; the first one is open, *item its first. */
static int
walfilter(struct job *j, char *const path[], struct stream_in *si,
    struct item *item, int got, struct err *e)
{
	const struct config *cf = j->cf;
	int r = take_input(j, si, item, got, e);

	while (r == 0 && !j->done && path[0] && *++path) {
		stream_in_close(si);
		if (stream_in_open(si, *path, cf->plain, e) < 0)
			return -1;
		got = stream_next(si, item, e);
		r = got < 0 ? -1 : take_input(j, si, item, got, e);
	}
	if (r < 0)
		return -1;
	if (cf->latest)
		return put_latest(j, e);
	/* stopped by the limit inside a stream, or plain: end it as well */
	if (!cf->count && (j->done || cf->plain || j->ending))
		return stream_put_end(&j->so, e);
	return 0;
}

static int
report(const struct config *cf, const struct stream_out *so,
    struct receipt *receipt, uint64_t bytes, struct err *e)
{
	if (cf->count)
		return printf("%" PRIu64 "\n", so->total) < 0 ||
		    fflush(stdout) != 0 ?
		    err_system(e, "<stdout>: write") : 0;
	if (!cf->output.path || cf->progress == PROGRESS_OFF)
		return 0;
	json_cstr(&receipt->w, "output", cf->output.path);
	json_int(&receipt->w, "records", (int64_t)so->total);
	json_int(&receipt->w, "bytes", (int64_t)bytes);
	return receipt_print(receipt, e);
}

static void
take_operations(struct config *cf, const char *arg)
{
	for (;;) {
		size_t n = strcspn(arg, ",");
		enum operation op = operation_of(slice_of(arg, n));

		if (op == OPERATION_NONE)
			prog_usage("--operation: '%.*s' is none of ADD, UPDATE, "
			    "UPSERT, DELETE", (int)n, arg);
		cf->pick.operations |= 1u << op;
		if (!arg[n])
			return;
		arg += n + 1;
	}
}

static void
take_redact(struct config *cf, char *arg)
{
	const char *word;
	unsigned what;

	while ((word = strsep(&arg, ","))) {
		what = redact_of(word);
		if (!what)
			prog_usage("--redact: '%s' is none of documents, "
			    "metadata, ids, embeddings, names", word);
		cf->redact.what |= what;
	}
}

/* What says which ids. */
static void
take_id(struct config *cf, int ch, const char *arg)
{
	struct err e;

	cf->pick.by_id = true;
	switch (ch) {
	case OPT_ID:
		if (textset_add(&cf->pick.ids, slice_str(arg), &e) < 0)
			prog_fail(&e);
		break;
	case OPT_ID_GLOB:
		if (glob_check(slice_str(arg), &e) < 0)
			prog_usage("--id-glob: '%s': %s", arg, e.msg);
		opt_add(&cf->globs, "--id-glob", arg);
		break;
	default:
		if (pick_ids_from(&cf->pick, arg, &e) < 0)
			prog_fail(&e);
		break;
	}
}

static void
take_where(const char *option, const char *arg, enum where_kind kind,
    struct where **w)
{
	struct err e;

	if (*w)
		prog_usage("%s: one at most; $and and $or join several",
		    option);
	if (where_parse(w, slice_str(arg), kind, &e) == 0)
		return;
	if (e.status == STATUS_USAGE)
		prog_usage("%s: %s", option, e.msg);
	prog_fail(&e);
}

/* The options that select. */
static bool
take_pick(struct config *cf, int ch, const char *arg)
{
	struct pick *p = &cf->pick;

	switch (ch) {
	case 'c': opt_add(&cf->only, "--collection", arg); break;
	case 'v': p->invert = true; break;
	case OPT_FROM_SEQ_ID:
		p->from = (int64_t)opt_u64("--from-seq-id", arg, 0, INT64_MAX);
		p->ranged = true;
		break;
	case OPT_TO_SEQ_ID:
		p->to = (int64_t)opt_u64("--to-seq-id", arg, 0, INT64_MAX);
		p->ranged = true;
		break;
	case OPT_SINCE:
		p->since = opt_time("--since", arg);
		p->timed = true;
		break;
	case OPT_UNTIL:
		p->until = opt_time("--until", arg);
		p->timed = true;
		break;
	case OPT_ID: case OPT_ID_GLOB: case OPT_IDS_FROM:
		take_id(cf, ch, arg);
		break;
	case OPT_OPERATION: take_operations(cf, arg); break;
	case OPT_SKIP: opt_add(&cf->skip, "--skip", arg); break;
	case OPT_WHERE:
		take_where("--where", arg, WHERE_METADATA, &p->where);
		break;
	case OPT_WHERE_DOCUMENT:
		take_where("--where-document", arg, WHERE_DOCUMENT,
		    &p->where_document);
		break;
	default: return false;
	}
	return true;
}

static void
check(struct config *cf)
{
	struct pick *p = &cf->pick;
	struct err e;

	if (p->ranged && p->from > p->to)
		prog_usage("--from-seq-id is greater than --to-seq-id");
	if (p->timed && p->since >= p->until)
		prog_usage("--since is not before --until");
	if (cf->count && cf->output.path)
		opt_conflict("--count", "--output");
	p->only = cf->only.word;
	p->n_only = cf->only.n;
	p->skip = cf->skip.word;
	p->n_skip = cf->skip.n;
	p->glob = cf->globs.word;
	p->n_glob = cf->globs.n;
	if (p->invert && !pick_fields(p, cf->latest ? PICK_REST : PICK_ALL))
		prog_usage("--invert: there is nothing that selects");
	if (!(cf->redact.what & REDACT_KEYED) != !cf->key_file)
		prog_usage(cf->key_file ? "--key-file is for --redact=ids and "
		    "--redact=names" : "--redact=ids and --redact=names need "
		    "--key-file: without a key one could find out what they "
		    "were by trying");
	if (cf->tmpdir && !cf->latest)
		prog_usage("--tmpdir is for --latest");
	if (cf->key_file && redact_key_file(&cf->redact, cf->key_file,
	    &e) < 0)
		prog_fail(&e);
}

static void
parse(struct config *cf, int argc, char *argv[])
{
	int ch;

	while ((ch = getopt_long(argc, argv, ":bc:ehjo:qvVz", longopts,
	    NULL)) != -1)
		switch (ch) {
		case 'e': cf->exit_status = true; break;
		case 'q': cf->progress = PROGRESS_OFF; prog_quiet(); break;
		case OPT_COUNT: cf->count = true; break;
		case OPT_KEY_FILE: cf->key_file = optarg; break;
		case OPT_LATEST: cf->latest = true; break;
		case OPT_LIMIT:
			cf->limit = opt_u64("--limit", optarg, 0, INT64_MAX);
			break;
		case OPT_PLAIN: cf->plain = true; break;
		case OPT_PROGRESS: cf->progress = PROGRESS_FORCED; break;
		case OPT_REDACT: take_redact(cf, optarg); break;
		case OPT_TMPDIR: cf->tmpdir = optarg; break;
		case 'h': exit(prog_help(usage_text));
		case 'V': exit(prog_version());
		default:
			if (!take_pick(cf, ch, optarg) &&
			    !opt_output_take(&cf->output, ch, optarg))
				opt_bad(ch, argv);
		}
	check(cf);
}

/* After a failure: what was read goes out, without an end record; a file does
 * not appear. */
static void
give_up(struct job *j, struct out *out)
{
	struct err ignored;

	if (j->cf->count)
		return;
	if (j->cf->output.path)
		out_abort(out);
	else
		(void)!(stream_flush(&j->so, &ignored) < 0 ||
		    out_flush(out, &ignored) < 0);
}

int
main(int argc, char *argv[])
{
	struct config cf = { .limit = UINT64_MAX, .pick = {
	    .from = INT64_MIN, .to = INT64_MAX,
	    .since = INT64_MIN, .until = INT64_MAX } };
	struct job j = { .cf = &cf };
	struct receipt receipt;
	struct stream_in si;
	struct item item;
	struct err e = { 0 };
	struct out out;
	bool binary;
	int got;

	prog_start(argv[0]);
	parse(&cf, argc, argv);
	receipt_start(&receipt);
	if (cf.latest && latest_init(&j.latest, cf.tmpdir, &e) < 0)
		prog_fail(&e);
	if (stream_in_open(&si, argv[optind], cf.plain, &e) < 0)
		prog_fail(&e);
	/* the first item says in which form the others come */
	got = stream_next(&si, &item, &e);
	if (got < 0)
		prog_fail(&e);
	binary = cf.output.binary || (si.binary && !cf.output.jsonl);
	if (!cf.count && opt_output_open(&cf.output, binary, &out, &e) < 0)
		prog_fail(&e);
	stream_out_init(&j.so, &out, binary, cf.plain);
	progress_start(cf.progress, "records", 0);
	if (walfilter(&j, argv + optind, &si, &item, got, &e) < 0) {
		give_up(&j, &out);
		prog_fail(&e);
	}
	progress_end();
	stream_in_close(&si);
	if ((!cf.count && out_close(&out, &e) < 0) ||
	    report(&cf, &j.so, &receipt, out.written, &e) < 0)
		prog_fail(&e);
	return cf.exit_status && j.so.total == 0 ? STATUS_NO : STATUS_OK;
}
