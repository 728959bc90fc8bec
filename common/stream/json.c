/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - JSON looked into without building a tree, and written. */
#include "stream/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/f32.h"
#include "base/le.h"
#include "base/num.h"
#include "base/utf8.h"

static int
bad(struct json_iter *c, const char *why)
{
	return err_data(c->e, "byte %zu: %s", (size_t)(c->p - c->base) + 1,
	    why);
}

static void
space(struct json_iter *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' ||
	    *c->p == '\r' || *c->p == '\n'))
		c->p++;
}

static bool
take(struct json_iter *c, char want)
{
	if (c->p == c->end || *c->p != want)
		return false;
	c->p++;
	return true;
}

/* Whether one of the eight bytes of w is a control character, '"' or '\\'
 * (or has its top bit set where a borrow says so: a false alarm only costs). */
static uint64_t
special(uint64_t w)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), top = ones << 7;
	uint64_t quote = w ^ ones * '"', back = w ^ ones * '\\';

	return ((w - ones * 0x20) | (quote - ones) | (back - ones)) & ~w & top;
}

static int
hex4(const char *p, const char *end, uint32_t *v)
{
	int i;

	if (end - p < 4)
		return -1;
	*v = 0;
	for (i = 0; i < 4; i++) {
		char ch = p[i];
		unsigned d = ch >= '0' && ch <= '9' ? (unsigned)(ch - '0') :
		    ch >= 'a' && ch <= 'f' ? (unsigned)(ch - 'a') + 10 :
		    ch >= 'A' && ch <= 'F' ? (unsigned)(ch - 'A') + 10 : 16;

		if (d > 15)
			return -1;
		*v = *v << 4 | d;
	}
	return 0;
}

/* Over a string, the cursor at its opening quote. */
static int
string(struct json_iter *c)
{
	uint64_t w;
	uint32_t code;

	if (!take(c, '"'))
		return bad(c, "expected a string");
	for (;;) {
		while (c->end - c->p >= 8) {
			memcpy(&w, c->p, 8);
			if (special(w))
				break;
			c->p += 8;
		}
		while (c->p < c->end && *c->p != '"' && *c->p != '\\' &&
		    (unsigned char)*c->p >= 0x20)
			c->p++;
		if (c->p == c->end)
			return bad(c, "unterminated string");
		if (take(c, '"'))
			return 0;
		if (*c->p != '\\')
			return bad(c, "control character in a string");
		c->p++;
		if (take(c, 'u')) {
			if (hex4(c->p, c->end, &code) < 0)
				return bad(c, "bad \\u escape");
			c->p += 4;
		} else if (c->p < c->end && memchr("\"\\/bfnrt", *c->p, 8)) {
			c->p++;
		} else {
			return bad(c, "bad escape");
		}
	}
}

/* Over the characters of a number, true, false or null. */
static int
scalar(struct json_iter *c)
{
	const char *first = c->p;

	while (c->p < c->end && ((*c->p >= '0' && *c->p <= '9') ||
	    (*c->p >= 'a' && *c->p <= 'z') || *c->p == '-' || *c->p == '.' ||
	    *c->p == '+' || *c->p == 'E' ||
	    (c->nonfinite && (*c->p == 'N' || *c->p == 'I'))))
		c->p++;
	return c->p == first ? bad(c, "expected a value") : 0;
}

static int value(struct json_iter *c, int depth);

#define NUMBERS_AT_ONCE 64

/* Whether these bytes, and one before them, are characters of numbers, and
 * commas no two of which meet.  (No branch in the loop: compilers make vector
 * instructions of it.) */
static bool
numbers_and_commas(const char *p)
{
	unsigned char other = 0;
	int i;

	for (i = 0; i < NUMBERS_AT_ONCE; i++) {
		unsigned char ch = (unsigned char)p[i];
		bool digit = (unsigned char)(ch - '0') <= 9;
		bool sign = (unsigned char)(ch - '+') <= '.' - '+';
		bool exponent = (ch | 0x20) == 'e';
		bool meet = (ch == ',') & (p[i - 1] == ',');

		other |= (unsigned char)(!(digit | sign | exponent) | meet);
	}
	return !other;
}

/* Over numbers of an array, as far as that is fast: to behind a comma.  The
 * cursor is at the first character of a value. */
