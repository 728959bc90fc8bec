/* SPDX-License-Identifier: Apache-2.0 */
/* t_regex - what is a regular expression, where it is wrong, what it matches.
 *
 * usage: t_regex            the tables here
 *        t_regex FILE...    what a Chroma said: lines {"texts": [...]}, then
 *                           {"regex": ..., "answer": a 0 or 1 for each text, or
 *                           "refused"}, with "here": "unsupported" where we
 *                           say so
 */
#include "base/regex.h"

#include "base/utf8.h"
#include "stream/json.h"

#include "../scratch.h"
#include "../tap.h"

#define S(s) SLICE(s)

/* ---- tables ---- */

static const struct {
	struct slice pattern;
	const char *message;
} refused[] = {
	/* syntax */
	{ S("*a"), "byte 1: there is nothing to repeat" },
	{ S("ab(*a)"), "byte 4: there is nothing to repeat" },
	{ S("a|*"), "byte 3: there is nothing to repeat" },
	{ S("(?i)*"), "byte 5: there is nothing to repeat" },
	{ S("{2}"), "byte 1: there is nothing to repeat" },
	{ S("a{"), "byte 2: the brace is not closed" },
	{ S("a{2"), "byte 2: the brace is not closed" },
	{ S("a{2,"), "byte 2: the brace is not closed" },
	{ S("a{x}"), "byte 3: a count was expected" },
	{ S("a{,2}"), "byte 3: a count was expected" },
	{ S("a{2x}"), "byte 2: the brace is not closed" },
	{ S("a{3,2}"), "byte 2: the counts are out of order" },
	{ S("(?:){4294967295,4294967294}"), "byte 5: the counts are out of "
	    "order" },
	{ S("a{4294967296}"), "byte 3: the count is too large" },
	{ S("("), "byte 1: the group is not closed" },
	{ S("a(b(c)"), "byte 2: the group is not closed" },
	{ S("(?"), "byte 1: the group is not closed" },
	{ S("a)"), "byte 2: there is no group to close" },
	{ S("(?)"), "byte 1: there is nothing to repeat" },
	{ S("(?-)"), "byte 4: no flag after the -" },
	{ S("(?i-)"), "byte 5: no flag after the -" },
	{ S("(?i-s-m)"), "byte 6: a second -" },
	{ S("(?ii)"), "byte 4: the flag stands twice" },
	{ S("(?i-i)"), "byte 5: the flag stands twice" },
	{ S("(?z)"), "byte 3: no such flag or group" },
	{ S("(?i"), "byte 4: the flags end early" },
	{ S("(?#a)"), "byte 3: no such flag or group" },
	{ S("(?>a)"), "byte 3: no such flag or group" },
	{ S("(?'n'a)"), "byte 3: no such flag or group" },
	{ S("a(?=b)"), "byte 2: there is no looking around" },
	{ S("(?!b)"), "byte 1: there is no looking around" },
	{ S("(?<=b)"), "byte 1: there is no looking around" },
	{ S("(?<!b)"), "byte 1: there is no looking around" },
	{ S("(?P<>a)"), "byte 5: the name is empty" },
	{ S("(?<1>a)"), "byte 4: a name has no such character here" },
	{ S("(?<a-b>a)"), "byte 5: a name has no such character here" },
	{ S("(?<a"), "byte 4: the name is not closed" },
	{ S("(?<n>a)|(?P<n>b)"), "byte 13: the name stands twice" },
	/* escapes */
	{ S("\\"), "byte 1: the escape ends early" },
	{ S("ab\\y"), "byte 3: no such escape" },
	{ S("\\\xc3\xa9"), "byte 1: no such escape" },
	{ S("\\Z"), "byte 1: no such escape" },
	{ S("\\1"), "byte 1: there are no backreferences" },
	{ S("\\07"), "byte 1: there are no backreferences" },
	{ S("\\x4"), "byte 4: a hexadecimal digit was expected" },
	{ S("\\x{}"), "byte 1: that is no character" },
	{ S("\\x{110000}"), "byte 1: that is no character" },
	{ S("\\x{100000041}"), "byte 1: that is no character" },
	{ S("\\ud800"), "byte 1: that is no character" },
	{ S("\\x{41"), "byte 6: a hexadecimal digit was expected" },
	{ S("\\b{foo}"), "byte 1: no such word boundary" },
	{ S("\\b{"), "byte 3: the brace is not closed" },
	{ S("\\b{start"), "byte 3: the brace is not closed" },
	{ S("\\p"), "byte 1: the escape ends early" },
	{ S("\\p{L"), "byte 1: the escape ends early" },
	{ S("\\p{foo}"), "byte 1: no such property" },
	{ S("\\p{}"), "byte 1: no such property" },
	{ S("\\p{Cs}"), "byte 1: no such property" },
	{ S("\\p{sc=Foo}"), "byte 1: no such property" },
	{ S("\\p{Block=Greek}"), "byte 1: no such property" },
	{ S("\\pX"), "byte 1: no such property" },
	{ S("\\p\\"), "byte 1: no property's name" },
	{ S("x\\p{Dash}"), "byte 2: this property is not supported here" },
	{ S("\\p{wb=ALetter}"),
	    "byte 1: this property is not supported here" },
	/* classes */
	{ S("a["), "byte 2: the class is not closed" },
	{ S("[]"), "byte 1: the class is not closed" },
	{ S("[^]"), "byte 1: the class is not closed" },
	{ S("[[a]"), "byte 1: the class is not closed" },
	{ S("(?x)[#a]"), "byte 5: the class is not closed" },
	{ S("[z-a]"), "byte 2: the range is upside down" },
	{ S("[a-\\d]"), "byte 2: a range goes from a character to a "
	    "character" },
	{ S("[\\d-a]"), "byte 2: a range goes from a character to a "
	    "character" },
	{ S("[\\b]"), "byte 2: this escape has no place in a class" },
	{ S("a[^\\s\\S]"), "byte 2: a class without any member" },
	{ S("[a&&b]"), "byte 1: a class without any member" },
	{ S("b|[a&&b]"), "byte 3: a class without any member" },
	{ S("x[a&&b]*"), "byte 2: a class without any member" },
	/* without the flag u */
	{ S("(?-u)."), "byte 6: without the flag u this matches what is not "
	    "UTF-8" },
	{ S("(?-u)\\D"), "byte 6: without the flag u this matches what is "
	    "not UTF-8" },
	{ S("(?-u)[^a]"), "byte 6: without the flag u this matches what is "
	    "not UTF-8" },
	{ S("(?-u)\\xff"), "byte 6: without the flag u this is not UTF-8" },
	{ S("(?-u)[\xc3\xa9]"), "byte 7: without the flag u only ASCII can "
	    "be matched" },
	{ S("(?-u)\\pL"), "byte 6: properties need the flag u" },
	{ S("(?-u)\\d"), "byte 6: a class without the flag u" },
	{ S("(?-u)(?i)q"), "byte 10: a class without the flag u" },
	{ S("(?-u)[ab]|c"), "byte 6: a class without the flag u" },
	/* not text */
	{ S("a\xff"), "byte 2: not UTF-8" },
	{ S("\xed\xa0\x80"), "byte 1: not UTF-8" },
	/* size */
	{ S("a{262144}"), "byte 1: too large: with its counts written out it "
	    "has more than 262144 states" },
	{ S("(?:a{1000}){1000}b"), "byte 1: too large: with its counts "
	    "written out it has more than 262144 states" },
	{ S("((a{4294967295}){4294967295}){4294967295}"), "byte 1: too "
	    "large: with its counts written out it has more than 262144 "
	    "states" },
};

