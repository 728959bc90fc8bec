/* SPDX-License-Identifier: Apache-2.0 */
/* receipt.c - what a program did. */
#include "prog/receipt.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "prog/prog.h"

void
receipt_start(struct receipt *r)
{
	*r = (struct receipt){ .started = clock_seconds() };
	r->w.b = &r->buf;
	json_open(&r->w, NULL, '{');
	json_cstr(&r->w, "receipt", prog_name());
}

int
receipt_print_text(struct buf *text, struct err *e)
{
	int failed;

	if (!buf_ok(text))
		return err_nomem(e);
	failed = file_write(STDOUT_FILENO, text->p, text->len);
	buf_release(text);
	return failed < 0 ? err_system(e, "<stdout>: write") : 0;
}

int
receipt_print(struct receipt *r, struct err *e)
{
	json_real(&r->w, "seconds", clock_seconds() - r->started, 3);
	json_close(&r->w, '}');
	buf_addc(&r->buf, '\n');
	return receipt_print_text(&r->buf, e);
}
