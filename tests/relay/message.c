/* message.c: the bytes of a message: dots, complaints about its lines, and the copy that --dump keeps. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/relay/relay.h"

enum { LINE_START, IN_LINE, DOT, DOT_CR };
enum { DATA_STEP = 4096 };

static void open_body(struct conn *c)
{
	char path[4200];

	if (c->body || !c->r->opt.dump)
		return;
	snprintf(path, sizeof path, "%s/.body%llu", c->r->opt.dump, (unsigned long long)c->number);
	c->body = fopen(path, "w");
}

void message_drop(struct conn *c)
{
	char path[4200];

	if (!c->body)
		return;
	fclose(c->body);
	c->body = NULL;
	snprintf(path, sizeof path, "%s/.body%llu", c->r->opt.dump, (unsigned long long)c->number);
	remove(path);
}

/* Looks at one line or a part of one; nl says whether its last byte is LF. */
static void judge_line(struct conn *c, const char *p, size_t n, bool nl)
{
	struct counters *k = &c->r->n;
	bool cr_before = n > 1 ? p[n - 2] == '\r' : c->last_cr;
	size_t body = nl ? n - 1 : n;
	const char *cr = memchr(p, '\r', n);

	if (nl && !cr_before)
		k->bare_lf++;
	if (c->last_cr && n && *p != '\n')
		k->bare_cr++;
	if (cr && cr != p + body - 1)
		k->bare_cr++;
	c->line_length += n;
	if (nl) {
		k->long_lines += c->line_length > 1000;
		c->line_length = 0;
	}
	c->last_cr = n && p[n - 1] == '\r';
	if (!c->has8 && text_8bit(p, n)) {
		c->has8 = true;
		k->eightbit_undeclared += !c->body8;
	}
}

void message_bytes(struct conn *c, const char *p, size_t n)
{
	c->message_bytes += n;
	open_body(c);
	if (c->body)
		fwrite(p, 1, n, c->body);
	while (n) {
		const char *nl = memchr(p, '\n', n);
		size_t part = nl ? (size_t)(nl - p) + 1 : n;

		judge_line(c, p, part, nl != NULL);
		p += part;
		n -= part;
	}
}

/* A run of bytes within a line, up to and including its LF. */
static size_t line_rest(struct conn *c, const char *p, size_t n)
{
	const char *nl = memchr(p, '\n', n);
	size_t part = nl ? (size_t)(nl - p) + 1 : n;
	bool crlf = nl && (part > 1 ? nl[-1] == '\r' : c->last_cr);

	message_bytes(c, p, part);
	c->data_state = crlf ? LINE_START : IN_LINE;
	return part;
}

/* One step of the little machine that finds CRLF . CRLF and takes the stuffed dots out. */
static size_t dot_step(struct conn *c, const char *p, size_t n, bool *end)
{
	switch (c->data_state) {
	case LINE_START:
		c->data_state = *p == '.' ? DOT : IN_LINE;
		return *p == '.';
	case DOT:
		c->data_state = *p == '\r' ? DOT_CR : IN_LINE;
		return *p == '\r';
	case DOT_CR:
		*end = *p == '\n';
		if (!*end) {
			message_bytes(c, "\r", 1);
			c->data_state = IN_LINE;
		}
		return *end;
	default:
		return line_rest(c, p, n);
	}
}

bool message_dot(struct conn *c)
{
	size_t limit = c->text.len;
	bool end = false;

	if (dialogue_wants(&c->r->dialogue, EV_body) && limit - c->text_at > DATA_STEP)
		limit = c->text_at + DATA_STEP;
	while (!end && c->text_at < limit)
		c->text_at += dot_step(c, c->text.data + c->text_at, limit - c->text_at, &end);
	return end;
}

static void write_envelope(struct conn *c, FILE *f, uint64_t number)
{
	struct buf user;

	buf_init(&user, 4096);
	text_json(&user, c->user, strlen(c->user));
	fprintf(f, "{\"number\":%llu,\"connection\":%llu,\"message\":%llu,\"port\":%d,\"tls\":\"%s\",\"user\":\"%s\","
		   "\"bytes\":%llu,\"sender\":%s,\"recipients\":[%s]}\n",
		(unsigned long long)number, (unsigned long long)c->number, (unsigned long long)c->messages,
		c->implicit ? 465 : 587,
		c->tls_state == TLS_ON ? gnutls_protocol_get_name(gnutls_protocol_get_version(c->tls)) : "",
		buf_str(&user), (unsigned long long)c->message_bytes, c->sender.len ? buf_str(&c->sender) : "null",
		buf_str(&c->envelope));
	buf_free(&user);
}

/* N.eml first, N.env last and by rename: whoever sees N.env may read both. */
static void dump(struct conn *c, uint64_t number)
{
	const char *dir = c->r->opt.dump;
	char from[4200], to[4200];
	FILE *f;

	open_body(c);
	if (!c->body)
		return;
	fclose(c->body);
	c->body = NULL;
	snprintf(from, sizeof from, "%s/.body%llu", dir, (unsigned long long)c->number);
	snprintf(to, sizeof to, "%s/%06llu.eml", dir, (unsigned long long)number);
	if (rename(from, to))
		fprintf(stderr, "relay: %s: %s\n", to, strerror(errno));
	snprintf(to, sizeof to, "%s/%06llu.env", dir, (unsigned long long)number);
	f = fopen(from, "w");
	if (!f)
		return;
	write_envelope(c, f, number);
	if (fclose(f) || rename(from, to))
		fprintf(stderr, "relay: %s: %s\n", to, strerror(errno));
}

void message_accept(struct conn *c)
{
	struct counters *k = &c->r->n;

	c->messages++;
	c->r->next_message++;
	k->messages++;
	k->recipients += c->rcpts;
	k->bytes += c->message_bytes;
	k->last_accepted_us = c->r->now;
	if (c->r->opt.dump)
		dump(c, c->r->next_message);
}
