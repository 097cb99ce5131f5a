#include "config.h"
#include "credentials/internal.h"
#include "base/limits.h"

#include <stdio.h>
#include <string.h>

void credential_init(struct credential *cr)
{
	memset(cr, 0, sizeof(*cr));
	buf_init(&cr->user, LIMIT_SECRET);
	buf_init(&cr->secret, LIMIT_SECRET);
}

void credential_wipe(struct credential *cr)
{
	buf_wipe(&cr->user);
	buf_wipe(&cr->secret);
	explicit_bzero(cr, sizeof(*cr));
	credential_init(cr);
}

static bool fill(struct credential *cr, char kind, struct span user, struct span secret)
{
	cr->kind = kind;
	buf_add(&cr->user, user.p, user.n);
	buf_add(&cr->secret, secret.p, secret.n);
	return buf_ok(&cr->user) && buf_ok(&cr->secret);
}

/* The password may hold anything, colons too. */
static bool split_at_colon(struct span text, struct span *user, struct span *password)
{
	return text.n && text.p[0] != ':' && span_cut(text, ':', user, password);
}

int credential_parse_entry(const struct buf *value, const char *key, struct credential *cr, struct error *err)
{
	struct span user, password;

	if (!split_at_colon(buf_span(value), &user, &password))
		return error_set(err, REASON_CREDENTIAL_CONFIG, "the password map's entry for %s is not user:password",
				 key);
	if (!fill(cr, 'P', user, password))
		return error_set(err, REASON_CREDENTIAL_CONFIG, "the password map's entry for %s is too long", key);
	return 1;
}

struct attribute {
	const char *name;
	struct span *value;
};

static bool take_attribute(struct span line, const struct attribute *a, size_t n)
{
	struct span name, value;

	for (size_t i = 0; span_cut(line, '=', &name, &value) && i < n; i++)
		if (span_is(name, a[i].name)) {
			*a[i].value = value;
			return true;
		}
	return false;
}

int credential_parse_answer(struct span text, const char *user, char kind, const char *program, struct credential *out,
			    int64_t *keep_s, struct error *err)
{
	struct span line, name = span_of(user), password = {"", 0}, token = {"", 0}, expires = {"", 0};
	const struct attribute attributes[] = {
		{"user", &name}, {"password", &password}, {"token", &token}, {"expires", &expires}};
	uint64_t seconds = 0;

	while (span_word(&text, "\r\n", &line)) {
		if (take_attribute(line, attributes, 4) || password.n || token.n)
			continue;
		if (*user)
			*(kind == 'T' ? &token : &password) = line;
		else
			split_at_colon(line, &name, &password);
	}
	if (expires.n && !text_u64(span_trim(expires), 365 * 86400, &seconds))
		return error_set(err, REASON_CREDENTIAL_UNAVAILABLE, "%s: expires= is no number of seconds", program);
	if (!name.n || (!password.n && !token.n))
		return error_set(err, REASON_CREDENTIAL_UNAVAILABLE, "%s did not say user:password", program);
	if (!fill(out, token.n ? 'T' : 'P', name, token.n ? token : password))
		return error_set(err, REASON_CREDENTIAL_UNAVAILABLE, "%s said too much", program);
	*keep_s = (int64_t)seconds;
	return 1;
}

/* ---- between outpost-token and who started it: "found=1", "key=KEY", and then the answer; or "found=0" (or -1),
 * "reason=NAME" and "text=WORDS" */

void credentials_put_answer(struct buf *answer, int rc, const struct credential *cr, int64_t keep_s,
			    const struct error *err)
{
	buf_addf(answer, "found=%d\n", rc);
	if (rc > 0)
		buf_addf(answer, "key=%s\nuser=%s\n%s=%s\nexpires=%lld\n", cr->key, buf_str(&cr->user),
			 cr->kind == 'T' ? "token" : "password", buf_str(&cr->secret), (long long)keep_s);
	else
		buf_addf(answer, "reason=%s\ntext=%s\n", reason_name(err->reason), err->text);
}

/* Takes "NAME=value" off the front: the value, or "". */
static struct span take_value(struct span *text, const char *name)
{
	struct span line, value = {"", 0};

	if (span_word(text, "\n", &line))
		take_attribute(line, &(struct attribute){name, &value}, 1);
	return value;
}

int credential_read_answer(struct span text, struct credential *out, int64_t *keep_s, struct error *err)
{
	struct span found = take_value(&text, "found"), words;
	enum reason reason;
	char name[40];

	if (!found.n)
		return error_set(err, REASON_CREDENTIAL_UNAVAILABLE,
				 "asking for the password took too long, or outpost-token died");
	if (span_is(found, "1")) {
		words = take_value(&text, "key");
		snprintf(out->key, sizeof(out->key), "%.*s", (int)words.n, words.p);
		return credential_parse_answer(text, "", 'P', "outpost-token", out, keep_s, err);
	}
	words = take_value(&text, "reason");
	snprintf(name, sizeof(name), "%.*s", (int)words.n, words.p);
	reason = reason_find(name);
	words = take_value(&text, "text");
	error_set(err, reason ? reason : REASON_CREDENTIAL_CONFIG, "%.*s", (int)words.n, words.p);
	return span_is(found, "0") ? 0 : -1;
}
