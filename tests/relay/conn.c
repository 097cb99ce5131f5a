/*
 * conn.c: one connection: its socket, its two delay lines, TLS, and the script that a dialogue
 * put in the way. conn_service does all that can be done now and is called after every event.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "tests/relay/relay.h"

enum { READ_SIZE = 256 << 10, LINGER_US = 2000000 };

static bool script_step(struct conn *c);
static bool begin_event(struct conn *c, enum event e, struct span verb, struct span arg);

/* ---- below TLS: the delay lines */

/* The TCP handshake costs a round trip that loopback does not: nothing counts as sent before it. */
static int64_t arrival(const struct conn *c)
{
	const struct relay *r = c->r;
	int64_t opened = c->born + (int64_t)r->opt.rtt_us;

	if (!r->opt.rtt_us)
		return r->now;
	return (r->now > opened ? r->now : opened) + (int64_t)r->opt.rtt_us / 2;
}

void conn_below(struct conn *c, const char *p, size_t n)
{
	int64_t at = c->r->now + (int64_t)c->r->opt.rtt_us / 2;

	for (; c->dripping && n; n--, p++) {
		if (c->next_byte < at)
			c->next_byte = at;
		pipe_put(&c->out, p, 1, c->next_byte, c->r->now);
		c->next_byte += (int64_t)c->trickle_us;
	}
	pipe_put(&c->out, p, n, at, c->r->now);
}

static void read_socket(struct conn *c)
{
	static char buf[READ_SIZE];

	while (!c->eof && !c->deaf) {
		ssize_t n = read(c->fd, buf, sizeof buf);

		if (n > 0) {
			if (c->ending == STAY && !c->stalled)
				pipe_put(&c->in, buf, (size_t)n, arrival(c), c->r->now);
			if ((size_t)n < sizeof buf)
				return;
		} else if (n < 0 && errno == EINTR) {
			continue;
		} else if (n < 0 && errno == EAGAIN) {
			return;
		} else {
			c->eof = true;
			if (n < 0)
				pipe_take(&c->out, pipe_ready(&c->out, INT64_MAX));
		}
	}
}

static void write_socket(struct conn *c)
{
	while (pipe_ready(&c->out, c->r->now)) {
		size_t n = c->dripping ? 1 : c->out.ready;
		ssize_t w = send(c->fd, pipe_front(&c->out), n, MSG_NOSIGNAL);

		if (w > 0) {
			pipe_take(&c->out, (size_t)w);
		} else if (w < 0 && errno == EINTR) {
			continue;
		} else if (w < 0 && errno == EAGAIN) {
			return;
		} else {
			c->eof = true;
			pipe_take(&c->out, pipe_ready(&c->out, INT64_MAX));
		}
	}
}

/* ---- TLS over the pipes */
static ssize_t tls_push(gnutls_transport_ptr_t ptr, const void *p, size_t n)
{
	conn_below(ptr, p, n);
	return (ssize_t)n;
}

static ssize_t tls_pull(gnutls_transport_ptr_t ptr, void *p, size_t n)
{
	struct conn *c = ptr;
	size_t have = pipe_ready(&c->in, c->r->now);

	if (!have) {
		if (c->eof && !pipe_held(&c->in))
			return 0;
		gnutls_transport_set_errno(c->tls, EAGAIN);
		return -1;
	}
	if (n > have)
		n = have;
	memcpy(p, pipe_front(&c->in), n);
	pipe_take(&c->in, n);
	return (ssize_t)n;
}

static int tls_pull_timeout(gnutls_transport_ptr_t ptr, unsigned ms)
{
	struct conn *c = ptr;

	(void)ms;
	return pipe_ready(&c->in, c->r->now) || c->eof;
}

static void tls_begin(struct conn *c)
{
	gnutls_init(&c->tls, GNUTLS_SERVER | GNUTLS_NONBLOCK);
	gnutls_priority_set(c->tls, c->r->priority);
	gnutls_credentials_set(c->tls, GNUTLS_CRD_CERTIFICATE, c->r->cred);
	if (c->r->opt.client_ca)
		gnutls_certificate_server_set_request(
			c->tls, c->r->opt.client_cert_required ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_REQUEST);
	gnutls_handshake_set_timeout(c->tls, GNUTLS_INDEFINITE_TIMEOUT);
	gnutls_transport_set_ptr(c->tls, c);
	gnutls_transport_set_push_function(c->tls, tls_push);
	gnutls_transport_set_pull_function(c->tls, tls_pull);
	gnutls_transport_set_pull_timeout_function(c->tls, tls_pull_timeout);
	c->tls_state = TLS_HANDSHAKE;
	c->tls_wanted = false;
	begin_event(c, EV_tls, span_of(""), span_of(""));
}

