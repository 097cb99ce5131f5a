/* queue/statements.def: no statement walks through a table. */
#include "config.h"
#include "tests/unit/queue_fixture.h"

/* Nothing that is asked often may walk through a table or sort. */
static void test_query_plans(void **state)
{
	static const enum sql may_scan[] = {SQL_TOTALS, SQL_RELAY_FORGET,
					   SQL_SIZES}; /* few rows; once an hour; on a full disk */

	(void)state;
	for (int i = 0; i < SQL_COUNT; i++) {
		char sql[2048];
		sqlite3_stmt *st;

		assert_non_null(queue_sql[i]);
		snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", queue_sql[i]);
		if (sqlite3_prepare_v2(q->db, sql, -1, &st, NULL) != SQLITE_OK)
			fail_msg("%s: %s", queue_sql[i], sqlite3_errmsg(q->db));
		while (sqlite3_step(st) == SQLITE_ROW) {
			const char *plan = (const char *)sqlite3_column_text(st, 3);

			if (i == (int)may_scan[0] || i == (int)may_scan[1] || i == (int)may_scan[2])
				continue;
			if ((strncmp(plan, "SCAN", 4) == 0 && strcmp(plan, "SCAN CONSTANT ROW") != 0) ||
			    strstr(plan, "TEMP B-TREE"))
				fail_msg("%s: %s", queue_sql[i], plan);
		}
		sqlite3_finalize(st);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_QUEUE(test_query_plans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
