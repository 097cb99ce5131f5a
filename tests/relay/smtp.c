/*
 * smtp.c: the server's side of RFC 5321 and its extensions.
 *
 * A command is looked up in a table and carried out by its function, which changes the state and
 * replies. When a dialogue has a rule for it, its script decides instead: smtp_effect carries the
 * command out without its reply (mute) and without its checks (forced), smtp_refuse does what follows
 * from a refusal.
 */
#include "config.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "tests/relay/relay.h"

enum { LINE_MAX_SEEN = 1 << 20, BODY_STEP = 4096 };

/* ---- replies */

/* Takes the enhanced status out of "250 2.1.0 Ok" where it was not offered. */
static void strip_enhanced(char *line)
{
	char *p = line + 4;

	if (strlen(line) < 10 || !ascii_digit(p[0]) || p[1] != '.')
		return;
	p += strcspn(p, " ");
	if (*p)
		memmove(line + 4, p + 1, strlen(p));
}

void reply(struct conn *c, const char *fmt, ...)
{
	char line[LIMIT_REPLY_LINE > 8192 ? 8192 : LIMIT_REPLY_LINE];
	va_list ap;

	if (c->mute)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	if (!(c->r->opt.ext & EXT_ENHANCED))
		strip_enhanced(line);
	c->r->n.refused += *line == '4' || *line == '5';
	note(c, "S:", line, strlen(line));
	buf_adds(&c->say, line);
	buf_adds(&c->say, "\r\n");
}

/* Replies and says true when the command is out of order, unless a dialogue wants it to be in order. */
static bool wrong(struct conn *c, bool is, const char *text)
{
	if (!is || c->forced)
		return false;
	reply(c, "%s", text);
	return true;
}

static bool offers(const struct conn *c, unsigned ext)
{
	return c->r->opt.ext & ext;
}

void smtp_greet(struct conn *c)
{
	reply(c, "220 %s ESMTP", c->r->opt.name);
}

void smtp_reset(struct conn *c)
{
	message_drop(c);
	c->in_mail = c->chunk_bad = c->body8 = c->has8 = c->utf8 = c->last_cr = false;
	c->rcpts = c->message_bytes = c->line_length = 0;
	c->data_state = 0;
	c->seen[EV_body] = 0;
	buf_reset(&c->envelope);
	buf_reset(&c->sender);
}

/* ---- session commands */
static bool may_auth(const struct conn *c)
{
	return c->r->opt.nmechs && (c->tls_state == TLS_ON || c->r->opt.auth_without_tls);
}

static bool offers_starttls(const struct conn *c)
{
	return c->r->opt.certs && c->tls_state == TLS_OFF && !c->r->opt.no_starttls;
}

static void do_ehlo(struct conn *c, struct span arg)
{
	static const struct {
		unsigned ext;
		const char *word;
	} words[] = {{EXT_PIPELINING, "PIPELINING"}, {EXT_8BITMIME, "8BITMIME"}, {EXT_SMTPUTF8, "SMTPUTF8"},
		     {EXT_DSN, "DSN"}, {EXT_CHUNKING, "CHUNKING"}};
	struct buf mechs;

	if (wrong(c, !arg.n, "501 5.5.4 Syntax: EHLO hostname"))
		return;
	smtp_reset(c);
	c->hello = c->esmtp = true;
	reply(c, "250-%s", c->r->opt.name);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (offers(c, words[i].ext))
			reply(c, "250-%s", words[i].word);
	if (offers(c, EXT_SIZE) && c->r->opt.size)
		reply(c, "250-SIZE %llu", (unsigned long long)c->r->opt.size);
	else if (offers(c, EXT_SIZE))
		reply(c, "250-SIZE");
	if (offers_starttls(c))
		reply(c, "250-STARTTLS");
	if (may_auth(c)) {
		buf_init(&mechs, 4096);
		auth_list(c, &mechs);
		reply(c, "250-AUTH%s", buf_str(&mechs));
		buf_free(&mechs);
	}
	if (offers(c, EXT_ENHANCED))
		reply(c, "250-ENHANCEDSTATUSCODES");
	reply(c, "250 HELP");
}

static void do_helo(struct conn *c, struct span arg)
{
	if (wrong(c, !arg.n, "501 5.5.4 Syntax: HELO hostname"))
		return;
	smtp_reset(c);
	c->hello = true;
	c->esmtp = false;
	reply(c, "250 %s", c->r->opt.name);
}

