/*
 * fill.c: puts N messages of BYTES bytes into the queue in DIR, of USERS users, a thousand a commit.
 *
 *   fill DIR N BYTES [USERS [UID]]
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/text/text.h"
#include "queue/queue.h"

enum { GROUP = 1000 };

struct body {
	char head[200];
	size_t header, size, at;
};

static long body_source(void *arg, char *p, size_t n, struct error *err)
{
	struct body *b = arg;
	size_t i = 0;

	(void)err;
	for (; i < n && b->at < b->size; i++, b->at++)
		p[i] = b->at < b->header ? b->head[b->at] : b->at % 72 == 71 || b->at + 1 == b->size ? '\n' : 'x';
	return (long)i;
}

static int put(struct queue *q, long i, size_t size, unsigned uid, struct error *err)
{
	char to[64], user[32], id[QUEUE_ID];
	struct queue_new_recipient r = {.address = to, .original = to};
	struct queue_new n = {.uid = uid, .user = user, .sender = "bench@client.example.com", .body = '7',
			      .arrival = clock_wall_us(), .recipients = &r, .nrecipients = 1};
	struct body b = {.at = 0};

	snprintf(to, sizeof(to), "user%ld@dest.example.net", i % 100000);
	snprintf(user, sizeof(user), "user%u", uid);
	b.header = (size_t)snprintf(b.head, sizeof(b.head),
				    "From: bench@client.example.com\nTo: %s\nSubject: bench %ld\n\n", to, i);
	b.size = size < b.header ? b.header : size;
	n.size = b.size;
	n.header_size = (uint32_t)b.header;
	if (random_bytes(n.token, sizeof(n.token)) < 0)
		return error_sys(err, REASON_SYSTEM, "no random bytes");
	return queue_put(q, &n, body_source, &b, id, err);
}

static int fill(struct queue *q, long n, size_t size, long users, unsigned uid, struct error *err)
{
	for (long i = 0; i < n; i++) {
		if (i % GROUP == 0 && queue_begin(q, err) < 0)
			return -1;
		if (put(q, i, size, uid + (unsigned)(i % users), err) < 0)
			return -1;
		if ((i % GROUP == GROUP - 1 || i == n - 1) && queue_commit(q, err) < 0)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	long users = argc > 4 ? strtol(argv[4], NULL, 10) : 1;
	unsigned uid = argc > 5 ? (unsigned)strtoul(argv[5], NULL, 10) : getuid();
	struct error err;
	struct queue *q;
	int lock, rc;

	if (argc < 4 || users < 1)
		return EX_USAGE;
	umask(077);
	if (mkdir(argv[1], 0700) < 0 && access(argv[1], W_OK) < 0) {
		perror(argv[1]);
		return EX_CANTCREAT;
	}
	lock = queue_lock(argv[1], 0, &err);
	if (lock < 0 || queue_open(argv[1], QUEUE_WRITE | QUEUE_CREATE, &q, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return error_exit(&err);
	}
	rc = fill(q, strtol(argv[2], NULL, 10), strtoul(argv[3], NULL, 10), users, uid, &err);
	if (rc < 0)
		fprintf(stderr, "%s\n", err.text);
	queue_close(q);
	return rc < 0 ? error_exit(&err) : 0;
}
