#include "config.h"
#include "sendmail/smtpd.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/process/sandbox.h"
#include "base/text/text.h"
#include "mail/address.h"
#include "sendmail/caller.h"
#include "sendmail/compose.h"
#include "sendmail/submit.h"
#include "sendmail/xtext.h"
#include "submission/submission.h"

enum {
	COMMAND_MS = 300 * 1000,	/* a whole command line */
	DATA_MS = 300 * 1000,		/* between two pieces of a message */
	MESSAGE_MS = 600 * 1000,	/* over the network: from one message to the next */
	LINE = 4096,
	ERRORS = 20,
	UNKNOWN = 4,			/* as many errors one unknown command is */
	IDLE_COMMANDS = 100,		/* from one message to the next; then each is an error */
	OUT = 1 << 20,
};

struct smtpd {
	struct place *place;
	const struct options *o;
	struct buf in;		/* read, not looked at */
	struct buf out;		/* replies not written */
	bool over;
	int code;		/* exit code */
	int errors, idle;
	deadline message_by;
	char helo[256];
	/* the transaction */
	bool mail;
	bool smtputf8;
	char *envid;
	struct letter l;
};

/* ---- replies: written when the client has nothing more to say before it wants them */

static void reply(struct smtpd *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void reply(struct smtpd *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_addv(&s->out, fmt, ap);
	va_end(ap);
	buf_adds(&s->out, "\r\n");
}

static void flush(struct smtpd *s)
{
	if (s->out.len && io_write_all(STDOUT_FILENO, s->out.data, s->out.len, deadline_in_ms(COMMAND_MS)) < 0) {
		s->over = true;
		s->code = EX_IOERR;
	}
	buf_reset(&s->out);
}

static void hang_up(struct smtpd *s, const char *text)
{
	reply(s, "%s", text);
	s->over = true;
	s->code = EX_PROTOCOL;
}

static void count_errors(struct smtpd *s, int n)
{
	s->errors += n;
	if (s->errors >= ERRORS && !s->over)
		hang_up(s, "421 4.7.0 too many errors");
}

/* A mistake of the client's. Too many of them, and it is no mail program. */
static void refuse(struct smtpd *s, const char *text)
{
	reply(s, "%s", text);
	count_errors(s, 1);
}

/* What no mail program says. */
static void refuse_unknown(struct smtpd *s, const char *text)
{
	reply(s, "%s", text);
	count_errors(s, UNKNOWN);
}

/* A command that brings no message nearer. */
static void count_idle(struct smtpd *s)
{
	if (++s->idle > IDLE_COMMANDS)
		count_errors(s, 1);
}

/* Time and errors begin anew with each message that was taken. */
static void forget_errors(struct smtpd *s)
{
	s->errors = s->idle = 0;
	s->message_by = s->o->sandbox ? deadline_in_ms(MESSAGE_MS) : DEADLINE_NEVER;
}

/* The reply that says what an error of ours says. */
static void reply_error(struct smtpd *s, const struct error *e)
{
	const char *code = e->reason == REASON_TOO_LARGE || e->reason == REASON_HEADER_TOO_LARGE ? "552" : "554";
	const char *dsn = error_dsn(e);

	if (dsn[0] == '4' && (error_exit(e) == EX_CONFIG || error_exit(e) == EX_NOPERM))
		dsn = "5.0.0";
	reply(s, "%s %s %s", dsn[0] == '4' ? "451" : code, dsn, e->text);
}

/* ---- input */

/* More bytes: 1, 0 at the end, -1 when the time is over or nothing can be read. */
static int more(struct smtpd *s, deadline until)
{
	char piece[65536];
	ssize_t n;

	flush(s);
	if (s->over)
		return -1;
	until = deadline_first(until, s->message_by);
	do {
		if (io_wait(STDIN_FILENO, POLLIN, until) <= 0)
			return -1;
		n = io_read(STDIN_FILENO, piece, sizeof(piece));
	} while (n < 0 && errno == EAGAIN);
	if (n > 0 && buf_add(&s->in, piece, (size_t)n) < 0)
		return -1;
	return n < 0 ? -1 : n > 0;
}

static void end_session(struct smtpd *s, int why)
{
	if (why < 0 && !s->over)
		hang_up(s, "421 4.4.2 time-out");
	s->over = true;
}

/* The next command line, without its end, into line. False: there is none, or it was refused. */
static bool next_line(struct smtpd *s, char line[LINE])
{
	deadline until = deadline_in_ms(COMMAND_MS);
	const char *nl;
	size_t n, used;

	while (!(nl = memchr(buf_str(&s->in), '\n', s->in.len)) && s->in.len < LINE) {
		int rc = more(s, until);

		if (rc <= 0) {
			end_session(s, rc);
			return false;
		}
	}
	used = nl ? (size_t)(nl - s->in.data) + 1 : s->in.len;
	n = nl ? used - 1 : used;
	if (n && s->in.data[n - 1] == '\r')
		n--;
	if (!nl || n >= LINE) {
		hang_up(s, "421 5.5.6 the line is too long");
		return false;
	}
	memcpy(line, s->in.data, n);
	line[n] = '\0';
	buf_drop(&s->in, used);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)line[i] >= ' ' && line[i] != 127)
			continue;
		if (line[i] == '\t') {
			line[i] = ' ';
			continue;
		}
		refuse_unknown(s, "500 5.5.2 control bytes in a command");
		return false;
	}
	return true;
}

