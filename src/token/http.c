#include "config.h"
#include "token/token.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

enum { CONNECT_S = 10 };

void form_add(struct buf *form, const char *name, const char *value)
{
	if (form->len)
		buf_addc(form, '&');
	buf_adds(form, name);
	buf_addc(form, '=');
	for (const char *v = value; *v; v++) {
		if (ascii_alpha(*v) || ascii_digit(*v) || strchr("-._~", *v))
			buf_addc(form, *v);
		else
			buf_addf(form, "%%%02X", (unsigned char)*v);
	}
}

static size_t take_body(char *p, size_t size, size_t n, void *arg)
{
	struct http_answer *a = arg;

	return buf_add(&a->body, p, size * n) == 0 ? size * n : 0;
}

/* Only https, verified, straight to where the file says: no redirect, no proxy of the environment. */
static void set_options(CURL *curl, const struct oauth2 *o, const char *url, const struct buf *form, int seconds,
			struct http_answer *a, char *words)
{
	curl_easy_setopt(curl, CURLOPT_URL, url);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
#else
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS, CURLPROTO_HTTPS);
#endif
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_PROXY, o->proxy);
	if (*o->ca_file)
		curl_easy_setopt(curl, CURLOPT_CAINFO, o->ca_file);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)(seconds < CONNECT_S ? seconds : CONNECT_S));
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)seconds);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, buf_str(form));
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)form->len);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, a);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
}

int http_post(const struct oauth2 *o, const char *url, const struct buf *form, int seconds, struct http_answer *a,
	      struct error *err)
{
	char words[CURL_ERROR_SIZE] = "";
	CURLcode rc;
	CURL *curl;

	buf_reset(&a->body);
	if (!buf_ok(form))
		return error_set(err, REASON_CONFIG, "the request would be too large");
	curl = curl_easy_init();
	if (!curl)
		return error_set(err, REASON_SYSTEM, "libcurl can't be started");
	set_options(curl, o, url, form, seconds, a, words);
	rc = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &a->status);
	curl_easy_cleanup(curl);
	if (rc == CURLE_OK)
		return 0;
	if (!buf_ok(&a->body))
		return error_set(err, REASON_CREDENTIAL_UNAVAILABLE, "%s answers with too much", url);
	return error_set(err, REASON_CREDENTIAL_UNAVAILABLE, "no token from %s: %s", url,
			 *words ? words : curl_easy_strerror(rc));
}