static void tls_failed(struct conn *c, const char *why)
{
	c->r->n.tls_failed++;
	note(c, "tls failed:", why, strlen(why));
	c->ending = END_CUT;
}

static void note_tls(struct conn *c)
{
	char *desc = gnutls_session_get_desc(c->tls), name[256] = "", line[512];
	size_t n = sizeof name;
	unsigned type;

	if (gnutls_server_name_get(c->tls, name, &n, &type, 0) < 0)
		name[0] = '\0';
	snprintf(line, sizeof line, "%s sni=%s", desc ? desc : "?", name);
	note(c, "tls", line, strlen(line));
	gnutls_free(desc);
}

static bool tls_handshake(struct conn *c)
{
	int rc = gnutls_handshake(c->tls);

	if (rc == GNUTLS_E_SUCCESS) {
		c->r->n.tls_handshakes++;
		c->tls_state = TLS_ON;
		note_tls(c);
		smtp_reset(c);
		c->hello = false;
		begin_event(c, EV_secured, span_of(""), span_of(""));
		return true;
	}
	if (gnutls_error_is_fatal(rc)) {
		if (rc != GNUTLS_E_PREMATURE_TERMINATION && rc != GNUTLS_E_FATAL_ALERT_RECEIVED)
			gnutls_alert_send_appropriate(c->tls, rc);
		tls_failed(c, rc == GNUTLS_E_FATAL_ALERT_RECEIVED
				      ? gnutls_alert_get_name(gnutls_alert_get(c->tls))
				      : gnutls_strerror(rc));
	}
	return rc != GNUTLS_E_AGAIN && rc != GNUTLS_E_INTERRUPTED;
}

/* ---- clear text in */
static void count_read(struct conn *c, size_t n)
{
	if (n && c->spoke) {
		c->r->n.round_trips++;
		c->spoke = false;
	}
}

static bool take_plain(struct conn *c)
{
	size_t n = pipe_ready(&c->in, c->r->now);

	if (!n)
		return false;
	buf_add(&c->text, pipe_front(&c->in), n);
	pipe_take(&c->in, n);
	count_read(c, n);
	return true;
}

static bool take_tls(struct conn *c)
{
	char *room;
	ssize_t n;
	bool any = false;

	while ((room = buf_room(&c->text, 16384))) {
		size_t before = pipe_held(&c->in);

		n = gnutls_record_recv(c->tls, room, 16384);
		if (n == GNUTLS_E_AGAIN) {
			if (pipe_held(&c->in) == before)
				break;	/* otherwise it was a handshake message: there may be more behind it */
		} else if (n > 0) {
			any = true;
			c->text.len += (size_t)n;
			count_read(c, (size_t)n);
		} else if (n == GNUTLS_E_REHANDSHAKE) {
			gnutls_alert_send(c->tls, GNUTLS_AL_WARNING, GNUTLS_A_NO_RENEGOTIATION);
		} else if (n == GNUTLS_E_INTERRUPTED) {
			continue;
		} else {
			c->r->n.no_close_notify += n < 0;
			c->eof = true;
			break;
		}
	}
	return any;
}

static void drop_used(struct conn *c)
{
	if (c->text_at == c->text.len) {
		buf_reset(&c->text);
		c->text_at = 0;
	} else if (c->text_at > 1u << 20) {
		buf_drop(&c->text, c->text_at);
		c->text_at = 0;
	}
}

/* ---- clear text out */
static void send_text(struct conn *c, const char *p, size_t n)
{
	if (c->tls_state != TLS_ON) {
		conn_below(c, p, n);
		return;
	}
	while (n) {
		ssize_t w = gnutls_record_send(c->tls, p, n);

		if (w < 0)
			return;
		p += w;
		n -= (size_t)w;
	}
}

void conn_flush(struct conn *c)
{
	if (!c->say.len || c->trickling)
		return;
	send_text(c, c->say.data, c->say.len);
	c->spoke = true;
	buf_reset(&c->say);
}

