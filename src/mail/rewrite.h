/*
 * rewrite.h: addresses of small servers made fit for the world: completion with myorigin, aliases, canonical and
 * generic maps, masquerading, from_address. Pure: maps come as look-up functions, so that this room knows no files
 * (an :include: is read through a function as well).
 *
 * Recipients are rewritten at submission (mailq shows the truth), sender and header at delivery (a change of the
 * configuration corrects mail that is queued already).
 */
#ifndef MAIL_REWRITE_H
#define MAIL_REWRITE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/text/text.h"

/* 1: found, the raw value appended; 0: not there; -1: *err. */
struct rewrite_map {
	int (*get)(void *arg, const char *key, struct buf *value, struct error *err);	/* NULL: no such map */
	void *arg;
};

struct rewrite_rules {
	const char *myorigin;
	const char *myhostname;
	const char *append_domain;	/* completes a domain without a dot, but localhost; NULL: nothing does */
	const char *recipient_delimiter;
	/* mydestination, expanded, comma or blank separated: names here are local and go through aliases */
	const char *local_domains;
	struct rewrite_map aliases;	/* alias_maps: key is the local part */
	struct rewrite_map virtual;	/* virtual_alias_maps: key as in a canonical map, value a list as in aliases */
	/* Reads a list. -1 with EX_TEMPFAIL ends the rewriting with *err; with anything else the list is left out. */
	/* everybodys: somebody whom nobody trusts may have named it, so only what everybody may read. */
	int (*include)(void *arg, const char *path, bool everybodys, struct buf *text, struct error *err);
	void *include_arg;
	bool aliases_exposed;	/* others than root and outpost write them */
	struct rewrite_map canonical, recipient_canonical, sender_canonical, generic;
	/* where they apply: envelope_sender, header_sender, envelope_recipient, header_recipient. NULL: wherever they
	 * can */
	const char *canonical_classes, *sender_canonical_classes, *recipient_canonical_classes;
	const char *masquerade_domains, *masquerade_exceptions;
	/* header_checks, smtp_header_checks: key is a field without its last line end */
	struct rewrite_map header_checks[2];
	const char *always_bcc;		/* "" none */
	const char *from_address;	/* "" none */
	const char *from_address_keep;	/* reply-to | header | no */
};

/* Expands one recipient as submitted: each result is given to `each`, which returns 0, or -1 (with words in *err, if it
 * likes). Loops and unreadable includes are told in *note (appended lines, for the log; of a list only path:line and
 * what is wrong there) and the address then goes to myorigin unexpanded. -1 with *err for what can't be an address
 * (EX_DATAERR 5.1.3), or a map or list that fails (EX_TEMPFAIL). */
int rewrite_recipient(const struct rewrite_rules *r, const char *address,
		      int (*each)(void *arg, const char *address), void *arg, struct buf *note, struct error *err);

/* always_bcc, expanded in the same way: the taker calls it once for each new message. Gives nothing when it is not
 * set. */
int rewrite_always_bcc(const struct rewrite_rules *r, int (*each)(void *arg, const char *address), void *arg,
		       struct buf *note, struct error *err);

/* Whether a sender is the name that notifications have: as in Postfix it stands for the null sender, so that none
 * answers another. */
bool rewrite_is_mailer_daemon(const struct rewrite_rules *r, const char *sender);

/* The envelope sender at delivery; "" stays "". */
int rewrite_sender(const struct rewrite_rules *r, const char *sender, struct buf *out, struct error *err);

/* The header at delivery: every address in From, Sender, Reply-To, To, Cc, Resent-* completed and mapped, Bcc gone, and
 * the queue id put into our own Received: line (which sendmail wrote with "id " QUEUE_ID_MARK). header is the raw
 * header with LF ends and its final empty line; so is out. What can't be parsed stays as it is, and so
 * do senders and recipients beyond LIMIT_HEADER_ADDRESSES each. Header checks see LIMIT_CHECKED bytes of a field, and
 * decide about all of it. REASON_HEADER_TOO_LARGE when out's ceiling is too low. */
#define QUEUE_ID_MARK "OUTPOSTQUEUEID"
int rewrite_header(const struct rewrite_rules *r, const char *queue_id, const char *header, size_t n,
		   struct buf *out, struct error *err);

#endif