/* ---- the transaction */

static void transaction_begin(struct smtpd *s)
{
	letter_init(&s->l);
	input_init(&s->l.in, true, true);
	s->l.in.limit = place_size_limit(s->place);
	s->mail = s->smtputf8 = false;
	s->envid = NULL;
	s->l.hostname = conf_myhostname(s->place->conf);
	s->l.smtp = true;
	s->l.client = s->helo;
	s->l.full_name = s->o->full_name;
	s->l.queue_only = s->o->queue_only;
}

static void transaction_end(struct smtpd *s)
{
	letter_free(&s->l);
	free(s->envid);
	s->envid = NULL;
}

static void transaction_reset(struct smtpd *s)
{
	transaction_end(s);
	transaction_begin(s);
}

/* Takes "<address>" (or, as some write it, the address without brackets) off the front of *rest. */
static int path(struct span *rest, int (*take)(const char *p, size_t n, struct buf *out, struct error *err),
		struct buf *spec, struct error *err)
{
	size_t n = 0;
	bool quoted = false;

	*rest = span_trim(*rest);
	if (rest->n && rest->p[0] == '<')
		for (n = 1; n < rest->n && (quoted || rest->p[n - 1] != '>'); n++) {
			if (rest->p[n] == '\\' && quoted && n + 1 < rest->n)
				n++;
			else if (rest->p[n] == '"')
				quoted = !quoted;
		}
	else
		while (n < rest->n && rest->p[n] != ' ')
			n++;
	if (take(rest->p, n, spec, err) < 0)
		return -1;
	*rest = span_from(*rest, n);
	return 0;
}

/* What went wrong only here is not the address's fault. */
static const char *address_fault(const struct error *err, const char *malformed)
{
	return error_exit(err) == EX_TEMPFAIL ? "452 4.3.0 out of memory" : malformed;
}

static bool next_param(struct span *rest, struct span *name, struct span *value)
{
	struct span word;

	if (!span_word(rest, " ", &word))
		return false;
	span_cut(word, '=', name, value);
	return true;
}

static const char *mail_body(struct smtpd *s, struct span value)
{
	if (span_iscase(value, "8BITMIME"))
		s->l.body = '8';
	else if (span_iscase(value, "7BIT"))
		s->l.body = '7';
	else
		return "501 5.5.4 BODY must be 7BIT or 8BITMIME";
	return NULL;
}

