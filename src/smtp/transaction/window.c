#include "config.h"
#include "smtp/transaction/window.h"

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

void window_init(struct window *w, unsigned max, bool able, const struct delivery_known *k)
{
	*w = (struct window){.max = max ? max : 1};
	if (!able || max < 2 || k->flight == FLIGHT_NO || k->no_rset)
		w->proof = PROOF_NO;
	else if (k->flight == FLIGHT_YES)
		w->proof = PROOF_YES;
	w->size = least(k->window ? k->window : WINDOW_START, w->max);
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
	w->size = least(w->size * 2, w->max);
}

void window_refused(struct window *w)
{
	w->refused++;
	w->clean = 0;
	w->size = least(WINDOW_START, w->size);
}

void window_halve(struct window *w)
{
	w->clean = 0;
	w->size = w->size > 1 ? w->size / 2 : 1;
}

bool window_tired(const struct window *w)
{
	return w->proof == PROOF_YES && w->refused >= WINDOW_TIRED;
}
