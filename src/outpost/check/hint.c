#include "config.h"
#include "outpost/check/hint.h"

#include <string.h>

void hint_add(struct buf *out, enum reason why, const struct relayhost *relay, const char *name)
{
	const struct {
		const char *word, *value;
	} words[] = {
		{"{host}", relay ? relay->host : "HOST"},
		{"{port}", relay ? relay->port : "587"},
		{"{name}", name && *name ? name : "NAME"},
	};
	const char *p = reason_hint(why);

	while (*p) {
		size_t i = 0;

		while (i < sizeof(words) / sizeof(words[0]) && strncmp(p, words[i].word, strlen(words[i].word)) != 0)
			i++;
		if (i == sizeof(words) / sizeof(words[0])) {
			buf_addc(out, *p++);
			continue;
		}
		buf_adds(out, words[i].value);
		p += strlen(words[i].word);
	}
}
