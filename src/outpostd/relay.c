/*
 * relay.c: which relay may be tried, and when. A relay that is down moves no message: it is tried by one agent
 * at a time, at growing distances, and its state outlives us. Where only the administrator can help (a
 * credential that was refused, a certificate, main.cf) the line is loud, mail is not failed by age, and
 * the pause ends early when what was refused has changed.
 */
#include "config.h"
#include "outpostd/outpostd.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

enum { AUTH_BACKOFF_MAX_S = 8 * 3600, LOCAL_RETRY_S = 60, FRUITLESS_MAX = 3 };

static const struct {
	enum delivery_down_kind kind;
	const char *word;
	bool by_hand;		/* only the administrator can help: the time does not count */
} kinds[] = {
	{DOWN_NETWORK, "network", false},
	{DOWN_LOCAL, "local", false},
	{DOWN_DNS, "dns", false},
	{DOWN_GREETING, "greeting", false},
	{DOWN_TLS, "tls", true},
	{DOWN_AUTH, "auth", true},
	{DOWN_CONFIG, "config", true},
	{DOWN_BUSY, "busy", false},
};

static const char *down_word(enum delivery_down_kind kind)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].kind == kind)
			return kinds[i].word;
	return "network";
}

static bool by_hand(const char *word)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].word, word) == 0)
			return kinds[i].by_hand;
	return false;
}

/* ---- what is known of a relay, as a small JSON object of strings that only this file writes */

static void info_get(const char *info, const char *key, char *out, size_t size)
{
	char want[64];
	const char *p;
	size_t n;

	out[0] = '\0';
	snprintf(want, sizeof(want), "\"%s\":\"", key);
	p = strstr(info, want);
	if (!p)
		return;
	p += strlen(want);
	n = strcspn(p, "\"\\");
	if (p[n] == '"' && n < size) {
		memcpy(out, p, n);
		out[n] = '\0';
	}
}

static void info_put(struct buf *b, const char *key, const char *value)
{
	if (!*value)
		return;
	buf_addf(b, "%s\"%s\":\"", b->len > 1 ? "," : "", key);
	text_json(b, value, strlen(value));
	buf_addc(b, '"');
}

static void info_write(struct relay *r)
{
	char known[KNOWN_TEXT];
	struct buf b;

	delivery_write_known(&r->known, known);
	buf_init(&b, sizeof(r->state.info) - 1);
	buf_addc(&b, '{');
	info_put(&b, "pauses", r->pauses);
	info_put(&b, "known", known);
	info_put(&b, "tls", r->tls);
	info_put(&b, "mechanism", r->mechanism);
	info_put(&b, "extensions", r->extensions);
	buf_addc(&b, '}');
	if (buf_ok(&b))
		snprintf(r->state.info, sizeof(r->state.info), "%s", buf_str(&b));
	buf_free(&b);
}

static void info_read(struct relay *r)
{
	char known[KNOWN_TEXT];

	info_get(r->state.info, "known", known, sizeof(known));
	delivery_read_known(known, &r->known);
	info_get(r->state.info, "pauses", r->pauses, sizeof(r->pauses));
	info_get(r->state.info, "tls", r->tls, sizeof(r->tls));
	info_get(r->state.info, "mechanism", r->mechanism, sizeof(r->mechanism));
	info_get(r->state.info, "extensions", r->extensions, sizeof(r->extensions));
}

static void mark(struct outpostd *d, struct relay *r)
{
	info_write(r);
	r->dirty = true;
	d->relay_dirty = true;
}

/* ---- pauses: "FROM-TO FROM-TO ..." in seconds, oldest first; what is too long is joined, which only prolongs lives. */

