#include "config.h"
#include "token/token.h"
#include "base/deadline.h"
#include "base/files/trust.h"
#include "base/io.h"
#include "base/limits.h"
#include "credentials/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { RETRY_MS = 50 };

/* Tokens belong to an account at a client of an endpoint; after a change of any of them they are somebody else's. */
static void bind(const struct oauth2 *o, char hex[SHA256_HEX])
{
	const char *const parts[] = {o->token_endpoint, o->client_id, o->user, o->scope};
	struct span spans[4];

	for (size_t i = 0; i < 4; i++)
		spans[i] = (struct span){parts[i], strlen(parts[i]) + 1};
	sha256_hex(spans, 4, hex);
}

/* A refresh token may be good for one use only: two of us must not use it at once. */
static int take_lock(struct token_store *s, int seconds, struct error *err)
{
	deadline until = deadline_in_ms((int64_t)seconds * 1000);
	char path[sizeof(s->path) + 8];

	snprintf(path, sizeof(path), "%s.lock", s->path);
	s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock < 0)
		return error_sys(err, REASON_CANNOT_CREATE, "cannot open %s", path);
	while (flock(s->lock, LOCK_EX | LOCK_NB) < 0) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || deadline_over(until))
			return error_sys(err, REASON_TEMPORARY, "cannot lock %s", path);
		usleep(RETRY_MS * 1000);
	}
	return 0;
}

static void take_time(struct span value, int64_t *out)
{
	uint64_t v;

	if (text_u64(value, INT64_MAX, &v))
		*out = (int64_t)v;
}

static void parse(struct token_store *s, struct span text)
{
	char binding[65] = "";
	struct span line;

	while (span_word(&text, "\n", &line)) {
		struct span name, value;

		if (!span_cut(line, '=', &name, &value))
			continue;
		if (span_is(name, "binding"))
			span_copy(value, binding, sizeof(binding));
		else if (strcmp(binding, s->binding) != 0)
			continue; /* the binding comes first */
		else if (span_is(name, "refresh_token"))
			span_copy(value, s->refresh, sizeof(s->refresh));
		else if (span_is(name, "access_token"))
			span_copy(value, s->access, sizeof(s->access));
		else if (span_is(name, "issued"))
			take_time(value, &s->issued);
		else if (span_is(name, "expires"))
			take_time(value, &s->expires);
	}
}

int store_open(struct token_store *s, const char *path, const struct oauth2 *o, int seconds, struct error *err)
{
	struct buf text;
	struct stat st;
	int rc = 0;

	memset(s, 0, sizeof(*s));
	s->lock = -1;
	if (snprintf(s->path, sizeof(s->path), "%s", path) >= (int)sizeof(s->path))
		return error_set(err, REASON_CONFIG, "the path of the token file is too long");
	bind(o, s->binding);
	if (take_lock(s, seconds, err) < 0)
		return -1;
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return trust_check(path, err); /* whoever could make it meanwhile would choose its mode */
	buf_init(&text, LIMIT_CONF_FILE);
	rc = trust_read_public(path, &text, &st, err);
	if (rc == 0 && (st.st_mode & 077))
		rc = error_set(err, REASON_CONFIG, "%s is open to others; type: chmod 0600 %s", path, path);
	if (rc == 0)
		parse(s, buf_span(&text));
	buf_wipe(&text);
	return rc;
}

int store_save(const struct token_store *s, struct error *err)
{
	struct buf text;
	int rc;

	buf_init(&text, LIMIT_CONF_FILE);
	buf_addf(&text, "binding=%s\nrefresh_token=%s\naccess_token=%s\nissued=%lld\nexpires=%lld\n", s->binding,
		 s->refresh, s->access, (long long)s->issued, (long long)s->expires);
	if (buf_ok(&text))
		rc = io_replace_file(s->path, buf_str(&text), text.len, 0600, err);
	else
		rc = error_set(err, REASON_SYSTEM, "out of memory");
	buf_wipe(&text);
	return rc;
}

void store_close(struct token_store *s)
{
	if (s->lock >= 0)
		close(s->lock);
	explicit_bzero(s, sizeof(*s));
	s->lock = -1;
}
