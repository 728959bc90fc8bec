/* SPDX-License-Identifier: Apache-2.0 */
/* err.c - error messages with a status. */
#undef CHROMAUTILS_ANALYZE	/* here they are defined */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What err_tail keeps of a path: leaves half the message for the reason. */
#define TAIL_MAX 500

const char *
err_tail(const char *path)
{
	size_t n = strlen(path);

	return n > TAIL_MAX ? path + (n - TAIL_MAX) : path;
}

static int ATTR_PRINTF(3, 0)
fill(struct err *e, int status, const char *fmt, va_list ap)
{
	e->status = status;
	vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	return -1;
}

int
err_usage(struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(e, STATUS_USAGE, fmt, ap);
	va_end(ap);
	return -1;
}

int
err_data(struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(e, STATUS_DATA, fmt, ap);
	va_end(ap);
	return -1;
}

int
err_fail(struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(e, STATUS_SYSTEM, fmt, ap);
	va_end(ap);
	return -1;
}

int
err_busy(struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(e, STATUS_BUSY, fmt, ap);
	va_end(ap);
	return -1;
}

int
err_system(struct err *e, const char *fmt, ...)
{
	int saved = errno;
	size_t n;
	va_list ap;

	va_start(ap, fmt);
	fill(e, STATUS_SYSTEM, fmt, ap);
	va_end(ap);
	n = strlen(e->msg);
	snprintf(e->msg + n, sizeof(e->msg) - n, ": %s", strerror(saved));
	return -1;
}

int
err_nomem(struct err *e)
{
	return err_fail(e, "out of memory");
}

static int ATTR_PRINTF(2, 3)
prefix(struct err *e, const char *fmt, ...)
{
	char head[ERR_MSG_SIZE], msg[ERR_MSG_SIZE];
	va_list ap;
	size_t room;

	va_start(ap, fmt);
	vsnprintf(head, sizeof(head), fmt, ap);
	va_end(ap);
	memcpy(msg, e->msg, sizeof(msg));
	msg[sizeof(msg) - 1] = '\0';
	snprintf(e->msg, sizeof(e->msg), "%s", head);
	room = strlen(e->msg);
	snprintf(e->msg + room, sizeof(e->msg) - room, "%s", msg);
	return -1;
}

int
err_at(struct err *e, const char *name, uint64_t line)
{
	return prefix(e, "%s:%llu: ", err_tail(name), (unsigned long long)line);
}

int
err_off(struct err *e, const char *name, uint64_t offset)
{
	return prefix(e, "%s:+%llu: ", err_tail(name),
	    (unsigned long long)offset);
}

int
err_in(struct err *e, const char *name)
{
	return prefix(e, "%s: ", err_tail(name));
}