static size_t read_pauses(const char *text, int64_t (*list)[2], size_t max)
{
	struct span rest = span_of(text), word;
	size_t n = 0;

	while (n < max && span_word(&rest, " ", &word)) {
		const char *dash = memchr(word.p, '-', word.n);
		uint64_t from, to;

		if (!dash || !text_u64((struct span){word.p, (size_t)(dash - word.p)}, INT64_MAX / 2000000, &from) ||
		    !text_u64((struct span){dash + 1, word.n - (size_t)(dash + 1 - word.p)}, INT64_MAX / 2000000, &to))
			break;
		list[n][0] = (int64_t)from;
		list[n++][1] = (int64_t)to;
	}
	return n;
}

static void add_pause(struct relay *r, int64_t from, int64_t to)
{
	int64_t list[PAUSES_MAX + 1][2];
	size_t n = read_pauses(r->pauses, list, PAUSES_MAX);
	struct buf b;

	list[n][0] = from;
	list[n++][1] = to;
	if (n > PAUSES_MAX) {
		list[1][0] = list[0][0];
		memmove(list[0], list[1], (--n) * sizeof(list[0]));
	}
	buf_init(&b, sizeof(r->pauses) - 1);
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s%lld-%lld", i ? " " : "", (long long)list[i][0], (long long)list[i][1]);
	snprintf(r->pauses, sizeof(r->pauses), "%s", buf_str(&b));
	buf_free(&b);
}

static int64_t overlap(int64_t from, int64_t to, int64_t since, int64_t now)
{
	if (from < since)
		from = since;
	if (to > now)
		to = now;
	return to > from ? to - from : 0;
}

int64_t relay_paused_us(struct outpostd *d, int64_t since, int64_t now)
{
	int64_t most = 0, list[PAUSES_MAX][2];

	for (const struct relay *r = d->relays; r; r = r->next) {
		size_t n = read_pauses(r->pauses, list, PAUSES_MAX);
		int64_t sum = 0;

		for (size_t i = 0; i < n; i++)
			sum += overlap(list[i][0] * 1000000, list[i][1] * 1000000, since, now);
		if (r->state.down_since && by_hand(r->state.kind))
			sum += overlap(r->state.down_since, now, since, now);
		if (sum > most)
			most = sum;
	}
	return most;
}

/* ---- the list */

/* A key too long for the table is cut: such relays share what is stored of them, nothing else. */
static void relay_key(const struct conf_relay *at, const char *sender, char *key, size_t size)
{
	if (snprintf(key, size, "%s%s%s", at->written, *sender ? " " : "", sender) >= (int)size)
		key[size - 1] = '\0';
}

struct relay *relay_get(struct outpostd *d, const struct conf_relay *at, const char *sender, struct error *err)
{
	char key[sizeof(((struct relay *)0)->state.nexthop)];
	struct relay *r;

	relay_key(at, sender, key, sizeof(key));
	for (r = d->relays; r; r = r->next)
		if (strcmp(r->state.nexthop, key) == 0 && strcmp(r->sender, sender) == 0) {
			r->at = *at;
			return r;
		}
	r = calloc(1, sizeof(*r));
	if (!r) {
		error_set(err, EX_OSERR, "4.3.0", "no memory");
		return NULL;
	}
	if (queue_relay_get(d->queue, key, &r->state, err) < 0) {
		free(r);
		return NULL;
	}
	snprintf(r->state.nexthop, sizeof(r->state.nexthop), "%s", key);
	snprintf(r->sender, sizeof(r->sender), "%s", sender);
	r->at = *at;
	r->full_since = DEADLINE_NEVER;
	r->code = strcmp(r->state.kind, "config") == 0 ? EX_CONFIG : EX_TEMPFAIL;
	info_read(r);
	r->next = d->relays;
	d->relays = r;
	return r;
}

void relay_free_all(struct outpostd *d)
{
	while (d->relays) {
		struct relay *r = d->relays;

		d->relays = r->next;
		free(r);
	}
	d->nroute = 0;
}

/* Whose credential: the sender matters only where the configuration says so. */
static const char *auth_sender(struct outpostd *d, const char *sender)
{
	return conf_bool(d->conf, P_smtp_sender_dependent_authentication) ? sender : "";
}

