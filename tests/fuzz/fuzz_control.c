/* fuzz_control.c: the request parser: what it takes can be written again and read to the same words. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "control/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *words[CONTROL_ARGS], *again[CONTROL_ARGS];
	struct buf line;
	int n = control_get_request((const char *)data, size, words, CONTROL_ARGS), m;

	if (n < 0)
		return 0;
	must(n >= 1 && n <= CONTROL_ARGS);
	buf_init(&line, 4 * size + LIMIT_ADDRESS * 4);
	must(control_put_request(&line, (const char *const *)words, (size_t)n) == 0);
	must(line.data[line.len - 1] == '\n' && !memchr(line.data, '\n', line.len - 1));
	m = control_get_request(line.data, line.len - 1, again, CONTROL_ARGS);
	must(m == n);
	for (int i = 0; i < n; i++)
		must(strcmp(words[i], again[i]) == 0);
	control_free_words(again, m);
	control_free_words(words, n);
	buf_free(&line);
	return 0;
}
