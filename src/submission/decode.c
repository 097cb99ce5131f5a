#include "config.h"
#include "submission/submission.h"
#include "submission/record.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/limits.h"
#include "base/text/number.h"

/*
 * The decoder eats any cut of the stream: magic, then a record head (five bytes), then its payload. Small
 * payloads are gathered in `field` and looked at when they are whole; pieces of the message go to the
 * sink as they come and are checked on the way; unknown lower-case records are counted off.
 *
 * Strings of the envelope lie one behind the other in `strings`, which moves while it grows, so places
 * in it are kept as offsets and become pointers when the end record has come.
 */
enum step { STEP_MAGIC, STEP_HEAD, STEP_FIELD, STEP_PIECE, STEP_SKIP, STEP_END, STEP_REFUSED };

#define NOWHERE ((size_t)-1)

struct place {
	size_t address, orcpt;
	unsigned notify;
};

struct submission_decoder {
	enum step step;
	const struct record_kind *kind;	/* of the record at hand; NULL: skipped */
	size_t left;			/* bytes of the record that have not come */
	unsigned seen;			/* one bit for each upper-case type */
	struct buf field;
	struct buf strings;
	struct place *places;
	size_t nplaces, capacity;
	size_t sender, envid;

	uint64_t size_limit;
	uint64_t size;			/* of the message, so far */
	uint64_t header_end;		/* behind its first empty line; 0: none seen */
	char last;			/* byte of the message, '\n' to begin with */

	submission_sink sink;
	void *arg;
	struct submission envelope;
	struct submission_recipient *recipients;
	struct error error;
};

struct submission_decoder *submission_decoder_new(uint64_t size_limit, submission_sink sink, void *arg)
{
	struct submission_decoder *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	buf_init(&d->field, LIMIT_ADDRESS + 16);
	buf_init(&d->strings, LIMIT_ENVELOPE);
	d->left = sizeof(SUBMISSION_MAGIC) - 1;
	d->sender = d->envid = NOWHERE;
	d->size_limit = size_limit;
	d->last = '\n';
	d->sink = sink;
	d->arg = arg;
	return d;
}

void submission_decoder_free(struct submission_decoder *d)
{
	if (!d)
		return;
	buf_free(&d->field);
	buf_free(&d->strings);
	free(d->places);
	free(d->recipients);
	free(d);
}

size_t submission_decoder_memory(const struct submission_decoder *d)
{
	return d->strings.len + d->nplaces * (sizeof(*d->places) + sizeof(*d->recipients));
}

#define REFUSE(d, reason, ...) error_set(&(d)->error, reason, __VA_ARGS__)

static bool has(const struct submission_decoder *d, char type)
{
	return d->seen & 1u << (type - 'A');
}

/* Which record may come now. */
static int check_order(struct submission_decoder *d, char type)
{
	if (!d->seen && type != 'K')
		return REFUSE(d, REASON_BAD_SUBMISSION, "the submission does not begin with its token");
	if (!d->kind->repeats && has(d, type))
		return REFUSE(d, REASON_BAD_SUBMISSION, "a second %s", d->kind->name);
	if (type != 'M' && type != 'Z' && has(d, 'M'))
		return REFUSE(d, REASON_BAD_SUBMISSION, "a %s behind the message", d->kind->name);
	if ((type == 'N' || type == 'O') && !d->nplaces)
		return REFUSE(d, REASON_BAD_SUBMISSION, "a %s before any recipient", d->kind->name);
	return 0;
}

/* What must have come before the message or the end. */
static int check_envelope(struct submission_decoder *d)
{
	static const char wanted[] = {'S', 'R', 'B', 'X'};

	for (size_t i = 0; i < sizeof(wanted); i++)
		if (!has(d, wanted[i]))
			return REFUSE(d, REASON_BAD_SUBMISSION, "no %s", record_kind(wanted[i])->name);
	return 0;
}

static int check_size(struct submission_decoder *d, size_t more)
{
	if (d->size_limit && more > d->size_limit - d->size)
		return REFUSE(d, REASON_TOO_LARGE, "the message is larger than message_size_limit (%llu bytes)",
			      (unsigned long long)d->size_limit);
	return 0;
}

static int begin_record(struct submission_decoder *d, char type, size_t n)
{
	if (type >= 'a' && type <= 'z' && d->seen) {
		if (n > LIMIT_CHUNK)
			return REFUSE(d, REASON_BAD_SUBMISSION, "an unknown record of %zu bytes", n);
		d->step = STEP_SKIP;
		return 0;
	}
	d->kind = record_kind(type);
	if (!d->kind)
		return REFUSE(d, REASON_BAD_SUBMISSION,
			      "a record of unknown type %d: the submitter speaks another version", (unsigned char)type);
	if (check_order(d, type) < 0)
		return -1;
	if (n < d->kind->min || n > d->kind->max)
		return REFUSE(d, REASON_BAD_SUBMISSION, "the %s has %zu bytes, allowed are %zu to %zu", d->kind->name,
			      n, d->kind->min, d->kind->max);
	if ((type == 'M' || type == 'Z') && check_envelope(d) < 0)
		return -1;
	if (type == 'M' && check_size(d, n) < 0)
		return -1;
	d->seen |= 1u << (type - 'A');
	d->step = type == 'M' ? STEP_PIECE : STEP_FIELD;
	return 0;
}

