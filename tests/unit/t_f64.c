/* SPDX-License-Identifier: Apache-2.0 */
/* t_f64 - doubles as JSON writes them, and as Chroma's readers take them. */
#include "base/f64.h"

#include <inttypes.h>
#include <math.h>

#include "stream/json.h"

#include "../scratch.h"
#include "../tap.h"
#include "../vectors.h"

static uint64_t
bits_of(double d)
{
	uint64_t u;

	memcpy(&u, &d, sizeof(u));
	return u;
}

/* ---- nearest ---- */

static const char *const numbers[] = {
	"0", "-0", "0.0", "1", "-1", "1.5", "1e22", "1e23", "9007199254740993",
	"9007199254740992", "9007199254740991e22", "123456789012345678901234",
	"3e23", "3e-23", "0.1", "0.30000000000000004", "5e-324", "2e-324",
	"3e-324",
	"2.2250738585072011e-308", "1.7976931348623157e308", "1e-400",
	"1E5", "1E+05", "1e-05", "0e99999999999999999999", "1e308",
	"17976931348623157000000000000000000000000000000e262",
	"18446744073709551615", "18446744073709551616", "36893488147419103233",
	"0.000000000000000000000000000000000000000000000000000000000012345",
};

static const char *const no_numbers[] = {
	"", "-", "+1", "01", "-01", "1.", ".5", "1.e5", "1e", "1e+", "1e-",
	"1x", "x", " 1", "1 ", "NaN", "Infinity", "-Infinity", "0x10", "1e5.",
	"1-", "--1", "1e5e5", "1.5.5", "00", "1_0",
};

static void
test_nearest(void)
{
	double d;
	size_t i;

	for (i = 0; i < COUNT(numbers); i++)
		ok(f64_parse(numbers[i], strlen(numbers[i]), &d) == 0 &&
		    bits_of(d) == bits_of(strtod(numbers[i], NULL)), "%s",
		    numbers[i]);
	ok(f64_parse("1e999", 5, &d) == 0 && isinf(d) && d > 0, "1e999");
	ok(f64_parse("-1e999", 6, &d) == 0 && isinf(d) && d < 0, "-1e999");
	for (i = 0; i < COUNT(no_numbers); i++) {
		size_t n = strlen(no_numbers[i]);

		ok(f64_parse(no_numbers[i], n, &d) == -1 &&
		    f64_serde(no_numbers[i], n, &d) == -1, "no number: '%s'",
		    no_numbers[i]);
	}
	ok(f64_parse("1.25", 3, &d) == 0 && d == 1.2, "not terminated");
}

/* ---- serde_json's ---- */

/* As Chroma 1.5.9 gave them back, or by its arithmetic done by hand. */
static const struct {
	const char *text;
	double want;
} serde[] = {
	{ "0", 0 }, { "0.0", 0 }, { "0e999999", 0 }, { "1", 1 },
	{ "1.5", 1.5 }, { "-1.5", -1.5 },
	{ "0.30000000000000004", 0.30000000000000004 },
	{ "0.42451918914251396", 0.4245191891425139 },
	{ "365688.91691258556", 365688.9169125856 },
	{ "5.074357331894202e-29", 5.074357331894201e-29 },
	{ "5e-324", 5e-324 }, { "1e-400", 0 },
	{ "1.7976931348623157e308", 1.7976931348623157e308 },
	{ "18446744073709551615", 0x1p64 }, { "18446744073709551616", 0x1p64 },
	{ "-9223372036854775809", -0x1p63 },
	/* the digit that does not fit counts by its place only ... */
	{ "184467440737095516199", 1844674407370955161e2 },
	/* ... and behind the point the counting begins anew */
	{ "18446744073709551619.3e-299", 1.8446744073709551e-280 },
	{ "1.00000000000000000000000000000001", 1 },
};

