/* SPDX-License-Identifier: Apache-2.0 */
/* stream.h - streams of records, in and out: both forms, begin and end.
 *
 * The one place that detects forms, and the one that counts.  A stream that
 * was cut short is an error of the reader, never a short stream.
 */
#ifndef STREAM_STREAM_H
#define STREAM_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "stream/frame.h"
#include "stream/in.h"
#include "stream/out.h"
#include "stream/record.h"

/* Version of the records that we write and the newest that we read. */
#define STREAM_VERSION 1

/* One thing that came in, not yet decoded. */
struct item {
	enum record_type type;
	struct slice bytes;	/* the line without newline, or the frame */
	bool binary;		/* bytes is a frame ... */
	struct slice json;	/* ... unless it holds a line: that line */
	struct frame frame;	/* if binary */
};

struct stream_in {
	struct in in;
	bool plain;		/* neither wants nor checks begin and end */
	bool binary;
	bool started;		/* the form is known */
	bool open;		/* between begin and end */
	uint64_t sections;	/* begin records seen */
	uint64_t records;	/* since the last begin */
	uint64_t total;		/* in all */
	uint32_t running;	/* CRC, binary form */
};

/* Open path (NULL or "-": standard input).  plain: records may come without
 * begin and end; those that come are passed over.  0, or -1 with *e set. */
ATTR_NODISCARD int stream_in_open(struct stream_in *s, const char *path,
    bool plain, struct err *e);

/* The next item: begin, records, end, in this order and perhaps again.  1; 0
 * at the end of the input, which is an error unless an end record came last;
 * -1 with *e set.  An end is checked against what came since its begin. *item
 * points into *s and is valid until the next call. */
ATTR_NODISCARD int stream_next(struct stream_in *s, struct item *item,
    struct err *e);

/* The record in an item, which need not come from s: one that was never opened
 * and has nothing but in.name puts that before messages (record.h; want is ignored in the binary form, all is
 * there).  0, or -1 with *e set, the place included.  r points into item and
 * m. */
ATTR_NODISCARD int stream_record(const struct stream_in *s,
    const struct item *item, unsigned want, struct record *r,
    struct record_memory *m, struct err *e);

/* Put the place of the item that came last before the message; -1. */
int stream_at(const struct stream_in *s, const struct item *item,
    struct err *e);

void stream_in_close(struct stream_in *s);

/* What a begin record says of its stream. */
struct begin {
	struct slice stream;		/* "wal", "vector", "record" */
	struct slice source;		/* JSON object, or absent */
	bool partial;			/* a selection left records out of
					 * the range that source names */
	bool redacted;			/* no writer may take it */
	bool no_embeddings;		/* "embedding":"none" */
	bool identity;			/* only what identifies a row */
	struct slice text;		/* the whole record */
};

/* 0, or -1 with *e set: no begin record, or a version above ours. */
ATTR_NODISCARD int stream_begin_parse(struct slice text, struct begin *b,
    struct err *e);

/* The begin record text into *out, which is emptied first, with "key":value (a
 * key without escapes) behind "version"; as it is, if it says so already; what
 * else it says of key goes.  0, or -1 with *e set. */
ATTR_NODISCARD int stream_mark_begin(struct slice text, const char *key,
    const char *value, struct buf *out, struct err *e);

struct stream_out {
	struct out *out;	/* borrowed */
	bool binary;
	bool plain;		/* write records only */
	bool started;
	uint64_t records;	/* since the last begin */
	uint64_t total;
	uint32_t running;
	struct buf buf;		/* owned; not yet written */
	struct buf line;	/* owned; one record, for comparing */
	struct record_memory memory;
};

void stream_out_init(struct stream_out *s, struct out *out, bool binary,
    bool plain);

/* What is buffered goes on to out (see out_flush()).  To be called before
 * anything else is written there, and before out is closed. */
ATTR_NODISCARD int stream_flush(struct stream_out *s, struct err *e);

/* text: the begin record as JSON.  All: 0, or -1 with *e set. */
ATTR_NODISCARD int stream_put_begin(struct stream_out *s, struct slice text,
    struct err *e);
ATTR_NODISCARD int stream_put_record(struct stream_out *s,
    const struct record *r, struct err *e);

/* A record as it came: byte for byte if the forms are the same, else so that
 * the way back gives the same bytes. */
ATTR_NODISCARD int stream_put_item(struct stream_out *s,
    const struct stream_in *from, const struct item *item, struct err *e);

/* The end record; flushes. */
ATTR_NODISCARD int stream_put_end(struct stream_out *s, struct err *e);

void stream_out_release(struct stream_out *s);

#endif
