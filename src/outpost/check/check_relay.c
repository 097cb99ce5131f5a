/* check_relay.c: one relay, tried by the delivery agent exactly as outpostd has it tried, step by step. */
#include "config.h"
#include "outpost/check/check.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/process/proc.h"
#include "delivery/delivery.h"
#include "nexthop/nexthop.h"

enum { PATIENCE_MS = 5 * 60 * 1000, IN_MAX = LIMIT_FRAME * 4 };

struct live {
	struct context *c;
	struct report *r;
	const struct relayhost *relay;
	const struct check_live *how;
	int fd;
	bool failed;		/* a failed step was printed; its cause may come again as DOWN */
	char said[1024];	/* its words */
	bool ended, good;
};

static int send_all(struct live *l, struct buf *b, struct error *err)
{
	int rc = buf_ok(b) ? io_write_all(l->fd, b->data, b->len, deadline_in_ms(10000)) : -1;

	buf_wipe(b);
	return rc < 0 ? error_sys(err, REASON_SYSTEM, "cannot write to outpost-smtp") : 0;
}

static int send_session(struct live *l, struct error *err)
{
	struct delivery_session *s = calloc(1, sizeof(*s));
	struct buf notes, b;
	struct span rest, line;
	int rc;

	if (!s)
		return error_set(err, REASON_SYSTEM, "no memory");
	buf_init(&notes, 64 << 10);
	buf_init(&b, LIMIT_FRAME);
	rc = nexthop_session(l->c->conf, l->relay, s, &notes, err);
	rest = (struct span){buf_str(&notes), notes.len};
	while (span_word(&rest, "\n", &line))
		report_linef(l->r, REPORT_NOTE, "note", NULL, "%.*s", (int)line.n, line.p);
	s->check_only = true;
	s->transcript = l->how->transcript;
	snprintf(s->check_sender, sizeof(s->check_sender), "%s", l->how->sender);
	if (rc == 0 && delivery_put_session(&b, s) < 0)
		rc = error_set(err, REASON_INTERNAL, "the session does not fit its frame");
	if (rc == 0)
		rc = send_all(l, &b, err);
	buf_free(&notes);
	buf_free(&b);
	free(s);
	return rc;
}

/* The credential leaves our hands only now that the agent says that the connection is good enough. */
static int give_secret(struct live *l, struct error *err)
{
	struct credential cr = {0};
	struct error why = {0};
	struct buf b;
	size_t mark;
	int rc = context_credential(l->c, l->relay, l->how->sender, &cr, &why);

	buf_init(&b, LIMIT_FRAME);
	mark = frame_begin(&b, rc == 1 ? TO_AGENT_SECRET : TO_AGENT_NO_SECRET);
	if (rc == 1) {
		frame_str(&b, buf_str(&cr.user), cr.user.len);
		frame_str(&b, buf_str(&cr.secret), cr.secret.len);
		frame_u8(&b, (uint8_t)cr.kind);
		frame_cstr(&b, cr.digest);
	} else {
		frame_cstr(&b, reason_name(why.reason));
		frame_cstr(&b, why.text);
	}
	frame_finish(&b, mark);
	credential_wipe(&cr);
	return send_all(l, &b, err);
}

/* A sender that nobody named may never be used: its refusal stops nothing. */
static void take_sender(struct live *l, const struct delivery_step *s)
{
	char text[1400];

	snprintf(text, sizeof(text), "%s: %s", l->how->sender, s->text);
	report_reason(l->r, l->how->guessed ? REPORT_WARN : REPORT_FAIL, s->reason, l->relay, NULL, "sender", s->ms,
		      text);
}

/* A failed step is printed with the DOWN that follows it, which knows more. */
static void take_step(struct live *l, struct frame *f)
{
	struct delivery_step s;

	if (delivery_get_step(f, &s) < 0)
		return;
	if (!s.reason) {
		report_line(l->r, REPORT_OK, s.name, s.ms, s.text, NULL);
		return;
	}
	if (strcmp(s.name, "sender") == 0) {
		take_sender(l, &s);
		return;
	}
	l->failed = true;
	snprintf(l->said, sizeof(l->said), "%s", s.name);
}