/* Patterns, texts that they match, and texts that they do not. */
static const struct {
	struct slice pattern;
	struct slice match[3], miss[3];
} tables[] = {
	{ S(""), { S(""), S("a") }, { { 0 } } },
	{ S("b"), { S("b"), S("abc") }, { S(""), S("ac"), S("B") } },
	{ S("abab"), { S("xababab") }, { S("aba"), S("abba") } },
	{ S("a.c"), { S("abc"), S("a\0c"), S("a\xe4\xb8\xad" "c") },
	    { S("a\nc"), S("ac"), S("a\xc3\xa9\xc3\xa9" "c") } },
	{ S("(?s)a.c"), { S("a\nc"), S("a\rc") }, { S("ac") } },
	{ S("(?R)a.c"), { S("a c") }, { S("a\nc"), S("a\rc") } },
	{ S("a|b|cd"), { S("xb"), S("cd") }, { S("c"), S("d") } },
	{ S("^(a|)$"), { S(""), S("a") }, { S("b"), S("aa") } },
	{ S("^a*$"), { S(""), S("aaa") }, { S("aab"), S("baa") } },
	{ S("^a+?$"), { S("a"), S("aaa") }, { S("") } },
	{ S("^a{2,3}$"), { S("aa"), S("aaa") }, { S("a"), S("aaaa") } },
	{ S("^a{ 2 ,}$"), { S("aa"), S("aaaaaa") }, { S("a") } },
	{ S("^a{2}{3}$"), { S("aaaaaa") }, { S("aaaaa"), S("aaaaaaa") } },
	{ S("^(?:a{0}b)*$"), { S("bb"), S("") }, { S("a"), S("ab") } },
	{ S("^(a*)*b$"), { S("aaab"), S("b") }, { S("aaaa") } },
	{ S("(?:(?:){4294967295}){4294967295}a"), { S("a") }, { S("b") } },
	{ S("x*"), { S(""), S("abc") }, { { 0 } } },
	/* the end is the end */
	{ S("a$"), { S("ba") }, { S("a\n"), S("ab") } },
	{ S("^b"), { S("bc") }, { S("a\nb") } },
	{ S("(?m)^b$"), { S("a\nb"), S("b\nc"), S("a\nb\n") },
	    { S("ab"), S("b\r\n") } },
	{ S("(?m)^$"), { S(""), S("a\n"), S("\n") }, { S("a") } },
	{ S("(?mR)^b$"), { S("a\r\nb\r\n"), S("a\rb\rc"), S("b") },
	    { S("ab") } },
	{ S("(?mR)\r^\n"), { { 0 } }, { S("\r\n") } },
	{ S("(?mR)\r$\n"), { { 0 } }, { S("\r\n") } },
	{ S("(?mR)\r$\r"), { S("\r\r") }, { S("\r\n") } },
	{ S("(?mR)a$\r\n^b"), { S("a\r\nb") }, { S("a\nb") } },
	{ S("\\Ab\\z"), { S("b") }, { S("b\n"), S("\nb") } },
	{ S("$^"), { S("") }, { S("a") } },
	{ S("(?m)$\n^"), { S("\n"), S("a\nb") }, { S("") } },
	/* words */
	{ S("\\bab\\b"), { S("ab"), S("x ab."), S("\xe2\x82\xac" "ab") },
	    { S("xab"), S("ab\xc3\xa9"), S("_ab") } },
	{ S("(?-u:\\b)ab(?-u:\\b)"), { S("\xc3\xa9" "ab\xc3\xa9") },
	    { S("xab"), S("ab_") } },
	{ S("a\\Bb"), { S("ab") }, { S("a b") } },
	{ S("\\<b"), { S("a b") }, { S("ab") } },
	{ S("a\\>"), { S("a b") }, { S("ab") } },
	{ S("\\b{start}b\\b{end}"), { S("a b c") }, { S("ab c"), S("a bc") } },
	{ S("\\b{start-half}\\."), { S(" ."), S(".") }, { S("a.") } },
	{ S("\\.\\b{end-half}"), { S(". "), S(".") }, { S(".a") } },
	{ S("^\\b{2}"), { S("a") }, { S(" a"), S("") } },
	{ S("^*a"), { S("ba") }, { S("b") } },
	/* sets */
	{ S("^\\d$"), { S("7"), S("\xd9\xa3") }, { S("x"), S("\xc2\xb2") } },
	{ S("^\\s$"), { S("\x0b"), S("\xc2\x85"), S("\xe2\x80\xa8") },
	    { S("\xe2\x80\x8b"), S("\xe1\xa0\x8e"), S("x") } },
	{ S("^\\w$"), { S("\xe2\x80\x8d"), S("\xcc\x81"), S("_") },
	    { S("\xc2\xb2"), S("-") } },
	{ S("^\\v$"), { S("\x0b") }, { S("\n") } },
	{ S("^[[:alpha:]_]$"), { S("b"), S("_") }, { S("\xc3\xa9"), S("1") } },
	{ S("^[[:foo:]]$"), { S(":"), S("o") }, { S("[") } },
	{ S("^[[:foo:]-]+$"), { S("f:-"), S(":o") }, { S("[]") } },
	{ S("^[]a]$"), { S("]"), S("a") }, { S("b") } },
	{ S("^[^]a]$"), { S("b") }, { S("]"), S("a") } },
	{ S("^[a-c&&[^b]]$"), { S("a"), S("c") }, { S("b"), S("d") } },
	{ S("^[abc--b&&[ab]]$"), { S("a") }, { S("b"), S("c") } },
	{ S("^[a-c~~b-d]$"), { S("a"), S("d") }, { S("b"), S("c") } },
	{ S("^[--a]$"), { S("-"), S("a") }, { S(",") } },
	{ S("^[---a]$"), { S("-"), S("a") }, { S(",") } },
	{ S("^[!--a]$"), { S("!") }, { S("-"), S("a") } },
	{ S("^[^&&]$"), { S("a"), S("&") }, { S("") } },
	{ S("^(?x)[ a - c ] # end\n$"), { S("b") }, { S(" "), S("-") } },
	{ S("(?x)a\\ b # c"), { S("a b") }, { S("ab") } },
	{ S("^[\\x{d7ff}-\\x{e000}]$"), { S("\xed\x9f\xbf"),
	    S("\xee\x80\x80") }, { S("\xed\xa0\x80") } },
	/* properties */
	{ S("^\\p{Greek}$"), { S("\xcf\x83") }, { S("s"), S("\xcd\x82") } },
	{ S("^\\p{scx=Grek}$"), { S("\xcf\x83"), S("\xcd\x82") }, { S("s") } },
	{ S("^\\p{scx=Common}$"), { S("1") }, { S("\xe3\x80\x81") } },
	{ S("^\\p{sc!=Latin}$"), { S("\xcf\x83") }, { S("s") } },
	{ S("^\\P{L_u}$"), { S("a") }, { S("A") } },
	{ S("^\\p{is l C }$"), { S("a"), S("A") }, { S("\xe4\xb8\xad") } },
	{ S("^\\p{age=15.1}$"), { S("a"), S("\xf0\xae\xaf\xb0") },
	    { S("\xe1\xb2\x8a") } },
	{ S("^\\p{Alphabetic}$"), { S("b"), S("\xf0\x91\x8e\xb8"),
	    S("\xe1\xb7\xa6") }, { S("1"), S("\xcc\x81") } },
	{ S("^\\p{Emoji}$"), { S("\xf0\x9f\x98\x80"), S("1") }, { S("a") } },
	/* case */
	{ S("^(?i)k$"), { S("K"), S("\xe2\x84\xaa") }, { S("c") } },
	{ S("^(?i)[^k]$"), { S("c") }, { S("K"), S("\xe2\x84\xaa") } },
	{ S("^(?i)\xc3\x9f$"), { S("\xe1\xba\x9e") }, { S("ss"), S("SS") } },
	{ S("^(?i)\xc4\xb0$"), { S("\xc4\xb0") }, { S("i"), S("\xc4\xb1") } },
	{ S("^(?i)\\p{Lu}$"), { S("a") }, { S("1") } },
	{ S("^a(?i)b|B$"), { S("xb"), S("aB") }, { S("A") } },
	{ S("^a(?i:b)c$"), { S("aBc") }, { S("aBC"), S("Abc") } },
	{ S("(?i)\xe1\xb2\x89"), { S("\xe1\xb2\x8a") }, { S("a") } },
	{ S("(?-u)(a|b)\xc3\xa9"), { S("b\xc3\xa9") }, { S("c\xc3\xa9") } },
	{ S("^(?-u)(?:[ab]|[cd])$"), { S("a"), S("d") }, { S("e") } },
	{ S("(?:a[b&&c]){0}d"), { S("d") }, { S("a") } },
	/* NUL is a character; what is none is matched by nothing */
	{ S("a\0b"), { S("xa\0b") }, { S("ab"), S("a") } },
	{ S("\\x00$"), { S("a\0") }, { S("\0a") } },
	{ S("(?s)^.$"), { S("\0"), S("\xf4\x8f\xbf\xbf") },
	    { S("\xed\xa0\x80"), S("\xff"), S("\xc3") } },
	{ S("^[^a]$"), { S("b") }, { S("\xed\xbf\xbf"), S("\x80") } },
	{ S("a\\b"), { S("a\xed\xa0\x80"), S("a\xff") }, { S("ab") } },
	{ S("b"), { S("\xed\xa0\x80" "b"), S("\xe2\x82" "b") }, { { 0 } } },
	/* strings that every match has */
	{ S("\\d+@ex"), { S("1@ex"), S("@ex 1@ex") }, { S("@ex"), S("1@e") } },
	{ S("aab\\d"), { S("aaaab1"), S("aab aab2") }, { S("aab"), S("ab1") } },
	{ S("(?:ab)(c)d*e"), { S("abce"), S("abcdde") }, { S("abe") } },
};

