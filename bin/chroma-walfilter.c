/* SPDX-License-Identifier: Apache-2.0 */
/* chroma-walfilter - select records of a stream, and convert its form
 *
 * In: a stream of records, in any form.  Out: the selected ones, byte for byte
 * as they came unless another form was asked for.
 * Memory: one record (three while it is converted).
 * See chroma-walfilter(1), chroma-stream(5).
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chroma/select.h"
#include "prog/opt.h"
#include "prog/prog.h"
#include "prog/progress.h"
#include "prog/receipt.h"
#include "stream/json.h"
#include "stream/stream.h"

struct config {
	struct opt_list only, skip;
	unsigned operations;	/* 1 << enum operation; 0: all */
	int64_t from, to;	/* seq_ids, inclusive */
	bool ranged;
	bool plain;
	bool count;		/* print how many, not the records */
	uint64_t limit;
	struct opt_output output;
	enum progress_mode progress;
	unsigned want;		/* FIELD_ bits that the selection looks at */
};

static const char usage_text[] =
"usage: chroma-walfilter [options] [file]\n"
"Select records of a stream, and convert its form.\n"
"\n"
"  -b, --binary           write the binary form\n"
"  -c, --collection=NAME  only this collection (repeatable): NAME,\n"
"                         TENANT/DATABASE/NAME or a UUID\n"
"      --count            print the number of records instead of them\n"
"      --embedding=FORM   write embeddings as array, base64 or none\n"
"      --force            replace the file of -o; write to a terminal what is\n"
"                         no text\n"
"      --from-seq-id=N    first seq_id\n"
"  -h, --help             print this text\n"
"  -j, --jsonl            write JSONL\n"
"      --limit=N          stop after N records\n"
"      --operation=OP     only ADD, UPDATE, UPSERT or DELETE (repeatable, or\n"
"                         with commas)\n"
"  -o, --output=FILE      write FILE, which appears when it is complete\n"
"      --plain            neither want nor write begin and end records\n"
"      --progress         show progress even where it is not a terminal\n"
"  -q, --quiet            no receipt, no progress\n"
"      --skip=NAME        all but this collection (repeatable)\n"
"      --to-seq-id=N      last seq_id\n"
"  -V, --version          print the version\n"
"  -z, --zstd[=LEVEL]     compress with zstd (default 3)\n";

static const struct option longopts[] = {
	{ "binary",	 no_argument,		NULL, 'b' },
	{ "collection",	 required_argument,	NULL, 'c' },
	{ "count",	 no_argument,		NULL, OPT_COUNT },
	{ "embedding",	 required_argument,	NULL, OPT_EMBEDDING },
	{ "force",	 no_argument,		NULL, OPT_FORCE },
	{ "from-seq-id", required_argument,	NULL, OPT_FROM_SEQ_ID },
	{ "help",	 no_argument,		NULL, 'h' },
	{ "jsonl",	 no_argument,		NULL, 'j' },
	{ "limit",	 required_argument,	NULL, OPT_LIMIT },
	{ "operation",	 required_argument,	NULL, OPT_OPERATION },
	{ "output",	 required_argument,	NULL, 'o' },
	{ "plain",	 no_argument,		NULL, OPT_PLAIN },
	{ "progress",	 no_argument,		NULL, OPT_PROGRESS },
	{ "quiet",	 no_argument,		NULL, 'q' },
	{ "skip",	 required_argument,	NULL, OPT_SKIP },
	{ "to-seq-id",	 required_argument,	NULL, OPT_TO_SEQ_ID },
	{ "version",	 no_argument,		NULL, 'V' },
	{ "zstd",	 optional_argument,	NULL, 'z' },
	{ NULL, 0, NULL, 0 }
};

static bool
listed(const struct opt_list *list, const struct record *r)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (select_matches(list->word[i], r->collection_id, r->tenant,
		    r->database, r->collection))
			return true;
	return false;
}

/* Whether the record is wanted. */
static bool
selected(const struct config *cf, const struct record *r)
{
	if (cf->operations && (r->operation == OPERATION_NONE ||
	    !(cf->operations & 1u << r->operation)))
		return false;
	if (cf->ranged && (!(r->has & FIELD_SEQ_ID) || r->seq_id < cf->from ||
	    r->seq_id > cf->to))
		return false;
	if (cf->only.n && !listed(&cf->only, r))
		return false;
	return !cf->skip.n || !listed(&cf->skip, r);
}

/* How many collections of the begin record go by this name. */
static int
count_named(const char *spec, struct slice collections, size_t *n,
    struct err *e)
{
	static const char *const key[] = { "id", "tenant", "database", "name" };
	struct buf text = { 0 };
	struct slice obj, val[4], s[4];
	struct json_iter it;
	size_t start[4], i;
	int got;

