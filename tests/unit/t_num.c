/* SPDX-License-Identifier: Apache-2.0 */
/* t_num - decimal integers, strictly; sizes that cannot wrap. */
#include "base/num.h"

#include "../scratch.h"
#include "../tap.h"

static const struct {
	const char *text;
	uint64_t max;
	int r;
	uint64_t v;
} unsigneds[] = {
	{ "0", UINT64_MAX, 0, 0 },
	{ "7", UINT64_MAX, 0, 7 },
	{ "18446744073709551615", UINT64_MAX, 0, UINT64_MAX },
	{ "18446744073709551616", UINT64_MAX, -1, 0 },
	{ "18446744073709551620", UINT64_MAX, -1, 0 },
	{ "99999999999999999999", UINT64_MAX, -1, 0 },
	{ "184467440737095516150", UINT64_MAX, -1, 0 },
	{ "0", 0, 0, 0 },
	{ "1", 0, -1, 0 },
	{ "9", 8, -1, 0 },
	{ "8", 8, 0, 8 },
	{ "65535", 65535, 0, 65535 },
	{ "65536", 65535, -1, 0 },
	{ "9223372036854775807", INT64_MAX, 0, INT64_MAX },
	{ "9223372036854775808", INT64_MAX, -1, 0 },
	{ "10", 9, -1, 0 },
	{ "00", UINT64_MAX, -1, 0 },
	{ "01", UINT64_MAX, -1, 0 },
	{ "", UINT64_MAX, -1, 0 },
	{ "-1", UINT64_MAX, -1, 0 },
	{ "-0", UINT64_MAX, -1, 0 },
	{ "+1", UINT64_MAX, -1, 0 },
	{ " 1", UINT64_MAX, -1, 0 },
	{ "1 ", UINT64_MAX, -1, 0 },
	{ "1.0", UINT64_MAX, -1, 0 },
	{ "1e3", UINT64_MAX, -1, 0 },
	{ "0x1", UINT64_MAX, -1, 0 },
	{ "/", UINT64_MAX, -1, 0 },
	{ ":", UINT64_MAX, -1, 0 },
	{ "1\xb2", UINT64_MAX, -1, 0 },
};

static const struct {
	const char *text;
	int r;
	int64_t v;
} signeds[] = {
	{ "0", 0, 0 },
	{ "-1", 0, -1 },
	{ "9223372036854775807", 0, INT64_MAX },
	{ "9223372036854775808", -1, 0 },
	{ "-9223372036854775808", 0, INT64_MIN },
	{ "-9223372036854775809", -1, 0 },
	{ "-0", -1, 0 },
	{ "--1", -1, 0 },
	{ "-", -1, 0 },
	{ "-01", -1, 0 },
	{ "+1", -1, 0 },
	{ "", -1, 0 },
};

static const struct {
	int64_t v;
	const char *text, *as_unsigned;
} formats[] = {
	{ 0, "0", "0" },
	{ 9, "9", "9" },
	{ 10, "10", "10" },
	{ INT64_MAX, "9223372036854775807", "9223372036854775807" },
	{ INT64_MIN, "-9223372036854775808", "9223372036854775808" },
	{ -1, "-1", "18446744073709551615" },
};

int
main(void)
{
	uint64_t u, sum;
	int64_t v;
	char text[NUM_DIGITS_MAX + 1];
	size_t i, n;
	int r;

	for (i = 0; i < COUNT(unsigneds); i++) {
		u = 12345;
		r = num_u64(unsigneds[i].text, strlen(unsigneds[i].text),
		    unsigneds[i].max, &u);
		ok(r == unsigneds[i].r && u == (r ? 12345 : unsigneds[i].v),
		    "'%s' up to %llu: %d", shown_str(unsigneds[i].text),
		    (unsigned long long)unsigneds[i].max, r);
	}
	for (i = 0; i < COUNT(signeds); i++) {
		v = 12345;
		r = num_i64(signeds[i].text, strlen(signeds[i].text), &v);
		ok(r == signeds[i].r && v == (r ? 12345 : signeds[i].v),
		    "'%s', signed: %d", signeds[i].text, r);
	}
	for (i = 0; i < COUNT(formats); i++) {
		n = num_format_i64(formats[i].v, text);
		ok(slice_is(slice_of(text, n), formats[i].text), "%s",
		    formats[i].text);
		n = num_format_u64((uint64_t)formats[i].v, text);
		ok(slice_is(slice_of(text, n), formats[i].as_unsigned),
		    "  unsigned: %s", formats[i].as_unsigned);
	}
	ok(num_add(UINT64_MAX - 1, 1, &sum) && sum == UINT64_MAX &&
	    !num_add(UINT64_MAX, 1, &sum), "sums that fit and that do not");
	ok(num_mul(UINT32_MAX, UINT32_MAX, &sum) &&
	    num_mul(UINT64_MAX, 1, &sum) && sum == UINT64_MAX &&
	    !num_mul(UINT64_C(1) << 32, UINT64_C(1) << 32, &sum) &&
	    num_mul(UINT64_MAX, 0, &sum) && sum == 0, "products");
	return tap_done();
}