static int
matches(struct regex *r, struct slice text)
{
	char *p = malloc(text.len ? text.len : 1); /* asan sees a read beyond */
	struct err e;
	int is;

	if (!p)
		scratch_die("no memory");
	memcpy(p, text.p, text.len);
	is = regex_matches(r, slice_of(p, text.len), &e);
	free(p);
	return is;
}

static void
test_tables(void)
{
	struct regex *r;
	struct err e;
	size_t i, k;

	for (i = 0; i < COUNT(refused); i++) {
		int bad = regex_compile(&r, refused[i].pattern, &e);

		ok(bad == -1 && !r && e.status == STATUS_USAGE &&
		    strcmp(e.msg, refused[i].message) == 0, "%s: %s",
		    shown(refused[i].pattern), bad < 0 ? e.msg : "taken");
		if (bad == 0)
			regex_free(r);
	}
	for (i = 0; i < COUNT(tables); i++) {
		int good = 1;

		if (regex_compile(&r, tables[i].pattern, &e) < 0) {
			ok(0, "%s: %s", shown(tables[i].pattern), e.msg);
			continue;
		}
		for (k = 0; k < 6; k++) {
			struct slice t = k < 3 ? tables[i].match[k] :
			    tables[i].miss[k - 3];

			if (t.p && matches(r, t) != (k < 3)) {
				good = 0;
				printf("# '%s': %d\n", shown(t), k >= 3);
			}
		}
		ok(good, "%s", shown(tables[i].pattern));
		regex_free(r);
	}
}

