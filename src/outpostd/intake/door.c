/*
 * door.c: clients. Whoever may connect may submit; nobody may make another wait.
 *
 * A client is read without blocking into memory, then into a file without a name, and only what the
 * decoder calls complete goes near the queue. No descriptor is ever accepted, see hatch.c. A user has so many
 * clients served at a time; more wait in a line of his own, and those beyond are turned away with 75.
 */
#include "config.h"
#include "outpostd/outpostd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/sock.h"
#include "base/step.h"
#include "base/text.h"
#include "control/control.h"

enum { TURN_AWAY_MS = 5 * 1000, TURN_MS = 20 };

struct waiting {
	struct waiting *next;
	int fd;
	uid_t uid;
	gid_t gid;
};

static void client_ready(void *arg, short revents);
static void serve_waiting(struct outpostd *d);

/* ---- one client */

static size_t served_for(const struct door *door, uid_t uid)
{
	size_t n = 0;

	for (const struct client *c = door->clients; c; c = c->next)
		n += c->uid == uid && !c->admin;
	return n;
}

static size_t waiting_for(const struct door *door, uid_t uid)
{
	size_t n = 0;

	for (const struct waiting *w = door->waiting; w; w = w->next)
		n += w->uid == uid;
	return n;
}

/* Unfinished submissions of one user, in bytes. */
static uint64_t bytes_of(const struct door *door, uid_t uid)
{
	uint64_t n = 0;

	for (const struct client *c = door->clients; c; c = c->next)
		if (c->uid == uid)
			n += spill_size(&c->body);
	return n;
}

/* Recipients are kept in memory until the last one is known: somebody who only lists recipients must not get all of
 * it. */
static bool envelope_fits(const struct client *c)
{
	size_t his = 0, all = 0;

	if (submission_decoder_memory(c->decoder) <= ENVELOPE_SMALL)
		return true;
	for (const struct client *o = c->d->door.clients; o; o = o->next) {
		size_t n = o->decoder ? submission_decoder_memory(o->decoder) : 0;

		all += n;
		his += o->uid == c->uid ? n : 0;
	}
	return his <= ENVELOPES_PER_UID && all <= ENVELOPES_IN_ALL;
}

static bool bytes_fit(const struct client *c)
{
	return c->body.fd < 0 ||
	       bytes_of(&c->d->door, c->uid) <= (uint64_t)conf_int(c->d->conf, P_door_byte_limit_per_user);
}

static struct client *client_new(struct outpostd *d, int fd, uid_t uid, gid_t gid, bool admin)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->d = d;
	c->uid = uid;
	c->gid = gid;
	c->admin = admin;
	c->watch = (struct watch){.fd = fd, .events = POLLIN, .ready = client_ready, .arg = c};
	c->heard = clock_mono_ms();
	c->stall = c->heard + CLIENT_STALL_MS;
	c->whole = c->heard + conf_seconds(d->conf, P_door_time_limit) * 1000;
	buf_init(&c->in, LIMIT_ADDRESS * 4);
	buf_init(&c->out, 64 << 20); /* a listing of one message with all its recipients must fit */
	spill_init(&c->body, d->queue_dir);
	if (loop_add(&d->loop, &c->watch) < 0) {
		free(c);
		return NULL;
	}
	c->next = d->door.clients;
	if (c->next)
		c->next->prev = c;
	d->door.clients = c;
	d->door.nclients++;
	return c;
}

static void unlink_ready(struct door *door, struct client *c)
{
	struct client **p = &door->ready;

	while (*p && *p != c)
		p = &(*p)->ready;
	if (!*p)
		return;
	*p = c->ready;
	door->nready--;
	if (!*p)
		door->ready_end = p;
}

