#include "config.h"
#include "token/token.h"
#include "base/deadline.h"
#include "base/io.h"
#include "base/proc.h"
#include "conf/conf.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIMIT_S = 18 };

struct job {
	bool fresh;
	int seconds;
	const char *tokens;
	struct oauth2 oauth2;
	struct token_store store;
};

int64_t now_s(void)
{
	return clock_wall_us() / 1000000;
}

static int usage(void)
{
	fputs("outpost-token: usage: outpost-token get [-f] [-l SECONDS] -t TOKENFILE FILE | login -t TOKENFILE FILE\n", stderr);
	return EX_USAGE;
}

static int print_token(const struct token_store *s, const struct oauth2 *o)
{
	int64_t left = s->expires - grant_margin(s) - now_s();

	printf("user=%s\ntoken=%s\nexpires=%lld\n", o->user, s->access, (long long)(left > 0 ? left : 0));
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

static int get(struct job *j, struct error *err)
{
	if (store_open(&j->store, j->tokens, &j->oauth2, j->seconds, err) < 0 ||
	    grant_get(&j->store, &j->oauth2, j->fresh, j->seconds, err) < 0)
		return -1;
	if (print_token(&j->store, &j->oauth2) != EX_OK)
		return error_sys(err, REASON_IO, "cannot write the token");
	return 0;
}

static int login(struct job *j, struct error *err)
{
	if (j->oauth2.grant == GRANT_CLIENT)
		return error_set(err, REASON_CONFIG, "%s: grant = client_credentials needs no login", j->oauth2.path);
	if (store_open(&j->store, j->tokens, &j->oauth2, j->seconds, err) < 0)
		return -1;
	return j->oauth2.grant == GRANT_BROWSER ? browser_login(&j->store, &j->oauth2, err)
						: device_login(&j->store, &j->oauth2, err);
}

/* For outpostd, which must not wait itself (conf.h, conf_credential_ask): "credential [-f] DIR RELAY SENDER". */
static int credential(int argc, char **argv)
{
	bool fresh = argc > 0 && strcmp(argv[0], "-f") == 0;
	struct buf answer;
	int rc = EX_OK;

	argc -= fresh;
	argv += fresh;
	if (argc != 3)
		return EX_USAGE;
	buf_init(&answer, 65536);
	if (conf_question_answer(argv[0], argv[1], argv[2], fresh, &answer) < 0 ||
	    io_write_all(STDOUT_FILENO, buf_str(&answer), answer.len, DEADLINE_NEVER) < 0)
		rc = EX_IOERR;
	buf_wipe(&answer);
	return rc;
}

static int run(struct job *j, const char *verb, const char *file)
{
	struct error err = {0};
	int rc = EX_USAGE;

	if (oauth2_load(file, &j->oauth2, &err) < 0)
		rc = -1;
	else if (strcmp(verb, "get") == 0)
		rc = get(j, &err);
	else if (strcmp(verb, "login") == 0)
		rc = login(j, &err);
	else
		return usage();
	if (rc == 0)
		return EX_OK;
	fflush(stdout);
	fprintf(stderr, "outpost-token: %s\n", err.text);
	return err.reason ? error_exit(&err) : EX_SOFTWARE;
}

static bool parse(struct job *j, int argc, char **argv)
{
	uint64_t seconds;
	int opt;

	j->seconds = LIMIT_S;
	while ((opt = getopt(argc, argv, "fl:t:")) != -1) {
		if (opt == 'f')
			j->fresh = true;
		else if (opt == 't')
			j->tokens = optarg;
		else if (opt == 'l' && text_u64(span_of(optarg), 3600, &seconds) && seconds)
			j->seconds = (int)seconds;
		else
			return false;
	}
	return j->tokens && optind + 1 == argc;
}

int main(int argc, char **argv)
{
	struct job *j = calloc(1, sizeof(*j));
	int rc;

	if (!j || io_standard_fds() < 0)
		return EX_OSERR;
	proc_settle();
	proc_hide();
	if (argc > 1 && strcmp(argv[1], "credential") == 0) {
		free(j);
		return credential(argc - 2, argv + 2);
	}
	if (argc < 2 || !parse(j, argc - 1, argv + 1))
		return usage();
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return EX_OSERR;
	rc = run(j, argv[1], argv[argc - 1]);
	store_close(&j->store);
	oauth2_wipe(&j->oauth2);
	free(j);
	curl_global_cleanup();
	return rc;
}
