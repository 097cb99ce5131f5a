#include "config.h"
#include "control/control.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/sock.h"
#include "base/text/text.h"

enum { ANSWER_LINE = 1 << 20 };	/* one line of an answer */

/* "=CODE TEXT" without its '='. */
static int take_end(const char *p, size_t n, struct error *answer, struct error *err)
{
	struct span rest = {p, n}, word;
	uint64_t code;

	if (!span_word(&rest, " ", &word) || !text_u64(word, 255, &code))
		return error_set(err, REASON_PROTOCOL, "outpostd answered with nonsense");
	rest = span_trim(rest);
	answer->reason = reason_of_exit((int)code);
	if (rest.n >= sizeof(answer->text))
		rest.n = sizeof(answer->text) - 1;
	memcpy(answer->text, rest.p, rest.n);
	answer->text[rest.n] = '\0';
	text_clean(answer->text); /* a letter cut in two */
	return (int)code;
}

/* Gives whole lines to the sink, none of which can command a terminal, whoever answers. 1 and *code at the '=' line, 0
 * when more is needed, -1. */
static int take_lines(struct buf *in, const struct control_sink *sink, int *code, struct error *answer,
		      struct error *err)
{
	size_t done = 0;
	int rc = 0;

	while (rc == 0) {
		char *line = in->data + done;
		const char *nl = in->len > done ? memchr(line, '\n', in->len - done) : NULL;
		size_t n = nl ? (size_t)(nl - line) : 0;

		if (!nl)
			break;
		done += n + 1;
		text_clean_bytes(line, n, "\t");
		if (n && line[0] == '=') {
			*code = take_end(line + 1, n - 1, answer, err);
			rc = *code < 0 ? -1 : 1;
		} else if (n && sink && sink->line(sink->arg, line[0], line + 1, n - 1) < 0) {
			rc = error_set(err, REASON_IO, "the output could not be written");
		}
	}
	buf_drop(in, done);
	return rc;
}

static int read_answer(int fd, const struct control_sink *sink, deadline until, struct error *answer, struct error *err)
{
	struct buf in;
	bool heard = false;
	int rc = 0, code = -1;

	buf_init(&in, ANSWER_LINE);
	while (rc == 0) {
		char *room = buf_room(&in, 16384);
		ssize_t got;

		if (!room) {
			rc = error_set(err, REASON_PROTOCOL, "outpostd answered with an endless line");
			break;
		}
		if (io_wait(fd, POLLIN, until) == 0) {
			rc = error_set(err, REASON_TEMPORARY, "outpostd did not answer in time");
			break;
		}
		got = io_read(fd, room, 16384);
		if (got < 0 && errno == EAGAIN)
			continue;
		if (got <= 0) {
			rc = error_set(err, heard ? REASON_TEMPORARY : REASON_UNAVAILABLE,
				       "the connection to outpostd was lost");
			break;
		}
		heard = true;
		in.len += (size_t)got;
		rc = take_lines(&in, sink, &code, answer, err);
	}
	buf_free(&in);
	return rc < 0 ? -1 : code;
}

int control_ask(const char *path, const char *const *words, size_t n, const struct control_sink *sink,
		deadline until, struct error *answer, struct error *err)
{
	struct buf request;
	int fd, rc;

	buf_init(&request, LIMIT_ADDRESS * 4);
	if (control_put_request(&request, words, n) < 0) {
		buf_free(&request);
		return error_set(err, REASON_USAGE, "that is too long a request");
	}
	fd = sock_connect(path, until);
	if (fd < 0) {
		enum reason why = errno == ENOENT || errno == ECONNREFUSED ? REASON_UNAVAILABLE :
				  errno == EACCES || errno == EPERM ? REASON_PERMISSION : REASON_TEMPORARY;

		buf_free(&request);
		return error_sys(err, why, "no outpostd answers at %s", path);
	}
	if (io_write_all(fd, request.data, request.len, until) < 0)
		rc = error_sys(err, errno == EPIPE || errno == ECONNRESET ? REASON_UNAVAILABLE : REASON_TEMPORARY,
			       "cannot ask outpostd");
	else
		rc = read_answer(fd, sink, until, answer, err);
	buf_free(&request);
	close(fd);
	return rc;
}
