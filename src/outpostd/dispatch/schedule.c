/*
 * schedule.c: which message next. Each submitting user has a lane, a cursor through what is due of his, and the
 * lanes take turns, so that 50,000 messages of one job delay another user's by one message.
 *
 * Work stops where no agent has room. An agent is started when something is due, its relay may be tried, and
 * either none is there or those that are there have been full for a while.
 */
#include "config.h"
#include "outpostd/outpostd.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/step.h"

enum { HAND_OUT = 64, SKIPS = 50, PASS_OVER = 500, FULL_MS = 200, STEPPED_MS = 500, TELL_AGAIN_MS = 60 * 1000,
      NO_ROUTE_US = 60 * 1000000 };

/* ---- lanes */

static struct lane *lane_of(struct schedule *s, uint32_t uid)
{
	for (size_t i = 0; i < s->nlanes; i++)
		if (s->lanes[i].uid == uid)
			return &s->lanes[i];
	return NULL;
}

void schedule_claim_over(struct outpostd *d, struct claim *c)
{
	struct schedule *s = &d->schedule;
	bool more = (c->undecided > 0 && !c->aged) || c->m.nrecipients >= CLAIM_RECIPIENTS;
	struct lane *l = lane_of(s, c->m.uid);

	/* Recipients of it may be due still: look at this user's from the start again. */
	if (more) {
		if (l) {
			l->cursor = (struct queue_cursor){0};
			l->dry = false;
		} else {
			s->look = true;
		}
		s->due_known = false;
	}
	if (s->skipped)
		schedule_reset(d);
	claim_free(d, c);
}

static struct lane *lane_add(struct schedule *s, uint32_t uid)
{
	struct lane *l = realloc(s->lanes, (s->nlanes + 1) * sizeof(*l));

	if (!l)
		return NULL;
	s->lanes = l;
	l = &s->lanes[s->nlanes++];
	*l = (struct lane){.uid = uid};
	return l;
}

/* What outpost-drop took a while ago, or came when the clock was a little behind, is due before what this lane has come
 * to: then the lane begins again. */
void schedule_new_mail(struct outpostd *d, uint32_t uid, int64_t due)
{
	struct schedule *s = &d->schedule;
	struct lane *l = lane_of(s, uid);

	s->due_known = false;
	if (!l) {
		s->look |= !lane_add(s, uid);
		return;
	}
	l->dry = false;
	if (due <= l->cursor.due)
		l->cursor = (struct queue_cursor){0};
}

void schedule_reset(struct outpostd *d)
{
	d->schedule.look = true;
	d->schedule.skipped = false;
	d->schedule.due_known = false;
}

void schedule_free(struct outpostd *d)
{
	free(d->schedule.lanes);
	free(d->schedule.claims);
	free(d->schedule.tried);
	memset(&d->schedule, 0, sizeof(d->schedule));
}

static void schedule_fail(struct outpostd *d, const struct error *err)
{
	struct schedule *s = &d->schedule;

	if (deadline_over(s->told) || strcmp(s->trouble.text, err->text) != 0) {
		log_line(LOG_FAIL, "qmgr", 0, "the queue can't be read: %s", err->text);
		s->told = deadline_in_ms(TELL_AGAIN_MS);
	}
	s->trouble = *err;
	s->wait = deadline_in_ms(5000);
	schedule_reset(d); /* nobody knows what was not seen */
}

/* Whose mail is due. Those who have a lane go on where they were. */
static void look(struct outpostd *d)
{
	struct schedule *s = &d->schedule;
	int64_t after = -1, now = clock_us(d);
	struct error err = {0};
	uint32_t uid;
	int rc;

	for (size_t i = 0; i < s->nlanes; i++)
		s->lanes[i].dry = false;
	s->looked = now;
	while ((rc = queue_next_user(d->queue, after, now, s->force, &uid, &err)) == 1) {
		if (!lane_of(s, uid))
			lane_add(s, uid);
		after = uid;
	}
	if (rc < 0)
		schedule_fail(d, &err);
}

