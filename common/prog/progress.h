/* SPDX-License-Identifier: Apache-2.0 */
/* progress.h - how far long work has come, on standard error.
 *
 * Shown when standard error is a terminal and a second has passed, ten times
 * a second at most; -q silences it, --progress forces it (then as lines, once
 * a second).  One at a time in a process.
 */
#ifndef PROG_PROGRESS_H
#define PROG_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

enum progress_mode { PROGRESS_AUTO, PROGRESS_OFF, PROGRESS_FORCED };

/* Begin.  what: "rows", "elements"; total 0: unknown. */
void progress_start(enum progress_mode mode, const char *what,
    uint64_t total);

/* So many are done.  Cheap: looks at the clock every thousandth call. */
void progress_update(uint64_t done);

/* This share, from 0 to 1, of the work is done.  For callbacks, which have an
 * argument that is not wanted here; total is not used then. */
void progress_share(void *ignored, double share);

/* Take it off the screen. */
void progress_end(void);

#endif