void client_close(struct client *c)
{
	struct outpostd *d = c->d;

	if (c->complete)
		unlink_ready(&d->door, c);
	if (c->question)
		ask_end(c);
	if (c->prev)
		c->prev->next = c->next;
	else
		d->door.clients = c->next;
	if (c->next)
		c->next->prev = c->prev;
	d->door.nclients--;
	d->active = clock_mono_ms();
	loop_remove(&d->loop, &c->watch);
	hatch_close(d, c->watch.fd, c->uid);
	submission_decoder_free(c->decoder);
	spill_free(&c->body);
	buf_free(&c->in);
	buf_free(&c->out);
	free(c);
}

/* What fits goes; a question makes more when its last page is out. A listing that is read as fast as it is made would
 * be all that is done: after a few pages it is the others' turn. */
void client_flush(struct client *c)
{
	for (int pages = 0;;) {
		ssize_t n;

		if (c->out.len == 0 && c->question && !c->closing) {
			if (pages++ == PAGES_AT_ONCE) {
				loop_want(&c->d->loop, &c->watch, POLLOUT);
				return;
			}
			c->closing = !ask_more(c);
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
		c->stall = deadline_in_ms(CLIENT_STALL_MS);
	}
	if (c->closing)
		client_close(c);
	else
		loop_want(&c->d->loop, &c->watch, POLLIN);
}

static void client_answer(struct client *c, enum reason reason, const char *text)
{
	submission_put_answer(&c->out, reason, text);
	c->closing = true;
	client_flush(c);
}

static void client_refuse(struct client *c, const struct error *err)
{
	client_answer(c, err->reason, err->text);
}

static void client_complete(struct client *c)
{
	struct door *door = &c->d->door;

	STEP("door-complete");
	c->complete = true;
	c->ready = NULL;
	if (!door->ready)
		door->ready_end = &door->ready;
	*door->ready_end = c;
	door->ready_end = &c->ready;
	if (door->nready++ == 0)
		door->ready_since = clock_mono_ms();
	/* Nothing more is wanted of it; hanging up now does not take the submission back. */
	loop_want(&c->d->loop, &c->watch, 0);
}

static void client_decode(struct client *c, const char *p, size_t n)
{
	struct error err = {0};

	switch (submission_decode(c->decoder, p, n, &err)) {
	case SUBMISSION_MORE:
		if (!bytes_fit(c))
			error_set(&err, REASON_LIMIT,
				  "too many bytes of this user at a time (door_byte_limit_per_user)");
		else if (!envelope_fits(c))
			error_set(&err, REASON_LIMIT, "too many recipients in unfinished submissions at a time");
		if (err.reason)
			client_refuse(c, &err);
		break;
	case SUBMISSION_COMPLETE:
		if (budget_allows(c->d, c->uid, &err))
			client_complete(c);
		else
			client_refuse(c, &err);
		break;
	case SUBMISSION_REFUSED:
		client_refuse(c, &err);
		break;
	}
}

/* False: it was refused, and c may be gone. */
static bool begin_submission(struct client *c)
{
	uint64_t limit;
	int may;

	c->kind = CLIENT_SUBMITS;
	if (c->d->door.shut) {
		client_refuse(c, c->d->door.shut);
		return false;
	}
	reload_if_changed(c->d); /* first: it says who may, and how much */
	limit = (uint64_t)conf_int(c->d->conf, P_message_size_limit);
	user_of(c->d, c->uid, &c->who);
	may = ask_allowed(c, P_authorized_submit_users);
	if (may <= 0) {
		if (may < 0)
			client_answer(c, REASON_TEMPORARY, "your name cannot be looked up for authorized_submit_users");
		else
			client_answer(c, REASON_NOT_AUTHORIZED, "authorized_submit_users does not name you");
		return false;
	}
	c->decoder = submission_decoder_new(limit, spill_add, &c->body);
	if (c->decoder)
		return true;
	client_answer(c, REASON_SYSTEM, "no memory");
	return false;
}

static void end_question(struct client *c, int code, const char *text)
{
	control_put_end(&c->out, code, text);
	c->closing = true;
	client_flush(c);
}

static void begin_question(struct client *c)
{
	char *words[CONTROL_ARGS];
	const char *nl = memchr(c->in.data, '\n', c->in.len);
	int n;

	if (!nl)
		return;
	c->kind = CLIENT_ASKS;
	if (c->d->door.shut) {
		end_question(c, error_exit(c->d->door.shut), c->d->door.shut->text);
		return;
	}
	reload_if_changed(c->d);
	n = control_get_request(c->in.data, (size_t)(nl - c->in.data), words, CONTROL_ARGS);
	if (n <= 0) {
		end_question(c, EX_PROTOCOL, "that is not a question this outpostd understands");
		return;
	}
	ask_begin(c, words, n);
	control_free_words(words, n);
	client_flush(c);
}

/* The first bytes say what it is. */
static void client_first(struct client *c, const char *p, size_t n)
{
	static const size_t magic = sizeof(SUBMISSION_MAGIC) - 1;

	/* Of a submission no more than the magic is looked for here, so the ceiling can't cut one. */
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
	static char bytes[DOOR_READ];
	ssize_t n = hatch_read(c->watch.fd, bytes, sizeof(bytes));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_close(c); /* without its end record it is cancelled */
		return;
	}
	c->heard = clock_mono_ms();
	c->stall = c->heard + CLIENT_STALL_MS;
	if (c->kind == CLIENT_SUBMITS)
		client_decode(c, bytes, (size_t)n);
	else if (c->kind == CLIENT_NEW)
		client_first(c, bytes, (size_t)n);
	/* An asker has nothing more to say. */
}

