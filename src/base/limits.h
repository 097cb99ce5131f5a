/* limits.h: every ceiling on foreign data, in one place. Bytes unless said otherwise. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define LIMIT_ADDRESS 1024		/* one envelope address; RFC 5321 4.5.3.1 wants 256 */
#define LIMIT_RECIPIENTS 200000		/* recipients of one message (a count) */
#define LIMIT_HEADER (4u << 20)		/* the header of one message */
#define LIMIT_HEADER_SENT (6u << 20)	/* the same with its addresses completed */
#define LIMIT_HEADER_LINE (1u << 20)	/* one unfolded header field */
#define LIMIT_CHECKED (16u << 10)	/* what header checks see of a field: patterns take time for each byte */
#define LIMIT_HEADER_ADDRESSES 10000	/* of senders, and of recipients: others stay as they are (a count) */
#define LIMIT_CHUNK (64u << 10)		/* one piece of a body, in the queue and between processes */
#define LIMIT_FRAME ((64u << 10) + 4096)/* one framed message between processes */
#define LIMIT_ENVELOPE (64u << 20)	/* all envelope records of one submission */
#define LIMIT_REPLY_LINE (64u << 10)	/* one line of an SMTP reply */
#define LIMIT_REPLY (512u << 10)	/* one whole SMTP reply */
#define LIMIT_REPLY_TEXT 2048		/* what is kept of a reply's words */
#define LIMIT_CONF_FILE (1u << 20)	/* main.cf */
#define LIMIT_CONF_DEPTH 32		/* $name within $name (a count) */
#define LIMIT_CONF_STEPS 100000		/* names expanded for one value, or while main.cf is checked (a count) */
#define LIMIT_CONF_NOTES (64u << 10)	/* what is worth saying about main.cf */
#define LIMIT_USER_FILE (4u << 20)	/* /etc/subuid and /etc/passwd */
#define LIMIT_DROP_FILE (256u << 20)	/* one submission by way of outpost-drop, which reads no message_size_limit */
#define LIMIT_MAP_FILE (64u << 20)	/* a map's text source */
#define LIMIT_SECRET 16384		/* a password or token */
#define LIMIT_ENVID 100			/* ENVID before xtext, RFC 3461 4.4 */
#define LIMIT_ORCPT 500			/* ORCPT, RFC 3461 4.2 */

#endif
