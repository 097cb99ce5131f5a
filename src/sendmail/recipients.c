#include "config.h"
#include "sendmail/recipients.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/limits.h"
#include "mail/address.h"
#include "mail/header.h"

void recipients_init(struct recipients *r)
{
	*r = (struct recipients){0};
	string_set_init(&r->addresses, LIMIT_ENVELOPE, true);
	buf_init(&r->orcpts, LIMIT_ENVELOPE);
	buf_addc(&r->orcpts, '\0');
}

void recipients_free(struct recipients *r)
{
	string_set_free(&r->addresses);
	buf_free(&r->orcpts);
	free(r->v);
	r->v = NULL;
}

size_t recipients_count(const struct recipients *r)
{
	return r->addresses.n;
}

const char *recipients_get(const struct recipients *r, size_t i)
{
	return string_set_get(&r->addresses, i);
}

const char *recipients_orcpt(const struct recipients *r, size_t i)
{
	return r->v[i].orcpt ? r->orcpts.data + r->v[i].orcpt : NULL;
}

int recipients_add(struct recipients *r, const char *spec, unsigned notify, const char *orcpt, struct error *err)
{
	struct recipient new = {.notify = notify, .orcpt = orcpt ? (uint32_t)r->orcpts.len : 0}, *v;

	if (!*spec)
		return error_set(err, REASON_BAD_ADDRESS, "the empty address cannot be a recipient");
	if (string_set_has(&r->addresses, spec))
		return 0;
	if (recipients_count(r) >= LIMIT_RECIPIENTS)
		return error_set(err, REASON_TOO_MANY_RECIPIENTS, "more than %d recipients", LIMIT_RECIPIENTS);
	v = array_room(r->v, recipients_count(r), &r->room, sizeof(*v));
	if (v)
		r->v = v;
	if (!v || (orcpt && buf_add(&r->orcpts, orcpt, strlen(orcpt) + 1) < 0) ||
	    string_set_add(&r->addresses, spec) < 0)
		return error_set(err, REASON_TEMPORARY, "out of memory for the recipients");
	r->v[recipients_count(r) - 1] = new;
	r->eight_bit = r->eight_bit || text_8bit(spec, strlen(spec));
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
	size_t before = recipients_count(r);

	if (address_each(arg, strlen(arg), ADDRESS_BLANKS | ADDRESS_TO, add, &to, err) < 0)
		return -1;
	if (recipients_count(r) == before && !span_trim(span_of(arg)).n)
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
		if ((field_class(field_kind(f.name)) & (FIELD_CLASS_RECIPIENT | FIELD_CLASS_RESENT)) ==
		    (FIELD_CLASS_RECIPIENT | FIELD_CLASS_RESENT))
			want |= FIELD_CLASS_RESENT;
	while (header_next(&header, &f)) {
		if ((field_class(field_kind(f.name)) & (FIELD_CLASS_RECIPIENT | FIELD_CLASS_RESENT)) != want)
			continue;
		if (address_each(f.body.p, f.body.n, ADDRESS_TO, add, &to, err) < 0)
			return error_prefix(err, "header field %.*s", (int)f.name.n, f.name.p);
	}
	return 0;
}
