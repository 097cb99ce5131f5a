/* The poll set: who is removed while others are served is not served, and the others keep their places. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "outpostd/loop.h"

enum { MANY = 40 };

static struct loop loop;
static struct watch watches[MANY];
static int pipes[MANY][2], served[MANY];

static void ready(void *arg, short revents)
{
	size_t i = (size_t)((struct watch *)arg - watches);
	char c;

	(void)revents;
	assert_int_equal(read(pipes[i][0], &c, 1), 1);
	served[i]++;
	if (i % 2 == 0 && i + 1 < MANY)
		loop_remove(&loop, &watches[i + 1]);
}

static void removal_while_serving(void **state)
{
	(void)state;
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(pipe(pipes[i]), 0);
		watches[i] = (struct watch){.fd = pipes[i][0], .events = POLLIN, .ready = ready, .arg = &watches[i]};
		assert_int_equal(loop_add(&loop, &watches[i]), 0);
		assert_int_equal(write(pipes[i][1], "x", 1), 1);
	}
	assert_int_equal(loop_turn(&loop, 0), 0);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(served[i], i % 2 == 0);
	/* Those who stayed are found at their new places. */
	for (int i = 0; i < MANY; i++)
		assert_int_equal(write(pipes[i][1], "x", 1), 1);
	loop_want(&loop, &watches[0], 0);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(served[0], 1);
	assert_int_equal(served[2], 2);
	assert_int_equal(served[1], 0);
	loop_free(&loop);
	for (int i = 0; i < MANY; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(removal_while_serving)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