static void client_ready(void *arg, short revents)
{
	struct client *c = arg;

	if (c->complete) {
		/* Gone before its answer: the submission counts, it will ask again with its token. */
		loop_remove(&c->d->loop, &c->watch);
		return;
	}
	if (revents & POLLOUT)
		client_flush(c);
	else
		client_read(c);
}

/* ---- the listening sockets */

static void turn_away(struct outpostd *d, int fd, uid_t uid)
{
	static const char words[] = "75 4.3.2 limit too many submissions of this user at a time; try again\n";

	if (send(fd, words, sizeof(words) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		errno = 0;
	hatch_close(d, fd, uid);
}

static int wait_in_line(struct door *door, int fd, uid_t uid, gid_t gid)
{
	struct waiting **p = &door->waiting, *w;

	if (waiting_for(door, uid) >= door->per_uid)
		return -1;
	w = malloc(sizeof(*w));
	if (!w)
		return -1;
	*w = (struct waiting){NULL, fd, uid, gid};
	while (*p)
		p = &(*p)->next;
	*p = w;
	door->nwaiting++;
	return 0;
}

/* One user's share is never all of it: others find a place even when he has taken his. */
static bool may_serve(struct outpostd *d, uid_t uid)
{
	size_t all = (size_t)conf_int(d->conf, P_door_connection_limit);
	size_t each = (size_t)conf_int(d->conf, P_door_connection_limit_per_user);

	if (each > all / 2)
		each = all > 1 ? all / 2 : 1;
	return d->door.nclients < all && served_for(&d->door, uid) < each;
}

static void welcome(struct outpostd *d, int fd, uid_t uid, gid_t gid)
{
	struct door *door = &d->door;
	bool full = !may_serve(d, uid);

	if (full && wait_in_line(door, fd, uid, gid) == 0)
		return;
	if (full || !client_new(d, fd, uid, gid, false))
		turn_away(d, fd, uid);
}

static void serve_waiting(struct outpostd *d)
{
	struct door *door = &d->door;
	struct waiting **p = &door->waiting;

	while (*p) {
		struct waiting *w = *p;

		if (!may_serve(d, w->uid)) {
			p = &w->next;
			continue;
		}
		*p = w->next;
		door->nwaiting--;
		if (!client_new(d, w->fd, w->uid, w->gid, false))
			turn_away(d, w->fd, w->uid);
		free(w);
	}
}

static int take_connection(struct outpostd *d, struct watch *w)
{
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
		d->door.deaf = deadline_in_ms(100);
		loop_want(&d->loop, w, 0);
	}
	d->active = clock_mono_ms();
	return fd;
}

static void door_ready(void *arg, short revents)
{
	struct outpostd *d = arg;

	(void)revents;
	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		int fd = take_connection(d, &d->door.door);
		uid_t uid;
		gid_t gid;

		if (fd < 0)
			return;
		if (sock_peer(fd, &uid, &gid, NULL) < 0)
			close(fd);
		else
			welcome(d, fd, uid, gid);
	}
}

