/*
 * A whole session against whatever the relay may say, over a socket pair instead of TCP, without TLS: greeting, EHLO,
 * AUTH when the input ends with 'A', then six messages with five recipients. The input is what the relay sends, in
 * bursts: a byte 0xff ends a burst; the next is sent when the agent waits. When the bursts are used up, the relay's
 * side is closed.
 *
 * Whatever is said, the session ends; every recipient has at most one verdict; a DONE only when all have one; nobody
 * is told "sent" but by a 2xx behind a last byte.
 */
#include "config.h"
#include "smtp/agent.h"
#include "base/sock.h"
#include "smtp/session.h"

#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGES = 6, RCPTS = 5 };

static struct {
	const uint8_t *data;
	size_t size, at;
	int relay, outpostd;
	unsigned verdicts[MESSAGES + 1][RCPTS];
	bool done[MESSAGES + 1], last[MESSAGES + 1];
	struct buf in;
} f;

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* ---- outpostd's side */

static void give(struct buf *out)
{
	static const char body[] = "Subject: x\n\n.dot\nlast\n";
	struct delivery_recipient list[RCPTS];

	for (uint64_t seq = 1; seq <= MESSAGES; seq++) {
		struct delivery_message m = {.seq = seq, .queue_id = "Q", .sender = "s@example.com", .body = '7',
					     .size = sizeof(body) - 1,
					     .recipients = list, .nrecipients = RCPTS};
		size_t mark;

		for (size_t i = 0; i < RCPTS; i++)
			list[i] = (struct delivery_recipient){(int64_t)i + 1, "r@example.com", NULL, 0};
		delivery_put_message(out, &m);
		mark = frame_begin(out, TO_AGENT_BODY);
		frame_u64(out, seq);
		frame_str(out, body, sizeof(body) - 1);
		frame_finish(out, mark);
		mark = frame_begin(out, TO_AGENT_BODY_END);
		frame_u64(out, seq);
		frame_finish(out, mark);
	}
	frame_finish(out, frame_begin(out, TO_AGENT_QUIT));
}

static void secret(struct buf *out)
{
	size_t mark = frame_begin(out, TO_AGENT_SECRET);

	frame_cstr(out, "user");
	frame_cstr(out, "pencil");
	frame_u8(out, 'P');
	frame_cstr(out, "");
	frame_finish(out, mark);
}

static void on_verdict(struct frame *fr)
{
	struct delivery_verdict v;

	must(delivery_get_verdict(fr, &v) == 0);
	must(v.seq >= 1 && v.seq <= MESSAGES && v.recipient >= 1 && v.recipient <= RCPTS);
	must(f.verdicts[v.seq][v.recipient - 1]++ == 0);
	must(v.dsn[0] == (v.fate == FATE_SENT ? '2' : v.fate == FATE_DEFERRED ? '4' : '5'));
	must(v.fate != FATE_SENT || f.last[v.seq]);
	must(v.text[0] && text_utf8(v.text, strlen(v.text)));
}

static void on_done(struct frame *fr)
{
	struct delivery_done d;

	must(delivery_get_done(fr, &d) == 0 && d.seq >= 1 && d.seq <= MESSAGES && !f.done[d.seq]);
	f.done[d.seq] = true;
	for (size_t i = 0; i < RCPTS; i++)
		must(f.verdicts[d.seq][i] == 1);
}

static void take_frames(void)
{
	struct span rest = {f.in.data, f.in.len};
	struct frame fr;
	size_t used;

	while (rest.n && frame_parse(rest, &fr, &used) == 1) {
		if (fr.type == FROM_AGENT_VERDICT)
			on_verdict(&fr);
		else if (fr.type == FROM_AGENT_DONE)
			on_done(&fr);
		else if (fr.type == FROM_AGENT_LASTBYTE)
			f.last[frame_get_u64(&fr)] = true;
		rest.p += used;
		rest.n -= used;
	}
	buf_drop(&f.in, f.in.len - rest.n);
}

static void drain(int fd, bool frames)
{
	char piece[4096];
	ssize_t n;

	while ((n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT)) > 0)
		if (frames)
			buf_add(&f.in, piece, (size_t)n);
	if (frames)
		take_frames();
}

/* ---- the relay's side: poll(2) is ours. When nothing is ready the next burst is sent; after the last, the end. No
 * time passes. */

static void burst(void)
{
	const uint8_t *end = memchr(f.data + f.at, 0xff, f.size - f.at);
	size_t n = end ? (size_t)(end - (f.data + f.at)) : f.size - f.at;

	if (n)
		must(send(f.relay, f.data + f.at, n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n);
	f.at += n + (end != NULL);
	if (f.at >= f.size)
		shutdown(f.relay, SHUT_WR);
}

int poll(struct pollfd *p, nfds_t n, int timeout)
{
	static const struct timespec now;
	int ready;

	(void)timeout;
	for (int tries = 0;; tries++) {
		drain(f.relay, false);
		drain(f.outpostd, true);
		ready = ppoll(p, n, &now, NULL);
		if (ready || tries > 1 + (int)f.size)
			return ready;
		burst();
	}
}

static void set_up(struct agent *a, int link_fd, int relay_fd)
{
	struct delivery_session *s = &a->set;

	memset(a, 0, sizeof(*a));
	link_init(&a->link, link_fd, s);
	channel_init(&a->ch);
	reply_init(&a->reply);
	snprintf(s->host, sizeof(s->host), "relay.example");
	s->tls_level = TLS_NONE;
	s->t_connect = s->t_helo = s->t_starttls = s->t_mail = s->t_rcpt = s->t_data_init = s->t_data_xfer =
		s->t_data_done = 5;
	s->t_secret = s->t_rset = 5;
	s->recipient_limit = 3;
	s->pipeline_window = 4;
	s->auth = f.size && f.data[f.size - 1] == 'A';
	if (f.size && f.data[f.size - 1] == 'P') /* transactions in flight from the first accepted one on */
		snprintf(s->known, sizeof(s->known), "flight=yes");
	s->auth_without_tls = true;
	channel_open(&a->ch, relay_fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct agent a;
	int link[2], line[2];
	struct buf out;

	if (size > 4096)
		return 0;
	memset(&f, 0, sizeof(f));
	f.data = data;
	f.size = size;
	buf_init(&f.in, 1 << 20);
	buf_init(&out, 1 << 20);
	must(sock_pair(link) == 0 && sock_pair(line) == 0);
	f.outpostd = link[0];
	f.relay = line[1];
	set_up(&a, link[1], line[0]);
	give(&out);
	secret(&out);
	must(send(link[0], out.data, out.len, 0) == (ssize_t)out.len);
	if (session_talk(&a) == 0)
		transfer_run(&a);
	session_quit(&a);
	while (a.link.out.len && link_flush(&a.link) == 0)
		drain(link[0], true);
	drain(link[0], true);
	close(link[0]);
	close(link[1]);
	close(line[1]);
	link_free(&a.link);
	reply_free(&a.reply);
	buf_free(&f.in);
	buf_free(&out);
	return 0;
}