	*n = 0;
	if (json_array(&it, collections, e) < 0)
		return -1;
	while ((got = json_element(&it, &obj)) > 0) {
		buf_reset(&text);
		if (json_members(obj, key, val, 4, e) < 0) {
			got = -1;
			break;
		}
		for (i = 0; i < 4; i++) {
			start[i] = text.len;
			if (json_string(val[i], &text) < 0)
				val[i].p = NULL;
			s[i].len = text.len - start[i];
		}
		for (i = 0; i < 4; i++)
			s[i].p = val[i].p && text.p ? text.p + start[i] : NULL;
		*n += select_matches(spec, s[0], s[1], s[2], s[3]);
	}
	buf_release(&text);
	return got;
}

/* A name that the stream does not have, or has twice, is a mistake. */
static int
check_names(const struct opt_list *list, struct slice collections,
    const char *file, struct err *e)
{
	size_t i, n;

	for (i = 0; i < list->n; i++) {
		if (count_named(list->word[i], collections, &n, e) < 0)
			return err_in(e, file);
		if (n == 0)
			return err_usage(e, "no collection '%s' in %s (its "
			    "begin record names those that there are)",
			    list->word[i], err_tail(file));
		if (n > 1)
			return err_usage(e, "'%s' is %zu collections in %s; "
			    "name one as TENANT/DATABASE/NAME or by its id",
			    list->word[i], n, err_tail(file));
	}
	return 0;
}

/* Put "key":value behind "version" in a begin record; what it says of key
 * itself goes. */
static int
mark(struct slice text, const char *key, const char *value, struct buf *out,
    struct err *e)
{
	struct json_iter it;
	struct slice k, v;
	int got;

	buf_reset(out);
	if (json_object(&it, text, e) < 0)
		return -1;
	while ((got = json_next(&it, &k, &v)) > 0) {
		if (json_key_is(k, key))
			continue;
		buf_addc(out, out->len ? ',' : '{');
		buf_add(out, k.p - 1, k.len + 2);
		buf_addc(out, ':');
		buf_add(out, v.p, v.len);
		if (json_key_is(k, "version"))
			buf_addf(out, ",\"%s\":%s", key, value);
	}
	buf_addc(out, '}');
	return got == 0 && !buf_ok(out) ? err_nomem(e) : got;
}

/* The begin record: checked, marked if records will be missing, written
 * (unless they are only counted). */
static int
begin(const struct config *cf, const struct stream_in *si,
    const struct item *item, struct stream_out *so, struct err *e)
{
	static const char *const key[] = { "collections" };
	struct buf a = { 0 }, b = { 0 };
	struct slice text = item->json, val[1];
	struct begin bg;
	int r = 0;

	if (stream_begin_parse(text, &bg, e) < 0)
		return err_in(e, si->in.name);
	if (bg.source.p && (cf->only.n || cf->skip.n)) {
		if (json_members(bg.source, key, val, 1, e) < 0)
			return err_in(e, si->in.name);
		if (val[0].p && (check_names(&cf->only, val[0], si->in.name,
		    e) < 0 || check_names(&cf->skip, val[0], si->in.name,
		    e) < 0))
			return -1;
	}
	if (cf->count)
		return 0;
	if (cf->want || cf->limit != UINT64_MAX) {
		r = mark(text, "partial", "true", &a, e);
		text = buf_slice(&a);
	}
	if (r == 0 && cf->output.embedding_set) {
		bool none = cf->output.embedding == EMBEDDING_NONE;

		if (none || bg.no_embeddings) {
			r = mark(text, "embedding", "\"none\"", &b, e);
			text = buf_slice(&b);
		}
	}
	if (r == 0)
		r = stream_put_begin(so, text, e);
	buf_release(&a);
	buf_release(&b);
	return r;
}

/* A record whose embedding is to be written another way. */
static int
put_converted(const struct config *cf, const struct stream_in *si,
    const struct item *item, struct stream_out *so, struct record_memory *m,
    struct buf *line, struct err *e)
{
	enum embedding_form form = cf->output.embedding;
	struct item changed = *item;
	struct record r;

	if (item->type == RECORD_OTHER)
		return stream_put_item(so, si, item, e);
	if (stream_record(si, item, item->json.p ? FIELD_EMBEDDING : FIELD_ALL,
	    &r, m, e) < 0)
		return -1;
	if (!(r.has & FIELD_EMBEDDING))
		return stream_put_item(so, si, item, e);
	if (!item->json.p) {
		if (form == EMBEDDING_NONE)
			r.has &= ~(unsigned)FIELD_EMBEDDING;
		r.form = form;
		return stream_put_record(so, &r, e);
	}
	/* a line may say more than a record has fields for */
	buf_reset(line);
	if (record_set_embedding(item->json, &r, form, line, e) < 0)
		return -1;
	if (!buf_ok(line))
		return err_nomem(e);
	changed.json = changed.bytes = buf_slice(line);
	changed.binary = false;
	return stream_put_item(so, si, &changed, e);
}

/* Copy what is selected.  Reads on to the end, or to the limit; so->total is
 * the number of records.  0, or -1 with *e set. */
static int
walfilter(const struct config *cf, struct stream_in *si,
    struct stream_out *so, struct item *item, int got, struct err *e)
{
	struct record_memory m = { 0 };
	struct buf line = { 0 };
	struct record r;
	bool ending = false;	/* an end came, and goes out when nothing
				 * damaged follows it */
	int bad = 0;