/* ---- limits ---- */

static void
repeat(struct buf *b, const char *s, int n)
{
	while (n-- > 0)
		buf_adds(b, s);
}

/* The message for n times a, then m, then n times z. */
static const char *
nested(const char *a, int n, const char *m, const char *z)
{
	static struct err e;
	struct buf b = { 0 };
	struct regex *r = NULL;

	repeat(&b, a, n);
	buf_adds(&b, m);
	repeat(&b, z, n);
	strcpy(e.msg, "taken");
	(void)!regex_compile(&r, buf_slice(&b), &e);
	regex_free(r);
	buf_release(&b);
	return e.msg;
}

/* Sets that overlap, each another. */
static void
repeat_sets(void)
{
	struct buf b = { 0 };
	struct regex *r;
	struct err e;
	unsigned i;

	for (i = 0; i < 20000; i++)
		buf_addf(&b, "[\\x{%x}-\\x{%x}]", 0x100 + i, 0x110 + 2 * i);
	ok(regex_compile(&r, buf_slice(&b), &e) < 0 && !strcmp(e.msg,
	    "byte 1: too large: its classes have too many ranges"),
	    "20000 sets: %s", e.msg);
	buf_release(&b);
}

static void
test_limits(void)
{
	static const char deep[] = "nested too deeply";

	ok(!strcmp(nested("(", 250, "a", ")"), "taken"), "250 groups");
	ok(!!strstr(nested("(", 251, "a", ")"), deep), "251 groups");
	ok(!strcmp(nested("(a", 125, "", ")"), "taken"),
	    "a string counts: 125 groups");
	ok(!!strstr(nested("(a", 126, "", ")"), deep), "126 groups");
	ok(!strcmp(nested("", 1, "a", "") , "taken"), "one");
	ok(!strcmp(nested("[", 250, "a", "]"), "taken"), "250 brackets");
	ok(!!strstr(nested("[", 251, "a", "]"), deep), "251 brackets");
	ok(!strcmp(nested("[a", 125, "", "]"), "taken"), "125 with two each");
	ok(!!strstr(nested("[a", 126, "", "]"), deep), "126 with two each");
	ok(!!strstr(nested("(", 500000, "", ""), deep), "500000 open groups");
	ok(!!strstr(nested("[", 500000, "", ""), deep), "500000 brackets");
	ok(!!strstr(nested("a|", 500000, "", ""), "too large"),
	    "500000 alternatives");
	ok(!!strstr(nested("\\w", 500000, "", ""), "too large"), "500000 \\w");
	ok(!!strstr(nested("\\pL", 300000, "", ""), "too large"),
	    "300000 \\pL");
	ok(!strcmp(nested("a", 1 << 20, "", ""), "taken"), "1 MiB of string");
	ok(!strcmp(nested("a", 1 << 20, "b", ""), "byte 1048577: too large: a "
	    "pattern has at most 1048576 bytes"), "a byte more");
	ok(!!strstr(nested("a*", 1, "****************************************"
	    "********************************************************", ""),
	    "taken"), "stacked");
	ok(!strcmp(nested("", 0, "[a-z]{100000}", ""), "taken"), "100000");
	repeat_sets();
}

