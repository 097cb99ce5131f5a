/* test_window.c: how many transactions may be in flight. */
#include "config.h"
#include "unit.h"
#include "smtp/transaction/window.h"

static void window_grows_and_shrinks(void **state)
{
	struct delivery_known k = {0};
	struct window w;

	(void)state;
	window_init(&w, 20, true, &k);
	assert_false(window_wants_proof(&w, 10));
	window_accepted(&w);
	assert_false(window_wants_proof(&w, 2));
	assert_true(window_wants_proof(&w, 3));
	assert_false(window_open(&w, 0, 0, 100));
	w.proof = PROOF_YES;
	assert_int_equal(w.size, 4);
	for (int i = 0; i < 3; i++)
		window_accepted(&w);
	assert_int_equal(w.size, 8);
	for (int i = 0; i < 8; i++)
		window_accepted(&w);
	assert_int_equal(w.size, 16);
	for (int i = 0; i < 100; i++)
		window_accepted(&w);
	assert_int_equal(w.size, 20);
	assert_true(window_open(&w, 19, 1000, 1000));
	assert_false(window_open(&w, 20, 1000, 1000));
	assert_false(window_open(&w, 3, WINDOW_BYTES, 1));
	assert_true(window_open(&w, 0, 0, WINDOW_BYTES * 2));
	window_refused(&w);
	assert_int_equal(w.size, 4);
	assert_false(window_tired(&w));
	for (int i = 0; i < 3; i++)
		window_refused(&w);
	assert_true(window_tired(&w));
	window_accepted(&w);
	assert_false(window_tired(&w));
	window_halve(&w);
	assert_int_equal(w.size, 2);
	window_halve(&w);
	window_halve(&w);
	assert_int_equal(w.size, 1);
	window_refused(&w);
	assert_int_equal(w.size, 1);
	k = (struct delivery_known){.flight = FLIGHT_YES, .window = 11};
	window_init(&w, 20, true, &k);
	assert_int_equal(w.size, 11);
	window_init(&w, 8, true, &k);
	assert_int_equal(w.size, 8);
}

static void window_only_where_it_is_safe(void **state)
{
	const struct delivery_known none = {0}, yes = {.flight = FLIGHT_YES}, no = {.flight = FLIGHT_NO},
				    keeps = {.flight = FLIGHT_YES, .no_rset = true};
	struct window w;

	(void)state;
	window_init(&w, 20, false, &none);
	window_accepted(&w);
	assert_false(window_wants_proof(&w, 100));
	window_init(&w, 1, true, &yes);
	assert_false(window_open(&w, 0, 0, 1));
	window_init(&w, 20, true, &keeps);
	window_accepted(&w);
	assert_false(window_open(&w, 0, 0, 1));
	window_init(&w, 20, true, &no);
	window_accepted(&w);
	assert_false(window_wants_proof(&w, 100) || window_open(&w, 0, 0, 1));
	window_init(&w, 20, true, &yes);
	assert_false(window_open(&w, 0, 0, 1));
	window_accepted(&w);
	assert_true(window_open(&w, 0, 0, 1));
	window_init(&w, 3, true, &yes);
	assert_int_equal(w.size, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(window_grows_and_shrinks),
		cmocka_unit_test(window_only_where_it_is_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
