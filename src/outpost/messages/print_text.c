#include "config.h"
#include "outpost/messages/print_text.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "mail/rewrite.h"

enum { NEAR_TOP = 2048 };

struct text_writer {
	enum text_form form;
	FILE *to;
	bool line_begins;
	bool ended;		/* the header did (TEXT_HEADER) */
	char begin[64];		/* '>'s and a part of "From " held back at the start of a line (mbox) */
	size_t held;
};

static void release_held(struct text_writer *w, bool quote)
{
	if (quote)
		putc('>', w->to);
	for (size_t i = 0; i < w->held; i++)
		putc(w->begin[i], w->to);
	w->held = 0;
	w->line_begins = false;
}

/* Whether what is held may still become ">...From ". */
static bool may_be_from(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] == '>')
		i++;
	return n - i <= 5 && memcmp(p + i, "From ", n - i) == 0;
}

static void take_mbox(struct text_writer *w, char c)
{
	if (!w->line_begins) {
		putc(c, w->to);
	} else {
		w->begin[w->held++] = c;
		if (!may_be_from(w->begin, w->held) || w->held == sizeof(w->begin))
			release_held(w, false);
		else if (w->held >= 5 && w->begin[w->held - 1] == ' ')
			release_held(w, true);
	}
	if (c == '\n')
		w->line_begins = true;
}

static void take(struct text_writer *w, const char *p, size_t n)
{
	size_t i = 0;

	for (; w->form == TEXT_MBOX && i < n; i++)
		take_mbox(w, p[i]);
	if (w->form == TEXT_MBOX)
		return;
	for (; i < n && !w->ended; i += !w->ended) {
		w->ended = w->form == TEXT_HEADER && w->line_begins && p[i] == '\n';
		w->line_begins = p[i] == '\n';
	}
	fwrite(p, 1, i, w->to);
}

/* Our own Received: line stands at the top; its mark becomes the queue id, as it will at delivery. */
static void take_first(struct text_writer *w, const char *id, const char *p, size_t n)
{
	size_t near = n < NEAR_TOP ? n : NEAR_TOP, len = strlen(QUEUE_ID_MARK);
	const char *mark = memmem(p, near, QUEUE_ID_MARK, len);

	if (mark) {
		take(w, p, (size_t)(mark - p));
		take(w, id, strlen(id));
		n -= (size_t)(mark - p) + len;
		p = mark + len;
	}
	take(w, p, n);
}

int text_write(struct queue *q, int64_t row, const char *id, enum text_form form, FILE *to, bool *gone,
	       struct error *err)
{
	struct text_writer w = {.form = form, .to = to, .line_begins = true};
	char chunk[LIMIT_CHUNK];
	uint64_t offset = 0;
	bool safe = form == TEXT_SAFE || form == TEXT_HEADER || (form == TEXT_MBOX && isatty(fileno(to)));
	long n = 0;

	while (!w.ended && (n = queue_read(q, row, offset, chunk, sizeof(chunk), err)) > 0) {
		size_t use = safe && n == sizeof(chunk) ? text_whole(chunk, (size_t)n) : (size_t)n;

		if (safe)
			text_clean_bytes(chunk, use, "\n\t");
		if (offset == 0)
			take_first(&w, id, chunk, use);
		else
			take(&w, chunk, use);
		offset += use;
		if (ferror(to))
			return error_sys(err, REASON_IO, "cannot write the message");
	}
	if (n < 0)
		return -1;
	if (form == TEXT_MBOX && w.held)
		release_held(&w, false);
	*gone = offset == 0;
	return 0;
}
