#include "config.h"
#include "smtp/agent.h"
#include "base/limits.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static short wanted_of_relay(struct agent *a)
{
	short events = a->ch.in.len < CHANNEL_FULL ? POLLIN : 0;

	if (channel_unsent(&a->ch) && !a->link.out.len)
		events |= POLLOUT;
	return events;
}

static short wanted_of_link(struct agent *a)
{
	return (short)((link_hungry(&a->link) ? POLLIN : 0) | (a->link.out.len ? POLLOUT : 0));
}

/* GnuTLS may hold bytes that poll doesn't know of. */
static bool bytes_inside(struct agent *a)
{
	return a->ch.tls && !a->ch.shaking && a->ch.in.len < CHANNEL_FULL && gnutls_record_check_pending(a->ch.tls) > 0;
}

static int send_both(struct agent *a)
{
	if (link_flush(&a->link) < 0)
		return -1;
	if (!a->link.out.len && a->ch.fd >= 0 && !a->ch.eof && channel_unsent(&a->ch))
		channel_flush(&a->ch);
	return 0;
}

deadline agent_sign(struct agent *a)
{
	if (!a->sign)
		return DEADLINE_NEVER;
	if (deadline_over(a->sign)) {
		if (!a->link.out.len)
			link_say(&a->link, FROM_AGENT_ALIVE);
		a->sign = deadline_in_ms(SIGN_OF_LIFE * 1000);
	}
	return a->sign;
}

static int gone(struct agent *a)
{
	return agent_down(a, REASON_TEMPORARY, "outpostd is gone");
}

/* With nothing to do nobody waits for us, and nothing wakes us. */
static bool idle(const struct agent *a, deadline until)
{
	return until == DEADLINE_NEVER && !a->link.first;
}

int agent_wait(struct agent *a, deadline until)
{
	struct pollfd p[2] = {{.fd = a->link.fd}, {.fd = a->ch.fd}};
	deadline sign = idle(a, until) ? DEADLINE_NEVER : agent_sign(a);
	bool full = a->ch.out.len >= CHANNEL_FULL;
	int n;

	if (send_both(a) < 0)
		return gone(a);
	if (full && a->ch.out.len < CHANNEL_FULL)
		return 1;	/* there is room again, and no event will say so */
	if (a->ch.fd >= 0 && a->ch.eof)
		return 1;
	if (bytes_inside(a)) {
		channel_fill(&a->ch);
		return 1;
	}
	p[0].events = wanted_of_link(a);
	p[1].events = a->ch.fd >= 0 ? wanted_of_relay(a) : 0;
	do
		n = poll(p, 2, deadline_poll(deadline_first(until, sign)));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return agent_down(a, REASON_SYSTEM, "poll: %s", strerror(errno));
	if (n == 0)
		return deadline_over(until) ? 0 : 1;
	if ((p[0].revents & (POLLIN | POLLHUP | POLLERR)) && link_fill(&a->link) < 0)
		return gone(a);
	if ((p[1].revents & (POLLIN | POLLHUP | POLLERR)) && channel_fill(&a->ch) == 0 && deadline_over(until))
		/* records without text, such as session tickets: who sends them without end is late all the same */
		return 0;
	return send_both(a) < 0 ? gone(a) : 1;
}

const char *agent_peer(const struct agent *a)
{
	static char peer[sizeof(a->ready.host) + sizeof(a->ready.address) + 8];

	if (!a->ready.host[0])
		return a->set.host;
	snprintf(peer, sizeof(peer), "%s[%s]", a->ready.host, a->ready.address);
	return peer;
}

int agent_down(struct agent *a, enum reason why, const char *fmt, ...)
{
	struct delivery_down *d = &a->down;
	va_list ap;

	if (d->reason)
		return -1;
	va_start(ap, fmt);
	delivery_vsay_down(d, why, fmt, ap);
	va_end(ap);
	snprintf(d->host, sizeof(d->host), "%s", a->ready.host[0] ? a->ready.host : a->set.host);
	snprintf(d->address, sizeof(d->address), "%s", a->ready.address);
	d->port = a->ready.port;
	return -1;
}

void agent_say_refusal(const struct agent *a, const char *what, char *out, size_t size)
{
	char said[LIMIT_REPLY_TEXT - 500];

	snprintf(out, size, "host %s said: %s (in reply to %s)", agent_peer(a),
		 reply_quote(&a->reply, said, sizeof(said)), what);
}

