#include "config.h"
#include "smtp/session.h"
#include "base/limits.h"
#include "smtp/login/mechanism.h"

#include <gsasl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	AUTH_LINE = 510,		/* an AUTH command with its initial response, without CR LF */
	ITERATIONS_MAX = 2000000,	/* SCRAM: a hostile relay would keep us busy for hours */
	ROUNDS = 10,
	SASL_LINE = LIMIT_SECRET * 2,
};

#define PHASE "performing the AUTH exchange"

/* One exchange; the same for libgsasl's mechanisms and those by hand. */
struct exchange {
	struct agent *a;
	const struct mechanism *m;
	Gsasl *lib;
	Gsasl_session *session;
	bool over;			/* our side is content: only now a 235 counts */
	bool answered;			/* by hand: the response was given */
	enum reason why;		/* we gave up */
	char wrong[200];		/* the same in words, or what the relay said in between */
};

/* ---- what libgsasl asks for */

static int bind_channel(struct agent *a, Gsasl_session *session, Gsasl_property prop)
{
	bool exporter = gnutls_protocol_get_version(a->ch.tls) >= GNUTLS_TLS1_3;
	gnutls_datum_t cb = {0};
	struct buf text;
	int rc = GSASL_NO_CALLBACK;

#if GSASL_VERSION_NUMBER >= 0x020000 && GNUTLS_VERSION_NUMBER >= 0x030702
	if (exporter != (prop == GSASL_CB_TLS_EXPORTER))
		return GSASL_NO_CALLBACK;
	if (gnutls_session_channel_binding(a->ch.tls, exporter ? GNUTLS_CB_TLS_EXPORTER : GNUTLS_CB_TLS_UNIQUE, &cb) <
	    0)
		return GSASL_NO_CALLBACK;
#else
	if (exporter || prop != GSASL_CB_TLS_UNIQUE ||
	    gnutls_session_channel_binding(a->ch.tls, GNUTLS_CB_TLS_UNIQUE, &cb) < 0)
		return GSASL_NO_CALLBACK;
#endif
	buf_init(&text, 1024);
	if (base64_encode(&text, cb.data, cb.size) == 0) {
		gsasl_property_set(session, prop, buf_str(&text));
		rc = GSASL_OK;
	}
	buf_free(&text);
	gnutls_free(cb.data);
	return rc;
}

static int answer(Gsasl *lib, Gsasl_session *session, Gsasl_property prop)
{
	struct exchange *x = gsasl_session_hook_get(session);

	(void)lib;
	switch (prop) {
	case GSASL_AUTHID:
		gsasl_property_set(session, prop, buf_str(&x->a->link.user));
		return GSASL_OK;
	case GSASL_PASSWORD:
		gsasl_property_set(session, prop, buf_str(&x->a->link.secret));
		return GSASL_OK;
	/* GSASL_AUTHZID is not set: an empty one becomes "a=" in SCRAM, which RFC 5802 has no place for (Dovecot
	 * refuses it). */
#if GSASL_VERSION_NUMBER >= 0x020000
	case GSASL_CB_TLS_EXPORTER:
#endif
	case GSASL_CB_TLS_UNIQUE:
		return x->m->binding ? bind_channel(x->a, session, prop) : GSASL_NO_CALLBACK;
	default:
		return GSASL_NO_CALLBACK;
	}
}

/* ---- one step: what the relay said (decoded) in, what to answer (clear) out */

static int give_up(struct exchange *x, enum reason why, const char *words)
{
	x->why = why;
	if (!x->wrong[0])
		snprintf(x->wrong, sizeof(x->wrong), "%s", words);
	return -1;
}

/* "r=...,s=...,i=4096": i must be there, decimal, and bounded. */
static int check_iterations(struct exchange *x, const struct buf *in)
{
	struct span rest = {buf_str(in), in->len}, part;
	uint64_t n;

	if (strncmp(x->m->name, "SCRAM-", 6) != 0 || !in->len || in->data[0] != 'r')
		return 0;
	while (span_word(&rest, ",", &part)) {
		if (part.n < 3 || part.p[0] != 'i' || part.p[1] != '=')
			continue;
		if (text_u64((struct span){part.p + 2, part.n - 2}, ITERATIONS_MAX, &n) && n > 0)
			return 0;
		return give_up(x, REASON_LOGIN_UNPROVEN, "the relay asks for an absurd number of SCRAM iterations");
	}
	return 0;
}

