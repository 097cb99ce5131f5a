/* route.c: the relays of main.cf, those of sender_dependent_relayhost_maps, and one for each login of its own. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text/text.h"

/* A key too long for the table is cut: such relays share what is stored of them, nothing else. */
static void relay_key(const struct relayhost *at, const char *sender, char *key, size_t size)
{
	char whole[sizeof(at->written) + LIMIT_ADDRESS + 2];

	snprintf(whole, sizeof(whole), "%s%s%s", at->written, *sender ? " " : "", sender);
	snprintf(key, size, "%.*s", (int)size - 1, whole);
}

static struct relay *add_new(struct outpostd *d, const struct relayhost *at, const char *sender, const char *key,
			     struct error *err)
{
	struct relay *r = calloc(1, sizeof(*r));

	if (!r) {
		error_set(err, REASON_SYSTEM, "out of memory");
		return NULL;
	}
	if (queue_relay_get(d->queue, key, &r->row, err) < 0) {
		free(r);
		return NULL;
	}
	snprintf(r->row.nexthop, sizeof(r->row.nexthop), "%s", key);
	snprintf(r->sender, sizeof(r->sender), "%s", sender);
	r->at = *at;
	relay_read(d, r);
	connections_init(r);
	rate_read(d, r);
	r->next = d->relays.first;
	d->relays.first = r;
	d->relays.n++;
	return r;
}

static struct relay *get(struct outpostd *d, const struct relayhost *at, const char *sender, struct error *err)
{
	char key[sizeof(((struct relay *)0)->row.nexthop)];

	relay_key(at, sender, key, sizeof(key));
	for (struct relay *r = d->relays.first; r; r = r->next)
		if (strcmp(r->row.nexthop, key) == 0 && strcmp(r->sender, sender) == 0) {
			r->at = *at;
			return r;
		}
	if (d->relays.n < RELAYS_CEILING)
		return add_new(d, at, sender, key, err);
	error_set(err, REASON_LIMIT, "too many relays and logins are down or in use at a time");
	return NULL;
}

static bool is_routed(const struct outpostd *d, const struct relay *r)
{
	for (size_t i = 0; i < d->relays.nroute; i++)
		if (d->relays.route[i] == r)
			return true;
	return false;
}

/* All that is to be known of it stands in the queue. */
static bool is_idle(const struct outpostd *d, const struct relay *r)
{
	return r->life == RELAY_UP && !connections_of(d, r) && !r->dirty && sessions_are_fine(r) && rate_allows(r) &&
	       !is_routed(d, r) && d->expiry.relay != r;
}

/* Where senders have credentials of their own there may be any number of them: those that are idle are read again
 * from the queue when they are needed. */
static void free_idle(struct outpostd *d)
{
	struct relay **p = &d->relays.first, *r;

	while ((r = *p) != NULL) {
		if (!is_idle(d, r)) {
			p = &r->next;
			continue;
		}
		*p = r->next;
		free(r);
		d->relays.n--;
	}
}

void relays_free(struct outpostd *d)
{
	while (d->relays.first) {
		struct relay *r = d->relays.first;

		d->relays.first = r->next;
		free(r);
	}
	d->relays.nroute = d->relays.n = 0;
}

/* owner: whose credential. */
static int get_all(struct outpostd *d, const struct relayhost *at, int n, const char *owner, struct relay **list,
		   struct error *err)
{
	for (int i = 0; i < n; i++) {
		list[i] = get(d, &at[i], owner, err);
		if (!list[i])
			return -1;
	}
	return n;
}

static int read_route(struct outpostd *d, struct error *err)
{
	struct relays *all = &d->relays;
	struct relayhost at[RELAYS_MAX];
	int n = relayhost_route(d->conf, at, RELAYS_MAX, err);

	all->nroute = 0;
	all->error.reason = REASON_NONE;
	if (n > 0)
		n = get_all(d, at, n, "", all->route, err);
	if (n < 0)
		all->error = *err;
	else
		all->nroute = (size_t)n;
	return n < 0 ? -1 : 0;
}

void relays_configure(struct outpostd *d)
{
	struct error err = {0};

	if (read_route(d, &err) < 0) {
		log_line(LOG_FAIL, "qmgr", 0, "no mail can be sent: %s", err.text);
		return;
	}
	for (struct relay *r = d->relays.first; r; r = r->next)
		if (!relay_is_named(d, r))
			relay_end_pause(d, r);
}

