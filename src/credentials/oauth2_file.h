/*
 * oauth2_file.h: the file behind oauth2:FILE (sasl_passwd(5)): who, at which provider, by which grant.
 */
#ifndef CREDENTIALS_OAUTH2_FILE_H
#define CREDENTIALS_OAUTH2_FILE_H

#include <stddef.h>

#include "base/error.h"

enum oauth2_grant { GRANT_REFRESH = 1, GRANT_CLIENT, GRANT_DEVICE, GRANT_BROWSER };

struct oauth2 {
	char path[4096];		/* the file itself, for error texts */
	char user[320];
	char client_id[512], client_secret[2048];
	enum oauth2_grant grant;
	char tenant[256];
	char scope[1024];
	char token_endpoint[1024], device_endpoint[1024], auth_endpoint[1024];
	char refresh_token[8192];	/* written into the file by hand; "" */
	char ca_file[1024], proxy[1024];
	char token_file[4096];		/* "": $queue_directory/oauth2-USER */
};

/* EX_CONFIG names file and line, never a value. */
int oauth2_load(const char *path, struct oauth2 *o, struct error *err);
void oauth2_wipe(struct oauth2 *o);

/* The token file in out: as the file says, else in the queue directory under the user's name. */
int oauth2_token_file(const struct oauth2 *o, const char *queue_dir, char *out, size_t size, struct error *err);

#endif
