/*
 * outpost-token gets a credential that takes time, so that outpostd need not wait: it runs the programs of exec: maps,
 * and asks the token endpoints of oauth2: maps itself. It is also where a person logs in at a provider.
 */
#include "config.h"
#include "base/deadline.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/process/proc.h"
#include "credentials/credentials.h"
#if ENABLE_OAUTH2
#include "token/token.h"
#include <curl/curl.h>
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOCK_S = 18 };

/* What a credential is wanted with. */
struct job {
	struct conf *conf;
	bool fresh;		/* the relay refused the last token */
};

#if ENABLE_OAUTH2
struct account {
	struct oauth2 oauth2;
	struct token_store store;
};

static void free_account(struct account *a)
{
	if (!a)
		return;
	store_close(&a->store);
	oauth2_wipe(&a->oauth2);
	free(a);
	curl_global_cleanup();
}

/* The file of an oauth2: map, and its tokens, locked: NULL with *err. tokens NULL: where the file says. */
static struct account *open_account(const char *file, const char *tokens, const char *queue_dir, int seconds,
				    struct error *err)
{
	struct account *a = calloc(1, sizeof(*a));
	char path[4096];
	int rc;

	if (!a || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(a);
		error_set(err, REASON_SYSTEM, "out of memory");
		return NULL;
	}
	a->store.lock = -1;
	rc = oauth2_load(file, &a->oauth2, err);
	if (rc == 0 && !tokens)
		rc = oauth2_token_file(&a->oauth2, queue_dir, path, sizeof(path), err);
	if (rc == 0)
		rc = store_open(&a->store, tokens ? tokens : path, &a->oauth2, seconds, err);
	if (rc == 0)
		return a;
	free_account(a);
	return NULL;
}

static int get_token(void *arg, const char *file, struct credential *out, int64_t *keep_s, struct error *err)
{
	struct job *j = arg;
	int limit = (int)conf_seconds(j->conf, P_sasl_exec_timeout), seconds = limit > 3 ? limit - 2 : 1;
	struct account *a = open_account(file, NULL, conf_str(j->conf, P_queue_directory), seconds, err);
	int rc = a ? grant_get(&a->store, &a->oauth2, j->fresh, seconds, err) : -1;

	if (rc == 0) {
		int64_t left = a->store.expires - grant_margin(&a->store) - now_s();

		*keep_s = left > 0 ? left : 0;
		out->kind = 'T';
		buf_adds(&out->user, a->oauth2.user);
		buf_adds(&out->secret, a->store.access);
		rc = buf_ok(&out->user) && buf_ok(&out->secret)
			     ? 1
			     : error_set(err, REASON_CREDENTIAL_UNAVAILABLE, "the token is too long");
	}
	free_account(a);
	return rc;
}

static int login(const char *tokens, const char *file)
{
	struct error err = {0};
	struct account *a = open_account(file, tokens, NULL, LOCK_S, &err);
	int rc = -1;

	if (a && a->oauth2.grant == GRANT_CLIENT)
		error_set(&err, REASON_CONFIG, "%s: grant = client_credentials needs no login", file);
	else if (a)
		rc = a->oauth2.grant == GRANT_BROWSER ? browser_login(&a->store, &a->oauth2, &err)
						      : device_login(&a->store, &a->oauth2, &err);
	if (rc == 0 && !*a->store.refresh)
		rc = error_set(&err, REASON_CONFIG, "the provider gave no refresh token; the scope must ask for one "
						    "(Microsoft: offline_access)");
	if (rc == 0)
		rc = store_save(&a->store, &err);
	if (rc == 0)
		printf("Logged in as %s. outpost renews the token by itself.\n", a->oauth2.user);
	free_account(a);
	if (rc == 0)
		return EX_OK;
	fflush(stdout);
	fprintf(stderr, "outpost-token: %s\n", err.text);
	return err.reason ? error_exit(&err) : EX_SOFTWARE;
}
#else
static int get_token(void *arg, const char *file, struct credential *out, int64_t *keep_s, struct error *err)
{
	(void)arg;
	(void)out;
	(void)keep_s;
	return error_set(err, REASON_CONFIG, "oauth2:%s: this outpost was built with --disable-oauth2", file);
}
#endif

/* Where outpostd's own lines go: a program's complaints are looked for there. */
static void open_log(struct conf *c)
{
	const char *file = conf_str(c, P_maillog_file);

	log_open(*file ? LOG_TO_FILE : LOG_TO_SYSLOG, conf_str(c, P_syslog_name), file);
}

static int find(struct job *j, const char *dir, const char *relay, const char *sender, struct credential *cr,
		int64_t *keep_s, struct error *err)
{
	struct relayhost r;

	if (conf_load(dir, &j->conf, err) < 0)
		return -1;
	alarm(2 * (unsigned)conf_seconds(j->conf, P_sasl_exec_timeout) +
	      5); /* several programs may be asked, one after the other */
	open_log(j->conf);
	if (relayhost_parse(j->conf, relay, &r, err) < 0)
		return -1;
	return credentials_fetch(j->conf, &r, sender, get_token, j, cr, keep_s, err);
}

static int credential(struct job *j, const char *dir)
{
	const char *relay = getenv("OUTPOST_TOKEN_RELAY"), *sender = getenv("OUTPOST_TOKEN_SENDER");
	struct credential cr = {.kind = 0};
	struct error err = {0};
	struct buf answer;
	int64_t keep_s = 0;
	int rc = find(j, dir, relay ? relay : "", sender ? sender : "", &cr, &keep_s, &err);

	buf_init(&answer, 4 * LIMIT_SECRET);
	credentials_put_answer(&answer, rc, &cr, keep_s, &err);
	rc = buf_ok(&answer) && io_write_all(STDOUT_FILENO, buf_str(&answer), answer.len, DEADLINE_NEVER) == 0
		     ? EX_OK
		     : EX_IOERR;
	credential_wipe(&cr);
	buf_wipe(&answer);
	conf_free(j->conf);
	return rc;
}

int main(int argc, char **argv)
{
	struct job j = {.conf = NULL};

	if (io_standard_fds() < 0)
		return EX_OSERR;
	proc_settle();
	proc_hide();
	j.fresh = argc > 2 && strcmp(argv[2], "-f") == 0;
	if (argc == 3 + j.fresh && strcmp(argv[1], "credential") == 0)
		return credential(&j, argv[2 + j.fresh]);
#if ENABLE_OAUTH2
	if (argc == 4 && strcmp(argv[1], "login") == 0)
		return login(argv[2], argv[3]);
#endif
	fputs("outpost-token: usage: outpost-token credential [-f] DIR | login TOKENFILE FILE\n", stderr);
	return EX_USAGE;
}
