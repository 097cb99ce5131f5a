#include "config.h"
#include "sendmail/compose.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/limits.h"
#include "mail/address.h"
#include "mail/header.h"
#include "mail/rewrite.h"
#include "sendmail/caller.h"

void letter_init(struct letter *l)
{
	memset(l, 0, sizeof(*l));
	recipients_init(&l->recipients);
	buf_init(&l->header, LIMIT_HEADER * 2);
}

void letter_free(struct letter *l)
{
	free(l->sender);
	l->sender = NULL;
	recipients_free(&l->recipients);
	input_free(&l->in);
	buf_free(&l->header);
}

/* The caller's own address. Where users come from a directory, a login name can be one already
 * ("ann@ad.example.com"). */
static int put_caller(struct buf *out)
{
	const char *login = caller_login();
	struct error none;

	if (strchr(login, '@') && address_one(login, strlen(login), out, &none) == 0)
		return 0;
	return address_put_local(out, login, strlen(login));
}

int letter_sender(struct letter *l, const char *text, struct error *err)
{
	ADDRESS_BUF(spec);
	int rc = 0;

	if (!text)
		rc = put_caller(&spec);
	else if (span_trim(span_of(text)).n)
		rc = address_one(text, strlen(text), &spec, err);
	if (rc < 0 && text)
		error_prefix(err, "the sender (-f)");
	free(l->sender);
	l->sender = rc < 0 ? NULL : strdup(buf_str(&spec));
	if (rc == 0 && !l->sender)
		rc = error_set(err, REASON_TEMPORARY, "out of memory");
	return rc;
}

/* ---- what the header has */

struct seen {
	bool date, message_id, from, to;
	bool resent, resent_from, resent_date, resent_message_id;
	bool mime_version, content_type, cte;
	bool eight_bit_address;
};

static int one_address(void *arg, const struct address *a, struct error *err)
{
	struct seen *s = arg;

	(void)err;
	s->eight_bit_address = s->eight_bit_address || text_8bit(a->spec, strlen(a->spec));
	return 0;
}

static int any_address(void *arg, const struct address *a, struct error *err)
{
	(void)a, (void)err;
	*(bool *)arg = true;
	return 1;
}

static bool has_address(struct span body)
{
	bool any = false;
	struct error none;

	address_each(body.p, body.n, ADDRESS_SKIP_BAD, any_address, &any, &none);
	return any;
}

/* What must hold something (RFC 5322 3.6) and does not is as good as missing. */
static bool says_nothing(const struct field *f)
{
	enum field_kind kind = field_kind(f->name);

	return (field_class(kind) & (FIELD_CLASS_SENDER | FIELD_CLASS_RECIPIENT) || kind == FIELD_DATE ||
		kind == FIELD_MESSAGE_ID || kind == FIELD_RESENT_DATE || kind == FIELD_RESENT_MESSAGE_ID) &&
	       !span_trim(f->body).n;
}

static void see(struct seen *s, const struct field *f)
{
	enum field_kind kind = field_kind(f->name);
	unsigned class = field_class(kind);
	struct error none;

	if (says_nothing(f))
		return;

	s->date |= kind == FIELD_DATE;
	s->message_id |= kind == FIELD_MESSAGE_ID;
	s->to |= kind == FIELD_TO || kind == FIELD_CC;
	s->resent |= (class & FIELD_CLASS_RESENT) != 0;
	s->resent_from |= kind == FIELD_RESENT_FROM;
	s->resent_date |= kind == FIELD_RESENT_DATE;
	s->resent_message_id |= kind == FIELD_RESENT_MESSAGE_ID;
	s->mime_version |= kind == FIELD_MIME_VERSION;
	s->cte |= kind == FIELD_CTE;
	s->content_type |= kind == FIELD_CONTENT_TYPE;
	if (kind == FIELD_FROM && has_address(f->body))
		s->from = true;
	if ((class & (FIELD_CLASS_SENDER | FIELD_CLASS_RECIPIENT)) && !(class & FIELD_CLASS_DROP) &&
	    text_8bit(f->body.p, f->body.n))
		address_each(f->body.p, f->body.n, ADDRESS_SKIP_BAD, one_address, s, &none);
}

