/* EHLO answers, behind a fixed first line, and what is chosen of the mechanisms offered. */
#include "config.h"
#include "smtp/ehlo.h"
#include "smtp/login/mechanism.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void choose(const struct ehlo *e)
{
	struct mechanism_question q = {.offered = e->auth, .filter = "!cram-md5, plain, login, "
		"scram-sha-256", .options = "noanonymous",
				       .refused = "", .secret = 'P', .can_bind = true};
	char why[600];

	if (!mechanism_choose(&q, why, sizeof(why)) && strlen(why) >= sizeof(why))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reply r;
	struct ehlo e;
	struct buf b;
	size_t used;

	if (size > 8192)
		return 0;
	buf_init(&b, 65536);
	buf_adds(&b, "250-relay\r\n");
	buf_add(&b, data, size);
	buf_adds(&b, "\r\n250 end\r\n");
	reply_init(&r);
	if (reply_take(&r, (struct span){b.data, b.len}, &used) == 1) {
		ehlo_parse(&r, &e);
		if (strlen(e.auth) >= sizeof(e.auth) || strlen(e.words) >= sizeof(e.words))
			abort();
		choose(&e);
	}
	reply_free(&r);
	buf_free(&b);
	return 0;
}
