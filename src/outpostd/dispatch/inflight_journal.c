/*
 * inflight_journal.c: which messages are with an agent at this moment, in a small file that outlives us. Nothing
 * depends on it but words: when a flusher ends without settling what was under way, the next one says for each such
 * message that is queued still that it may be delivered twice. It is a shared mapping and never synced: it need not
 * survive a power cut, and costs no system call.
 */
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

static void announce(struct outpostd *d, const char *slot)
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

/* A journal that can't be had is no reason not to send: messages then go unannounced. */
void journal_open(struct outpostd *d)
{
	char path[1200];
	int fd;

	d->journal = NULL;
	snprintf(path, sizeof(path), "%s/inflight", d->queue_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	if (posix_fallocate(fd, 0, SLOTS * QUEUE_ID) == 0)
		d->journal = mmap(NULL, SLOTS * QUEUE_ID, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (d->journal == MAP_FAILED)
		d->journal = NULL;
	for (size_t i = 0; d->journal && i < SLOTS; i++) {
		announce(d, d->journal[i]);
		memset(d->journal[i], 0, QUEUE_ID);
	}
}

void journal_close(struct outpostd *d)
{
	if (d->journal)
		munmap(d->journal, SLOTS * QUEUE_ID);
	d->journal = NULL;
}

void journal_add(struct outpostd *d, struct claim *c)
{
	for (size_t i = 0; d->journal && i < SLOTS; i++)
		if (!d->journal[i][0]) {
			memcpy(d->journal[i], c->m.id, QUEUE_ID);
			c->slot = i + 1;
			return;
		}
}

void journal_remove(struct outpostd *d, struct claim *c)
{
	if (d->journal && c->slot)
		memset(d->journal[c->slot - 1], 0, QUEUE_ID);
	c->slot = 0;
}