static void take_down(struct live *l, struct frame *f)
{
	struct delivery_down d;

	l->ended = true;
	if (delivery_get_down(f, &d) < 0)
		return;
	report_reason(l->r, REPORT_FAIL, d.reason, l->relay, d.name, l->failed ? l->said : "relay", -1, d.text);
}

static void expiry(struct live *l, const struct delivery_ready *ready)
{
	int64_t left = ready->cert_expires - clock_wall_us() / 1000000;
	char when[64], ahead[64];

	if (!ready->tls || !ready->cert_expires)
		return;
	words_time(ready->cert_expires * 1000000, when, sizeof(when));
	words_duration(left, ahead, sizeof(ahead));
	report_linef(l->r, left < 14 * 86400 ? REPORT_WARN : REPORT_OK, "certificate",
		     left < 14 * 86400 ? "tell the relay's administrator" : NULL, "expires %s, in %s", when, ahead);
}

static void take_ready(struct live *l, struct frame *f)
{
	struct delivery_ready ready;
	char size[32];

	if (delivery_get_ready(f, &ready) < 0)
		return;
	l->good = true;
	expiry(l, &ready);
	if (!ready.verified)
		report_line(l->r, REPORT_WARN, "TLS", -1,
			    ready.tls ? "the relay's certificate is not verified: mail may go to "
					"somebody else"
				      : "nothing is encrypted: mail can be read on its way",
			    "smtp_tls_security_level = secure");
	if (ready.size_limit)
		report_linef(l->r, REPORT_OK, "size limit", NULL, "%s per message",
			     words_size(ready.size_limit, size, sizeof(size)));
}

static void take_log(struct live *l, struct frame *f)
{
	struct span line;

	(void)frame_get_u8(f);
	line = frame_get_str(f);
	if (frame_end(f) && !l->r->json)
		term_print("        %.*s\n", (int)line.n, line.p);
}

static int take_frame(struct live *l, struct frame *f, struct error *err)
{
	switch (f->type) {
	case FROM_AGENT_STEP:
		take_step(l, f);
		break;
	case FROM_AGENT_READY:
		take_ready(l, f);
		break;
	case FROM_AGENT_NEED_SECRET:
		return give_secret(l, err);
	case FROM_AGENT_DOWN:
		take_down(l, f);
		break;
	case FROM_AGENT_BYE:
		l->ended = true;
		break;
	case FROM_AGENT_LOG:
		if (l->how->transcript)
			take_log(l, f);
		break;
	default:
		break;
	}
	return 0;
}

/* Until the agent says DOWN or BYE. */
static int listen_to(struct live *l, struct error *err)
{
	deadline until = deadline_in_ms(PATIENCE_MS);
	struct buf in;
	int rc = 0;

	buf_init(&in, IN_MAX);
	while (rc == 0 && !l->ended) {
		struct frame f;
		size_t used = 0;
		int got = frame_parse((struct span){buf_str(&in), in.len}, &f, &used);

		if (got > 0) {
			rc = take_frame(l, &f, err);
			buf_drop(&in, used);
			continue;
		}
		if (got < 0 || io_wait(l->fd, POLLIN, until) <= 0) {
			rc = error_set(err, REASON_TEMPORARY, "outpost-smtp did not answer in time");
			break;
		}
		char *room = buf_room(&in, 16384);
		ssize_t n = room ? io_read(l->fd, room, 16384) : 0;

		if (n > 0)
			in.len += (size_t)n;
		else if (n == 0 || errno != EAGAIN)
			rc = error_set(err, REASON_INTERNAL, "outpost-smtp ended without a word");
	}
	buf_free(&in);
	return rc;
}

bool check_live(struct context *c, struct report *r, const struct relayhost *relay, const struct check_live *how)
{
	struct live l = {.c = c, .r = r, .relay = relay, .how = how, .fd = -1};
	struct error err = {0};
	unsigned failures = r->failures;
	pid_t pid = nexthop_start_agent(-1, &l.fd, &err);
	int rc = -1;

	if (pid > 0)
		rc = send_session(&l, &err);
	if (rc == 0)
		rc = listen_to(&l, &err);
	if (pid > 0) {
		close(l.fd);
		if (rc < 0)
			kill(pid, SIGKILL);
		proc_wait(pid);
	}
	if (rc < 0)
		report_reason(r, REPORT_FAIL, err.reason, relay, NULL, "agent", -1, err.text);
	return l.good && r->failures == failures;
}
