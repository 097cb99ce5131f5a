#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "tests/relay/dialogue.h"

static const char *const event_names[EVENTS] = {
#define X(name) #name,
	EVENT_LIST(X)
#undef X
};

static const struct {
	const char *name;
	enum action act;
	enum { TAKES_NOTHING, TAKES_NUMBER, TAKES_LINES, TAKES_BYTES } takes;
} actions[] = {
	{"reply", ACT_REPLY, TAKES_LINES},
	{"send", ACT_SEND, TAKES_BYTES},
	{"below", ACT_BELOW, TAKES_BYTES},
	{"normal", ACT_NORMAL, TAKES_NOTHING},
	{"accept", ACT_ACCEPT, TAKES_NOTHING},
	{"refuse", ACT_REFUSE, TAKES_NOTHING},
	{"wait", ACT_WAIT, TAKES_NUMBER},
	{"trickle", ACT_TRICKLE, TAKES_NUMBER},
	{"drip", ACT_DRIP, TAKES_NUMBER},
	{"flush", ACT_FLUSH, TAKES_NOTHING},
	{"close", ACT_CLOSE, TAKES_NOTHING},
	{"cut", ACT_CUT, TAKES_NOTHING},
	{"reset", ACT_RESET, TAKES_NOTHING},
	{"stall", ACT_STALL, TAKES_NOTHING},
	{"deaf", ACT_DEAF, TAKES_NOTHING},
	{"discard", ACT_DISCARD, TAKES_NOTHING},
	{"garbage", ACT_GARBAGE, TAKES_NUMBER},
	{"alert", ACT_ALERT, TAKES_NUMBER},
	{"rehandshake", ACT_REHANDSHAKE, TAKES_NOTHING},
	{"tickets", ACT_TICKETS, TAKES_NOTHING},
	{"chunk-is-text", ACT_CHUNK_IS_TEXT, TAKES_NOTHING},
};

/* Lines of a catalogue file that are meant for the test, not for the relay. */
static const char *const for_the_test[] = {"about",    "relay", "conf",  "mail",  "expect",
					   "password", "via",   "queue", "silent"};

/* ---- words: bare, or "quoted" with \r \n \t \0 \\ \" \xHH */
struct lexer {
	const char *p, *end;
	struct buf word;
	bool quoted;
};

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int escape(struct lexer *l)
{
	static const char from[] = "rnt\\\"", to[] = "\r\n\t\\\"";
	char c = *l->p++;
	const char *at = c ? strchr(from, c) : NULL;

	if (at)
		return buf_addc(&l->word, to[at - from]);
	if (c == '0')
		return buf_addc(&l->word, '\0');
	if (c != 'x' || l->end - l->p < 2 || hex(l->p[0]) < 0 || hex(l->p[1]) < 0)
		return -1;
	buf_addc(&l->word, (char)(hex(l->p[0]) << 4 | hex(l->p[1])));
	l->p += 2;
	return 0;
}

static int quoted_word(struct lexer *l)
{
	l->quoted = true;
	while (l->p < l->end && *l->p != '"') {
		if (*l->p == '\\' && l->end - l->p > 1) {
			l->p++;
			if (escape(l))
				return -1;
		} else {
			buf_addc(&l->word, *l->p++);
		}
	}
	return l->p++ < l->end ? 1 : -1;
}

/* 1: a word; 0: the end of the line; -1: an error. ";" is a word of its own. arg~"x y" is one word. */
static int next_word(struct lexer *l)
{
	buf_reset(&l->word);
	l->quoted = false;
	while (l->p < l->end && ascii_space(*l->p))
		l->p++;
	if (l->p == l->end || *l->p == '#')
		return 0;
	if (*l->p == ';')
		return buf_addc(&l->word, *l->p++) ? -1 : 1;
	while (l->p < l->end && !ascii_space(*l->p) && *l->p != ';') {
		if (*l->p == '"') {
			l->p++;
			return quoted_word(l);
		}
		buf_addc(&l->word, *l->p++);
	}
	return 1;
}

