#include "config.h"
#include "smtp/session.h"
#include "smtp/connection/certificate.h"

#include <stdio.h>
#include <string.h>

/* ---- the phases, each 0 or -1 with a->down */

static int greeting(struct agent *a)
{
	if (agent_reply(a, a->set.t_helo, "receiving the initial server greeting") < 0) {
		/* The commonest mistake: a port that speaks TLS from the start. */
		if (!a->ch.tls && a->down.reason == REASON_CONNECTION_TIMEOUT)
			a->down.reason = REASON_GREETING_TIMEOUT;
		return -1;
	}
	if (a->reply.code != 220)
		return agent_refused(a, STAGE_GREETING, "the connection");
	return 0;
}

static bool helo_will_do(const struct agent *a)
{
	return a->reply.code / 100 == 5 && !a->set.auth && (a->ch.tls || !tls_required(&a->set));
}

static int hello(struct agent *a)
{
	char line[300];
	const char *name = a->set.helo[0] ? a->set.helo : "localhost";

	snprintf(line, sizeof(line), "EHLO %s", name);
	if (agent_ask(a, line, NULL, a->set.t_helo, "performing the EHLO handshake") < 0)
		return -1;
	if (a->reply.code == 250) {
		ehlo_parse(&a->reply, &a->ehlo);
		return 0;
	}
	if (!helo_will_do(a))
		return agent_refused(a, STAGE_HELO, "EHLO command");
	snprintf(line, sizeof(line), "HELO %s", name);
	if (agent_ask(a, line, NULL, a->set.t_helo, "performing the HELO handshake") < 0)
		return -1;
	memset(&a->ehlo, 0, sizeof(a->ehlo));
	return reply_ok(&a->reply) ? 0 : agent_refused(a, STAGE_HELO, "HELO command");
}

/* Nothing that came before TLS is kept: neither bytes, nor what EHLO said. */
static int forget(struct agent *a)
{
	memset(&a->ehlo, 0, sizeof(a->ehlo));
	if (!a->ch.in.len)
		return 0;
	return agent_down(a, REASON_TLS_INJECTION, "host %s sent plain text after its answer to STARTTLS",
			  agent_peer(a));
}

static int not_offered(struct agent *a)
{
	if (!tls_required(&a->set))
		return 0;
	return agent_down(a, REASON_TLS_NOT_OFFERED, "TLS is required, but was not offered by host %s",
			  agent_peer(a));
}

static int starttls(struct agent *a)
{
	if (a->set.tls_level == TLS_NONE)
		return 0;
	if (!a->ehlo.starttls)
		return not_offered(a);
	if (agent_ask(a, "STARTTLS", NULL, a->set.t_starttls, "negotiating STARTTLS") < 0)
		return -1;
	if (a->reply.code != 220 && !tls_required(&a->set) && a->reply.code != 421)
		return 0;
	if (a->reply.code != 220)
		return agent_refused(a, STAGE_STARTTLS, "STARTTLS command");
	if (forget(a) < 0 || tls_start(a) < 0)
		return -1;
	return hello(a);
}

static int greet(struct agent *a)
{
	return greeting(a) < 0 || hello(a) < 0 ? -1 : 0;
}

static int login(struct agent *a)
{
	return a->set.auth ? sasl_login(a) : 0;
}

/* ---- what `outpost check` shows of each */

static void say_greeting(struct agent *a, char *out, size_t size)
{
	snprintf(out, size, "%s offers %.300s", agent_peer(a), a->ehlo.words[0] ? a->ehlo.words : "no extensions");
}

static void say_tls(struct agent *a, char *out, size_t size)
{
	char date[32] = "";

	if (!a->ch.tls) {
		snprintf(out, size, "no TLS");
		return;
	}
	if (a->cert.shown)
		cert_date(a->cert.expires, date, sizeof(date));
	snprintf(out, size, "%s: %.300s; certificate for %.200s, valid until %s%s%.300s",
		 a->ready.verified ? "verified" : "not verified", a->ready.tls_summary, a->cert.names, date,
		 a->cert.chain_problem[0] ? "; " : "", a->cert.chain_problem);
}

static void say_login(struct agent *a, char *out, size_t size)
{
	if (a->authenticated)
		snprintf(out, size, "logged in with %s", a->ready.mechanism);
	else
		snprintf(out, size, "not wanted (smtp_sasl_auth_enable = no)");
}

static const struct phase {
	const char *step;	/* of FROM_AGENT_STEP */
	int (*run)(struct agent *a);
	void (*say)(struct agent *a, char *out, size_t size);
} with_implicit_tls[] = {
	{"tls", tls_start, say_tls}, {"greeting", greet, say_greeting}, {"auth", login, say_login},
}, with_starttls[] = {
	{"greeting", greet, say_greeting}, {"tls", starttls, say_tls}, {"auth", login, say_login},
};

enum { PHASES = sizeof(with_starttls) / sizeof(with_starttls[0]) };

