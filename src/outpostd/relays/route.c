/* route.c: which relays there are, and which of them a message may take, in order of preference. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

/* A key too long for the table is cut: such relays share what is stored of them, nothing else. */
static void relay_key(const struct relayhost *at, const char *sender, char *key, size_t size)
{
	char whole[sizeof(at->written) + LIMIT_ADDRESS + 2];

	snprintf(whole, sizeof(whole), "%s%s%s", at->written, *sender ? " " : "", sender);
	snprintf(key, size, "%.*s", (int)size - 1, whole);
}

/* Noted by a clock that was put right while nobody was there: it may be tried now. */
static void mend_times(const struct outpostd *d, struct queue_relay *s)
{
	int64_t now = clock_us(d);

	if (!s->down_since || !clock_knows(now) || (s->down_since <= now && clock_knows(s->down_since)))
		return;
	s->down_since = now;
	s->down_until = 1;
}

struct relay *relay_get(struct outpostd *d, const struct relayhost *at, const char *sender, struct error *err)
{
	char key[sizeof(((struct relay *)0)->state.nexthop)];
	struct relay *r;

	relay_key(at, sender, key, sizeof(key));
	for (r = d->relays; r; r = r->next)
		if (strcmp(r->state.nexthop, key) == 0 && strcmp(r->sender, sender) == 0) {
			r->at = *at;
			return r;
		}
	if (d->nrelays >= RELAYS_CEILING) {
		error_set(err, REASON_LIMIT, "too many relays and logins are down or in use at a time");
		return NULL;
	}
	r = calloc(1, sizeof(*r));
	if (!r) {
		error_set(err, REASON_SYSTEM, "no memory");
		return NULL;
	}
	if (queue_relay_get(d->queue, key, &r->state, err) < 0) {
		free(r);
		return NULL;
	}
	snprintf(r->state.nexthop, sizeof(r->state.nexthop), "%s", key);
	snprintf(r->sender, sizeof(r->sender), "%s", sender);
	mend_times(d, &r->state);
	delivery_read_known(r->state.known, &r->known);
	relay_read_rate(d, r);
	r->at = *at;
	r->full_since = DEADLINE_NEVER;
	r->code = r->state.reason == REASON_CONFIG ? EX_CONFIG : EX_TEMPFAIL;
	r->next = d->relays;
	d->relays = r;
	d->nrelays++;
	return r;
}

static bool is_routed(const struct outpostd *d, const struct relay *r)
{
	for (size_t i = 0; i < d->nroute; i++)
		if (d->route[i] == r)
			return true;
	return false;
}

/* Where senders have credentials of their own there may be any number of them: those that nobody needs now are read
 * again from the queue when they are. */
static void free_idle(struct outpostd *d)
{
	struct relay **p = &d->relays, *r;

	while ((r = *p) != NULL) {
		if (!relay_idle(r) || is_routed(d, r) || r == d->aging) {
			p = &r->next;
			continue;
		}
		*p = r->next;
		free(r);
		d->nrelays--;
	}
}

void relay_free_all(struct outpostd *d)
{
	while (d->relays) {
		struct relay *r = d->relays;

		d->relays = r->next;
		free(r);
	}
	d->nroute = d->nrelays = 0;
}

/* owner: whose credential. */
static int add_all(struct outpostd *d, const struct relayhost *at, int n, const char *owner, struct relay **list,
		   size_t max, struct error *err)
{
	int i;

	for (i = 0; i < n && (size_t)i < max; i++) {
		list[i] = relay_get(d, &at[i], owner, err);
		if (!list[i])
			return -1;
	}
	return i;
}

int relay_routes(struct outpostd *d, struct error *err)
{
	struct relayhost at[RELAYS_MAX];
	int n = relayhost_route(d->conf, at, RELAYS_MAX, err);

	d->nroute = 0;
	d->route_error.reason = REASON_NONE;
	if (n > 0)
		n = add_all(d, at, n, "", d->route, RELAYS_MAX, err);
	if (n >= 0) {
		d->nroute = (size_t)n;
		return 0;
	}
	d->route_error = *err;
	return -1;
}

/* One of main.cf's, now or once. Those of a sender's own login are looked up with his next message. */
static int recall(void *arg, const struct queue_relay *s)
{
	struct outpostd *d = arg;
	struct relayhost at;
	struct error ignored;

	if (!strchr(s->nexthop, ' ') && (s->down_since || s->npauses) &&
	    relayhost_parse(d->conf, s->nexthop, &at, &ignored) == 0)
		relay_get(d, &at, "", &ignored);
	return 0;
}

void relay_recall(struct outpostd *d)
{
	struct error err = {0};

	if (queue_relay_list(d->queue, recall, d, &err) < 0)
		log_line(LOG_WARN, "qmgr", 0, "when relays were down can't be read: %s", err.text);
}

bool relay_is_named(const struct outpostd *d, const struct relay *r)
{
	return d->route_error.reason || is_routed(d, r) || r->sender[0] || d->rules.maps[MAP_SENDER_RELAYS];
}

void relay_leave_behind(struct outpostd *d)
{
	for (struct relay *r = d->relays; r; r = r->next)
		if (!relay_is_named(d, r))
			relay_end(d, r);
}

/* sender_dependent_relayhost_maps: the whole address, then @domain. */
static int sender_relay(struct outpostd *d, const char *sender, struct relayhost *at, struct error *err)
{
	struct maps *m = d->rules.maps[MAP_SENDER_RELAYS];
	const char *domain = strrchr(sender, '@');
	struct buf value;
	int rc;

	if (!m || !*sender)
		return 0;
	buf_init(&value, 4096);
	rc = maps_get(m, sender, &value, err);
	if (rc == 0 && domain)
		rc = maps_get(m, domain, &value, err);
	if (rc == 1 && span_is(span_trim(span_of(buf_str(&value))), "DUNNO"))
		rc = 0;
	if (rc == 1)
		rc = relayhost_parse(d->conf, buf_str(&value), at, err) < 0 ? -1 : 1;
	buf_free(&value);
	return rc;
}

int relay_route(struct outpostd *d, const char *sender, struct relay **list, size_t max, struct error *err)
{
	struct relayhost at[RELAYS_MAX];
	char owner[LIMIT_ADDRESS + 1];
	int n = sender_relay(d, sender, &at[0], err);

	if (d->nrelays > RELAYS_KEPT)
		free_idle(d);
	credentials_owner(d->credentials, sender, owner, sizeof(owner));
	if (n == 0 && !*owner) {
		memcpy(list, d->route, d->nroute * sizeof(*list));
		return (int)d->nroute;
	}
	if (n == 0)
		n = relayhost_list(d->conf, at, RELAYS_MAX, err);
	return n <= 0 ? n : add_all(d, at, n, owner, list, max, err);
}
