#include "config.h"
#include "maps/regexp_table.h"
#include "base/limits.h"
#include "base/text/lines.h"

#include <regex.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum rule_kind { RULE_MATCH, RULE_IF, RULE_ENDIF };
enum { GROUPS = 10 };

struct rule {
	enum rule_kind kind;
	bool negate;
	regex_t re;
	char *result;
};

struct regexp_table {
	struct rule *rules;
	size_t n;
	unsigned open;		/* ifs without endif, while parsing */
	const char *file;
	bool pcre, fixed;
};

void regexp_table_free(struct regexp_table *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++) {
		if (r->rules[i].kind != RULE_ENDIF)
			regfree(&r->rules[i].re);
		if (r->rules[i].result)
			explicit_bzero(r->rules[i].result, strlen(r->rules[i].result));
		free(r->rules[i].result);
	}
	free(r->rules);
	free(r);
}

static const struct {
	char letter;
	const char *outside, *inside;	/* of [...] */
} escapes[] = {
	{'d', "[0-9]", "0-9"}, {'D', "[^0-9]", NULL}, {'w', "[[:alnum:]_]", "[:alnum:]_"}, {'W', "[^[:alnum:]_]", NULL},
	{'s', "[[:space:]]", "[:space:]"}, {'S', "[^[:space:]]", NULL},
};

/* One \x of a Perl expression; false when POSIX can't say it. */
static bool perl_escape(char letter, bool inside, struct buf *out)
{
	for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
		const char *said = inside ? escapes[i].inside : escapes[i].outside;

		if (escapes[i].letter == letter)
			return said && buf_adds(out, said) == 0;
	}
	if (ascii_alpha(letter) || (inside && strchr("]^-\\", letter)))
		return false;
	if (!inside)
		buf_addc(out, '\\');
	return buf_addc(out, letter) == 0;
}

static bool from_perl(struct span p, struct buf *out)
{
	bool inside = false;

	for (size_t i = 0; i < p.n; i++) {
		char b = p.p[i];

		if (b == '\\') {
			if (++i >= p.n || !perl_escape(p.p[i], inside, out))
				return false;
			continue;
		}
		if (!inside && b == '?' && i && strchr("*+?}(", p.p[i - 1]))
			return false; /* lazy, possessive, (?...) */
		if (!inside && b == '[') {
			inside = true;
			buf_addc(out, b);
			if (i + 1 < p.n && p.p[i + 1] == '^')
				buf_addc(out, p.p[++i]);
			if (i + 1 < p.n && p.p[i + 1] == ']')
				buf_addc(out, p.p[++i]);
			continue;
		}
		if (inside && b == ']')
			inside = false;
		buf_addc(out, b);
	}
	return true;
}

static int bad_rule(const struct regexp_table *r, unsigned line, struct error *err, const char *what)
{
	return error_set(err, REASON_CONFIG, "%s:%u: %s", r->file, line, what);
}

/* "/pattern/flags" off the front of s. */
static int take_pattern(struct regexp_table *r, struct span *s, regex_t *re, unsigned line, struct error *err)
{
	int flags = REG_EXTENDED | REG_ICASE, rc;
	struct buf pattern, posix;
	size_t n = 1;
	char end;

	if (!s->n || ascii_alpha(s->p[0]) || ascii_digit(s->p[0]) || s->p[0] == '\\')
		return bad_rule(r, line, err, "/pattern/ is wanted");
	end = s->p[0];
	buf_init(&pattern, LIMIT_CONF_FILE);
	buf_init(&posix, LIMIT_CONF_FILE);
	for (; n < s->n && s->p[n] != end; n++) {
		if (s->p[n] == '\\' && n + 1 < s->n) {
			if (s->p[n + 1] != end)
				buf_addc(&pattern, '\\');
			n++;
		}
		buf_addc(&pattern, s->p[n]);
	}
	if (n >= s->n) {
		buf_free(&pattern);
		return bad_rule(r, line, err, "the pattern is not closed");
	}
	for (n++; n < s->n && ascii_alpha(s->p[n]); n++)
		flags ^= s->p[n] == 'i'		      ? REG_ICASE
			 : s->p[n] == 'x' && !r->pcre ? REG_EXTENDED
			 : s->p[n] == 'm'	      ? REG_NEWLINE
						      : 0;
	*s = span_trim((struct span){s->p + n, s->n - n});
	if (r->pcre && !from_perl((struct span){buf_str(&pattern), pattern.len}, &posix))
		rc = bad_rule(r, line, err,
			      "this pattern needs Perl's expressions; write it as a POSIX extended one and name the "
			      "map regexp:");
	else if (regcomp(re, buf_str(r->pcre ? &posix : &pattern), flags) != 0)
		rc = bad_rule(r, line, err, "the pattern is not a regular expression");
	else
		rc = 0;
	buf_free(&pattern);
	buf_free(&posix);
	return rc;
}