static int add_all(struct outpostd *d, const struct conf_relay *at, int n, const char *sender, struct relay **list,
		   size_t max, struct error *err)
{
	int i;

	for (i = 0; i < n && (size_t)i < max; i++) {
		list[i] = relay_get(d, &at[i], auth_sender(d, sender), err);
		if (!list[i])
			return -1;
	}
	return i;
}

int relay_routes(struct outpostd *d, struct error *err)
{
	struct conf_relay at[RELAYS_MAX];
	int n = conf_route(d->conf, at, RELAYS_MAX, err);

	d->nroute = 0;
	d->route_error.code = 0;
	if (n > 0)
		n = add_all(d, at, n, "", d->route, RELAYS_MAX, err);
	if (n >= 0) {
		d->nroute = (size_t)n;
		return 0;
	}
	d->route_error = *err;
	return -1;
}

/* sender_dependent_relayhost_maps: the whole address, then @domain. */
static int sender_relay(struct outpostd *d, const char *sender, struct conf_relay *at, struct error *err)
{
	struct conf_maps *m = d->rules.maps[MAP_SENDER_RELAYS];
	const char *domain = strrchr(sender, '@');
	struct buf value;
	int rc;

	if (!m || !*sender)
		return 0;
	buf_init(&value, 4096);
	rc = conf_maps_get(m, sender, &value, err);
	if (rc == 0 && domain)
		rc = conf_maps_get(m, domain, &value, err);
	if (rc == 1 && span_is(span_trim(span_of(buf_str(&value))), "DUNNO"))
		rc = 0;
	if (rc == 1)
		rc = conf_parse_relay(d->conf, buf_str(&value), at, err) < 0 ? -1 : 1;
	buf_free(&value);
	return rc;
}

int relay_route(struct outpostd *d, const char *sender, struct relay **list, size_t max, struct error *err)
{
	struct conf_relay at[RELAYS_MAX];
	int n = sender_relay(d, sender, &at[0], err);

	if (n == 0 && !*auth_sender(d, sender)) {
		memcpy(list, d->route, d->nroute * sizeof(*list));
		return (int)d->nroute;
	}
	if (n == 0)
		n = conf_relays(d->conf, at, RELAYS_MAX, err);
	return n <= 0 ? n : add_all(d, at, n, sender, list, max, err);
}

/* ---- up and down */

static bool is_down(const struct relay *r)
{
	return r->state.down_until != 0;
}

bool relay_may_try(const struct outpostd *d, const struct relay *r)
{
	return r->forced || !is_down(r) || r->state.down_until <= clock_us(d);
}

unsigned relay_limit(struct outpostd *d, const struct relay *r)
{
	int64_t limit = conf_int(d->conf, P_smtp_destination_concurrency_limit);
	struct delivery_known known = r->known;
	uint32_t allows;

	delivery_age_known(&known, clock_us(d) / 1000000);
	allows = known.connections;
	if (is_down(r))
		return 1;
	if (limit < 1)
		limit = 1;
	return allows && allows < limit ? allows : (unsigned)limit;
}

static int64_t pause_s(struct outpostd *d, const struct relay *r, const struct delivery_down *why)
{
	int64_t min = conf_seconds(d->conf, P_minimal_backoff_time), max = conf_seconds(d->conf, P_maximal_backoff_time);
	unsigned n = r->state.failures;
	uint32_t dice = 0;
	int64_t s;

	random_bytes(&dice, sizeof(dice));
	if (why->kind == DOWN_LOCAL) {
		/* Nothing of our own network is held against the relay: look again soon. */
		if (max > LOCAL_RETRY_S)
			max = LOCAL_RETRY_S;
		if (min > max)
			min = max;
	} else if (why->kind == DOWN_AUTH) {
		min = max; /* providers lock accounts that knock */
		max = min > AUTH_BACKOFF_MAX_S ? min : AUTH_BACKOFF_MAX_S;
	}
	s = queue_backoff_s(n, min, max, dice);
	return s < why->retry_after ? why->retry_after : s;
}

