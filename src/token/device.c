/*
 * The device flow (RFC 8628): an address and a code for a browser anywhere, while this end asks again and again.
 */
#include "config.h"
#include "token/token.h"
#include "base/deadline.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { REQUEST_S = 30, INTERVAL_S = 5, CODE_LIFE_S = 900 };

struct device {
	char code[2048], user_code[128], uri[1024], complete[2048];
	int64_t expires, interval;
};

static int ask_code(const struct oauth2 *o, struct device *d, struct http_answer *a, struct error *err)
{
	char name[64];
	struct buf form;
	int rc;

	if (!*o->device_endpoint)
		return error_set(err, REASON_CONFIG, "%s: device_endpoint = https://... is missing", o->path);
	buf_init(&form, 8192);
	form_add(&form, "client_id", o->client_id);
	form_add(&form, "scope", o->scope);
	rc = http_post(o, o->device_endpoint, &form, REQUEST_S, a, err);
	buf_wipe(&form);
	if (rc < 0)
		return -1;
	if (a->status != 200) {
		struct token_store none; /* only the words of the refusal are wanted */

		return grant_take(&none, o, a, name, sizeof(name), err);
	}
	if (!json_is_object(&a->body) || !json_get(&a->body, "device_code", d->code, sizeof(d->code)) ||
	    !json_get(&a->body, "user_code", d->user_code, sizeof(d->user_code)) ||
	    (!json_get(&a->body, "verification_uri", d->uri, sizeof(d->uri)) &&
	     !json_get(&a->body, "verification_url", d->uri, sizeof(d->uri))))
		return error_set(err, REASON_TEMPORARY, "%s answers without a code", o->device_endpoint);
	json_get(&a->body, "verification_uri_complete", d->complete, sizeof(d->complete));
	d->interval = json_number(&a->body, "interval", INTERVAL_S);
	d->expires = now_s() + json_number(&a->body, "expires_in", CODE_LIFE_S);
	text_clean(d->user_code);
	text_clean(d->uri);
	text_clean(d->complete);
	return 0;
}

static void show_code(const struct oauth2 *o, const struct device *d)
{
	printf("To log in as %s, open\n\n    %s\n\nin a browser on any machine and enter the code\n\n    %s\n\n",
	       o->user, d->uri, d->user_code);
	if (*d->complete)
		printf("or open\n\n    %s\n\n", d->complete);
	fflush(stdout);
}

static void show_waiting(const struct device *d)
{
	int64_t left = d->expires - now_s();

	if (!isatty(STDOUT_FILENO))
		return;
	printf("\rwaiting, %lld:%02lld left ", (long long)(left / 60), (long long)(left % 60));
	fflush(stdout);
}

static void end_waiting(void)
{
	if (isatty(STDOUT_FILENO))
		printf("\r                          \r");
}

/* Sleeps for the interval, or until the code's end, the clock on the screen going on. */
static void wait_interval(const struct device *d)
{
	int64_t life = d->expires - now_s(), end = clock_mono_ms() + (d->interval < life ? d->interval : life) * 1000;

	for (int64_t left; (left = end - clock_mono_ms()) > 0;) {
		show_waiting(d);
		usleep((useconds_t)(left < 1000 ? left : 1000) * 1000);
	}
}

/* 0: logged in; 1: ask again; -1. */
static int poll_once(struct token_store *s, const struct oauth2 *o, struct device *d, const struct buf *form,
		     struct http_answer *a, struct error *err)
{
	char name[64];

	if (http_post(o, o->token_endpoint, form, REQUEST_S, a, err) < 0) {
		d->interval *= 2; /* RFC 8628 3.5: the network too is given time */
		return 1;
	}
	if (grant_take(s, o, a, name, sizeof(name), err) == 0)
		return 0;
	if (strcmp(name, "slow_down") == 0)
		d->interval += 5;
	if (strcmp(name, "slow_down") == 0 || strcmp(name, "authorization_pending") == 0 ||
	    error_exit(err) == EX_TEMPFAIL)
		return 1;
	return -1;
}

static int wait_for_login(struct token_store *s, const struct oauth2 *o, struct device *d, struct http_answer *a,
			  struct error *err)
{
	struct buf form;
	int rc = 1;

	grant_form(&form, o, "urn:ietf:params:oauth:grant-type:device_code");
	form_add(&form, "device_code", d->code);
	while (rc > 0) {
		wait_interval(d);
		if (now_s() >= d->expires)
			rc = error_set(err, REASON_PERMISSION, "the code was not entered in time; try again");
		else
			rc = poll_once(s, o, d, &form, a, err);
	}
	end_waiting();
	buf_wipe(&form);
	return rc;
}

int device_login(struct token_store *s, const struct oauth2 *o, struct error *err)
{
	struct http_answer a = {.status = 0};
	struct device d = {.expires = 0};
	int rc;

	buf_init(&a.body, 262144);
	rc = ask_code(o, &d, &a, err);
	if (rc == 0) {
		show_code(o, &d);
		rc = wait_for_login(s, o, &d, &a, err);
	}
	buf_wipe(&a.body);
	explicit_bzero(&d, sizeof(d));
	return rc;
}
