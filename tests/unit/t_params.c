/* SPDX-License-Identifier: Apache-2.0 */
/* t_params - which of the places that say something about HNSW wins, era by
 * era: chroma-layout(5), HNSW PARAMETERS. */
#include "chroma/params.h"

#include "../scratch.h"
#include "../tap.h"

static const struct era
	python = { .sysdb = 6, .metadb = 3, .queue = 1 },	/* 0.5.1 */
	python6 = { .sysdb = 9, .metadb = 4, .queue = 2 },	/* 0.6.3 */
	rust = { .sysdb = 9, .metadb = 5, .queue = 2 },		/* 1.0 */
	schema = { .sysdb = 10, .metadb = 6, .queue = 2 };	/* 1.5 */

#define HNSW "\"ef_construction\":200,\"max_neighbors\":32,\"ef_search\":50," \
	"\"num_threads\":2,\"batch_size\":500,\"sync_threshold\":2000," \
	"\"resize_factor\":1.5"
#define CONFIG(hnsw) "{\"vector_index\":{\"hnsw\":{" hnsw "}}}"
#define VECTOR(config) "{\"float_list\":{\"vector_index\":{\"enabled\":true," \
	"\"config\":{" config "}}}}"
#define KEYS(config) "{\"defaults\":" VECTOR("\"space\":\"ip\"") \
	",\"keys\":{\"#document\":{},\"#embedding\":" VECTOR(config) "}}"
#define CORE "\"ef_construction\":100,\"max_neighbors\":16,\"ef_search\":100," \
	"\"num_threads\":7,\"batch_size\":100,\"sync_threshold\":1000," \
	"\"resize_factor\":1.2"

/* What is said where, and what is in force of it: space, M, ef_construction,
 * ef_search, num_threads, batch_size, sync_threshold, resize_factor * 10; then
 * for each where it comes from, by its initial (legacy: "hnsw:space cosine,
 * hnsw:M 64"). */
