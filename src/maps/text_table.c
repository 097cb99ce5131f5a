#include "config.h"
#include "maps/text_table.h"
#include "base/array.h"
#include "base/limits.h"
#include "base/text/lines.h"

#include <stdlib.h>
#include <string.h>

struct text_pair {
	size_t key, value;	/* offsets into text */
	unsigned line;
};

void text_table_init(struct text_table *t)
{
	memset(t, 0, sizeof(*t));
	buf_init(&t->text, LIMIT_MAP_FILE);
}

static int out_of_memory(struct error *err)
{
	return error_set(err, REASON_SYSTEM, "out of memory");
}

static int add_pair(struct text_table *t, struct span key, struct span value, unsigned line, struct error *err)
{
	struct text_pair *pair = array_add(&t->pairs, &t->n, &t->room, sizeof(*pair));

	if (!pair)
		return out_of_memory(err);
	*pair = (struct text_pair){t->text.len, t->text.len + key.n + 1, line};
	for (size_t i = 0; i < key.n; i++)
		buf_addc(&t->text, ascii_lower(key.p[i]));
	buf_addc(&t->text, '\0');
	buf_add(&t->text, value.p, value.n);
	buf_addc(&t->text, '\0');
	return buf_ok(&t->text) ? 0 : out_of_memory(err);
}

static int by_key(const void *a, const void *b, void *text)
{
	const struct text_pair *x = a, *y = b;
	int order = strcmp((const char *)text + x->key, (const char *)text + y->key);

	return order ? order : (x->line < y->line ? -1 : x->line > y->line);
}

static void sort(struct text_table *t)
{
	if (t->n)
		qsort_r(t->pairs, t->n, sizeof(*t->pairs), by_key, t->text.data);
}

/* ---- reading */

/* Takes a key off the front: a "quoted one", or up to a blank (or a colon, in an alias file). */
static bool take_key(struct span *rest, bool alias, struct buf *key)
{
	size_t n = 0;

	if (rest->n && rest->p[0] == '"') {
		for (n = 1; n < rest->n && rest->p[n] != '"'; n++) {
			if (rest->p[n] == '\\' && n + 1 < rest->n)
				n++;
			buf_addc(key, rest->p[n]);
		}
		if (n >= rest->n)
			return false;
		n++;
	} else {
		while (n < rest->n && !ascii_space(rest->p[n]) && !(alias && rest->p[n] == ':'))
			n++;
		buf_add(key, rest->p, n);
	}
	*rest = span_trim(span_from(*rest, n));
	if (alias) {
		if (!rest->n || rest->p[0] != ':')
			return false;
		*rest = span_trim(span_from(*rest, 1));
	}
	return key->len > 0;
}

struct text_reader {
	struct text_table *table;
	const char *file;
	bool alias;
};

static int take_line(void *arg, struct span line, unsigned number, struct error *err)
{
	struct text_reader *r = arg;
	struct buf key;
	int rc = 0;

	if (memchr(line.p, '\0', line.n))
		return error_set(err, REASON_CONFIG, "%s:%u: a NUL byte", r->file, number);
	buf_init(&key, line.n + 1);
	if (take_key(&line, r->alias, &key))
		rc = add_pair(r->table, buf_span(&key), line, number, err);
	else if (!r->alias)
		rc = error_set(err, REASON_CONFIG, "%s:%u: a key, blanks and a value are wanted", r->file, number);
	else if (!r->table->bad_line)
		r->table->bad_line = number;
	buf_wipe(&key);
	return rc;
}

int text_table_parse(struct text_table *t, struct span text, const char *file, bool alias, struct error *err)
{
	struct text_reader r = {t, file, alias};
	int rc = lines_each(text, &(struct line_reader){.line = take_line, .arg = &r}, err);

	sort(t);
	return rc;
}

int text_table_parse_inline(struct text_table *t, struct span text, const char *name, struct error *err)
{
	struct span rest = list_unbraced(span_trim(text)), one;

	while (list_next(&rest, &one)) {
		struct span key, value;

		if (!span_cut(list_unbraced(one), '=', &key, &value))
			return error_set(err, REASON_CONFIG, "%s: inline: wants {key=value, {key = value with blanks}}",
					 name);
		if (add_pair(t, span_trim(key), span_trim(value), (unsigned)t->n, err) < 0)
			return -1;
	}
	sort(t);
	return 0;
}

/* ---- asking */

static const char *find(const struct text_table *t, const char *folded)
{
	size_t lo = 0, hi = t->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(t->text.data + t->pairs[mid].key, folded) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == t->n || strcmp(t->text.data + t->pairs[lo].key, folded) != 0)
		return NULL;
	return t->text.data + t->pairs[lo].value;
}

const char *text_table_get(const struct text_table *t, const char *key)
{
	const char *found;
	struct buf folded;

	if (!t->n)
		return NULL;
	buf_init(&folded, LIMIT_CONF_FILE);
	for (const char *k = key; *k; k++)
		buf_addc(&folded, ascii_lower(*k));
	found = buf_ok(&folded) ? find(t, buf_str(&folded)) : NULL;
	buf_free(&folded);
	return found;
}

void text_table_forget_values(struct text_table *t)
{
	for (size_t i = 0; i < t->n; i++)
		explicit_bzero(t->text.data + t->pairs[i].value, strlen(t->text.data + t->pairs[i].value));
}

void text_table_free(struct text_table *t)
{
	free(t->pairs);
	buf_wipe(&t->text);
}
