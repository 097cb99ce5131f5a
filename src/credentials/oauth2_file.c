#include "config.h"
#include "credentials/oauth2_file.h"
#include "base/files/trust.h"
#include "base/limits.h"
#include "base/text/lines.h"
#include "credentials/internal.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct setting {
	const char *name;
	size_t offset, size;
};

#define SETTING(member) {#member, offsetof(struct oauth2, member), sizeof(((struct oauth2 *)0)->member)}

static const struct setting settings[] = {
	SETTING(user),		SETTING(client_id),	 SETTING(client_secret),   SETTING(tenant),
	SETTING(scope),		SETTING(token_endpoint), SETTING(device_endpoint), SETTING(auth_endpoint),
	SETTING(refresh_token), SETTING(ca_file),	 SETTING(proxy),	   SETTING(token_file),
};

/* %s stands for the tenant. */
static const struct preset {
	const char *name;
	enum oauth2_grant grant;	/* when the file names none: Google's device flow is not for mail */
	const char *token, *device, *auth, *scope, *client_scope;
} presets[] = {
	{"microsoft", GRANT_DEVICE, "https://login.microsoftonline.com/%s/oauth2/v2.0/token",
	 "https://login.microsoftonline.com/%s/oauth2/v2.0/devicecode",
	 "https://login.microsoftonline.com/%s/oauth2/v2.0/authorize",
	 "https://outlook.office.com/SMTP.Send offline_access", "https://outlook.office365.com/.default"},
	{"google", GRANT_BROWSER, "https://oauth2.googleapis.com/token", "https://oauth2.googleapis.com/device/code",
	 "https://accounts.google.com/o/oauth2/v2/auth", "https://mail.google.com/", "https://mail.google.com/"},
};

static const struct {
	const char *name;
	enum oauth2_grant grant;
} grants[] = {{"refresh_token", GRANT_REFRESH}, {"client_credentials", GRANT_CLIENT}, {"device_code", GRANT_DEVICE},
	     {"authorization_code", GRANT_BROWSER}};

struct reader {
	struct oauth2 *o;
	const struct preset *preset;
};

static int bad(const struct oauth2 *o, unsigned line, struct error *err, const char *words)
{
	return error_set(err, REASON_CONFIG, "%s:%u: %s", o->path, line, words);
}

static int take_preset(struct reader *r, struct span value, unsigned line, struct error *err)
{
	for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++)
		if (span_iscase(value, presets[i].name)) {
			r->preset = &presets[i];
			return 0;
		}
	return bad(r->o, line, err, "preset is microsoft or google; others name token_endpoint and scope");
}

static int take_grant(struct reader *r, struct span value, unsigned line, struct error *err)
{
	for (size_t i = 0; i < sizeof(grants) / sizeof(grants[0]); i++)
		if (span_iscase(value, grants[i].name)) {
			r->o->grant = grants[i].grant;
			return 0;
		}
	return bad(r->o, line, err, "grant is refresh_token, device_code, authorization_code or client_credentials");
}

static int take_setting(struct reader *r, struct span name, struct span value, unsigned line, struct error *err)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (!span_is(name, settings[i].name))
			continue;
		return span_copy(value, (char *)r->o + settings[i].offset, settings[i].size)
			       ? 0 : bad(r->o, line, err, "the value is too long");
	}
	return bad(r->o, line, err,
		   "the name is none of preset user grant client_id client_secret tenant scope token_endpoint "
		   "device_endpoint "
		   "auth_endpoint refresh_token ca_file proxy token_file");
}

static int take_line(void *arg, struct span text, unsigned line, struct error *err)
{
	struct reader *r = arg;
	struct span name, value;

	if (!span_cut(text, '=', &name, &value))
		return bad(r->o, line, err, "name = value is wanted");
	name = span_trim(name);
	value = span_trim(value);
	if (span_is(name, "preset"))
		return take_preset(r, value, line, err);
	if (span_is(name, "grant"))
		return take_grant(r, value, line, err);
	return take_setting(r, name, value, line, err);
}

static void put_tenant(const char *pattern, const char *tenant, char *out, size_t size)
{
	const char *mark = strstr(pattern, "%s");

	if (*out)
		return;
	if (mark)
		snprintf(out, size, "%.*s%s%s", (int)(mark - pattern), pattern, tenant, mark + 2);
	else
		snprintf(out, size, "%s", pattern);
}

static void apply_preset(struct oauth2 *o, const struct preset *p)
{
	const char *tenant = *o->tenant ? o->tenant : "common";

	put_tenant(p->token, tenant, o->token_endpoint, sizeof(o->token_endpoint));
	put_tenant(p->auth, tenant, o->auth_endpoint, sizeof(o->auth_endpoint));
	put_tenant(p->device, tenant, o->device_endpoint, sizeof(o->device_endpoint));
	if (!o->grant)
		o->grant = p->grant;
	if (!*o->scope)
		snprintf(o->scope, sizeof(o->scope), "%s", o->grant == GRANT_CLIENT ? p->client_scope : p->scope);
}