static bool word_is(const struct lexer *l, const char *s)
{
	return !l->quoted && !strcmp(buf_str(&l->word), s);
}

/* ---- conditions */
static bool get_range(const char *s, struct range *r)
{
	struct span v = span_of(s);
	bool open = v.n && v.p[v.n - 1] == '+';
	uint64_t n;

	v.n -= open;
	if (!text_u64(v, INT32_MAX, &n))
		return false;
	*r = (struct range){n, open ? UINT64_MAX : n};
	return true;
}

static bool get_flag(const char *s, int *flag)
{
	*flag = !strcmp(s, "yes");
	return *flag || !strcmp(s, "no");
}

static bool condition(struct rule *r, const char *w)
{
	uint64_t port;

	if (!strncmp(w, "nth=", 4))
		return get_range(w + 4, &r->nth);
	if (!strncmp(w, "conn=", 5))
		return get_range(w + 5, &r->conn);
	if (!strncmp(w, "msg=", 4))
		return get_range(w + 4, &r->msg);
	if (!strncmp(w, "total=", 6))
		return get_range(w + 6, &r->total);
	if (!strncmp(w, "every=", 6))
		return text_u64(span_of(w + 6), INT32_MAX, &r->every) && r->every;
	if (!strncmp(w, "bytes=", 6))
		return text_u64(span_of(w + 6), INT64_MAX, &r->bytes);
	if (!strncmp(w, "tls=", 4))
		return get_flag(w + 4, &r->tls);
	if (!strncmp(w, "authed=", 7))
		return get_flag(w + 7, &r->authed);
	if (!strncmp(w, "nested=", 7))
		return get_flag(w + 7, &r->nested);
	if (!strncmp(w, "port=", 5) && text_u64(span_of(w + 5), 65535, &port)) {
		r->port = (int)port;
		return true;
	}
	if (!strncmp(w, "arg~", 4))
		return (r->arg = strdup(w + 4)) != NULL;
	return false;
}

/* ---- actions */
static struct step *add_step(struct rule *r, enum action act)
{
	struct step *s = realloc(r->steps, (r->nsteps + 1) * sizeof *s);

	if (!s)
		return NULL;
	r->steps = s;
	s = &r->steps[r->nsteps++];
	*s = (struct step){.act = act};
	return s;
}

static int add_bytes(struct step *s, const struct buf *b, const char *tail)
{
	size_t t = strlen(tail);
	char *p = realloc(s->bytes, s->len + b->len + t + 1);

	if (!p)
		return -1;
	memcpy(p + s->len, buf_str(b), b->len);
	memcpy(p + s->len + b->len, tail, t + 1);
	s->bytes = p;
	s->len += b->len + t;
	return 0;
}

/* The words behind an action, up to ";" or the end. Returns what next_word returned last. */
static int arguments(struct lexer *l, struct step *s, int takes)
{
	int more;

	s->n = takes == TAKES_NUMBER ? 0 : 1;
	while ((more = next_word(l)) > 0 && !word_is(l, ";")) {
		if (l->quoted && takes >= TAKES_LINES) {
			if (add_bytes(s, &l->word, takes == TAKES_LINES ? "\r\n" : ""))
				return -1;
		} else if (takes == TAKES_NOTHING || takes == TAKES_LINES ||
			   !text_u64(span_of(buf_str(&l->word)), INT32_MAX, &s->n)) {
			return -1;
		}
	}
	return more;
}

static int action(struct lexer *l, struct rule *r)
{
	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
		if (word_is(l, actions[i].name)) {
			struct step *s = add_step(r, actions[i].act);

			return s ? arguments(l, s, actions[i].takes) : -1;
		}
	return -1;
}

static int get_event(const char *s, enum event *e)
{
	for (size_t i = 0; i < EVENTS; i++)
		if (!strcmp(s, event_names[i])) {
			*e = (enum event)i;
			return 0;
		}
	return -1;
}

