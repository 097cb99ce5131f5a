/* clients.c: one client from its first bytes, which say what it is, to its answer. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/files/room.h"
#include "control/control.h"

enum {
	READ_AT_ONCE = 65536,		/* bytes taken from a client */
	PAGES_AT_ONCE = 4,		/* of a listing, */
	PAGES_IN_TURN = 16,		/* and of all listings */
	ENVELOPE_SMALL = 256 << 10,	/* unfinished envelopes in memory: one like this always finds room, */
	ENVELOPES_PER_PERSON = 80 << 20, /* larger ones while all of a person's, */
	ENVELOPES_IN_ALL = 160 << 20,	/* and all of all users', are not more */
	STALL_MS = 30 * 1000,		/* without a byte */
	CROWDED_MS = 2 * 1000,		/* the same while others of that person wait; and in all, while the door is full
					 * and this person holds many of its places */
	SENDING_MS = 10,
};

static void client_ready(void *arg, short revents);

size_t clients_of(const struct outpostd *d, uid_t person)
{
	size_t n = 0;

	for (const struct client *c = d->clients.first; c; c = c->next)
		n += c->person == person && !c->admin;
	return n;
}

bool clients_are_sending(const struct outpostd *d, int64_t now)
{
	for (const struct client *c = d->clients.first; c; c = c->next)
		if (!c->complete && !c->closing && c->kind != CLIENT_ASKS && now - c->heard < SENDING_MS)
			return true;
	return false;
}

int client_new(struct outpostd *d, int fd, uid_t uid, gid_t gid, bool admin)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return -1;
	c->d = d;
	c->uid = uid;
	c->gid = gid;
	c->person = person_of_uid(d, uid);
	c->admin = admin;
	c->watch = (struct watch){.fd = fd, .events = POLLIN, .ready = client_ready, .arg = c};
	c->heard = clock_mono_ms();
	c->stall = c->heard + STALL_MS;
	c->since = c->heard;
	c->whole = c->heard + conf_seconds(d->conf, P_door_time_limit) * 1000;
	buf_init(&c->in, LIMIT_ADDRESS * 4);
	buf_init(&c->out, 64 << 20); /* a listing of one message with all its recipients must fit */
	spill_init(&c->body, d->queue_dir);
	if (loop_add(&d->loop, &c->watch) < 0) {
		free(c);
		return -1;
	}
	c->next = d->clients.first;
	if (c->next)
		c->next->prev = c;
	d->clients.first = c;
	d->clients.n++;
	return 0;
}

void client_close(struct client *c)
{
	struct outpostd *d = c->d;

	submission_withdraw(c);
	question_end(c);
	if (c->prev)
		c->prev->next = c->next;
	else
		d->clients.first = c->next;
	if (c->next)
		c->next->prev = c->prev;
	d->clients.n--;
	shutdown_postpone(d);
	loop_remove(&d->loop, &c->watch);
	quarantine_close(d, c->watch.fd, c->uid);
	submission_decoder_free(c->decoder);
	spill_free(&c->body);
	buf_free(&c->in);
	buf_free(&c->out);
	free(c);
}

void clients_close_all(struct outpostd *d)
{
	while (d->clients.first)
		client_close(d->clients.first);
}

/* What fits goes; a question makes more when its last page is sent. A listing that is read as fast as it is made
 * would be all that is done: after a few pages it is the others' turn. */
void client_flush(struct client *c)
{
	for (int pages = 0;;) {
		ssize_t n;

		if (c->out.len == 0 && c->question && !c->closing) {
			if (pages++ == PAGES_AT_ONCE || c->d->clients.pages++ >= PAGES_IN_TURN) {
				loop_want(&c->d->loop, &c->watch, POLLOUT);
				return;
			}
			c->closing = !question_more(c);
		}
		if (c->out.len == 0)
			break;
		n = send(c->watch.fd, c->out.data, c->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			loop_want(&c->d->loop, &c->watch, POLLOUT);
			return;
		}
		if (n < 0) {
			client_close(c);
			return;
		}
		buf_drop(&c->out, (size_t)n);
		c->stall = deadline_in_ms(STALL_MS);
	}
	if (c->closing)
		client_close(c);
	else
		loop_want(&c->d->loop, &c->watch, POLLIN);
}