static int incomplete(const struct oauth2 *o, struct error *err, const char *words)
{
	return error_set(err, REASON_CONFIG, "%s: %s", o->path, words);
}

static int check(const struct oauth2 *o, struct error *err)
{
	if (!*o->user)
		return incomplete(o, err, "user = (the name to log in with) is missing");
	if (!*o->client_id)
		return incomplete(o, err, "client_id = (of the application registered at the provider) is missing");
	if (!*o->token_endpoint)
		return incomplete(o, err, "preset = microsoft or google, or token_endpoint = https://... is missing");
	if (strncmp(o->token_endpoint, "https://", 8) != 0 ||
	    (*o->device_endpoint && strncmp(o->device_endpoint, "https://", 8) != 0) ||
	    (*o->auth_endpoint && strncmp(o->auth_endpoint, "https://", 8) != 0))
		return incomplete(o, err, "an endpoint must begin with https://");
	if (o->grant == GRANT_CLIENT && !*o->client_secret)
		return incomplete(o, err, "grant = client_credentials needs client_secret");
	return 0;
}

int oauth2_load(const char *path, struct oauth2 *o, struct error *err)
{
	struct reader r = {.o = o};
	struct buf text;
	int rc;

	memset(o, 0, sizeof(*o));
	snprintf(o->path, sizeof(o->path), "%s", path);
	buf_init(&text, LIMIT_CONF_FILE);
	rc = trust_read_public(path, &text, NULL, err);
	if (rc == 0)
		rc = lines_each(buf_span(&text),
				&(struct line_reader){.line = take_line, .arg = &r}, err);
	buf_wipe(&text);
	if (rc == 0 && r.preset)
		apply_preset(o, r.preset);
	if (rc == 0 && !o->grant)
		o->grant = GRANT_DEVICE;
	if (rc == 0)
		rc = check(o, err);
	if (rc < 0)
		oauth2_wipe(o);
	return rc;
}

void oauth2_wipe(struct oauth2 *o)
{
	explicit_bzero(o, sizeof(*o));
}

int oauth2_token_file(const struct oauth2 *o, const char *queue_dir, char *out, size_t size, struct error *err)
{
	char user[sizeof(o->user)];
	int n;

	snprintf(user, sizeof(user), "%s", o->user);
	for (char *p = user; *p; p++)
		if (!ascii_alpha(*p) && !ascii_digit(*p) && !strchr("@.-_+", *p))
			*p = '_';
	if (*o->token_file)
		n = snprintf(out, size, "%s", o->token_file);
	else
		n = snprintf(out, size, "%s/oauth2-%s", queue_dir, user);
	if (n < 0 || (size_t)n >= size || out[0] != '/')
		return error_set(err, REASON_CONFIG, "%s: token_file is no absolute path", o->path);
	return 0;
}

/* ---- from main.cf */

static int try_file(struct conf *c, const char *path, const char *user, char *tokens, size_t tsize, struct error *err)
{
	struct oauth2 *o = malloc(sizeof(*o));
	int rc;

	if (!o)
		return error_set(err, REASON_SYSTEM, "out of memory");
	rc = oauth2_load(path, o, err);
	if (rc == 0 && user && !ascii_case_equal(user, o->user))
		rc = 1;
	if (rc == 0)
		rc = oauth2_token_file(o, conf_str(c, P_queue_directory), tokens, tsize, err);
	oauth2_wipe(o);
	free(o);
	return rc;
}

/* Takes the next oauth2: map's file off the list. */
static bool next_file(struct conf *c, struct span *rest, char *file, size_t size)
{
	struct map_list l = password_maps(c);
	enum map_kind kind;
	struct span one, source;

	while (list_next(rest, &one)) {
		char *path = map_split(one, &kind, &source) && kind == MAP_OAUTH2 ? map_path(&l, kind, source) : NULL;
		bool fits = path && snprintf(file, size, "%s", path) < (int)size;

		free(path);
		if (fits)
			return true;
	}
	return false;
}

int credentials_oauth2_file(struct conf *c, const char *user, char *file, size_t fsize, char *tokens, size_t tsize,
			    struct error *err)
{
	struct span rest = span_of(conf_str(c, P_smtp_sasl_password_maps));

	while (next_file(c, &rest, file, fsize)) {
		int rc = try_file(c, file, user, tokens, tsize, err);

		if (rc <= 0)
			return rc;
	}
	if (user)
		return error_set(err, REASON_CONFIG, "no oauth2: map in smtp_sasl_password_maps is for user %s", user);
	return error_set(err, REASON_CONFIG, "smtp_sasl_password_maps names no oauth2: map");
}

bool credentials_oauth2_tokens(struct conf *c, size_t n, char *tokens, size_t size)
{
	struct span rest = span_of(conf_str(c, P_smtp_sasl_password_maps));
	struct error ignored = {0};
	char file[4096];

	while (next_file(c, &rest, file, sizeof(file))) {
		if (n-- > 0)
			continue;
		if (try_file(c, file, NULL, tokens, size, &ignored) < 0)
			tokens[0] = '\0';
		return true;
	}
	return false;
}
