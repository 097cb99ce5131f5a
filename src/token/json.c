#include "config.h"
#include "token/token.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

/* One value of one row of "SELECT sql(?1, ?2)", as text. */
static bool ask(const char *sql, const struct buf *text, const char *path, char *out, size_t size)
{
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db = NULL;
	bool found = false;

	out[0] = '\0';
	if (sqlite3_open(":memory:", &db) == SQLITE_OK && sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_bind_text(stmt, 1, buf_str(text), (int)text->len, SQLITE_STATIC) == SQLITE_OK &&
	    (!path || sqlite3_bind_text(stmt, 2, path, -1, SQLITE_STATIC) == SQLITE_OK) &&
	    sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL) {
		const char *value = (const char *)sqlite3_column_text(stmt, 0);
		int n = sqlite3_column_bytes(stmt, 0);

		found = value && n >= 0 && (size_t)n < size && !memchr(value, '\0', (size_t)n);
		if (found)
			memcpy(out, value, (size_t)n + 1);
	}
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return found;
}

bool json_is_object(const struct buf *text)
{
	char said[16];

	return ask("SELECT CASE WHEN json_valid(?1) THEN json_type(?1) END", text, NULL, said, sizeof(said)) &&
	       strcmp(said, "object") == 0;
}

bool json_get(const struct buf *text, const char *name, char *out, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), "$.\"%s\"", name);
	return ask("SELECT CASE WHEN json_type(?1, ?2) IN ('text', 'integer', 'real') THEN json_extract(?1, ?2) END",
		   text, path, out, size);
}

int64_t json_number(const struct buf *text, const char *name, int64_t otherwise)
{
	uint64_t v;
	char said[32];

	if (!json_get(text, name, said, sizeof(said)))
		return otherwise;
	said[strcspn(said, ".")] = '\0'; /* 3599.0 */
	return text_u64(span_of(said), INT32_MAX, &v) ? (int64_t)v : otherwise;
}
