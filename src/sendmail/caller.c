#include "config.h"
#include "sendmail/caller.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text/text.h"

static struct {
	bool known;
	char login[256];
	char gecos[512];
} caller;

static void look_up(void)
{
	const struct passwd *pw;

	if (caller.known)
		return;
	caller.known = true;
	pw = getpwuid(getuid());
	if (pw && pw->pw_name[0])
		snprintf(caller.login, sizeof(caller.login), "%s", pw->pw_name);
	else
		snprintf(caller.login, sizeof(caller.login), "uid%lu", (unsigned long)getuid());
	if (pw && pw->pw_gecos)
		snprintf(caller.gecos, sizeof(caller.gecos), "%s", pw->pw_gecos);
}

const char *caller_login(void)
{
	look_up();
	return caller.login;
}

static void put_capital(struct buf *out, const char *name)
{
	char first = *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;

	buf_addc(out, first);
	buf_adds(out, name + 1);
}

void caller_full_name(const char *option, struct buf *out)
{
	const char *name = option ? option : getenv("NAME");

	if (name) {
		buf_adds(out, name);
		return;
	}
	look_up();
	for (const char *p = caller.gecos; *p && *p != ','; p++) {
		if (*p == '&')
			put_capital(out, caller.login);
		else
			buf_addc(out, *p);
	}
}