static void
skip_numbers(struct json_iter *c)
{
	const char *p = c->p, *comma;

	if (c->end - p < NUMBERS_AT_ONCE || *p == ',')
		return;
	while (c->end - p >= NUMBERS_AT_ONCE && numbers_and_commas(p))
		p += NUMBERS_AT_ONCE;
	comma = memrchr(c->p, ',', (size_t)(p - c->p));
	if (comma)
		c->p = comma + 1;
}

static int
elements(struct json_iter *c, char close, int depth)
{
	if (depth >= JSON_DEPTH_MAX)
		return bad(c, "nested too deeply");
	c->p++;
	space(c);
	if (take(c, close))
		return 0;
	if (close == ']')
		skip_numbers(c);
	for (;;) {
		space(c);
		if (close == '}') {
			if (string(c) < 0)
				return -1;
			space(c);
			if (!take(c, ':'))
				return bad(c, "expected ':'");
		}
		if (value(c, depth + 1) < 0)
			return -1;
		space(c);
		if (take(c, close))
			return 0;
		if (!take(c, ','))
			return bad(c, close == '}' ? "expected ',' or '}'" :
			    "expected ',' or ']'");
	}
}

static int
value(struct json_iter *c, int depth)
{
	space(c);
	if (c->p == c->end)
		return bad(c, "expected a value");
	switch (*c->p) {
	case '{': return elements(c, '}', depth);
	case '[': return elements(c, ']', depth);
	case '"': return string(c);
	default:  return scalar(c);
	}
}

int
json_object(struct json_iter *it, struct slice text, struct err *e)
{
	*it = (struct json_iter){ text.p, text.p, text.p + text.len, e, 0, 1,
	    false };
	space(it);
	return take(it, '{') ? 0 : bad(it, "expected '{'");
}

int
json_next(struct json_iter *it, struct slice *key, struct slice *val)
{
	space(it);
	if (take(it, '}')) {
		space(it);
		return it->p == it->end ? 0 : bad(it, "text after the object");
	}
	if (it->members++ && !take(it, ','))
		return bad(it, "expected ',' or '}'");
	space(it);
	key->p = it->p + 1;
	if (string(it) < 0)
		return -1;
	key->len = (size_t)(it->p - 1 - key->p);
	space(it);
	if (!take(it, ':'))
		return bad(it, "expected ':'");
	space(it);
	val->p = it->p;
	if (value(it, it->depth) < 0)
		return -1;
	val->len = (size_t)(it->p - val->p);
	return 1;
}

int
json_array(struct json_iter *it, struct slice text, struct err *e)
{
	*it = (struct json_iter){ text.p, text.p, text.p + text.len, e, 0, 1,
	    false };
	space(it);
	return take(it, '[') ? 0 : bad(it, "expected '['");
}

int
json_element(struct json_iter *it, struct slice *val)
{
	space(it);
	if (take(it, ']')) {
		space(it);
		return it->p == it->end ? 0 : bad(it, "text after the array");
	}
	if (it->members++ && !take(it, ','))
		return bad(it, "expected ',' or ']'");
	space(it);
	val->p = it->p;
	if (value(it, it->depth) < 0)
		return -1;
	val->len = (size_t)(it->p - val->p);
	return 1;
}

/* One escape, p behind the backslash: its character, and where it ends. */
static const char *
unescape(const char *p, const char *end, uint32_t *code)
{
	uint32_t low;

	switch (*p++) {
	case 'b': *code = '\b'; return p;
	case 'f': *code = '\f'; return p;
	case 'n': *code = '\n'; return p;
	case 'r': *code = '\r'; return p;
	case 't': *code = '\t'; return p;
	case 'u': break;
	default:  *code = (unsigned char)p[-1]; return p;
	}
	if (hex4(p, end, code) < 0)
		return end;
	p += 4;
	if (*code >= 0xd800 && *code < 0xdc00 && end - p >= 6 &&
	    p[0] == '\\' && p[1] == 'u' && hex4(p + 2, end, &low) == 0 &&
	    low >= 0xdc00 && low < 0xe000) {
		*code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
		p += 6;
	}
	return p;
}