static int step_lib(struct exchange *x, const struct buf *in, struct buf *out)
{
	char *answered = NULL;
	size_t n = 0;
	int rc;

	if (check_iterations(x, in) < 0)
		return -1;
	rc = gsasl_step(x->session, buf_str(in), in->len, &answered, &n);
	if (rc == GSASL_SASLPREP_ERROR)
		return give_up(x, REASON_LOGIN_UNPREPARED, "user name or password can't be prepared by SASLprep "
			       "(is it UTF-8, without control characters?)");
	if (rc == GSASL_AUTHENTICATION_ERROR)
		return give_up(x, REASON_LOGIN_UNPROVEN, "the relay could not prove that it knows the password");
	if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE)
		return give_up(x, REASON_LOGIN_FAILED, gsasl_strerror(rc));
	if (rc == GSASL_OK)
		x->over = true;
	if (answered) {
		buf_add(out, answered, n);
		explicit_bzero(answered, n);
		gsasl_free(answered);
	}
	return buf_ok(out) ? 0 : give_up(x, REASON_CREDENTIAL_CONFIG, "the response is too long");
}

/* A saslname (RFC 5801 section 4). */
static void put_saslname(struct buf *out, const char *name)
{
	for (; *name; name++)
		if (*name == ',')
			buf_adds(out, "=2C");
		else if (*name == '=')
			buf_adds(out, "=3D");
		else
			buf_addc(out, *name);
}

static void token_response(struct exchange *x, struct buf *out)
{
	struct agent *a = x->a;

	if (strcmp(x->m->name, "XOAUTH2") == 0) {
		buf_addf(out, "user=%s\001auth=Bearer %s\001\001", buf_str(&a->link.user), buf_str(&a->link.secret));
		return;
	}
	buf_adds(out, "n,a=");
	put_saslname(out, buf_str(&a->link.user));
	buf_addf(out, ",\001host=%s\001port=%u\001auth=Bearer %s\001\001", a->set.host, a->ready.port,
		 buf_str(&a->link.secret));
}

/* XOAUTH2 and OAUTHBEARER: one response. A second 334 holds the reason of a refusal and wants one more line. */
static int step_token(struct exchange *x, const struct buf *in, struct buf *out)
{
	if (!x->answered) {
		token_response(x, out);
		x->answered = x->over = true;
		return buf_ok(out) ? 0 : give_up(x, REASON_CREDENTIAL_CONFIG, "the token is too long");
	}
	if (!x->wrong[0]) {
		struct buf words;

		buf_init(&words, sizeof(x->wrong) * 2);
		text_printable(&words, buf_str(in), in->len, sizeof(x->wrong) - 10);
		snprintf(x->wrong, sizeof(x->wrong), "%s", buf_str(&words));
		buf_free(&words);
	}
	x->over = false;
	if (strcmp(x->m->name, "OAUTHBEARER") == 0)
		buf_addc(out, '\001');
	return 0;
}

static int step(struct exchange *x, const struct buf *in, struct buf *out)
{
	return x->m->by_hand ? step_token(x, in, out) : step_lib(x, in, out);
}

/* ---- the dialogue */

static int send_line(struct exchange *x, const char *prefix, const struct buf *clear, const char *shown)
{
	struct buf line;
	int rc = -1;

	buf_init(&line, SASL_LINE);
	buf_adds(&line, prefix);
	if (clear && (clear->len || !prefix[0]))
		base64_encode(&line, buf_str(clear), clear->len);
	else if (clear)
		buf_addc(&line, '=');	/* an initial response that is there, and empty */
	if (buf_ok(&line))
		rc = agent_ask(x->a, buf_str(&line), shown, x->a->set.t_helo, PHASE);
	else
		agent_down(x->a, REASON_CREDENTIAL_CONFIG, "the credential is too long to be sent");
	buf_wipe(&line);
	channel_wipe(&x->a->ch);
	return rc;
}

/* AUTH NAME, with the initial response where there is one and the line stays within the limit. *held: the
 * response was kept back and is owed to the first 334. */
static int send_auth(struct exchange *x, struct buf *first, bool *held)
{
	char line[80], shown[96];
	size_t encoded = (first->len + 2) / 3 * 4;

	snprintf(line, sizeof(line), "AUTH %s ", x->m->name);
	snprintf(shown, sizeof(shown), "AUTH %s ****", x->m->name);
	*held = x->m->first && strlen(line) + encoded > AUTH_LINE;
	if (!x->m->first || *held) {
		line[strlen(line) - 1] = '\0';
		return send_line(x, line, NULL, line);
	}
	return send_line(x, line, first, shown);
}

/* The words of a 334, decoded. Some servers send "334" alone, or "334 " and nothing. */
static int challenge(struct exchange *x, struct buf *in)
{
	struct span words;
	size_t at = 0;

	buf_reset(in);
	if (!reply_line(&x->a->reply, &at, &words))
		return 0;
	words = span_trim(words);
	if (base64_decode(in, words.p, words.n) < 0) {
		buf_reset(in);
		if (x->m->first && !x->answered)
			return 0;
		/* LOGIN: whatever the prompt, its order is fixed */
		if (strcmp(x->m->name, "LOGIN") == 0)
			return 0;
		return give_up(x, REASON_LOGIN_FAILED, "the relay's challenge is not Base64");
	}
	return 0;
}