static const char *mail_size(struct smtpd *s, struct span value)
{
	int64_t limit = conf_int(s->place->conf, P_message_size_limit);
	uint64_t size;

	if (!text_u64(value, INT64_MAX, &size))
		return "501 5.5.4 SIZE must be a number";
	return limit && size > (uint64_t)limit ? "552 5.3.4 the message is larger than message_size_limit" : NULL;
}

static const char *mail_ret(struct smtpd *s, struct span value)
{
	if (!span_iscase(value, "FULL") && !span_iscase(value, "HDRS"))
		return "501 5.5.4 RET must be FULL or HDRS";
	s->l.ret = ascii_lower(value.p[0]) == 'f' ? 'F' : 'H';
	return NULL;
}

static const char *mail_envid(struct smtpd *s, struct span value)
{
	struct buf plain;
	bool good;

	buf_init(&plain, LIMIT_ENVID);
	good = value.n && xtext_decode(value, &plain) == 0;
	if (good) {
		free(s->envid);
		s->envid = strdup(buf_str(&plain));
		s->l.envid = s->envid;
	}
	buf_free(&plain);
	return good ? NULL : "501 5.5.4 ENVID is malformed";
}

static const char *mail_utf8(struct smtpd *s, struct span value)
{
	(void)value;
	s->smtputf8 = true;
	return NULL;
}

static const struct {
	const char *name;
	const char *(*take)(struct smtpd *s, struct span value);	/* NULL: ignored */
} mail_params[] = {
	{"BODY", mail_body}, {"SIZE", mail_size}, {"RET", mail_ret}, {"ENVID", mail_envid}, {"SMTPUTF8", mail_utf8},
	{"AUTH", NULL},
};

static const char *take_mail_param(struct smtpd *s, struct span name, struct span value)
{
	for (size_t i = 0; i < sizeof(mail_params) / sizeof(mail_params[0]); i++)
		if (span_iscase(name, mail_params[i].name))
			return mail_params[i].take ? mail_params[i].take(s, value) : NULL;
	return "555 5.5.4 unknown parameter of MAIL";
}

static void cmd_mail(struct smtpd *s, struct span args)
{
	struct span name, value;
	const char *fault = NULL;
	struct error err = {0};
	ADDRESS_BUF(spec);

	if (s->mail) {
		refuse(s, "503 5.5.1 MAIL was said already");
		return;
	}
	if (!span_takecase(&args, "FROM:")) {
		refuse(s, "501 5.5.4 syntax: MAIL FROM:<address>");
		return;
	}
	if (path(&args, address_one, &spec, &err) < 0) {
		refuse(s, address_fault(&err, "553 5.1.7 the sender's address is malformed"));
	} else {
		while (!fault && next_param(&args, &name, &value))
			fault = take_mail_param(s, name, value);
		if (!fault && letter_sender(&s->l, buf_str(&spec), &err) < 0)
			fault = address_fault(&err, "553 5.1.7 the sender's address is malformed");
		if (fault)
			transaction_reset(s);
		if (fault)
			refuse(s, fault);
		else
			reply(s, "250 2.1.0 Ok");
		s->mail = !fault;
	}
}

static const char *rcpt_orcpt(struct span value, struct buf *orcpt)
{
	const char *semicolon = memchr(value.p, ';', value.n);

	buf_reset(orcpt);
	if (!semicolon || semicolon == value.p || xtext_decode(value, orcpt) < 0)
		return "501 5.5.4 ORCPT is malformed";
	return NULL;
}

static const char *rcpt_params(struct span args, unsigned *notify, struct buf *orcpt)
{
	const char *fault = NULL;
	struct span name, value;

	while (!fault && next_param(&args, &name, &value)) {
		if (span_iscase(name, "NOTIFY"))
			fault = submission_notify(value, notify)
					? NULL
					: "501 5.5.4 NOTIFY must be NEVER, or SUCCESS, FAILURE, DELAY";
		else if (span_iscase(name, "ORCPT"))
			fault = rcpt_orcpt(value, orcpt);
		else
			fault = "555 5.5.4 unknown parameter of RCPT";
	}
	return fault;
}

