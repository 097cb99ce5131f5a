#include "config.h"
#include "smtp/login/mechanism.h"
#include "base/text/text.h"

#include <stdio.h>
#include <string.h>

static const struct mechanism table[] = {
	{"EXTERNAL", 0, true, false, 'C', false, false},
	{"SCRAM-SHA-256-PLUS", MECH_DICTIONARY, true, true, 'P', false, true},
	{"SCRAM-SHA-1-PLUS", MECH_DICTIONARY, true, true, 'P', false, true},
	{"SCRAM-SHA-256", MECH_DICTIONARY, true, false, 'P', false, true},
	{"SCRAM-SHA-1", MECH_DICTIONARY, true, false, 'P', false, true},
	{"PLAIN", MECH_PLAINTEXT | MECH_ACTIVE | MECH_DICTIONARY | MECH_ONESIDED, true, false, 'P', false, false},
	{"LOGIN", MECH_PLAINTEXT | MECH_ACTIVE | MECH_DICTIONARY | MECH_ONESIDED, false, false, 'P', false, false},
	{"CRAM-MD5", MECH_ACTIVE | MECH_DICTIONARY | MECH_ONESIDED, false, false, 'P', false, true},
	{"OAUTHBEARER", MECH_PLAINTEXT | MECH_ACTIVE | MECH_ONESIDED, true, false, 'T', true, false},
	{"XOAUTH2", MECH_PLAINTEXT | MECH_ACTIVE | MECH_ONESIDED, true, false, 'T', true, false},
};

enum { MECHANISMS = sizeof(table) / sizeof(table[0]) };

static const struct {
	const char *word;
	unsigned weak;
} options[] = {
	{"noplaintext", MECH_PLAINTEXT},
	{"noactive", MECH_ACTIVE},
	{"nodictionary", MECH_DICTIONARY},
	{"mutual_auth", MECH_ONESIDED},
};

static bool in_list(const char *list, const char *name)
{
	struct span rest = span_of(list), word;

	while (span_word(&rest, ", \t", &word))
		if (span_iscase(word, name))
			return true;
	return false;
}

/* Postfix's match list: the first pattern that names it decides; "static:rest" (postconf(5)) names all. */
static bool filtered_out(const char *filter, const char *name)
{
	struct span rest = span_of(filter), word;

	if (!filter[0])
		return false;
	while (span_word(&rest, ", \t", &word)) {
		bool not = word.n && word.p[0] == '!';

		if (not) {
			word.p++;
			word.n--;
		}
		if (span_iscase(word, name) || (word.n > 7 && memcmp(word.p, "static:", 7) == 0))
			return not;
	}
	return true;
}

static const char *excluded_by_option(const char *list, unsigned weak)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if ((weak & options[i].weak) && in_list(list, options[i].word))
			return options[i].word;
	return NULL;
}

static const char *excluded(const struct mechanism_question *q, const struct mechanism *m)
{
	const char *option = excluded_by_option(q->options, m->weak);

	if (filtered_out(q->filter, m->name))
		return "smtp_sasl_mechanism_filter";
	if (option)
		return option;
	if (in_list(q->refused, m->name))
		return "refused by the relay";
	if (m->binding && !q->can_bind)
		return "no channel binding";
	if (m->prepares && q->unprepared)
		return "the password can't be prepared for it: SASLprep";
	if (m->secret == 'C' && !q->certificate)
		return "no client certificate";
	if (m->secret == 'P' && q->secret == 'T')
		return "the credential is a token, not a password";
	if (m->secret == 'T' && q->secret == 'P')
		return "the credential is a password, not an OAuth2 token";
	return NULL;
}

static const struct mechanism *find(struct span name)
{
	for (size_t i = 0; i < MECHANISMS; i++)
		if (span_iscase(name, table[i].name))
			return &table[i];
	return NULL;
}

static void explain(const struct mechanism_question *q, char *why, size_t size)
{
	struct span rest = span_of(q->offered), word;
	size_t n = 0;

	why[0] = '\0';
	while (span_word(&rest, " ", &word) && n + 100 < size) {
		const struct mechanism *m = find(word);
		const char *reason = m ? excluded(q, m) : "not known here";

		n += (size_t)snprintf(why + n, size - n, "%s%.*s (%s)", n ? ", " : "", (int)(word.n < 30 ? word.n : 30),
				      word.p, reason);
	}
}

const struct mechanism *mechanism_choose(const struct mechanism_question *q, char *why, size_t size)
{
	for (size_t i = 0; i < MECHANISMS; i++)
		if (in_list(q->offered, table[i].name) && !excluded(q, &table[i]))
			return &table[i];
	explain(q, why, size);
	return NULL;
}
