/* The submission's contract (src/submission/submission.h): what the encoder writes the decoder takes, at any
 * cut; whatever else comes is refused with a code. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "submission/incoming.h"
#include "submission/submission.h"

static const char letter[] = "Subject: x\n\nhello\n";
enum { LETTER = sizeof(letter) - 1, LETTER_HEADER = 12 };

static struct error err;
static struct buf taken;

static int sink(void *arg, const char *p, size_t n, struct error *e)
{
	(void)arg, (void)e;
	return buf_add(&taken, p, n);
}

static int full_sink(void *arg, const char *p, size_t n, struct error *e)
{
	(void)arg, (void)p, (void)n;
	return error_set(e, REASON_STORAGE_FULL, "the disk is full");
}

/* ---- records by hand, for what the encoder would never write */
static void put(struct buf *b, char type, const void *p, size_t n)
{
	unsigned char head[5] = {(unsigned char)type, (unsigned char)(n >> 24), (unsigned char)(n >> 16),
				 (unsigned char)(n >> 8), (unsigned char)n};

	buf_add(b, head, 5);
	buf_add(b, p, n);
}

static void put_words(struct buf *b, char type, const char *s)
{
	put(b, type, s, strlen(s));
}

static void put_number(struct buf *b, char type, uint64_t v, int bytes)
{
	char p[8];

	for (int i = 0; i < bytes; i++)
		p[i] = (char)(v >> (8 * (bytes - 1 - i)));
	put(b, type, p, (size_t)bytes);
}

static void begin(struct buf *b)
{
	buf_init(b, 8u << 20);
	buf_adds(b, SUBMISSION_MAGIC);
	put_words(b, 'K', "0123456789abcdef");
}

static void envelope(struct buf *b)
{
	begin(b);
	put_words(b, 'S', "s@example.com");
	put_words(b, 'R', "r@example.com");
	put_words(b, 'B', "7");
	put_number(b, 'X', LETTER_HEADER, 4);
}

static void end(struct buf *b)
{
	put_words(b, 'M', letter);
	put_number(b, 'Z', LETTER, 8);
}

static enum submission_state decode_in(struct submission_decoder *d, const struct buf *b, size_t step)
{
	enum submission_state state = SUBMISSION_MORE;

	for (size_t at = 0; at < b->len; at += step)
		state = submission_decode(d, b->data + at, b->len - at < step ? b->len - at : step, &err);
	return state;
}

static void assert_refused_in(struct buf *b, int code, size_t step)
{
	struct submission_decoder *d = submission_decoder_new(1000000, sink, NULL);

	buf_reset(&taken);
	memset(&err, 0, sizeof(err));
	assert_int_equal(decode_in(d, b, step), SUBMISSION_REFUSED);
	assert_int_equal(error_exit(&err), code);
	assert_true(err.text[0] && error_dsn(&err)[0]);
	/* For good. */
	assert_int_equal(submission_decode(d, "", 0, &err), SUBMISSION_REFUSED);
	assert_null(submission_envelope(d, NULL));
	submission_decoder_free(d);
}

static void assert_refused(struct buf *b, int code)
{
	assert_refused_in(b, code, b->len);
	assert_refused_in(b, code, 1);
	buf_free(b);
}

static void assert_taken(struct buf *b)
{
	struct submission_decoder *d = submission_decoder_new(0, NULL, NULL);

	if (decode_in(d, b, b->len) != SUBMISSION_COMPLETE)
		fail_msg("%s", err.text);
	submission_decoder_free(d);
	buf_free(b);
}

