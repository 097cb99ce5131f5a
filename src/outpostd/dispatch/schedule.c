/* schedule.c: which agent gets the next message, and whether one is started for it. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <string.h>

enum { HAND_OUT = 64, SLICE_MS = 50, SKIPS = 50, STEPPED_MS = 500, NO_ROUTE_US = 60 * 1000000 };

void schedule_reset(struct outpostd *d)
{
	lanes_reset(d);
	d->schedule.skipped = false;
}

void schedule_claim_over(struct outpostd *d, struct claim *c)
{
	if ((c->undecided > 0 && c->state != CLAIM_EXAMINED) || c->m.nrecipients >= CLAIM_RECIPIENTS)
		lanes_again(d, c->m.uid);
	if (d->schedule.skipped)
		schedule_reset(d);
	claim_free(d, c);
}

static struct lane *next_message(struct outpostd *d, struct queue_message *m, struct queue_cursor *undo)
{
	if (d->lanes.look) {
		d->schedule.paced = false;
		d->schedule.again = INT64_MAX;
	}
	memset(m, 0, sizeof(*m));
	return lanes_next(d, m, undo);
}

/* Wall us; 0: now. A flush does not wait for a relay that is down. */
static int64_t next_due(struct outpostd *d)
{
	int64_t due = lanes_due(d);

	if (d->lanes.force && due && !d->schedule.paced)
		return due;
	return due < d->schedule.again ? due : d->schedule.again;
}

/* ---- agents */

static struct agent *with_room(struct outpostd *d, const struct relay *r)
{
	struct agent *best = NULL;

	for (struct agent *a = d->agents.first; a; a = a->next)
		if ((!r || a->relay == r) && agent_has_room(a) && rate_allows(a->relay) &&
		    (!best || a->outstanding < best->outstanding))
			best = a;
	return best;
}

static void start(struct outpostd *d, struct relay *r)
{
	struct delivery_down down = {0};
	struct error err = {0};

	if (agent_start(d, r, &err) == 0)
		return;
	delivery_say_down(&down, err.reason, "%s", err.text);
	relay_went_down(d, r, &down, "");
}

/* All connections that the host may have belong to other senders: one of them that has nothing to do makes room. */
static void quit_idle(struct outpostd *d, const struct relay *r)
{
	for (struct agent *a = d->agents.first; a; a = a->next)
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
	if (agent_starts(d, r) || !connection_may_open(d, r))
		return;
	if (connection_has_place(d, r))
		start(d, r);
	else
		quit_idle(d, r);
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
		again_at(&d->schedule, route[i]->row.down_until);
	if (n <= 0)
		again_at(&d->schedule, clock_us(d) + NO_ROUTE_US);
	return NULL;
}

static void note_pace(struct outpostd *d, const struct relay *r)
{
	if (rate_allows(r))
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
	struct relay *r = first_up(d, route, relays_for(d, m->sender, route, &err));
	struct agent *a = r ? with_room(d, r) : NULL;
	struct claim *c = a ? claim_new(d, m, CLAIM_GIVEN) : NULL;

	if (!r)
		return LATER;
	if (!a) {
		maybe_start(d, r);
		note_pace(d, r);
	}
	if (!c)
		return NO_ROOM;
	rate_count(d, a->relay);
	agent_give(a, c);
	return PLACED;
}

/* No agent has room: look at what is due next, only to see whether an agent should be started for it. */
static void peek(struct outpostd *d)
{
	struct queue_cursor undo;
	struct queue_message m;
	struct lane *l;

	if (!connection_may_open_anywhere(d))
		return;
	reload_if_changed(d);
	for (int skips = 0; skips < SKIPS; skips++) {
		enum placed how;

		l = next_message(d, &m, &undo);
		if (!l)
			return;
		how = place(d, &m);
		if (how == PLACED)
			return;
		queue_message_free(&m);
		if (how == LATER)
			continue;
		if (agent_starts(d, NULL))
			l->cursor = undo; /* its agent is coming */
		else
			d->schedule.skipped = true;
		return;
	}
}

/* Hands out messages while agents have room, one at least, and no longer than SLICE_MS: a header of megabytes that is
 * rewritten is work. True: there is more that could be handed out now. */
static bool hand_out(struct outpostd *d)
{
	deadline slice = deadline_in_ms(SLICE_MS);
	int skips = 0;

	for (int i = 0; i < HAND_OUT && (i == 0 || !deadline_over(slice)); i++) {
		struct queue_cursor undo;
		struct queue_message m;
		enum placed how;

		if (!with_room(d, NULL)) {
			peek(d);
			return false;
		}
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
static void due_again(struct outpostd *d)
{
	if (d->lanes.force || d->schedule.again <= clock_us(d))
		schedule_reset(d);
	else
		lanes_look(d);
}

static bool work(struct outpostd *d)
{
	int64_t begin = clock_mono_ms(), took;
	bool more;

	if (lanes_dry(d))
		due_again(d);
	lanes_forget_trouble(d);
	queue_read_begin(d->queue);
	more = hand_out(d);
	queue_read_end(d->queue);
	for (struct agent *a = d->agents.first; a; a = a->next)
		if (a->out.len)
			agent_flush(a);
	took = clock_mono_ms() - begin;
	if (took > SLICE_MS)
		d->schedule.rest = deadline_in_ms(took);
	return more && took <= SLICE_MS;
}

bool schedule_work(struct outpostd *d)
{
	bool more;

	if (commit_stalled(d) || d->shutdown.begun || !deadline_over(d->lanes.wait) || clock_stepped(d) ||
	    !deadline_over(d->schedule.rest))
		return false;
	more = next_due(d) <= clock_us(d) && commit_would_count(d) && work(d);
	connections_note_full(d);
	return more;
}

/* Only what no event reports: when something falls due while an agent could take it. */
deadline schedule_deadline(struct outpostd *d)
{
	int64_t due, now = clock_us(d);

	if (commit_stalled(d) || d->shutdown.begun)
		return DEADLINE_NEVER;
	if (!deadline_over(d->lanes.wait))
		return d->lanes.wait;
	if (clock_stepped(d))
		return deadline_in_ms(STEPPED_MS);
	if (!deadline_over(d->schedule.rest))
		return d->schedule.rest;
	if (!with_room(d, NULL) && !connection_may_open_anywhere(d))
		return DEADLINE_NEVER;
	due = next_due(d);
	return due == INT64_MAX ? DEADLINE_NEVER : deadline_in_ms(due > now ? (due - now) / 1000 + 1 : 0);
}

bool schedule_empty(struct outpostd *d)
{
	return next_due(d) == INT64_MAX && !d->claims.n;
}

bool schedule_idle(struct outpostd *d)
{
	bool under_way = d->claims.n || d->settlement.n;

	if (commit_stalled(d) || (lanes_trouble(d) && !under_way))
		return true;
	if (under_way || d->relay_states.due || d->schedule.paced || agent_starts(d, NULL))
		return false;
	return next_due(d) > clock_us(d) || !relays_usable(d);
}
