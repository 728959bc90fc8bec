/* SPDX-License-Identifier: Apache-2.0 */
/* progress.c - how far long work has come. */
#include "prog/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/file.h"
#include "prog/prog.h"

static struct {
	bool on, lines, shown;
	const char *what;
	uint64_t total, calls;
	double started, last;
} state;

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
	state.started = state.last = clock_seconds();
	prog_clear_line(state.on ? clear : NULL);
}

/* Whether it is time to show something; *passed: seconds since the start. */
static bool
is_due(double *passed)
{
	double t = clock_seconds();

	*passed = t - state.started;
	if (t - state.last < (state.lines ? 1.0 : 0.1) || *passed < 1)
		return false;
	state.last = t;
	return true;
}

static void ATTR_PRINTF(1, 2)
show(const char *fmt, ...)
{
	char text[192], line[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = snprintf(line, sizeof(line), "%s%.60s: %s%s",
	    state.lines ? "" : "\r", prog_name(), text,
	    state.lines ? "\n" : "\033[K");
	(void)!file_write(STDERR_FILENO, line, (size_t)n);
	state.shown = true;
}

void
progress_update(uint64_t done)
{
	double passed, rate;
	char of[32] = "", left[48] = "";

	if (!state.on || state.calls++ % 1000 || !is_due(&passed))
		return;
	rate = (double)done / passed;
	if (state.total)
		snprintf(of, sizeof(of), " of %llu",
		    (unsigned long long)state.total);
	if (state.total > done && rate > 0)
		snprintf(left, sizeof(left), ", %.0f s left",
		    (double)(state.total - done) / rate);
	show("%llu%s %s, %.0f/s%s", (unsigned long long)done, of, state.what,
	    rate, left);
}

void
progress_share(void *ignored, double share)
{
	char left[48] = "";
	double passed;

	(void)ignored;
	if (!state.on || !is_due(&passed))
		return;
	if (share > 0 && share <= 1)
		snprintf(left, sizeof(left), ", %.0f s left",
		    passed * (1 - share) / share);
	show("%.0f %% of %s%s", 100 * share, state.what, left);
}

void
progress_end(void)
{
	clear();
	state.on = false;
	prog_clear_line(NULL);
}
