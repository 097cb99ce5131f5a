/* cmd_status.c: `outpost status`: one screen that says how things stand and what to do next; with --quiet a health
 * check. */
#include "config.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/text/text.h"
#include "outpost/check/check.h"
#include "outpost/check/print_hint.h"
#include "outpost/flusher/health.h"

enum { MARGIN = 13, NEXT_MARGIN = 9, US = 1000000, WORRY_S = 3600, EXPIRY_S = 14 * 86400 };

static bool is_down(const struct health *s, const struct queue_relay *r)
{
	return r->down_since && (r->down_until > s->now || s->totals.queued > 0);
}

/* All relays are down; where the sender decides, one that is down is enough. */
static bool no_way_out(const struct health *s)
{
	size_t down = 0;

	for (size_t i = 0; i < s->nrelays; i++)
		down += is_down(s, &s->relays[i]);
	return down && (down == s->nrelays || s->by_sender);
}

/* 78 nothing can be sent as main.cf stands; 0 well; 75 mail waits for a relay that is down, or has waited long, or the
 * disk is full; 69 mail waits and nothing would send it. */
static int health_status(const struct health *s)
{
	bool waiting = s->totals.queued > 0 || s->incoming > 0;

	if (s->no_route.reason)
		return error_exit(&s->no_route);
	if (waiting && !s->running && !s->timer && s->totals.oldest && s->now - s->totals.oldest > 60 * (int64_t)US)
		return EX_UNAVAILABLE;
	if (s->full || (waiting && no_way_out(s)))
		return EX_TEMPFAIL;
	if (s->totals.oldest && s->now - s->totals.oldest > WORRY_S * (int64_t)US)
		return EX_TEMPFAIL;
	return EX_OK;
}

static const char *ago(const struct health *s, int64_t when, char *out, size_t size)
{
	return words_duration((s->now - when) / US, out, size);
}

static void print_flusher(const struct health *s)
{
	term_print("  flusher    %s\n", s->running ? "running" :
		   s->timer ? "not running; started when there is mail" :
		   "not running; the next submission or `outpost flush` starts it");
}

static void print_relay(const struct health *s, const struct queue_relay *r)
{
	char a[40], b[40];

	if (is_down(s, r)) {
		term_print("  relay      %s DOWN for %s", r->nexthop, ago(s, r->down_since, a, sizeof(a)));
		if (r->down_until > s->now)
			term_print(", next try in %s", words_duration((r->down_until - s->now) / US + 1, b, sizeof(b)));
		term_print("\n             ");
		words_wrap(r->text, MARGIN, MARGIN);
	} else {
		term_print("  relay      %s up", r->nexthop);
		if (r->last_ok)
			term_print(", last used %s ago", ago(s, r->last_ok, a, sizeof(a)));
		term_print("\n");
	}
	if (r->cert_expires)
		term_print("  cert       expires in %s\n", words_duration(r->cert_expires - s->now / US, a, sizeof(a)));
}

static void print_queue(const struct health *s)
{
	char count[40], size[40], age[40];

	term_print("  queue      %s, %s", words_count(s->totals.queued, "message", "messages", count, sizeof(count)),
		   words_size(s->totals.bytes, size, sizeof(size)));
	if (s->totals.oldest)
		term_print(", the oldest %s", ago(s, s->totals.oldest, age, sizeof(age)));
	term_print("; %llu held, %llu failed\n", (unsigned long long)s->totals.held,
		   (unsigned long long)s->totals.failed);
	if (s->incoming)
		term_print("  incoming   %s to be taken in\n",
			   words_count(s->incoming, "message", "messages", count, sizeof(count)));
	if (s->corrupt)
		term_print("  corrupt    %s set aside\n",
			   words_count(s->corrupt, "submission", "submissions", count, sizeof(count)));
	term_print("  last day   %llu sent, %llu failed\n", (unsigned long long)s->sent_day,
		   (unsigned long long)s->failed_day);
}