/* ---- tests */
static void test_round_trip(void **state)
{
	static const struct submission_recipient r[] = {
		{.address = "a@example.com", .orcpt = "rfc822;A@example.com", .notify = DSN_SUCCESS | DSN_DELAY},
		{.address = "b", .notify = DSN_NEVER},
		{.address = "c@example.com"},
	};
	struct submission s = {.sender = "s@example.com", .recipients = r, .nrecipients = 3, .envid = "QQ1", .ret = 'H',
			       .body = '8', .smtputf8 = true, .queue_only = true, .header_size = LETTER_HEADER};
	struct buf b;

	(void)state;
	memcpy(s.token, "fedcba9876543210", 16);
	buf_init(&b, 1u << 20);
	assert_int_equal(submission_put_envelope(&b, &s, &err), 0);
	assert_int_equal(submission_put_piece(&b, letter, 5), 0);
	assert_int_equal(submission_put_piece(&b, letter + 5, LETTER - 5), 0);
	assert_int_equal(submission_put_end(&b, LETTER), 0);
	for (size_t step = 1; step <= b.len; step++) {
		struct submission_decoder *d = submission_decoder_new(LETTER, sink, NULL);
		const struct submission *e;
		uint64_t size;

		buf_reset(&taken);
		if (decode_in(d, &b, step) != SUBMISSION_COMPLETE)
			fail_msg("in steps of %zu: %s", step, err.text);
		e = submission_envelope(d, &size);
		assert_int_equal(size, LETTER);
		assert_string_equal(buf_str(&taken), letter);
		assert_memory_equal(e->token, s.token, 16);
		assert_string_equal(e->sender, s.sender);
		assert_string_equal(e->envid, "QQ1");
		assert_int_equal(e->nrecipients, 3);
		for (size_t i = 0; i < 3; i++) {
			assert_string_equal(e->recipients[i].address, r[i].address);
			assert_int_equal(e->recipients[i].notify, r[i].notify);
		}
		assert_string_equal(e->recipients[0].orcpt, r[0].orcpt);
		assert_null(e->recipients[1].orcpt);
		assert_true(e->ret == 'H' && e->body == '8' && e->smtputf8 && e->queue_only);
		assert_int_equal(e->header_size, LETTER_HEADER);
		submission_decoder_free(d);
	}
	buf_free(&b);
}

static void test_null_sender_and_empty_message(void **state)
{
	struct submission_recipient r = {.address = "a"};
	struct submission s = {.sender = "", .recipients = &r, .nrecipients = 1, .body = '7'};
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	assert_int_equal(submission_put_envelope(&b, &s, &err), 0);
	assert_int_equal(submission_put_end(&b, 0), 0);
	assert_taken(&b);
}

static void test_encoder_refuses(void **state)
{
	struct submission_recipient r = {.address = "a\nb"};
	struct submission s = {.sender = "", .recipients = &r, .nrecipients = 1, .body = '7'};
	char longest[LIMIT_ADDRESS + 2];
	struct buf b;

	(void)state;
	buf_init(&b, 100000);
	assert_int_equal(submission_put_envelope(&b, &s, &err), -1);
	r.address = "";
	assert_int_equal(submission_put_envelope(&b, &s, &err), -1);
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	r.address = longest;
	assert_int_equal(submission_put_envelope(&b, &s, &err), -1);
	s.nrecipients = 0;
	assert_int_equal(submission_put_envelope(&b, &s, &err), -1);
	s.nrecipients = 1;
	r.address = "a";
	buf_free(&b);
	buf_init(&b, 30); /* too small */
	assert_int_equal(submission_put_envelope(&b, &s, &err), -1);
	assert_int_equal(error_exit(&err), EX_OSERR);
	buf_free(&b);
}

static void test_pieces_are_cut(void **state)
{
	size_t n = 2 * LIMIT_CHUNK + 1;
	char *p = malloc(n);
	struct buf b;

	(void)state;
	memset(p, '\n', n);
	begin(&b);
	put_words(&b, 'S', "");
	put_words(&b, 'R', "r");
	put_words(&b, 'B', "7");
	put_number(&b, 'X', 1, 4);
	assert_int_equal(submission_put_piece(&b, p, n), 0);
	assert_int_equal(submission_put_end(&b, n), 0);
	free(p);
	assert_taken(&b);
}

static void test_unknown_records(void **state)
{
	struct buf b;

	(void)state;
	envelope(&b);
	put_words(&b, 'Y', "must be known");
	end(&b);
	assert_refused(&b, EX_DATAERR);
	envelope(&b);
	put_words(&b, 'y', "may be skipped");
	put_words(&b, 'y', "");
	put_words(&b, 'M', letter);
	put_words(&b, 'z', "here too");
	put_number(&b, 'Z', LETTER, 8);
	assert_taken(&b);
	envelope(&b);
	put(&b, '\0', "", 0);
	end(&b);
	assert_refused(&b, EX_DATAERR);
	envelope(&b);
	buf_add(&b, "y\xff\xff\xff\xff", 5);
	assert_refused(&b, EX_DATAERR);
}