void client_answer(struct client *c, enum reason reason, const char *text)
{
	submission_put_answer(&c->out, reason, text);
	c->closing = true;
	client_flush(c);
}

void client_refuse(struct client *c, const struct error *err)
{
	client_answer(c, err->reason, err->text);
}

/* ---- a submission */

/* Recipients are kept in memory until the last one is known: a client that only lists recipients must not get all
 * of it. */
static bool envelope_fits(const struct client *c)
{
	size_t own = 0, all = 0;

	if (submission_decoder_memory(c->decoder) <= ENVELOPE_SMALL)
		return true;
	for (const struct client *o = c->d->clients.first; o; o = o->next) {
		size_t n = o->decoder ? submission_decoder_memory(o->decoder) : 0;

		all += n;
		own += o->person == c->person ? n : 0;
	}
	return own <= ENVELOPES_PER_PERSON && all <= ENVELOPES_IN_ALL;
}

/* All unfinished submissions of one person count. */
static bool bytes_fit(const struct client *c)
{
	uint64_t n = 0;

	if (c->body.fd < 0)
		return true;
	for (const struct client *o = c->d->clients.first; o; o = o->next)
		if (o->person == c->person)
			n += spill_size(&o->body);
	return n <= (uint64_t)conf_int(c->d->conf, P_door_byte_limit_per_user);
}

/* Once for each ROOM_STEP bytes, and at the end of what is larger. */
static int check_room(struct client *c, bool complete, struct error *err)
{
	uint64_t size = spill_size(&c->body);

	if (size < c->room_at && !(complete && size > ROOM_STEP))
		return 0;
	c->room_at = size + ROOM_STEP;
	return c->uid == 0 ? 0 : person_has_room(c->d, c->person, size, err);
}

static void client_decode(struct client *c, const char *p, size_t n)
{
	struct error err = {0};
	enum submission_state state = submission_decode(c->decoder, p, n, &err);

	if (state != SUBMISSION_REFUSED && check_room(c, state == SUBMISSION_COMPLETE, &err) < 0)
		;
	else if (state == SUBMISSION_MORE && !bytes_fit(c))
		error_set(&err, REASON_LIMIT, "too many bytes of this user at a time (door_byte_limit_per_user)");
	else if (state == SUBMISSION_MORE && !envelope_fits(c))
		error_set(&err, REASON_LIMIT, "too many recipients in unfinished submissions at a time");
	if (err.reason)
		client_refuse(c, &err);
	else if (state == SUBMISSION_COMPLETE)
		submission_complete(c);
}

/* False: it was refused, and c may be gone. */
static bool begin_submission(struct client *c)
{
	const struct error *closed = c->d->door.refusal;
	uint64_t limit;
	int may;

	c->kind = CLIENT_SUBMITS;
	if (closed) {
		client_refuse(c, closed);
		return false;
	}
	reload_if_changed(c->d); /* first: it says who may, and how much */
	limit = (uint64_t)conf_int(c->d->conf, P_message_size_limit);
	user_of(c->d, c->uid, &c->who);
	may = client_allowed(c, P_authorized_submit_users);
	c->decoder = may > 0 ? submission_decoder_new(limit, spill_add, &c->body) : NULL;
	if (may < 0)
		client_answer(c, REASON_TEMPORARY, "your name cannot be looked up for authorized_submit_users");
	else if (!may)
		client_answer(c, REASON_NOT_AUTHORIZED, "authorized_submit_users does not name you");
	else if (c->decoder)
		return true;
	else
		client_answer(c, REASON_SYSTEM, "out of memory");
	return false;
}

/* ---- a question */

