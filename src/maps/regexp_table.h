/*
 * regexp_table.h: regexp: tables (regexp_table(5)): /pattern/flags result, !/pattern/, if /pattern/ ... endif, $1 in
 * the result. pcre: tables too, as far as POSIX extended expressions can express them.
 */
#ifndef MAPS_REGEXP_TABLE_H
#define MAPS_REGEXP_TABLE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/text/text.h"

struct regexp_table;
/* file is for error texts, which show no more of a line than its number. fixed: no result may hold a part of the
 * key. */
int regexp_table_parse(struct span text, const char *file, bool pcre, bool fixed, struct regexp_table **out,
		       struct error *err);
/* 1: matched, the result appended to value; 0. NULL matches nothing. */
int regexp_table_get(const struct regexp_table *r, const char *key, struct buf *value);
void regexp_table_free(struct regexp_table *r);	/* wipes; NULL is fine */

#endif
