#include "config.h"
#include "outpost/messages/print_text.h"

#include <stdbool.h>
#include <string.h>

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

static void put(struct text_writer *w, char c)
{
	if (w->form != TEXT_MBOX && ((unsigned char)c < 32 || c == 127) && c != '\n' && c != '\t')
		c = '?';
	putc(c, w->to);
}

static void release_held(struct text_writer *w, bool quote)
{
	if (quote)
		putc('>', w->to);
	for (size_t i = 0; i < w->held; i++)
		put(w, w->begin[i]);
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
		put(w, c);
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
	if (w->form == TEXT_PLAIN) {
		fwrite(p, 1, n, w->to);
		return;
	}
	for (size_t i = 0; i < n && !w->ended; i++) {
		if (w->form == TEXT_MBOX) {
			take_mbox(w, p[i]);
			continue;
		}
		w->ended = w->form == TEXT_HEADER && w->line_begins && p[i] == '\n';
		w->line_begins = p[i] == '\n';
		if (!w->ended)
			put(w, p[i]);
	}
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
	long n = 0;

	while (!w.ended && (n = queue_read(q, row, offset, chunk, sizeof(chunk), err)) > 0) {
		if (offset == 0)
			take_first(&w, id, chunk, (size_t)n);
		else
			take(&w, chunk, (size_t)n);
		offset += (uint64_t)n;
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
