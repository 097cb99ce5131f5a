#include "config.h"
#include "queue/db.h"

#include <string.h>

/* What SQLite does not know: that the counts are true, and that nothing lacks its other half. */
static const struct {
	const char *sql, *text;
} sums[] = {
	{"SELECT count(*) FROM total t WHERE messages <> (SELECT count(*) FROM message m WHERE m.state = t.state)",
	 "the totals don't agree with the messages"},
	{"SELECT count(*) FROM recipient r WHERE NOT EXISTS (SELECT 1 FROM message m WHERE m.id = r.message)",
	 "recipients without a message"},
	{"SELECT count(*) FROM message m WHERE state IN ('q', 'h') AND unsent <>"
	 " (SELECT count(*) FROM recipient r WHERE r.message = m.id AND r.state = 'q')",
	 "messages whose recipients are not all there"},
	{"SELECT count(*) FROM message m WHERE state IN ('q', 'h', 'f') AND size > 0 AND (NOT EXISTS"
	 " (SELECT 1 FROM chunk c WHERE c.id = m.chunk) OR NOT EXISTS"
	 " (SELECT 1 FROM chunk c WHERE c.id = m.chunk + (m.size - 1) / 65536))",
	 "messages without their body"},
};

static int check_sums(struct queue *q, struct error *err)
{
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
		int64_t n = 0;

		if (db_query(q, sums[i].sql, &n, NULL, 0, err) < 0)
			return -1;
		if (n) {
			error_set(err, REASON_QUEUE_DAMAGED, "queue: %s (%lld)", sums[i].text, (long long)n);
			return 1;
		}
	}
	return 0;
}

int queue_check(struct queue *q, struct error *err)
{
	char word[300] = "";
	int64_t ignored = 0;

	if (db_query(q, "PRAGMA integrity_check(1)", &ignored, word, sizeof(word), err) < 0)
		return err->reason == REASON_QUEUE_DAMAGED || err->reason == REASON_IO ? 1 : -1;
	if (strcmp(word, "ok") != 0) {
		const char *line = strrchr(word, '\n'); /* above it stands which of our one database */

		error_set(err, REASON_QUEUE_DAMAGED, "queue: the database is damaged: %s", line ? line + 1 : word);
		return 1;
	}
	return check_sums(q, err);
}
