/*
 * frame.h: framed, typed messages between our own processes.
 *
 * On the wire: one byte type, four bytes length (big-endian), that many bytes payload. A payload
 * is a sequence of fields: u8, u32, u64 (big-endian), and strings (u32 length, bytes). A reader
 * must consume a payload exactly; frame_end says whether it did. Nothing here does I/O.
 */
#ifndef BASE_FRAME_H
#define BASE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/text/text.h"

/* Writing: frame_begin, fields, frame_finish. Errors are sticky in the buffer (buf_ok). */
size_t frame_begin(struct buf *out, uint8_t type);	/* returns a mark for frame_finish */
void frame_u8(struct buf *out, uint8_t v);
void frame_u32(struct buf *out, uint32_t v);
void frame_u64(struct buf *out, uint64_t v);
void frame_i64(struct buf *out, int64_t v);
void frame_str(struct buf *out, const char *p, size_t n);
void frame_cstr(struct buf *out, const char *s);	/* NULL is written as "" */
void frame_finish(struct buf *out, size_t mark);

/* Reading. */
struct frame {
	uint8_t type;
	const unsigned char *p;	/* the unread rest of the payload, inside the caller's buffer */
	size_t n;
	bool bad;		/* a field was cut short */
};

/* Looks at the front of in. 1: *f is a whole frame that occupies *used bytes; 0: more bytes are
 * needed; -1: its length is above LIMIT_FRAME. in must stay untouched while f is read. */
int frame_parse(struct span in, struct frame *f, size_t *used);

uint64_t frame_get_be(struct frame *f, size_t n);	/* a number of n bytes, at most 8 */
uint8_t frame_get_u8(struct frame *f);
uint32_t frame_get_u32(struct frame *f);
uint64_t frame_get_u64(struct frame *f);
int64_t frame_get_i64(struct frame *f);
struct span frame_get_str(struct frame *f);
/* A string without NUL of fewer than size bytes, copied and terminated; otherwise bad. */
void frame_get_cstr(struct frame *f, char *out, size_t size);
/* True if every field was there and nothing is left over. */
bool frame_end(const struct frame *f);

#endif