void relays_configure_again(struct outpostd *d)
{
	struct error err = {0};

	if (!d->relays.error.reason || read_route(d, &err) < 0)
		return;
	log_line(LOG_INFORMATION, "qmgr", 0, "mail can be sent again");
	schedule_reset(d);
}

/* One of main.cf's, now or once. Those of a sender's own login are looked up with that sender's next message. */
static int recall(void *arg, const struct queue_relay *s)
{
	struct outpostd *d = arg;
	struct relayhost at;
	struct error ignored;

	if (!strchr(s->nexthop, ' ') && (s->down_since || s->npauses) &&
	    relayhost_parse(d->conf, s->nexthop, &at, &ignored) == 0)
		get(d, &at, "", &ignored);
	return 0;
}

void relays_recall(struct outpostd *d)
{
	struct error err = {0};

	if (queue_relay_list(d->queue, recall, d, &err) < 0)
		log_line(LOG_WARN, "qmgr", 0, "the relays' states cannot be read: %s", err.text);
}

bool relay_is_named(const struct outpostd *d, const struct relay *r)
{
	return d->relays.error.reason || is_routed(d, r) || r->sender[0] || d->rules.maps[MAP_SENDER_RELAYS];
}

bool relay_is_first(const struct outpostd *d, const struct relay *r)
{
	return d->relays.nroute && r == d->relays.route[0];
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

int relays_for(struct outpostd *d, const char *sender, struct relay *list[RELAYS_MAX], struct error *err)
{
	struct relayhost at[RELAYS_MAX];
	char owner[LIMIT_ADDRESS + 1];
	int n = sender_relay(d, sender, &at[0], err);

	if (d->relays.n > RELAYS_KEPT)
		free_idle(d);
	credentials_owner(d->credentials, sender, owner, sizeof(owner));
	if (n == 0 && !*owner) {
		memcpy(list, d->relays.route, d->relays.nroute * sizeof(*list));
		return (int)d->relays.nroute;
	}
	if (n == 0)
		n = relayhost_list(d->conf, at, RELAYS_MAX, err);
	return n <= 0 ? n : get_all(d, at, n, owner, list, err);
}

bool relays_depend_on_sender(const struct outpostd *d)
{
	return d->rules.maps[MAP_SENDER_RELAYS] || conf_bool(d->conf, P_smtp_sender_dependent_authentication);
}

bool relays_usable(struct outpostd *d)
{
	for (const struct relay *r = d->relays.first; r; r = r->next)
		if (relay_may_try(d, r))
			return true;
	return relays_depend_on_sender(d);
}

deadline relays_deadline(struct outpostd *d)
{
	int64_t now = clock_us(d);
	deadline first = DEADLINE_NEVER;

	for (const struct relay *r = d->relays.first; r; r = r->next) {
		if (r->row.down_until > now)
			first = deadline_first(first, deadline_in_ms((r->row.down_until - now) / 1000 + 1));
		first = deadline_first(first, connections_deadline(d, r));
		if (!rate_allows(r))
			first = deadline_first(first, r->not_before);
	}
	return first;
}

const struct error *relays_error(const struct outpostd *d)
{
	return d->relays.error.reason ? &d->relays.error : NULL;
}

/* The relay that keeps mail from moving; one that only an earlier main.cf named keeps none. Where the sender
 * decides, any may. */
static const struct relay *in_the_way(struct outpostd *d)
{
	const struct relays *all = &d->relays;

	if (relays_depend_on_sender(d)) {
		for (const struct relay *r = all->first; r; r = r->next)
			if (relay_is_down(r))
				return r;
		return NULL;
	}
	for (size_t i = 0; i < all->nroute; i++)
		if (!relay_is_down(all->route[i]))
			return NULL;
	return all->nroute ? all->route[0] : NULL;
}

const char *relays_reason(struct outpostd *d, enum reason *why, char dsn[12])
{
	const struct error *trouble = lanes_trouble(d); /* then no relay is asked at all */
	const struct relay *r;

	if (!trouble)
		trouble = relays_error(d);
	if (trouble) {
		*why = trouble->reason;
		snprintf(dsn, 12, "%s", error_dsn(trouble));
		return trouble->text;
	}
	r = in_the_way(d);
	if (!r)
		return NULL;
	*why = r->row.reason;
	snprintf(dsn, 12, "%s", r->row.dsn);
	return r->row.text;
}