static void
test_serde(void)
{
	static const char *const beyond[] = { "1e309", "-1e309", "1e999999",
	    "1e18446744073709551617", "2e308", "18e307" };
	double d;
	size_t i;

	for (i = 0; i < COUNT(serde); i++)
		ok(f64_serde(serde[i].text, strlen(serde[i].text), &d) == 0 &&
		    d == serde[i].want, "serde: %s", serde[i].text);
	ok(f64_serde("-0", 2, &d) == 0 && d == 0 && signbit(d), "serde: -0");
	for (i = 0; i < COUNT(beyond); i++)
		ok(f64_serde(beyond[i], strlen(beyond[i]), &d) == -2,
		    "serde: beyond the range: %s", beyond[i]);
}

/* ---- as Python writes them ---- */

static const struct {
	double v;
	const char *want;
} repr[] = {
	{ 0, "0.0" }, { -0.0, "-0.0" }, { 1, "1.0" }, { -1.5, "-1.5" },
	{ 123000, "123000.0" }, { 0.1, "0.1" }, { 0.0001, "0.0001" },
	{ 0.00012345, "0.00012345" }, { 0.00001, "1e-05" },
	{ 0.000012345, "1.2345e-05" }, { 1e15, "1000000000000000.0" },
	{ 1e16, "1e+16" }, { 12345678901234568, "1.2345678901234568e+16" },
	{ 9999999999999998, "9999999999999998.0" }, { 1e22, "1e+22" },
	{ 123456789012345.67, "123456789012345.67" }, { 5e-324, "5e-324" },
	{ 1.7976931348623157e308, "1.7976931348623157e+308" },
	{ -2.2250738585072014e-308, "-2.2250738585072014e-308" },
	{ 0x1p63, "9.223372036854776e+18" }, { 1e100, "1e+100" },
	{ 0.30000000000000004, "0.30000000000000004" },
};

static void
test_repr(void)
{
	char text[F64_ROOM];
	size_t i;

	for (i = 0; i < COUNT(repr); i++)
		ok(f64_repr(repr[i].v, text) == strlen(repr[i].want) &&
		    strcmp(text, repr[i].want) == 0, "repr: %s",
		    repr[i].want);
}

/* ---- 1500 numbers that a real Chroma was given, and gave back ---- */

static void
metadata_of(const char *file, struct buf *b, struct slice *text)
{
	static const char *const name[] = { "metadata" };
	struct err e;

	vectors_read(file, b);
	if (json_members(buf_slice(b), name, text, 1, &e) < 0 || !text->p)
		scratch_die(file);
}

static bool
python_wrote(struct slice val, double d)
{
	char text[F64_ROOM];

	return f64_repr(d, text) == val.len &&
	    memcmp(text, val.p, val.len) == 0;
}

static void
test_vectors(void)
{
	struct buf given = { 0 }, got = { 0 };
	struct slice ops, answer, key, val, other;
	struct json_iter it;
	struct err e;
	size_t n = 0, same = 0, moved = 0, written = 0;
	double d, want, near;

	metadata_of("floats.ops", &given, &ops);
	metadata_of("floats.1.5.9", &got, &answer);
	if (json_object(&it, ops, &e) < 0)
		scratch_die(e.msg);
	while (json_next(&it, &key, &val) > 0) {
		char name[16];
		const char *list[1] = { name };

		snprintf(name, sizeof(name), "%.*s", (int)key.len, key.p);
		if (json_members(answer, list, &other, 1, &e) < 0 || !other.p)
			scratch_die(name);
		if (f64_serde(val.p, val.len, &d) < 0 ||
		    f64_parse(val.p, val.len, &near) < 0 ||
		    f64_parse(other.p, other.len, &want) < 0)
			scratch_die(name);
		n++;
		same += bits_of(d) == bits_of(want);
		moved += bits_of(near) != bits_of(want);
		written += python_wrote(val, near) && python_wrote(other, want);
	}
	ok(n == 1500, "1500 numbers (%zu)", n);
	ok(same == n, "read as Chroma read them (%zu)", same);
	ok(moved > 200, "which is not the nearest for many (%zu)", moved);
	ok(written == n, "written as Python wrote them (%zu)", written);
	buf_release(&given);
	buf_release(&got);
}

int
main(void)
{
	test_nearest();
	test_serde();
	test_repr();
	test_vectors();
	return tap_done();
}
