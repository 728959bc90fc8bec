/* SPDX-License-Identifier: Apache-2.0 */
/* prog.c - what every main() needs. */
#include "prog/prog.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#ifndef CHROMAUTILS_VERSION
#error "CHROMAUTILS_VERSION comes from the Makefile"
#endif

static const char *progname = "chromautils";
static bool quiet;
static void (*clear_line)(void);

static void
on_sigbus(int sig)
{
	static const char why[] = ": a file was cut short, or could not be "
	    "read, while it was looked at\n";

	(void)sig;
	/* only what a handler may do */
	if (write(STDERR_FILENO, progname, strlen(progname)) < 0 ||
	    write(STDERR_FILENO, why, sizeof(why) - 1) < 0)
		_exit(STATUS_SYSTEM);
	_exit(STATUS_SYSTEM);
}

void
prog_start(const char *argv0)
{
	const char *slash;
	int fd;

	signal(SIGBUS, on_sigbus);

	/* A closed 0, 1 or 2 would go to the next open(), and our output into
	 * that file.  Opened the wrong way round, so that use still fails. */
	for (fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			_Exit(STATUS_SYSTEM);
	signal(SIGPIPE, SIG_DFL);
	if (!argv0 || !*argv0)
		return;
	slash = strrchr(argv0, '/');
	progname = slash ? slash + 1 : argv0;
}

const char *
prog_name(void)
{
	return progname;
}

void
prog_quiet(void)
{
	quiet = true;
}

void
prog_clear_line(void (*clear)(void))
{
	clear_line = clear;
}

/* One write per message, so that pipeline stages do not interleave. */
static void ATTR_PRINTF(2, 0)
vreport(const char *kind, const char *fmt, va_list ap)
{
	char msg[ERR_MSG_SIZE + 256], line[sizeof(msg) + 256];
	unsigned char *p;
	int n;

	vsnprintf(msg, sizeof(msg), fmt, ap);
	for (p = (unsigned char *)msg; *p; p++)
		if (*p < 0x20 || *p == 0x7f ||
		    (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0))
			*p = '?';	/* input text must not drive a terminal */
	if (clear_line)
		clear_line();
	n = snprintf(line, sizeof(line), "%.200s: %s%s\n", progname, kind, msg);
	(void)!file_write(STDERR_FILENO, line, (size_t)n);
}

void
prog_warn(const char *fmt, ...)
{
	va_list ap;

	if (quiet)
		return;
	va_start(ap, fmt);
	vreport("warning: ", fmt, ap);
	va_end(ap);
}

static void ATTR_PRINTF(1, 2)
report(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vreport("", fmt, ap);
	va_end(ap);
}

void
prog_error(const struct err *e)
{
	report("%s", e->msg);
}

void
prog_die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vreport("", fmt, ap);
	va_end(ap);
	exit(status);
}

void
prog_fail(const struct err *e)
{
	prog_die(e->status, "%s", e->msg);
}

void
prog_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vreport("", fmt, ap);
	va_end(ap);
	fprintf(stderr, "Try '%s --help'.\n", progname);
	exit(STATUS_USAGE);
}

/* --help on a full disk has failed too. */
static int
finish(int printed)
{
	if (printed < 0 || fflush(stdout) != 0)
		prog_die(STATUS_SYSTEM, "<stdout>: write: %s", strerror(errno));
	return STATUS_OK;
}

int
prog_help(const char *text)
{
	return finish(fputs(text, stdout));
}

int
prog_version(void)
{
	return finish(printf("%s (chromautils) %s\n", progname,
	    CHROMAUTILS_VERSION));
}
