#include "config.h"
#include "smtp/link.h"
#include "base/deadline.h"
#include "base/io.h"
#include "base/limits.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	STREAM_FULL = 128 << 10,	/* of a streamed body, from which outpostd has to wait */
	BODY_MAX = STREAM_FULL + 2 * LIMIT_FRAME,
	PIECE = 16 << 10,
};

void link_init(struct link *l, int fd, struct delivery_session *session)
{
	memset(l, 0, sizeof(*l));
	l->fd = fd;
	l->session = session;
	buf_init(&l->in, 2 * LIMIT_FRAME);
	buf_init(&l->out, 64 << 20);
	buf_init(&l->user, LIMIT_SECRET);
	buf_init(&l->secret, LIMIT_SECRET);
}

static void free_message(struct message *m)
{
	delivery_free_message(&m->m);
	buf_free(&m->body);
	free(m->state);
	free(m);
}

void link_wipe_secret(struct link *l)
{
	buf_wipe(&l->secret);
	buf_wipe(&l->user);
	l->have_secret = false;	/* the next login asks again */
	l->no_secret.reason = REASON_NONE;
	if (l->in.data)
		explicit_bzero(l->in.data + l->in.len, l->in.cap - l->in.len);
}

void link_free(struct link *l)
{
	while (l->first) {
		struct message *m = l->first;

		l->first = m->next;
		free_message(m);
	}
	link_wipe_secret(l);
	buf_wipe(&l->in);
	buf_free(&l->out);
}

/* ---- frames in */

static int bad_frame(struct link *l, const char *what)
{
	return error_set(&l->broken, REASON_PROTOCOL, "outpostd sent %s", what);
}

static int take_session(struct link *l, struct frame *f)
{
	if (l->have_session)
		return bad_frame(l, "a second session");
	if (delivery_get_session(f, l->session, &l->broken) < 0)
		return -1;
	l->have_session = true;
	return 0;
}

static int take_secret(struct link *l, struct frame *f)
{
	struct span user = frame_get_str(f), secret = frame_get_str(f);
	char kind = (char)frame_get_u8(f);

	frame_get_str(f);
	if (!frame_end(f) || (kind != 'P' && kind != 'T') || memchr(user.p, '\0', user.n) ||
	    memchr(secret.p, '\0', secret.n))
		return bad_frame(l, "a malformed credential");
	buf_reset(&l->user);
	buf_reset(&l->secret);
	if (buf_add(&l->user, user.p, user.n) < 0 || buf_add(&l->secret, secret.p, secret.n) < 0)
		return bad_frame(l, "a credential that is too long");
	l->secret_kind = kind;
	l->have_secret = true;
	return 0;
}

static int take_no_secret(struct link *l, struct frame *f)
{
	char name[32];
	struct span why;
	enum reason reason;

	frame_get_cstr(f, name, sizeof(name));
	why = frame_get_str(f);
	reason = reason_find(name);
	if (!frame_end(f))
		return bad_frame(l, "a malformed refusal of the credential");
	error_set(&l->no_secret, reason ? reason : REASON_CREDENTIAL_CONFIG, "%.*s", (int)(why.n < 450 ? why.n : 450),
		  why.p);
	l->have_secret = true;
	return 0;
}

static struct message *find(struct link *l, uint64_t seq)
{
	struct message *m = l->first;

	while (m && m->m.seq != seq)
		m = m->next;
	return m;
}

static struct message *add_message(struct link *l)
{
	struct message *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	buf_init(&m->body, BODY_MAX);
	*(l->last ? &l->last->next : &l->first) = m;
	l->last = m;
	return m;
}

static int take_start(struct link *l, struct frame *f)
{
	struct message *m = l->last && !l->last->listed ? l->last : add_message(l);

	if (!m || delivery_get_message(f, &m->m, &l->broken) < 0)
		return bad_frame(l, "a malformed message");
	if (m->m.more)
		return 0;
	m->listed = true;
	m->large = m->m.size > LIMIT_CHUNK;
	m->todo = m->m.nrecipients;
	m->state = calloc(m->m.nrecipients ? m->m.nrecipients : 1, 1);
	return m->state && m->todo ? 0 : bad_frame(l, "a message without recipients");
}

static int take_body(struct link *l, struct frame *f)
{
	struct message *m = find(l, frame_get_u64(f));
	struct span piece = frame_get_str(f);

	if (!frame_end(f) || !m || !m->listed || m->complete || (m->large && !m->asked))
		return bad_frame(l, "a body that nobody asked for");
	if (!m->abandoned && buf_add(&m->body, piece.p, piece.n) < 0)
		return bad_frame(l, "a body larger than it said");
	return 0;
}

/* The end of a body that was thrown away: it can be asked for again. */
static void body_ends(struct message *m)
{
	m->asked = false;
	m->complete = !m->abandoned;
	m->failed = m->failed && !m->abandoned;
	if (m->abandoned)
		buf_reset(&m->body);
	m->abandoned = false;
}

