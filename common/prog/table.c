/* SPDX-License-Identifier: Apache-2.0 */
/* table.c - text for people. */
#include "prog/table.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/num.h"
#include "base/utf8.h"

#define NAME_WIDTH 20
#define TEXT_WIDTH 78

static void
put_clean(struct buf *b, struct slice text)
{
	size_t i;

	for (i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];

		/* C0, DEL, and C1 as UTF-8: none may reach a terminal */
		buf_addc(b, c < 0x20 || c == 0x7f || (c == 0xc2 &&
		    i + 1 < text.len && (text.p[i + 1] & 0xe0) == 0x80) ?
		    '?' : (char)c);
	}
}

void
table_heading(struct buf *b, struct slice text)
{
	if (b->len)
		buf_addc(b, '\n');
	put_clean(b, text);
	buf_addc(b, '\n');
}

void
table_row(struct buf *b, const char *name, const char *fmt, ...)
{
	char small[1024];
	struct buf text = { 0 };
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(small)) {
		char *to = buf_room(&text, (size_t)n + 1);

		va_start(ap, fmt);
		if (to)
			vsnprintf(to, (size_t)n + 1, fmt, ap);
		va_end(ap);
		text.len = to ? (size_t)n : 0;
	} else {
		buf_add(&text, small, (size_t)n);
	}
	buf_addf(b, "  %-*s", NAME_WIDTH, name);
	put_clean(b, buf_slice(&text));
	buf_addc(b, '\n');
	buf_release(&text);
}

void
table_note(struct buf *b, struct slice text)
{
	const char *p = text.p, *end = text.p + text.len, *word;
	size_t column = 4, width;

	buf_adds(b, "  - ");
	while (p < end) {
		for (word = p; p < end && *p != ' '; p++)
			;
		width = utf8_width(word, (size_t)(p - word));
		if (column > 4 && column + 1 + width > TEXT_WIDTH) {
			buf_adds(b, "\n    ");
			column = 4;
		} else if (column > 4) {
			buf_addc(b, ' ');
			column++;
		}
		put_clean(b, slice_of(word, (size_t)(p - word)));
		column += width;
		while (p < end && *p == ' ')
			p++;
	}
	buf_addc(b, '\n');
}

const char *
table_bytes(uint64_t n, char out[32])
{
	static const char *const unit[] = { "bytes", "kB", "MB", "GB", "TB",
	    "PB", "EB" };
	double v = (double)n;
	size_t i = 0;

	while (v >= 999.95 && i < 6) {
		v /= 1000;
		i++;
	}
	snprintf(out, 32, i ? "%.1f %s" : "%.0f %s", v, unit[i]);
	return out;
}

const char *
table_count(uint64_t n, char out[32])
{
	char digits[NUM_DIGITS_MAX];
	size_t len = num_format_u64(n, digits), i, o = 0;

	for (i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			out[o++] = ',';
		out[o++] = digits[i];
	}
	out[o] = '\0';
	return out;
}
