#include "config.h"
#include "delivery/delivery.h"
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct frame only_frame(const struct buf *b, uint8_t type)
{
	struct frame f;
	size_t used;

	assert_int_equal(frame_parse((struct span){b->data, b->len}, &f, &used), 1);
	assert_int_equal(used, b->len);
	assert_int_equal(f.type, type);
	return f;
}

static void session_comes_back(void **state)
{
	static struct delivery_session in, out;
	struct error err;
	struct frame f;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	snprintf(in.host, sizeof(in.host), "mail.example.com");
	memset(in.match, 'm', sizeof(in.match) - 1);
	in.mx = in.check_only = true;
	in.t_data_done = 600;
	in.pipeline_window = 20;
	assert_int_equal(delivery_put_session(&b, &in), 0);
	f = only_frame(&b, TO_AGENT_SESSION);
	assert_int_equal(delivery_get_session(&f, &out, &err), 0);
	assert_memory_equal(&in, &out, sizeof(in));
	buf_free(&b);
}

static void pair(struct buf *b, const char *key, const char *value, size_t n)
{
	size_t mark = frame_begin(b, TO_AGENT_SESSION);

	frame_u32(b, 1);
	frame_cstr(b, key);
	frame_str(b, value, n);
	frame_finish(b, mark);
}

static void session_refuses(void **state)
{
	static const struct {
		const char *key, *value;
		size_t n;
	} bad[] = {
		{"hots", "x", 1}, {"host", "a\0b", 3}, {"mx", "yes", 3}, {"t_mail", "-1", 2}, {"t_mail", "1x", 2},
		{"tls_level", "6", 1}, {"tls_level", "may", 3},
	};
	static struct delivery_session s;
	struct error err;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct frame f;

		buf_reset(&b);
		pair(&b, bad[i].key, bad[i].value, bad[i].n);
		f = only_frame(&b, TO_AGENT_SESSION);
		assert_int_equal(delivery_get_session(&f, &s, &err), -1);
	}
	buf_free(&b);
}

static struct delivery_message take_all(const struct buf *b, size_t *frames)
{
	struct span rest = {b->data, b->len};
	struct delivery_message m = {0};
	struct error err;

	for (*frames = 0; rest.n; ++*frames) {
		struct frame f;
		size_t used;

		assert_int_equal(frame_parse(rest, &f, &used), 1);
		assert_int_equal(delivery_get_message(&f, &m, &err), 0);
		rest.p += used;
		rest.n -= used;
		assert_int_equal(m.more, rest.n > 0);
	}
	return m;
}

static void long_lists_are_cut(void **state)
{
	enum { N = 5000 };
	struct delivery_recipient *list = calloc(N, sizeof(*list));
	struct delivery_message m = {.seq = 7, .queue_id = "ABC", .sender = "", .body = '8', .size = 99,
				     .recipients = list, .nrecipients = N};
	struct delivery_message got;
	size_t frames;
	struct buf b;

	(void)state;
	buf_init(&b, 16 << 20);
	assert_non_null(list);
	for (size_t i = 0; i < N; i++)
		list[i] = (struct delivery_recipient){(int64_t)i, "somebody@example.com", i % 2 ? "rfc822;x" : NULL, 2};
	assert_int_equal(delivery_put_message(&b, &m), 0);
	got = take_all(&b, &frames);
	assert_true(frames > 1);
	assert_int_equal(got.nrecipients, N);
	assert_int_equal(got.recipients[N - 1].id, N - 1);
	assert_null(got.recipients[0].orcpt);
	assert_string_equal(got.recipients[1].orcpt, "rfc822;x");
	assert_null(got.envid);
	assert_string_equal(got.sender, "");
	delivery_free_message(&got);
	buf_free(&b);
	free(list);
}

