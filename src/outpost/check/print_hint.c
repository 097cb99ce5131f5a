#include "config.h"
#include "outpost/check/print_hint.h"

#include <string.h>

#include "base/text/span.h"

void hint_write(char out[HINT_SIZE], enum reason why, const struct relayhost *relay, const char *name)
{
	const struct {
		const char *word, *value;
	} words[] = {
		{"{host}", relay ? relay->host : "HOST"},
		{"{port}", relay ? relay->port : "587"},
		{"{name}", name && *name ? name : "NAME"},
	};
	const char *p = reason_hint(why);
	size_t n = 0;

	while (*p && n < HINT_SIZE - 1) {
		size_t i = 0;

		while (i < sizeof(words) / sizeof(words[0]) && strncmp(p, words[i].word, strlen(words[i].word)) != 0)
			i++;
		if (i == sizeof(words) / sizeof(words[0])) {
			out[n++] = *p++;
			continue;
		}
		snprintf(out + n, HINT_SIZE - n, "%s", words[i].value);
		n += strlen(out + n);
		p += strlen(words[i].word);
	}
	out[n] = '\0';
}

void hint_of_relay(char out[HINT_SIZE], struct conf *conf, const struct queue_relay *r)
{
	struct relayhost relay;
	struct error ignored;

	hint_write(out, r->reason, relayhost_parse(conf, r->nexthop, &relay, &ignored) == 0 ? &relay : NULL, NULL);
}

void hint_print(FILE *to, const char *hint, const char *first, const char *further)
{
	struct span rest = span_of(hint), line;

	while (span_word(&rest, "\n", &line)) {
		fprintf(to, "%s%.*s\n", first, (int)line.n, line.p);
		first = further;
	}
}
