/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_manifest - the last member of a snapshot: what is accepted is written
 * and read again as the same. */
#include "chroma/manifest.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = fuzz_copy(data, size);
	struct manifest m, again;
	struct buf one = { 0 }, two = { 0 };
	struct err e;

	if (manifest_read(&m, in, &e) < 0) {
		MUST(e.status == STATUS_DATA && *e.msg);
	} else {
		manifest_write(&m, &one);
		MUST(buf_ok(&one));
		MUST(manifest_read(&again, buf_slice(&one), &e) == 0);
		MUST(again.collections == m.collections &&
		    again.members == m.members);
		manifest_write(&again, &two);
		MUST(buf_ok(&two) && slice_eq(buf_slice(&one),
		    buf_slice(&two)));
		manifest_release(&again);
	}
	manifest_release(&m);
	buf_release(&one);
	buf_release(&two);
	fuzz_free(in);
	return 0;
}