static int cancel(struct exchange *x)
{
	struct agent *a = x->a;

	if (agent_ask(a, "*", NULL, a->set.t_helo, PHASE) < 0)
		return -1;
	return agent_down(a, x->why, "SASL authentication with %s failed: %s: %s", agent_peer(a), x->m->name, x->wrong);
}

static int converse(struct exchange *x, struct buf *in, struct buf *out)
{
	struct agent *a = x->a;
	bool held;

	if (x->m->first && step(x, in, out) < 0)
		return agent_down(a, x->why, "SASL authentication with %s failed: %s: %s", agent_peer(a), x->m->name,
				  x->wrong);
	if (send_auth(x, out, &held) < 0)
		return -1;
	for (int round = 0; a->reply.code == 334 && round < ROUNDS; round++) {
		if (!held) {
			buf_reset(out);
			if (challenge(x, in) < 0 || step(x, in, out) < 0)
				return cancel(x);
		}
		held = false;
		if (send_line(x, "", out, "****") < 0)
			return -1;
	}
	return 0;
}

/* ---- the verdict on the login */

static int refused(struct exchange *x)
{
	struct agent *a = x->a;
	enum reason why = reply_reason(&a->reply, STAGE_LOGIN, false);
	char said[500];

	if (reason_class(why) != CLASS_LOGIN)
		return agent_refused(a, STAGE_LOGIN, "AUTH");
	return agent_down(a, why, "SASL authentication failed; server %s said: %s%s%s%s; %s", agent_peer(a),
			  reply_quote(&a->reply, said, sizeof(said)), x->wrong[0] ? " (" : "", x->wrong,
			  x->wrong[0] ? ")" : "", reason_text(why));
}

static int conclude(struct exchange *x)
{
	struct agent *a = x->a;

	if (a->reply.code != 235)
		return refused(x);
	if (!x->over)
		return agent_down(a, REASON_LOGIN_UNPROVEN, "SASL authentication with %s failed: it accepted the "
				  "login before the %s exchange was over, without proving that it knows the password",
				  agent_peer(a), x->m->name);
	snprintf(a->ready.mechanism, sizeof(a->ready.mechanism), "%s", x->m->name);
	a->authenticated = true;
	return 0;
}

static void wipe_property(Gsasl_session *s, Gsasl_property prop)
{
	const char *p = gsasl_property_fast(s, prop);

	if (p)
		explicit_bzero((void *)(uintptr_t)p, strlen(p));
}

static int begin(struct exchange *x)
{
	if (x->m->by_hand)
		return 0;
	if (gsasl_init(&x->lib) != GSASL_OK)
		return -1;
	gsasl_callback_set(x->lib, answer);
	if (gsasl_client_start(x->lib, x->m->name, &x->session) != GSASL_OK)
		return -1;
	gsasl_session_hook_set(x->session, x);
	return 0;
}

static void end(struct exchange *x)
{
	if (x->session) {
		wipe_property(x->session, GSASL_PASSWORD);
		gsasl_finish(x->session);
	}
	if (x->lib)
		gsasl_done(x->lib);
}

static int try(struct agent *a, const struct mechanism *m)
{
	struct exchange x = {.a = a, .m = m};
	struct buf in, out;
	int rc;

	buf_init(&in, LIMIT_REPLY_LINE);
	buf_init(&out, SASL_LINE);
	if (begin(&x) < 0)
		rc = agent_down(a, REASON_INTERNAL, "libgsasl cannot do %s", m->name);
	else
		rc = converse(&x, &in, &out);
	if (rc == 0)
		rc = conclude(&x);
	end(&x);
	buf_wipe(&in);
	buf_wipe(&out);
	return rc;
}

/* ---- the credential */

static void need_secret(struct agent *a)
{
	size_t mark = frame_begin(&a->link.out, FROM_AGENT_NEED_SECRET);

	frame_cstr(&a->link.out, a->set.host);
	frame_u32(&a->link.out, a->ready.port);
	frame_cstr(&a->link.out, a->ehlo.auth);
	frame_finish(&a->link.out, mark);
}

/* Whatever kept the credential from us, it is the login that waits for it. */
static enum reason no_credential(const struct error *e)
{
	if (reason_class(e->reason) == CLASS_LOGIN)
		return e->reason;
	return error_exit(e) == EX_TEMPFAIL ? REASON_CREDENTIAL_UNAVAILABLE : REASON_CREDENTIAL_CONFIG;
}