static void admin_ready(void *arg, short revents)
{
	struct outpostd *d = arg;
	int fd = take_connection(d, &d->door.admin);
	uid_t uid;
	gid_t gid;

	(void)revents;
	if (fd < 0)
		return;
	if (sock_peer(fd, &uid, &gid, NULL) < 0 || (uid != 0 && uid != geteuid()) ||
	    !client_new(d, fd, uid, gid, true))
		close(fd);
}

/* ---- opening and closing */

static int want_descriptors(struct door *door, struct error *err)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return error_sys(err, REASON_SYSTEM, "cannot ask for the limit of open files");
	if (r.rlim_cur < DESCRIPTORS_WANTED && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max < DESCRIPTORS_WANTED ? r.rlim_max : DESCRIPTORS_WANTED;
		setrlimit(RLIMIT_NOFILE, &r);
	}
	/* With fewer it would take connections and never get to answer them. */
	if (r.rlim_cur < DESCRIPTORS_LEAST)
		return error_set(err, REASON_SYSTEM,
				 "the limit of open files (ulimit -n) is %llu, at least %d are needed",
				 (unsigned long long)r.rlim_cur, DESCRIPTORS_LEAST);
	/* One user's line must not use up what the others need. */
	door->per_uid = r.rlim_cur / 4 < WAITING_PER_UID ? r.rlim_cur / 4 : WAITING_PER_UID;
	return 0;
}

static int listen_at(struct outpostd *d, struct watch *w, int fd, void (*ready)(void *, short), struct error *err)
{
	*w = (struct watch){.fd = fd, .events = POLLIN, .ready = ready, .arg = d};
	sock_refuse_descriptors(fd);
	if (loop_add(&d->loop, w) == 0)
		return 0;
	close(fd);
	w->fd = -1;
	return error_set(err, REASON_SYSTEM, "no memory");
}

static int open_door(struct outpostd *d, struct error *err)
{
	struct door *door = &d->door;
	int fd = notify_listen_fd("door");

	if (snprintf(door->path, sizeof(door->path), "%s", conf_str(d->conf, P_door_socket)) >= (int)sizeof(door->path))
		return error_set(err, REASON_CONFIG, "the path of the door is too long");
	d->socket_activated = fd >= 0;
	if (fd < 0) {
		if (d->once && sock_managed(door->path))
			return 0; /* an errand: who comes meanwhile finds the service manager */
		if (sock_managed(door->path))
			return error_set(err, REASON_UNAVAILABLE,
					 "the service manager has the door %s (systemctl start outpost)", door->path);
		fd = sock_listen(door->path, 0666, err);
		if (fd < 0 && d->once) {
			log_line(LOG_WARN, "outpostd", 0, "%s; mail goes by way of outpost-drop", err->text);
			return 0;
		}
		door->ours = fd >= 0;
	}
	return fd < 0 ? -1 : listen_at(d, &door->door, fd, door_ready, err);
}

