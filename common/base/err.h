/* SPDX-License-Identifier: Apache-2.0 */
/* err.h - how common/ says what went wrong.
 *
 * A function that can fail takes a struct err last, returns 0 (or a count, or
 * 1/0 for "next") on success and -1 on failure, and fills the struct only on
 * failure.  Nothing below common/prog prints or exits.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdint.h>

#include "base/attr.h"

/* Exit status of every program in the suite; see chromautils(7). */
enum {
	STATUS_OK = 0,		/* did all of it */
	STATUS_NO = 1,		/* did it; the answer is no, or something was
				 * left out for a reason that was given */
	STATUS_USAGE = 2,	/* the command line, or a name in it, is wrong */
	STATUS_DATA = 3,	/* input is corrupt, truncated or unsupported */
	STATUS_SYSTEM = 4,	/* cannot open, read, write; no space or memory */
	STATUS_BUSY = 5,	/* somebody else has it, or it moved under us */
};

#define ERR_MSG_SIZE 1024

struct err {
	int status;		/* a STATUS_ value above STATUS_NO */
	char msg[ERR_MSG_SIZE];	/* one line, no newline, NUL-terminated */
};

/* Fill *e and return -1, so that `return err_data(e, ...)` is one line. */
int err_usage(struct err *e, const char *fmt, ...) ATTR_PRINTF(2, 3);
int err_data(struct err *e, const char *fmt, ...) ATTR_PRINTF(2, 3);
int err_fail(struct err *e, const char *fmt, ...) ATTR_PRINTF(2, 3);
int err_busy(struct err *e, const char *fmt, ...) ATTR_PRINTF(2, 3);

/* Likewise: STATUS_SYSTEM, and ": strerror(errno)" at the end. */
int err_system(struct err *e, const char *fmt, ...) ATTR_PRINTF(2, 3);

/* STATUS_SYSTEM, "out of memory". */
int err_nomem(struct err *e);

/* Put "name:line: " (err_at) or "name:+offset: " (err_off) or "name: "
 * (err_in) before the message and return -1.  Done once, by the first caller
 * that knows the place. */
int err_at(struct err *e, const char *name, uint64_t line);
int err_off(struct err *e, const char *name, uint64_t offset);
int err_in(struct err *e, const char *name);

#ifdef CHROMAUTILS_ANALYZE
/* `make analyze` sees one file at a time: tell it what these return. */
#define err_usage(...)	(__extension__ ({ (err_usage)(__VA_ARGS__); -1; }))
#define err_data(...)	(__extension__ ({ (err_data)(__VA_ARGS__); -1; }))
#define err_fail(...)	(__extension__ ({ (err_fail)(__VA_ARGS__); -1; }))
#define err_busy(...)	(__extension__ ({ (err_busy)(__VA_ARGS__); -1; }))
#define err_system(...)	(__extension__ ({ (err_system)(__VA_ARGS__); -1; }))
#define err_nomem(e)	(__extension__ ({ (err_nomem)(e); -1; }))
#define err_at(...)	(__extension__ ({ (err_at)(__VA_ARGS__); -1; }))
#define err_off(...)	(__extension__ ({ (err_off)(__VA_ARGS__); -1; }))
#define err_in(...)	(__extension__ ({ (err_in)(__VA_ARGS__); -1; }))
#endif

/* The end of a path, short enough that the reason behind it stays in the
 * message.  Points into path. */
const char *err_tail(const char *path);

#endif
