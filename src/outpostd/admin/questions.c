/* questions.c: which verb it is, and who may ask. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/sock.h"
#include "control/control.h"

enum { GROUPS_MAX = 256, PATIENCE_MS = 30 * 1000 };

static const struct verb *const verbs[] = {
	&verb_mailq, &verb_wake, &verb_flush, &verb_hold, &verb_release, &verb_retry, &verb_delete, &verb_status,
	&verb_active,
};

bool question_ends(struct client *c, int code, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	control_put_end(&c->out, code, text);
	return false;
}

bool question_begin(struct client *c, char **words, int n)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		const struct verb *v = verbs[i];

		if (strcmp(v->name, words[0]) != 0 || (v->admin && !c->admin))
			continue;
		if (n - 1 < v->min_args || n - 1 > v->max_args)
			return question_ends(c, EX_USAGE, "%s takes other arguments", v->name);
		c->question = calloc(1, sizeof(*c->question));
		if (!c->question)
			return question_ends(c, EX_TEMPFAIL, "out of memory");
		c->question->verb = v;
		return v->begin(c, words + 1, n - 1);
	}
	return question_ends(c, EX_UNAVAILABLE, "this outpostd does not know how to %s%s", words[0],
			c->admin ? "" : " for everybody");
}

void question_awaits_incoming(struct client *c)
{
	c->question->awaits = incoming_look(c->d);
	c->question->patience = deadline_in_ms(PATIENCE_MS);
}

static bool is_waiting(const struct client *c)
{
	const struct question *q = c->question;

	return q->awaits && !incoming_looked(c->d, q->awaits) && !deadline_over(q->patience);
}

bool question_more(struct client *c)
{
	if (is_waiting(c))
		return true;
	c->question->awaits = 0;
	return c->question->verb->more ? c->question->verb->more(c) : true;
}

void questions_tick(struct outpostd *d)
{
	struct client *next;

	for (struct client *c = d->clients.first; c; c = next) {
		next = c->next;
		if (c->question && c->question->awaits && !is_waiting(c))
			client_flush(c);
	}
}

bool question_is(const struct client *c, const struct verb *verb)
{
	return c->question && c->question->verb == verb;
}

void question_end(struct client *c)
{
	if (!c->question)
		return;
	free(c->question->text);
	queue_row_free(&c->question->rest);
	free(c->question);
	c->question = NULL;
}

int client_allowed(struct client *c, enum conf_param p)
{
	gid_t groups[GROUPS_MAX + 1] = {c->gid};
	struct user who;
	int n;

	if (c->admin)
		return 1;
	user_of(c->d, c->uid, &who);
	if (c->gid == CLIENT_NO_GROUP)
		return user_allowed(c->d, p, &who);
	n = sock_peer_groups(c->watch.fd, groups + 1, GROUPS_MAX);
	return user_named(c->d, p, &who, groups, n > 0 ? (size_t)n + 1 : 1);
}