/* Keeps the field as a C string; the place or NOWHERE. */
static size_t keep(struct submission_decoder *d)
{
	size_t at = d->strings.len;

	if (buf_add(&d->strings, buf_str(&d->field), d->field.len + 1) == 0)
		return at;
	if (d->field.len + 1 > LIMIT_ENVELOPE - at)
		REFUSE(d, REASON_TOO_MANY_RECIPIENTS, "the envelope is larger than %u bytes", LIMIT_ENVELOPE);
	else
		REFUSE(d, REASON_SYSTEM, "no memory for the envelope");
	return NOWHERE;
}

static int add_recipient(struct submission_decoder *d)
{
	struct place *places;
	size_t address;

	if (d->nplaces == LIMIT_RECIPIENTS)
		return REFUSE(d, REASON_TOO_MANY_RECIPIENTS, "more than %d recipients", LIMIT_RECIPIENTS);
	places = array_room(d->places, d->nplaces, &d->capacity, sizeof(*places));
	if (!places)
		return REFUSE(d, REASON_SYSTEM, "out of memory for %zu recipients", d->nplaces + 1);
	d->places = places;
	address = keep(d);
	if (address == NOWHERE)
		return -1;
	d->places[d->nplaces++] = (struct place){.address = address, .orcpt = NOWHERE};
	return 0;
}

static int set_notify(struct submission_decoder *d, unsigned v)
{
	struct place *p = &d->places[d->nplaces - 1];

	if (p->notify)
		return REFUSE(d, REASON_BAD_SUBMISSION, "a second NOTIFY option for one recipient");
	if (!v || v > (DSN_NEVER | DSN_SUCCESS | DSN_FAILURE | DSN_DELAY) || ((v & DSN_NEVER) && v != DSN_NEVER))
		return REFUSE(d, REASON_DATA, "an impossible NOTIFY option");
	p->notify = v;
	return 0;
}

static int set_orcpt(struct submission_decoder *d)
{
	struct place *p = &d->places[d->nplaces - 1];

	if (p->orcpt != NOWHERE)
		return REFUSE(d, REASON_BAD_SUBMISSION, "a second original recipient for one recipient");
	if (!strchr(buf_str(&d->field), ';'))
		return REFUSE(d, REASON_DATA, "an original recipient without address type");
	p->orcpt = keep(d);
	return p->orcpt == NOWHERE ? -1 : 0;
}

static int set_word(struct submission_decoder *d, char *value, const char *allowed)
{
	char c = d->field.data[0];

	if (!c || !strchr(allowed, c))
		return REFUSE(d, REASON_DATA, "an impossible %s", d->kind->name);
	*value = c;
	return 0;
}

static int set_header_size(struct submission_decoder *d)
{
	d->envelope.header_size = (uint32_t)number_be(buf_str(&d->field), d->field.len);
	if (d->envelope.header_size > LIMIT_HEADER)
		return REFUSE(d, REASON_TOO_LARGE, "the header is larger than %u bytes", LIMIT_HEADER);
	return 0;
}

static void point_to_strings(struct submission_decoder *d)
{
	const char *base = buf_str(&d->strings);

	d->envelope.sender = base + d->sender;
	d->envelope.envid = d->envid == NOWHERE ? NULL : base + d->envid;
	for (size_t i = 0; i < d->nplaces; i++) {
		const struct place *p = &d->places[i];

		d->recipients[i] = (struct submission_recipient){
			.address = base + p->address,
			.orcpt = p->orcpt == NOWHERE ? NULL : base + p->orcpt,
			.notify = p->notify,
		};
	}
	d->envelope.recipients = d->recipients;
	d->envelope.nrecipients = d->nplaces;
}

/* The header that was announced must be the header that is there: everything behind relies on it. */
static int finish(struct submission_decoder *d)
{
	uint64_t header = d->header_end ? d->header_end : d->size;

	if (number_be(buf_str(&d->field), d->field.len) != d->size)
		return REFUSE(d, REASON_BAD_SUBMISSION, "the end record says %llu bytes, %llu came",
			      (unsigned long long)number_be(buf_str(&d->field), d->field.len),
			      (unsigned long long)d->size);
	if (d->last != '\n')
		return REFUSE(d, REASON_DATA, "the last line of the message has no end");
	if (d->envelope.header_size != header)
		return REFUSE(d, REASON_BAD_SUBMISSION, "the header is said to have %u bytes and has %llu",
			      (unsigned)d->envelope.header_size, (unsigned long long)header);
	d->recipients = calloc(d->nplaces, sizeof(*d->recipients));
	if (!d->recipients)
		return REFUSE(d, REASON_SYSTEM, "no memory for %zu recipients", d->nplaces);
	point_to_strings(d);
	return 0;
}

