/* SPDX-License-Identifier: Apache-2.0 */
/* progress.c - how far long work has come. */
#include "prog/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "prog/prog.h"

static struct {
	bool on, lines, shown;
	const char *what;
	uint64_t total, calls;
	double started, last;
} state;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
clear(void)
{
	if (state.shown && !state.lines)
		(void)!file_write(STDERR_FILENO, "\r\033[K", 4);
	state.shown = false;
}

void
progress_start(enum progress_mode mode, const char *what, uint64_t total)
{
	state.lines = mode == PROGRESS_FORCED && !isatty(STDERR_FILENO);
	state.on = mode == PROGRESS_FORCED ||
	    (mode == PROGRESS_AUTO && isatty(STDERR_FILENO));
	state.what = what;
	state.total = total;
	state.calls = 0;
	state.shown = false;
	state.started = state.last = now();
	prog_clear_line(state.on ? clear : NULL);
}

void
progress_update(uint64_t done)
{
	char line[256];
	double t, passed, rate;
	int n;

	if (!state.on || state.calls++ % 1000)
		return;
	t = now();
	passed = t - state.started;
	if (t - state.last < (state.lines ? 1.0 : 0.1) || passed < 1)
		return;
	state.last = t;
	rate = (double)done / passed;
	n = snprintf(line, sizeof(line), "%s%.60s: %llu",
	    state.lines ? "" : "\r", prog_name(), (unsigned long long)done);
	if (state.total)
		n += snprintf(line + n, sizeof(line) - (size_t)n, " of %llu",
		    (unsigned long long)state.total);
	n += snprintf(line + n, sizeof(line) - (size_t)n, " %s, %.0f/s",
	    state.what, rate);
	if (state.total > done && rate > 0)
		n += snprintf(line + n, sizeof(line) - (size_t)n, ", %.0f s "
		    "left", (double)(state.total - done) / rate);
	n += snprintf(line + n, sizeof(line) - (size_t)n, "%s",
	    state.lines ? "\n" : "\033[K");
	(void)!file_write(STDERR_FILENO, line, (size_t)n);
	state.shown = true;
}

void
progress_end(void)
{
	clear();
	state.on = false;
	prog_clear_line(NULL);
}
