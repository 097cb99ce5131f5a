/*
 * The authorization code grant for a machine without a browser: the browser, anywhere, ends at an address of its own
 * machine where nobody listens, and a person copies that address line here. PKCE binds the code to this process.
 */
#include "config.h"
#include "token/token.h"
#include "base/io.h"
#include "credentials/sha256.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { RANDOM_BYTES = 32, REQUEST_S = 30 };

static const char redirect[] = "http://127.0.0.1:53682/";

struct login {
	char state[64], verifier[64], challenge[64];
	char code[2048];
};

/* Base64 with the alphabet of URLs and no padding (RFC 4648 5). */
static int base64url(const void *p, size_t n, char *out, size_t size)
{
	struct buf b;
	int rc;

	buf_init(&b, size - 1);
	rc = base64_encode(&b, p, n);
	snprintf(out, size, "%s", buf_str(&b));
	buf_wipe(&b);
	for (char *c = out; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c == '=' ? '\0' : *c;
	return rc;
}

static int fill_secrets(struct login *l, struct error *err)
{
	unsigned char state[RANDOM_BYTES], verifier[RANDOM_BYTES], sum[SHA256_SIZE];
	struct span chosen;

	if (random_bytes(state, sizeof(state)) < 0 || random_bytes(verifier, sizeof(verifier)) < 0 ||
	    base64url(state, sizeof(state), l->state, sizeof(l->state)) < 0 ||
	    base64url(verifier, sizeof(verifier), l->verifier, sizeof(l->verifier)) < 0)
		return error_sys(err, REASON_TEMPORARY, "no random bytes");
	chosen = span_of(l->verifier);
	sha256(&chosen, 1, sum);
	base64url(sum, sizeof(sum), l->challenge, sizeof(l->challenge));
	return 0;
}

static void show_address(const struct oauth2 *o, const struct login *l)
{
	struct buf query;

	buf_init(&query, 8192);
	form_add(&query, "client_id", o->client_id);
	form_add(&query, "response_type", "code");
	form_add(&query, "redirect_uri", redirect);
	form_add(&query, "scope", o->scope);
	form_add(&query, "state", l->state);
	form_add(&query, "code_challenge", l->challenge);
	form_add(&query, "code_challenge_method", "S256");
	form_add(&query, "access_type", "offline"); /* Google: with a refresh token, ... */
	form_add(&query, "prompt", "consent");	   /* ... each time */
	form_add(&query, "login_hint", o->user);
	printf("To log in as %s, open this address in a browser on any machine:\n\n%s%c%s\n\n"
	       "In the end the browser can't reach a page of 127.0.0.1. Copy the whole address line of that page to "
	       "here:\n",
	       o->user, o->auth_endpoint, strchr(o->auth_endpoint, '?') ? '&' : '?', buf_str(&query));
	fflush(stdout);
	buf_free(&query);
}

/* Undoes %XX and '+' in a value of the query; false when it does not fit or holds a control byte. */
static bool decode(struct span s, char *out, size_t size)
{
	struct buf b = buf_over(out, size);

	while (s.n) {
		bool escape = s.p[0] == '%';
		int c = escape ? hex_byte(span_from(s, 1)) : s.p[0] == '+' ? ' ' : (unsigned char)s.p[0];

		if (c < ' ' || buf_addc(&b, (char)c) < 0)
			return false;
		s = span_from(s, escape ? 3 : 1);
	}
	return true;
}

static bool query_get(const char *line, const char *name, char *out, size_t size)
{
	const char *mark = strchr(line, '?');
	struct span rest = span_of(mark ? mark + 1 : ""), pair, key, value;

	while (span_word(&rest, "&#", &pair))
		if (span_cut(pair, '=', &key, &value) && span_is(key, name))
			return decode(value, out, size);
	return false;
}

/* The address line, of which state must be ours; or the code alone. */
static int take_line(struct login *l, const char *line, const struct oauth2 *o, struct error *err)
{
	char state[64] = "", refused[64];

	if (!strchr(line, '?')) {
		if (!*line || strlen(line) >= sizeof(l->code))
			return error_set(err, REASON_PERMISSION, "no address was given");
		memcpy(l->code, line, strlen(line) + 1);
		return 0;
	}
	if (!query_get(line, "state", state, sizeof(state)) || strcmp(state, l->state) != 0)
		return error_set(err, REASON_PERMISSION, "this address belongs to another login; begin again");
	if (query_get(line, "error", refused, sizeof(refused)))
		return error_set(err, REASON_PERMISSION, "OAuth2 for %s: the login was refused (%s)", o->user, refused);
	if (!query_get(line, "code", l->code, sizeof(l->code)))
		return error_set(err, REASON_PERMISSION, "there is no code in this address");
	return 0;
}

static int read_line(struct login *l, const struct oauth2 *o, struct error *err)
{
	char line[8192];
	struct span s;
	int rc;

	if (!fgets(line, sizeof(line), stdin))
		return error_set(err, REASON_PERMISSION, "no address was given");
	s = span_trim(span_of(line));
	memmove(line, s.p, s.n);
	line[s.n] = '\0';
	rc = take_line(l, line, o, err);
	explicit_bzero(line, sizeof(line));
	return rc;
}

static int exchange(struct token_store *s, const struct oauth2 *o, const struct login *l, struct error *err)
{
	struct buf form;

	grant_form(&form, o, "authorization_code");
	form_add(&form, "code", l->code);
	form_add(&form, "redirect_uri", redirect);
	form_add(&form, "code_verifier", l->verifier);
	return grant_post(s, o, &form, REQUEST_S, err);
}

int browser_login(struct token_store *s, const struct oauth2 *o, struct error *err)
{
	struct login l = {.code = ""};
	int rc;

	if (!*o->auth_endpoint)
		return error_set(err, REASON_CONFIG, "%s: auth_endpoint = https://... is missing", o->path);
	rc = fill_secrets(&l, err);
	if (rc == 0) {
		show_address(o, &l);
		rc = read_line(&l, o, err);
	}
	if (rc == 0)
		rc = exchange(s, o, &l, err);
	explicit_bzero(&l, sizeof(l));
	return rc;
}