int agent_refused(struct agent *a, enum reply_stage stage, const char *what)
{
	enum reason why = reply_reason(&a->reply, stage, a->authenticated);
	enum reason_class c = reason_class(why);
	char words[LIMIT_REPLY_TEXT];

	if (a->down.reason)
		return -1;
	if (c == CLASS_RECIPIENT || c == CLASS_MESSAGE)
		why = REASON_RELAY_BUSY;	/* it ends the session, whomever it is about */
	agent_say_refusal(a, what, words, sizeof(words));
	agent_down(a, why ? why : REASON_SMTP_PROTOCOL, "%s", words);
	if (a->reply.dsn[0] && c != CLASS_LOGIN)
		snprintf(a->down.dsn, sizeof(a->down.dsn), "4%s", a->reply.dsn + 1);
	a->down.retry_after = reply_seconds(&a->reply);
	return -1;
}

/* A line for each line of a reply. */
void agent_transcript(struct agent *a, char direction, const char *p, size_t n)
{
	struct span rest = {p, n}, part;
	struct buf line;

	if (!a->set.transcript)
		return;
	buf_init(&line, 1200);
	while (span_word(&rest, "\n", &part)) {
		buf_reset(&line);
		text_printable(&line, part.p, part.n, 1000);
		link_log(&a->link, LOG_INFORMATION, "%s: %c %s", agent_peer(a), direction, buf_str(&line));
	}
	buf_free(&line);
}

/* In TLS 1.3 the relay judges our certificate, or that we have none, when the handshake is over for us. */
int agent_lost(struct agent *a, const char *what)
{
	if (a->ch.alert)
		return agent_down(a, REASON_TLS_CLIENT_CERTIFICATE, "TLS with %s failed: the relay refused our "
				  "client certificate, or that there is none: %s", agent_peer(a), a->ch.trouble);
	return agent_down(a, REASON_CONNECTION_LOST, "lost connection with %s while %s%s%s%s", agent_peer(a), what,
			  a->ch.trouble[0] ? " (" : "", a->ch.trouble, a->ch.trouble[0] ? ")" : "");
}

static int wait_more(struct agent *a, deadline until, const char *what)
{
	int rc;

	if (a->ch.eof)
		return agent_lost(a, what);
	rc = agent_wait(a, until);
	if (rc == 0)
		return agent_down(a, REASON_CONNECTION_TIMEOUT, "conversation with %s timed out while %s",
				  agent_peer(a), what);
	return rc < 0 ? -1 : 0;
}

int agent_take_reply(struct agent *a)
{
	size_t used;
	int rc = reply_take(&a->reply, (struct span){buf_str(&a->ch.in), a->ch.in.len}, &used);

	buf_drop(&a->ch.in, used);
	if (rc > 0)
		agent_transcript(a, '<', buf_str(&a->reply.text), a->reply.text.len);
	return rc;
}

int agent_reply(struct agent *a, int seconds, const char *what)
{
	deadline until = deadline_in_ms((int64_t)seconds * 1000);

	for (;;) {
		int rc = agent_take_reply(a);

		if (rc > 0)
			break;
		if (rc < 0)
			return agent_down(a, REASON_SMTP_PROTOCOL, "host %s sent %s while %s", agent_peer(a),
					  a->reply.wrong, what);
		if (wait_more(a, until, what) < 0)
			return -1;
	}
	if (a->ch.in.len)
		return agent_down(a, REASON_SMTP_PROTOCOL, "host %s sent more than one reply while %s",
				  agent_peer(a), what);
	return 0;
}

/* Something came although nothing was asked: a 421 that closes the session, or an attack. */
static int unasked(struct agent *a, const char *what)
{
	if (agent_reply(a, 1, what) < 0)
		return -1;
	if (a->reply.code == 421)
		return 0;
	return agent_down(a, REASON_SMTP_PROTOCOL, "host %s answered a command that was never sent, while %s",
			  agent_peer(a), what);
}

int agent_ask(struct agent *a, const char *line, const char *shown, int seconds, const char *what)
{
	if (a->ch.in.len)
		return unasked(a, what);
	if (a->ch.eof)
		return agent_lost(a, what);
	agent_transcript(a, '>', shown ? shown : line, strlen(shown ? shown : line));
	buf_adds(&a->ch.out, line);
	buf_adds(&a->ch.out, "\r\n");
	if (!buf_ok(&a->ch.out))
		return agent_down(a, REASON_SYSTEM, "out of memory");
	return agent_reply(a, seconds, what);
}
