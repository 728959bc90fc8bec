/* SPDX-License-Identifier: Apache-2.0 */
/* params.c - the HNSW parameters that are in force. */
#include "chroma/params.h"

#include <stdlib.h>
#include <string.h>

#include "stream/json.h"

const char *const param_name[PARAMS] = {
	"space", "M", "ef_construction", "ef_search", "num_threads",
	"resize_factor", "batch_size", "sync_threshold",
};

const char *const param_row_key[PARAMS] = {
	"hnsw:space", "hnsw:M", "hnsw:construction_ef", "hnsw:search_ef",
	"hnsw:num_threads", "hnsw:resize_factor", "hnsw:batch_size",
	"hnsw:sync_threshold",
};

const char *const param_json_key[PARAMS] = {
	"space", "max_neighbors", "ef_construction", "ef_search",
	"num_threads", "resize_factor", "batch_size", "sync_threshold",
};

const char *
space_name(enum space s)
{
	static const char *const name[] = { "l2", "ip", "cosine", "unknown" };

	return name[s];
}

enum space
params_space(struct slice name)
{
	return slice_is(name, "l2") ? SPACE_L2 : slice_is(name, "ip") ?
	    SPACE_IP : slice_is(name, "cosine") ? SPACE_COSINE : SPACE_UNKNOWN;
}

const char *
param_source_name(enum param_source s)
{
	static const char *const name[] = { "default", "segment_metadata",
	    "config_json_str", "schema_str", "header.bin" };

	return name[s];
}

void
params_default(struct params *p, const struct era *era)
{
	*p = (struct params){ .space = SPACE_L2, .resize_factor = 1.2 };
	p->value[PARAM_M] = 16;
	p->value[PARAM_EF_CONSTRUCTION] = 100;
	/* 10 up to 0.6.2, 100 from 0.6.3 on, which has the migrations of
	 * 0.5.6: there the newer is taken */
	p->value[PARAM_EF_SEARCH] = era->queue < 2 ? 10 : 100;
	p->value[PARAM_BATCH_SIZE] = 100;
	p->value[PARAM_SYNC_THRESHOLD] = 1000;
}

static void
set(struct params *p, enum param i, struct slice text, double number,
    enum param_source from)
{
	p->source[i] = from;
	if (i == PARAM_SPACE)
		p->space = params_space(text);
	else if (i == PARAM_RESIZE_FACTOR)
		p->resize_factor = number;
	else if (number >= 0 && number <= 9e15)
		p->value[i] = (int64_t)number;
}

void
params_from_row(struct params *p, struct slice key, struct slice text,
    double number)
{
	int i;

	for (i = 0; i < PARAMS; i++)
		if (slice_is(key, param_row_key[i]))
			set(p, (enum param)i, text, number,
			    FROM_SEGMENT_METADATA);
}

/* obj[key], or absent. */
static struct slice
member(struct slice obj, const char *key)
{
	const char *const keys[] = { key };
	struct slice val[1];
	struct err e;

	if (!obj.p || json_members(obj, keys, val, 1, &e) < 0)
		return (struct slice){ NULL, 0 };
	return val[0];
}

static double
number_of(struct slice text)
{
	char digits[64];

	if (text.len >= sizeof(digits))
		return -1;
	memcpy(digits, text.p, text.len);
	digits[text.len] = '\0';
	return strtod(digits, NULL);
}

/* The parameters in one JSON object, space perhaps in another one. */
static void
from_object(struct params *p, struct slice obj, struct slice space,
    enum param_source from)
{
	int i;

	if (json_is_string(space))
		set(p, PARAM_SPACE, slice_of(space.p + 1, space.len - 2), 0,
		    from);
	for (i = 1; i < PARAMS; i++) {
		struct slice v = member(obj, param_json_key[i]);

		if (v.p && *v.p >= '0' && *v.p <= '9')
			set(p, (enum param)i, v, number_of(v), from);
	}
}

/* collections.config_json_str as Chroma from 1.0 has it.  false: it is not
 * of that kind, and says nothing. */
static bool
from_config(struct params *p, struct slice config)
{
	struct slice hnsw = member(member(config, "vector_index"), "hnsw");

	if (!hnsw.p || *hnsw.p != '{')
		return false;
	from_object(p, hnsw, member(hnsw, "space"), FROM_CONFIG);
	return true;
}

/* collections.schema_str (from 1.3.0): keys.#embedding, else defaults. */
static bool
from_schema(struct params *p, struct slice schema)
{
	struct slice at = member(schema, "keys");
	struct slice config;

	if (!at.p)
		at = member(schema, "key_overrides");
	config = member(member(member(member(at, "#embedding"), "float_list"),
	    "vector_index"), "config");
	if (!config.p)
		config = member(member(member(member(schema, "defaults"),
		    "float_list"), "vector_index"), "config");
	if (!config.p)
		return false;
	from_object(p, member(config, "hnsw"), member(config, "space"),
	    FROM_SCHEMA);
	return true;
}

/* Whether every parameter is what Chroma takes without being told. */
static bool
all_default(const struct params *p, const struct params *def)
{
	int i;

	if (p->space != def->space || p->resize_factor > 1.2 ||
	    p->resize_factor < 1.2)
		return false;
	for (i = 0; i < PARAMS; i++)
		if (i != PARAM_NUM_THREADS && p->value[i] != def->value[i])
			return false;
	return true;
}

void
params_resolve(struct params *p, const struct era *era,
    const struct params *legacy, bool has_legacy, struct slice config,
    struct slice schema)
{
	struct params def;
	bool told;

	*p = *legacy;
	if (!era_integer_watermark(era))
		return;			/* Python: segment_metadata alone */
	params_default(&def, era);
	*p = def;
	told = schema.p ? from_schema(p, schema) : from_config(p, config);
	/* what says no more than the defaults gives way to what an older
	 * Chroma had been told */
	if (has_legacy && (!told || all_default(p, &def)))
		*p = *legacy;
}