/* 78 only for what stands, or does not stand, in our own files: a certificate or a refusal is the relay's word. */
static bool mendable(const struct delivery_down *why)
{
	return why->kind == DOWN_CONFIG || (why->kind == DOWN_AUTH && why->code == EX_CONFIG);
}

void relay_went_down(struct outpostd *d, struct relay *r, const struct delivery_down *why)
{
	struct queue_relay *s = &r->state;
	const char *word = down_word(why->kind);
	bool same = is_down(r) && strcmp(s->kind, word) == 0 && strcmp(s->text, why->text) == 0;
	int64_t now = clock_us(d), wait;

	/* A pause that did not count ends where another kind of trouble begins. */
	if (s->down_since && by_hand(s->kind) && strcmp(s->kind, word) != 0) {
		add_pause(r, s->down_since / 1000000, now / 1000000);
		s->down_since = now;
	}
	if (!s->down_since)
		s->down_since = now;
	s->failures++;
	wait = pause_s(d, r, why);
	s->down_until = now + wait * 1000000;
	snprintf(s->kind, sizeof(s->kind), "%s", word);
	snprintf(s->dsn, sizeof(s->dsn), "%s", why->dsn);
	snprintf(s->text, sizeof(s->text), "%s", why->text);
	r->forced = false;
	r->code = mendable(why) ? EX_CONFIG : EX_TEMPFAIL;
	if (why->kind == DOWN_AUTH)
		snprintf(s->auth_digest, sizeof(s->auth_digest), "%s", r->digest);
	event_relay_down(r, why, wait, same && r->told);
	r->told = true;
	mark(d, r);
	schedule_reset(d);
	if (!by_hand(word) && r == d->route[0]) {
		d->aging = r;
		d->aging_key = 0;
	}
}

void relay_came_up(struct outpostd *d, struct relay *r, const struct delivery_ready *ready)
{
	struct queue_relay *s = &r->state;
	int64_t now = clock_us(d);

	r->renewed = false;
	if (is_down(r)) {
		event_relay_up(r, (now - s->down_since) / 1000000);
		if (by_hand(s->kind))
			add_pause(r, s->down_since / 1000000, now / 1000000);
	} else if (now - s->last_ok < 60 * 1000000 && s->last_ok <= now && strcmp(r->tls, ready->tls_summary) == 0) {
		return; /* nothing new that is worth a commit */
	}
	s->down_since = s->down_until = 0;
	s->failures = 0;
	s->kind[0] = s->text[0] = s->dsn[0] = s->auth_digest[0] = '\0';
	s->last_ok = now;
	s->cert_expires = ready->cert_expires;
	snprintf(r->tls, sizeof(r->tls), "%.*s", (int)sizeof(r->tls) - 1, ready->tls_summary);
	snprintf(r->mechanism, sizeof(r->mechanism), "%s", ready->mechanism);
	snprintf(r->extensions, sizeof(r->extensions), "%.*s", (int)sizeof(r->extensions) - 1, ready->extensions);
	r->forced = false;
	r->told = false;
	mark(d, r);
}

/* A token may have been withdrawn, a password that a program keeps may have changed: a new one is tried once. */
static bool renew_credential(struct outpostd *d, struct agent *a, const struct delivery_down *why)
{
	struct relay *r = a->relay;

	if (why->kind != DOWN_AUTH || !a->kind || r->renewed || !conf_credential_refused(d->conf, a->kind))
		return false;
	r->renewed = true;
	log_line(LOG_INFORMATION, "smtp", a->pid, "%s: %s; asking for a new credential", r->at.written, why->text);
	return true;
}

static void allow_fewer(struct outpostd *d, struct relay *r)
{
	r->known.connections = r->agents - 1;
	if (!r->known.since)
		r->known.since = clock_us(d) / 1000000;
	mark(d, r);
}

/* A connection that brought something to its end and was then lost, or lost count, is no sign that the relay is down: the next will
 * find out. One that was lost over its first message may be that message's fault, which now waits: others are tried, but not for
 * ever. */
