/*
 * outpost-smtp: one process, one connection to the relay. Started by outpostd with the link on descriptor 3; holds
 * no queue, reads no configuration, writes no file.
 */
#include "config.h"
#include "smtp/agent.h"
#include "base/io.h"
#include "base/process/proc.h"
#include "smtp/session.h"

#include <stdio.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_FRAME = 60000, FAREWELL = 5000 };	/* ms */

static struct agent agent;

static int read_session(struct agent *a)
{
	deadline until = deadline_in_ms(FIRST_FRAME);

	while (!a->link.have_session)
		if (agent_wait(a, until) <= 0 && !a->link.have_session)
			return agent_down(a, REASON_PROTOCOL, "%s", a->link.broken.reason ? a->link.broken.text :
					  "no session was given");
	return 0;
}

static int look_up(struct agent *a, struct endpoints *e)
{
	int64_t since = clock_mono_ms();
	int rc = resolve(&a->set, e, &a->down);
	struct buf list;

	if (rc < 0)
		snprintf(a->down.host, sizeof(a->down.host), "%s", a->set.host);
	if (!a->set.check_only)
		return rc;
	buf_init(&list, 900);
	for (size_t i = 0; i < e->n; i++)
		buf_addf(&list, "%s%s[%s]", i ? ", " : "", e->list[i].host, e->list[i].address);
	link_step(&a->link, "resolve", a->down.reason, clock_mono_ms() - since, "%s", rc ? a->down.text :
		  buf_str(&list));
	buf_free(&list);
	return rc;
}

static int serve(struct agent *a)
{
	if (a->set.check_only)
		return session_check_sender(a);
	return transfer_run(a);
}

static int work(struct agent *a)
{
	static struct endpoints e;

	if (read_session(a) < 0)
		return -1;
	if (resolve_ascii(a->set.host, sizeof(a->set.host)) < 0)
		return agent_down(a, REASON_CONFIG, "relayhost: %s is no host name", a->set.host);
	agent_sandbox_files(&a->set);
	if (look_up(a, &e) < 0)
		return -1;
	a->sign = clock_mono_ms();
	if (session_open(a, &e) < 0)
		return -1;
	return serve(a);
}

/* The last words: why, or that it ended in order. */
static void farewell(struct agent *a, int rc)
{
	deadline until = deadline_in_ms(FAREWELL);

	if (rc < 0)
		delivery_put_down(&a->link.out, &a->down);
	else
		link_say(&a->link, FROM_AGENT_BYE);
	session_quit(a);
	while (a->link.out.len && link_flush(&a->link) == 0 && io_wait(a->link.fd, POLLOUT, until) > 0)
		;
}

int main(void)
{
	struct agent *a = &agent;
	int rc;

	proc_hide();
	proc_settle();
	if (io_standard_fds() < 0 || io_nonblock(DELIVERY_FD, true) < 0) {
		fprintf(stderr, "outpost-smtp: started by outpostd only\n");
		return EX_USAGE;
	}
	link_init(&a->link, DELIVERY_FD, &a->set);
	channel_init(&a->ch);
	reply_init(&a->reply);
	rc = work(a);
	farewell(a, rc);
	trust_free(&a->trust);
	link_free(&a->link);
	reply_free(&a->reply);
	return 0;
}