static void test_magic_and_token(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	buf_adds(&b, "OUTPOST2");
	assert_refused(&b, EX_DATAERR);
	buf_init(&b, 1000);
	buf_adds(&b, SUBMISSION_MAGIC);
	put_words(&b, 'S', "s");
	assert_refused(&b, EX_DATAERR);
	buf_init(&b, 1000);
	buf_adds(&b, SUBMISSION_MAGIC);
	put_words(&b, 'y', "not before the token");
	assert_refused(&b, EX_DATAERR);
	begin(&b);
	put_words(&b, 'K', "0123456789abcdef");
	assert_refused(&b, EX_DATAERR);
	buf_init(&b, 1000);
	buf_adds(&b, SUBMISSION_MAGIC);
	put_words(&b, 'K', "0123456789abcde");
	assert_refused(&b, EX_DATAERR);
}

static void test_what_may_come_once(void **state)
{
	static const struct {
		char type;
		const char *payload;
	} once[] = {{'S', "s"}, {'I', "id"}, {'T', "F"}, {'B', "7"}, {'U', ""}, {'Q', ""}};
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++) {
		begin(&b);
		put_words(&b, once[i].type, once[i].payload);
		put_words(&b, once[i].type, once[i].payload);
		assert_refused(&b, EX_DATAERR);
	}
	envelope(&b);
	put_number(&b, 'X', LETTER_HEADER, 4);
	assert_refused(&b, EX_DATAERR);
	envelope(&b);
	put_words(&b, 'N', "\4");
	put_words(&b, 'N', "\4");
	assert_refused(&b, EX_DATAERR);
	envelope(&b);
	put_words(&b, 'O', "rfc822;a");
	put_words(&b, 'O', "rfc822;a");
	assert_refused(&b, EX_DATAERR);
	envelope(&b);
	end(&b);
	put_number(&b, 'Z', LETTER, 8);
	assert_refused(&b, EX_DATAERR);
}

/* Leaves one record of the envelope out. */
static void test_what_must_come(void **state)
{
	static const char order[] = "SRBX";

	(void)state;
	for (size_t skip = 0; skip < 4; skip++) {
		struct buf b;

		begin(&b);
		for (size_t i = 0; i < 4; i++)
			if (i != skip && order[i] == 'X')
				put_number(&b, 'X', LETTER_HEADER, 4);
			else if (i != skip)
				put_words(&b, order[i], order[i] == 'B' ? "7" : "a");
		end(&b);
		assert_refused(&b, EX_DATAERR);
	}
}

static void test_order(void **state)
{
	struct buf b;

	(void)state;
	begin(&b);
	put_words(&b, 'N', "\4");
	assert_refused(&b, EX_DATAERR);
	begin(&b);
	put_words(&b, 'O', "rfc822;a");
	assert_refused(&b, EX_DATAERR);
	envelope(&b);
	put_words(&b, 'M', letter);
	put_words(&b, 'R', "late@example.com");
	assert_refused(&b, EX_DATAERR);
}

static void test_bytes_in_fields(void **state)
{
	static const char types[] = "SRIO";
	static const char bad[] = {'\0', '\r', '\n'};
	struct buf b;

	(void)state;
	for (size_t t = 0; t < 4; t++)
		for (size_t i = 0; i < sizeof(bad); i++) {
			char text[] = "rfc822;a?b";

			text[8] = bad[i];
			begin(&b);
			if (types[t] == 'O')
				put_words(&b, 'R', "r");
			put(&b, types[t], text, 10);
			assert_refused(&b, EX_DATAERR);
		}
}

