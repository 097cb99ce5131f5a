#include "config.h"
#include "sendmail/recipients.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "mail/address.h"
#include "mail/header.h"

void recipients_init(struct recipients *r)
{
	memset(r, 0, sizeof(*r));
	buf_init(&r->text, LIMIT_ENVELOPE);
	buf_addc(&r->text, '\0');
}

void recipients_free(struct recipients *r)
{
	buf_free(&r->text);
	free(r->v);
	free(r->table);
	r->v = NULL;
	r->table = NULL;
}

void recipients_reset(struct recipients *r)
{
	recipients_free(r);
	recipients_init(r);
}

const char *recipients_get(const struct recipients *r, size_t i)
{
	return r->text.data + r->v[i].at;
}

/* FNV-1a, without regard to case. */
static size_t hash(const char *s)
{
	uint64_t h = 14695981039346656037u;

	for (; *s; s++)
		h = (h ^ (unsigned char)ascii_lower(*s)) * 1099511628211u;
	return (size_t)(h ^ (h >> 32));
}

static void put_slot(struct recipients *r, size_t index)
{
	size_t i = hash(recipients_get(r, index)) & (r->slots - 1);

	while (r->table[i])
		i = (i + 1) & (r->slots - 1);
	r->table[i] = (uint32_t)index + 1;
}

static int grow(struct recipients *r)
{
	size_t room = r->room ? r->room * 2 : 8, slots = room * 2;
	struct recipient *v = realloc(r->v, room * sizeof(*v));
	uint32_t *table = v ? calloc(slots, sizeof(*table)) : NULL;

	if (v)
		r->v = v;
	if (!table)
		return -1;
	free(r->table);
	r->table = table;
	r->slots = slots;
	r->room = room;
	for (size_t i = 0; i < r->n; i++)
		put_slot(r, i);
	return 0;
}

static bool is_there(const struct recipients *r, const char *spec)
{
	size_t i;

	if (!r->slots)
		return false;
	for (i = hash(spec) & (r->slots - 1); r->table[i]; i = (i + 1) & (r->slots - 1))
		if (ascii_case_equal(recipients_get(r, r->table[i] - 1), spec))
			return true;
	return false;
}

int recipients_add(struct recipients *r, const char *spec, unsigned notify, const char *orcpt, struct error *err)
{
	struct recipient *new;

	if (!*spec)
		return error_set(err, REASON_BAD_ADDRESS, "the empty address can't be a recipient");
	if (is_there(r, spec))
		return 0;
	if (r->n >= LIMIT_RECIPIENTS)
		return error_set(err, REASON_TOO_MANY_RECIPIENTS, "more than %d recipients", LIMIT_RECIPIENTS);
	if (r->n == r->room && grow(r) < 0)
		return error_set(err, REASON_TEMPORARY, "out of memory");
	new = &r->v[r->n];
	*new = (struct recipient){.at = (uint32_t)r->text.len, .notify = notify};
	buf_add(&r->text, spec, strlen(spec) + 1);
	if (orcpt) {
		new->orcpt = (uint32_t)r->text.len;
		buf_add(&r->text, orcpt, strlen(orcpt) + 1);
	}
	if (!buf_ok(&r->text))
		return error_set(err, REASON_TEMPORARY, "the recipients take too much memory");
	r->eight_bit = r->eight_bit || text_8bit(spec, strlen(spec));
	put_slot(r, r->n++);
	return 0;
}

struct adding {
	struct recipients *r;
	unsigned notify;
};

static int add(void *arg, const struct address *a, struct error *err)
{
	struct adding *to = arg;

	return *a->spec ? recipients_add(to->r, a->spec, to->notify, NULL, err) : 0;
}

int recipients_argument(struct recipients *r, const char *arg, unsigned notify, struct error *err)
{
	struct adding to = {r, notify};
	size_t before = r->n;

	if (address_each(arg, strlen(arg), ADDRESS_BLANKS | ADDRESS_TO, add, &to, err) < 0)
		return -1;
	if (r->n == before && !span_trim(span_of(arg)).n)
		return error_set(err, REASON_BAD_ADDRESS, "an empty argument is no recipient");
	return 0;
}

int recipients_header(struct recipients *r, struct span header, unsigned notify, struct error *err)
{
	struct adding to = {r, notify};
	struct span rest = header;
	unsigned want = FIELD_CLASS_RECIPIENT;
	struct field f;

	while (header_next(&rest, &f))
		if ((field_class(field_kind(f.name)) & (FIELD_CLASS_RECIPIENT | FIELD_CLASS_RESENT)) == (FIELD_CLASS_RECIPIENT | FIELD_CLASS_RESENT))
			want |= FIELD_CLASS_RESENT;
	while (header_next(&header, &f)) {
		if ((field_class(field_kind(f.name)) & (FIELD_CLASS_RECIPIENT | FIELD_CLASS_RESENT)) != want)
			continue;
		if (address_each(f.body.p, f.body.n, ADDRESS_TO, add, &to, err) < 0)
			return error_prefix(err, "header field %.*s", (int)f.name.n, f.name.p);
	}
	return 0;
}