static void do_starttls(struct conn *c, struct span arg)
{
	if (wrong(c, c->tls_state != TLS_OFF, "503 5.5.1 TLS is on already") ||
	    wrong(c, !offers_starttls(c), "502 5.5.1 STARTTLS is not offered") ||
	    wrong(c, arg.n, "501 5.5.4 STARTTLS takes no argument"))
		return;
	if (!c->r->opt.certs) {
		reply(c, "454 4.7.0 TLS not available");
		return;
	}
	c->tls_wanted = true;
	reply(c, "220 2.0.0 Ready to start TLS");
}

static void do_auth(struct conn *c, struct span arg)
{
	struct span mech, rest = arg;

	if (wrong(c, c->authed, "503 5.5.1 Already authenticated") ||
	    wrong(c, !c->esmtp || c->in_mail, "503 5.5.1 AUTH not permitted now") ||
	    wrong(c, !may_auth(c), "538 5.7.11 Encryption required for authentication"))
		return;
	if (!span_word(&rest, " ", &mech)) {
		reply(c, "501 5.5.4 Syntax: AUTH mechanism");
		return;
	}
	rest = span_trim(rest);
	if (c->forced) {	/* a dialogue says that this went well */
		c->authed = true;
		return;
	}
	auth_start(c, mech, rest, rest.n > 0);
}

static void do_authline(struct conn *c, struct span arg)
{
	if (c->forced) {
		c->authed = true;
		auth_end(c);
		return;
	}
	auth_line(c, arg);
}

/* ---- the envelope */

/* "<address> PARAM PARAM" into its parts. */
static bool split_path(struct span arg, const char *prefix, struct span *address, struct span *params)
{
	size_t n = strlen(prefix);
	const char *end;

	if (arg.n < n || !span_iscase((struct span){arg.p, n}, prefix))
		return false;
	arg = span_trim((struct span){arg.p + n, arg.n - n});
	if (!arg.n || *arg.p != '<' || !(end = memchr(arg.p, '>', arg.n)))
		return false;
	/* a quoted local part may hold '>' */
	for (const char *p = end; p < arg.p + arg.n && *p != ' '; p++)
		if (*p == '>')
			end = p;
	*address = (struct span){arg.p + 1, (size_t)(end - arg.p - 1)};
	*params = span_trim((struct span){end + 1, arg.n - (size_t)(end + 1 - arg.p)});
	return true;
}

static void envelope_json(struct buf *out, struct span address, struct span params)
{
	struct span word;
	bool first = true;

	buf_adds(out, "{\"address\":\"");
	text_json(out, address.p, address.n);
	buf_adds(out, "\",\"params\":[");
	while (span_word(&params, " ", &word)) {
		buf_adds(out, first ? "\"" : ",\"");
		text_json(out, word.p, word.n);
		buf_addc(out, '"');
		first = false;
	}
	buf_adds(out, "]}");
}

static bool starts(struct span s, const char *word)
{
	size_t n = strlen(word);

	return s.n >= n && span_iscase((struct span){s.p, n}, word);
}

/* NULL, or why this parameter of MAIL can't be taken. */
static const char *mail_param(struct conn *c, struct span w)
{
	uint64_t size;

	if (starts(w, "SIZE=")) {
		if (!offers(c, EXT_SIZE))
			return "555 5.5.4 SIZE was not offered";
		if (!text_u64((struct span){w.p + 5, w.n - 5}, INT64_MAX, &size))
			return "501 5.5.4 Bad SIZE";
		return c->r->opt.size && size > c->r->opt.size ? "552 5.3.4 Message size exceeds limit" : NULL;
	}
	if (starts(w, "BODY=")) {
		c->body8 = span_iscase(w, "BODY=8BITMIME");
		return offers(c, EXT_8BITMIME) ? NULL : "555 5.5.4 8BITMIME was not offered";
	}
	if (span_iscase(w, "SMTPUTF8")) {
		c->utf8 = true;
		return offers(c, EXT_SMTPUTF8) ? NULL : "555 5.5.4 SMTPUTF8 was not offered";
	}
	if (starts(w, "RET=") || starts(w, "ENVID="))
		return offers(c, EXT_DSN) ? NULL : "555 5.5.4 DSN was not offered";
	return starts(w, "AUTH=") ? NULL : "555 5.5.4 Unsupported parameter";
}