static void cmd_rcpt(struct smtpd *s, struct span args)
{
	const char *fault = NULL;
	ADDRESS_BUF(spec);
	struct buf orcpt;
	struct error err = {0};
	unsigned notify = 0;

	if (!s->mail) {
		refuse(s, "503 5.5.1 MAIL comes first");
		return;
	}
	if (!span_takecase(&args, "TO:")) {
		refuse(s, "501 5.5.4 syntax: RCPT TO:<address>");
		return;
	}
	buf_init(&orcpt, LIMIT_ORCPT);
	if (path(&args, address_to, &spec, &err) < 0 || !spec.len)
		fault = address_fault(&err, "553 5.1.3 the recipient's address is malformed, "
				      "or no server can have its domain");
	else
		fault = rcpt_params(args, &notify, &orcpt);
	if (!fault &&
	    recipients_add(&s->l.recipients, buf_str(&spec), notify, orcpt.len ? buf_str(&orcpt) : NULL, &err) < 0)
		fault = error_exit(&err) == EX_TEMPFAIL ? "452 4.3.0 out of memory" : "452 4.5.3 too many recipients";
	if (fault)
		refuse(s, fault);
	else
		reply(s, "250 2.1.5 Ok");
	buf_free(&orcpt);
}

/* Reads the message to its end. What can't be kept is read all the same: the client waits for the end. */
static int read_data(struct smtpd *s, struct error *err)
{
	struct input *in = &s->l.in;
	struct error first = {0};
	size_t used;

	while (!in->ended) {
		if (!s->in.len) {
			int rc = more(s, deadline_in_ms(DATA_MS));

			if (rc <= 0) {
				end_session(s, rc);
				return -1;
			}
		}
		if (input_add(in, s->in.data, s->in.len, &used, err) < 0) {
			if (!first.reason)
				first = *err;
			in->discard = true;
			continue;
		}
		buf_drop(&s->in, used);
	}
	if (!first.reason && input_end(in, &first) == 0)
		return 0;
	*err = first;
	return 1;
}

static void cmd_data(struct smtpd *s, struct span args)
{
	struct error err = {0};
	int rc;

	(void)args;
	if (!s->mail || !recipients_count(&s->l.recipients)) {
		refuse(s, s->mail ? "503 5.5.1 RCPT comes first" : "503 5.5.1 MAIL comes first");
		return;
	}
	reply(s, "354 End data with <CR><LF>.<CR><LF>");
	rc = read_data(s, &err);
	if (rc < 0)
		return;
	if (rc == 0 && letter_compose(&s->l, &err) == 0) {
		s->l.smtputf8 = s->l.smtputf8 || s->smtputf8;
		rc = letter_submit(s->place, &s->l, &err);
	}
	if (rc == 0 && !err.reason) {
		reply(s, "250 2.0.0 Ok: %s", err.text);
		forget_errors(s);
	} else {
		reply_error(s, &err);
	}
	transaction_reset(s);
}

/* ---- the other commands */

static void hello(struct smtpd *s, struct span name)
{
	size_t n = name.n < sizeof(s->helo) - 1 ? name.n : sizeof(s->helo) - 1;

	memcpy(s->helo, name.p, n);
	s->helo[n] = '\0';
	transaction_reset(s);
}

static void cmd_helo(struct smtpd *s, struct span args)
{
	hello(s, args);
	reply(s, "250 %s", s->l.hostname);
}

static void cmd_ehlo(struct smtpd *s, struct span args)
{
	int64_t limit = conf_int(s->place->conf, P_message_size_limit);

	hello(s, args);
	reply(s, "250-%s\r\n250-PIPELINING\r\n250-SIZE %lld\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n"
		 "250 SMTPUTF8", s->l.hostname, (long long)limit);
}

static void cmd_rset(struct smtpd *s, struct span args)
{
	(void)args;
	transaction_reset(s);
	reply(s, "250 2.0.0 Ok");
}