/* One byte of what is to be said, when its time has come. True: that was the last, the turn can go on. */
static bool trickle(struct conn *c)
{
	while (c->say.len && c->r->now >= c->next_byte) {
		send_text(c, c->say.data, 1);
		buf_drop(&c->say, 1);
		c->spoke = true;
		c->next_byte = c->r->now + (int64_t)c->trickle_us;
		if (!c->say.len)
			return true;
		if (c->trickle_us)
			break;
	}
	return false;
}

/* ---- events and scripts */
static int local_port(const struct conn *c)
{
	return c->implicit ? 465 : 587;
}

/* Starts the rule for this event, if a dialogue has one. The command line is copied: the script may outlive it. */
static bool begin_event(struct conn *c, enum event e, struct span verb, struct span arg)
{
	struct moment m = {.event = e, .nth = ++c->seen[e], .conn = c->number, .msg = c->messages + 1,
			   .bytes = c->message_bytes, .line = {verb.p, verb.n + arg.n},
			   .tls = c->tls_state == TLS_ON, .authed = c->authed, .nested = c->in_mail,
			   .port = local_port(c)};
	struct script *s = &c->script;

	if (arg.n && arg.p != verb.p + verb.n)
		m.line = (struct span){verb.p, (size_t)(arg.p + arg.n - verb.p)};
	s->rule = dialogue_match(&c->r->dialogue, &m);
	if (!s->rule)
		return false;
	c->r->n.rules_used++;
	s->next = 0;
	s->answered = false;
	s->event = e;
	buf_reset(&s->line);
	buf_add(&s->line, m.line.p, m.line.n);
	s->verb = (struct span){buf_str(&s->line), verb.n};
	s->arg = (struct span){buf_str(&s->line) + (m.line.n - arg.n), arg.n};
	return true;
}

bool conn_event(struct conn *c, enum event e, struct span verb, struct span arg)
{
	return begin_event(c, e, verb, arg);
}

static void effect(struct conn *c, bool forced, bool mute)
{
	if (c->script.answered && mute)
		return;
	c->script.answered = true;
	smtp_effect(c, forced, mute);
}

static void refuse(struct conn *c)
{
	if (!c->script.answered)
		smtp_refuse(c);
	c->script.answered = true;
}

static void act_reply(struct conn *c, const struct step *s)
{
	char class = s->len ? s->bytes[0] : '0';

	if (class == '3' && (c->script.event == EV_auth || c->script.event == EV_authline))
		smtp_ask_more(c);
	else if (class == '2' || class == '3')
		effect(c, true, true);
	else
		refuse(c);
	c->r->n.refused += class == '4' || class == '5';
	note(c, "S:", s->bytes, s->len);
	buf_add(&c->say, s->bytes, s->len);
}

static void act_send(struct conn *c, const struct step *s)
{
	for (uint64_t i = 0; i < s->n; i++)
		buf_add(&c->say, s->bytes, s->len);
	note(c, "S:", s->bytes, s->len);
}

static void act_below(struct conn *c, const struct step *s)
{
	conn_flush(c);
	for (uint64_t i = 0; i < s->n; i++)
		conn_below(c, s->bytes, s->len);
	note(c, "below TLS:", s->bytes, s->len);
}

static void act_garbage(struct conn *c, uint64_t n)
{
	uint32_t x = 2463534242u;

	for (uint64_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		buf_addc(&c->say, (char)(x >> 11));
	}
}

static void act_end(struct conn *c, enum ending how)
{
	conn_flush(c);
	c->ending = how;
}

static void act_slow(struct conn *c, uint64_t ms, bool below)
{
	conn_flush(c);
	c->trickle_us = ms * 1000;
	c->next_byte = c->r->now;
	c->trickling = !below;
	c->dripping = below;
}

static void act_rehandshake(struct conn *c)
{
	conn_flush(c);
	if (!c->tls)
		return;
	if (gnutls_protocol_get_version(c->tls) == GNUTLS_TLS1_3)
		gnutls_session_key_update(c->tls, GNUTLS_KU_PEER);
	else
		gnutls_rehandshake(c->tls);
}

