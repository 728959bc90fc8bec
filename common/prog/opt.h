/* SPDX-License-Identifier: Apache-2.0 */
/* opt.h - option arguments, and the options that programs share.
 *
 * What is wrong on the command line ends the process with a usage message
 * (STATUS_USAGE) that names the option.
 */
#ifndef PROG_OPT_H
#define PROG_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "chroma/persist.h"
#include "chroma/select.h"
#include "stream/out.h"
#include "stream/record.h"

/* Values of long options without a letter, for every program. */
enum {
	OPT_FIRST = 256,
	OPT_COMMITTED, OPT_PENDING, OPT_PRUNABLE, OPT_FROM_SEQ_ID,
	OPT_TO_SEQ_ID, OPT_SINCE, OPT_UNTIL, OPT_EMBEDDING, OPT_COLUMNS,
	OPT_SKIP, OPT_WAIT, OPT_TMPDIR, OPT_PROGRESS, OPT_TEXT, OPT_PRIVACY,
	OPT_DEEP, OPT_QUICK, OPT_PLAIN, OPT_LIMIT, OPT_COUNT, OPT_OPERATION,
	OPT_FORCE, OPT_DEAD_TOPICS, OPT_IDENTITY, OPT_RECLAIM,
	OPT_ALL_OR_NOTHING, OPT_IDS, OPT_BACKUP, OPT_ASSUME_STOPPED, OPT_PURGE,
	OPT_ID, OPT_ID_GLOB, OPT_IDS_FROM, OPT_KEY_FILE, OPT_LATEST,
	OPT_REDACT, OPT_WHERE, OPT_WHERE_DOCUMENT, OPT_DELETED, OPT_FVECS,
	OPT_GRAPH, OPT_NPY, OPT_OLD, OPT_SALVAGE, OPT_SPACE, OPT_DROP_NONFINITE,
	OPT_EF_CONSTRUCTION, OPT_EF_SEARCH, OPT_M, OPT_MAX_MEMORY, OPT_SEED,
	OPT_THREADS, OPT_INSTALL, OPT_NO_BACKUP, OPT_ONLY_IF, OPT_BATCH_SIZE,
	OPT_NUM_THREADS, OPT_RESIZE_FACTOR, OPT_SYNC_THRESHOLD,
	OPT_AS, OPT_CREATE, OPT_DATABASE, OPT_LOG, OPT_REPLACE, OPT_TENANT,
};

/* The decimal integer in text, from min to max. */
uint64_t opt_u64(const char *option, const char *text, uint64_t min,
    uint64_t max);

/* A number of bytes: digits, and behind them KiB, MiB, GiB or nothing. */
uint64_t opt_size(const char *option, const char *text);

/* A time (base/when.h) as milliseconds since 1970 UTC. */
int64_t opt_time(const char *option, const char *text);

/* What getopt_long() returned ':' or '?' for; for an optstring that starts
 * with ':'. */
ATTR_NORETURN
void opt_bad(int ch, char *const argv[]);

/* Two options that exclude one another were both given. */
ATTR_NORETURN
void opt_conflict(const char *a, const char *b);

/* A list of words, in the order given. */
#define OPT_LIST_MAX 1024
struct opt_list {
	const char *word[OPT_LIST_MAX];
	size_t n;
};
void opt_add(struct opt_list *list, const char *option, const char *word);

/* -c and --skip as select.h wants them. */
struct select opt_select(const struct opt_list *only,
    const struct opt_list *skip);

/* Reading a persist dir: --wait, --tmpdir. */
#define OPT_WAIT_DEFAULT 10	/* seconds */
#define OPT_WAIT_MAX 86400
struct persist_options opt_persist(uint64_t wait_s, const char *tmpdir);

/* How a stream goes out: -b, -j, -z, --embedding, -o, --force. */
struct opt_output {
	bool binary, jsonl;		/* neither: the program's default */
	int zstd;			/* level; 0: plain */
	bool embedding_set;
	enum embedding_form embedding;
	const char *path;		/* -o; NULL: standard output */
	bool force;
};

/* Take one of those options; false if ch is another one. */
bool opt_output_take(struct opt_output *o, int ch, const char *arg);

/* Open it.  Bytes that are no text are refused on a terminal (usage).  0, or
 * -1 with *e set. */
ATTR_NODISCARD int opt_output_open(const struct opt_output *o, bool binary,
    struct out *out, struct err *e);

#endif