static struct rule *new_rule(struct regexp_table *r)
{
	struct rule *more = realloc(r->rules, (r->n + 1) * sizeof(*more));

	if (!more)
		return NULL;
	r->rules = more;
	memset(&more[r->n], 0, sizeof(*more));
	return &more[r->n];
}

static bool take_word(struct span *s, const char *word)
{
	size_t n = strlen(word);

	if (s->n < n || strncasecmp(s->p, word, n) != 0 || (s->n > n && (ascii_alpha(s->p[n]) || ascii_digit(s->p[n]))))
		return false;
	*s = span_trim((struct span){s->p + n, s->n - n});
	return true;
}

/* The digit of $1, ${1}, $(1) at p, or NUL. */
static char group_at(const char *p)
{
	char digit = *p == '$' && p[1] ? p[1 + (p[1] == '{' || p[1] == '(')] : '\0';

	return ascii_digit(digit) ? digit : '\0';
}

static bool has_group(const char *result)
{
	for (const char *p = result; *p; p++) {
		if (group_at(p))
			return true;
		p += p[0] == '$' && p[1] == '$';
	}
	return false;
}

static int take_rule(void *arg, struct span line, unsigned number, struct error *err)
{
	struct regexp_table *r = arg;
	struct rule *rule = new_rule(r);

	if (!rule)
		return error_set(err, REASON_SYSTEM, "out of memory");
	if (take_word(&line, "endif")) {
		if (!r->open--)
			return bad_rule(r, number, err, "endif without if");
		rule->kind = RULE_ENDIF;
		r->n++;
		return 0;
	}
	if (take_word(&line, "if")) {
		rule->kind = RULE_IF;
		r->open++;
	}
	if (line.n && line.p[0] == '!') {
		rule->negate = true;
		line = span_trim((struct span){line.p + 1, line.n - 1});
	}
	if (take_pattern(r, &line, &rule->re, number, err) < 0)
		return -1;
	r->n++;
	if (rule->kind == RULE_MATCH && !(rule->result = span_dup(line)))
		return bad_rule(r, number, err, "a NUL byte");
	if (r->fixed && rule->result && has_group(rule->result))
		return bad_rule(r, number, err,
				"$1 cannot be used here: whoever writes the address would choose the result");
	return 0;
}

int regexp_table_parse(struct span text, const char *file, bool pcre, bool fixed, struct regexp_table **out,
		       struct error *err)
{
	struct regexp_table *r = calloc(1, sizeof(*r));

	if (!r)
		return error_set(err, REASON_SYSTEM, "out of memory");
	r->file = file;
	r->pcre = pcre;
	r->fixed = fixed;
	if (lines_each(text, &(struct line_reader){.line = take_rule, .arg = r}, err) < 0) {
		regexp_table_free(r);
		return -1;
	}
	r->file = NULL;
	*out = r;
	return 0;
}

/* $$ is a dollar sign. */
static void substitute(const char *result, const char *key, const regmatch_t *groups, struct buf *out)
{
	for (const char *p = result; *p; p++) {
		char digit = group_at(p);

		if (p[0] == '$' && p[1] == '$') {
			buf_addc(out, '$');
			p++;
		} else if (digit) {
			bool braced = p[1] != digit;
			const regmatch_t *g = &groups[digit - '0'];

			if (g->rm_so >= 0)
				buf_add(out, key + g->rm_so, (size_t)(g->rm_eo - g->rm_so));
			p += 1 + 2 * braced;
			if (braced && !*p)
				return;
		} else {
			buf_addc(out, *p);
		}
	}
}

int regexp_table_get(const struct regexp_table *r, const char *key, struct buf *value)
{
	unsigned skip = 0;

	for (size_t i = 0; r && i < r->n; i++) {
		const struct rule *rule = &r->rules[i];
		regmatch_t groups[GROUPS];
		bool hit;

		if (rule->kind == RULE_ENDIF) {
			skip -= skip > 0;
			continue;
		}
		if (skip) {
			skip += rule->kind == RULE_IF;
			continue;
		}
		for (size_t g = 0; g < GROUPS; g++)
			groups[g].rm_so = groups[g].rm_eo = -1;
		hit = (regexec(&rule->re, key, GROUPS, groups, 0) == 0) != rule->negate;
		if (rule->kind == RULE_IF)
			skip = !hit;
		else if (hit) {
			substitute(rule->result, key, groups, value);
			return 1;
		}
	}
	return 0;
}