static void begin_question(struct client *c)
{
	const char *nl = memchr(c->in.data, '\n', c->in.len);
	const struct error *closed = c->d->door.refusal;
	char *words[CONTROL_ARGS];
	int n = 0;

	if (!nl)
		return;
	c->kind = CLIENT_ASKS;
	if (!closed) {
		reload_if_changed(c->d);
		n = control_get_request(c->in.data, (size_t)(nl - c->in.data), words, CONTROL_ARGS);
	}
	if (closed)
		c->closing = !question_ends(c, error_exit(closed), "%s", closed->text);
	else if (n <= 0)
		c->closing = !question_ends(c, EX_PROTOCOL, "that is not a question this outpostd understands");
	else
		c->closing = !question_begin(c, words, n);
	control_free_words(words, n);
	client_flush(c);
}

/* ---- its bytes */

static void client_first(struct client *c, const char *p, size_t n)
{
	static const size_t magic = sizeof(SUBMISSION_MAGIC) - 1;

	/* Of a submission no more than the magic is looked for here, so the ceiling cannot cut one. */
	if (c->in.len == 0 && n >= magic && memcmp(p, SUBMISSION_MAGIC, magic) == 0) {
		if (begin_submission(c))
			client_decode(c, p, n);
		return;
	}
	if (buf_add(&c->in, p, n) < 0) {
		client_close(c);
		return;
	}
	if (c->in.len < magic)
		return;
	if (memcmp(c->in.data, SUBMISSION_MAGIC, magic) == 0) {
		if (begin_submission(c))
			client_decode(c, c->in.data, c->in.len);
	} else if (memcmp(c->in.data, CONTROL_MAGIC, magic) == 0) {
		begin_question(c);
	} else {
		client_answer(c, REASON_BAD_SUBMISSION, "neither a submission nor a question");
	}
}

static void client_read(struct client *c)
{
	static char bytes[READ_AT_ONCE];
	ssize_t n = quarantine_read(c->watch.fd, bytes, sizeof(bytes));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_close(c); /* without its end record it is cancelled */
		return;
	}
	c->heard = clock_mono_ms();
	c->stall = c->heard + STALL_MS;
	if (c->kind == CLIENT_SUBMITS)
		client_decode(c, bytes, (size_t)n);
	else if (c->kind == CLIENT_NEW)
		client_first(c, bytes, (size_t)n);
	/* A client that asks has nothing more to send. */
}

static void client_ready(void *arg, short revents)
{
	struct client *c = arg;

	if (c->complete)
		/* gone before its answer: the submission counts, and can be asked for by its token */
		loop_remove(&c->d->loop, &c->watch);
	else if (revents & POLLOUT)
		client_flush(c);
	else
		client_read(c);
}

/* ---- time */

void clients_asking(struct outpostd *d, const struct verb *verb, void (*what)(struct client *c))
{
	struct client *next;

	for (struct client *c = d->clients.first; c; c = next) {
		next = c->next;
		if (question_is(c, verb))
			what(c);
	}
}

static deadline client_deadline(const struct client *c)
{
	deadline stall = c->stall;

	if (c->complete || (c->question && !c->out.len))
		return DEADLINE_NEVER;
	if (c->question)
		return stall;
	if (door_has_waiting(c->d, c->person))
		stall = deadline_first(stall, c->heard + CROWDED_MS);
	if (door_is_crowded_by(c->d, c->person))
		stall = deadline_first(stall, c->since + CROWDED_MS);
	return deadline_first(stall, c->whole);
}

deadline clients_deadline(struct outpostd *d)
{
	deadline first = DEADLINE_NEVER;

	for (const struct client *c = d->clients.first; c; c = c->next)
		first = deadline_first(first, client_deadline(c));
	return first;
}

void clients_tick(struct outpostd *d)
{
	struct client *next;

	d->clients.pages = 0;
	for (struct client *c = d->clients.first; c; c = next) {
		next = c->next;
		if (deadline_over(client_deadline(c)))
			client_close(c);
	}
}
