/* door.c: the door, open to everybody, and the administrator's socket, $queue_directory/admin. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/sock.h"

enum {
	TURN_AWAY_MS = 5 * 1000,
	TURN_MS = 20,
	ACCEPT_AT_ONCE = 64,		/* new connections in one turn */
	ACCEPT_RETRY_MS = 100,
	WAITING_PER_PERSON = 1024,
	DESCRIPTORS_WANTED = 8192,
	DESCRIPTORS_LEAST = 64,
	FEW = 8,			/* places of one person: this part of all */
};

struct waiting {
	struct waiting *next;
	int fd;
	uid_t uid, person;
	gid_t gid;
};

bool door_is_quiet(const struct outpostd *d)
{
	return !d->clients.n && !d->door.waiting;
}

/* ---- the line */

static size_t waiting_of(const struct door *door, uid_t person)
{
	size_t n = 0;

	for (const struct waiting *w = door->waiting; w; w = w->next)
		n += w->person == person;
	return n;
}

bool door_has_waiting(const struct outpostd *d, uid_t person)
{
	return waiting_of(&d->door, person) > 0;
}

bool door_is_crowded_by(const struct outpostd *d, uid_t person)
{
	size_t all = (size_t)conf_int(d->conf, P_door_connection_limit);

	return d->door.waiting && d->clients.n >= all && clients_of(d, person) > all / FEW;
}

static void turn_away(struct outpostd *d, int fd, uid_t uid)
{
	static const char words[] = "75 4.3.2 limit too many submissions of this user at a time; try again\n";

	if (send(fd, words, sizeof(words) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		errno = 0;
	quarantine_close(d, fd, uid);
}

static int wait_in_line(struct outpostd *d, int fd, uid_t uid, gid_t gid)
{
	struct door *door = &d->door;
	uid_t person = person_of_uid(d, uid);
	struct waiting **p = &door->waiting, *w;

	if (waiting_of(door, person) >= door->per_person)
		return -1;
	w = malloc(sizeof(*w));
	if (!w)
		return -1;
	*w = (struct waiting){NULL, fd, uid, person, gid};
	while (*p)
		p = &(*p)->next;
	*p = w;
	door->nwaiting++;
	return 0;
}

/* One person's share is never all of it: others find a place even when it is used up. */
static bool may_serve(struct outpostd *d, uid_t person)
{
	size_t all = (size_t)conf_int(d->conf, P_door_connection_limit);
	size_t each = (size_t)conf_int(d->conf, P_door_connection_limit_per_user);

	if (each > all / 2)
		each = all > 1 ? all / 2 : 1;
	return d->clients.n < all && clients_of(d, person) < each;
}

static void welcome(struct outpostd *d, int fd, uid_t uid, gid_t gid)
{
	bool full = !may_serve(d, person_of_uid(d, uid));

	if (full && wait_in_line(d, fd, uid, gid) == 0)
		return;
	if (full || client_new(d, fd, uid, gid, false) < 0)
		turn_away(d, fd, uid);
}

/* The first of the person who is served least: the line is no advantage to whoever fills it. */
static struct waiting **next_in_line(struct outpostd *d)
{
	struct waiting **best = NULL;
	size_t least = SIZE_MAX;

	for (struct waiting **p = &d->door.waiting; *p && least > 0; p = &(*p)->next) {
		size_t n = clients_of(d, (*p)->person);

		if (n < least && may_serve(d, (*p)->person)) {
			best = p;
			least = n;
		}
	}
	return best;
}

static void serve_waiting(struct outpostd *d)
{
	struct waiting **p;

	while ((p = next_in_line(d))) {
		struct waiting *w = *p;

		*p = w->next;
		d->door.nwaiting--;
		if (client_new(d, w->fd, w->uid, w->gid, false) < 0)
			turn_away(d, w->fd, w->uid);
		free(w);
	}
}

/* ---- the sockets */

static int take_connection(struct outpostd *d, struct watch *w)
{
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
		d->door.accept_retry_at = deadline_in_ms(ACCEPT_RETRY_MS);
		loop_want(&d->loop, w, 0);
	}
	shutdown_postpone(d);
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
		pid_t pid;

		if (fd < 0)
			return;
		if (sock_peer(fd, &uid, &gid, &pid) < 0) {
			close(fd);
			continue;
		}
		if (uid == geteuid() && listener_serves(d, pid, &uid))
			gid = CLIENT_NO_GROUP;
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
	    client_new(d, fd, uid, gid, true) < 0)
		close(fd);
}

static int raise_descriptors(struct door *door, struct error *err)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return error_sys(err, REASON_SYSTEM, "cannot get the limit of open files");
	if (r.rlim_cur < DESCRIPTORS_WANTED && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max < DESCRIPTORS_WANTED ? r.rlim_max : DESCRIPTORS_WANTED;
		setrlimit(RLIMIT_NOFILE, &r);
	}
	/* With fewer it would take connections and never get to answer them. */
	if (r.rlim_cur < DESCRIPTORS_LEAST)
		return error_set(err, REASON_SYSTEM,
				 "the limit of open files (ulimit -n) is %llu, at least %d are needed",
				 (unsigned long long)r.rlim_cur, DESCRIPTORS_LEAST);
	/* One person's line must not use up what the others need. */
	door->per_person = r.rlim_cur / 4 < WAITING_PER_PERSON ? r.rlim_cur / 4 : WAITING_PER_PERSON;
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
	return error_set(err, REASON_SYSTEM, "out of memory");
}

