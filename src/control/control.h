/*
 * control.h: questions and orders to a running outpostd: mailq through the door, and the
 * administrator's command through the admin socket ($queue_directory/admin, 0600).
 *
 * A request is one line: "OUTPOST-ASK 1 VERB [ARG ...]\n", arguments percent-encoded (control bytes, blank, '%', DEL).
 * At most LIMIT_ADDRESS * 4 bytes. The answer is any number of lines, each with one byte in front: '>' goes to standard
 * output as it is, '+' as well, but the line goes on (a long one comes in pieces), '!' to standard error, '#' is
 * progress ("#DONE SENT DEFERRED FAILED LEFT", or of wake "#CHOSEN", decimal numbers), and '=' is the last: "=CODE
 * TEXT" with a sysexits(3) code. A connection without an '=' line was cut off.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include <stddef.h>

#include "base/buf.h"
#include "base/deadline.h"
#include "base/error.h"

#define CONTROL_MAGIC "OUTPOST-ASK 1 "

enum { CONTROL_ARGS = 64, CONTROL_PIECE = 64 << 10 };

/* What `outpostd -f --once` and --take-in exit with where another flusher has the queue, which may do the job as well,
 * or be leaving: so that whoever started it knows when trying again is worth it. */
enum { CONTROL_EXIT_BUSY = 79 };

/* Writes a request line. */
int control_put_request(struct buf *out, const char *const *words, size_t n);

/* Splits a request line (without its newline) into decoded words that the caller frees with
 * control_free_words. Returns how many, or -1: not a request. */
int control_get_request(const char *line, size_t n, char **words, size_t max);
void control_free_words(char **words, int n);

/* Answer lines. Text may hold newlines: each line gets the prefix. */
int control_put_text(struct buf *out, char prefix, const char *p, size_t n);
/* What goes to standard output byte by byte: its last line may go on in the next call. */
int control_put_bytes(struct buf *out, const char *p, size_t n);
int control_put_end(struct buf *out, int code, const char *text);

struct control_sink {
	void *arg;
	int (*line)(void *arg, char prefix, const char *p, size_t n);	/* without newline; -1 stops */
};

/* The client: connects to path, asks, gives each line to the sink, and returns the '=' code with its text in *answer.
 * -1 with *err when nobody listens (EX_UNAVAILABLE), which one who is leaving does not either: he may let us in and
 * never look at us; or when the line was lost in the middle of the answer (EX_TEMPFAIL). */
int control_ask(const char *path, const char *const *words, size_t n, const struct control_sink *sink,
		deadline until, struct error *answer, struct error *err);

#endif