static bool bad_params(struct conn *c, struct span params, const char *(*check)(struct conn *, struct span))
{
	struct span word;
	const char *why;

	while (span_word(&params, " ", &word))
		if ((why = check(c, word)) && wrong(c, true, why))
			return true;
	return false;
}

static void do_mail(struct conn *c, struct span arg)
{
	struct span address = {"", 0}, params = {"", 0};
	struct relay *r = c->r;

	r->n.mail++;
	if (!r->n.first_mail_us)
		r->n.first_mail_us = r->now;
	if (wrong(c, !c->hello, "503 5.5.1 Say EHLO first") ||
	    wrong(c, offers_starttls(c) && !r->opt.plain_ok, "530 5.7.0 Must issue a STARTTLS command first") ||
	    wrong(c, r->opt.nusers && !c->authed && !r->opt.auth_optional, "530 5.7.0 Authentication required") ||
	    wrong(c, c->in_mail, "503 5.5.1 Nested MAIL command") ||
	    wrong(c, !split_path(arg, "FROM:", &address, &params), "501 5.1.7 Bad sender address syntax"))
		return;
	if (!c->in_mail)
		smtp_reset(c);
	if (bad_params(c, params, mail_param))
		return;
	if (wrong(c, !c->utf8 && text_8bit(address.p, address.n), "553 5.6.7 SMTPUTF8 is needed"))
		return;
	if (r->opt.max_messages && c->messages >= r->opt.max_messages) {
		reply(c, "421 4.7.0 Too many messages on this connection");
		c->ending = END_CLOSE;
		return;
	}
	c->in_mail = true;
	buf_reset(&c->sender);
	envelope_json(&c->sender, address, params);
	reply(c, "250 2.1.0 Ok");
}

static const char *rcpt_param(struct conn *c, struct span w)
{
	if (!starts(w, "NOTIFY=") && !starts(w, "ORCPT="))
		return "555 5.5.4 Unsupported parameter";
	return offers(c, EXT_DSN) ? NULL : "555 5.5.4 DSN was not offered";
}

/* Local parts that say what shall become of them: handy where a dialogue would be too much. */
static const char *marked_recipient(struct span address)
{
	if (starts(address, "reject"))
		return "550 5.1.1 User unknown";
	return starts(address, "tempfail") ? "451 4.3.0 Try again later" : NULL;
}

static void do_rcpt(struct conn *c, struct span arg)
{
	struct span address = {"", 0}, params = {"", 0};
	const char *mark;

	if (wrong(c, !c->in_mail, "503 5.5.1 Need MAIL command") ||
	    wrong(c, !split_path(arg, "TO:", &address, &params) || !address.n,
		  "501 5.1.3 Bad recipient address syntax") ||
	    bad_params(c, params, rcpt_param) ||
	    wrong(c, !c->utf8 && text_8bit(address.p, address.n), "553 5.6.7 SMTPUTF8 is needed") ||
	    wrong(c, c->r->opt.max_rcpts && c->rcpts >= c->r->opt.max_rcpts, "452 4.5.3 Too many recipients"))
		return;
	if ((mark = marked_recipient(address)) && wrong(c, true, mark))
		return;
	if (c->rcpts++)
		buf_addc(&c->envelope, ',');
	envelope_json(&c->envelope, address, params);
	reply(c, "250 2.1.5 Ok");
}

/* ---- the message */
static void do_data(struct conn *c, struct span arg)
{
	(void)arg;
	if (wrong(c, !c->in_mail, "503 5.5.1 Need MAIL command") ||
	    wrong(c, !c->rcpts, "554 5.5.1 No valid recipients"))
		return;
	c->mode = MODE_DATA;
	c->data_state = 0;
	reply(c, "354 End data with <CR><LF>.<CR><LF>");
}

/* The chunk is always swallowed; whether it can be taken is said behind it. */
static void do_bdat(struct conn *c, struct span arg)
{
	struct span word;
	uint64_t n;

	c->r->n.bdat++;
	if (!span_word(&arg, " ", &word) || !text_u64(word, INT64_MAX, &n)) {
		reply(c, "501 5.5.4 Syntax: BDAT size [LAST]");
		return;
	}
	c->chunk_left = n;
	c->chunk_last = span_iscase(span_trim(arg), "LAST");
	c->chunk_bad = !offers(c, EXT_CHUNKING) || !c->in_mail || !c->rcpts;
	c->mode = MODE_CHUNK;
}