static void cmd_quit(struct smtpd *s, struct span args)
{
	(void)args;
	reply(s, "221 2.0.0 Bye");
	s->over = true;
}

static const struct {
	const char *word;
	void (*run)(struct smtpd *s, struct span args);	/* NULL: the text is the reply */
	const char *text;
	bool idle;	/* brings no message nearer */
} commands[] = {
	{"HELO", cmd_helo, NULL, true},
	{"EHLO", cmd_ehlo, NULL, true},
	{"MAIL", cmd_mail, NULL, false},
	{"RCPT", cmd_rcpt, NULL, false},
	{"DATA", cmd_data, NULL, false},
	{"RSET", cmd_rset, NULL, true},
	{"QUIT", cmd_quit, NULL, false},
	{"NOOP", NULL, "250 2.0.0 Ok", true},
	{"HELP", NULL, "214 2.0.0 HELO EHLO MAIL RCPT DATA RSET NOOP QUIT", true},
	{"VRFY", NULL, "502 5.5.1 addresses are not verified here", true},
	{"EXPN", NULL, "502 5.5.1 addresses are not verified here", true},
	/* Sendmail's own, which its old clients send without waiting for leave */
	{"VERB", NULL, "250 2.0.0 Ok", true},
	{"ONEX", NULL, "250 2.0.0 Ok", true},
	{"XUSR", NULL, "250 2.0.0 Ok", true},
};

/* Programs that speak HTTP can be made to send a body of somebody else's choice to any port: a session that begins like
 * theirs is never SMTP. */
static bool is_http(struct span command, struct span rest)
{
	static const char *const methods[] = {"GET",     "POST",  "PUT",    "HEAD", "OPTIONS",
						"CONNECT", "PATCH", "DELETE", "TRACE"};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (span_iscase(command, methods[i]))
			return true;
	return command.p[command.n - 1] == ':' || memmem(rest.p, rest.n, "HTTP/", 5);
}

static void run_line(struct smtpd *s, const char *line)
{
	struct span rest = span_of(line), word;

	if (!span_word(&rest, " ", &word)) {
		refuse(s, "500 5.5.2 an empty command");
		return;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!span_iscase(word, commands[i].word))
			continue;
		if (commands[i].run)
			commands[i].run(s, span_trim(rest));
		else if (*commands[i].text == '5')
			refuse(s, commands[i].text);
		else
			reply(s, "%s", commands[i].text);
		if (commands[i].idle)
			count_idle(s);
		return;
	}
	if (is_http(word, rest))
		hang_up(s, "421 4.7.0 this is SMTP");
	else
		refuse_unknown(s, "500 5.5.2 unknown command");
}

/* For somebody who came over the network, if only from this host: files can't be opened, programs can't be run. What is
 * needed later is looked up before; a large message still finds room in TMPDIR. */
static bool shut_in(struct place *p)
{
	const char *tmp = getenv("TMPDIR");
	const struct sandbox_path paths[] = {{tmp && *tmp == '/' ? tmp : "/tmp", true, false}};

	caller_login();
	conf_myhostname(p->conf);
	tzset();
	return sandbox_files(paths, 1);
}

int smtpd_run(struct place *p, const struct options *o)
{
	struct smtpd s = {.place = p, .o = o};
	char line[LINE];

	if (o->sandbox && !shut_in(p)) {
		fputs("421 4.3.0 no sandbox\r\n", stdout);
		return EX_UNAVAILABLE;
	}
	if (o->probe)
		return EX_OK;
	buf_init(&s.in, 1 << 20);
	buf_init(&s.out, OUT);
	forget_errors(&s);
	transaction_begin(&s);
	reply(&s, "220 %s ESMTP outpost", s.l.hostname);
	while (!s.over)
		if (next_line(&s, line))
			run_line(&s, line);
	flush(&s);
	transaction_end(&s);
	buf_free(&s.in);
	buf_free(&s.out);
	return s.code;
}
