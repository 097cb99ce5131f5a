/* test_channel.c: the bytes of a connection. */
#include "config.h"
#include "unit.h"
#include "smtp/connection/channel.h"

#include <sys/socket.h>
#include <unistd.h>

/* What the peer said before it closed is read, even where writing to it is what fails first. */
static void channel_last_words(void **state)
{
	static const char words[] = "552 5.3.4 too large\r\n";
	struct channel c;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	channel_init(&c);
	assert_int_equal(channel_open(&c, pair[0]), 0);
	assert_int_equal(write(pair[1], words, sizeof(words) - 1), sizeof(words) - 1);
	close(pair[1]);
	buf_adds(&c.out, "the body");
	assert_int_equal(channel_flush(&c), -1);
	assert_true(c.eof);
	assert_int_equal(c.in.len, sizeof(words) - 1);
	assert_memory_equal(c.in.data, words, sizeof(words) - 1);
	channel_close(&c);
}

/* What can't be read for want of memory is not waited for: it is there already. */
static void channel_without_memory(void **state)
{
	struct channel c;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	channel_init(&c);
	assert_int_equal(channel_open(&c, pair[0]), 0);
	assert_int_equal(write(pair[1], "220 x\r\n", 7), 7);
	c.in.failed = true;
	assert_int_equal(channel_fill(&c), -1);
	assert_true(c.eof);
	assert_string_equal(c.trouble, "no memory");
	channel_close(&c);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(channel_last_words),
		cmocka_unit_test(channel_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