static void act(struct conn *c, const struct step *s)
{
	switch (s->act) {
	case ACT_REPLY: act_reply(c, s); break;
	case ACT_SEND: act_send(c, s); break;
	case ACT_BELOW: act_below(c, s); break;
	case ACT_NORMAL: effect(c, false, false); break;
	case ACT_ACCEPT: effect(c, true, true); break;
	case ACT_REFUSE: refuse(c); break;
	case ACT_WAIT: conn_flush(c); c->blocked_until = c->r->now + (int64_t)s->n * 1000; break;
	case ACT_TRICKLE: act_slow(c, s->n, false); break;
	case ACT_DRIP: act_slow(c, s->n, true); break;
	case ACT_FLUSH: conn_flush(c); write_socket(c); break;
	case ACT_CLOSE: act_end(c, END_CLOSE); break;
	case ACT_CUT: act_end(c, END_CUT); break;
	case ACT_RESET: act_end(c, END_RESET); break;
	case ACT_STALL: conn_flush(c); c->stalled = true; break;
	case ACT_DEAF: conn_flush(c); c->deaf = true; break;
	case ACT_DISCARD: take_plain(c); c->text_at = c->text.len; break;
	case ACT_GARBAGE: act_garbage(c, s->n); break;
	case ACT_ALERT: conn_flush(c); if (c->tls) gnutls_alert_send(c->tls, GNUTLS_AL_FATAL, (int)s->n); break;
	case ACT_REHANDSHAKE: act_rehandshake(c); break;
	case ACT_TICKETS: conn_flush(c); c->stalled = c->flooding = true; break;
	case ACT_CHUNK_IS_TEXT: c->unswallowed = true; break;
	}
}

/* One step of the script; true if one was made. A script ends with its last step. */
static bool script_step(struct conn *c)
{
	struct script *s = &c->script;

	if (!s->rule || c->blocked_until)
		return false;
	if (s->next == s->rule->nsteps)
		s->rule = NULL;
	else
		act(c, &s->rule->steps[s->next++]);
	return true;
}

/* ---- the turn */

/* What comes of its own accord: accept, the handshake, the greeting. */
static bool open_step(struct conn *c)
{
	if (!c->opened) {
		int64_t at = c->born + (int64_t)(c->r->opt.rtt_us + c->r->opt.rtt_us / 2);

		if (!c->implicit && c->r->opt.rtt_us && c->r->now < at)
			return false;
		c->opened = true;
		begin_event(c, EV_accept, span_of(""), span_of(""));
		c->tls_wanted = c->implicit;
		return true;
	}
	if (c->tls_wanted) {
		conn_flush(c);
		c->r->n.behind_starttls += c->text_at < c->text.len;
		buf_reset(&c->text);
		c->text_at = 0;
		tls_begin(c);
		return true;
	}
	if (c->tls_state == TLS_HANDSHAKE)
		return tls_handshake(c);
	if (!c->greeted) {
		c->greeted = true;
		if (!begin_event(c, EV_greeting, span_of(""), span_of("")))
			smtp_greet(c);
		return true;
	}
	return false;
}

static bool turn(struct conn *c)
{
	if (c->ending != STAY || c->stalled || c->blocked_until)
		return false;
	if (c->trickling && c->say.len)
		return false;
	if (c->r->opt.half_duplex && pipe_held(&c->out))
		return false;
	if (c->script.rule)
		return script_step(c);
	if (open_step(c))
		return true;
	if (c->tls_state == TLS_HANDSHAKE || !c->greeted)
		return false;
	if (c->text_at < c->text.len && smtp_step(c))
		return true;
	drop_used(c);
	if (c->r->opt.half_duplex) {
		conn_flush(c);
		write_socket(c);
	}
	return c->tls_state == TLS_ON ? take_tls(c) : take_plain(c);
}

/* The end: what was said goes out, then as the ending wants it. True when the connection can be freed. */
static bool finish(struct conn *c)
{
	struct linger hard = {.l_onoff = 1, .l_linger = 0};

	if (c->say.len || pipe_held(&c->out))
		return c->eof;
	if (c->ending == END_RESET) {
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
		return true;
	}
	if (!c->lingers_until) {
		c->lingers_until = c->r->now + LINGER_US;
		if (c->ending == END_CLOSE && c->tls_state == TLS_ON) {
			gnutls_bye(c->tls, GNUTLS_SHUT_WR);
			return c->eof;
		}
	}
	shutdown(c->fd, SHUT_WR);
	return c->eof || c->r->now >= c->lingers_until;
}

