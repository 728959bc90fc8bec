/* SPDX-License-Identifier: Apache-2.0 */
/* prog.h - what every main() needs: a clean start, messages, help, version.
 *
 * The only module that writes to standard error and, with opt.h, the only one
 * that ends the process.  Not thread-safe: for the main thread.
 */
#ifndef PROG_PROG_H
#define PROG_PROG_H

#include "base/attr.h"
#include "base/err.h"

/* First call in main().  Remembers the program's name, makes sure that
 * descriptors 0, 1 and 2 are open, restores the default SIGPIPE, which a
 * parent may have set to be ignored, and makes SIGBUS (a mapped file that was
 * cut short or cannot be read) end with a message and STATUS_SYSTEM. */
void prog_start(const char *argv0);

/* The name as it was called, without its directory. */
const char *prog_name(void);

/* -q: warnings and progress are not shown; errors are. */
void prog_quiet(void);

/* "NAME: warning: ..."; the exit status is not changed. */
void prog_warn(const char *fmt, ...) ATTR_PRINTF(1, 2);

/* "NAME: ..." and exit(status), a STATUS_ value. */
ATTR_NORETURN
void prog_die(int status, const char *fmt, ...) ATTR_PRINTF(2, 3);

/* "NAME: ...", and go on: there is more to do. */
void prog_error(const struct err *e);

/* prog_die() with what *e says. */
ATTR_NORETURN
void prog_fail(const struct err *e);

/* "NAME: ...", "Try 'NAME --help'." and exit(STATUS_USAGE). */
ATTR_NORETURN
void prog_usage(const char *fmt, ...) ATTR_PRINTF(1, 2);

/* Print text to standard output.  The exit status to return. */
int prog_help(const char *text);

/* Print "NAME (chromautils) X.Y.Z".  The exit status to return. */
int prog_version(void);

/* Take a progress line (progress.h) off the terminal before a message. */
void prog_clear_line(void (*clear)(void));

#endif
