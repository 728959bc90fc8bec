/* SPDX-License-Identifier: Apache-2.0 */
/* regexlex.c - the characters and escapes of a regular expression. */
#include "base/regexlex.h"

#include "base/buf.h"
#include "base/uniprop.h"
#include "base/utf8.h"

int
regexlex_bad(struct regexlex *l, size_t at, const char *reason)
{
	return err_usage(l->e, "byte %zu: %s", at + 1, reason);
}

void
regexlex_seek(struct regexlex *l, size_t at)
{
	bool surrogate;

	l->at = at;
	if (utf8_sequence(l->text.p + at, l->text.len - at, &l->c,
	    &surrogate) == 0)
		l->c = REGEXLEX_END;
}

int
regexlex_begin(struct regexlex *l, struct slice text, struct err *e)
{
	size_t at = 0, n;
	uint32_t c;
	bool surrogate;

	*l = (struct regexlex){ .text = text, .flags = REGEXLEX_U, .e = e };
	if (!text.p)
		l->text = slice_str("");
	while (at < l->text.len) {
		n = utf8_sequence(l->text.p + at, l->text.len - at, &c,
		    &surrogate);
		if (n == 0 || surrogate)
			return regexlex_bad(l, at, "not UTF-8");
		at += n;
	}
	regexlex_seek(l, 0);
	return 0;
}

void
regexlex_release(struct regexlex *l)
{
	int i;

	for (i = 0; i < 6; i++)
		ranges_release(&l->perl[i]);
}