static void end_message(struct conn *c);

static void chunk_end(struct conn *c)
{
	c->mode = MODE_COMMAND;
	if (c->unswallowed) {		/* the refusal was said already */
		c->unswallowed = false;
	} else if (c->chunk_bad) {
		reply(c, !offers(c, EXT_CHUNKING) ? "502 5.5.1 CHUNKING is not offered"
			 : !c->in_mail		  ? "503 5.5.1 Need MAIL command"
						  : "554 5.5.1 No valid recipients");
		if (c->chunk_last)
			smtp_reset(c);
	} else if (c->chunk_last) {
		end_message(c);
	} else {
		reply(c, "250 2.0.0 %llu octets received", (unsigned long long)c->message_bytes);
	}
}

static void do_eod(struct conn *c, struct span arg)
{
	(void)arg;
	if (c->r->opt.size && c->message_bytes > c->r->opt.size && !c->forced) {
		reply(c, "552 5.3.4 Message too big");
	} else {
		message_accept(c);
		reply(c, "250 2.0.0 Ok: queued as R%llu", (unsigned long long)c->r->next_message);
	}
	smtp_reset(c);
}

static void end_message(struct conn *c)
{
	c->mode = MODE_COMMAND;
	if (!conn_event(c, EV_eod, span_of(""), span_of("")))
		do_eod(c, span_of(""));
}

static void do_rset(struct conn *c, struct span arg)
{
	(void)arg;
	c->r->n.rset++;
	smtp_reset(c);
	reply(c, "250 2.0.0 Ok");
}

static void do_noop(struct conn *c, struct span arg)
{
	(void)arg;
	reply(c, "250 2.0.0 Ok");
}

static void do_vrfy(struct conn *c, struct span arg)
{
	(void)arg;
	reply(c, "252 2.0.0 Send it and see");
}

static void do_quit(struct conn *c, struct span arg)
{
	(void)arg;
	reply(c, "221 2.0.0 Bye");
	c->ending = END_CLOSE;
}

static void do_unknown(struct conn *c, struct span arg)
{
	(void)arg;
	reply(c, "500 5.5.2 Error: command not recognized");
}

static void do_greeting(struct conn *c, struct span arg)
{
	(void)arg;
	smtp_greet(c);
}

/* ---- dispatch */
static const struct command {
	const char *verb;
	enum event event;
	void (*run)(struct conn *, struct span);
	bool ends_group;	/* nothing may be pipelined behind it */
} commands[] = {
	{"EHLO", EV_ehlo, do_ehlo, true},
	{"HELO", EV_helo, do_helo, true},
	{"STARTTLS", EV_starttls, do_starttls, true},
	{"AUTH", EV_auth, do_auth, true},
	{"MAIL", EV_mail, do_mail, false},
	{"RCPT", EV_rcpt, do_rcpt, false},
	{"DATA", EV_data, do_data, true},
	{"BDAT", EV_bdat, do_bdat, false},
	{"RSET", EV_rset, do_rset, false},
	{"NOOP", EV_noop, do_noop, true},
	{"VRFY", EV_vrfy, do_vrfy, true},
	{"QUIT", EV_quit, do_quit, true},
	/* not commands, but things that happen */
	{"", EV_authline, do_authline, true},
	{"", EV_eod, do_eod, false},
	{"", EV_greeting, do_greeting, true},
	{"", EV_unknown, do_unknown, true},
};

static const struct command *command_for(enum event e)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (commands[i].event == e)
			return &commands[i];
	return NULL;
}

static const struct command *command_named(struct span verb)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (*commands[i].verb && span_iscase(verb, commands[i].verb))
			return &commands[i];
	return command_for(EV_unknown);
}

void smtp_effect(struct conn *c, bool forced, bool mute)
{
	const struct command *cmd = command_for(c->script.event);

	if (!cmd)
		return;
	c->forced = forced;
	c->mute = mute;
	cmd->run(c, c->script.arg);
	c->forced = c->mute = false;
}

void smtp_refuse(struct conn *c)
{
	if (c->script.event == EV_eod)
		smtp_reset(c);
	else if (c->script.event == EV_auth || c->script.event == EV_authline)
		auth_end(c);
	else if (c->script.event == EV_bdat && !c->unswallowed) {
		do_bdat(c, c->script.arg);
		c->unswallowed = c->mode == MODE_CHUNK;
	} else {
		c->unswallowed = false;
	}
}

