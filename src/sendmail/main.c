/*
 * sendmail, mailq, newaliases. The caller's own rights, no others.
 *
 * For a message: read argv, find the queue, read all of the input, compose, submit, exit with the answer's code.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/process/proc.h"
#include "base/text/text.h"
#include "sendmail/compose.h"
#include "sendmail/find_queue.h"
#include "sendmail/modes.h"
#include "sendmail/options.h"
#include "sendmail/smtpd.h"
#include "sendmail/submit.h"

/* Where somebody may be writing a message at us. */
static int refuse(const struct error *err)
{
	int code = mode_complain(err);

	if (!isatty(STDIN_FILENO))
		input_drain(STDIN_FILENO);
	return code;
}

static int help(void)
{
	static const char text[] =
		"usage: sendmail [-ti] [-f SENDER] [-F NAME] [-N WHEN] [-R full|hdrs] [-V ID] [-C DIR] [ADDRESS ...]\n"
		"       sendmail -bs | -bp | -bv ADDRESS ... | -bi | -q\n"
		"Reads a message and queues it for the relay; exit code 0 means that it is on disk. See sendmail(8).";

	return puts(text) < 0 ? EX_IOERR : EX_OK;
}

/* An empty argument beside others is a variable of somebody's script that was not set: sendmail "$TO" "$CC". */
static int take_recipients(struct letter *l, const struct options *o, struct error *err)
{
	bool alone = !o->extract && o->nrecipients == 1;

	for (size_t i = 0; i < o->nrecipients; i++)
		if ((alone || span_trim(span_of(o->recipients[i])).n) &&
		    recipients_argument(&l->recipients, o->recipients[i], o->notify, err) < 0)
			return -1;
	return 0;
}

/* What the header says is known only after the input was read. */
static int take_header_recipients(struct letter *l, const struct options *o, struct error *err)
{
	struct span header = buf_span(&l->in.header);

	if (o->extract && recipients_header(&l->recipients, header, o->notify, err) < 0)
		return -1;
	if (recipients_count(&l->recipients))
		return 0;
	return error_set(err, REASON_USAGE,
			 o->extract ? "no recipient: none in To, Cc or Bcc, and none as argument"
				    : "no recipient: give addresses, or -t to take them from the header");
}

/* The caller can't do anything about it, but whoever looks for lost bytes later wants to know. */
static void log_oddities(const struct place *p, const struct letter *l, const struct error *answer)
{
	if (!l->in.had_nul && !l->in.had_cr)
		return;
	log_open(LOG_TO_SYSLOG, conf_str(p->conf, P_syslog_name), NULL);
	log_line(LOG_INFORMATION, "sendmail", 0, "%s: %s in the message became blanks", answer->text,
		 !l->in.had_cr ? "NUL bytes" : l->in.had_nul ? "NUL bytes and lone CRs" : "lone CRs");
}

static int submit(struct place *p, const struct options *o, struct letter *l, struct error *err)
{
	bool dots = !o->ignore_dots && (isatty(STDIN_FILENO) || !conf_bool(p->conf, P_ignore_dots));

	l->hostname = conf_myhostname(p->conf);
	l->full_name = o->full_name;
	l->envid = o->envid;
	l->ret = o->ret;
	l->body = o->body;
	l->queue_only = o->queue_only;
	input_init(&l->in, dots, false);
	l->in.limit = place_size_limit(p);
	if (!o->extract && !o->nrecipients)
		return take_header_recipients(l, o, err);
	if (take_recipients(l, o, err) < 0 || letter_sender(l, o->sender, err) < 0)
		return -1;
	if (input_read(&l->in, STDIN_FILENO, err) < 0 || take_header_recipients(l, o, err) < 0)
		return -1;
	if (letter_compose(l, err) < 0)
		return -1;
	return letter_submit(p, l, err) == 0 ? 0 : -1;
}

static int run_submit(struct place *p, const struct options *o)
{
	struct error err = {0};
	struct letter l;
	int code = EX_OK;

	letter_init(&l);
	if (submit(p, o, &l, &err) < 0) {
		code = refuse(&err);
	} else {
		log_oddities(p, &l, &err);
		if (o->verbose)
			fprintf(stderr, "sendmail: %s\n", err.text);
	}
	letter_free(&l);
	return code;
}

static int run(struct place *p, const struct options *o)
{
	switch (o->mode) {
	case MODE_SUBMIT:
		return run_submit(p, o);
	case MODE_SMTP:
		return smtpd_run(p, o);
	case MODE_LIST:
	case MODE_COUNT:
		return ask_list(p, o);
	case MODE_FLUSH:
		return ask_flush(p, o);
	case MODE_ALIASES:
		return ask_aliases(p);
	case MODE_VERIFY:
		return ask_verify(p, o);
	case MODE_CHECK:
		return ask_check(p);
	default:
		return ask_nothing(o);
	}
}

int main(int argc, char **argv)
{
	struct error err = {0};
	struct options o;
	struct place p;
	int code;

	if (io_standard_fds() < 0)
		return EX_OSERR;
	proc_settle();
	if (options_parse(&o, argc, argv, &err) < 0) {
		free(o.recipients);
		return refuse(&err);
	}
	if (o.mode == MODE_HELP) {
		code = help();
	} else if (o.mode == MODE_VERSION) {
		code = puts("Version outpost-" PACKAGE_VERSION) < 0 ? EX_IOERR : EX_OK;
	} else if (place_find(&p, o.config, &err) < 0) {
		place_free(&p);
		code = refuse(&err);
	} else {
		code = run(&p, &o);
		place_free(&p);
	}
	free(o.recipients);
	return code;
}
