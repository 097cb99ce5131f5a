#include "config.h"
#include "sendmail/submit.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/process/proc.h"
#include "base/process/step.h"
#include "base/sock.h"
#include "base/text/text.h"
#include "submission/submission.h"

enum {
	PATIENCE_MS = 300 * 1000,	/* for all attempts together */
	START_MS = 60 * 1000,
	PAUSE_MS = 250,			/* before the first next attempt; doubled up to 5 s */
	ANSWER_MAX = 2048,
	GROUPS_MAX = 256,
	PIECE = 32 << 10,		/* of the body, at once */
};

/* How one attempt to submit ended. */
enum outcome {
	ANSWERED,
	NOBODY,		/* nobody listens: the other way may work */
	LOST,		/* no whole answer: it may or may not have been taken */
	FAILED,		/* *err says why; another try would not help now */
};

struct submitting {
	const struct place *place;
	struct letter *l;	/* NULL: only a flusher is to be started, by the drop */
	struct buf envelope;	/* encoded */
	deadline until;
	/* of one attempt */
	int fd;
	struct buf out;		/* encoded, not sent */
	struct buf answer;	/* received */
	bool gone;		/* the other side closed */
	/* errno of a send that failed on our side; what the other then says of half a submission is no verdict */
	int broken;
	bool drop;		/* it reads to the end of its input */
};

static int encode_envelope(struct submitting *h, struct error *err)
{
	struct letter *l = h->l;
	size_t n = recipients_count(&l->recipients);
	struct submission s = {.sender = l->sender, .nrecipients = n, .envid = l->envid, .ret = l->ret,
			       .body = l->eight_bit ? '8' : '7', .smtputf8 = l->smtputf8, .queue_only = l->queue_only,
			       .header_size = (uint32_t)l->header.len};
	struct submission_recipient *v = calloc(n ? n : 1, sizeof(*v));
	int rc;

	if (!v)
		return error_set(err, REASON_TEMPORARY, "out of memory");
	for (size_t i = 0; i < n; i++)
		v[i] = (struct submission_recipient){recipients_get(&l->recipients, i),
						     recipients_orcpt(&l->recipients, i), l->recipients.v[i].notify};
	s.recipients = v;
	rc = random_bytes(s.token, sizeof(s.token)) < 0 ? error_sys(err, REASON_SYSTEM, "no random numbers")
							: submission_put_envelope(&h->envelope, &s, err);
	free(v);
	return rc;
}

/* ---- one attempt over a connected socket */

static bool have_answer(const struct submitting *h)
{
	return memchr(buf_str(&h->answer), '\n', h->answer.len) != NULL;
}

static void receive(struct submitting *h)
{
	char piece[512];
	ssize_t n = io_read(h->fd, piece, sizeof(piece));

	if (n > 0 && h->answer.len < ANSWER_MAX)
		buf_add(&h->answer, piece, (size_t)n);
	else if (n == 0 || (n < 0 && errno != EAGAIN))
		h->gone = true;
}

