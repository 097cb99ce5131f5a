/* inflight_journal.c: a shared mapping that is never synced: it need not survive a power cut, and costs no system
 * call. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

enum { SLOTS = 1024 };

/* Whether recipients of it wait still. */
static bool waits(struct outpostd *d, int64_t row)
{
	struct queue_message m;
	struct error err = {0};

	memset(&m, 0, sizeof(m));
	if (queue_fetch(d->queue, row, 0, true, 1, &m, &err) != 1)
		return false;
	queue_message_free(&m);
	return true;
}

static void report(struct outpostd *d, const char *slot)
{
	char id[QUEUE_ID], full[QUEUE_ID];
	struct error err = {0};
	int64_t row;

	memcpy(id, slot, sizeof(id));
	id[sizeof(id) - 1] = '\0';
	if (!id[0] || strspn(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(id))
		return;
	if (queue_find(d->queue, id, true, &row, full, &err) == 1 && waits(d, row))
		event_twice(id, 0, "", "outpostd ended before the answer was stored");
}

/* Without a journal mail is sent all the same, and messages in flight go unreported. */
void journal_open(struct outpostd *d)
{
	char path[1200];
	int fd;

	d->journal.slots = NULL;
	snprintf(path, sizeof(path), "%s/inflight", d->queue_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	if (posix_fallocate(fd, 0, SLOTS * QUEUE_ID) == 0)
		d->journal.slots = mmap(NULL, SLOTS * QUEUE_ID, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (d->journal.slots == MAP_FAILED)
		d->journal.slots = NULL;
	for (size_t i = 0; d->journal.slots && i < SLOTS; i++) {
		report(d, d->journal.slots[i]);
		memset(d->journal.slots[i], 0, QUEUE_ID);
	}
}

void journal_close(struct outpostd *d)
{
	if (d->journal.slots)
		munmap(d->journal.slots, SLOTS * QUEUE_ID);
	d->journal.slots = NULL;
}

void journal_add(struct outpostd *d, struct claim *c)
{
	for (size_t i = 0; d->journal.slots && i < SLOTS; i++)
		if (!d->journal.slots[i][0]) {
			memcpy(d->journal.slots[i], c->m.id, QUEUE_ID);
			c->slot = i + 1;
			return;
		}
}

void journal_remove(struct outpostd *d, struct claim *c)
{
	if (d->journal.slots && c->slot)
		memset(d->journal.slots[c->slot - 1], 0, QUEUE_ID);
	c->slot = 0;
}
