/* user_lanes.c: the cursors, and when more falls due. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/log.h"

enum { PASS_OVER = 500, REPORT_AGAIN_MS = 60 * 1000, RETRY_MS = 5000 };

static struct lane *lane_of(struct lanes *s, uint32_t uid)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->list[i].uid == uid)
			return &s->list[i];
	return NULL;
}

/* A new lane does not give its person another message in this round. */
static struct lane *lane_add(struct outpostd *d, uint32_t uid)
{
	struct lanes *s = &d->lanes;
	struct lane *list = array_room(s->list, s->n, &s->cap, sizeof(*list));
	struct lane new = {.uid = uid, .person = person_of_uid(d, uid)};

	if (!list)
		return NULL;
	s->list = list;
	for (size_t i = 0; i < s->n && !new.round; i++)
		if (list[i].person == new.person)
			new.round = list[i].round;
	list[s->n] = new;
	return &list[s->n++];
}

static void note_round(struct lanes *s, uid_t person)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->list[i].person == person)
			s->list[i].round = s->round;
}

void lanes_reset(struct outpostd *d)
{
	d->lanes.look = true;
	d->lanes.due_known = false;
}

void lanes_changed(struct outpostd *d)
{
	d->lanes.due_known = false;
}

void lanes_again(struct outpostd *d, uint32_t uid)
{
	struct lane *l = lane_of(&d->lanes, uid);

	if (l) {
		l->cursor = (struct queue_cursor){0};
		l->dry = false;
	} else {
		d->lanes.look = true;
	}
	d->lanes.due_known = false;
}

/* What outpost-drop took a while ago, or came when the clock was a little behind, is due before what this lane has
 * come to: then the lane begins again. */
void lanes_new_mail(struct outpostd *d, uint32_t uid, int64_t due)
{
	struct lanes *s = &d->lanes;
	struct lane *l = lane_of(s, uid);

	s->due_known = false;
	if (!l) {
		s->look |= !lane_add(d, uid);
		return;
	}
	l->dry = false;
	if (due <= l->cursor.due)
		l->cursor = (struct queue_cursor){0};
}

void lanes_free(struct outpostd *d)
{
	free(d->lanes.list);
	free(d->lanes.tried);
	d->lanes = (struct lanes){0};
}

static void cannot_read(struct outpostd *d, const struct error *err)
{
	struct lanes *s = &d->lanes;

	if (deadline_over(s->reported) || strcmp(s->trouble.text, err->text) != 0) {
		log_line(LOG_FAIL, "qmgr", 0, "the queue cannot be read: %s", err->text);
		s->reported = deadline_in_ms(REPORT_AGAIN_MS);
	}
	error_set(&s->trouble, REASON_TEMPORARY, "%s", err->text);
	s->wait = deadline_in_ms(RETRY_MS);
	schedule_reset(d); /* what was not seen is unknown */
}

const struct error *lanes_trouble(const struct outpostd *d)
{
	return d->lanes.trouble.reason ? &d->lanes.trouble : NULL;
}

void lanes_forget_trouble(struct outpostd *d)
{
	d->lanes.trouble.reason = REASON_NONE;
}

void lanes_look(struct outpostd *d)
{
	struct lanes *s = &d->lanes;
	int64_t after = -1, now = clock_us(d);
	struct error err = {0};
	uint32_t uid;
	int rc;

	s->due_known = false;
	for (size_t i = 0; i < s->n; i++)
		s->list[i].dry = false;
	s->looked = now;
	while ((rc = queue_next_user(d->queue, after, now, s->force, &uid, &err)) == 1) {
		if (!lane_of(s, uid))
			lane_add(d, uid);
		after = uid;
	}
	if (rc < 0)
		cannot_read(d, &err);
}

/* ---- a flush */

static int by_number(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Under force everything is looked at whatever its time; what was deferred since the flush began has had its turn. */
static bool had_its_turn(struct lanes *s, int64_t row)
{
	if (!s->force || !s->ntried)
		return false;
	if (!s->tried_sorted)
		qsort(s->tried, s->ntried, sizeof(s->tried[0]), by_number);
	s->tried_sorted = true;
	return bsearch(&row, s->tried, s->ntried, sizeof(s->tried[0]), by_number) != NULL;
}

void lanes_deferred(struct outpostd *d, int64_t row)
{
	struct lanes *s = &d->lanes;
	int64_t *place;

	s->due_known = false;
	place = s->force ? array_add(&s->tried, &s->ntried, &s->captried, sizeof(*place)) : NULL;
	if (!place)
		return;
	*place = row;
	s->tried_sorted = false;
}

void lanes_force(struct outpostd *d, bool on)
{
	d->lanes.force = on;
	d->lanes.ntried = 0;
	schedule_reset(d);
}

/* ---- the next message */

/* 1: *m is a message of this lane that is not under way; 0: none now; 2: none among many, and it goes on from there
 * in the next turn; -1. */
static int lane_next(struct outpostd *d, struct lane *l, int64_t now, struct queue_message *m, struct error *err)
{
	for (int passed = 0; passed < PASS_OVER; passed++) {
		int rc = queue_next(d->queue, l->uid, now, d->lanes.force, CLAIM_RECIPIENTS, &l->cursor, m, err);

		if (rc <= 0)
			return rc;
		if (m->nrecipients && !claim_known(d, m->row) && !had_its_turn(&d->lanes, m->row))
			return 1;
		queue_message_free(m);
	}
	return 2;
}

/* The next message of a person that gave none in this round. */
static struct lane *next_in_round(struct outpostd *d, struct queue_message *m, struct queue_cursor *undo)
{
	struct lanes *s = &d->lanes;
	int64_t now = clock_us(d);
	struct error err = {0};

	for (size_t tried = 0; tried < s->n; tried++) {
		struct lane *l = &s->list[s->turn++ % s->n];
		int rc;

		if (l->dry || l->round == s->round)
			continue;
		*undo = l->cursor;
		rc = lane_next(d, l, now, m, &err);
		if (rc == 1) {
			note_round(s, l->person);
			return l;
		}
		if (rc == 2)
			continue;
		l->dry = true;
		l->dried = now;
		if (rc < 0)
			cannot_read(d, &err);
	}
	return NULL;
}

struct lane *lanes_next(struct outpostd *d, struct queue_message *m, struct queue_cursor *undo)
{
	struct lanes *s = &d->lanes;
	struct lane *l;

	if (s->look) {
		s->n = 0;
		s->look = false;
		lanes_look(d);
	}
	l = s->round ? next_in_round(d, m, undo) : NULL;
	if (l)
		return l;
	s->turn = ++s->round;
	return next_in_round(d, m, undo);
}

bool lanes_dry(const struct outpostd *d)
{
	for (size_t i = 0; i < d->lanes.n; i++)
		if (!d->lanes.list[i].dry)
			return false;
	return !d->lanes.look;
}

static int64_t seen_until(void *arg, uint32_t uid)
{
	struct lanes *s = arg;
	const struct lane *l = lane_of(s, uid);

	return l ? l->dried : s->looked;
}

/* What was seen is under way, and its claim will report its end. So only what has fallen due since is of interest. */
int64_t lanes_due(struct outpostd *d)
{
	struct lanes *s = &d->lanes;
	struct error err = {0};

	if (!lanes_dry(d))
		return 0;
	if (s->force)
		return INT64_MAX;
	if (!s->due_known) {
		if (queue_due_after(d->queue, seen_until, s, &s->due, &err) < 0) {
			cannot_read(d, &err);
			s->due = INT64_MAX;
		}
		s->due_known = true;
	}
	return s->due;
}