/* ---- texts that make many states ---- */

/* (a|b)*a(a|b){n}: the automaton needs 2^n states. */
static void
test_many(void)
{
	struct regex *r;
	struct err e;
	struct buf b = { 0 };
	uint32_t seed = 1;
	size_t i, a = 0;
	int expect = 0;

	if (regex_compile(&r, slice_str("a(?:a|b){17}c"), &e) < 0)
		scratch_die(e.msg);
	for (i = 0; i < 400000; i++) {
		seed = seed * 1103515245 + 12345;
		buf_addc(&b, seed >> 16 & 1 ? 'a' : 'b');
	}
	ok(regex_matches(r, buf_slice(&b), &e) == 0, "no c, no match");
	for (i = 0; i < b.len; i++)	/* a c here and there, never fitting */
		if (i >= 18 && i % 1000 == 999 && b.p[i - 18] == 'b')
			b.p[i] = 'c', a++;
	ok(a > 100 && regex_matches(r, buf_slice(&b), &e) == 0,
	    "%zu c, none fits", a);
	for (i = b.len; i-- > 18 && !expect; ) {
		if (b.p[i - 18] == 'a' && !memchr(b.p + i - 17, 'c', 17)) {
			b.p[i] = 'c';
			expect = 1;
		}
	}
	ok(expect && regex_matches(r, buf_slice(&b), &e) == 1, "one fits");
	ok(regex_matches(r, slice_str("aabbbbbbbbbbbbbbbbbc"), &e) == 1 &&
	    regex_matches(r, slice_str("abbbbbbbbbbbbbbbbbbc"), &e) == 0,
	    "and after all that");
	regex_free(r);
	buf_release(&b);
}