static void foreign_continuation_is_refused(void **state)
{
	struct delivery_recipient r = {1, "a@b", NULL, 0};
	struct delivery_message m = {.seq = 1, .queue_id = "A", .sender = "s", .recipients = &r, .nrecipients = 1};
	struct delivery_message got = {0};
	struct error err;
	struct frame f;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	delivery_put_message(&b, &m);
	f = only_frame(&b, TO_AGENT_START);
	assert_int_equal(delivery_get_message(&f, &got, &err), 0);
	f = only_frame(&b, TO_AGENT_START);
	assert_int_equal(delivery_get_message(&f, &got, &err), -1);
	assert_null(got.recipients);
	buf_free(&b);
}

/* Whatever prefix of a frame is given as its payload, nothing is accepted, leaked or read beyond. */
static void cut_frames_are_refused(void **state)
{
	struct delivery_recipient r = {1, "a@b", "rfc822;a@b", 0};
	struct delivery_message m = {
		.seq = 1, .queue_id = "A", .sender = "s", .envid = "e", .recipients = &r, .nrecipients = 1};
	struct frame whole;
	struct error err;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	delivery_put_message(&b, &m);
	whole = only_frame(&b, TO_AGENT_START);
	for (size_t n = 0; n < whole.n; n++) {
		struct frame f = {.type = whole.type, .p = whole.p, .n = n};
		struct delivery_message got = {0};

		assert_int_equal(delivery_get_message(&f, &got, &err), -1);
	}
	buf_free(&b);
}

static void verdict_and_down_come_back(void **state)
{
	struct delivery_verdict v = {.seq = 3, .recipient = -9, .fate = FATE_FAILED, .dsn = "5.1.1",
				     .smtp_code = 550, .reason = REASON_RECIPIENT_UNKNOWN,
				     .text = "no such user"}, v2;
	static struct delivery_down d = {.reason = REASON_RELAY_BUSY, .dsn = "4.7.0", .text = "later", .port = 587,
				  .retry_after = 60, .served = true}, d2;
	static struct delivery_ready r = {.host = "h", .address = "::1", .port = 465, .tls = true, .cert_expires = 5,
				   .size_limit = 1 << 30}, r2;
	struct frame f;
	struct buf b;

	(void)state;
	buf_init(&b, 65536);
	delivery_put_verdict(&b, &v);
	f = only_frame(&b, FROM_AGENT_VERDICT);
	assert_int_equal(delivery_get_verdict(&f, &v2), 0);
	assert_int_equal(v2.recipient, -9);
	assert_int_equal(v2.reason, REASON_RECIPIENT_UNKNOWN);
	assert_string_equal(v2.text, "no such user");
	buf_reset(&b);
	delivery_put_down(&b, &d);
	f = only_frame(&b, FROM_AGENT_DOWN);
	assert_int_equal(delivery_get_down(&f, &d2), 0);
	assert_int_equal(d2.retry_after, 60);
	assert_int_equal(d2.reason, REASON_RELAY_BUSY);
	assert_true(d2.served);
	buf_reset(&b);
	delivery_put_ready(&b, &r);
	f = only_frame(&b, FROM_AGENT_READY);
	assert_int_equal(delivery_get_ready(&f, &r2), 0);
	assert_int_equal(r2.size_limit, 1 << 30);
	v.fate = 0;
	buf_reset(&b);
	delivery_put_verdict(&b, &v);
	f = only_frame(&b, FROM_AGENT_VERDICT);
	assert_int_equal(delivery_get_verdict(&f, &v2), -1);
	buf_free(&b);
}

