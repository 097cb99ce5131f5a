/* bounce.c: the notification is written while its original is read; what of that cannot be read is left out. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/log.h"
#include "base/process/step.h"
#include "base/text/text.h"
#include "mail/dsn.h"
#include "mail/rewrite.h"

enum { HEAD_MAX = 64 << 20, FULL_MAX = 50 << 20, TOP = 1024 };

/* head, then a part of the original, then tail. */
struct notice {
	struct outpostd *d;
	int64_t row;
	uint64_t skip, part;	/* bytes of the original: in head already, and to come */
	struct buf head, tail;
	uint64_t offset;
	bool unreadable;	/* that part could not be read */
};

struct bounce_made {
	char id[QUEUE_ID], notice[QUEUE_ID];
	enum dsn_action action;
};

static long from_buf(const struct buf *b, uint64_t offset, char *p, size_t n)
{
	if (n > b->len - offset)
		n = (size_t)(b->len - offset);
	memcpy(p, b->data + offset, n);
	return (long)n;
}

static long notice_read(void *arg, char *p, size_t n, struct error *err)
{
	struct notice *s = arg;
	uint64_t at = s->offset;
	long got;

	if (at < s->head.len) {
		got = from_buf(&s->head, at, p, n);
	} else if ((at -= s->head.len) < s->part) {
		if (n > s->part - at)
			n = (size_t)(s->part - at);
		got = queue_read(s->d->queue, s->row, s->skip + at, p, n, err);
		if (got == 0)
			got = error_set(err, REASON_IO, "the original message is cut short");
		s->unreadable = got < 0 && error_exit(err) != EX_TEMPFAIL;
	} else {
		at -= s->part;
		got = at < s->tail.len ? from_buf(&s->tail, at, p, n) : 0;
	}
	if (got > 0)
		s->offset += (uint64_t)got;
	return got;
}

static void random_word(char out[25])
{
	unsigned char r[12];

	if (random_bytes(r, sizeof(r)) < 0)
		memset(r, 7, sizeof(r));
	for (size_t i = 0; i < sizeof(r); i++)
		snprintf(out + 2 * i, 3, "%02x", r[i]);
}

/* The original's beginning: our Received line gets the id that it was waiting for. */
static int put_top(const struct queue_message *m, struct notice *s, struct error *err)
{
	static const char word[] = QUEUE_ID_MARK;
	char top[TOP];
	size_t want = s->part < sizeof(top) ? (size_t)s->part : sizeof(top);
	long n = want ? queue_read(s->d->queue, m->row, 0, top, want, err) : 0;
	const char *mark = n > 0 ? memmem(top, (size_t)n, word, sizeof(word) - 1) : NULL;

	if (!mark)
		return 0;	/* what cannot be read is seen by notice_read */
	buf_add(&s->head, top, (size_t)(mark - top));
	buf_adds(&s->head, m->id);
	mark += sizeof(word) - 1;
	s->skip = (uint64_t)n;
	s->part -= s->skip;
	return buf_add(&s->head, mark, (size_t)(top + n - mark)) < 0 ?
		error_set(err, REASON_SYSTEM, "out of memory") : 0;
}

static int write_text(struct outpostd *d, const struct queue_message *m, enum dsn_action action,
		      const struct bounce_recipient *list, size_t n, struct notice *s, uint32_t *header,
		      struct error *err)
{
	struct dsn_recipient *rs = calloc(n, sizeof(*rs));
	char from[600], boundary[25];
	struct dsn_report report = {
		.action = action, .queue_id = m->id, .to = m->sender, .reporter = conf_myhostname(d->conf),
		.from_address = from, .envid = m->envid, .arrival = m->arrival, .now = clock_us(d),
		.expires = m->arrival + conf_seconds(d->conf, P_maximal_queue_lifetime) * 1000000,
		.recipients = rs, .nrecipients = n, .utf8 = m->smtputf8, .boundary = boundary,
		.full = action == DSN_ACTION_FAILED && m->ret == 'F' && m->size <= FULL_MAX && !d->commit.tight,
	};
	int rc;

	if (!rs)
		return error_set(err, REASON_SYSTEM, "out of memory");
	random_word(boundary);
	snprintf(from, sizeof(from), "MAILER-DAEMON@%.500s", conf_myorigin(d->conf));
	for (size_t i = 0; i < n; i++)
		rs[i] = (struct dsn_recipient){
			.address = list[i].r->address, .original = list[i].r->original, .orcpt = list[i].r->orcpt,
			.dsn = list[i].dsn, .text = list[i].text,
			.relay = *list[i].relay && strcmp(list[i].relay, "none") != 0 ? list[i].relay : NULL,
			.last_attempt = list[i].when,
		};
	rc = dsn_head(&report, &s->head, header) < 0 || dsn_tail(&report, &s->tail) < 0 ? -1 : 0;
	free(rs);
	s->part = report.full ? m->size : m->header_size;
	return rc < 0 ? error_set(err, REASON_SYSTEM, "out of memory") : put_top(m, s, err);
}