/* So many classes of characters that no state is kept. */
static void
test_many_classes(void)
{
	struct regex *r;
	struct err e;
	struct buf b = { 0 };
	uint32_t c;
	char utf8[4];

	buf_adds(&b, "^(?:");
	for (c = 0x4e00; c < 0x4e00 + 5000; c++) {
		buf_add(&b, utf8, utf8_put(utf8, c));
		buf_adds(&b, c & 1 ? "x|" : "y|");
	}
	buf_adds(&b, "z)+$");
	if (regex_compile(&r, buf_slice(&b), &e) < 0)
		scratch_die(e.msg);
	ok(regex_matches(r, slice_str("\xe4\xb8\x80y\xe4\xb8\x81xz"), &e) == 1,
	    "5000 classes: match");
	ok(regex_matches(r, slice_str("\xe4\xb8\x80y\xe4\xb8\x81y"), &e) == 0 &&
	    regex_matches(r, slice_str("x"), &e) == 0, "none");
	regex_free(r);
	buf_release(&b);
}

/* ---- what a Chroma said ---- */

static struct slice texts[4096];
static size_t ntexts;
static struct buf text_bytes;

static void
read_texts(struct slice array)
{
	struct json_iter it;
	struct slice val;
	struct err e;
	size_t from[COUNT(texts) + 1], i;

	ntexts = text_bytes.len = 0;
	if (json_array(&it, array, &e) < 0)
		scratch_die(e.msg);
	while (json_element(&it, &val) > 0) {
		if (ntexts == COUNT(texts))
			scratch_die("too many texts");
		from[ntexts++] = text_bytes.len;
		if (json_string(val, &text_bytes) < 0)
			scratch_die("not a string");
	}
	from[ntexts] = text_bytes.len;
	for (i = 0; i < ntexts; i++)
		texts[i] = slice_of(buf_str(&text_bytes) + from[i],
		    from[i + 1] - from[i]);
}