/* Both directions are gone: the descriptor would be reported for ever. Timers do the rest. */
void conn_hangup(struct conn *c)
{
	epoll_ctl(c->r->epoll, EPOLL_CTL_DEL, c->fd, NULL);
	c->hup = true;
	if (c->deaf)
		c->eof = c->stalled = true;
	conn_service(c);
}

static void watch(struct conn *c)
{
	bool out = c->flooding || pipe_ready(&c->out, c->r->now) > 0, in = !c->eof && !c->deaf;
	struct epoll_event ev = {.events = (in ? EPOLLIN : 0u) | (out ? EPOLLOUT : 0u), .data.ptr = c};

	if (!c->hup && (out != c->registered_out || !in))
		epoll_ctl(c->r->epoll, EPOLL_CTL_MOD, c->fd, &ev);
	c->registered_out = out;
}

void conn_service(struct conn *c)
{
	bool over = false;

	if (c->blocked_until <= c->r->now)
		c->blocked_until = 0;
	read_socket(c);
	do {
		while (turn(c))
			;
	} while (c->trickling && trickle(c));
	conn_flush(c);
	if (c->flooding && !pipe_held(&c->out))
		flood(c);
	write_socket(c);
	if (c->eof && c->ending == STAY && !pipe_held(&c->in) && !c->script.rule && !c->stalled)
		c->ending = END_CLOSE;
	if (c->eof && (c->stalled || c->trickling || (c->hup && conn_next(c) == INT64_MAX)))
		over = true;
	if (c->ending != STAY && finish(c))
		over = true;
	write_socket(c);
	if (over)
		conn_free(c);
	else
		watch(c);
}

int64_t conn_next(const struct conn *c)
{
	int64_t next = pipe_next(&c->in), t = pipe_next(&c->out);

	next = t < next ? t : next;
	if (!c->opened && c->r->opt.rtt_us) {
		t = c->born + (int64_t)(c->r->opt.rtt_us + c->r->opt.rtt_us / 2);
		next = t < next ? t : next;
	}
	if (c->blocked_until && c->blocked_until < next)
		next = c->blocked_until;
	if (c->trickling && c->say.len && c->next_byte < next)
		next = c->next_byte;
	if (c->lingers_until && c->lingers_until < next)
		next = c->lingers_until;
	return next;
}

/* ---- birth and death */
static void tune(struct relay *r, int fd)
{
	int one = 1, n;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if ((n = (int)r->opt.rcvbuf))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &n, sizeof n);
	if ((n = (int)r->opt.sndbuf))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &n, sizeof n);
}

static void enlist(struct relay *r, struct conn *c)
{
	if (r->nconns == r->capconns) {
		r->capconns = r->capconns * 2 + 64;
		r->conns = realloc(r->conns, r->capconns * sizeof *r->conns);
		if (!r->conns)
			abort();
	}
	c->index = r->nconns;
	r->conns[r->nconns++] = c;
	r->n.connections++;
	r->n.connections_now = r->nconns;
	if (r->nconns > r->n.connections_max)
		r->n.connections_max = r->nconns;
}

struct conn *conn_new(struct relay *r, int fd, bool implicit)
{
	struct conn *c = calloc(1, sizeof *c);
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

	if (!c)
		abort();
	c->r = r;
	c->fd = fd;
	c->implicit = implicit;
	c->born = r->now;
	c->number = ++r->next_conn;
	buf_init(&c->text, 1u << 30);
	buf_init(&c->say, 1u << 30);
	buf_init(&c->envelope, LIMIT_ENVELOPE);
	buf_init(&c->sender, 1u << 20);
	buf_init(&c->script.line, 1u << 20);
	tune(r, fd);
	enlist(r, c);
	epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &ev);
	return c;
}

void conn_free(struct conn *c)
{
	struct relay *r = c->r;

	if (c->in_mail)
		r->n.aborted++;
	note(c, "closed", "", 0);
	auth_end(c);
	message_drop(c);
	if (c->tls)
		gnutls_deinit(c->tls);
	close(c->fd);
	r->conns[c->index] = r->conns[--r->nconns];
	r->conns[c->index]->index = c->index;
	r->n.connections_now = r->nconns;
	pipe_free(&c->in);
	pipe_free(&c->out);
	buf_free(&c->text);
	buf_free(&c->say);
	buf_free(&c->envelope);
	buf_free(&c->sender);
	buf_free(&c->script.line);
	free(c);
}
