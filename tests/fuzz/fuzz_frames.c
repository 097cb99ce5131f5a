/*
 * fuzz_frames.c: what crosses between outpostd and an agent, and what is asked of outpostd, read from whoever is at the
 * other end. What was decoded is encoded again and decoded once more: both must be the same.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/control.h"
#include "delivery/delivery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool first_frame(const struct buf *b, struct frame *f)
{
	size_t used;

	return frame_parse((struct span){buf_str(b), b->len}, f, &used) == 1 && used == b->len;
}

static void session(struct frame f)
{
	static struct delivery_session s, again;
	struct error err;
	struct buf b;

	if (delivery_get_session(&f, &s, &err))
		return;
	buf_init(&b, 1u << 20);
	if (!delivery_put_session(&b, &s)) {
		must(first_frame(&b, &f));
		must(!delivery_get_session(&f, &again, &err));
		must(!strcmp(s.host, again.host) && s.t_rset == again.t_rset && s.transcript == again.transcript);
	}
	buf_free(&b);
}

static void message(struct frame f)
{
	struct delivery_message m, again;
	struct error err;
	struct buf b;

	memset(&m, 0, sizeof m);
	memset(&again, 0, sizeof again);
	if (!delivery_get_message(&f, &m, &err)) {
		buf_init(&b, 16u << 20);
		if (!delivery_put_message(&b, &m) && first_frame(&b, &f)) {
			must(!delivery_get_message(&f, &again, &err));
			must(again.nrecipients == m.nrecipients && !strcmp(again.sender, m.sender));
			delivery_free_message(&again);
		}
		buf_free(&b);
	}
	delivery_free_message(&m);
}

static void from_agent(struct frame f)
{
	struct delivery_ready ready;
	struct delivery_verdict verdict;
	struct delivery_down down;
	struct delivery_done done;
	struct delivery_step step;
	struct frame copy;

	copy = f;
	delivery_get_ready(&copy, &ready);
	copy = f;
	delivery_get_verdict(&copy, &verdict);
	copy = f;
	delivery_get_down(&copy, &down);
	copy = f;
	delivery_get_done(&copy, &done);
	copy = f;
	delivery_get_step(&copy, &step);
}

static void request(const char *p, size_t n)
{
	char *words[CONTROL_ARGS], *again[CONTROL_ARGS];
	const char *list[CONTROL_ARGS];
	int count = control_get_request(p, n, words, CONTROL_ARGS), same;
	struct buf b;

	if (count < 0)
		return;
	must(count <= CONTROL_ARGS);
	for (int i = 0; i < count; i++)
		list[i] = words[i];
	buf_init(&b, 1u << 20);
	if (count > 0 && !control_put_request(&b, list, (size_t)count)) {
		must(b.len && b.data[b.len - 1] == '\n');
		same = control_get_request(b.data, b.len - 1, again, CONTROL_ARGS);
		must(same == count);
		for (int i = 0; i < count; i++)
			must(!strcmp(words[i], again[i]));
		control_free_words(again, same);
	}
	buf_free(&b);
	control_free_words(words, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = size ? (const char *)data : "";
	struct span rest = {p, size};
	struct frame f;
	size_t used;

	request(p, size);
	while (frame_parse(rest, &f, &used) == 1) {
		session(f);
		message(f);
		from_agent(f);
		rest.p += used;
		rest.n -= used;
	}
	return 0;
}