int door_open(struct outpostd *d, struct error *err)
{
	struct door *door = &d->door;
	int fd;

	hatch_open(d);
	door->door.fd = door->admin.fd = -1;
	door->deaf = DEADLINE_NEVER;
	door->ready_end = &door->ready;
	if (want_descriptors(door, err) < 0)
		return -1;
	if (snprintf(door->admin_path, sizeof(door->admin_path), "%s/admin", d->queue_dir) >=
	    (int)sizeof(door->admin_path))
		return error_set(err, REASON_CONFIG, "queue_directory is too long");
	if (d->take_in)
		/* it serves nobody: who comes meanwhile finds the service manager, or the drop, or starts one that
		 * does */
		return 0;
	fd = sock_listen(door->admin_path, 0600, err);
	if (fd < 0 || listen_at(d, &door->admin, fd, admin_ready, err) < 0)
		return -1;
	return open_door(d, err);
}

static void stop_listening(struct outpostd *d, struct watch *w)
{
	if (w->fd < 0)
		return;
	loop_remove(&d->loop, w);
	close(w->fd);
	w->fd = -1;
}

/* Away with the names first: who comes from now on finds nobody and uses the drop, and who connected before is let in
 * and served. At a service manager's door he waits for the next of us. */
void door_unname(struct outpostd *d)
{
	if (d->door.ours && d->door.door.fd >= 0 && !sock_managed(d->door.path))
		unlink(d->door.path);
	else if (!d->door.ours && d->door.door.fd >= 0)
		loop_want(&d->loop, &d->door.door, 0);
	if (d->door.admin.fd >= 0)
		unlink(d->door.admin_path);
}

static bool knocks(const struct watch *w)
{
	return w->fd >= 0 && io_wait(w->fd, POLLIN, 0) == 1;
}

bool door_serving(struct outpostd *d)
{
	return d->door.clients || d->door.waiting || knocks(&d->door.admin) || (d->door.ours && knocks(&d->door.door));
}

void door_close(struct outpostd *d)
{
	stop_listening(d, &d->door.door);
	stop_listening(d, &d->door.admin);
}

void door_hang_up(struct outpostd *d)
{
	while (d->door.clients)
		client_close(d->door.clients);
	while (d->door.waiting) {
		struct waiting *w = d->door.waiting;

		d->door.waiting = w->next;
		hatch_close(d, w->fd, w->uid);
		free(w);
	}
	d->door.nwaiting = 0;
	free(d->door.budgets);
	d->door.budgets = NULL;
	d->door.nbudgets = 0;
	hatch_end(d);
}

/* The service manager keeps this door open, and who stands there would wait for a start that succeeds. */
void door_turn_away(struct outpostd *d, const struct error *why)
{
	struct door *door = &d->door;
	deadline until = deadline_in_ms(TURN_AWAY_MS);
	int fd = notify_listen_fd("door");
	struct error shut;

	if (fd < 0 || want_descriptors(door, &shut) < 0)
		return;
	error_set(&shut, REASON_TEMPORARY, "%s", why->text);
	door->shut = &shut;
	door->deaf = DEADLINE_NEVER;
	hatch_open(d);
	if (listen_at(d, &door->door, fd, door_ready, &shut) < 0)
		return;
	while ((door->clients || door->waiting || knocks(&door->door)) && !deadline_over(until)) {
		if (loop_turn(&d->loop, TURN_MS) < 0)
			break;
		door_tick(d);
	}
	stop_listening(d, &door->door);
	door_hang_up(d);
	door->shut = NULL;
}

/* ---- time */

static deadline client_deadline(const struct client *c)
{
	deadline stall = c->stall;

	if (c->complete || (c->question && !c->out.len))
		return DEADLINE_NEVER;
	if (c->question)
		return stall;
	if (c->d->door.waiting && waiting_for(&c->d->door, c->uid))
		stall = deadline_first(stall, c->heard + CLIENT_CROWDED_MS);
	return deadline_first(stall, c->whole);
}

deadline door_deadline(struct outpostd *d)
{
	deadline first = d->door.deaf;

	for (const struct client *c = d->door.clients; c; c = c->next)
		first = deadline_first(first, client_deadline(c));
	return first;
}

