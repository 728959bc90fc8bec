/* SPDX-License-Identifier: Apache-2.0 */
/* uniprop.c - sets of characters by their Unicode properties. */
#include "base/uniprop.h"

#include <string.h>

#include "base/unidata.h"

#define NAME_MAX_LEN 40		/* longer than any name */
#define CATEGORY_ND 13		/* their places in unidata.py */
#define CATEGORY_NL 14
#define CATEGORY_NO 15

static uint32_t
varint(const uint8_t **p)
{
	uint32_t v = 0;
	int shift = 0;

	while (**p & 0x80) {
		v |= (uint32_t)(*(*p)++ & 0x7f) << shift;
		shift += 7;
	}
	return v | (uint32_t)*(*p)++ << shift;
}

/* The code points whose value has its bit set in take. */
static void
add_runs(struct ranges *r, const uint8_t *p, const uint64_t take[4])
{
	uint32_t at = 0, value, len;

	while (at <= RANGES_MAX) {
		value = *p++;
		len = varint(&p);
		if (take[value / 64] >> value % 64 & 1)
			ranges_add(r, at, at + len - 1);
		at += len;
	}
}

/* The value of c. */
static uint32_t
run_of(const uint8_t *p, uint32_t c)
{
	uint32_t at = 0, value;

	for (;;) {
		value = *p++;
		at += varint(&p);
		if (c < at)
			return value;
	}
}

static void
add_flag(struct ranges *r, uint32_t offset)
{
	const uint8_t *p = unidata_flags + offset;
	uint32_t at = 0, gap, len;

	for (;;) {
		gap = varint(&p);
		len = varint(&p);
		if (len == 0)
			return;
		at += gap;
		ranges_add(r, at, at + len - 1);
		at += len;
	}
}

static bool
has_flag(uint32_t offset, uint32_t c)
{
	const uint8_t *p = unidata_flags + offset;
	uint32_t at = 0, gap, len;

	for (;;) {
		gap = varint(&p);
		len = varint(&p);
		if (len == 0 || c < at + gap)
			return false;
		at += gap + len;
		if (c < at)
			return true;
	}
}

/* The name without what does not count; "?" when it is too long for any. */
static const char *
normal(char out[NAME_MAX_LEN], struct slice s)
{
	size_t i = 0, n = 0;
	bool is = s.len >= 2 && (s.p[0] | 0x20) == 'i' &&
	    (s.p[1] | 0x20) == 's';

	for (i = is ? 2 : 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == ' ' || c == '_' || c == '-' || c > 0x7f)
			continue;
		if (n + 1 == NAME_MAX_LEN || c == '\0')
			return "?";
		out[n++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
	}
	out[n] = '\0';
	/* ISO_Comment's short name, of which "is" is no prefix */
	return is && strcmp(out, "c") == 0 ? "isc" : out;
}

static const struct unidata_name *
lookup(const struct unidata_name *t, const char *name)
{
	for (; *t->name; t++)
		if (strcmp(t->name, name) == 0)
			return t;
	return NULL;
}