/* Append the inside of a string, checked before, with its escapes undone. */
static void
decode(const char *p, const char *end, struct buf *out)
{
	const char *back;
	uint32_t code;
	char utf8[4];

	while ((back = memchr(p, '\\', (size_t)(end - p)))) {
		buf_add(out, p, (size_t)(back - p));
		p = unescape(back + 1, end, &code);
		buf_add(out, utf8, utf8_put(utf8, code));
	}
	buf_add(out, p, (size_t)(end - p));
}

bool
json_key_is(struct slice key, const char *name)
{
	size_t len = strlen(name);
	const char *p = key.p, *end = key.p + key.len;
	uint32_t code;

	if (key.len == len && memcmp(key.p, name, len) == 0)
		return true;
	if (key.len <= len || !memchr(key.p, '\\', key.len))
		return false;
	for (; *name && p < end; name++) {
		if (*p == '\\')
			p = unescape(p + 1, end, &code);
		else
			code = (unsigned char)*p++;
		if (code != (unsigned char)*name)
			return false;
	}
	return !*name && p == end;
}

int
json_members(struct slice text, const char *const key[], struct slice val[],
    size_t n, struct err *e)
{
	struct json_iter it;
	struct slice k, v;
	size_t i;
	int r;

	for (i = 0; i < n; i++)
		val[i] = (struct slice){ NULL, 0 };
	if (json_object(&it, text, e) < 0)
		return -1;
	while ((r = json_next(&it, &k, &v)) > 0)
		for (i = 0; i < n; i++) {
			if (!json_key_is(k, key[i]))
				continue;
			if (val[i].p)
				return err_data(e, "\"%s\" stands twice",
				    key[i]);
			val[i] = v;
		}
	return r;
}

int
json_u63(struct slice val, uint64_t *out)
{
	return val.p ? num_u64(val.p, val.len, INT64_MAX, out) : -1;
}

int
json_i64(struct slice val, int64_t *out)
{
	return val.p ? num_i64(val.p, val.len, out) : -1;
}

int
json_string(struct slice val, struct buf *out)
{
	if (!json_is_string(val))
		return -1;
	decode(val.p + 1, val.p + val.len - 1, out);
	return 0;
}

int
json_floats(struct slice val, struct buf *out, struct err *e)
{
	struct json_iter c = { val.p, val.p, val.p + val.len, e, 0, 0,
	    false };
	size_t n = 0;
	uint32_t bits;
	int r;

	if (!val.p || !take(&c, '['))
		return err_data(e, "not an array of numbers");
	space(&c);
	if (take(&c, ']'))
		return 0;
	for (;;) {
		char *to;

		space(&c);
		r = f32_scan(c.p, c.end, &bits, &c.p);
		if (r < 0)
			return err_data(e, "component %zu: %s", n + 1, r == -2 ?
			    "beyond the range of float32" : "not a number");
		to = buf_room(out, 4);
		if (!to)
			return err_nomem(e);
		le_put_u32(to, bits);
		out->len += 4;
		n++;
		space(&c);
		if (take(&c, ']'))
			return 0;
		if (!take(&c, ','))
			return err_data(e, "component %zu: not a number", n);
	}
}

static bool
digits(struct json_iter *c)
{
	const char *first = c->p;

	while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
		c->p++;
	return c->p > first;
}

static int
strict_number(struct json_iter *c)
{
	(void)take(c, '-');
	if (!take(c, '0') && !digits(c))
		return bad(c, "expected a value");
	if (take(c, '.') && !digits(c))
		return bad(c, "bad number");
	if (take(c, 'e') || take(c, 'E')) {
		if (!take(c, '+'))
			(void)take(c, '-');
		if (!digits(c))
			return bad(c, "bad number");
	}
	return 0;
}

static int
strict_scalar(struct json_iter *c)
{
	static const char *const word[] = { "true", "false", "null" };
	size_t i, n;

	for (i = 0; i < 3; i++) {
		n = strlen(word[i]);
		if ((size_t)(c->end - c->p) >= n &&
		    memcmp(c->p, word[i], n) == 0) {
			c->p += n;
			return 0;
		}
	}
	return strict_number(c);
}

