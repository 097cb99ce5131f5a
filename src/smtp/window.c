#include "config.h"
#include "smtp/window.h"

#include <string.h>

void window_init(struct window *w, unsigned max, bool able, const char *known)
{
	*w = (struct window){.max = max ? max : 1};
	if (!able || max < 2 || strcmp(known, "no") == 0)
		w->proof = PROOF_NO;
	else if (strcmp(known, "yes") == 0)
		w->proof = PROOF_YES;
	w->size = WINDOW_START < w->max ? WINDOW_START : w->max;
}

bool window_wants_proof(const struct window *w, unsigned waiting)
{
	return w->proof == PROOF_UNKNOWN && w->accepted && waiting >= WINDOW_BACKLOG;
}

bool window_open(const struct window *w, unsigned n, size_t bytes, size_t more)
{
	if (w->proof != PROOF_YES || !w->accepted || n >= w->size)
		return false;
	return n == 0 || bytes + more <= WINDOW_BYTES;
}

void window_accepted(struct window *w)
{
	w->accepted++;
	w->refused = 0;
	if (++w->clean < w->size || w->size == w->max)
		return;
	w->clean = 0;
	w->size = w->size * 2 < w->max ? w->size * 2 : w->max;
}

void window_refused(struct window *w)
{
	w->refused++;
	w->clean = 0;
	w->size = WINDOW_START < w->max ? WINDOW_START : w->max;
}

bool window_tired(const struct window *w)
{
	return w->proof == PROOF_YES && w->refused >= WINDOW_TIRED;
}
