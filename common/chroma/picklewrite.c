/* SPDX-License-Identifier: Apache-2.0 */
/* picklewrite.c - index_metadata.pickle in the form that every Chroma loads. */
#include "chroma/picklewrite.h"

#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/le.h"

#define FLUSH ((size_t)1 << 20)

/* Opcodes (CPython, Lib/pickletools.py). */
#define PROTO "\x80\2"
#define GLOBAL 'c'
#define EMPTY_TUPLE ')'
#define NEWOBJ '\x81'
#define EMPTY_DICT '}'
#define MARK '('
#define BINUNICODE 'X'
#define BININT 'J'
#define LONG1 '\x8a'
#define SETITEMS 'u'
#define BUILD 'b'
#define STOP '.'

enum map { ID_TO_LABEL, LABEL_TO_ID, ID_TO_SEQ_ID, MAPS };

static void
put_text(struct buf *b, struct slice s)
{
	uint8_t len[4];

	le_put_u32(len, (uint32_t)s.len);
	buf_addc(b, BINUNICODE);
	buf_add(b, len, sizeof(len));
	buf_add(b, s.p, s.len);
}

static void
put_int(struct buf *b, int64_t v)
{
	uint8_t bytes[8];

	if (v >= 0 && v <= INT32_MAX) {
		le_put_u32(bytes, (uint32_t)v);
		buf_addc(b, BININT);
		buf_add(b, bytes, 4);
		return;
	}
	le_put_u64(bytes, (uint64_t)v);
	buf_addc(b, LONG1);
	buf_addc(b, 8);
	buf_add(b, bytes, sizeof(bytes));
}

static int
flush(struct buf *b, int fd, size_t limit, struct err *e)
{
	if (!buf_ok(b))
		return err_nomem(e);
	if (b->len < limit)
		return 0;
	if (file_write(fd, b->p, b->len) < 0)
		return err_system(e, "index_metadata.pickle");
	buf_reset(b);
	return 0;
}

static int
put_map(const struct picklewrite *p, enum map m, struct buf *b, int fd,
    struct err *e)
{
	static const char *const name[MAPS] = { "id_to_label", "label_to_id",
	    "id_to_seq_id" };
	struct picklewrite_item x;
	uint32_t i;

	put_text(b, slice_str(name[m]));
	buf_addc(b, EMPTY_DICT);
	if (p->n == 0)
		return 0;
	buf_addc(b, MARK);
	for (i = 0; i < p->n; i++) {
		if (p->item(p->arg, i, &x, e) < 0)
			return -1;
		if (m == LABEL_TO_ID)
			put_int(b, x.label);
		put_text(b, x.id);
		if (m != LABEL_TO_ID)
			put_int(b, m == ID_TO_LABEL ? x.label : x.seq_id);
		if (flush(b, fd, FLUSH, e) < 0)
			return -1;
	}
	buf_addc(b, SETITEMS);
	return 0;
}

int
picklewrite(const struct picklewrite *p, int fd, struct err *e)
{
	const struct {
		const char *name;
		int64_t value;
	} numbers[] = {
		{ "dimensionality", p->dimensionality },
		{ "total_elements_added", p->total_elements_added },
		{ "max_seq_id", p->max_seq_id },
	};
	struct buf b = { 0 };
	enum map m;
	size_t i;
	int r = 0;

	buf_adds(&b, PROTO);
	buf_addc(&b, GLOBAL);
	buf_adds(&b, "chromadb.segment.impl.vector.local_persistent_hnsw\n"
	    "PersistentData\n");
	buf_addc(&b, EMPTY_TUPLE);
	buf_addc(&b, NEWOBJ);
	buf_addc(&b, EMPTY_DICT);
	buf_addc(&b, MARK);
	for (i = 0; i < 3; i++) {
		put_text(&b, slice_str(numbers[i].name));
		put_int(&b, numbers[i].value);
	}
	for (m = ID_TO_LABEL; m < MAPS && r == 0; m++)
		r = put_map(p, m, &b, fd, e);
	buf_addc(&b, SETITEMS);
	buf_addc(&b, BUILD);
	buf_addc(&b, STOP);
	if (r == 0)
		r = flush(&b, fd, 0, e);
	buf_release(&b);
	return r;
}