static void test_values(void **state)
{
	static const struct {
		char type;
		const char *payload;
		size_t n;
	} bad[] = {
		{'R', "", 0},	    {'N', "\0", 1},   {'N', "\3", 1},  {'N', "\20", 1}, {'N', "\4\4", 2}, {'N', "", 0},
		{'O', "no type", 7}, {'I', "", 0},     {'T', "X", 1},	{'T', "FF", 2},	 {'U', "x", 1},	  {'Q', "x", 1},
		{'Z', "1234", 4},    {'M', "", 0},
	};
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		envelope(&b);
		put(&b, bad[i].type, bad[i].payload, bad[i].n);
		assert_refused(&b, EX_DATAERR);
	}
	begin(&b);
	put_words(&b, 'B', "9");
	assert_refused(&b, EX_DATAERR);
	begin(&b);
	put(&b, 'B', "\0", 1);
	assert_refused(&b, EX_DATAERR);
	begin(&b);
	put_number(&b, 'X', LIMIT_HEADER + 1, 4);
	assert_refused(&b, EX_UNAVAILABLE);
}

static void test_lengths(void **state)
{
	static const struct {
		char type;
		size_t max;
	} most[] = {{'S', LIMIT_ADDRESS}, {'R', LIMIT_ADDRESS}, {'I', LIMIT_ENVID}, {'M', LIMIT_CHUNK}};
	char *text = malloc(LIMIT_CHUNK + 1);
	struct buf b;

	(void)state;
	memset(text, 'a', LIMIT_CHUNK + 1);
	for (size_t i = 0; i < 4; i++) {
		if (most[i].type == 'S')
			begin(&b);
		else
			envelope(&b);
		put(&b, most[i].type, text, most[i].max + 1);
		assert_refused(&b, EX_DATAERR);
	}
	free(text);
}

static void test_sizes(void **state)
{
	struct buf b;

	(void)state;
	for (int by = -1; by <= 1; by += 2) {
		envelope(&b);
		put_words(&b, 'M', letter);
		put_number(&b, 'Z', (uint64_t)(LETTER + by), 8);
		assert_refused(&b, EX_DATAERR);
		begin(&b);
		put_words(&b, 'S', "s");
		put_words(&b, 'R', "r");
		put_words(&b, 'B', "7");
		put_number(&b, 'X', (uint64_t)(LETTER_HEADER + by), 4);
		end(&b);
		assert_refused(&b, EX_DATAERR);
	}
	envelope(&b);
	put_words(&b, 'M', letter);
	put_number(&b, 'Z', UINT64_MAX, 8);
	assert_refused(&b, EX_DATAERR);
}

static void test_message_form(void **state)
{
	static const struct {
		const char *text;
		size_t n, header;
	} bad[] = {{"a: b\r\n\n", 7, 7}, {"a: b\n\nx", 7, 6}, {"a\0b\n\n", 5, 5}, {"\r", 1, 1}};
	static const struct {
		const char *text;
		size_t header;
	} good[] = {{"\n", 1}, {"\nbody\n", 1}, {"a: b\n", 5}, {"a: b\n\n\n\n", 6}, {"a: b\n\n", 6}};
	struct buf b;

	(void)state;
	for (size_t i = 0; i < 9; i++) {
		bool is_bad = i < 4;
		const char *text = is_bad ? bad[i].text : good[i - 4].text;
		size_t n = is_bad ? bad[i].n : strlen(text);

		begin(&b);
		put_words(&b, 'S', "s");
		put_words(&b, 'R', "r");
		put_words(&b, 'B', "7");
		put_number(&b, 'X', is_bad ? bad[i].header : good[i - 4].header, 4);
		for (size_t k = 0; k < n; k++) /* each byte a piece of its own: the empty line lies across pieces */
			put(&b, 'M', text + k, 1);
		put_number(&b, 'Z', n, 8);
		if (is_bad)
			assert_refused(&b, EX_DATAERR);
		else
			assert_taken(&b);
	}
}

static void test_nothing_behind_the_end(void **state)
{
	struct buf b;

	(void)state;
	envelope(&b);
	end(&b);
	buf_addc(&b, '\0');
	assert_refused(&b, EX_DATAERR);
}

