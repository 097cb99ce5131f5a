/*
 * recipients.h: the recipients of one message: each once, in the order they came. Upper and lower case make no
 * difference, so that nobody gets a message twice for the sake of a capital letter.
 */
#ifndef SENDMAIL_RECIPIENTS_H
#define SENDMAIL_RECIPIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/string_set.h"
#include "base/text/text.h"

struct recipients {
	struct string_set addresses;
	struct recipient {
		unsigned notify;	/* DSN_* */
		uint32_t orcpt;		/* where it begins in orcpts; 0: none */
	} *v;
	size_t room;
	struct buf orcpts;	/* each with its NUL; begins with one NUL */
	bool eight_bit;		/* one is not ASCII */
};

void recipients_init(struct recipients *r);
void recipients_free(struct recipients *r);
size_t recipients_count(const struct recipients *r);
const char *recipients_get(const struct recipients *r, size_t i);
const char *recipients_orcpt(const struct recipients *r, size_t i);	/* NULL: none */

/* Adds a spec, unless it is there. orcpt may be NULL. EX_DATAERR for the empty one, or one too many. */
int recipients_add(struct recipients *r, const char *spec, unsigned notify, const char *orcpt, struct error *err);
/* Adds all addresses of an argument. */
int recipients_argument(struct recipients *r, const char *arg, unsigned notify, struct error *err);
/* Adds those of To, Cc and Bcc, or of their Resent- forms alone when there is any of these. */
int recipients_header(struct recipients *r, struct span header, unsigned notify, struct error *err);

#endif
