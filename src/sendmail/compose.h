/*
 * compose.h: one message from what was read to what is submitted.
 */
#ifndef SENDMAIL_COMPOSE_H
#define SENDMAIL_COMPOSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "sendmail/input.h"
#include "sendmail/recipients.h"

struct letter {
	char *sender;			/* envelope; "" is the null sender */
	struct recipients recipients;
	const char *envid;		/* NULL: none */
	char ret;
	char body;			/* what -B or BODY= said; 0: nothing */
	bool queue_only;
	bool smtp;			/* came by -bs */
	const char *client;		/* its HELO name */
	const char *full_name;		/* -F */
	const char *hostname;
	struct input in;
	struct buf header;		/* as composed, with its empty line */
	bool eight_bit;			/* header or body, as they go out */
	bool smtputf8;
};

void letter_init(struct letter *l);
void letter_free(struct letter *l);

/* The envelope sender: an argument of -f (NULL: the caller's login name). */
int letter_sender(struct letter *l, const char *text, struct error *err);

/* Writes l->header from what was read: what is missing is added, Bcc and its like left out, long lines folded. */
int letter_compose(struct letter *l, struct error *err);

#endif
