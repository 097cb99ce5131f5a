#include "config.h"
#include "base/reason.h"

#include <string.h>

static const struct {
	const char *name;
	enum reason_class class;
	int exit;
	const char *dsn, *text, *hint;
} table[REASONS] = {
	[REASON_NONE] = {"", CLASS_NONE, 0, "", "", ""},
#define REASON(id, name, class, exit, dsn, text, hint) [REASON_##id] = {name, CLASS_##class, exit, dsn, text, hint},
#include "base/reasons.def"
#undef REASON
};

enum reason_class reason_class(enum reason r)
{
	return table[r].class;
}

bool reason_needs_admin(enum reason r)
{
	return table[r].class == CLASS_LOGIN || table[r].class == CLASS_ADMIN;
}

int reason_exit(enum reason r)
{
	return table[r].exit;
}

const char *reason_dsn(enum reason r)
{
	return table[r].dsn;
}

const char *reason_name(enum reason r)
{
	return table[r].name;
}

const char *reason_text(enum reason r)
{
	return table[r].text;
}

const char *reason_hint(enum reason r)
{
	return table[r].hint;
}

const char *reason_class_name(enum reason_class c)
{
	static const char *const names[] = {
		[CLASS_NONE] = "none",	     [CLASS_LOCAL] = "local",	  [CLASS_RECIPIENT] = "recipient",
		[CLASS_MESSAGE] = "message", [CLASS_NETWORK] = "network", [CLASS_SLOW] = "slow",
		[CLASS_LOGIN] = "login",     [CLASS_ADMIN] = "admin",
	};

	return names[c];
}

enum reason reason_find(const char *name)
{
	for (int r = REASON_NONE + 1; name && r < REASONS; r++)
		if (strcmp(table[r].name, name) == 0)
			return (enum reason)r;
	return REASON_NONE;
}

enum reason reason_of_exit(int status)
{
	static const struct {
		int status;
		enum reason reason;
	} general[] = {
		{0, REASON_NONE},
		{EX_USAGE, REASON_USAGE},
		{EX_DATAERR, REASON_DATA},
		{EX_NOINPUT, REASON_NO_INPUT},
		{EX_NOUSER, REASON_NO_USER},
		{EX_UNAVAILABLE, REASON_UNAVAILABLE},
		{EX_OSERR, REASON_SYSTEM},
		{EX_OSFILE, REASON_SYSTEM_FILE},
		{EX_CANTCREAT, REASON_CANNOT_CREATE},
		{EX_IOERR, REASON_IO},
		{EX_TEMPFAIL, REASON_TEMPORARY},
		{EX_PROTOCOL, REASON_PROTOCOL},
		{EX_NOPERM, REASON_PERMISSION},
		{EX_CONFIG, REASON_CONFIG},
	};

	for (size_t i = 0; i < sizeof(general) / sizeof(general[0]); i++)
		if (general[i].status == status)
			return general[i].reason;
	return REASON_INTERNAL;
}
