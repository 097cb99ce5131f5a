/* agent_credential.c: the credential for an agent that asks for it. A program or a token endpoint may take seconds
 * over it; nobody waits meanwhile. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <stdio.h>

#include "base/frame.h"

/* found as credentials_find returns it. */
static void put_secret(struct agent *a, int found, struct credential *cr, const struct error *err)
{
	size_t mark;

	if (found == 1) {
		mark = frame_begin(&a->out, TO_AGENT_SECRET);
		frame_str(&a->out, cr->user.data, cr->user.len);
		frame_str(&a->out, cr->secret.data, cr->secret.len);
		frame_u8(&a->out, (uint8_t)cr->kind);
		frame_cstr(&a->out, cr->digest);
		frame_finish(&a->out, mark);
		a->secret = true;
		a->kind = cr->kind;
		snprintf(a->digest, sizeof(a->digest), "%s", cr->digest);
		credential_wipe(cr);
	} else {
		mark = frame_begin(&a->out, TO_AGENT_NO_SECRET);
		/* Whatever is wrong with the map, only the administrator can fix it. */
		frame_cstr(&a->out, reason_name(err->reason));
		frame_cstr(&a->out, err->text);
		frame_finish(&a->out, mark);
	}
}

void credential_forget(struct agent *a)
{
	if (!a->question)
		return;
	loop_remove(&a->d->loop, &a->asking);
	credential_question_free(a->question);
	a->question = NULL;
}

static void question_ready(void *arg, short revents)
{
	struct agent *a = arg;
	struct credential cr;
	struct error err = {0};
	int found = credential_question_step(a->d->credentials, a->question, &cr, &err);

	(void)revents;
	if (found == CREDENTIAL_NOT_YET)
		return;
	credential_forget(a);
	put_secret(a, found, &cr, &err);
	agent_flush(a);
}

void credential_give(struct agent *a)
{
	struct credential cr;
	struct error err = {0};
	int found;

	credential_forget(a);
	found = credentials_ask(a->d->credentials, &a->relay->at, a->relay->sender, &cr, &a->question, &err);
	if (found == CREDENTIAL_NOT_YET) {
		a->asking = (struct watch){.fd = credential_question_fd(a->question), .events = POLLIN,
					   .ready = question_ready, .arg = a};
		if (loop_add(&a->d->loop, &a->asking) == 0)
			return;
		credential_question_free(a->question);
		a->question = NULL;
		found = error_set(&err, REASON_TEMPORARY, "out of memory");
	}
	put_secret(a, found, &cr, &err);
}
