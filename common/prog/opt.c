/* SPDX-License-Identifier: Apache-2.0 */
/* opt.c - option arguments, and the options that programs share. */
#include "prog/opt.h"

#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "base/when.h"
#include "prog/prog.h"

uint64_t
opt_u64(const char *option, const char *text, uint64_t min, uint64_t max)
{
	uint64_t v;

	if (num_u64(text, strlen(text), max, &v) < 0 || v < min)
		prog_usage("%s: '%s' is not a number from %llu to %llu",
		    option, text, (unsigned long long)min,
		    (unsigned long long)max);
	return v;
}

uint64_t
opt_size(const char *option, const char *text)
{
	static const char *const unit[] = { "", "KiB", "MiB", "GiB" };
	size_t digits = strspn(text, "0123456789"), i;
	uint64_t v;

	for (i = 0; i < sizeof(unit) / sizeof(unit[0]); i++)
		if (strcmp(text + digits, unit[i]) == 0 && num_u64(text,
		    digits, UINT64_MAX >> 10 * i, &v) == 0)
			return v << 10 * i;
	prog_usage("%s: '%s' is not a size: 500MiB, 2GiB, or a number of "
	    "bytes", option, text);
}

int64_t
opt_time(const char *option, const char *text)
{
	int64_t ms;

	if (when_parse(text, strlen(text), &ms) < 0)
		prog_usage("%s: '%s' is not a time (YYYY-MM-DD or "
		    "YYYY-MM-DDTHH:MM:SSZ; UTC)", option, text);
	return ms;
}

void
opt_bad(int ch, char *const argv[])
{
	const char *why = ch == ':' ? "needs an argument" : "unknown option";
	const char *word = argv[optind - 1], *next = argv[optind];
	bool is_long = strncmp(word, "--", 2) == 0;

	/* an unknown letter that others follow leaves optind at its word, so
	 * that the word before it may be a long option; what takes no argument
	 * has one in its word */
	if (ch == '?' && optopt && is_long)
		is_long = strchr(word, '=') && (optopt >= OPT_FIRST ||
		    (optopt | 0x20) == word[2] || !next || next[0] != '-' ||
		    !strchr(next + 1, optopt));
	/* optopt is 0 for an unknown long option, a letter otherwise */
	if (optopt && !is_long)
		prog_usage("-%c: %s", optopt, why);
	if (optopt && ch == '?')
		prog_usage("%.*s: takes no argument",
		    (int)strcspn(word, "="), word);
	prog_usage("%s: %s", word, why);
}

void
opt_conflict(const char *a, const char *b)
{
	prog_usage("%s and %s exclude one another", a, b);
}

void
opt_add(struct opt_list *list, const char *option, const char *word)
{
	if (list->n == OPT_LIST_MAX)
		prog_usage("%s: more than %d of them", option, OPT_LIST_MAX);
	list->word[list->n++] = word;
}

struct select
opt_select(const struct opt_list *only, const struct opt_list *skip)
{
	return (struct select){ only->word, only->n, skip->word, skip->n };
}

struct persist_options
opt_persist(uint64_t wait_s, const char *tmpdir)
{
	return (struct persist_options){ .tmpdir = tmpdir,
	    .wait_ms = (int)wait_s * 1000 };
}

bool
opt_output_take(struct opt_output *o, int ch, const char *arg)
{
	switch (ch) {
	case 'b':
		o->binary = true;
		break;
	case 'j':
		o->jsonl = true;
		break;
	case 'z':
		o->zstd = arg ? (int)opt_u64("--zstd", arg, 1, ZIO_LEVEL_MAX) :
		    ZIO_LEVEL_DEFAULT;
		break;
	case 'o':
		o->path = arg;
		break;
	case OPT_FORCE:
		o->force = true;
		break;
	case OPT_EMBEDDING:
		o->embedding_set = true;
		if (strcmp(arg, "array") == 0)
			o->embedding = EMBEDDING_ARRAY;
		else if (strcmp(arg, "base64") == 0)
			o->embedding = EMBEDDING_BASE64;
		else if (strcmp(arg, "none") == 0)
			o->embedding = EMBEDDING_NONE;
		else
			prog_usage("--embedding: '%s' is none of array, "
			    "base64, none", arg);
		break;
	default:
		return false;
	}
	if (o->binary && o->jsonl)
		opt_conflict("--binary", "--jsonl");
	return true;
}

int
opt_output_open(const struct opt_output *o, bool binary, struct out *out,
    struct err *e)
{
	if (o->path)
		return out_file(out, o->path, o->force, o->zstd, e);
	if ((binary || o->zstd) && isatty(STDOUT_FILENO) && !o->force)
		prog_usage("%s does not belong on a terminal; send it to a "
		    "file, or use --force", o->zstd ? "zstd" : "the binary "
		    "form");
	return out_stdout(out, o->zstd, e);
}