static const struct {
	const char *name;
	const struct era *era;
	bool legacy;
	const char *config, *schema;
	const char *values, *from;
} t[] = {
	{ "0.5, nothing said", &python, false, NULL, NULL,
	    "l2 16 100 10 0 100 1000 12", "dddddddd" },
	{ "0.6, nothing said", &python6, false, NULL, NULL,
	    "l2 16 100 100 0 100 1000 12", "dddddddd" },
	{ "1.0, nothing said", &rust, false, NULL, NULL,
	    "l2 16 100 100 0 100 1000 12", "dddddddd" },
	{ "0.5, segment_metadata", &python, true, NULL, NULL,
	    "cosine 64 100 10 0 100 1000 12", "ssdddddd" },
	{ "0.6, whatever the JSON says", &python6, true, CONFIG(HNSW), NULL,
	    "cosine 64 100 100 0 100 1000 12", "ssdddddd" },
	{ "0.6, JSON alone is not read", &python6, false,
	    CONFIG("\"space\":\"ip\""), NULL, "l2 16 100 100 0 100 1000 12",
	    "dddddddd" },
	{ "1.0, all in the JSON", &rust, false,
	    CONFIG("\"space\":\"cosine\"," HNSW), NULL,
	    "cosine 32 200 50 2 500 2000 15", "cccccccc" },
	{ "1.0, some in it", &rust, false, CONFIG("\"space\":\"ip\""), NULL,
	    "ip 16 100 100 0 100 1000 12", "cddddddd" },
	{ "1.0, JSON over segment_metadata", &rust, true,
	    CONFIG("\"max_neighbors\":8"), NULL, "l2 8 100 100 0 100 1000 12",
	    "dcdddddd" },
	{ "1.0, defaults give way", &rust, true,
	    CONFIG("\"space\":\"l2\"," CORE), NULL,
	    "cosine 64 100 100 0 100 1000 12", "ssdddddd" },
	{ "1.0, but not to nothing", &rust, false,
	    CONFIG("\"space\":\"l2\"," CORE), NULL,
	    "l2 16 100 100 7 100 1000 12", "cccccccc" },
	{ "1.0, the JSON of Python", &rust, true, "{\"hnsw_configuration\":{"
	    "\"space\":\"ip\"},\"_type\":\"CollectionConfigurationInternal\"}",
	    NULL, "cosine 64 100 100 0 100 1000 12", "ssdddddd" },
	{ "1.0, no JSON at all", &rust, true, NULL, NULL,
	    "cosine 64 100 100 0 100 1000 12", "ssdddddd" },
	{ "1.0, JSON that is none", &rust, true, "{\"vector_index\":", NULL,
	    "cosine 64 100 100 0 100 1000 12", "ssdddddd" },
	{ "1.0, hnsw is null", &rust, false,
	    "{\"vector_index\":{\"hnsw\":null,\"spann\":{}}}", NULL,
	    "l2 16 100 100 0 100 1000 12", "dddddddd" },
	{ "1.5, the schema", &schema, false, "{}",
	    KEYS("\"space\":\"cosine\",\"hnsw\":{" HNSW "}"),
	    "cosine 32 200 50 2 500 2000 15", "SSSSSSSS" },
	{ "1.5, over the JSON", &schema, false, CONFIG(HNSW),
	    KEYS("\"space\":\"cosine\""), "cosine 16 100 100 0 100 1000 12",
	    "Sddddddd" },
	{ "1.5, over segment_metadata", &schema, true, NULL,
	    KEYS("\"space\":\"ip\""), "ip 16 100 100 0 100 1000 12",
	    "Sddddddd" },
	{ "1.5, defaults give way", &schema, true, NULL,
	    KEYS("\"space\":\"l2\",\"hnsw\":{" CORE "}"),
	    "cosine 64 100 100 0 100 1000 12", "ssdddddd" },
	{ "1.5, defaults of the schema", &schema, false, NULL,
	    "{\"defaults\":" VECTOR("\"space\":\"ip\",\"hnsw\":{" HNSW "}")
	    ",\"keys\":{\"#document\":{}}}",
	    "ip 32 200 50 2 500 2000 15", "SSSSSSSS" },
	{ "1.5, the older name of keys", &schema, false, NULL,
	    "{\"key_overrides\":{\"#embedding\":" VECTOR("\"space\":\"ip\"")
	    "}}", "ip 16 100 100 0 100 1000 12", "Sddddddd" },
	{ "1.5, a schema that is none", &schema, true, NULL, "[]",
	    "cosine 64 100 100 0 100 1000 12", "ssdddddd" },
	{ "1.5, no schema: as 1.0", &schema, false,
	    CONFIG("\"space\":\"cosine\""), NULL,
	    "cosine 16 100 100 0 100 1000 12", "cddddddd" },
	{ "1.5, an unknown space", &schema, false, NULL,
	    KEYS("\"space\":\"hamming\""),
	    "unknown 16 100 100 0 100 1000 12", "Sddddddd" },
	{ "1.0, values of another type", &rust, false,
	    CONFIG("\"space\":7,\"max_neighbors\":\"32\",\"ef_search\":-1,"
	    "\"sync_threshold\":null"), NULL, "l2 16 100 100 0 100 1000 12",
	    "dddddddd" },
	{ "1.0, a value beyond all bounds", &rust, false,
	    CONFIG("\"max_neighbors\":1e300"), NULL,
	    "l2 16 100 100 0 100 1000 12", "dcdddddd" },
	{ "1.0, a parameter twice", &rust, false,
	    CONFIG("\"max_neighbors\":1,\"max_neighbors\":2"), NULL,
	    "l2 16 100 100 0 100 1000 12", "dddddddd" },
};