static void test_size_limit(void **state)
{
	struct submission_decoder *d = submission_decoder_new(LETTER - 1, sink, NULL);
	struct buf b;

	(void)state;
	envelope(&b);
	end(&b);
	buf_reset(&taken);
	assert_int_equal(decode_in(d, &b, b.len), SUBMISSION_REFUSED);
	assert_int_equal(error_exit(&err), EX_UNAVAILABLE);
	assert_string_equal(error_dsn(&err), "5.3.4");
	assert_int_equal(taken.len, 0);
	submission_decoder_free(d);
	buf_free(&b);
}

static void test_sink_fails(void **state)
{
	struct submission_decoder *d = submission_decoder_new(0, full_sink, NULL);
	struct buf b;

	(void)state;
	envelope(&b);
	end(&b);
	assert_int_equal(decode_in(d, &b, b.len), SUBMISSION_REFUSED);
	assert_int_equal(error_exit(&err), EX_TEMPFAIL);
	submission_decoder_free(d);
	buf_free(&b);
}

static void test_incomplete_is_more(void **state)
{
	struct buf b;

	(void)state;
	envelope(&b);
	end(&b);
	for (size_t n = 0; n < b.len; n++) {
		struct submission_decoder *d = submission_decoder_new(0, NULL, NULL);

		assert_int_equal(submission_decode(d, b.data, n, &err), SUBMISSION_MORE);
		assert_null(submission_envelope(d, NULL));
		submission_decoder_free(d);
	}
	buf_free(&b);
}

static void test_many_recipients(void **state)
{
	struct submission_decoder *d = submission_decoder_new(0, NULL, NULL);
	struct buf b;

	(void)state;
	begin(&b);
	b.max = 64u << 20;
	put_words(&b, 'S', "s");
	for (int i = 0; i < LIMIT_RECIPIENTS; i++)
		put_words(&b, 'R', "r");
	assert_int_equal(decode_in(d, &b, b.len), SUBMISSION_MORE);
	buf_reset(&b);
	put_words(&b, 'R', "r");
	assert_int_equal(decode_in(d, &b, b.len), SUBMISSION_REFUSED);
	assert_int_equal(error_exit(&err), EX_UNAVAILABLE);
	submission_decoder_free(d);
	buf_free(&b);
}

static void test_answers(void **state)
{
	static const char *const bad[] = {"",           "0",           "0 2.0.0",      "x 2.0.0 t",
					  "0 2.0 t",    "0 2.0.0.0 t", "256 2.0.0 t",  "-1 2.0.0 t",
					  "0 .2.0.0 t", "0 6.0.0 t",   "0 2.0.1000 t", "0 2.000000000.0 t"};
	struct error a;
	char id[16];
	struct buf b;

	(void)state;
	buf_init(&b, 2000);
	assert_int_equal(submission_put_answer(&b, REASON_NONE, "queued as 0123"), 0);
	assert_string_equal(buf_str(&b), "0 2.0.0 ok queued as 0123\n");
	assert_int_equal(submission_get_answer(b.data, b.len - 1, &a), 0);
	assert_int_equal(a.reason, REASON_NONE);
	assert_string_equal(a.text, "queued as 0123");
	assert_true(submission_queued_id(span_of(a.text), id, sizeof(id)));
	assert_string_equal(id, "0123");
	assert_true(submission_queued_id(span_of("queued as incoming/0123.msg (later)"), id, sizeof(id)));
	assert_string_equal(id, "");
	assert_false(submission_queued_id(span_of("not queued as 0123"), id, sizeof(id)));
	buf_reset(&b);
	assert_int_equal(submission_put_answer(&b, REASON_STORAGE_FULL, "two\nlines"), 0);
	assert_string_equal(buf_str(&b), "75 4.3.1 storage-full two?lines\n");
	assert_int_equal(submission_get_answer(b.data, b.len - 1, &a), 0);
	assert_int_equal(a.reason, REASON_STORAGE_FULL);
	assert_string_equal(a.text, "two?lines");
	assert_int_equal(submission_get_answer("0 2.0.0 queued as 0123", 22, &a), 0); /* from a program of before */
	assert_int_equal(a.reason, REASON_NONE);
	assert_string_equal(a.text, "queued as 0123");
	assert_int_equal(submission_get_answer("77 5.7.1 not for you", 20, &a), 0);
	assert_int_equal(a.reason, REASON_PERMISSION);
	assert_string_equal(a.text, "not for you");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(submission_get_answer(bad[i], strlen(bad[i]), &a), -1);
	assert_int_equal(submission_get_answer("0 2.0.0 a\0b", 11, &a), -1);
	buf_free(&b);
}

