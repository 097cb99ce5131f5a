/*
 * fuzz_submission.c: the strict decoder and the answer line. The same bytes in one piece and byte by byte must
 * have the same end, and what is taken must be what a second encoding and decoding gives.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "submission/submission.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static int sink(void *arg, const char *p, size_t n, struct error *err)
{
	must(n && !memchr(p, '\0', n) && !memchr(p, '\r', n));
	return buf_add(arg, p, n) < 0 ? error_set(err, REASON_SYSTEM, "no memory") : 0;
}

static enum submission_state decode(struct submission_decoder *d, const char *p, size_t n, size_t step,
				    struct error *err)
{
	enum submission_state state = SUBMISSION_MORE;

	for (size_t at = 0; at < n; at += step)
		state = submission_decode(d, p + at, n - at < step ? n - at : step, err);
	return state;
}

static void check_envelope(const struct submission *s)
{
	must(s->nrecipients > 0 && s->body && strlen(s->sender) <= LIMIT_ADDRESS && !strpbrk(s->sender, "\r\n"));
	for (size_t i = 0; i < s->nrecipients; i++)
		must(s->recipients[i].address[0] && !strpbrk(s->recipients[i].address, "\r\n"));
}

/* Encoding what was decoded gives something that is taken and says the same. */
static void encode_again(const struct submission *s, const struct buf *body)
{
	struct submission_decoder *d = submission_decoder_new(0, NULL, NULL);
	const struct submission *t;
	struct error err;
	struct buf b;

	must(d != NULL);
	buf_init(&b, 64u << 20);
	must(submission_put_envelope(&b, s, &err) == 0);
	must(submission_put_piece(&b, buf_str(body), body->len) == 0 && submission_put_end(&b, body->len) == 0);
	must(decode(d, b.data, b.len, b.len, &err) == SUBMISSION_COMPLETE);
	t = submission_envelope(d, NULL);
	must(t->nrecipients == s->nrecipients && strcmp(t->sender, s->sender) == 0 && t->header_size == s->header_size);
	submission_decoder_free(d);
	buf_free(&b);
}

static void check_decoder(const char *p, size_t n)
{
	struct submission_decoder *whole, *bytes;
	struct buf a, b;
	struct error ea = {0}, eb = {0};
	enum submission_state state;

	buf_init(&a, n + 1);
	buf_init(&b, n + 1);
	whole = submission_decoder_new(0, sink, &a);
	bytes = submission_decoder_new(0, sink, &b);
	must(whole && bytes);
	state = decode(whole, p, n, n ? n : 1, &ea);
	must(decode(bytes, p, n, 1, &eb) == state);
	if (state == SUBMISSION_REFUSED)
		must(ea.reason && ea.text[0] && strcmp(ea.text, eb.text) == 0);
	if (state == SUBMISSION_COMPLETE) {
		must(a.len == b.len && memcmp(buf_str(&a), buf_str(&b), a.len) == 0);
		check_envelope(submission_envelope(whole, NULL));
		encode_again(submission_envelope(whole, NULL), &a);
	}
	submission_decoder_free(whole);
	submission_decoder_free(bytes);
	buf_free(&a);
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = size ? (const char *)data : "";
	struct error answer;

	check_decoder(p, size);
	submission_get_answer(p, size, &answer);
	return 0;
}