static int open_door(struct outpostd *d, struct error *err)
{
	struct door *door = &d->door;
	int fd = service_manager_socket("door");

	if (snprintf(door->path, sizeof(door->path), "%s", conf_str(d->conf, P_door_socket)) >= (int)sizeof(door->path))
		return error_set(err, REASON_CONFIG, "door_socket is too long");
	door->managed = fd >= 0;
	if (!door->managed) {
		if (d->once && sock_managed(door->path))
			return 0; /* an errand: clients that come meanwhile find the service manager */
		if (sock_managed(door->path))
			return error_set(err, REASON_UNAVAILABLE,
					 "the service manager has the door %s (systemctl start outpost)",
					 door->path);
		fd = sock_listen(door->path, 0666, err);
		if (fd < 0 && d->once) {
			log_line(LOG_WARN, "outpostd", 0, "%s; mail goes by way of outpost-drop", err->text);
			return 0;
		}
		door->ours = fd >= 0;
	}
	return fd < 0 ? -1 : listen_at(d, &door->door, fd, door_ready, err);
}

const char *door_admin_path(const char *queue_dir, char *buf, size_t size)
{
	int n = snprintf(buf, size, "%s/admin", queue_dir);

	return n > 0 && (size_t)n < size ? buf : NULL;
}

int door_open(struct outpostd *d, struct error *err)
{
	struct door *door = &d->door;
	int fd;

	quarantine_open(d);
	door->door.fd = door->admin.fd = -1;
	door->accept_retry_at = DEADLINE_NEVER;
	if (raise_descriptors(door, err) < 0)
		return -1;
	if (!door_admin_path(d->queue_dir, door->admin_path, sizeof(door->admin_path)))
		return error_set(err, REASON_CONFIG, "queue_directory is too long");
	if (d->take_in)
		return 0; /* it serves nobody: clients find the service manager, or the drop, or start one that does */
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

/* The names go first: clients that come from now on find nobody and use the drop, and those that connected before
 * are let in and served. At a service manager's door they wait for the next outpostd. */
void door_unname(struct outpostd *d)
{
	struct door *door = &d->door;

	if (door->ours && door->door.fd >= 0 && !sock_managed(door->path))
		unlink(door->path);
	else if (!door->ours && door->door.fd >= 0)
		loop_want(&d->loop, &door->door, 0);
	if (door->admin.fd >= 0)
		unlink(door->admin_path);
}

static bool has_caller(const struct watch *w)
{
	return w->fd >= 0 && io_wait(w->fd, POLLIN, 0) == 1;
}

bool door_serving(struct outpostd *d)
{
	return !door_is_quiet(d) || has_caller(&d->door.admin) || (d->door.ours && has_caller(&d->door.door));
}

void door_close(struct outpostd *d)
{
	stop_listening(d, &d->door.door);
	stop_listening(d, &d->door.admin);
}

void door_hang_up(struct outpostd *d)
{
	clients_close_all(d);
	while (d->door.waiting) {
		struct waiting *w = d->door.waiting;

		d->door.waiting = w->next;
		quarantine_close(d, w->fd, w->uid);
		free(w);
	}
	d->door.nwaiting = 0;
	quarantine_end(d);
}

/* The service manager keeps this door open, and clients there would wait for a start that succeeds. */
void door_turn_away(struct outpostd *d, const struct error *why)
{
	struct door *door = &d->door;
	deadline until = deadline_in_ms(TURN_AWAY_MS);
	int fd = service_manager_socket("door");
	struct error refusal;

	if (fd < 0 || raise_descriptors(door, &refusal) < 0)
		return;
	error_set(&refusal, REASON_TEMPORARY, "%s", why->text);
	door->refusal = &refusal;
	door->accept_retry_at = DEADLINE_NEVER;
	quarantine_open(d);
	if (listen_at(d, &door->door, fd, door_ready, &refusal) < 0)
		return;
	while ((!door_is_quiet(d) || has_caller(&door->door)) && !deadline_over(until)) {
		if (loop_turn(&d->loop, TURN_MS) < 0)
			break;
		door_tick(d);
	}
	stop_listening(d, &door->door);
	door_hang_up(d);
	door->refusal = NULL;
}

deadline door_deadline(struct outpostd *d)
{
	return deadline_first(d->door.accept_retry_at, clients_deadline(d));
}

void door_tick(struct outpostd *d)
{
	if (deadline_over(d->door.accept_retry_at)) {
		d->door.accept_retry_at = DEADLINE_NEVER;
		loop_want(&d->loop, &d->door.door, POLLIN);
		loop_want(&d->loop, &d->door.admin, POLLIN);
	}
	clients_tick(d);
	if (d->door.waiting)
		serve_waiting(d);
}
