/*
 * delivery.h: what crosses between outpostd and a delivery agent (outpost-smtp), as frames
 * (base/frame.h) over a stream socket that is descriptor 3 of the agent.
 *
 * outpostd first sends one SESSION; the agent connects, does TLS, and, where the session says so,
 * asks for the credential (NEED_SECRET) only once the connection is verified. Then messages: outpostd
 * keeps `window` messages ahead of the verdicts (START + whole bodies up to LIMIT_CHUNK bytes
 * follow at once; larger ones only when the agent says GET). The agent answers each recipient
 * (VERDICT) and each message (DONE), in the order of the messages. A session that can't be had, or
 * ends, is told with one DOWN or BYE, and the agent exits. An agent that dies without either counts
 * as DOWN; messages whose LASTBYTE was seen and DONE was not "may be delivered twice".
 */
#ifndef DELIVERY_DELIVERY_H
#define DELIVERY_DELIVERY_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/frame.h"
#include "base/reason.h"

enum { DELIVERY_FD = 3 };

enum delivery_frame {
	/* outpostd to the agent */
	TO_AGENT_SESSION = 1,	/* see below */
	/* str user, str secret, u8 kind ('P' password, 'T' token), str digest name (log only) */
	TO_AGENT_SECRET,
	TO_AGENT_NO_SECRET,	/* str name of the reason, str text: the credential can't be had */
	TO_AGENT_START,		/* struct delivery_message */
	TO_AGENT_BODY,		/* u64 seq, str bytes: a piece of the message, canonical LF form, header rewritten */
	TO_AGENT_BODY_END,	/* u64 seq */
	TO_AGENT_BODY_FAILED,	/* u64 seq, str text: the queue could not be read; the transaction must be abandoned */
	TO_AGENT_QUIT,		/* no payload: no more messages, QUIT and leave */

	/* the agent to outpostd */
	FROM_AGENT_LOG = 64,	/* u8 level (enum log_level), str line */
	FROM_AGENT_NEED_SECRET,	/* str host, u32 port, str mechanisms offered */
	FROM_AGENT_READY,	/* struct delivery_ready: connected, verified as far as wanted, logged in */
	/* u64 seq: send the body of this large message, from its start. Comes again when the message needs several
	 * transactions, and never while a body of this message is still being sent. */
	FROM_AGENT_GET,
	/* u64 seq: its MAIL was sent. After a LASTBYTE: what was sent was refused, and no verdict on the message */
	FROM_AGENT_BEGUN,
	/* u64 seq: the last byte of its data is about to be sent: from here a crash may duplicate */
	FROM_AGENT_LASTBYTE,
	FROM_AGENT_VERDICT,	/* struct delivery_verdict */
	/* struct delivery_done: every recipient of this message had its verdict, or is to be offered again */
	FROM_AGENT_DONE,
	FROM_AGENT_DOWN,	/* struct delivery_down: no session, or no longer, and why */
	/* no payload: ended in order, after QUIT or because the relay closed an idle session. Messages that were sent
	 * to this agent and are not DONE are given to the next one. */
	FROM_AGENT_BYE,
	FROM_AGENT_STEP,	/* struct delivery_step: progress, for `outpost check` */
	FROM_AGENT_KNOWN,	/* struct delivery_known, each time something new was found out about this relay */
	/* no payload: when the names are looked up, and then every SIGN_OF_LIFE seconds while it waits for the relay or
	 * has a message. One that says nothing for much longer hangs. */
	FROM_AGENT_ALIVE,
};
enum { SIGN_OF_LIFE = 10 };	/* s */

/* The frames that are one struct each, numbers and texts in the order of their table in delivery.c. DELIVERY_FRAME(x)
 * gives int delivery_put_x(out, &x) and int delivery_get_x(frame, &x); -1: no memory, or malformed. */