/* Our answer as the file has it. */
static const char *
answer(struct slice pattern)
{
	static char text[COUNT(texts) + 1];
	struct regex *r;
	struct err e;
	size_t i;

	if (regex_compile(&r, pattern, &e) < 0)
		return strstr(e.msg, "not supported here") ? "unsupported" :
		    e.status == STATUS_USAGE && strstr(e.msg, "byte ") ?
		    "refused" : e.msg;
	for (i = 0; i < ntexts; i++)
		text[i] = matches(r, texts[i]) ? '1' : '0';
	text[i] = '\0';
	regex_free(r);
	return text;
}

static void
check_line(struct slice line, size_t *n, size_t *bad)
{
	static const char *const keys[] = { "texts", "regex", "answer",
		"here" };
	struct slice val[4];
	struct buf want = { 0 }, pattern = { 0 };
	struct err e;
	const char *got;

	if (json_members(line, keys, val, 4, &e) < 0)
		scratch_die(e.msg);
	if (val[0].p) {
		read_texts(val[0]);
		return;
	}
	if (json_string(val[1], &pattern) < 0 ||
	    json_string(val[3].p ? val[3] : val[2], &want) < 0)
		scratch_die("not a string");
	got = answer(buf_slice(&pattern));
	++*n;
	if (strcmp(got, buf_str(&want)) != 0) {
		++*bad;
		printf("# %.*s\n# got %s\n", (int)line.len, line.p, got);
	}
	buf_release(&want);
	buf_release(&pattern);
}

static void
check_file(const char *path)
{
	struct buf b = { 0 };
	size_t n = 0, bad = 0, at = 0;

	scratch_read(path, &b);
	while (at < b.len) {
		const char *p = b.p + at, *end = memchr(p, '\n', b.len - at);

		if (!end)
			scratch_die("a line is cut short");
		check_line(slice_of(p, (size_t)(end - p)), &n, &bad);
		at = (size_t)(end - b.p) + 1;
	}
	ok(n > 0 && bad == 0, "%s: %zu asked, %zu answers differ", path, n,
	    bad);
	buf_release(&b);
}

int
main(int argc, char *argv[])
{
	int i;

	if (argc < 2) {
		test_tables();
		test_limits();
		test_many();
		test_many_classes();
	}
	for (i = 1; i < argc; i++)
		check_file(argv[i]);
	buf_release(&text_bytes);
	return tap_done();
}
