/*
 * submission.h: what crosses from sendmail to the queue.
 *
 * A submission is eight bytes "OUTPOST1", then records: one byte type, four bytes length
 * (big-endian), payload. Upper-case types that a decoder does not know are refused; lower-case ones
 * are skipped. Order: envelope records, body records, the end record, and then nothing.
 *
 *   'K' token, 16 random bytes            exactly one, first
 *   'S' envelope sender, may be empty     exactly one
 *   'R' recipient                         one or more; 'N' and 'O' speak of the last 'R'
 *   'N' NOTIFY: one byte, bits of DSN_*   at most one per recipient
 *   'O' ORCPT, decoded "rfc822;a@b"       at most one per recipient
 *   'I' ENVID, decoded                    at most one
 *   'T' RET: one byte, 'F' or 'H'         at most one
 *   'B' body type: one byte, '7' or '8'   exactly one
 *   'U' the envelope or header needs SMTPUTF8, no payload   at most one
 *   'Q' queue only, do not start delivery (-odq), no payload   at most one
 *   'X' header size: four bytes: how many bytes of the message are header (with the empty line)
 *   'M' a piece of the message, 1 to LIMIT_CHUNK bytes
 *   'Z' the end: eight bytes, the size of the message
 *
 * Addresses are raw as the caller gave them, one each (mail/address splits); bare names are
 * completed where main.cf is, by the taker. No NUL, CR or LF in any field. The message is in
 * canonical form: LF line ends, no NUL, no CR, its last line ended. EOF before 'Z' cancels.
 * Who submits is never said inside.
 *
 * The answer is one line: "CODE DSN REASON TEXT\n": CODE a sysexits(3) number, 0 for accepted, TEXT then
 * "queued as ID", or from the drop "queued as incoming/FILE, ..."; DSN an enhanced status code; REASON a name of
 * base/reasons.def, "ok" for accepted.
 */
#ifndef SUBMISSION_SUBMISSION_H
#define SUBMISSION_SUBMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/text/span.h"

#define SUBMISSION_MAGIC "OUTPOST1"
#define SUBMISSION_TOKEN 16

/* NOTIFY bits; 0 is "not said". */
enum { DSN_NEVER = 1, DSN_SUCCESS = 2, DSN_FAILURE = 4, DSN_DELAY = 8 };

/* NOTIFY as a list of words, separated by commas or blanks: false when it is none, or NEVER stands beside another. */
bool submission_notify(struct span list, unsigned *bits);

struct submission_recipient {
	const char *address;
	const char *orcpt;	/* NULL: none */
	unsigned notify;
};

struct submission {
	unsigned char token[SUBMISSION_TOKEN];
	const char *sender;
	const struct submission_recipient *recipients;
	size_t nrecipients;
	const char *envid;	/* NULL: none */
	char ret;		/* 'F', 'H' or 0 */
	char body;		/* '7' or '8' */
	bool smtputf8;
	bool queue_only;
	uint32_t header_size;
};

/* ---- Encoder: envelope, message pieces, end; appended to out, sent by the caller when it likes. */
int submission_put_envelope(struct buf *out, const struct submission *s, struct error *err);
int submission_put_piece(struct buf *out, const char *p, size_t n);	/* any n; cut into records */
int submission_put_end(struct buf *out, uint64_t message_size);
int submission_put_answer(struct buf *out, enum reason reason, const char *text);

/* What the text of an accepted submission's answer begins with. */
#define SUBMISSION_QUEUED "queued as "
/* The queue ID in such a text; empty where outpost-drop took the message, which has none yet. False: the text is
 * another. */
bool submission_queued_id(struct span text, char *id, size_t size);

/* Reads an answer line (without its newline). -1: not an answer. The reason may be missing: programs of an older
 * version do not write it. */
int submission_get_answer(const char *line, size_t n, struct error *answer);

/* ---- Decoder: strict, incremental; the only one. */
struct submission_decoder;

/* Pieces of the message are given to this as they come. -1 with *err ends the decoding. */
typedef int (*submission_sink)(void *arg, const char *p, size_t n, struct error *err);

enum submission_state { SUBMISSION_MORE, SUBMISSION_COMPLETE, SUBMISSION_REFUSED };

/* size_limit: greatest message in bytes (0: none). NULL without memory. */
struct submission_decoder *submission_decoder_new(uint64_t size_limit, submission_sink sink, void *arg);
void submission_decoder_free(struct submission_decoder *d);

/* Bytes of memory that the envelope takes so far. The message itself is never kept here. */
size_t submission_decoder_memory(const struct submission_decoder *d);

/* Takes all n bytes. Bytes after the end record are refused. On SUBMISSION_REFUSED *err says why
 * (EX_DATAERR, EX_UNAVAILABLE for the size limit with dsn 5.3.4, ...), for good. */
enum submission_state submission_decode(struct submission_decoder *d, const char *p, size_t n, struct error *err);

/* Once COMPLETE: the envelope and the size of the message; valid until the decoder is freed. */
const struct submission *submission_envelope(const struct submission_decoder *d, uint64_t *message_size);

#endif
