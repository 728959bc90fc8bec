/* SPDX-License-Identifier: Apache-2.0 */
/* unidata.h - what Unicode 16.0 says of characters, packed.
 *
 * unidata.c is written by unidata.py (make unidata), whose head says from
 * what.  Read through uniprop.h and ranges.h; nothing else knows the form:
 *
 * Runs: (value byte, length varint)... for all code points from 0 to U+10FFFF.
 * Varints have seven bits a byte, the lowest first, 0x80 on all but the last.
 * Names are as uniprop.h normalises them; a table of names ends with "".
 */
#ifndef BASE_UNIDATA_H
#define BASE_UNIDATA_H

#include <stdint.h>

struct unidata_name {
	char name[24];
	uint32_t value;
};

/* General category; the names give sets of them, as bits. */
extern const uint8_t unidata_category[];
extern const struct unidata_name unidata_category_names[];

/* Script, 0 for Unknown.  Where Script_Extensions differs from it, a number
 * from 1 on that counts the sets: (count, scripts...)... */
extern const uint8_t unidata_script[];
extern const uint8_t unidata_scx[];
extern const uint8_t unidata_scx_sets[];
extern const struct unidata_name unidata_script_names[];

/* Age, 0 for unassigned, the older the smaller. */
extern const uint8_t unidata_age[];
extern const struct unidata_name unidata_age_names[];

/* Sets as (gap, length) varints, 0 0 at the end; each begins at the offset
 * that its names have for a value.  The one at 0 is that of \w. */
extern const uint8_t unidata_flags[];
extern const struct unidata_name unidata_flag_names[];

/* The code points first, first + stride ... (count of them) are, plus delta,
 * the same letter in simple case folding.  All pairs, both ways; in the order
 * of first, count 0 at the end. */
struct unidata_fold {
	uint32_t first;
	uint16_t count;
	uint16_t stride;
	int32_t delta;
};
extern const struct unidata_fold unidata_folds[];

#endif