static bool
among(const char *const *names, const char *name)
{
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

/* Properties of regex-syntax for which there is no table here.  As names that
 * stand alone they come before categories and scripts. */
static const char *const lacking[] = {
	"asciihexdigit", "ahex", "bidicontrol", "bidic", "bidimirrored",
	"bidim", "caseignorable", "ci", "cased", "changeswhencasefolded",
	"cwcf", "changeswhencasemapped", "cwcm", "changeswhenlowercased",
	"cwl", "changeswhentitlecased", "cwt", "changeswhenuppercased", "cwu",
	"dash", "defaultignorablecodepoint", "di", "deprecated", "dep",
	"diacritic", "dia", "extender", "ext", "extendedpictographic",
	"extpict", "graphemebase", "grbase",
	"graphemeextend", "grext", "graphemelink", "grlink", "hexdigit", "hex",
	"hyphen", "idcontinue", "idc", "idstart", "ids", "ideographic", "ideo",
	"idsbinaryoperator", "idsb", "idstrinaryoperator", "idst",
	"idsunaryoperator", "idsu", "idcompatmathcontinue",
	"idcompatmathstart", "indicconjunctbreak", "incb",
	"logicalorderexception", "loe", "math", "modifiercombiningmark",
	"mcm", "noncharactercodepoint", "nchar", "otheralphabetic", "oalpha",
	"otherdefaultignorablecodepoint", "odi", "othergraphemeextend",
	"ogrext", "otheridcontinue", "oidc", "otheridstart", "oids",
	"otherlowercase", "olower", "othermath", "omath", "otheruppercase",
	"oupper", "patternsyntax", "patsyn", "patternwhitespace", "patws",
	"prependedconcatenationmark", "pcm", "quotationmark", "qmark",
	"radical", "regionalindicator", "ri", "sentenceterminal", "sterm",
	"softdotted", "sd", "terminalpunctuation", "term", "unifiedideograph",
	"uideo", "variationselector", "vs", "xidcontinue", "xidc", "xidstart",
	"xids", NULL
};

static const char *const lacking_keys[] = {
	"graphemeclusterbreak", "gcb", "wordbreak", "wb", "sentencebreak",
	"sb", NULL
};

static bool
add_category(struct ranges *r, const char *name)
{
	const struct unidata_name *t = lookup(unidata_category_names, name);

	if (strcmp(name, "ascii") == 0) {
		ranges_add(r, 0, 0x7f);
		return true;
	}
	if (t)
		add_runs(r, unidata_category, (uint64_t[4]){ t->value });
	return t;
}

static bool
add_script(struct ranges *r, const char *name)
{
	const struct unidata_name *t = lookup(unidata_script_names, name);
	uint64_t take[4] = { 0 };

	if (!t)
		return false;
	take[t->value / 64] = UINT64_C(1) << t->value % 64;
	add_runs(r, unidata_script, take);
	return true;
}

/* Those of the script that have no set of their own, and those whose set has
 * the script. */
static bool
add_script_extensions(struct ranges *r, const char *name)
{
	const struct unidata_name *t = lookup(unidata_script_names, name);
	const uint8_t *p = unidata_scx_sets;
	uint64_t take[4] = { 0 };
	struct ranges plain = { 0 };
	uint32_t set, i, n;

	if (!t || !add_script(r, name))
		return false;
	add_runs(&plain, unidata_scx, (uint64_t[4]){ 1 });
	ranges_intersect(r, &plain);
	ranges_release(&plain);
	for (set = 1; *p; set++)
		for (n = *p++, i = 0; i < n; i++)
			if (*p++ == t->value)
				take[set / 64] |= UINT64_C(1) << set % 64;
	add_runs(r, unidata_scx, take);
	ranges_tidy(r);
	return true;
}

static bool
add_age(struct ranges *r, const char *name)
{
	const struct unidata_name *t = lookup(unidata_age_names, name);

	if (t)		/* 1 to value */
		add_runs(r, unidata_age,
		    (uint64_t[4]){ (UINT64_C(2) << t->value) - 2 });
	return t;
}

static enum uniprop_answer
get_value(struct ranges *r, const char *name, const char *value)
{
	static const char *const gc[] = { "generalcategory", "gc", NULL };
	static const char *const sc[] = { "script", "sc", NULL };
	static const char *const scx[] = { "scriptextensions", "scx", NULL };
	bool known;

	if (among(lacking_keys, name))
		return UNIPROP_LACKING;
	if (among(gc, name))
		known = add_category(r, value);
	else if (among(sc, name))
		known = add_script(r, value);
	else if (among(scx, name))
		known = add_script_extensions(r, value);
	else
		known = strcmp(name, "age") == 0 && add_age(r, value);
	return known ? UNIPROP_OK : UNIPROP_UNKNOWN;
}

enum uniprop_answer
uniprop_get(struct ranges *r, struct slice name, struct slice value)
{
	char a[NAME_MAX_LEN], b[NAME_MAX_LEN];
	const char *word = normal(a, name);
	const struct unidata_name *t;

	if (value.p)
		return get_value(r, word, normal(b, value));
	t = lookup(unidata_flag_names, word);
	if (t) {
		add_flag(r, t->value);
		return UNIPROP_OK;
	}
	if (among(lacking, word))
		return UNIPROP_LACKING;
	return add_category(r, word) || add_script(r, word) ? UNIPROP_OK :
	    UNIPROP_UNKNOWN;
}

void
uniprop_word(struct ranges *r)
{
	add_flag(r, 0);
}

void
uniprop_digit(struct ranges *r)
{
	add_runs(r, unidata_category,
	    (uint64_t[4]){ UINT64_C(1) << CATEGORY_ND });
}

void
uniprop_space(struct ranges *r)
{
	const struct unidata_name *t = lookup(unidata_flag_names, "space");

	if (t)
		add_flag(r, t->value);
}

bool
uniprop_is_alphabetic(uint32_t c)
{
	const struct unidata_name *t = lookup(unidata_flag_names, "alpha");

	return t && has_flag(t->value, c);
}

bool
uniprop_is_numeric(uint32_t c)
{
	uint32_t v = run_of(unidata_category, c);

	return v == CATEGORY_ND || v == CATEGORY_NL || v == CATEGORY_NO;
}

bool
uniprop_is_space(uint32_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 ||
	    c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
	    c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
	    c == 0x3000;
}