static bool worth_another(struct relay *r, const struct agent *a, const struct delivery_down *why)
{
	if (why->kind != DOWN_NETWORK && why->kind != DOWN_GREETING)
		return false;
	if (why->served) {
		r->fruitless = 0;
		return true;
	}
	return why->kind == DOWN_NETWORK && a->used > 0 && ++r->fruitless < FRUITLESS_MAX;
}

/* A session ended. A relay that refuses the n-th connection says how many it allows. */
void relay_agent_down(struct outpostd *d, struct agent *a, const struct delivery_down *why)
{
	struct relay *r = a->relay;

	snprintf(r->digest, sizeof(r->digest), "%s", a->digest);
	if (why->kind == DOWN_BUSY && r->agents > 1) {
		allow_fewer(d, r);
		log_line(LOG_INFORMATION, "smtp", a->pid, "%s allows %u connections: %s", r->at.written, r->agents - 1, why->text);
		return;
	}
	if (worth_another(r, a, why)) {
		log_line(LOG_INFORMATION, "smtp", a->pid, "%s: %s; connecting again", r->at.written, why->text);
		return;
	}
	if (renew_credential(d, a, why))
		return;
	relay_went_down(d, r, why);
}

void relay_learn(struct outpostd *d, struct relay *r, const struct delivery_known *said)
{
	if (delivery_learn(&r->known, said, clock_us(d) / 1000000))
		mark(d, r);
}

void relay_known(struct outpostd *d, struct relay *r, char text[KNOWN_TEXT])
{
	delivery_age_known(&r->known, clock_us(d) / 1000000);
	delivery_write_known(&r->known, text);
}

void relay_force(struct outpostd *d, bool refused)
{
	for (struct relay *r = d->relays; r; r = r->next)
		if (is_down(r) && (refused || strcmp(r->state.kind, "auth") != 0))
			r->forced = true;
	schedule_reset(d);
}

/* The password map has changed, or main.cf: what was refused may be accepted now. */
void relay_changed(struct outpostd *d, bool conf)
{
	struct conf_credential cr;
	struct error err = {0};

	for (struct relay *r = d->relays; r; r = r->next) {
		bool lift = is_down(r) && by_hand(r->state.kind) && conf;

		/* A program or a provider is not asked just to compare: it would be knocked at with every submission. */
		if (is_down(r) && !lift && strcmp(r->state.kind, "auth") == 0 && !conf_credential_takes_time(d->conf) &&
		    conf_credential(d->conf, &r->at, r->sender, &cr, &err) == 1) {
			lift = strcmp(cr.digest, r->state.auth_digest) != 0;
			conf_credential_wipe(&cr);
		}
		if (lift) {
			r->state.down_until = 1; /* down still, but it may be tried at once */
			r->state.failures = 0;
			mark(d, r);
		}
	}
}

static int64_t shifted(int64_t t, int64_t by)
{
	return t > 1 ? (t + by > 1 ? t + by : 1) : t;
}

static void shift_pauses(struct relay *r, int64_t before_s, int64_t by_s)
{
	int64_t list[PAUSES_MAX][2];
	size_t n = read_pauses(r->pauses, list, PAUSES_MAX);

	r->pauses[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		int64_t by = list[i][0] <= before_s ? by_s : 0;

		if (list[i][1] + by > 0)
			add_pause(r, list[i][0] + by > 0 ? list[i][0] + by : 0, list[i][1] + by);
	}
}

/* Like the queue's times: what was noted by a clock that was ahead of this one stays. */
void relay_shift(struct outpostd *d, int64_t before, int64_t by_us)
{
	for (struct relay *r = d->relays; r; r = r->next) {
		shift_pauses(r, before / 1000000, by_us / 1000000);
		if (r->state.last_ok <= before)
			r->state.last_ok = shifted(r->state.last_ok, by_us);
		if (r->state.down_since <= before) {
			r->state.down_until = shifted(r->state.down_until, by_us);
			r->state.down_since = shifted(r->state.down_since, by_us);
		}
		mark(d, r);
	}
}