/* ---- what it lacks */

static void put_person(struct letter *l, const char *field, struct span name, const char *address)
{
	buf_addf(&l->header, "%s: ", field);
	if (span_trim(name).n) {
		header_put_name(&l->header, name.p, name.n);
		buf_addf(&l->header, " <%s>\n", address);
	} else {
		buf_addf(&l->header, "%s\n", address);
	}
}

/* "From: Name <address>". Without a full name, or when somebody else is the sender, the address alone. */
static void put_from(struct letter *l, const char *field, struct span text)
{
	ADDRESS_BUF(own);
	struct buf name;

	buf_init(&name, LIMIT_HEADER_LINE);
	put_caller(&own);
	if (text.n)
		buf_add(&name, text.p, text.n);
	else if (l->full_name || !*l->sender || strcmp(l->sender, buf_str(&own)) == 0)
		caller_full_name(l->full_name, &name);
	put_person(l, field, buf_span(&name), *l->sender ? l->sender : buf_str(&own));
	buf_free(&name);
}

/* A name and an address without angle brackets: "Web shop shop@example.com". */
static bool put_name_and_address(struct letter *l, struct span text)
{
	struct span name = text, word;
	struct error none;
	ADDRESS_BUF(spec);

	while (name.n && !ascii_space(name.p[name.n - 1]))
		name.n--;
	word = span_from(text, name.n);
	name = span_trim(name);
	if (name.n > 1 && name.p[0] == '"' && name.p[name.n - 1] == '"')
		name = (struct span){name.p + 1, name.n - 2};
	if (!name.n || memchr(name.p, '<', name.n) || memchr(name.p, '@', name.n) || !memchr(word.p, '@', word.n))
		return false;
	if (address_one(word.p, word.n, &spec, &none) < 0 || !spec.len || text_8bit(spec.data, spec.len))
		return false;
	put_person(l, "From", name, spec.data);
	return true;
}

static void put_date(struct letter *l, const char *field)
{
	buf_addf(&l->header, "%s: ", field);
	header_put_date(&l->header, clock_wall_us());
	buf_adds(&l->header, "\n");
}

/* Time and 80 random bits: unique without asking anybody. */
static int put_message_id(struct letter *l, const char *field, struct error *err)
{
	static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	unsigned char random[16];
	char word[sizeof(random) + 1];
	int64_t now = clock_wall_us();

	if (random_bytes(random, sizeof(random)) < 0)
		return error_sys(err, REASON_SYSTEM, "no random numbers");
	for (size_t i = 0; i < sizeof(random); i++)
		word[i] = letters[random[i] % 36];
	word[sizeof(random)] = '\0';
	buf_addf(&l->header, "%s: <%lld.%s@%s>\n", field, (long long)(now / 1000000), word, l->hostname);
	return 0;
}

static void put_received(struct letter *l)
{
	buf_adds(&l->header, "Received: ");
	if (l->smtp && l->client && *l->client) {
		buf_adds(&l->header, "from ");
		text_printable(&l->header, l->client, strcspn(l->client, " ()<>;"), 200);
		buf_adds(&l->header, "\n\t");
	}
	buf_addf(&l->header, "by %s (outpost, %sfrom userid %lu)\n\tid %s; ", l->hostname, l->smtp ? "SMTP " : "",
		 (unsigned long)getuid(), QUEUE_ID_MARK);
	header_put_date(&l->header, clock_wall_us());
	buf_adds(&l->header, "\n");
}

