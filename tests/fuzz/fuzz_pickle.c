/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_pickle - index_metadata.pickle: with the maps or without, the answer is
 * the same, and what is pointed to lies in the input. */
#include "chroma/pickle.h"

#include "base/utf8.h"

#include "fuzz.h"

static void
check_map(const struct pickle_map *kept, const struct pickle_map *counted,
    struct slice in)
{
	size_t i;

	MUST(kept->there == counted->there && kept->n == counted->n);
	MUST(!counted->pair && (kept->n == 0 || kept->pair));
	for (i = 0; i < kept->n; i++) {
		struct slice id = kept->pair[i].id;

		MUST(id.p >= in.p && id.len <= in.len &&
		    (size_t)(id.p - in.p) <= in.len - id.len);
		MUST(utf8_valid(id.p, id.len));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = fuzz_copy(data, size);
	struct pickle kept, counted;
	struct err e, f;
	int r = pickle_read(&kept, in.p, in.len, true, &e);

	MUST(pickle_read(&counted, in.p, in.len, false, &f) == r);
	if (r < 0) {
		MUST(e.status == STATUS_DATA && *e.msg &&
		    strcmp(e.msg, f.msg) == 0);
	} else {
		check_map(&kept.id_to_label, &counted.id_to_label, in);
		check_map(&kept.label_to_id, &counted.label_to_id, in);
		check_map(&kept.id_to_seq_id, &counted.id_to_seq_id, in);
		MUST(kept.trailing < in.len);
		pickle_release(&kept);
		pickle_release(&counted);
	}
	fuzz_free(in);
	return 0;
}
