/* SPDX-License-Identifier: Apache-2.0 */
/* frame.h - records in the binary form.  See chroma-stream(5) for the bytes.
 */
#ifndef STREAM_FRAME_H
#define STREAM_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "stream/record.h"

/* A binary stream begins with these; the last byte is the version. */
#define FRAME_MAGIC "\211CHS\r\n\032\001"
#define FRAME_MAGIC_LEN 8

/* u32 payload length, u16 type, u16 flags; payload; u32 CRC-32C. */
#define FRAME_HEAD 8
#define FRAME_TAIL 4
#define FRAME_PAYLOAD_MAX ((uint32_t)1 << 30)

enum frame_type {
	FRAME_BEGIN = 1,	/* payload: the begin record as JSON */
	FRAME_END = 2,		/* count, running CRC; see frame_put_end() */
	FRAME_TEXT = 3,		/* a record as the line of JSON that it was */
	FRAME_WAL = 16,
	FRAME_VECTOR = 17,
	FRAME_PLAIN = 18,
};

/* A reader that does not know the type must refuse the stream. */
#define FRAME_CRITICAL 1u

struct frame {
	uint16_t type, flags;
	struct slice payload;	/* points into the bytes it was read from */
	struct slice bytes;	/* all of the frame */
	uint32_t crc;		/* of the frame, as stored */
};

/* What the first n bytes of a stream say: 1 binary of our version, 0 not
 * binary, -1 with *e set: binary, but of another version or damaged. */
ATTR_NODISCARD int frame_magic(const char *p, size_t n, struct err *e);

/* The size of the frame whose FRAME_HEAD first bytes are at p, or -1 with *e
 * set. */
ATTR_NODISCARD int64_t frame_size(const char *p, struct err *e);

/* Take apart one whole frame and check its CRC.  0, or -1 with *e set. */
ATTR_NODISCARD int frame_parse(const char *p, size_t n, struct frame *f,
    struct err *e);

/* The line of JSON in a frame of type begin or text.  0, or -1 with *e set. */
ATTR_NODISCARD int frame_text(const struct frame *f, struct slice *text,
    struct err *e);

/* A record out of a frame of its type: slices point into the payload.  0, or
 * -1 with *e set. */
ATTR_NODISCARD int frame_to_record(const struct frame *f, struct record *r,
    struct err *e);

/* Append one frame; its CRC (0 if *out has failed, which is said nowhere
 * else than by buf_ok).  -1 with *e set: longer than FRAME_PAYLOAD_MAX. */
ATTR_NODISCARD int frame_put_text(struct buf *out, enum frame_type type,
    struct slice payload, uint32_t *crc, struct err *e);
ATTR_NODISCARD int frame_put_record(struct buf *out, const struct record *r,
    uint32_t *crc, struct err *e);

/* The end of a stream: how many records came since its begin, and the CRC
 * over the CRCs of its frames, begin included (frame_running()). */
void frame_put_end(struct buf *out, uint64_t records, uint32_t running);
ATTR_NODISCARD int frame_end(const struct frame *f, uint64_t *records,
    uint32_t *running, struct err *e);

/* The running CRC after one more frame; 0 at the start of a stream. */
uint32_t frame_running(uint32_t running, uint32_t crc);

#endif
