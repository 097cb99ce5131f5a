#include "config.h"
#include "submission/record.h"
#include "submission/submission.h"

#include "base/limits.h"

static const struct record_kind kinds[] = {
	{'K', false, false, SUBMISSION_TOKEN, SUBMISSION_TOKEN, "token"},
	{'S', false, true, 0, LIMIT_ADDRESS, "sender address"},
	{'R', true, true, 1, LIMIT_ADDRESS, "recipient address"},
	{'N', true, false, 1, 1, "NOTIFY option"},
	{'O', true, true, 3, LIMIT_ORCPT, "original recipient"},
	{'I', false, true, 1, LIMIT_ENVID, "envelope id"},
	{'T', false, false, 1, 1, "RET option"},
	{'B', false, false, 1, 1, "body type"},
	{'U', false, false, 0, 0, "SMTPUTF8 option"},
	{'Q', false, false, 0, 0, "queue-only option"},
	{'X', false, false, 4, 4, "header size"},
	{'M', true, false, 1, LIMIT_CHUNK, "piece of the message"},
	{'Z', false, false, 8, 8, "end record"},
};

const struct record_kind *record_kind(char type)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].type == type)
			return &kinds[i];
	return NULL;
}

bool submission_notify(struct span list, unsigned *bits)
{
	static const char *const names[] = {"NEVER", "SUCCESS", "FAILURE", "DELAY"};
	struct span word;
	unsigned seen = 0;

	while (span_word(&list, ", ", &word)) {
		unsigned i = 0;

		while (i < 4 && !span_iscase(word, names[i]))
			i++;
		if (i == 4)
			return false;
		seen |= 1u << i;
	}
	*bits = seen;
	return seen && (seen == DSN_NEVER || !(seen & DSN_NEVER));
}