/* Whether somebody has to mend something: then it is looked at more often whether that was done. */
bool relay_needs_hands(const struct outpostd *d)
{
	for (const struct relay *r = d->relays; r; r = r->next)
		if (is_down(r) && by_hand(r->state.kind))
			return true;
	return d->route_error.code != 0;
}

int relay_store(struct outpostd *d, struct error *err)
{
	for (struct relay *r = d->relays; r; r = r->next)
		if (r->dirty && queue_relay_set(d->queue, &r->state, err) < 0)
			return -1;
	return 0;
}

void relay_stored(struct outpostd *d)
{
	for (struct relay *r = d->relays; r; r = r->next)
		r->dirty = false;
	d->relay_dirty = false;
}

/* ---- questions of the schedule */

static bool startable(struct outpostd *d, const struct relay *r)
{
	if (!relay_may_try(d, r))
		return false;
	if (r->agents == 0)
		return true;
	return r->agents < relay_limit(d, r) && deadline_over(r->full_since);
}

bool relay_any_startable(struct outpostd *d)
{
	for (const struct relay *r = d->relays; r; r = r->next)
		if (startable(d, r))
			return true;
	return d->rules.maps[MAP_SENDER_RELAYS] && !d->agents;
}

bool relay_any_usable(struct outpostd *d)
{
	for (const struct relay *r = d->relays; r; r = r->next)
		if (relay_may_try(d, r))
			return true;
	return false;
}

/* When a relay may be tried again, or another agent started; only times that are to come. */
deadline relay_deadline(struct outpostd *d)
{
	int64_t now = clock_us(d);
	deadline first = DEADLINE_NEVER;

	for (const struct relay *r = d->relays; r; r = r->next) {
		if (r->state.down_until > now)
			first = deadline_first(first, deadline_in_ms((r->state.down_until - now) / 1000 + 1));
		if (r->agents && r->agents < relay_limit(d, r) && !deadline_over(r->full_since))
			first = deadline_first(first, r->full_since);
		if (r->not_before > clock_mono_ms())
			first = deadline_first(first, r->not_before);
	}
	return first;
}

bool relay_paced(const struct relay *r)
{
	return r->not_before <= clock_mono_ms();
}

void relay_took(struct outpostd *d, struct relay *r)
{
	int64_t delay = conf_seconds(d->conf, P_smtp_destination_rate_delay);
	int64_t second = budget_spend(&r->second, conf_int(d->conf, P_smtp_destination_rate_per_second), 1000);
	int64_t minute = budget_spend(&r->minute, conf_int(d->conf, P_smtp_destination_rate_per_minute), 60000);

	if (delay > 0)
		r->not_before = deadline_in_ms(delay * 1000);
	if (r->not_before < second)
		r->not_before = second;
	if (r->not_before < minute)
		r->not_before = minute;
}

/* The relay that keeps mail from moving; what an earlier main.cf named keeps none. Where the sender decides, any may. */
static const struct relay *in_the_way(struct outpostd *d)
{
	if (d->rules.maps[MAP_SENDER_RELAYS] || conf_bool(d->conf, P_smtp_sender_dependent_authentication)) {
		for (const struct relay *r = d->relays; r; r = r->next)
			if (is_down(r))
				return r;
		return NULL;
	}
	for (size_t i = 0; i < d->nroute; i++)
		if (!is_down(d->route[i]))
			return NULL;
	return d->nroute ? d->route[0] : NULL;
}

const char *relay_reason(struct outpostd *d, int *code, char dsn[12])
{
	const struct relay *r;

	if (d->route_error.code) {
		*code = d->route_error.code;
		snprintf(dsn, 12, "%s", d->route_error.dsn);
		return d->route_error.text;
	}
	r = in_the_way(d);
	if (!r)
		return NULL;
	*code = r->code;
	snprintf(dsn, 12, "%s", r->state.dsn);
	return r->state.text;
}
