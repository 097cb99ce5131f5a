/* cmd_metrics.c: `outpost metrics`: OpenMetrics text, for node_exporter's textfile collector or any scraper of files. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/io.h"
#include "outpost/command.h"
#include "outpost/flusher/health.h"

enum { OUT_MAX = 1 << 20 };

/* A label's value: backslash, quote and newline escaped (OpenMetrics, "escaped-string"). */
static void label(struct buf *b, const char *value)
{
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			buf_addc(b, '\\');
		if (*value == '\n')
			buf_adds(b, "\\n");
		else
			buf_addc(b, *value);
	}
}

static void family_of(struct buf *b, const char *type, const char *name, const char *unit, const char *help)
{
	buf_addf(b, "# TYPE %s %s\n", name, type);
	if (unit)
		buf_addf(b, "# UNIT %s %s\n", name, unit);
	buf_addf(b, "# HELP %s %s\n", name, help);
}

static void family(struct buf *b, const char *name, const char *unit, const char *help)
{
	family_of(b, "gauge", name, unit, help);
}

static void gauge(struct buf *b, const char *name, const char *unit, const char *help, uint64_t value)
{
	family(b, name, unit, help);
	buf_addf(b, "%s %llu\n", name, (unsigned long long)value);
}

static void queue_families(struct buf *b, const struct health *s)
{
	family(b, "outpost_messages", NULL, "Messages in the queue by state.");
	buf_addf(b, "outpost_messages{state=\"queued\"} %llu\n", (unsigned long long)s->totals.queued);
	buf_addf(b, "outpost_messages{state=\"held\"} %llu\n", (unsigned long long)s->totals.held);
	buf_addf(b, "outpost_messages{state=\"failed\"} %llu\n", (unsigned long long)s->totals.failed);
	gauge(b, "outpost_queue_size_bytes", "bytes", "Size of the messages that are queued or held.", s->totals.bytes);
	gauge(b, "outpost_oldest_message_age_seconds", "seconds", "Age of the oldest queued message; 0 when none is.",
	      s->totals.oldest ? (uint64_t)((s->now - s->totals.oldest) / 1000000) : 0);
	gauge(b, "outpost_corrupt_submissions", NULL, "Submissions set aside in corrupt/.", s->corrupt);
	gauge(b, "outpost_undeliverable_notices", NULL, "Failed messages with the null sender.", s->totals.null_failed);
	gauge(b, "outpost_flusher_running", NULL, "Whether an outpostd answers.", s->running);
}

static void rate_families(struct buf *b, const struct health *s)
{
	family_of(b, "counter", "outpost_recipients", NULL, "Recipients by what became of them since the queue was made.");
	buf_addf(b, "outpost_recipients_total{result=\"sent\"} %llu\n", (unsigned long long)s->sent_ever);
	buf_addf(b, "outpost_recipients_total{result=\"failed\"} %llu\n", (unsigned long long)s->failed_ever);
	family(b, "outpost_recipients_last_day", NULL, "Recipients by what became of them in the last 24 hours.");
	buf_addf(b, "outpost_recipients_last_day{result=\"sent\"} %llu\n", (unsigned long long)s->sent_day);
	buf_addf(b, "outpost_recipients_last_day{result=\"failed\"} %llu\n", (unsigned long long)s->failed_day);
	family(b, "outpost_recipients_last_hour", NULL, "Recipients by what became of them in the last hour.");
	buf_addf(b, "outpost_recipients_last_hour{result=\"sent\"} %u\n", s->sent[HEALTH_HOURS - 1]);
	buf_addf(b, "outpost_recipients_last_hour{result=\"failed\"} %u\n", s->failed[HEALTH_HOURS - 1]);
}

static void relay_sample(struct buf *b, const char *name, const struct queue_relay *r, long long value)
{
	buf_addf(b, "%s{relay=\"", name);
	label(b, r->nexthop);
	buf_addf(b, "\"} %lld\n", value);
}

static void relay_families(struct buf *b, const struct health *s)
{
	family(b, "outpost_relay_up", NULL, "Whether the relay took mail when it was last tried.");
	for (size_t i = 0; i < s->nrelays; i++)
		relay_sample(b, "outpost_relay_up", &s->relays[i], s->relays[i].down_since == 0);
	family(b, "outpost_relay_failures", NULL, "Failed sessions since the relay last took mail.");
	for (size_t i = 0; i < s->nrelays; i++)
		relay_sample(b, "outpost_relay_failures", &s->relays[i], s->relays[i].failures);
	family(b, "outpost_relay_last_success_timestamp_seconds", "seconds", "When a session with the relay last succeeded.");
	for (size_t i = 0; i < s->nrelays; i++)
		relay_sample(b, "outpost_relay_last_success_timestamp_seconds", &s->relays[i], (long long)(s->relays[i].last_ok / 1000000));
	family(b, "outpost_relay_certificate_expiry_timestamp_seconds", "seconds", "When the relay's certificate ends.");
	for (size_t i = 0; i < s->nrelays; i++)
		if (s->relays[i].cert_expires)
			relay_sample(b, "outpost_relay_certificate_expiry_timestamp_seconds", &s->relays[i],
				     (long long)s->relays[i].cert_expires);
}

static int write_metrics(struct context *c, const struct buf *b, struct error *err)
{
	const char *path = option_value(c, "output");

	if (!path) {
		if (fwrite(buf_str(b), 1, b->len, stdout) == b->len)
			return 0;
		return error_sys(err, REASON_IO, "cannot write");
	}
	if (io_replace_file(path, buf_str(b), b->len, 0644, err) == 0)
		return 0;
	return error_prefix(err, "as the queue's owner, which --output is written by (`outpost metrics > FILE` is by you)");
}

static int run(struct context *c)
{
	struct health *s = calloc(1, sizeof(*s));
	struct error err = {0};
	struct buf b;
	int rc;

	if (!s)
		return EX_OSERR;
	buf_init(&b, OUT_MAX);
	rc = health_collect(c, s, &err);
	if (rc == 0) {
		queue_families(&b, s);
		rate_families(&b, s);
		relay_families(&b, s);
		buf_adds(&b, "# EOF\n");
		rc = buf_ok(&b) ? write_metrics(c, &b, &err) : error_set(&err, REASON_SYSTEM, "no memory");
	}
	buf_free(&b);
	free(s);
	return rc < 0 ? fail(&err) : EX_OK;
}

static const struct command_option options[] = {
	{"output", 'o', "FILE", "replace FILE (the queue's owner must be able to write it)"},
	{NULL, 0, NULL, NULL},
};

const struct command command_metrics = {
	.name = "metrics",
	.args = "",
	.help = "figures for monitoring, in OpenMetrics' text format",
	.options = options,
	.max_args = 0,
	.run = run,
};
