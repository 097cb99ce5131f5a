#include "config.h"
#include "token/token.h"
#include "base/deadline.h"
#include "base/limits.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

enum { MARGIN_S = 300, LIFETIME_S = 3600, NEW_S = 30 };

int64_t now_s(void)
{
	return clock_wall_us() / 1000000;
}

/* RFC 6749 5.2: what the endpoint calls it, what we end with, what it means for a person. */
static const struct {
	const char *name;
	enum reason reason;
	const char *words;
} errors[] = {
	{"invalid_client", REASON_CREDENTIAL_CONFIG, "the provider does not accept client_id and client_secret"},
	{"unauthorized_client", REASON_CREDENTIAL_CONFIG, "the application is not allowed to use this grant"},
	{"unsupported_grant_type", REASON_CREDENTIAL_CONFIG, "the provider does not know this grant"},
	{"invalid_scope", REASON_CREDENTIAL_CONFIG,
	 "the provider does not allow this scope (Google's device flow is not for mail: use grant = "
	 "authorization_code)"},
	{"invalid_request", REASON_CREDENTIAL_CONFIG, "the provider does not understand the request"},
	{"invalid_grant", REASON_LOGIN_FAILED, "the stored login is no longer accepted; type: outpost login"},
	{"interaction_required", REASON_LOGIN_FAILED,
	 "the provider wants a person to log in again; type: outpost login"},
	{"access_denied", REASON_LOGIN_FAILED, "the login was refused"},
	{"expired_token", REASON_LOGIN_FAILED, "the code was not entered in time; try again"},
	{"temporarily_unavailable", REASON_CREDENTIAL_UNAVAILABLE, "the provider can't answer now"},
	{"server_error", REASON_CREDENTIAL_UNAVAILABLE, "the provider can't answer now"},
};

static void meaning(const char *name, long status, enum reason *reason, const char **words)
{
	*reason = status == 429 || status >= 500 ? REASON_CREDENTIAL_UNAVAILABLE : REASON_CREDENTIAL_CONFIG;
	*words = *reason == REASON_CREDENTIAL_UNAVAILABLE ? "the provider can't answer now" : "the provider refuses";
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strcmp(errors[i].name, name) == 0) {
			*reason = errors[i].reason;
			*words = errors[i].words;
		}
}

/* The description is the provider's own words, one line of them. */
static int refused(const struct oauth2 *o, const struct http_answer *a, char *name, size_t size, struct error *err)
{
	char description[2048] = "";
	struct buf shown;
	const char *words;
	enum reason reason;

	if (!json_is_object(&a->body) || !json_get(&a->body, "error", name, size)) {
		name[0] = '\0';
		return error_set(err, REASON_CREDENTIAL_UNAVAILABLE, "%s answers with status %ld and no token",
				 o->token_endpoint, a->status);
	}
	json_get(&a->body, "error_description", description, sizeof(description));
	description[strcspn(description, "\r\n")] = '\0';
	buf_init(&shown, 1024);
	text_printable(&shown, description, strlen(description), 250);
	meaning(name, a->status, &reason, &words);
	error_set(err, reason, "OAuth2 for %s: %s (%.60s%s%s)", o->user, words, name,
		  shown.len ? ": " : "", buf_str(&shown));
	buf_free(&shown);
	return -1;
}

int grant_take(struct token_store *s, const struct oauth2 *o, const struct http_answer *a, char *name, size_t size,
	       struct error *err)
{
	char type[64] = "", refresh[sizeof(s->refresh)], access[sizeof(s->access)];
	int64_t lifetime;

	if (a->status != 200)
		return refused(o, a, name, size, err);
	name[0] = '\0';
	if (!json_is_object(&a->body) || !json_get(&a->body, "access_token", access, sizeof(access)) || !*access ||
	    strpbrk(access, "\r\n"))
		return error_set(err, REASON_CREDENTIAL_UNAVAILABLE, "%s answers without an access token",
				 o->token_endpoint);
	if (json_get(&a->body, "token_type", type, sizeof(type)) && !ascii_case_equal(type, "bearer"))
		return error_set(err, REASON_CREDENTIAL_CONFIG, "%s gives tokens of type %.40s; Bearer is wanted",
				 o->token_endpoint, type);
	lifetime = json_number(&a->body, "expires_in", LIFETIME_S);
	memcpy(s->access, access, sizeof(access));
	s->issued = now_s();
	s->expires = s->issued + lifetime;
	if (json_get(&a->body, "refresh_token", refresh, sizeof(refresh)) && *refresh && !strpbrk(refresh, "\r\n"))
		memcpy(s->refresh, refresh, sizeof(refresh)); /* some hand out a new one each time */
	explicit_bzero(access, sizeof(access));
	explicit_bzero(refresh, sizeof(refresh));
	return 0;
}

int64_t grant_margin(const struct token_store *s)
{
	int64_t lifetime = s->expires - s->issued;

	return lifetime < 2 * MARGIN_S ? lifetime / 2 : MARGIN_S;
}

void grant_form(struct buf *form, const struct oauth2 *o, const char *grant_type)
{
	buf_init(form, 65536);
	form_add(form, "grant_type", grant_type);
	form_add(form, "client_id", o->client_id);
	if (*o->client_secret)
		form_add(form, "client_secret", o->client_secret);
}

int grant_post(struct token_store *s, const struct oauth2 *o, struct buf *form, int seconds, struct error *err)
{
	struct http_answer a = {.status = 0};
	char name[64];
	int rc;

	buf_init(&a.body, 262144);
	rc = http_post(o, o->token_endpoint, form, seconds, &a, err);
	if (rc == 0)
		rc = grant_take(s, o, &a, name, sizeof(name), err);
	buf_wipe(form);
	buf_wipe(&a.body);
	return rc;
}

static int fetch(struct token_store *s, const struct oauth2 *o, int seconds, struct error *err)
{
	const char *refresh = *s->refresh ? s->refresh : o->refresh_token;
	bool client = o->grant == GRANT_CLIENT;
	struct error unsaved;
	struct buf form;

	if (!client && !*refresh)
		return error_set(err, REASON_TOKEN_MISSING,
				 "nobody has logged in for %s yet; type: outpost login %s", o->user, o->user);
	grant_form(&form, o, client ? "client_credentials" : "refresh_token");
	if (!client)
		form_add(&form, "refresh_token", refresh);
	if (*o->scope)
		form_add(&form, "scope", o->scope);
	if (grant_post(s, o, &form, seconds, err) < 0)
		return -1;
	if (store_save(s, &unsaved) < 0)
		log_line(LOG_WARN, "credential", 0, "%s", unsaved.text); /* the token is good all the same */
	return 0;
}

int grant_get(struct token_store *s, const struct oauth2 *o, bool fresh, int seconds, struct error *err)
{
	int64_t now = now_s();
	bool usable = *s->access && s->expires > now && s->issued <= now + NEW_S;

	if (usable && !fresh && s->expires - grant_margin(s) > now)
		return 0;
	if (usable && fresh && s->issued + NEW_S > now)
		return 0; /* somebody else of us has just got it */
	if (fetch(s, o, seconds, err) == 0)
		return 0;
	return usable && !fresh && error_exit(err) == EX_TEMPFAIL ? 0 : -1;
}