static void
put_canonical(struct buf *out, const char *p, const char *end,
    struct buf *scratch)
{
	if (!memchr(p, '\\', (size_t)(end - p))) {
		/* no escapes: what needs one is not in it */
		buf_addc(out, '"');
		buf_add(out, p, (size_t)(end - p));
		buf_addc(out, '"');
		return;
	}
	buf_reset(scratch);
	decode(p, end, scratch);
	json_put_string(out, buf_slice(scratch));
	if (!buf_ok(scratch))
		out->failed = true;
}

static int
compact_string(struct json_iter *c, struct buf *out, struct buf *scratch)
{
	const char *p = c->p + 1;

	if (string(c) < 0)
		return -1;
	put_canonical(out, p, c->p - 1, scratch);
	return 0;
}

static int
compact(struct json_iter *c, struct buf *out, struct buf *scratch, int depth)
{
	const char *first;
	char close;

	space(c);
	first = c->p;
	if (c->p == c->end)
		return bad(c, "expected a value");
	if (*c->p == '"')
		return compact_string(c, out, scratch);
	if (*c->p != '{' && *c->p != '[') {
		if (strict_scalar(c) < 0)
			return -1;
		buf_add(out, first, (size_t)(c->p - first));
		return 0;
	}
	if (depth >= JSON_DEPTH_MAX)
		return bad(c, "nested too deeply");
	close = *c->p == '{' ? '}' : ']';
	buf_addc(out, *c->p++);
	space(c);
	if (take(c, close)) {
		buf_addc(out, close);
		return 0;
	}
	for (;;) {
		space(c);
		if (close == '}') {
			if (compact_string(c, out, scratch) < 0)
				return -1;
			space(c);
			if (!take(c, ':'))
				return bad(c, "expected ':'");
			buf_addc(out, ':');
		}
		if (compact(c, out, scratch, depth + 1) < 0)
			return -1;
		space(c);
		if (take(c, close)) {
			buf_addc(out, close);
			return 0;
		}
		if (!take(c, ','))
			return bad(c, close == '}' ? "expected ',' or '}'" :
			    "expected ',' or ']'");
		buf_addc(out, ',');
	}
}

int
json_compact(struct slice val, struct buf *out, struct err *e)
{
	struct json_iter c = { val.p, val.p, val.p + val.len, e, 0, 0,
	    false };
	struct buf scratch = { 0 };
	int r = compact(&c, out, &scratch, 0);

	buf_release(&scratch);
	if (r < 0)
		return -1;
	space(&c);
	return c.p == c.end ? 0 : bad(&c, "text after the value");
}

/* The escape of a control character, '"' or '\\'. */
static void
put_escape(struct buf *b, unsigned char ch)
{
	static const char letter[] = "\bb\ff\nn\rr\tt\"\"\\\\";
	const char *l;

	for (l = letter; *l; l += 2)
		if ((unsigned char)*l == ch) {
			buf_addc(b, '\\');
			buf_addc(b, l[1]);
			return;
		}
	buf_addf(b, "\\u%04x", ch);
}

/* Bytes from p on that can stand in a string as they are. */
static size_t
plain_run(const char *p, size_t n, bool ascii)
{
	size_t i = 0;
	uint64_t w;

	while (n - i >= 8) {
		memcpy(&w, p + i, 8);
		if (special(w) || (w & UINT64_C(0x8080808080808080)) ||
		    (ascii && ((w + UINT64_C(0x0101010101010101)) &
		    UINT64_C(0x8080808080808080))))	/* a DEL */
			break;
		i += 8;
	}
	while (i < n && (unsigned char)p[i] >= 0x20 && p[i] != '"' &&
	    p[i] != '\\' && !(p[i] & 0x80) && !(ascii && p[i] == 0x7f))
		i++;
	return i;
}

/* One character that is not ASCII, or one byte that is no character. */
static size_t
put_wide(struct buf *b, const char *p, size_t n, bool ascii)
{
	uint32_t code;
	bool surrogate;
	size_t len = utf8_sequence(p, n, &code, &surrogate);

	if (ascii && (len == 0 || surrogate)) {
		buf_addf(b, "\\udc%02x", (unsigned char)*p);
		return 1;
	}
	if (len == 0)
		buf_adds(b, "\xef\xbf\xbd");	/* U+FFFD */
	else if (ascii && code >= 0x10000)
		buf_addf(b, "\\u%04x\\u%04x",
		    0xd800 + ((code - 0x10000) >> 10),
		    0xdc00 + ((code - 0x10000) & 0x3ff));
	else if (ascii || surrogate)
		buf_addf(b, "\\u%04x", code);
	else
		buf_add(b, p, len);
	return len ? len : 1;
}