/* Sends what is encoded. The other side may answer before it has read all (it refuses): then that is the answer. */
static int flush(struct submitting *h)
{
	size_t sent = 0;

	while (sent < h->out.len && !h->gone && !have_answer(h)) {
		struct pollfd p = {.fd = h->fd, .events = POLLIN | POLLOUT};
		int ready = poll(&p, 1, deadline_poll(h->until));
		ssize_t n;

		if (ready < 0 && errno != EINTR) {
			h->broken = errno;
			break;
		}
		if (ready <= 0 && deadline_over(h->until))
			return -1;
		if (p.revents & (POLLIN | POLLHUP | POLLERR))
			receive(h);
		if (!(p.revents & POLLOUT))
			continue;
		n = send(h->fd, h->out.data + sent, h->out.len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			sent += (size_t)n;
		else if (n < 0 && errno != EAGAIN && errno != EINTR) {
			h->broken = errno == EPIPE || errno == ECONNRESET ? 0 : errno;
			break;
		}
	}
	buf_drop(&h->out, sent);
	return h->out.len ? -1 : 0;
}

static int send_pieces(struct submitting *h, char *piece, size_t most, struct error *err)
{
	uint64_t at = 0, size = spill_size(&h->l->in.body);

	while (at < size) {
		ssize_t n = spill_read(&h->l->in.body, at, piece, most, err);

		if (n <= 0)
			return -2;
		at += (uint64_t)n;
		if (submission_put_piece(&h->out, piece, (size_t)n) < 0)
			return error_set(err, REASON_TEMPORARY, "out of memory"), -2;
		if (h->out.len > LIMIT_CHUNK && flush(h) < 0)
			return -1;
	}
	return 0;
}

/* As large as it need be, and not on the stack, each page of which would be touched for a message of one. */
static int send_body(struct submitting *h, struct error *err)
{
	uint64_t size = spill_size(&h->l->in.body);
	size_t most = size && size < PIECE ? (size_t)size : PIECE;
	char *piece = malloc(most);
	int rc;

	if (!piece)
		return error_set(err, REASON_TEMPORARY, "out of memory"), -2;
	rc = send_pieces(h, piece, most, err);
	free(piece);
	return rc;
}

/* 0: all of it went out; -1: it did not; -2: our own fault, *err. */
static int send_all(struct submitting *h, struct error *err)
{
	uint64_t size = h->l->header.len + spill_size(&h->l->in.body);
	int rc;

	buf_reset(&h->out);
	buf_add(&h->out, h->envelope.data, h->envelope.len);
	submission_put_piece(&h->out, h->l->header.data, h->l->header.len);
	rc = h->out.len > LIMIT_CHUNK ? flush(h) : 0;
	if (rc == 0)
		rc = send_body(h, err);
	if (rc < 0)
		return rc;
	STEP("sendmail-before-end");
	if (submission_put_end(&h->out, size) < 0 || !buf_ok(&h->out))
		return error_set(err, REASON_TEMPORARY, "out of memory"), -2;
	return flush(h);
}

static enum outcome exchange(struct submitting *h, struct error *answer)
{
	const char *nl;

	buf_reset(&h->answer);
	h->gone = false;
	h->broken = 0;
	if (h->l && send_all(h, answer) == -2)
		return FAILED;
	if (h->broken)
		return LOST;
	if (h->l)
		STEP("sendmail-sent");
	if (h->drop)
		shutdown(h->fd, SHUT_WR);
	while (!have_answer(h) && !h->gone) {
		if (io_wait(h->fd, POLLIN, h->until) <= 0)
			return LOST;
		receive(h);
	}
	nl = memchr(buf_str(&h->answer), '\n', h->answer.len);
	if (!nl || submission_get_answer(h->answer.data, (size_t)(nl - h->answer.data), answer) < 0)
		return LOST;
	return ANSWERED;
}

/* ---- the two ways */

static enum outcome at_door(struct submitting *h, struct error *answer)
{
	enum outcome what;

	h->fd = sock_connect(h->place->door, h->until);
	if (h->fd < 0) {
		if (errno == ENOENT || errno == ECONNREFUSED)
			return NOBODY;
		error_sys(answer, REASON_TEMPORARY, "cannot reach outpostd at %s", h->place->door);
		return FAILED;
	}
	what = exchange(h, answer);
	close(h->fd);
	return what;
}

/* For a submission, or (p NULL) to start a flusher. */
static pid_t start_drop(const struct place *p, int fd, struct error *err)
{
	char *argv[] = {(char *)"outpost-drop", p ? NULL : (char *)"wake", NULL, NULL, NULL, NULL};
	const struct proc_fd fds[] = {{fd, 0}, {fd, 1}, {2, 2}};
	struct proc_spec spec = {.ours = "outpost-drop", .ours_dir = HELPERDIR, .argv = argv, .env = step_env(),
				 .fds = fds, .nfds = p ? 3 : 2};

	if (p && p->own) {
		argv[1] = (char *)"-q";
		argv[2] = (char *)conf_str(p->conf, P_queue_directory);
		argv[3] = (char *)"-C";
		argv[4] = (char *)p->dir;
	}
	return proc_start(&spec, err);
}

static enum outcome at_drop(struct submitting *h, struct error *answer)
{
	enum outcome what;
	int pair[2];
	pid_t pid;

	if (sock_pair(pair) < 0) {
		error_sys(answer, REASON_SYSTEM, "cannot make a socket pair");
		return FAILED;
	}
	pid = start_drop(h->place, pair[1], answer);
	close(pair[1]);
	h->fd = pair[0];
	h->drop = true;
	what = pid < 0 ? FAILED : exchange(h, answer);
	close(pair[0]);
	proc_wait(pid);
	if (what != LOST)
		return what;
	if (h->broken)
		error_set(answer, REASON_TEMPORARY, "the message could not be sent to it: %s", strerror(h->broken));
	else
		error_set(answer, REASON_TEMPORARY, "it ended without an answer");
	return FAILED;
}

static bool may_retry(struct submitting *h, int *pause)
{
	if (deadline_over(deadline_first(h->until, deadline_in_ms(*pause))) || deadline_over(h->until))
		return false;
	poll(NULL, 0, *pause);
	*pause = *pause * 2 > 5000 ? 5000 : *pause * 2;
	return !deadline_over(h->until);
}

/* The drop reads no configuration, and whoever takes its files in would only set this one aside. He knows the user, and
 * by then nothing of this process: so no group counts that is not the user's. */
static int may_submit(const struct place *p, struct error *err)
{
	bool failed;
	const struct passwd *pw = proc_user(getuid(), &failed);
	gid_t groups[GROUPS_MAX];
	struct conf_user who = {.name = pw ? pw->pw_name : NULL, .groups = groups};
	int n = GROUPS_MAX, may;

	if (p->conf_error.reason)
		return 0;
	if (pw && strchr(conf_str(p->conf, P_authorized_submit_users), '%') &&
	    getgrouplist(pw->pw_name, pw->pw_gid, groups, &n) >= 0)
		who.ngroups = (size_t)n;
	may = conf_names_user(p->conf, P_authorized_submit_users, &who);
	if (may > 0)
		return 0;
	if (failed || may < 0)
		return error_set(err, REASON_TEMPORARY, "your name cannot be looked up for authorized_submit_users");
	return error_set(err, REASON_NOT_AUTHORIZED, "authorized_submit_users does not name you");
}

/* Nobody is at the door: the drop. If it fails as well, both reasons are worth a line. */
static void drop_instead(struct submitting *h, struct error *answer)
{
	enum outcome what;

	if (may_submit(h->place, answer) < 0)
		return;
	what = at_drop(h, answer);
	if (what == FAILED)
		error_prefix(answer, "no outpostd listens at %s; outpost-drop", h->place->door);
	if (what == FAILED && h->place->conf_error.reason)
		error_prefix(answer, "%s", h->place->conf_error.text);
}

int start_flusher(struct error *answer)
{
	struct submitting h = {.until = deadline_in_ms(START_MS)};
	enum outcome what;

	buf_init(&h.answer, ANSWER_MAX + 512);
	*answer = (struct error){0};
	what = at_drop(&h, answer);
	buf_free(&h.answer);
	return what == ANSWERED && !answer->reason ? 0 : -1;
}

int letter_submit(const struct place *p, struct letter *l, struct error *answer)
{
	struct submitting h = {.place = p, .l = l, .until = deadline_in_ms(PATIENCE_MS), .fd = -1};
	enum outcome what = FAILED;
	int pause = PAUSE_MS;

	buf_init(&h.envelope, LIMIT_ENVELOPE);
	buf_init(&h.out, LIMIT_ENVELOPE + LIMIT_HEADER * 3);
	buf_init(&h.answer, ANSWER_MAX + 512);
	*answer = (struct error){0};
	if (encode_envelope(&h, answer) == 0) {
		do
			what = at_door(&h, answer);
		while (what == LOST && may_retry(&h, &pause));
		if (what == NOBODY)
			drop_instead(&h, answer);
		else if (what == LOST)
			error_set(answer, REASON_TIMEOUT,
				  "outpostd took the message but did not answer in time: it may be queued");
	}
	buf_free(&h.envelope);
	buf_free(&h.out);
	buf_free(&h.answer);
	return error_exit(answer);
}