struct delivery_layout;
int delivery_put(struct buf *out, const struct delivery_layout *l, const void *from);
int delivery_get(struct frame *in, const struct delivery_layout *l, void *to);
#define DELIVERY_PUT(name) \
	extern const struct delivery_layout delivery_##name##_layout; \
	static inline int delivery_put_##name(struct buf *out, const struct delivery_##name *from) \
	{ \
		return delivery_put(out, &delivery_##name##_layout, from); \
	}
#define DELIVERY_FRAME(name) \
	DELIVERY_PUT(name) \
	static inline int delivery_get_##name(struct frame *in, struct delivery_##name *to) \
	{ \
		return delivery_get(in, &delivery_##name##_layout, to); \
	}

/* What was found out about a relay by talking to it. outpostd keeps it and gives it to later agents. It holds for as
 * long as the relay offers the same, and for KNOWN_LIFE: after that it is found out anew, good or bad. */
enum { KNOWN_LIFE = 12 * 3600, KNOWN_TEXT = 160 };
enum delivery_flight { FLIGHT_UNKNOWN, FLIGHT_YES, FLIGHT_NO };

struct delivery_known {
	enum delivery_flight flight;	/* whether transactions may be in flight */
	bool no_bdat;			/* it offers CHUNKING and refuses BDAT */
	bool no_rset;			/* RSET is refused, or does nothing: one message for each connection */
	uint32_t window;		/* transactions in flight to begin with; 0: not known */
	uint32_t recipients;		/* so many in a transaction, learnt from a 452; 0: not known */
	uint32_t offers;		/* a hash of its EHLO at that time */
	uint32_t connections;		/* at a time; outpostd's own, no agent says it; 0: not known */
	int64_t since;			/* outpostd's own: seconds since 1970 when the first of this was learnt */
};

DELIVERY_FRAME(known)

/* The same as words, "flight=yes window=8 offers=12345 since=...", for the session and the queue; only what is known is
 * said. Words that are not understood are skipped. */
void delivery_write_known(const struct delivery_known *k, char out[KNOWN_TEXT]);
void delivery_read_known(const char *text, struct delivery_known *k);

/* Forgets what is too old, or of a time to come. */
void delivery_age_known(struct delivery_known *k, int64_t now);
/* Adds what an agent says. What is bad news stays, whatever an agent says that is older than it. Whether anything is
 * new. */
bool delivery_learn(struct delivery_known *k, const struct delivery_known *said, int64_t now);

/* SESSION: a list of (str key, str value) pairs, u32 count first; unknown keys are refused. The keys
 * are those of struct delivery_session, in its order. */
/* smtp_tls_security_level, the strictest first, so that a session that nobody filled in is not a careless one. */
enum tls_level { TLS_SECURE, TLS_VERIFY, TLS_FINGERPRINT, TLS_ENCRYPT, TLS_MAY, TLS_NONE };

static inline bool tls_level_requires_tls(enum tls_level level)
{
	return level < TLS_MAY;
}

struct delivery_session {
	char host[256];			/* as written in relayhost: the name that is verified */
	char port[32];			/* number or service name */
	bool mx;			/* look MX up first */
	bool implicit_tls;
	enum tls_level tls_level;
	char cafile[1024], capath[1024];
	bool append_default_ca;
	char crlfile[1024];
	char certfile[1024], keyfile[1024];
	char fingerprints[1024];	/* hex, separated by blanks */
	char fingerprint_digest[32];
	char match[1024];		/* smtp_tls_secure_cert_match or verify_cert_match, as level wants */
	char priority[1024];		/* GnuTLS priority string; empty: ours */
	int tls_loglevel;
	/* smtp_sasl_auth_enable, and a map that may have a credential, or a certificate */
	bool auth;
	bool auth_unverified;		/* the opt-outs smtp_sasl_auth_unverified, ..._without_tls */
	bool auth_without_tls;
	char mechanism_filter[512];
	char security_options[256], tls_security_options[256];
	char helo[256];
	char inet_protocols[32];	/* all ipv4 ipv6 */
	char address_preference[16];	/* any ipv4 ipv6 */
	char bind4[64], bind6[64];
	/* seconds */
	int t_connect, t_helo, t_starttls, t_mail, t_rcpt, t_data_init, t_data_xfer, t_data_done, t_rset;
	int t_secret;			/* seconds: how long outpostd may take to find the credential */
	int recipient_limit;		/* per transaction */
	int pipeline_window;
	char known[KNOWN_TEXT];		/* delivery_write_known */
	/* `outpost check`: stop after login (and MAIL/RSET when check_sender), report STEPs */
	bool check_only;
	char check_sender[1024];
	bool transcript;		/* log the dialogue (secrets masked) as FROM_AGENT_LOG lines of part "smtp" */
};

int delivery_put_session(struct buf *out, const struct delivery_session *s);
int delivery_get_session(struct frame *f, struct delivery_session *s, struct error *err);

struct delivery_recipient {
	int64_t id;			/* the queue's number, given back in the verdict */
	const char *address;
	const char *orcpt;		/* NULL: none */
	unsigned notify;		/* DSN_* of submission.h; 0: not said */
};

struct delivery_message {
	uint64_t seq;			/* counts the messages of this agent from 1 */
	const char *queue_id;
	const char *sender;
	const char *envid;		/* NULL: none */
	char ret;			/* 'F', 'H', 0 */
	char body;			/* '7', '8' */
	bool smtputf8;
	/* of the canonical form; the wire form is no larger than size + lines + 64 Ki */
	uint64_t size;
	uint64_t lines;			/* newline bytes in it, for SIZE; 0: not known */
	const struct delivery_recipient *recipients;
	size_t nrecipients;		/* several START frames with the same seq may carry a long list: see more */
	bool more;			/* another START of the same seq follows with further recipients */
	size_t room;			/* of a decoded list */
};

/* Writes as many START frames as the list of recipients needs; the last has the caller's `more`. */
int delivery_put_message(struct buf *out, const struct delivery_message *m);

/* Decoded message: owns what it points to; zero it before its first START. Further STARTs of the same seq
 * (while m->more) are appended. On -1 m is freed and zeroed. */
int delivery_get_message(struct frame *f, struct delivery_message *m, struct error *err);
void delivery_free_message(struct delivery_message *m);

struct delivery_ready {
	char host[256];			/* the host spoken to (of the MX, where looked up) */
	char address[64];		/* numeric */
	uint32_t port;
	bool tls;
	bool verified;
	char tls_summary[512];		/* "TLSv1.3 with cipher ..." */
	int64_t cert_expires;		/* seconds since 1970; 0: none */
	char mechanism[32];		/* SASL mechanism used; empty: none */
	char extensions[512];		/* EHLO words, blank separated */
	uint64_t size_limit;		/* SIZE; 0: none said */
	int64_t connect_us;		/* for delays=a/b/C/d */
};
DELIVERY_FRAME(ready)

/* What becomes of a recipient. */
enum delivery_fate { FATE_SENT = 1, FATE_DEFERRED, FATE_FAILED };

struct delivery_verdict {
	uint64_t seq;
	int64_t recipient;		/* delivery_recipient.id; 0: all of the message that have no verdict yet */
	enum delivery_fate fate;
	char dsn[12];			/* "2.0.0", "4.2.1", ... */
	int smtp_code;			/* 0: no reply stands behind it */
	enum reason reason;		/* REASON_NONE: sent */
	/* as in the log's parentheses: "250 2.0.0 Ok: queued as X", "host h[a] said: 550 ... (in reply to RCPT TO
	 * command)" */
	char text[2048];
	bool relayed_dsn;		/* the relay took over the DSN request */
};
DELIVERY_PUT(verdict)
int delivery_get_verdict(struct frame *in, struct delivery_verdict *v);

struct delivery_done {
	uint64_t seq;
	/* delays=a/b/C/d: connection, TLS and login; 0 for all but a session's first message */
	int64_t connect_us;
	int64_t transfer_us;		/* delays=a/b/c/D */
};
DELIVERY_FRAME(done)

struct delivery_step {
	char name[32];			/* resolve connect greeting tls auth sender */
	enum reason reason;		/* REASON_NONE: it succeeded */
	char text[1024];		/* what was found, or the cause in words */
	uint32_t ms;
};
DELIVERY_FRAME(step)

/* Why there is no session, or no longer. */
struct delivery_down {
	enum reason reason;	/* its class decides what the schedule does; REASON_NONE: not down */
	char dsn[12];		/* the reason's, or the relay's own with 4 as its class: no message fails for it */
	char text[1024];	/* complete sentence for log, mailq and status */
	char name[256];		/* a name that the relay's certificate is for, where it is for another; or empty */
	char host[256], address[64];
	uint32_t port;		/* 0: never got that far */
	uint32_t retry_after;	/* seconds the relay asked for; 0: nothing said */
	bool served;		/* a transaction had been brought to its end on this connection */
};
/* Fills in reason, dsn and text; the words are made printable. Returns -1. */
int delivery_say_down(struct delivery_down *d, enum reason why, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int delivery_vsay_down(struct delivery_down *d, enum reason why, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));
DELIVERY_FRAME(down)

#endif