static size_t
width(uint32_t c)
{
	return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

bool
regexlex_bump(struct regexlex *l)
{
	if (l->c != REGEXLEX_END)
		regexlex_seek(l, l->at + width(l->c));
	return l->c != REGEXLEX_END;
}

void
regexlex_space(struct regexlex *l)
{
	if (!(l->flags & REGEXLEX_X))
		return;
	while (l->c != REGEXLEX_END) {
		if (l->c == '#') {
			while (l->c != REGEXLEX_END && l->c != '\n')
				regexlex_bump(l);
		} else if (!uniprop_is_space(l->c))
			return;
		regexlex_bump(l);
	}
}

bool
regexlex_bump_space(struct regexlex *l)
{
	regexlex_bump(l);
	regexlex_space(l);
	return l->c != REGEXLEX_END;
}

uint32_t
regexlex_peek(struct regexlex *l)
{
	size_t at = l->at;
	uint32_t c;

	regexlex_bump(l);
	c = l->c;
	regexlex_seek(l, at);
	return c;
}

/* As Rust's, whose look ahead ends within a comment: at the first character of
 * it that is not white space. */
uint32_t
regexlex_peek_space(struct regexlex *l)
{
	size_t at = l->at;
	bool comment = false;
	uint32_t c;

	regexlex_bump(l);
	if (l->flags & REGEXLEX_X) {
		while (l->c != REGEXLEX_END && (uniprop_is_space(l->c) ||
		    (l->c == '#' && !comment))) {
			comment |= l->c == '#';
			regexlex_bump(l);
		}
	}
	c = l->c;
	regexlex_seek(l, at);
	return c;
}

bool
regexlex_next_is(const struct regexlex *l, const char *s)
{
	size_t n = strlen(s);

	return l->text.len - l->at >= n &&
	    memcmp(l->text.p + l->at, s, n) == 0;
}

int
regexlex_work(struct regexlex *l, size_t n)
{
	l->work += n;
	if (l->work > REGEXLEX_WORK_MAX)
		return err_usage(l->e, "byte %zu: too large: its classes have "
		    "too many ranges", l->at + 1);
	return 0;
}

int
regexlex_fold_negate(struct regexlex *l, size_t at, struct ranges *r,
    bool negate)
{
	if (regexlex_work(l, r->n + 1) < 0)
		return -1;
	if (l->flags & REGEXLEX_I) {
		if (l->flags & REGEXLEX_U) {
			ranges_fold(r);
		} else {
			struct ranges ascii = { 0 };

			ranges_add(&ascii, 0, 0x7f);
			ranges_fold(r);
			ranges_intersect(r, &ascii);
			ranges_release(&ascii);
		}
		if (regexlex_work(l, 128) < 0)
			return -1;
	}
	if (negate && !(l->flags & REGEXLEX_U))
		return regexlex_bad(l, at,
		    "without the flag u this matches what is not UTF-8");
	ranges_tidy(r);
	if (negate)
		ranges_negate(r);
	if (!ranges_ok(r))
		return err_nomem(l->e);
	return 0;
}

/* ---- escapes ---- */

static int
hex_value(uint32_t c)
{
	if (c >= '0' && c <= '9')
		return (int)c - '0';
	if (c >= 'a' && c <= 'f')
		return (int)c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return (int)c - 'A' + 10;
	return -1;
}

/* \x.. \u.... \U........, and the same with braces. */
static int
hex(struct regexlex *l, size_t at, struct regexlex_item *item)
{
	int digits = l->c == 'x' ? 2 : l->c == 'u' ? 4 : 8, i = 0;
	bool braces;
	uint64_t v = 0;

	if (!regexlex_bump_space(l))
		return regexlex_bad(l, at, "the escape ends early");
	braces = l->c == '{';
	item->byte = !braces && digits == 2;
	if (braces)
		regexlex_bump_space(l);
	for (; braces ? l->c != '}' : i < digits; i++) {
		int h = hex_value(l->c);

		if (h < 0)
			return regexlex_bad(l, l->at, "a hexadecimal digit "
			    "was expected");
		v = v << 4 | (unsigned)h;
		if (v > UINT32_MAX)
			v = UINT32_MAX;
		regexlex_bump_space(l);
	}
	if (braces)
		regexlex_bump_space(l);
	if (i == 0 || v > RANGES_MAX || (v >= 0xd800 && v <= 0xdfff))
		return regexlex_bad(l, at, "that is no character");
	item->kind = ITEM_LITERAL;
	item->c = (uint32_t)v;
	return 0;
}

/* The words of \p{...}, in *name and, after = : !=, *value. */
static int
property_words(struct regexlex *l, size_t at, struct buf *b,
    struct slice *name, struct slice *value, bool *negate)
{
	char *s, *split;
	size_t skip;

	if (l->c != '{') {
		if (l->c == '\\')
			return regexlex_bad(l, at, "no property's name");
		utf8_put(buf_room(b, 4) ? b->p : (char[4]){ 0 }, l->c);
		b->len = width(l->c);
		regexlex_bump_space(l);
		*name = buf_slice(b);
		return buf_ok(b) ? 0 : err_nomem(l->e);
	}
	while (regexlex_bump_space(l) && l->c != '}')
		buf_add(b, l->text.p + l->at, width(l->c));
	if (l->c == REGEXLEX_END)
		return regexlex_bad(l, at, "the escape ends early");
	regexlex_bump(l);
	(void)buf_str(b);
	if (!buf_ok(b))
		return err_nomem(l->e);
	*name = buf_slice(b);
	if (b->len == 0)
		return 0;
	s = b->p;
	skip = 2;
	split = memmem(s, b->len, "!=", 2);
	if (split)
		*negate = !*negate;
	else
		skip = 1;
	if (!split)
		split = memchr(s, ':', b->len);
	if (!split)
		split = memchr(s, '=', b->len);
	if (split) {
		name->len = (size_t)(split - s);
		*value = slice_of(split + skip, b->len - name->len - skip);
	}
	return 0;
}

static int
property(struct regexlex *l, size_t at, struct regexlex_item *item)
{
	bool negate = l->c == 'P';
	struct slice name = slice_str(""), value = { 0 };
	struct buf b = { 0 };
	int r;

	if (!regexlex_bump_space(l))
		return regexlex_bad(l, at, "the escape ends early");
	r = property_words(l, at, &b, &name, &value, &negate);
	if (r == 0 && !(l->flags & REGEXLEX_U))
		r = regexlex_bad(l, at, "properties need the flag u");
	if (r == 0) {
		switch (uniprop_get(&item->set, name, value)) {
		case UNIPROP_UNKNOWN:
			r = regexlex_bad(l, at, "no such property");
			break;
		case UNIPROP_LACKING:
			r = regexlex_bad(l, at,
			    "this property is not supported here");
			break;
		default:
			/* what reading the tables costs, about */
			r = regexlex_work(l, 1000);
		}
	}
	buf_release(&b);
	item->kind = ITEM_SET;
	if (r == 0)
		r = regexlex_fold_negate(l, at, &item->set, negate);
	if (r < 0)
		ranges_release(&item->set);
	return r;
}

static void
perl_set(struct ranges *r, uint32_t kind, bool unicode)
{
	if (unicode) {
		(kind == 'd' ? uniprop_digit : kind == 's' ? uniprop_space :
		    uniprop_word)(r);
	} else if (kind == 's') {
		ranges_add(r, '\t', '\r');
		ranges_add(r, ' ', ' ');
	} else {
		ranges_add(r, '0', '9');
		if (kind == 'w') {
			ranges_add(r, 'A', 'Z');
			ranges_add(r, '_', '_');
			ranges_add(r, 'a', 'z');
		}
	}
}

/* \d \s \w \D \S \W */
static int
perl(struct regexlex *l, size_t at, struct regexlex_item *item)
{
	uint32_t kind = l->c | 0x20;
	bool negate = l->c != kind;
	struct ranges *have = &l->perl[(kind == 'd' ? 0 : kind == 's' ? 2 : 4) +
	    negate];

	regexlex_bump(l);
	item->kind = ITEM_SET;
	if (!(l->flags & REGEXLEX_U)) {
		if (negate)
			return regexlex_bad(l, at, "without the flag u this "
			    "matches what is not UTF-8");
		perl_set(&item->set, kind, false);
	} else {
		if (have->n == 0) {
			perl_set(have, kind, true);
			if (negate)
				ranges_negate(have);
		}
		if (regexlex_work(l, have->n) < 0)
			return -1;
		ranges_union(&item->set, have);
	}
	if (!ranges_ok(&item->set)) {
		ranges_release(&item->set);
		return err_nomem(l->e);
	}
	return 0;
}

/* Behind \b: {start} and its like, which leave *which alone if a count follows
 * instead. */
static int
boundary(struct regexlex *l, size_t from, enum regexlex_assert *which)
{
	static const char *const names[] = { "start", "end", "start-half",
		"end-half" };
	size_t at = l->at, n = 0, i;
	char word[12] = "";

	if (!regexlex_bump_space(l))
		return regexlex_bad(l, at, "the brace is not closed");
	if (!((l->c | 0x20) >= 'a' && (l->c | 0x20) <= 'z') && l->c != '-') {
		regexlex_seek(l, at);
		return 0;
	}
	while (((l->c | 0x20) >= 'a' && (l->c | 0x20) <= 'z') || l->c == '-') {
		if (n < sizeof(word) - 1)
			word[n++] = (char)l->c;
		regexlex_bump_space(l);
	}
	if (l->c != '}')
		return regexlex_bad(l, at, "the brace is not closed");
	regexlex_bump(l);
	for (i = 0; i < 4; i++) {
		if (strcmp(word, names[i]) == 0) {
			*which = (enum regexlex_assert)
			    (ASSERT_WORD_START + i);
			return 0;
		}
	}
	return regexlex_bad(l, from, "no such word boundary");
}

static int
assertion(struct regexlex *l, size_t at, uint32_t c,
    struct regexlex_item *item)
{
	enum regexlex_assert which;

	item->kind = ITEM_ASSERT;
	switch (c) {
	case 'A': which = ASSERT_TEXT_START; break;
	case 'z': which = ASSERT_TEXT_END; break;
	case 'b': which = ASSERT_WORD; break;
	case 'B': which = ASSERT_NOT_WORD; break;
	case '<': which = ASSERT_WORD_START; break;
	case '>': which = ASSERT_WORD_END; break;
	default:
		return regexlex_bad(l, at, "no such escape");
	}
	if (c == 'b' && l->c == '{' && boundary(l, at, &which) < 0)
		return -1;
	if (which >= ASSERT_WORD && !(l->flags & REGEXLEX_U))
		which += ASSERT_ASCII_WORD - ASSERT_WORD;
	item->assert = which;
	return 0;
}

int
regexlex_escape(struct regexlex *l, struct regexlex_item *item)
{
	static const char from[] = "aftnrv", to[] = "\a\f\t\n\r\v";
	size_t at = l->at;
	const char *p;
	uint32_t c;

	*item = (struct regexlex_item){ .kind = ITEM_LITERAL };
	if (!regexlex_bump(l))
		return regexlex_bad(l, at, "the escape ends early");
	c = l->c;
	if (c < 0x80 && c && strchr("xuU", (int)c))
		return hex(l, at, item);
	if ((c | 0x20) == 'p')
		return property(l, at, item);
	if (c < 0x80 && c && strchr("dswDSW", (int)c))
		return perl(l, at, item);
	if (c >= '0' && c <= '9')
		return regexlex_bad(l, at, "there are no backreferences");
	if (c >= 0x80)
		return regexlex_bad(l, at, "no such escape");
	regexlex_bump(l);
	p = c ? strchr(from, (int)c) : NULL;
	if (p) {
		item->c = (unsigned char)to[p - from];
		return 0;
	}
	if (((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '<' || c == '>')
		return assertion(l, at, c, item);
	item->c = c;
	return 0;
}
