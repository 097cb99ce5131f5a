/*
 * relay.h: a relay for tests and for the demo. One process, one thread, epoll.
 *
 * Bytes from a client pass `in` (a delay line), TLS, `text` (what smtp.c reads); replies pass `say`, TLS, `out`
 * (a delay line) and go to the socket. A dialogue (dialogue.h) may stand between a command and its
 * reply: while its script waits, nothing more of the client is read by smtp.c.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include <gnutls/gnutls.h>
#include <gsasl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/text/text.h"
#include "tests/relay/dialogue.h"
#include "tests/relay/pipe.h"

enum { MAX_USERS = 64, MAX_CERTS = 8, MAX_MECHS = 16, MAX_BINDS = 4 };

enum extension {
	EXT_PIPELINING = 1,
	EXT_SIZE = 2,
	EXT_8BITMIME = 4,
	EXT_SMTPUTF8 = 8,
	EXT_DSN = 16,
	EXT_ENHANCED = 32,
	EXT_CHUNKING = 64,
};

struct user {
	const char *name;
	const char *secret;
	bool token;
};

struct options {
	const char *bind, *port587, *port465, *ports_file, *pid_file;
	const char *cert[MAX_CERTS], *key[MAX_CERTS];
	size_t certs;
	const char *client_ca;
	bool client_cert_required;
	const char *priority;
	struct user users[MAX_USERS];
	size_t nusers;
	char mechs[MAX_MECHS][32];
	size_t nmechs;
	unsigned ext;
	bool no_starttls, plain_ok, auth_without_tls, auth_optional, half_duplex, keep_quiet;
	const char *dump, *log, *stats, *dialogue, *name;
	uint64_t size, max_rcpts, max_messages, rtt_us, scram_iterations, scram_claim, rcvbuf, sndbuf, die_with;
};

#define COUNTERS(X) \
	X(connections) X(connections_now) X(connections_max) X(tls_handshakes) X(tls_failed) X(commands) X(auth_ok) \
	X(auth_failed) X(secrets_seen) X(secrets_in_clear) X(mail) X(messages) X(recipients) X(bytes) X(refused) \
	X(rset) X(bdat) X(pipelining_violations) X(bare_lf) X(bare_cr) X(long_lines) X(eightbit_undeclared) \
	X(behind_starttls) X(aborted) X(rules_used) X(round_trips) X(no_close_notify)

struct counters {
#define X(name) uint64_t name;
	COUNTERS(X)
#undef X
	int64_t first_mail_us, last_accepted_us;
};

struct relay {
	struct options opt;
	struct counters n;
	struct dialogue dialogue;
	int epoll, timer, signals, listen587, listen465;
	FILE *log;
	gnutls_certificate_credentials_t cred;
	gnutls_priority_t priority;
	Gsasl *sasl;
	struct conn **conns;
	size_t nconns, capconns;
	uint64_t next_conn, next_message;
	int64_t now;			/* microseconds, monotonic; set once per turn of the loop */
	bool leave;
};

enum tls_state { TLS_OFF, TLS_HANDSHAKE, TLS_ON };
enum mode { MODE_COMMAND, MODE_DATA, MODE_CHUNK, MODE_AUTH };
enum ending { STAY, END_CLOSE, END_CUT, END_RESET };

struct conn {
	struct relay *r;
	int fd;
	size_t index;
	uint64_t number;
	int64_t born, lingers_until, blocked_until;
	bool implicit, eof, registered_out, hup, stalled, deaf, flooding, opened, greeted;
	struct pipe in, out;
	struct buf text, say;		/* clear text: from the client, to the client */
	size_t text_at;			/* how much of text was used */
	gnutls_session_t tls;
	enum tls_state tls_state;
	bool tls_wanted;		/* STARTTLS was answered 220 */
	enum ending ending;
	bool spoke;			/* we sent something since the client last did */
	uint64_t trickle_us;		/* one byte at a time, this far apart */
	bool trickling, dripping;	/* trickle: clear text; drip: bytes below TLS */
	int64_t next_byte;

	struct script script;
	unsigned seen[EVENTS];		/* how often each event happened here */
	bool mute, forced;		/* see smtp.c */

	enum mode mode;
	bool hello, esmtp, authed, chunk_bad, chunk_last, in_mail, body8, has8, utf8, unswallowed;
	uint64_t chunk_left, message_bytes, messages, rcpts, line_length;
	int data_state;
	bool last_cr;
	char user[256];
	struct buf envelope;		/* JSON of the recipients */
	struct buf sender;		/* JSON of the sender and its parameters */
	FILE *body;

	Gsasl_session *sasl;
	const char *mech;
	bool sasl_done, token_failed, shows_secret;
};

/* relay.c */
void note(struct conn *c, const char *who, const char *p, size_t n);	/* a line of --log */

/* conn.c */
struct conn *conn_new(struct relay *r, int fd, bool implicit);
void conn_service(struct conn *c);
void conn_hangup(struct conn *c);		/* the socket is dead */
int64_t conn_next(const struct conn *c);	/* when it wants to be served without input; INT64_MAX never */
/* Something happens. True: a dialogue has a rule for it, and its script now runs. */
bool conn_event(struct conn *c, enum event e, struct span verb, struct span arg);
void conn_free(struct conn *c);
void conn_flush(struct conn *c);		/* say -> TLS -> out */
void conn_below(struct conn *c, const char *p, size_t n);	/* bytes below TLS */

/* flood.c */
void flood(struct conn *c);			/* a thousand session tickets below TLS (1.3) */

/* smtp.c */
void smtp_greet(struct conn *c);
bool smtp_step(struct conn *c);			/* uses some of text; false: needs more, or waits */
void smtp_reset(struct conn *c);
void reply(struct conn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Does what the command of the event that is running would do; see struct script. */
void smtp_effect(struct conn *c, bool forced, bool mute);
void smtp_refuse(struct conn *c);		/* what follows from a refusal of it, without a reply */

void smtp_ask_more(struct conn *c);		/* a dialogue's 334: what comes next belongs to AUTH */

/* message.c */
void message_bytes(struct conn *c, const char *p, size_t n);
bool message_dot(struct conn *c);		/* takes DATA's bytes from text; true: the end was there */
void message_accept(struct conn *c);
void message_drop(struct conn *c);

/* auth.c */
int auth_init(struct relay *r);
void auth_list(struct conn *c, struct buf *out);
void auth_start(struct conn *c, struct span mech, struct span initial, bool has_initial);
void auth_line(struct conn *c, struct span line);
void auth_end(struct conn *c);
bool auth_shows_secret(struct span mech);	/* to whoever sits at the other end */

/* counters.c */
void counters_write(const struct relay *r);

/* flags.c */
void options_parse(struct options *o, int argc, char **argv);

int64_t now_us(void);

#endif
