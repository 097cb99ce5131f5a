#include "config.h"
#include "outpost/flusher/health.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/sock.h"
#include "outpost/flusher/start_outpostd.h"
#include "submission/incoming.h"

enum { FULL_BYTES = 1 << 20 };

/* The hour of 23 hours ago is the first of 24 that end with the present one. */
static const int64_t DAY_US = INT64_C(23) * 3600 * 1000000;

size_t health_count_files(const char *dir, const char *sub)
{
	bool incoming = strcmp(sub, INCOMING_DIR) == 0;	/* where not all is mail */
	char path[PATH_MAX];
	struct dirent *e;
	size_t n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", dir, sub);
	d = opendir(path);
	while (d && (e = readdir(d)) != NULL)
		n += incoming ? incoming_is_name(e->d_name) : e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

/* Whether a service manager or cron would start a flusher. */
static bool has_timer(const struct context *c)
{
	static const char *const paths[] = {
		"/etc/systemd/system/timers.target.wants/outpost-run.timer",
		"/etc/cron.d/outpost",
	};
	/* A package enables its timer where no systemd runs, too: in a container, under another init. */
	bool systemd = access("/run/systemd/system", F_OK) == 0;

	if (sock_managed(conf_str(c->conf, P_door_socket)))
		return true;
	for (size_t i = systemd ? 0 : 1; !c->own && i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct stat st;

		if (lstat(paths[i], &st) == 0)
			return true;
	}
	return false;
}

static bool by_sender(struct context *c)
{
	return *conf_str(c->conf, P_sender_dependent_relayhost_maps) ||
	       conf_bool(c->conf, P_smtp_sender_dependent_authentication);
}

/* Whether mail may go by this relay as main.cf stands; what an earlier one named is history. The key is the relay as
 * written; where the login depends on the sender that follows, after a blank. */
static bool uses_relay(struct context *c, const char *nexthop)
{
	struct relayhost relays[HEALTH_RELAYS];
	struct error ignored;
	int n = relayhost_list(c->conf, relays, HEALTH_RELAYS, &ignored);

	if (*conf_str(c->conf, P_sender_dependent_relayhost_maps))
		return true;
	for (int i = 0; i < n; i++) {
		size_t len = strlen(relays[i].written);

		if (strncmp(nexthop, relays[i].written, len) == 0 && (!nexthop[len] || nexthop[len] == ' '))
			return true;
	}
	return false;
}

bool health_is_down(const struct queue_relay *r, int64_t after)
{
	return r->down_since && r->down_until > after;
}

struct in_use {
	struct context *c;
	struct queue_relay *list;
	int n;
};

static int take_relay(void *arg, const struct queue_relay *r)
{
	struct in_use *to = arg;

	if (!uses_relay(to->c, r->nexthop))
		return 0;
	if (to->n < HEALTH_RELAYS)
		to->list[to->n++] = *r;
	else if (r->down_since) /* of many, one that is down is worth more */
		to->list[HEALTH_RELAYS - 1] = *r;
	return 0;
}

int health_relays(struct context *c, struct queue *q, struct queue_relay out[HEALTH_RELAYS], struct error *err)
{
	struct in_use to = {c, out, 0};

	return queue_relay_list(q, take_relay, &to, err) < 0 ? -1 : to.n;
}

/* Where the sender decides: the first that is down. */
static int any_down(struct context *c, struct queue *q, int64_t after, struct queue_relay *which, struct error *err)
{
	struct queue_relay relays[HEALTH_RELAYS];
	int n = health_relays(c, q, relays, err);

	for (int i = 0; i < n; i++)
		if (health_is_down(&relays[i], after)) {
			*which = relays[i];
			return 1;
		}
	return n < 0 ? -1 : 0;
}

int health_no_way(struct context *c, struct queue *q, int64_t after, struct queue_relay *which, struct error *err)
{
	struct relayhost route[HEALTH_RELAYS];
	struct error ignored;
	int n;

	if (by_sender(c))
		return any_down(c, q, after, which, err);
	n = relayhost_list(c->conf, route, HEALTH_RELAYS, &ignored);
	for (int i = 0; i < n; i++) {
		struct queue_relay r;

		if (queue_relay_get(q, route[i].written, &r, err) < 0)
			return -1;
		if (!health_is_down(&r, after))
			return 0;
		if (i == 0)
			*which = r;
	}
	return n > 0;
}

static bool is_full(const char *dir)
{
	struct statvfs fs;

	return statvfs(dir, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < FULL_BYTES;
}

int health_collect(struct context *c, struct health *s, struct error *err)
{
	struct relayhost relays[HEALTH_RELAYS];
	const char *dir;
	struct queue *q;
	int n = -1;

	s->now = clock_wall_us();
	if (context_read_queue(c, &q, err) < 0)
		return -1;
	dir = conf_str(c->conf, P_queue_directory);
	if (credentials_conf_readable(c->conf, &s->no_route) < 0)
		s->no_route.reason = REASON_CONFIG;
	else if (relayhost_route(c->conf, relays, HEALTH_RELAYS, &s->no_route) >= 0)
		s->no_route.reason = REASON_NONE;
	s->running = start_answers(c);
	s->timer = has_timer(c);
	s->by_sender = by_sender(c);
	s->full = is_full(dir);
	s->corrupt = health_count_files(dir, "corrupt");
	s->incoming = health_count_files(dir, "incoming");
	if (!q)
		return 0;
	if (queue_totals(q, &s->totals, err) == 0 &&
	    queue_counters(q, s->now - DAY_US, &s->sent_day, &s->failed_day, err) == 0 &&
	    queue_counters(q, 0, &s->sent_ever, &s->failed_ever, err) == 0)
		n = health_relays(c, q, s->relays, err);
	queue_close(q);
	s->nrelays = n > 0 ? (size_t)n : 0;
	return n < 0 ? -1 : 0;
}