static void
show(const struct params *p, char *values, char *from, size_t n)
{
	int i;

	snprintf(values, n, "%s %lld %lld %lld %lld %lld %lld %.0f",
	    space_name(p->space), (long long)p->value[PARAM_M],
	    (long long)p->value[PARAM_EF_CONSTRUCTION],
	    (long long)p->value[PARAM_EF_SEARCH],
	    (long long)p->value[PARAM_NUM_THREADS],
	    (long long)p->value[PARAM_BATCH_SIZE],
	    (long long)p->value[PARAM_SYNC_THRESHOLD], p->resize_factor * 10);
	for (i = 0; i < PARAMS; i++)
		from[i] = "dscSh"[p->source[i]];
	from[i] = '\0';
}

static const struct {
	const char *key, *text;
	double number;
	enum param param;	/* PARAMS: passed over */
} rows[] = {
	{ "hnsw:space", "ip", 0, PARAM_SPACE },
	{ "hnsw:M", NULL, 64, PARAM_M },
	{ "hnsw:construction_ef", NULL, 400, PARAM_EF_CONSTRUCTION },
	{ "hnsw:search_ef", NULL, 20, PARAM_EF_SEARCH },
	{ "hnsw:num_threads", NULL, 3, PARAM_NUM_THREADS },
	{ "hnsw:resize_factor", NULL, 1.5, PARAM_RESIZE_FACTOR },
	{ "hnsw:batch_size", NULL, 50, PARAM_BATCH_SIZE },
	{ "hnsw:sync_threshold", NULL, 500, PARAM_SYNC_THRESHOLD },
	{ "hnsw:m", NULL, 64, PARAMS },
	{ "hnsw:ef_search", NULL, 64, PARAMS },
	{ "space", "ip", 0, PARAMS },
	{ "M", NULL, 64, PARAMS },
	{ "", NULL, 64, PARAMS },
};

static void
test_rows(void)
{
	struct params p, def;
	size_t i;
	int k;

	params_default(&def, &python);
	for (i = 0; i < COUNT(rows); i++) {
		int others = 0;

		p = def;
		params_from_row(&p, slice_str(rows[i].key),
		    slice_str(rows[i].text), rows[i].number);
		for (k = 0; k < PARAMS; k++)
			if (k != (int)rows[i].param)
				others += p.source[k] != FROM_DEFAULT ||
				    p.value[k] != def.value[k];
		ok(others == 0 && (rows[i].param == PARAMS ||
		    (p.source[rows[i].param] == FROM_SEGMENT_METADATA &&
		    (rows[i].param == PARAM_SPACE ? p.space == SPACE_IP :
		    rows[i].param == PARAM_RESIZE_FACTOR ?
		    p.resize_factor > 1.49 :
		    p.value[rows[i].param] == (int64_t)rows[i].number))),
		    "a row %s", rows[i].key);
	}
	p = def;
	params_from_row(&p, slice_str("hnsw:M"), slice_str(NULL), -1);
	ok(p.value[PARAM_M] == 16, "a negative number is none");
}

int
main(void)
{
	struct params legacy, p;
	char values[128], from[PARAMS + 1];
	size_t i;

	for (i = 0; i < COUNT(t); i++) {
		params_default(&legacy, t[i].era);
		if (t[i].legacy) {
			params_from_row(&legacy, slice_str("hnsw:space"),
			    slice_str("cosine"), 0);
			params_from_row(&legacy, slice_str("hnsw:M"),
			    slice_str(NULL), 64);
		}
		params_resolve(&p, t[i].era, &legacy, t[i].legacy,
		    slice_str(t[i].config), slice_str(t[i].schema));
		show(&p, values, from, sizeof(values));
		ok(strcmp(values, t[i].values) == 0 &&
		    strcmp(from, t[i].from) == 0, "%s: %s %s", t[i].name,
		    values, from);
	}
	test_rows();
	ok(strcmp(param_name[PARAM_M], "M") == 0 &&
	    strcmp(param_name[PARAM_SYNC_THRESHOLD], "sync_threshold") == 0 &&
	    strcmp(param_source_name(FROM_HEADER), "header.bin") == 0 &&
	    strcmp(param_source_name(FROM_SCHEMA), "schema_str") == 0,
	    "names");
	return tap_done();
}
