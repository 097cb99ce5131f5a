/*
 * recipients.h: the recipients of one message: every one once, in the order they came. Upper and lower case make no difference:
 * nobody wants a message twice for the sake of a capital letter.
 */
#ifndef SENDMAIL_RECIPIENTS_H
#define SENDMAIL_RECIPIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"

struct recipient {
	uint32_t at;		/* where its address begins in text */
	unsigned notify;	/* DSN_* */
	uint32_t orcpt;		/* where ORCPT begins in text; 0: none */
};

struct recipients {
	struct buf text;	/* addresses, each with its NUL; begins with one NUL */
	struct recipient *v;
	size_t n, room;
	uint32_t *table;	/* hash table of indices + 1 */
	size_t slots;
	bool eight_bit;		/* one is not ASCII */
};

void recipients_init(struct recipients *r);
void recipients_free(struct recipients *r);
void recipients_reset(struct recipients *r);
const char *recipients_get(const struct recipients *r, size_t i);

/* Adds a spec, unless it is there. orcpt may be NULL. EX_DATAERR for the empty one, or one too many. */
int recipients_add(struct recipients *r, const char *spec, unsigned notify, const char *orcpt, struct error *err);
/* Adds all addresses of an argument. */
int recipients_argument(struct recipients *r, const char *arg, unsigned notify, struct error *err);
/* Adds those of To, Cc and Bcc, or of their Resent- forms alone when there is any of these. */
int recipients_header(struct recipients *r, struct span header, unsigned notify, struct error *err);

#endif