static void told(struct agent *a, const char *step, enum reason why, int64_t since, const char *text)
{
	if (a->set.check_only)
		link_step(&a->link, step, why, clock_mono_ms() - since, "%s", text);
}

static int run_phase(struct agent *a, const struct phase *p)
{
	int64_t since = clock_mono_ms();
	char text[1000] = "";

	if (p->run(a) < 0) {
		told(a, p->step, a->down.reason, since, a->down.text);
		return -1;
	}
	p->say(a, text, sizeof(text));
	told(a, p->step, REASON_NONE, since, text);
	return 0;
}

static int connect_step(struct agent *a, struct endpoints *e)
{
	int64_t since = clock_mono_ms();
	char text[400];

	if (dial(a, e) < 0) {
		told(a, "connect", a->down.reason, since, a->down.text);
		return -1;
	}
	snprintf(text, sizeof(text), "%s:%u", agent_peer(a), a->ready.port);
	told(a, "connect", REASON_NONE, since, text);
	return 0;
}

/* ---- one endpoint after the other */

/* A refused login, or something that main.cf must fix before anything is connected, is no better at the next
 * address. */
static bool next_may_help(const struct agent *a, const struct endpoints *e)
{
	enum reason_class c = reason_class(a->down.reason);

	return dial_more(e) && c != CLASS_LOGIN && c != CLASS_LOCAL && (c != CLASS_ADMIN || a->ch.fd >= 0) &&
		!a->set.check_only;
}

static void start_over(struct agent *a)
{
	channel_close(&a->ch);
	memset(&a->down, 0, sizeof(a->down));
	memset(&a->ehlo, 0, sizeof(a->ehlo));
	memset(&a->cert, 0, sizeof(a->cert));
	memset(&a->ready, 0, sizeof(a->ready));
	reply_free(&a->reply);
	reply_init(&a->reply);
}

/* Level may: a relay whose TLS fails is tried again without, where no password is at stake. */
static bool plain_will_do(struct agent *a)
{
	if (!tls_caused(a->down.reason) || a->set.tls_level != TLS_MAY || a->set.implicit_tls || a->set.auth)
		return false;
	link_log(&a->link, LOG_INFORMATION, "%s; trying without TLS", a->down.text);
	a->set.tls_level = TLS_NONE;
	return true;
}

int session_talk(struct agent *a)
{
	const struct phase *phases = a->set.implicit_tls ? with_implicit_tls : with_starttls;

	for (size_t i = 0; i < PHASES; i++)
		if (run_phase(a, &phases[i]) < 0)
			return -1;
	return 0;
}

/* From here on only the relay is spoken to: nothing of this machine is needed any more. */
static void shut_in(struct agent *a, const struct endpoints *e)
{
	if (a->shut_in)
		return;
	link_log(&a->link, LOG_DEBUGGING, "given up: %s",
		 agent_sandbox_all(dial_more(e) || a->set.tls_level == TLS_MAY));
	a->shut_in = true;
}

static int try_one(struct agent *a, struct endpoints *e)
{
	if (connect_step(a, e) < 0)
		return -1;
	shut_in(a, e);
	return session_talk(a);
}

static void say_ready(struct agent *a)
{
	a->connect_us = clock_mono_ms() * 1000 - a->started_us;
	a->ready.connect_us = a->connect_us;
	a->ready.size_limit = a->ehlo.size_limit;
	snprintf(a->ready.extensions, sizeof(a->ready.extensions), "%s", a->ehlo.words);
	delivery_put_ready(&a->link.out, &a->ready);
}

int session_open(struct agent *a, struct endpoints *e)
{
	a->started_us = clock_mono_ms() * 1000;
	while (try_one(a, e) < 0) {
		if (plain_will_do(a)) {
			for (size_t i = 0; i < e->n; i++)
				e->list[i].tried = false;
		} else if (!next_may_help(a, e)) {
			return -1;
		} else {
			link_log(&a->link, LOG_INFORMATION, "%s; trying the next address", a->down.text);
		}
		start_over(a);
	}
	say_ready(a);
	return 0;
}

int session_check_sender(struct agent *a)
{
	int64_t since = clock_mono_ms();
	char line[sizeof(a->set.check_sender) + 16];
	char said[600];

	if (!a->set.check_sender[0])
		return 0;
	snprintf(line, sizeof(line), "MAIL FROM:<%s>", a->set.check_sender);
	if (agent_ask(a, line, NULL, a->set.t_mail, "sending MAIL FROM") < 0)
		return -1;
	told(a, "sender", reply_reason(&a->reply, STAGE_MAIL, a->authenticated), since,
	     reply_quote(&a->reply, said, sizeof(said)));
	return agent_ask(a, "RSET", NULL, a->set.t_rset, "sending RSET");
}

void session_quit(struct agent *a)
{
	if (a->ch.fd >= 0 && !a->ch.eof) {
		agent_transcript(a, '>', "QUIT", 4);
		buf_adds(&a->ch.out, "QUIT\r\n");
	}
	channel_bye(&a->ch);
}