/* when EVENT [CONDITION ...] do ACTION [; ACTION ...] */
static int parse_rule(struct lexer *l, struct rule *r)
{
	int more;

	*r = (struct rule){.tls = -1, .authed = -1, .nested = -1, .port = -1};
	if (next_word(l) <= 0 || get_event(buf_str(&l->word), &r->event))
		return -1;
	while ((more = next_word(l)) > 0 && !word_is(l, "do"))
		if (!condition(r, buf_str(&l->word)))
			return -1;
	if (more <= 0)
		return -1;
	while (more > 0) {
		if (next_word(l) <= 0)
			return -1;
		more = action(l, r);
	}
	return more;
}

static bool is_for_the_test(struct span line)
{
	for (size_t i = 0; i < sizeof for_the_test / sizeof *for_the_test; i++) {
		size_t n = strlen(for_the_test[i]);

		if (line.n > n && !memcmp(line.p, for_the_test[i], n) && line.p[n] == ':')
			return true;
	}
	return false;
}

static int parse_line(struct dialogue *d, struct span line, unsigned number, struct error *err)
{
	struct lexer l = {.p = line.p, .end = line.p + line.n};
	struct rule *r;
	int rc = -1;

	if (!line.n || *line.p == '#' || is_for_the_test(line))
		return 0;
	buf_init(&l.word, 1u << 20);
	r = realloc(d->rules, (d->nrules + 1) * sizeof *r);
	if (r) {
		d->rules = r;
		if (next_word(&l) > 0 && word_is(&l, "when"))
			rc = parse_rule(&l, &r[d->nrules]);
		r[d->nrules++].line = number;
	}
	buf_free(&l.word);
	return rc ? error_set(err, REASON_DATA, "line %u: not a rule, at \"%.40s\"", number, l.p) : 0;
}

int dialogue_load(const char *path, struct dialogue *d, struct error *err)
{
	struct buf file;
	struct span rest, line;
	unsigned number = 0;
	int rc = 0;

	buf_init(&file, 8u << 20);
	rc = io_read_file(path, false, &file, NULL, err);
	rest = (struct span){buf_str(&file), file.len};
	while (!rc && rest.n) {
		const char *nl = memchr(rest.p, '\n', rest.n);

		line = (struct span){rest.p, nl ? (size_t)(nl - rest.p) : rest.n};
		rest.p += line.n + (nl != NULL);
		rest.n -= line.n + (nl != NULL);
		rc = parse_line(d, span_trim(line), ++number, err);
	}
	buf_free(&file);
	return rc ? error_prefix(err, "%s: ", path) : 0;
}

/* ---- matching */
static bool in_range(struct range r, uint64_t n)
{
	return !r.to || (n >= r.from && n <= r.to);
}

static bool flag_fits(int want, int is)
{
	return want < 0 || want == is;
}

static bool contains(struct span s, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= s.n; i++) {
		size_t k = 0;

		while (k < n && ascii_lower(s.p[i + k]) == ascii_lower(word[k]))
			k++;
		if (k == n)
			return true;
	}
	return false;
}

static bool rule_fits(const struct rule *r, const struct moment *m, uint64_t total)
{
	return r->event == m->event && in_range(r->nth, m->nth) && in_range(r->conn, m->conn) &&
	       in_range(r->msg, m->msg) && in_range(r->total, total) &&
	       (!r->every || m->nth % r->every == 0) && m->bytes >= r->bytes &&
	       flag_fits(r->tls, m->tls) && flag_fits(r->authed, m->authed) &&
	       flag_fits(r->nested, m->nested) && flag_fits(r->port, m->port) &&
	       (!r->arg || contains(m->line, r->arg));
}

bool dialogue_wants(const struct dialogue *d, enum event e)
{
	for (size_t i = 0; i < d->nrules; i++)
		if (d->rules[i].event == e)
			return true;
	return false;
}

const struct rule *dialogue_match(struct dialogue *d, const struct moment *m)
{
	uint64_t total = ++d->totals[m->event];

	for (size_t i = 0; i < d->nrules; i++)
		if (rule_fits(&d->rules[i], m, total)) {
			d->rules[i].used++;
			return &d->rules[i];
		}
	return NULL;
}
