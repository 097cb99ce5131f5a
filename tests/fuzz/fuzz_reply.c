/* Replies: any cut of the bytes gives the same replies, and whatever is made of one is printable and bounded. */
#include "config.h"
#include "smtp/ehlo.h"
#include "base/limits.h"
#include "smtp/replies.h"
#include "smtp/reply.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void look(const struct reply *r)
{
	char quoted[1000];
	struct ehlo e;

	must(r->code >= 200 && r->code <= 599);
	reply_quote(r, quoted, sizeof(quoted));
	must(text_utf8(quoted, strlen(quoted)));
	for (const char *p = quoted; *p; p++)
		must((unsigned char)*p >= ' ' && *p != 127);
	ehlo_parse(r, &e);
	must(strlen(e.auth) < sizeof(e.auth) && strlen(e.words) < sizeof(e.words));
	for (unsigned stage = STAGE_GREETING; stage <= STAGE_DATA; stage <<= 1)
		must((reply_reason(r, (enum reply_stage)stage, false) != REASON_NONE) == (r->code >= 400));
	must(reply_seconds(r) <= 86400);
}

/* Feeds the bytes in pieces; the codes that came of it, and how it ended, as a number. */
static uint64_t run(const char *p, size_t n, size_t piece)
{
	size_t taken = 0, have = 0;
	uint64_t sum = 0;
	struct reply r;
	int rc = 0;

	reply_init(&r);
	while (rc >= 0 && (taken < n || have < n)) {
		size_t used;

		rc = reply_take(&r, (struct span){p + taken, have - taken}, &used);
		taken += used;
		if (rc > 0) {
			sum = sum * 1000003 + (uint64_t)r.code + r.text.len * 600;
			look(&r);
		} else if (rc == 0) {
			if (have == n)
				break;
			have = have + piece < n ? have + piece : n;
		}
	}
	reply_free(&r);
	return rc < 0 ? ~sum : sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;

	if (size > 4096)
		return 0;
	must(run(p, size, size + 1) == run(p, size, 1));
	return 0;
}
