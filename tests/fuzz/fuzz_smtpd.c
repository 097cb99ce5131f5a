/* fuzz_smtpd.c: sendmail -bs: a whole session; what it would hand over is complete and canonical. */
#include "config.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sendmail/smtpd.h"
#include "sendmail/submit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In place of the door. */
int letter_submit(const struct place *p, struct letter *l, struct error *answer)
{
	const struct buf *body = &l->in.body.memory;

	(void)p;
	if (!l->sender || !recipients_count(&l->recipients) || !l->header.len)
		abort();
	if (memchr(l->header.data, '\r', l->header.len) || memchr(buf_str(body), '\r', body->len))
		abort();
	for (size_t i = 0; i < recipients_count(&l->recipients); i++)
		if (!*recipients_get(&l->recipients, i) || strpbrk(recipients_get(&l->recipients, i), "\r\n"))
			abort();
	*answer = (struct error){.reason = recipients_count(&l->recipients) & 1 ? REASON_NONE : REASON_TEMPORARY,
				 .text = "queued as X"};
	return error_exit(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct place place;
	static int null = -1, out = -1;
	struct options o = {0};
	struct error err;
	int in = memfd_create("session", MFD_CLOEXEC);

	if (!place.conf && conf_defaults("/nonexistent", &place.conf, &err) < 0)
		abort();
	if (null < 0)
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (out < 0)
		out = dup(STDOUT_FILENO);
	if (in < 0 || null < 0 || out < 0 || write(in, data, size) != (ssize_t)size || lseek(in, 0, SEEK_SET) < 0)
		abort();
	dup2(in, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	smtpd_run(&place, &o);
	dup2(out, STDOUT_FILENO);
	close(in);
	return 0;
}