/* The sender as submitted is often a local name: like a recipient it goes through the aliases. */
struct addressees {
	struct queue_new_recipient r[16];
	size_t n;
};

static int add_addressee(void *arg, const char *address)
{
	struct addressees *a = arg;

	if (a->n == sizeof(a->r) / sizeof(a->r[0]))
		return 0;
	a->r[a->n].address = strdup(address);
	if (!a->r[a->n].address)
		return -1;
	a->n++;
	return 0;
}

static void find_addressees(struct outpostd *d, const struct queue_message *m, struct addressees *a)
{
	struct error err = {0};
	struct buf note;

	buf_init(&note, 65536);
	if (rewrite_recipient(&d->rules.r, m->sender, add_addressee, a, &note, &err) < 0)
		log_line(LOG_WARN, "bounce", 0, "%s: the sender cannot be notified, its address is invalid: %s",
			 m->id, err.text);
	buf_free(&note);
	for (size_t i = 0; i < a->n; i++) {
		a->r[i].original = m->sender;
		a->r[i].notify = DSN_NEVER;
	}
}

static int remember(struct outpostd *d, const char *id, const char *notice, enum dsn_action action)
{
	struct bounces *all = &d->bounces;
	struct bounce_made *b = array_add(&all->list, &all->n, &all->cap, sizeof(*b));

	if (!b)
		return -1;
	snprintf(b->id, sizeof(b->id), "%s", id);
	snprintf(b->notice, sizeof(b->notice), "%s", notice);
	b->action = action;
	return 0;
}

static int put(struct outpostd *d, const struct queue_message *m, enum dsn_action action, struct addressees *a,
	       struct notice *s, uint32_t header, struct error *err)
{
	struct queue_new n = {
		.uid = geteuid(), .user = "outpost", .sender = "", .smtputf8 = m->smtputf8,
		.body = text_8bit(s->head.data, s->head.len) ? '8' : m->body,
		.bounce = true, .header_size = header, .arrival = clock_us(d), .recipients = a->r, .nrecipients = a->n,
		.size = s->head.len + s->part + s->tail.len,
	};
	char id[QUEUE_ID];

	if (random_bytes(n.token, sizeof(n.token)) < 0)
		return error_sys(err, REASON_SYSTEM, "no random bytes");
	STEP("bounce-put");
	if (queue_put(d->queue, &n, notice_read, s, id, err) < 0)
		return error_prefix(err, "%s: the sender cannot be notified", m->id);
	return remember(d, m->id, id, action) < 0 ? error_set(err, REASON_SYSTEM, "out of memory") : 0;
}

/* A message that is damaged must not stop the verdict on it, and with that all mail: then what cannot be read is
 * left out. */
static int put_what_is_there(struct outpostd *d, const struct queue_message *m, enum dsn_action action,
			     struct addressees *a,
			     struct notice *s, uint32_t header, struct error *err)
{
	int rc = put(d, m, action, a, s, header, err);

	if (rc == 0 || !s->unreadable)
		return rc;
	log_line(LOG_FAIL, "bounce", 0, "%s; the notification goes without the original", err->text);
	s->part = s->offset = 0;
	return put(d, m, action, a, s, header, err);
}

int bounce_put(struct outpostd *d, const struct queue_message *m, enum dsn_action action,
	       const struct bounce_recipient *list, size_t n, struct error *err)
{
	struct notice s = {.d = d, .row = m->row};
	struct addressees a = {.n = 0};
	uint32_t header = 0;
	int rc = 0;

	if (m->bounce || !*m->sender)
		return 0;
	find_addressees(d, m, &a);
	if (a.n == 0)
		return 0;
	buf_init(&s.head, HEAD_MAX);
	buf_init(&s.tail, 65536);
	rc = write_text(d, m, action, list, n, &s, &header, err);
	if (rc == 0)
		rc = put_what_is_there(d, m, action, &a, &s, header, err);
	buf_free(&s.head);
	buf_free(&s.tail);
	for (size_t i = 0; i < a.n; i++)
		free((void *)(uintptr_t)a.r[i].address);
	return rc;
}

void bounce_committed(struct outpostd *d)
{
	struct bounces *all = &d->bounces;

	for (size_t i = 0; i < all->n; i++)
		event_bounce(all->list[i].id, all->list[i].notice, all->list[i].action);
	if (all->n)
		lanes_new_mail(d, geteuid(), 0);
	all->n = 0;
}

void bounce_forget(struct outpostd *d)
{
	d->bounces.n = 0;
}

void bounces_free(struct outpostd *d)
{
	free(d->bounces.list);
	d->bounces = (struct bounces){0};
}