/* From the start: also what was passed over. */
static void look_afresh(struct outpostd *d)
{
	struct schedule *s = &d->schedule;

	s->nlanes = 0;
	s->look = s->paced = false;
	s->again = INT64_MAX;
	look(d);
}

static int by_number(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Under force everything is looked at whatever its time; what was deferred since the flush began has had its turn. */
static bool had_its_turn(struct schedule *s, int64_t row)
{
	if (!s->force || !s->ntried)
		return false;
	if (!s->tried_sorted)
		qsort(s->tried, s->ntried, sizeof(s->tried[0]), by_number);
	s->tried_sorted = true;
	return bsearch(&row, s->tried, s->ntried, sizeof(s->tried[0]), by_number) != NULL;
}

void schedule_deferred(struct outpostd *d, int64_t row)
{
	struct schedule *s = &d->schedule;

	s->due_known = false;
	if (!s->force)
		return;
	if (s->ntried == s->captried) {
		size_t cap = s->captried ? s->captried * 2 : 256;
		int64_t *list = realloc(s->tried, cap * sizeof(*list));

		if (!list)
			return;
		s->tried = list;
		s->captried = cap;
	}
	s->tried[s->ntried++] = row;
	s->tried_sorted = false;
}

void schedule_force(struct outpostd *d, bool on)
{
	struct schedule *s = &d->schedule;

	s->force = on;
	s->ntried = 0;
	schedule_reset(d);
}

/* 1: *m is a message of this lane that nobody has; 0: none now; 2: none among many, and it goes on from there in the
 * next turn; -1. */
static int lane_next(struct outpostd *d, struct lane *l, int64_t now, struct queue_message *m, struct error *err)
{
	for (int passed = 0; passed < PASS_OVER; passed++) {
		int rc = queue_next(d->queue, l->uid, now, d->schedule.force, CLAIM_RECIPIENTS, &l->cursor, m, err);

		if (rc <= 0)
			return rc;
		if (m->nrecipients && !claim_known(d, m->row) && !had_its_turn(&d->schedule, m->row))
			return 1;
		queue_message_free(m);
	}
	return 2;
}

/* The next message of the next user who has one. *undo: the cursor to put back if it is not taken. */
static struct lane *next_message(struct outpostd *d, struct queue_message *m, struct queue_cursor *undo)
{
	struct schedule *s = &d->schedule;
	int64_t now = clock_us(d);
	struct error err = {0};

	if (s->look)
		look_afresh(d);
	for (size_t tried = 0; tried < s->nlanes; tried++) {
		struct lane *l = &s->lanes[s->turn++ % s->nlanes];
		int rc;

		if (l->dry)
			continue;
		*undo = l->cursor;
		rc = lane_next(d, l, now, m, &err);
		if (rc == 1)
			return l;
		if (rc == 2)
			continue;
		l->dry = true;
		l->dried = now;
		if (rc < 0)
			schedule_fail(d, &err);
	}
	return NULL;
}

static int64_t seen_until(void *arg, uint32_t uid)
{
	struct schedule *s = arg;
	const struct lane *l = lane_of(s, uid);

	return l ? l->dried : s->looked;
}

/* Nothing that was seen can be had now: who has a claim on it will say when it is over. So only what has fallen due
 * since is of interest, and what its relay keeps back. A flush does not wait for a relay that is down. */
int64_t schedule_due(struct outpostd *d)
{
	struct schedule *s = &d->schedule;
	struct error err = {0};

	if (s->look)
		return 0;
	for (size_t i = 0; i < s->nlanes; i++)
		if (!s->lanes[i].dry)
			return 0;
	if (s->force)
		return s->paced ? s->again : INT64_MAX;
	if (!s->due_known) {
		if (queue_due_after(d->queue, seen_until, s, &s->due, &err) < 0) {
			schedule_fail(d, &err);
			s->due = INT64_MAX;
		}
		s->due_known = true;
	}
	return s->due < s->again ? s->due : s->again;
}

/* ---- agents */

static struct agent *with_room(struct outpostd *d, const struct relay *r)
{
	struct agent *best = NULL;

	for (struct agent *a = d->agents; a; a = a->next)
		if ((!r || a->relay == r) && agent_has_room(a) && relay_paced(a->relay) &&
		    (!best || a->outstanding < best->outstanding))
			best = a;
	return best;
}

static bool one_starts(const struct outpostd *d, const struct relay *r)
{
	for (const struct agent *a = d->agents; a; a = a->next)
		if ((!r || a->relay == r) && a->state == AGENT_STARTING)
			return true;
	return false;
}

static void start(struct outpostd *d, struct relay *r)
{
	struct delivery_down down = {0};
	struct error err = {0};

	if (agent_start(d, r, &err))
		return;
	delivery_say_down(&down, error_exit(&err) == EX_CONFIG ? DOWN_CONFIG : DOWN_LOCAL, error_exit(&err), "4.3.5",
			  "%s", err.text);
	relay_went_down(d, r, &down);
}

/* All connections that the host may have belong to other senders: one of them that has nothing to do makes room. */
static void send_idle_home(struct outpostd *d, const struct relay *r)
{
	for (struct agent *a = d->agents; a; a = a->next)
		if (a->relay != r && a->state == AGENT_READY && !a->outstanding &&
		    strcmp(a->relay->at.written, r->at.written) == 0) {
			agent_quit(a);
			return;
		}
}

/* A first agent at once; another only after those that are there were full for a while. One probe at a time
 * where the relay is in doubt. */
static void maybe_start(struct outpostd *d, struct relay *r)
{
	if (one_starts(d, r) || !relay_may_try(d, r))
		return;
	if (r->agents && (r->agents >= relay_limit(d, r) || !deadline_over(r->full_since)))
		return;
	if (relay_has_place(d, r))
		start(d, r);
	else
		send_idle_home(d, r);
}

static void again_at(struct schedule *s, int64_t when)
{
	if (when < s->again)
		s->again = when;
}

/* The first relay of a route that can be tried; NULL: none, and it is noted when one can. */
static struct relay *first_up(struct outpostd *d, struct relay *const *route, int n)
{
	for (int i = 0; i < n; i++)
		if (relay_may_try(d, route[i]))
			return route[i];
	for (int i = 0; i < n; i++)
		again_at(&d->schedule, route[i]->state.down_until);
	if (n <= 0)
		again_at(&d->schedule, clock_us(d) + NO_ROUTE_US);
	return NULL;
}

static void note_pace(struct outpostd *d, const struct relay *r)
{
	if (relay_paced(r))
		return;
	d->schedule.paced = true;
	again_at(&d->schedule, clock_us(d) + (r->not_before - clock_mono_ms()) * 1000);
}

/* Gives m to an agent of the first relay of its route that can be tried. NO_ROOM: it goes when an agent has room;
 * LATER: at a time that was noted. */
enum placed { PLACED, NO_ROOM, LATER };
static enum placed place(struct outpostd *d, struct queue_message *m)
{
	struct relay *route[RELAYS_MAX];
	struct error err = {0};
	struct relay *r = first_up(d, route, relay_route(d, m->sender, route, RELAYS_MAX, &err));
	struct agent *a = r ? with_room(d, r) : NULL;
	struct claim *c = a ? claim_new(d, m) : NULL;

	if (!r)
		return LATER;
	if (!a) {
		maybe_start(d, r);
		note_pace(d, r);
	}
	if (!c)
		return NO_ROOM;
	relay_took(d, a->relay);
	agent_give(a, c);
	return PLACED;
}

static bool all_full(const struct outpostd *d, const struct relay *r)
{
	for (const struct agent *a = d->agents; a; a = a->next)
		if (a->relay == r && (a->state == AGENT_STARTING || agent_has_room(a)))
			return false;
	return r->agents > 0;
}

/* How long all agents of a relay have been full. Looked at when all was handed out: each verdict makes room for a
 * moment, and says nothing about whether one connection is enough. A rate that makes the mail wait fills nobody. */
static void note_full(struct outpostd *d)
{
	for (struct relay *r = d->relays; r; r = r->next) {
		if (!all_full(d, r))
			r->full_since = DEADLINE_NEVER;
		else if (r->full_since == DEADLINE_NEVER)
			r->full_since = deadline_in_ms(FULL_MS);
	}
}

/* Nobody has room: look at what is due next, only to see whether an agent should be started for it. */
static void peek(struct outpostd *d)
{
	struct queue_cursor undo;
	struct queue_message m;
	struct lane *l;

	if (!relay_any_startable(d))
		return;
	reload_if_changed(d);
	for (int skips = 0; skips < SKIPS; skips++) {
		enum placed how;

		memset(&m, 0, sizeof(m));
		l = next_message(d, &m, &undo);
		if (!l)
			return;
		how = place(d, &m);
		if (how == PLACED)
			return;
		queue_message_free(&m);
		if (how == LATER)
			continue;
		if (d->agents && one_starts(d, NULL))
			l->cursor = undo; /* its agent is coming */
		else
			d->schedule.skipped = true;
		return;
	}
}

static bool all_dry(const struct schedule *s)
{
	for (size_t i = 0; i < s->nlanes; i++)
		if (!s->lanes[i].dry)
			return false;
	return !s->look;
}

/* Hands out messages while agents have room. True: there is more that could be handed out now. */
static bool hand_out(struct outpostd *d)
{
	int skips = 0;

	for (int i = 0; i < HAND_OUT; i++) {
		struct queue_cursor undo;
		struct queue_message m;
		enum placed how;

		if (!with_room(d, NULL)) {
			peek(d);
			return false;
		}
		memset(&m, 0, sizeof(m));
		if (!next_message(d, &m, &undo))
			return false;
		how = place(d, &m);
		if (how == PLACED)
			continue;
		queue_message_free(&m);
		d->schedule.skipped |= how == NO_ROOM;
		if (++skips == SKIPS)
			return true;
	}
	return true;
}

/* A relay's, then all that was passed over may go; or a message's. */
static void a_time_has_come(struct outpostd *d)
{
	struct schedule *s = &d->schedule;

	if (s->force || s->again <= clock_us(d)) {
		schedule_reset(d);
		return;
	}
	s->due_known = false;
	look(d);
}

static bool work(struct outpostd *d)
{
	bool more;

	if (all_dry(&d->schedule))
		a_time_has_come(d);
	d->schedule.trouble.reason = REASON_NONE;
	queue_read_begin(d->queue);
	more = hand_out(d);
	queue_read_end(d->queue);
	for (struct agent *a = d->agents; a; a = a->next)
		if (a->out.len)
			agent_flush(a);
	return more;
}

bool schedule_work(struct outpostd *d)
{
	bool more;

	if (d->stalled || d->leaving || !deadline_over(d->schedule.wait) || clock_stepped(d))
		return false;
	more = schedule_due(d) <= clock_us(d) && commit_would_count(d) && work(d);
	note_full(d);
	return more;
}

/* Only what an event does not tell: when something falls due while somebody could take it. */
deadline schedule_deadline(struct outpostd *d)
{
	int64_t due, now = clock_us(d);

	if (d->stalled || d->leaving)
		return DEADLINE_NEVER;
	if (!deadline_over(d->schedule.wait))
		return d->schedule.wait;
	if (clock_stepped(d))
		return deadline_in_ms(STEPPED_MS);
	if (!with_room(d, NULL) && !relay_any_startable(d))
		return DEADLINE_NEVER;
	due = schedule_due(d);
	return due == INT64_MAX ? DEADLINE_NEVER : deadline_in_ms(due > now ? (due - now) / 1000 + 1 : 0);
}

bool schedule_waits(struct outpostd *d)
{
	return schedule_due(d) != INT64_MAX || d->schedule.nclaims;
}

/* Whether all that could be sent now is sent. */
bool schedule_idle(struct outpostd *d)
{
	if (d->stalled)
		return true;
	if (d->schedule.trouble.reason && !d->schedule.nclaims && !d->nverdicts)
		return true;
	if (d->schedule.nclaims || d->nverdicts || d->relay_dirty || d->schedule.paced || one_starts(d, NULL))
		return false;
	return schedule_due(d) > clock_us(d) || !relay_any_usable(d);
}
