/* cmd_salvage.c: `outpost salvage`: a new queue out of a damaged one. */
#include "config.h"

#include <unistd.h>

#include "base/sock.h"
#include "outpost/command.h"

static void tell_lost(void *arg, const char *id, const char *recipients)
{
	(void)arg;
	printf("lost  %s  to %s\n", id, *recipients ? recipients : "(can't be read)");
}

static int end(const struct queue_salvaged *s, const char *dir)
{
	char saved[40], lost[40];

	printf("%s saved, %llu lost.\n", words_count(s->saved, "message", "messages", saved, sizeof(saved)), (unsigned long long)s->lost);
	printf("The damaged queue is kept:\n  %s/%s\n", dir, s->kept);
	if (!s->lost)
		return EX_OK;
	printf("%s could not be read whole and %s nowhere else.\n", words_count(s->lost, "message", "messages", lost, sizeof(lost)),
	       s->lost == 1 ? "is" : "are");
	if (s->texts)
		printf("What is there of %s text is in files; who should have it still gets it by `sendmail ADDRESS < FILE`:\n  %s/%s\n",
		       s->lost == 1 ? "its" : "their", dir, s->aside);
	return EX_DATAERR;
}

static int run(struct context *c)
{
	struct queue_salvaged s;
	struct error err = {0};
	const char *dir;
	int lock, rc;

	if (context_become(c, &err) < 0)
		return fail(&err);
	dir = conf_str(c->conf, P_queue_directory);
	lock = queue_lock(dir, 0, &err);
	if (lock < 0 && error_exit(&err) == EX_TEMPFAIL)
		error_set(&err, REASON_TEMPORARY, "outpostd is at work in %s: first type: %s", dir,
			  sock_managed(conf_str(c->conf, P_door_socket)) ? "systemctl stop outpost.socket outpost" : "pkill -x outpostd");
	if (lock < 0)
		return fail(&err);
	rc = queue_salvage(dir, tell_lost, NULL, &s, &err);
	close(lock);
	if (rc < 0)
		return fail(&err);
	if (rc == 0)
		printf("The queue is sound; nothing was done.\n");
	return rc ? end(&s, dir) : EX_OK;
}

const struct command command_salvage = {
	.name = "salvage",
	.args = "",
	.help = "make a new queue out of a damaged one",
	.more = "What can be read of every message is kept: text, recipients, attempts. Where only the\n"
		"text can be read it becomes a file. The damaged database stays beside the new one.\n"
		"outpostd must be stopped; a sound queue is left alone.\n",
	.max_args = 0,
	.run = run,
};
