/* agent_frames.c: one function for each frame of an agent. */
#include "config.h"
#include "outpostd/outpostd.h"

#include "base/frame.h"
#include "base/log.h"
#include "base/process/step.h"

static bool on_need_secret(struct agent *a, struct frame *f)
{
	char host[256];

	frame_get_cstr(f, host, sizeof(host));
	frame_get_u32(f);
	frame_get_str(f);
	if (!frame_end(f))
		return false;
	credential_give(a);
	return true;
}

static bool on_log(struct agent *a, struct frame *f)
{
	uint8_t level = frame_get_u8(f);
	struct span line = frame_get_str(f);

	if (!frame_end(f) || level > LOG_FAIL)
		return false;
	log_line((enum log_level)level, "smtp", a->pid, "%.*s", (int)line.n, line.p);
	return true;
}

static bool on_ready(struct agent *a, struct frame *f)
{
	struct delivery_ready ready;

	if (delivery_get_ready(f, &ready) < 0 || a->state != AGENT_STARTING)
		return false;
	agent_let_in(a, &ready);
	relay_came_up(a->d, a->relay, &ready);
	schedule_reset(a->d);
	return true;
}

static struct claim *claim_of(struct agent *a, uint64_t seq)
{
	for (struct claim *c = a->first; c; c = c->next)
		if (c->seq == seq)
			return c;
	return NULL;
}

static bool on_message(struct agent *a, struct frame *f, uint8_t type)
{
	uint64_t seq = frame_get_u64(f);
	struct claim *c = claim_of(a, seq);

	if (!frame_end(f) || !c)
		return false;
	switch (type) {
	case FROM_AGENT_GET:
		feed_body(c);
		break;
	case FROM_AGENT_BEGUN:
		c->state = CLAIM_BEGUN;
		if (!c->begun_us)
			c->begun_us = clock_us(a->d);
		break;
	default:
		c->state = CLAIM_LAST_BYTE;
		STEP("agent-lastbyte-seen");
		break;
	}
	return true;
}

static bool on_verdict(struct agent *a, struct frame *f)
{
	struct delivery_verdict v;

	if (delivery_get_verdict(f, &v) < 0)
		return false;
	STEP("verdict");
	if (v.smtp_code)
		session_answered(a->d, a, &v);
	return settle_verdict(a->d, a, claim_of(a, v.seq), &v) == 0;
}

/* Messages end in the order they were given. */
static bool on_done(struct agent *a, struct frame *f)
{
	struct delivery_done done;
	struct claim *c = a->first;

	if (delivery_get_done(f, &done) < 0 || !c || c->seq != done.seq)
		return false;
	agent_served(a);
	settle_done(a->d, agent_take_claim(a), &done);
	return true;
}

static bool on_down(struct agent *a, struct frame *f)
{
	struct delivery_down down;

	if (delivery_get_down(f, &down) < 0)
		return false;
	agent_over(a);
	settle_abandon(a->d, a, &down, false);
	session_failed(a->d, a, &down);
	return true;
}

static bool on_bye(struct agent *a, struct frame *f)
{
	static const struct delivery_down none;

	if (!frame_end(f))
		return false;
	session_closed(a->d, a);
	agent_over(a);
	settle_abandon(a->d, a, &none, false);
	schedule_reset(a->d);
	return true;
}

static bool on_known(struct agent *a, struct frame *f)
{
	struct delivery_known said;

	if (delivery_get_known(f, &said) < 0)
		return false;
	connections_learn(a->d, a->relay, &said);
	return true;
}

static bool on_step(struct frame *f)
{
	struct delivery_step s;

	return delivery_get_step(f, &s) == 0;
}

static bool handle(struct agent *a, struct frame *f)
{
	switch (f->type) {
	case FROM_AGENT_LOG:
		return on_log(a, f);
	case FROM_AGENT_NEED_SECRET:
		return on_need_secret(a, f);
	case FROM_AGENT_READY:
		return on_ready(a, f);
	case FROM_AGENT_GET:
	case FROM_AGENT_BEGUN:
	case FROM_AGENT_LASTBYTE:
		return on_message(a, f, f->type);
	case FROM_AGENT_VERDICT:
		return on_verdict(a, f);
	case FROM_AGENT_DONE:
		return on_done(a, f);
	case FROM_AGENT_ALIVE:
		a->alive = true;
		return frame_end(f);
	case FROM_AGENT_DOWN:
		return on_down(a, f);
	case FROM_AGENT_BYE:
		return on_bye(a, f);
	case FROM_AGENT_STEP:
		return on_step(f);
	case FROM_AGENT_KNOWN:
		return on_known(a, f);
	default:
		return false;
	}
}

bool agent_take_frames(struct agent *a)
{
	size_t done = 0, used;
	struct frame f;
	int rc;

	while ((rc = frame_parse((struct span){a->in.data + done, a->in.len - done}, &f, &used)) == 1) {
		done += used;
		if (!handle(a, &f))
			return false;
	}
	buf_drop(&a->in, done);
	return rc == 0;
}
