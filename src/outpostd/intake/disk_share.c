/* disk_share.c: nothing is counted before the disk is nearly full, and then not for each submission. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"
#include "base/files/room.h"

enum { COUNTED_MS = 10 * 1000 };

uid_t person_of_uid(struct outpostd *d, uid_t uid)
{
	return person_known(&d->shares.known, uid);
}

static struct person_share *find(struct person_shares *s, uid_t person)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->list[i].person == person)
			return &s->list[i];
	return NULL;
}

void person_adds(struct outpostd *d, uid_t person, uint64_t size)
{
	struct person_shares *s = &d->shares;
	struct person_share *one = find(s, person);

	if (!one) {
		one = array_add(&s->list, &s->n, &s->cap, sizeof(*one));
		if (!one)
			return;
		one->person = person;
	}
	one->bytes += size;
}

static void add_uid(void *arg, uint32_t uid, uint64_t bytes)
{
	struct outpostd *d = arg;

	person_adds(d, person_of_uid(d, uid), bytes);
}

static int count(struct outpostd *d, struct error *err)
{
	struct person_shares *s = &d->shares;

	if (s->until && !deadline_over(s->until))
		return 0;
	s->n = 0;
	s->until = deadline_in_ms(COUNTED_MS);
	return queue_sizes(d->queue, add_uid, d, err);
}

int person_has_room(struct outpostd *d, uid_t person, uint64_t size, struct error *err)
{
	struct room_held held = {0};
	const struct person_share *one;
	struct room r;

	if (person == 0 || person == geteuid())
		return 0;
	if (room_look_at(d->queue_dir, &r, err) < 0)
		return -1;
	if (!room_is_tight(&r))
		return room_check(&r, size, NULL, err);
	if (count(d, err) < 0)
		return -1;
	one = find(&d->shares, person);
	held.bytes = one ? one->bytes : 0;
	return room_check(&r, size, &held, err);
}

void person_shares_free(struct outpostd *d)
{
	free(d->shares.list);
	d->shares = (struct person_shares){0};
}