static void say_next(unsigned *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say_next(unsigned *n, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	term_print("  %s ", (*n)++ ? "      " : "next  ");
	words_wrap(text, NEXT_MARGIN, NEXT_MARGIN);
}

static void advise_relay(const struct health *s, const struct queue_relay *r, struct conf *conf, unsigned *n)
{
	struct span rest, line;
	char hint[HINT_SIZE];

	if (!is_down(s, r))
		return;
	hint_of_relay(hint, conf, r);
	rest = span_of(hint);
	while (span_word(&rest, "\n", &line))
		say_next(n, "%.*s", (int)line.n, line.p);
	say_next(n, "`outpost check` tries the relay step by step%s",
		 s->totals.queued ? ", `outpost flush` then sends what waits" : "");
}

/* What main.cf says in vain, and mail that has nowhere to go, before anybody misses it. */
static void advise_configuration(struct context *c, unsigned *n)
{
	const struct conf_unused *list;
	size_t lines = conf_unused(c->conf, &list);
	struct error ignored = {0};
	struct check_root root;
	char text[600];

	for (size_t i = 0; i < lines; i++)
		if (!list[i].postfix)
			say_next(n, "line %u of main.cf: %s", list[i].line,
				 conf_unused_words(&list[i], text, sizeof(text)));
	if (check_root(c, &root, &ignored) == 0 && root.lost)
		say_next(n, "%s: %s", root.text, root.hint);
}

static void advise(struct context *c, const struct health *s)
{
	unsigned n = 0;

	term_print("\n");
	if (s->no_route.reason)
		say_next(&n, "nothing can be sent before main.cf is fixed: `outpost check`");
	advise_configuration(c, &n);
	for (size_t i = 0; i < s->nrelays; i++) {
		int64_t left = s->relays[i].cert_expires - s->now / US;

		advise_relay(s, &s->relays[i], c->conf, &n);
		if (s->relays[i].cert_expires && left < EXPIRY_S && s->relays[i].last_ok)
			say_next(&n, "the relay's certificate ends soon: tell its administrator");
	}
	if (health_status(s) == EX_UNAVAILABLE)
		say_next(&n, "nothing would send what waits: `outpost flush`; for good enable outpost's units, or "
			 "without systemd: echo '*/10 * * * * root " SBINDIR "/sendmail -q' > /etc/cron.d/outpost");
	if (s->totals.failed)
		say_next(&n, "`outpost queue --failed` shows what failed and why");
	if (s->full)
		say_next(&n, "the disk of %s is full: new mail is refused; make room",
			 conf_str(c->conf, P_queue_directory));
	if (s->corrupt)
		say_next(&n, "look into %s/corrupt", conf_str(c->conf, P_queue_directory));
	if (!n)
		term_print("  next   nothing to do\n");
}

static void json_relays(struct buf *b, const struct health *s)
{
	buf_adds(b, ", \"relays\": [");
	for (size_t i = 0; i < s->nrelays; i++) {
		const struct queue_relay *r = &s->relays[i];

		buf_addf(b, "%s{\"up\": %s", i ? ", " : "", is_down(s, r) ? "false" : "true");
		text_json_member(b, "relay", r->nexthop);
		if (is_down(s, r)) {
			buf_addf(b, ", \"down_since\": %lld, \"next_try\": %lld", (long long)(r->down_since / US),
				 (long long)(r->down_until / US));
			text_json_member(b, "reason", reason_name(r->reason));
			text_json_member(b, "text", r->text);
		}
		buf_addf(b, ", \"last_ok\": %lld, \"certificate_expires\": %lld}", (long long)(r->last_ok / US),
			 (long long)r->cert_expires);
	}
	buf_addc(b, ']');
}

static void print_json(const struct health *s)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_addf(&b,
		 "{\"health\": %d, \"flusher_running\": %s, \"queued\": %llu, \"held\": %llu, \"failed\": %llu, "
		 "\"bytes\": %llu, "
		 "\"oldest\": %lld, \"incoming\": %zu, \"corrupt\": %zu, \"sent_day\": %llu, \"failed_day\": %llu",
		 health_status(s), s->running ? "true" : "false", (unsigned long long)s->totals.queued,
		 (unsigned long long)s->totals.held, (unsigned long long)s->totals.failed,
		 (unsigned long long)s->totals.bytes, (long long)(s->totals.oldest / US), s->incoming, s->corrupt,
		 (unsigned long long)s->sent_day, (unsigned long long)s->failed_day);
	json_relays(&b, s);
	buf_adds(&b, "}\n");
	fwrite(buf_str(&b), 1, b.len, stdout);
	buf_free(&b);
}

/* The relay that main.cf names. */
static void print_unused_relay(struct context *c)
{
	struct relayhost relay;
	struct error ignored;

	if (relayhost_list(c->conf, &relay, 1, &ignored) > 0)
		term_print("  relay      %s, not used yet\n", relay.written);
	else
		term_print("  relay      by sender, none used yet\n");
}

static void print_screen(struct context *c, const struct health *s)
{
	term_print("outpost %s on %s\n\n", PACKAGE_VERSION, conf_myhostname(c->conf));
	print_flusher(s);
	if (s->no_route.reason) {
		term_print("  relay      ");
		words_wrap(s->no_route.text, MARGIN, MARGIN);
	}
	for (size_t i = 0; !s->no_route.reason && i < s->nrelays; i++)
		print_relay(s, &s->relays[i]);
	if (!s->no_route.reason && !s->nrelays)
		print_unused_relay(c);
	print_queue(s);
	advise(c, s);
}

static int run(struct context *c)
{
	struct health *s = calloc(1, sizeof(*s));
	struct error err = {0};
	int rc;

	if (!s)
		return EX_OSERR;
	if (health_collect(c, s, &err) < 0) {
		free(s);
		return option_given(c, "quiet") ? error_exit(&err) : fail(&err);
	}
	if (option_given(c, "json"))
		print_json(s);
	else if (!option_given(c, "quiet"))
		print_screen(c, s);
	rc = health_status(s);
	free(s);
	return rc;
}

static const struct command_option options[] = {
	{"json", 'j', NULL, "one JSON object"},
	{"quiet", 'q', NULL, "print nothing: the exit status alone, for health checks"},
	{NULL, 0, NULL, NULL},
};

const struct command command_status = {
	.name = "status",
	.args = "",
	.help = "one screen: flusher, relay, queue, the last day, what to do next",
	.more = "Exit status: 0 all is well; 75 mail waits because the relay is down, or has waited for over an\n"
		"hour, or the queue's disk is full; 69 mail waits and nothing would send it; 78 nothing can be sent "
		"as\n"
		"main.cf stands.\n",
	.options = options,
	.max_args = 0,
	.run = run,
};