static void known_comes_back(void **state)
{
	struct delivery_known k = {.flight = FLIGHT_NO, .no_bdat = true, .no_rset = true, .window = UINT32_MAX,
				   .recipients = UINT32_MAX, .offers = UINT32_MAX, .connections = UINT32_MAX,
				   .since = INT64_MAX}, got;
	char text[KNOWN_TEXT];
	struct frame f;
	struct buf b;

	(void)state;
	delivery_write_known(&k, text);
	assert_string_equal(text,
			    "flight=no nobdat noreset window=4294967295 recipients=4294967295 connections=4294967295 "
			    "offers=4294967295 since=9223372036854775807");
	delivery_read_known(text, &got);
	assert_memory_equal(&k, &got, sizeof(k));
	delivery_read_known("", &got);
	delivery_write_known(&got, text);
	assert_string_equal(text, "");
	delivery_read_known("window= window=x window=-1 window=99999999999 flight=maybe new=7 since window=3 nobdat",
			    &got);
	assert_int_equal(got.window, 3);
	assert_true(got.no_bdat && !got.no_rset && got.flight == FLIGHT_UNKNOWN && !got.since);
	buf_init(&b, 4096);
	delivery_put_known(&b, &k);
	f = only_frame(&b, FROM_AGENT_KNOWN);
	assert_int_equal(delivery_get_known(&f, &got), 0);
	assert_true(got.flight == FLIGHT_NO && got.no_rset && got.offers == UINT32_MAX);
	assert_true(got.connections == 0 && got.since == 0);
	k.flight = 3;
	buf_reset(&b);
	delivery_put_known(&b, &k);
	f = only_frame(&b, FROM_AGENT_KNOWN);
	assert_int_equal(delivery_get_known(&f, &got), -1);
	buf_free(&b);
}

/* Bad news outlives the agents that had not heard of it; all of it ends after some hours, and with a relay that offers
 * something else. */
static void known_is_learnt_and_forgotten(void **state)
{
	const struct delivery_known proven = {.flight = FLIGHT_YES, .window = 8, .recipients = 50, .offers = 7};
	const struct delivery_known bad = {.flight = FLIGHT_NO, .no_rset = true, .recipients = 20, .offers = 7};
	const struct delivery_known other = {.flight = FLIGHT_YES, .offers = 9};
	struct delivery_known k = {.connections = 2, .since = 1000};

	(void)state;
	assert_true(delivery_learn(&k, &proven, 1010));
	assert_false(delivery_learn(&k, &proven, 1020));
	assert_true(k.since == 1000 && k.connections == 2 && k.window == 8);
	assert_true(delivery_learn(&k, &bad, 1030));
	assert_false(delivery_learn(&k, &proven, 1040));
	assert_true(k.flight == FLIGHT_NO && k.no_rset && k.recipients == 20 && k.window == 8);
	assert_true(delivery_learn(&k, &other, 1050));
	assert_true(k.flight == FLIGHT_YES && !k.no_rset && !k.recipients && !k.window && k.since == 1050);
	delivery_age_known(&k, 1050 + KNOWN_LIFE - 1);
	assert_int_equal(k.flight, FLIGHT_YES);
	delivery_age_known(&k, 1050 + KNOWN_LIFE);
	assert_true(k.flight == FLIGHT_UNKNOWN && !k.connections);
	k = (struct delivery_known){.no_bdat = true, .since = 5000};
	delivery_age_known(&k, 4999);
	assert_false(k.no_bdat);
}

static void down_is_said(void **state)
{
	static struct delivery_down d;

	(void)state;
	assert_int_equal(delivery_say_down(&d, REASON_DNS_NOT_FOUND, "%s\n\x1b", "who?"), -1);
	assert_int_equal(d.reason, REASON_DNS_NOT_FOUND);
	assert_string_equal(d.dsn, "4.4.4");
	assert_null(strpbrk(d.text, "\n\x1b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(session_comes_back),
		cmocka_unit_test(session_refuses),
		cmocka_unit_test(long_lists_are_cut),
		cmocka_unit_test(foreign_continuation_is_refused),
		cmocka_unit_test(cut_frames_are_refused),
		cmocka_unit_test(verdict_and_down_come_back),
		cmocka_unit_test(known_comes_back),
		cmocka_unit_test(known_is_learnt_and_forgotten),
		cmocka_unit_test(down_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