static int take_field(struct submission_decoder *d)
{
	struct submission *e = &d->envelope;

	switch (d->kind->type) {
	case 'K':
		memcpy(e->token, d->field.data, sizeof(e->token));
		return 0;
	case 'S':
		d->sender = keep(d);
		return d->sender == NOWHERE ? -1 : 0;
	case 'R':
		return add_recipient(d);
	case 'N':
		return set_notify(d, (unsigned char)d->field.data[0]);
	case 'O':
		return set_orcpt(d);
	case 'I':
		d->envid = keep(d);
		return d->envid == NOWHERE ? -1 : 0;
	case 'T':
		return set_word(d, &e->ret, "FH");
	case 'B':
		return set_word(d, &e->body, "78");
	case 'U':
		e->smtputf8 = true;
		return 0;
	case 'Q':
		e->queue_only = true;
		return 0;
	case 'X':
		return set_header_size(d);
	default:
		return finish(d);
	}
}

static int end_field(struct submission_decoder *d)
{
	const char *p = buf_str(&d->field);

	for (size_t i = 0; d->kind->text && i < d->field.len; i++)
		if (p[i] == '\0' || p[i] == '\r' || p[i] == '\n')
			return REFUSE(d, REASON_BAD_SUBMISSION, "a NUL, CR or LF in the %s", d->kind->name);
	if (take_field(d) < 0)
		return -1;
	d->step = d->kind->type == 'Z' ? STEP_END : STEP_HEAD;
	d->left = RECORD_HEAD;
	buf_reset(&d->field);
	return 0;
}

/* Finds the first empty line. */
static void look_for_body(struct submission_decoder *d, const char *p, size_t n)
{
	const char *at = p, *nl;

	while (!d->header_end && (nl = memchr(at, '\n', n - (size_t)(at - p)))) {
		char before = nl == p ? d->last : nl[-1];

		if (before == '\n')
			d->header_end = d->size + (uint64_t)(nl - p) + 1;
		at = nl + 1;
	}
}

static int take_piece(struct submission_decoder *d, const char *p, size_t n)
{
	if (memchr(p, '\0', n) || memchr(p, '\r', n))
		return REFUSE(d, REASON_DATA, "a NUL or CR in the message");
	look_for_body(d, p, n);
	d->size += n;
	d->last = p[n - 1];
	if (d->sink && d->sink(d->arg, p, n, &d->error) < 0)
		return -1;
	return 0;
}

static int take_magic(struct submission_decoder *d)
{
	if (memcmp(d->field.data, SUBMISSION_MAGIC, sizeof(SUBMISSION_MAGIC) - 1) != 0)
		return REFUSE(d, REASON_BAD_SUBMISSION, "not a submission of this version");
	buf_reset(&d->field);
	d->step = STEP_HEAD;
	d->left = RECORD_HEAD;
	return 0;
}

static int take_head(struct submission_decoder *d)
{
	size_t n = number_be(d->field.data + 1, RECORD_HEAD - 1);
	char type = d->field.data[0];

	buf_reset(&d->field);
	d->left = n;
	return begin_record(d, type, n);
}

/* The bytes that were asked for are there. */
static int step_done(struct submission_decoder *d)
{
	switch (d->step) {
	case STEP_MAGIC:
		return take_magic(d);
	case STEP_HEAD:
		return take_head(d);
	case STEP_FIELD:
		return end_field(d);
	default:
		d->step = STEP_HEAD;
		d->left = RECORD_HEAD;
		return 0;
	}
}

/* Takes at most what the step wants; returns how many, 0 for a refusal. */
static size_t take_some(struct submission_decoder *d, const char *p, size_t n)
{
	size_t take = n < d->left ? n : d->left;

	if (d->step == STEP_END) {
		REFUSE(d, REASON_BAD_SUBMISSION, "bytes behind the end record");
		return 0;
	}
	if (d->step == STEP_PIECE && take_piece(d, p, take) < 0)
		return 0;
	if (d->step != STEP_PIECE && d->step != STEP_SKIP && buf_add(&d->field, p, take) < 0) {
		REFUSE(d, REASON_SYSTEM, "no memory for a record");
		return 0;
	}
	d->left -= take;
	/* An empty payload is whole as soon as its head is. */
	while (!d->left && d->step != STEP_END)
		if (step_done(d) < 0)
			return 0;
	return take;
}

enum submission_state submission_decode(struct submission_decoder *d, const char *p, size_t n, struct error *err)
{
	while (n && d->step != STEP_REFUSED) {
		size_t took = take_some(d, p, n);

		if (!took)
			d->step = STEP_REFUSED;
		p += took;
		n -= took;
	}
	if (d->step == STEP_REFUSED) {
		*err = d->error;
		return SUBMISSION_REFUSED;
	}
	return d->step == STEP_END ? SUBMISSION_COMPLETE : SUBMISSION_MORE;
}

const struct submission *submission_envelope(const struct submission_decoder *d, uint64_t *message_size)
{
	if (d->step != STEP_END)
		return NULL;
	if (message_size)
		*message_size = d->size;
	return &d->envelope;
}
