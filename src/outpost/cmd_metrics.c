/* cmd_metrics.c: `outpost metrics`: OpenMetrics text, for node_exporter's textfile collector or any scraper of
 * files. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/io.h"
#include "outpost/command.h"
#include "outpost/flusher/health.h"

enum { OUT_MAX = 1 << 20 };

static void family(struct buf *b, const char *type, const char *name, const char *unit, const char *help)
{
	buf_addf(b, "# TYPE %s %s\n", name, type);
	if (unit)
		buf_addf(b, "# UNIT %s %s\n", name, unit);
	buf_addf(b, "# HELP %s %s\n", name, help);
}

/* label="of": backslash, quote and newline are escaped (OpenMetrics, "escaped-string"). */
static void put_label(struct buf *b, const char *label, const char *of)
{
	buf_addf(b, "%s=\"", label);
	for (; *of; of++) {
		if (*of == '\\' || *of == '"')
			buf_addc(b, '\\');
		if (*of == '\n')
			buf_adds(b, "\\n");
		else
			buf_addc(b, *of);
	}
	buf_addc(b, '"');
}

static void sample(struct buf *b, const char *name, const char *label, const char *of, int64_t value)
{
	buf_addf(b, "%s{", name);
	put_label(b, label, of);
	buf_addf(b, "} %lld\n", (long long)value);
}

static void gauge(struct buf *b, const char *name, const char *unit, const char *help, uint64_t value)
{
	family(b, "gauge", name, unit, help);
	buf_addf(b, "%s %llu\n", name, (unsigned long long)value);
}

static void queue_families(struct buf *b, const struct health *s)
{
	family(b, "gauge", "outpost_messages", NULL, "Messages in the queue by state.");
	sample(b, "outpost_messages", "state", "queued", (int64_t)s->totals.queued);
	sample(b, "outpost_messages", "state", "held", (int64_t)s->totals.held);
	sample(b, "outpost_messages", "state", "failed", (int64_t)s->totals.failed);
	gauge(b, "outpost_queue_size_bytes", "bytes", "Size of the messages that are queued or held.", s->totals.bytes);
	gauge(b, "outpost_oldest_message_age_seconds", "seconds", "Age of the oldest queued message; 0 when none is.",
	      s->totals.oldest ? (uint64_t)((s->now - s->totals.oldest) / 1000000) : 0);
	gauge(b, "outpost_corrupt_submissions", NULL, "Submissions set aside in corrupt/.", s->corrupt);
	gauge(b, "outpost_undeliverable_notices", NULL, "Failed messages with the null sender.", s->totals.null_failed);
	gauge(b, "outpost_flusher_running", NULL, "Whether an outpostd answers.", s->running);
}

static void recipient_family(struct buf *b, const struct health *s)
{
	family(b, "counter", "outpost_recipients", NULL, "Recipients by what became of them since the queue was made.");
	sample(b, "outpost_recipients_total", "result", "sent", (int64_t)s->sent_ever);
	sample(b, "outpost_recipients_total", "result", "failed", (int64_t)s->failed_ever);
}

enum { RELAY_UP, RELAY_FAILURES, RELAY_LAST_OK, RELAY_EXPIRY };
static const struct {
	const char *name, *unit, *help;
} relay_gauges[] = {
	[RELAY_UP] = {"outpost_relay_up", NULL, "Whether the relay took mail when it was last tried."},
	[RELAY_FAILURES] = {"outpost_relay_failures", NULL, "Failed sessions since the relay last took mail."},
	[RELAY_LAST_OK] = {"outpost_relay_last_success_timestamp_seconds", "seconds",
			   "When a session with the relay last succeeded."},
	[RELAY_EXPIRY] = {"outpost_relay_certificate_expiry_timestamp_seconds", "seconds",
			  "When the relay's certificate ends."},
};

static int64_t relay_value(const struct queue_relay *r, size_t which)
{
	const int64_t values[] = {[RELAY_UP] = r->down_since == 0, [RELAY_FAILURES] = r->failures,
				  [RELAY_LAST_OK] = r->last_ok / 1000000, [RELAY_EXPIRY] = r->cert_expires};

	return values[which];
}

static void relay_families(struct buf *b, const struct health *s)
{
	for (size_t g = 0; g < sizeof(relay_gauges) / sizeof(relay_gauges[0]); g++) {
		family(b, "gauge", relay_gauges[g].name, relay_gauges[g].unit, relay_gauges[g].help);
		for (size_t i = 0; i < s->nrelays; i++)
			if (g != RELAY_EXPIRY || s->relays[i].cert_expires)
				sample(b, relay_gauges[g].name, "relay", s->relays[i].nexthop,
				       relay_value(&s->relays[i], g));
	}
}

static void down_family(struct buf *b, const struct health *s)
{
	static const char name[] = "outpost_relay_down";

	family(b, "gauge", name, NULL, "Relays that are down, by the reason (see outpost(8)).");
	for (size_t i = 0; i < s->nrelays; i++) {
		if (!s->relays[i].down_since)
			continue;
		buf_addf(b, "%s{", name);
		put_label(b, "relay", s->relays[i].nexthop);
		buf_addc(b, ',');
		put_label(b, "reason", reason_name(s->relays[i].reason));
		buf_adds(b, "} 1\n");
	}
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
	return error_prefix(err, "as the queue's owner, which --output is written by (`outpost metrics > FILE` is by "
			    "you)");
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
		recipient_family(&b, s);
		relay_families(&b, s);
		down_family(&b, s);
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