static void
put_quoted(struct buf *b, struct slice text, bool ascii)
{
	const char *p = text.p;
	size_t n = text.len, run;

	buf_addc(b, '"');
	for (;;) {
		run = plain_run(p, n, ascii);
		buf_add(b, p, run);
		p += run;
		n -= run;
		if (n == 0)
			break;
		run = 1;
		if (*p & 0x80)
			run = put_wide(b, p, n, ascii);
		else
			put_escape(b, (unsigned char)*p);
		p += run;
		n -= run;
	}
	buf_addc(b, '"');
}

void
json_put_string(struct buf *b, struct slice text)
{
	put_quoted(b, text, false);
}

void
json_put_ascii(struct buf *b, struct slice text)
{
	put_quoted(b, text, true);
}

bool
json_put_floats(struct buf *b, const uint8_t *le, size_t n)
{
	size_t start = b->len, i;
	uint32_t bits;
	char *to;

	buf_addc(b, '[');
	for (i = 0; i < n; i++) {
		bits = le_u32(le + 4 * i);
		if (!f32_finite(bits)) {
			b->len = start;
			return false;
		}
		to = buf_room(b, F32_ROOM + 1);
		if (!to)
			return true;
		*to = ',';
		b->len += i > 0;
		b->len += f32_format(bits, to + (i > 0));
	}
	buf_addc(b, ']');
	return true;
}

void
json_put_base64(struct buf *b, const void *p, size_t n)
{
	char *to = buf_room(b, BASE64_LEN(n) + 2);

	if (!to)
		return;
	to[0] = '"';
	to[1 + base64_encode(p, n, to + 1)] = '"';
	b->len += BASE64_LEN(n) + 2;
}

static void
put_key(struct jsonw *w, const char *key)
{
	if (w->comma)
		buf_addc(w->b, ',');
	w->comma = true;
	if (key) {
		json_put_string(w->b, slice_str(key));
		buf_addc(w->b, ':');
	}
}

void
json_open(struct jsonw *w, const char *key, char bracket)
{
	put_key(w, key);
	buf_addc(w->b, bracket);
	w->comma = false;
}

void
json_close(struct jsonw *w, char bracket)
{
	buf_addc(w->b, bracket);
	w->comma = true;
}

void
json_str(struct jsonw *w, const char *key, struct slice text)
{
	if (!text.p) {
		json_null(w, key);
		return;
	}
	put_key(w, key);
	json_put_string(w->b, text);
}

void
json_cstr(struct jsonw *w, const char *key, const char *text)
{
	json_str(w, key, slice_str(text));
}

void
json_int(struct jsonw *w, const char *key, int64_t v)
{
	put_key(w, key);
	buf_add_i64(w->b, v);
}

void
json_bool(struct jsonw *w, const char *key, bool v)
{
	json_raw(w, key, slice_str(v ? "true" : "false"));
}

void
json_null(struct jsonw *w, const char *key)
{
	json_raw(w, key, slice_str("null"));
}

void
json_raw(struct jsonw *w, const char *key, struct slice text)
{
	put_key(w, key);
	buf_add(w->b, text.p, text.len);
}

void
json_real(struct jsonw *w, const char *key, double v, int prec)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%.*f", prec, v);

	while (n > 1 && prec > 0 && text[n - 1] == '0' && text[n - 2] != '.')
		n--;
	json_raw(w, key, slice_of(text, (size_t)n));
}

void
json_double(struct jsonw *w, const char *key, double v)
{
	char text[40];
	int digits = 15, n;

	if (!isfinite(v)) {
		json_null(w, key);
		return;
	}
	do
		n = snprintf(text, sizeof(text) - 2, "%.*g", digits, v);
	while (digits++ < 17 && (strtod(text, NULL) < v ||
	    strtod(text, NULL) > v));
	if (!strpbrk(text, ".e")) {
		memcpy(text + n, ".0", 3);
		n += 2;
	}
	json_raw(w, key, slice_of(text, (size_t)n));
}