static int get_secret(struct agent *a)
{
	deadline until = deadline_in_ms((int64_t)a->set.t_secret * 1000);

	if (a->link.have_secret)
		return 0;
	need_secret(a);
	while (!a->link.have_secret) {
		int rc = agent_wait(a, until);

		if (rc < 0)
			return -1;
		if (rc == 0)
			return agent_down(a, REASON_CREDENTIAL_UNAVAILABLE, "no credential came within %d seconds",
					  a->set.t_secret);
		if (a->ch.eof || a->ch.in.len)
			return agent_reply(a, 1, PHASE) < 0 ? -1 :
			       agent_refused(a, STAGE_GREETING, "nothing: no command was sent");
	}
	if (a->link.no_secret.reason)
		return agent_down(a, no_credential(&a->link.no_secret), "%s", a->link.no_secret.text);
	return 0;
}

static int allowed(struct agent *a)
{
	if (tls_login_allowed(a))
		return 0;
	if (!a->ch.tls)
		return agent_down(a, REASON_TLS_PASSWORD_REFUSED, "the password is not sent to %s without TLS",
				  agent_peer(a));
	return agent_down(a, REASON_TLS_CERTIFICATE, "the password is not sent to %s: it is not verified",
			  agent_peer(a));
}

static int offered(struct agent *a)
{
	if (a->ehlo.auth[0])
		return 0;
	return agent_down(a, REASON_LOGIN_NOT_OFFERED, "%s offers no login (AUTH)%s", agent_peer(a),
			  a->ch.tls ? "" : " on a connection without TLS");
}

static bool passes(const char *text, Gsasl_saslprep_flags flags)
{
	char *prepared = NULL;
	int rc = gsasl_saslprep(text, flags, &prepared, NULL);

	if (prepared) {
		explicit_bzero(prepared, strlen(prepared));
		gsasl_free(prepared);
	}
	return rc != GSASL_SASLPREP_ERROR;
}

/* Whether letters younger than Unicode 3.2 may stand in it is not the same in all releases of libgsasl. */
static bool can_prepare(const char *text)
{
	return passes(text, 0) && passes(text, GSASL_ALLOW_UNASSIGNED);
}

/* SCRAM and CRAM-MD5 want a normal form of UTF-8, which a password in Latin-1 has not. Found out before any of them is
 * begun: the relay would count a login that failed. Where nobody but the relay reads it, another mechanism may send it
 * as it is. */
static bool needs_another(struct agent *a, const struct mechanism *m)
{
	if (!m->prepares || !tls_login_verified(a) ||
	    (can_prepare(buf_str(&a->link.user)) && can_prepare(buf_str(&a->link.secret))))
		return false;
	link_log(&a->link, LOG_INFORMATION,
		 "the user name or password for %s can't be prepared for %s by SASLprep (is it UTF-8, without "
		 "control characters?): trying another mechanism",
		 agent_peer(a), m->name);
	return true;
}

static int choose_and_try(struct agent *a)
{
	char refused_so_far[256] = "", why[600];
	struct delivery_down last = a->down;
	struct mechanism_question q = {
		.offered = a->ehlo.auth, .filter = a->set.mechanism_filter, .refused = refused_so_far,
		.options = a->ch.tls ? a->set.tls_security_options : a->set.security_options,
		.secret = a->link.secret_kind, .certificate = a->set.certfile[0] && a->ch.tls,
		.can_bind = a->ch.tls != NULL,
	};

	for (;;) {
		const struct mechanism *m = mechanism_choose(&q, why, sizeof(why));
		size_t n = strlen(refused_so_far);

		if (!m && n) {
			a->down = last;
			return -1;
		}
		if (!m)
			return agent_down(a, q.unprepared ? REASON_LOGIN_UNPREPARED : REASON_LOGIN_NO_MECHANISM,
					  "no login mechanism in common with %s: it offers %s",
					  agent_peer(a), why);
		if (m->secret != 'C' && !a->link.have_secret) {	/* EXTERNAL needs none of outpostd's */
			if (get_secret(a) < 0) {
				if (n)
					a->down = last;
				return -1;
			}
			q.secret = a->link.secret_kind;
			continue;
		}
		if (needs_another(a, m)) {
			q.unprepared = true;
			continue;
		}
		if (try(a, m) == 0)
			return 0;
		/* 504: it does not do what it offered. Nothing was held against the password yet; nor was it by a
		 * refused certificate. */
		if ((a->reply.code != 504 && m->secret != 'C') || reason_class(a->down.reason) != CLASS_LOGIN ||
		    a->ch.eof)
			return -1;
		snprintf(refused_so_far + n, sizeof(refused_so_far) - n, "%s ", m->name);
		last = a->down;
		memset(&a->down, 0, sizeof(a->down));
	}
}

int sasl_login(struct agent *a)
{
	int rc = -1;

	if (allowed(a) == 0 && offered(a) == 0)
		rc = choose_and_try(a);
	link_wipe_secret(&a->link);
	channel_wipe(&a->ch);
	return rc;
}