/* 8-bit text without a word about its kind gets the words that fit it. */
static void put_mime(struct letter *l, const struct seen *s)
{
	if (!l->in.eight_bit || s->cte)
		return;
	if (!s->mime_version)
		buf_adds(&l->header, "MIME-Version: 1.0\n");
	if (!s->content_type)
		buf_addf(&l->header, "Content-Type: text/plain; charset=%s\n", l->in.utf8 ? "utf-8" : "unknown-8bit");
	buf_adds(&l->header, "Content-Transfer-Encoding: 8bit\n");
}

/* ---- */

/* "To : ann": RFC 5322 4.5 has it read but never sent, and there are receivers for whom the header ends there. */
static void put_without_blanks(struct letter *l, const struct field *f)
{
	struct buf t;

	buf_init(&t, LIMIT_HEADER);
	buf_add(&t, f->name.p, f->name.n);
	buf_addc(&t, ':');
	buf_add(&t, f->body.p, (size_t)(f->raw.p + f->raw.n - f->body.p));
	header_put(&l->header, buf_span(&t));
	buf_free(&t);
}

/* A From that names nobody ("From: Backup job") is given the sender's address; an empty one goes; text that is not 7bit
 * is not called so, since there are receivers who take it at its word. */
static void put_field(struct letter *l, const struct seen *s, const struct field *f)
{
	enum field_kind kind = field_kind(f->name);
	struct span text = span_trim(f->body);

	if (field_class(kind) & FIELD_CLASS_DROP)
		return;
	if (kind != FIELD_FROM && says_nothing(f))
		return;
	if (kind == FIELD_FROM && !s->from) {
		if (text.n && !memchr(text.p, '<', text.n) && !memchr(text.p, '\n', text.n) &&
		    !memchr(text.p, '@', text.n))
			put_from(l, "From", text);
		else if (!put_name_and_address(l, text))
			put_from(l, "From", (struct span){"", 0});
		return;
	}
	if (kind == FIELD_CTE && l->in.eight_bit && span_iscase(text, "7bit"))
		buf_adds(&l->header, "Content-Transfer-Encoding: 8bit\n");
	else if (f->body.p - f->raw.p == (ptrdiff_t)f->name.n + 1)
		header_put(&l->header, f->raw);
	else
		put_without_blanks(l, f);
}

int letter_compose(struct letter *l, struct error *err)
{
	struct span header = buf_span(&l->in.header), rest = header;
	struct seen s = {0};
	struct field f;
	bool had_from = false;
	int rc = 0;

	while (header_next(&rest, &f))
		see(&s, &f);
	buf_reset(&l->header);
	put_received(l);
	if (s.resent && !s.resent_date)
		put_date(l, "Resent-Date");
	if (s.resent && !s.resent_from)
		put_from(l, "Resent-From", (struct span){"", 0});
	if (s.resent && !s.resent_message_id)
		rc = put_message_id(l, "Resent-Message-ID", err);
	for (rest = header; header_next(&rest, &f);) {
		if (field_kind(f.name) == FIELD_FROM && !s.from && had_from)
			continue;
		had_from |= field_kind(f.name) == FIELD_FROM;
		put_field(l, &s, &f);
	}
	if (!had_from)
		put_from(l, "From", (struct span){"", 0});
	if (!s.to)
		buf_adds(&l->header, "To: undisclosed-recipients:;\n");
	if (!s.date)
		put_date(l, "Date");
	if (rc == 0 && !s.message_id)
		rc = put_message_id(l, "Message-ID", err);
	put_mime(l, &s);
	buf_adds(&l->header, "\n");
	l->eight_bit = l->in.eight_bit || text_8bit(buf_str(&l->header), l->header.len);
	l->smtputf8 = s.eight_bit_address || l->recipients.eight_bit || text_8bit(l->sender, strlen(l->sender));
	if (rc == 0 && l->header.starved)
		rc = error_set(err, REASON_TEMPORARY, "out of memory");
	else if (rc == 0 && !buf_ok(&l->header))
		rc = error_set(err, REASON_HEADER_TOO_LARGE, "the header is too long");
	return rc;
}
