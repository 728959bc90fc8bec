/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_index - header.bin: what is accepted has sizes that cannot overflow,
 * and its fields give the same 100 bytes again. */
#include "chroma/index.h"

#include "base/le.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = fuzz_copy(data, size);
	struct index_header h;
	struct err e;
	char out[INDEX_HEADER_SIZE];
	uint64_t mult;

	if (index_header_parse(&h, in.p, in.len, &e) < 0) {
		MUST(e.status == STATUS_DATA && *e.msg);
		fuzz_free(in);
		return 0;
	}
	MUST(in.len == INDEX_HEADER_SIZE);
	MUST(h.size_data_per_element == 4 + 8 * h.M + 4 * h.dim + 8);
	MUST(h.cur_element_count <= UINT32_MAX);
	MUST(h.size_data_per_element < UINT32_MAX);
	le_put_u32(out, h.persistence_version);
	le_put_u64(out + 4, h.offsetLevel0);
	le_put_u64(out + 12, h.max_elements);
	le_put_u64(out + 20, h.cur_element_count);
	le_put_u64(out + 28, h.size_data_per_element);
	le_put_u64(out + 36, h.label_offset);
	le_put_u64(out + 44, h.offsetData);
	le_put_u32(out + 52, (uint32_t)h.maxlevel);
	le_put_u32(out + 56, h.enterpoint_node);
	le_put_u64(out + 60, h.maxM);
	le_put_u64(out + 68, h.maxM0);
	le_put_u64(out + 76, h.M);
	memcpy(&mult, &h.mult, sizeof(mult));
	le_put_u64(out + 84, mult);
	le_put_u64(out + 92, h.ef_construction);
	MUST(memcmp(out, in.p, sizeof(out)) == 0);
	fuzz_free(in);
	return 0;
}