/* ---- files in incoming/ */
static int file_of(const struct buf *b)
{
	FILE *f = tmpfile();
	int fd = dup(fileno(f));

	assert_int_equal(write(fd, b->data, b->len), b->len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	fclose(f);
	return fd;
}

static void test_incoming(void **state)
{
	struct incoming in = {.uid = 4000000000u, .arrival = INT64_C(1790000000123456)}, got;
	struct submission_decoder *d;
	struct buf b, s;
	uint64_t size;
	int fd;

	(void)state;
	envelope(&s);
	end(&s);
	buf_init(&b, 10000);
	assert_int_equal(incoming_put_head(&b, &in), 0);
	assert_int_equal(b.len, INCOMING_HEAD);
	buf_add(&b, s.data, s.len);
	fd = file_of(&b);
	buf_reset(&taken);
	assert_int_equal(incoming_read(fd, 0, sink, NULL, &got, &d, &err), 0);
	close(fd);
	assert_int_equal(got.uid, in.uid);
	assert_int_equal(got.arrival, in.arrival);
	assert_string_equal(submission_envelope(d, &size)->sender, "s@example.com");
	assert_string_equal(buf_str(&taken), letter);
	submission_decoder_free(d);
	for (size_t n = 0; n < b.len; n++) {
		struct buf part = b;

		part.len = n;
		fd = file_of(&part);
		assert_int_equal(incoming_read(fd, 0, NULL, NULL, &got, &d, &err), -1);
		assert_int_equal(error_exit(&err), EX_DATAERR);
		close(fd);
	}
	buf_addc(&b, 'x');
	fd = file_of(&b);
	assert_int_equal(incoming_read(fd, 0, NULL, NULL, &got, &d, &err), -1);
	assert_int_equal(error_exit(&err), EX_DATAERR);
	close(fd);
	buf_free(&b);
	buf_free(&s);
}

static void test_incoming_names(void **state)
{
	char a[40], b[40];

	(void)state;
	assert_int_equal(incoming_name(1790000000000000, a, sizeof(a)), 0);
	assert_int_equal(incoming_name(1790000000000000, b, sizeof(b)), 0);
	assert_string_not_equal(a, b);
	for (int64_t time = 1; time < INT64_C(1) << 54; time *= 3) {
		assert_int_equal(incoming_name(time, a, sizeof(a)), 0);
		assert_int_equal(incoming_name(time + 1, b, sizeof(b)), 0);
		assert_true(strcmp(a, b) < 0);
	}
	assert_true(incoming_is_name(a));
	assert_false(incoming_is_name("."));
	assert_false(incoming_is_name("AAAA.msg"));
	assert_false(incoming_is_name("aaaaaaaaaaaaaaaaaaaaaaaa.msg"));
	a[25] = 'x';
	assert_false(incoming_is_name(a));
	assert_int_equal(incoming_name(1, a, 20), -1);
}

static int set_up(void **state)
{
	(void)state;
	buf_init(&taken, 1u << 20);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buf_free(&taken);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_null_sender_and_empty_message),
		cmocka_unit_test(test_encoder_refuses),
		cmocka_unit_test(test_pieces_are_cut),
		cmocka_unit_test(test_unknown_records),
		cmocka_unit_test(test_magic_and_token),
		cmocka_unit_test(test_what_may_come_once),
		cmocka_unit_test(test_what_must_come),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_bytes_in_fields),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_message_form),
		cmocka_unit_test(test_nothing_behind_the_end),
		cmocka_unit_test(test_size_limit),
		cmocka_unit_test(test_sink_fails),
		cmocka_unit_test(test_incomplete_is_more),
		cmocka_unit_test(test_many_recipients),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_incoming),
		cmocka_unit_test(test_incoming_names),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