	for (; got > 0 && !bad; got = bad ? 0 : stream_next(si, item, e)) {
		if (item->type == RECORD_BEGIN) {
			if (ending && !cf->count)
				bad = stream_put_end(so, e) < 0;
			ending = false;
			if (!bad)
				bad = begin(cf, si, item, so, e) < 0;
			continue;
		}
		if (item->type == RECORD_END) {
			ending = true;
			continue;
		}
		if (so->total == cf->limit)
			break;
		bad = stream_record(si, item, cf->want, &r, &m, e) < 0;
		if (bad || !selected(cf, &r))
			continue;
		if (cf->count)
			so->total++;
		else if (cf->output.embedding_set)
			bad = put_converted(cf, si, item, so, &m, &line,
			    e) < 0;
		else
			bad = stream_put_item(so, si, item, e) < 0;
		progress_update(si->total);
	}
	/* stopped by the limit inside a stream, or plain: end it as well */
	if (!bad && got >= 0 && !cf->count && (got > 0 || cf->plain || ending))
		bad = stream_put_end(so, e) < 0;
	record_memory_release(&m);
	buf_release(&line);
	return bad || got < 0 ? -1 : 0;
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
		cf->operations |= 1u << op;
		if (!arg[n])
			return;
		arg += n + 1;
	}
}

static void
check(struct config *cf, int operands)
{
	if (operands > 1)
		prog_usage("one file at most");
	if (cf->from > cf->to)
		prog_usage("--from-seq-id is greater than --to-seq-id");
	if (cf->count && cf->output.path)
		opt_conflict("--count", "--output");
	cf->want = (cf->operations ? FIELD_OPERATION : 0u) |
	    (cf->ranged ? FIELD_SEQ_ID : 0u) |
	    (cf->only.n || cf->skip.n ? FIELD_TENANT | FIELD_DATABASE |
	    FIELD_COLLECTION | FIELD_COLLECTION_ID : 0u);
}

static void
parse(struct config *cf, int argc, char *argv[])
{
	int ch;

	while ((ch = getopt_long(argc, argv, ":bc:hjo:qVz", longopts,
	    NULL)) != -1)
		switch (ch) {
		case 'c': opt_add(&cf->only, "--collection", optarg); break;
		case 'q': cf->progress = PROGRESS_OFF; prog_quiet(); break;
		case OPT_COUNT: cf->count = true; break;
		case OPT_FROM_SEQ_ID:
			cf->from = (int64_t)opt_u64("--from-seq-id", optarg, 0,
			    INT64_MAX);
			cf->ranged = true;
			break;
		case OPT_TO_SEQ_ID:
			cf->to = (int64_t)opt_u64("--to-seq-id", optarg, 0,
			    INT64_MAX);
			cf->ranged = true;
			break;
		case OPT_LIMIT:
			cf->limit = opt_u64("--limit", optarg, 0, INT64_MAX);
			break;
		case OPT_OPERATION: take_operations(cf, optarg); break;
		case OPT_PLAIN: cf->plain = true; break;
		case OPT_PROGRESS: cf->progress = PROGRESS_FORCED; break;
		case OPT_SKIP: opt_add(&cf->skip, "--skip", optarg); break;
		case 'h': exit(prog_help(usage_text));
		case 'V': exit(prog_version());
		default:
			if (!opt_output_take(&cf->output, ch, optarg))
				opt_bad(ch, argv);
		}
	check(cf, argc - optind);
}

int
main(int argc, char *argv[])
{
	struct config cf = { .from = INT64_MIN, .to = INT64_MAX,
	    .limit = UINT64_MAX };
	struct receipt receipt;
	struct stream_in si;
	struct stream_out so;
	struct item item;
	struct err e = { 0 }, ignored;
	struct out out;
	bool binary;
	int got;

	prog_start(argv[0]);
	parse(&cf, argc, argv);
	receipt_start(&receipt);
	if (stream_in_open(&si, argv[optind], cf.plain, &e) < 0)
		prog_fail(&e);
	/* the first item says in which form the others come */
	got = stream_next(&si, &item, &e);
	if (got < 0)
		prog_fail(&e);
	binary = cf.output.binary || (si.binary && !cf.output.jsonl);
	if (!cf.count && opt_output_open(&cf.output, binary, &out, &e) < 0)
		prog_fail(&e);
	stream_out_init(&so, &out, binary, cf.plain);
	progress_start(cf.progress, "records", 0);
	if (walfilter(&cf, &si, &so, &item, got, &e) < 0) {
		/* what was read goes out, without an end record; a file does
		 * not appear */
		if (!cf.count && !cf.output.path)
			(void)!(stream_flush(&so, &ignored) < 0 ||
			    out_flush(&out, &ignored) < 0);
		else if (!cf.count)
			out_abort(&out);
		prog_fail(&e);
	}
	progress_end();
	stream_in_close(&si);
	if ((!cf.count && out_close(&out, &e) < 0) ||
	    report(&cf, &so, &receipt, out.written, &e) < 0)
		prog_fail(&e);
	return STATUS_OK;
}