void smtp_ask_more(struct conn *c)
{
	c->script.answered = true;
	c->mode = MODE_AUTH;
}

/* Counts what shows the secret itself: PLAIN and LOGIN and tokens, with whatever a dialogue makes of it. */
static void count_secret(struct conn *c, const struct command *cmd, struct span arg)
{
	struct span mech = {"", 0}, rest = arg;

	if (cmd->event == EV_auth) {
		c->shows_secret = span_word(&rest, " ", &mech) && auth_shows_secret(mech);
		arg = span_trim(rest);
	}
	if ((cmd->event != EV_auth && cmd->event != EV_authline) || !c->shows_secret || !arg.n ||
	    span_is(arg, "*") || span_is(arg, "="))
		return;
	c->r->n.secrets_seen++;
	c->r->n.secrets_in_clear += c->tls_state != TLS_ON;
}

/* The log shows what was said, but no secret. */
static void note_line(struct conn *c, struct span line, const struct command *cmd)
{
	if (cmd->event == EV_authline) {
		note(c, "C:", "(authentication data)", 21);
	} else if (cmd->event == EV_auth) {
		struct span rest = line, word;
		const char *end = line.p;

		for (int i = 0; i < 2 && span_word(&rest, " ", &word); i++)
			end = word.p + word.n;
		note(c, "C:", line.p, (size_t)(end - line.p));
	} else {
		note(c, "C:", line.p, line.n);
	}
}

static void check_pipelining(struct conn *c, const struct command *cmd)
{
	bool more = c->text_at < c->text.len;

	if (more && cmd->event != EV_bdat && (cmd->ends_group || !offers(c, EXT_PIPELINING)))
		c->r->n.pipelining_violations++;
}

static void run_line(struct conn *c, struct span line)
{
	struct span verb = {line.p, 0}, arg;
	const struct command *cmd;

	while (verb.n < line.n && line.p[verb.n] != ' ')
		verb.n++;
	arg = span_trim((struct span){line.p + verb.n, line.n - verb.n});
	if (c->mode == MODE_AUTH) {
		cmd = command_for(EV_authline);
		verb.n = 0;
		arg = line;
	} else {
		cmd = command_named(verb);
	}
	c->r->n.commands++;
	note_line(c, line, cmd);
	count_secret(c, cmd, arg);
	check_pipelining(c, cmd);
	if (!conn_event(c, cmd->event, verb, arg))
		cmd->run(c, arg);
}

static bool step_line(struct conn *c)
{
	const char *p = c->text.data + c->text_at;
	size_t have = c->text.len - c->text_at;
	const char *nl = memchr(p, '\n', have);
	size_t n = nl ? (size_t)(nl - p) : 0;

	if (!nl && have < LINE_MAX_SEEN)
		return false;
	if (!nl) {
		c->text_at = c->text.len;
		reply(c, "500 5.5.2 Line too long");
		return true;
	}
	c->text_at += n + 1;
	if (n && p[n - 1] == '\r')
		n--;
	else
		c->r->n.bare_lf++;
	run_line(c, (struct span){p, n});
	return true;
}

static bool step_chunk(struct conn *c)
{
	size_t have = c->text.len - c->text_at;
	size_t n = c->chunk_left < have ? (size_t)c->chunk_left : have;

	if (dialogue_wants(&c->r->dialogue, EV_body) && n > BODY_STEP)
		n = BODY_STEP;
	if (!c->chunk_bad && !c->unswallowed)
		message_bytes(c, c->text.data + c->text_at, n);
	c->text_at += n;
	c->chunk_left -= n;
	if (!c->chunk_left)
		chunk_end(c);
	return true;
}

bool smtp_step(struct conn *c)
{
	if ((c->mode == MODE_DATA || c->mode == MODE_CHUNK) && dialogue_wants(&c->r->dialogue, EV_body) &&
	    c->seen[EV_body] < INT32_MAX && conn_event(c, EV_body, span_of(""), span_of(""))) {
		c->seen[EV_body] = INT32_MAX;
		return true;
	}
	if (c->mode == MODE_CHUNK)
		return step_chunk(c);
	if (c->mode == MODE_DATA) {
		if (message_dot(c))
			end_message(c);
		return true;
	}
	return step_line(c);
}