void door_tick(struct outpostd *d)
{
	struct client *next;

	if (deadline_over(d->door.deaf)) {
		d->door.deaf = DEADLINE_NEVER;
		loop_want(&d->loop, &d->door.door, POLLIN);
		loop_want(&d->loop, &d->door.admin, POLLIN);
	}
	for (struct client *c = d->door.clients; c; c = next) {
		next = c->next;
		if (deadline_over(client_deadline(c)))
			client_close(c);
	}
	if (d->door.waiting)
		serve_waiting(d);
}

/* ---- the transaction */

/* Who was served together comes back together: for as many as the last commit served, if that was just now, this one
 * waits, so that many at once do not pay for a sync each. Who is alone never waits. */
static bool group_is_coming(const struct door *door, int64_t now)
{
	return door->nready < door->group && now - door->grouped < GROUP_LASTS_MS && now - door->ready_since < GROUP_MS;
}

bool door_gathers(struct outpostd *d)
{
	int64_t now = clock_mono_ms();

	if (group_is_coming(&d->door, now))
		return true;
	if (d->door.nready >= GATHER_MAX || now - d->door.ready_since >= GATHER_MS)
		return false;
	for (const struct client *c = d->door.clients; c; c = c->next)
		if (!c->complete && !c->closing && c->kind != CLIENT_ASKS && now - c->heard < 10)
			return true;
	return false;
}

static void note_group(struct door *door)
{
	if (!door->nready)
		return;
	door->group = door->nready < GROUP_MAX ? door->nready : GROUP_MAX;
	door->grouped = clock_mono_ms();
}

/* A queue_source. */
static long read_body(void *arg, char *p, size_t n, struct error *err)
{
	struct client *c = arg;
	ssize_t got = spill_read(&c->body, c->body_read, p, n, err);

	c->body_read += got > 0 ? (uint64_t)got : 0;
	return got;
}

void door_write(struct outpostd *d)
{
	int64_t now = clock_us(d);

	note_group(&d->door);
	for (struct client *c = d->door.ready; c; c = c->ready) {
		uint64_t size;
		const struct submission *s = submission_envelope(c->decoder, &size);

		c->refusal.reason = REASON_NONE;
		c->body_read = 0;
		if (accept_submission(d, s, size, &c->who, now, 0, read_body, c, c->id, &c->refusal) == 0)
			c->refusal.reason = REASON_NONE;
		else if (!c->refusal.reason)
			c->refusal.reason = REASON_INTERNAL;
		else if (error_exit(&c->refusal) == EX_IOERR)
			/* it is not the message's fault: another day it is taken */
			c->refusal.reason = REASON_TEMPORARY;
	}
}

static struct client *take_ready(struct door *door)
{
	struct client *c = door->ready;

	if (!c)
		return NULL;
	door->ready = c->ready;
	if (!door->ready)
		door->ready_end = &door->ready;
	door->nready--;
	c->complete = false;
	return c;
}

void door_committed(struct outpostd *d)
{
	char text[64];
	struct client *c;

	while ((c = take_ready(&d->door)) != NULL) {
		if (c->refusal.reason) {
			budget_return(d, c->uid);
			client_refuse(c, &c->refusal);
			continue;
		}
		STEP("door-answer");
		snprintf(text, sizeof(text), SUBMISSION_QUEUED "%s", c->id);
		client_answer(c, REASON_NONE, text);
	}
}

void door_forget(struct outpostd *d)
{
	struct client *c;

	while ((c = take_ready(&d->door)) != NULL)
		client_close(c);
}

void door_failed(struct outpostd *d, const struct error *why)
{
	struct client *c;

	while ((c = take_ready(&d->door)) != NULL) {
		budget_return(d, c->uid);
		client_refuse(c, c->refusal.reason ? &c->refusal : why);
	}
}