static int take_body_end(struct link *l, struct frame *f)
{
	struct message *m = find(l, frame_get_u64(f));

	if (!frame_end(f) || !m || !m->listed)
		return bad_frame(l, "the end of a body that nobody asked for");
	body_ends(m);
	return 0;
}

static int take_body_failed(struct link *l, struct frame *f)
{
	struct message *m = find(l, frame_get_u64(f));

	if (m)
		frame_get_cstr(f, m->failure, sizeof(m->failure));
	if (!m || !frame_end(f))
		return bad_frame(l, "a malformed failure of a body");
	m->failed = true;
	body_ends(m);
	return 0;
}

static int take_quit(struct link *l, struct frame *f)
{
	(void)f;
	l->quit = true;
	return 0;
}

static const struct {
	uint8_t type;
	int (*take)(struct link *l, struct frame *f);
} frames[] = {
	{TO_AGENT_SESSION, take_session},
	{TO_AGENT_SECRET, take_secret},
	{TO_AGENT_NO_SECRET, take_no_secret},
	{TO_AGENT_START, take_start},
	{TO_AGENT_BODY, take_body},
	{TO_AGENT_BODY_END, take_body_end},
	{TO_AGENT_BODY_FAILED, take_body_failed},
	{TO_AGENT_QUIT, take_quit},
};

static int take_frame(struct link *l, struct frame *f)
{
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		if (frames[i].type == f->type)
			return frames[i].take(l, f);
	return bad_frame(l, "a frame of unknown type");
}

static int take_frames(struct link *l)
{
	struct span rest = {l->in.data, l->in.len};
	int rc = 0;

	while (rc == 0) {
		struct frame f;
		size_t used = 0;
		int have = frame_parse(rest, &f, &used);

		if (have == 0)
			break;
		rc = have < 0 ? bad_frame(l, "a frame that is too long") : take_frame(l, &f);
		rest.p += used;
		rest.n -= used;
	}
	buf_drop(&l->in, l->in.len - rest.n);
	return rc;
}

bool link_hungry(const struct link *l)
{
	for (const struct message *m = l->first; m; m = m->next)
		if (m->large && m->body.len >= STREAM_FULL)
			return false;
	return !l->eof;
}

int link_fill(struct link *l)
{
	while (link_hungry(l)) {
		char *room = buf_room(&l->in, PIECE);
		ssize_t n = room ? recv(l->fd, room, PIECE, MSG_DONTWAIT) : 0;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0) {
			l->eof = true;
			return -1;
		}
		l->in.len += (size_t)n;
		if (take_frames(l) < 0)
			return -1;
		if (n < PIECE)
			break;
	}
	return 0;
}

int link_flush(struct link *l)
{
	size_t done = 0;

	while (done < l->out.len) {
		ssize_t n = send(l->fd, l->out.data + done, l->out.len - done, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			l->eof = true;
			return -1;
		}
		done += (size_t)n;
	}
	buf_drop(&l->out, done);
	return 0;
}

/* ---- frames out */

void link_say(struct link *l, uint8_t type)
{
	frame_finish(&l->out, frame_begin(&l->out, type));
}

void link_seq(struct link *l, uint8_t type, uint64_t seq)
{
	size_t mark = frame_begin(&l->out, type);

	frame_u64(&l->out, seq);
	frame_finish(&l->out, mark);
}

void link_log(struct link *l, enum log_level level, const char *fmt, ...)
{
	size_t mark = frame_begin(&l->out, FROM_AGENT_LOG);
	char line[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	frame_u8(&l->out, (uint8_t)level);
	frame_cstr(&l->out, line);
	frame_finish(&l->out, mark);
}

void link_step(struct link *l, const char *name, enum reason why, int64_t ms, const char *fmt, ...)
{
	struct delivery_step s = {.reason = why, .ms = (uint32_t)ms};
	va_list ap;

	snprintf(s.name, sizeof(s.name), "%s", name);
	va_start(ap, fmt);
	vsnprintf(s.text, sizeof(s.text), fmt, ap);
	va_end(ap);
	delivery_put_step(&l->out, &s);
}

void link_get(struct link *l, struct message *m)
{
	buf_reset(&m->body);
	m->complete = m->failed = false;
	m->asked = true;
	link_seq(l, FROM_AGENT_GET, m->m.seq);
}

/* A body that is still on its way belongs to its message: DONE has to wait for the end of it. */
static bool finished(const struct message *m)
{
	return m->listed && !m->todo && !m->open && (m->large ? !m->asked : m->complete);
}

void link_finish(struct link *l, int64_t *connect_us)
{
	struct message *m;

	while ((m = l->first) && finished(m)) {
		struct delivery_done d = {.seq = m->m.seq, .connect_us = *connect_us};

		d.transfer_us = m->begun ? m->ended_us - m->begun_us : 0;
		delivery_put_done(&l->out, &d);
		*connect_us = 0;
		l->first = m->next;
		if (!l->first)
			l->last = NULL;
		free_message(m);
	}
}
