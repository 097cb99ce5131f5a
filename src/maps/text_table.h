/* text_table.h: keys and values of a text file or an inline: map. Keys are folded to lower case, as postmap does. */
#ifndef MAPS_TEXT_TABLE_H
#define MAPS_TEXT_TABLE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/text/text.h"

struct text_pair;

struct text_table {
	struct text_pair *pairs;	/* sorted by key */
	size_t n, room;
	struct buf text;		/* keys and values, each ended by NUL */
	unsigned bad_line;		/* the first line of an alias file that is no alias; 0: none */
};

void text_table_init(struct text_table *t);
/* file is for error texts. alias: "name: value"; a line of another form is noted and skipped, as newaliases does. */
int text_table_parse(struct text_table *t, struct span text, const char *file, bool alias, struct error *err);
/* "{ {key = value}, key=value }"; name is the parameter, for error texts. */
int text_table_parse_inline(struct text_table *t, struct span text, const char *name, struct error *err);
/* The value of the first of equal keys, as in postmap; NULL: none. */
const char *text_table_get(const struct text_table *t, const char *key);
void text_table_forget_values(struct text_table *t);
void text_table_free(struct text_table *t);	/* wipes */

#endif
