#include "config.h"
#include "outpost/messages/print_text.h"

#include <stdbool.h>
#include <string.h>

#include "base/limits.h"
#include "mail/rewrite.h"

enum { NEAR_TOP = 2048 };

struct letter {
	enum letter_form form;
	FILE *to;
	bool line_begins;
	char begin[64];		/* '>'s and a part of "From " held back at the start of a line (mbox) */
	size_t held;
};

static void put(struct letter *l, char c)
{
	if (l->form == LETTER_CRLF && c == '\n')
		putc('\r', l->to);
	if (l->form == LETTER_SAFE && ((unsigned char)c < 32 || c == 127) && c != '\n' && c != '\t')
		c = '?';
	putc(c, l->to);
}

static void release_held(struct letter *l, bool quote)
{
	if (quote)
		putc('>', l->to);
	for (size_t i = 0; i < l->held; i++)
		put(l, l->begin[i]);
	l->held = 0;
	l->line_begins = false;
}

/* Whether what is held may still become ">...From ". */
static bool may_be_from(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] == '>')
		i++;
	return n - i <= 5 && memcmp(p + i, "From ", n - i) == 0;
}

static void take_mbox(struct letter *l, char c)
{
	if (!l->line_begins) {
		put(l, c);
	} else {
		l->begin[l->held++] = c;
		if (!may_be_from(l->begin, l->held) || l->held == sizeof(l->begin))
			release_held(l, false);
		else if (l->held >= 5 && l->begin[l->held - 1] == ' ')
			release_held(l, true);
	}
	if (c == '\n')
		l->line_begins = true;
}

static void take(struct letter *l, const char *p, size_t n)
{
	if (l->form == LETTER_PLAIN) {
		fwrite(p, 1, n, l->to);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (l->form == LETTER_MBOX)
			take_mbox(l, p[i]);
		else
			put(l, p[i]);
	}
}

/* Our own Received: line stands at the top; its mark becomes the queue id, as it will at delivery. */
static void take_first(struct letter *l, const char *id, const char *p, size_t n)
{
	size_t near = n < NEAR_TOP ? n : NEAR_TOP, len = strlen(QUEUE_ID_MARK);
	const char *mark = memmem(p, near, QUEUE_ID_MARK, len);

	if (mark) {
		take(l, p, (size_t)(mark - p));
		take(l, id, strlen(id));
		n -= (size_t)(mark - p) + len;
		p = mark + len;
	}
	take(l, p, n);
}

int letter_write(struct queue *q, int64_t row, const char *id, uint64_t max, enum letter_form form, FILE *to, bool *gone, struct error *err)
{
	struct letter l = {.form = form, .to = to, .line_begins = true};
	char chunk[LIMIT_CHUNK];
	uint64_t offset = 0;
	long n = 0;

	while ((!max || offset < max) && (n = queue_read(q, row, offset, chunk, sizeof(chunk), err)) > 0) {
		size_t use = max && (uint64_t)n > max - offset ? (size_t)(max - offset) : (size_t)n;

		if (offset == 0)
			take_first(&l, id, chunk, use);
		else
			take(&l, chunk, use);
		offset += (uint64_t)n;
		if (ferror(to))
			return error_sys(err, REASON_IO, "cannot write the message");
	}
	if (n < 0)
		return -1;
	if (form == LETTER_MBOX && l.held)
		release_held(&l, false);
	*gone = offset == 0;
	return 0;
}
