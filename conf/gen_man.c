/*
 * gen_man: main.cf(5) from the table of parameters, on standard output. Run at build time.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "conf/conf.h"

static const char head[] =
	".\\\" Made from conf/params.def: do not edit.\n"
	".Dd November 22, 2026\n"
	".Dt MAIN.CF 5\n"
	".Os\n"
	".Sh NAME\n"
	".Nm main.cf\n"
	".Nd configuration of outpost\n"
	".Sh SYNOPSIS\n"
	".Pa " SYSCONFDIR "/main.cf\n"
	".Sh DESCRIPTION\n"
	"The file says how\n"
	".Xr sendmail 8\n"
	"and\n"
	".Xr outpostd 8\n"
	"work.\n"
	"Its syntax and the names of its parameters are those of Postfix, so that any\n"
	"description of how to make Postfix\n"
	"send through a relay can be followed.\n"
	"What Postfix knows and outpost has no use for is accepted and listed as unused\n"
	"by\n"
	".Ql outpost check ;\n"
	"a misspelt name is listed with the nearest one.\n"
	"Neither stops anything.\n"
	".Pp\n"
	"A line is\n"
	".Dl name = value\n"
	"A line that begins with a blank continues the one before.\n"
	"A comment has a line of its own; # behind a value, and quotes around it, are a\n"
	"part of it.\n"
	"Empty lines, and lines whose first visible character is\n"
	".Ql # ,\n"
	"are ignored, also between continued lines.\n"
	"When a name is set more than once the last one counts.\n"
	".Pp\n"
	"In a value\n"
	".Ql $name ,\n"
	".Ql ${name}\n"
	"and\n"
	".Ql $(name)\n"
	"stand for the value of another parameter, which may be one of your own;\n"
	".Ql ${name?text}\n"
	"is text if the other is not empty,\n"
	".Ql ${name:text}\n"
	"is text if it is,\n"
	".Ql ${name?{text}:{other}}\n"
	"chooses, and\n"
	".Ql ${{a} == {b} ? {text} : {other}}\n"
	"compares\n"
	".Pq Ql == != < <= > >= .\n"
	".Ql $$\n"
	"is a dollar sign.\n"
	".Pp\n"
	"A boolean is\n"
	".Ql yes\n"
	"or\n"
	".Ql no .\n"
	"A time is a number and one of\n"
	".Ql s m h d w ;\n"
	"without one it has the unit of its default.\n"
	"The elements of a list are separated by commas or blanks.\n"
	".Pp\n"
	".Xr outpostd 8\n"
	"reads the file again when it has changed.\n"
	"It must not be writable by others than root or the owner of the queue.\n"
	".Ss Maps\n"
	"A map is written\n"
	".Ar type : Ns Ar name .\n"
	"Several are asked in order.\n"
	".Bl -tag -width Ds\n"
	".It Cm hash , texthash , btree , lmdb , cdb , dbm\n"
	"A text file: a key, blanks, and a value on each line, with comments and\n"
	"continued lines as in\n"
	".Nm .\n"
	"It is read itself: neither\n"
	".Xr postmap 1\n"
	"nor\n"
	".Xr newaliases 1\n"
	"is needed.\n"
	"Keys are compared without regard to case.\n"
	".It Cm static : Ns Ar value\n"
	"The same value for every key.\n"
	".It Cm inline : Ns Brq Ar key Ns = Ns Ar value , ...\n"
	"What stands in\n"
	".Nm\n"
	"itself.\n"
	"A pair with blanks is written in braces of its own.\n"
	".It Cm regexp\n"
	"A file of lines\n"
	".Ql /pattern/flags result\n"
	"with POSIX extended regular expressions, where\n"
	".Ql $1\n"
	"stands for what the first parenthesis matched.\n"
	"Case does not count unless the flag\n"
	".Ql i\n"
	"is given.\n"
	".Ql !/pattern/\n"
	"matches what the pattern does not, and the lines between\n"
	".Ql if /pattern/\n"
	"and\n"
	".Ql endif\n"
	"are used for keys that match.\n"
	"Patterns are asked for whole addresses only.\n"
	".It Cm pcre\n"
	"The same, as far as the patterns can be said in POSIX.\n"
	".It Cm exec , oauth2\n"
	"For passwords only, see\n"
	".Xr sasl_passwd 5 .\n"
	".El\n"
	".Pp\n"
	".Cm proxy :\n"
	"in front of a type is ignored.\n"
	".Sh PARAMETERS\n"
	".Bl -tag -width Ds\n";

static const char tail[] =
	".El\n"
	".Sh FILES\n"
	".Bl -tag -width Ds -compact\n"
	".It Pa " SYSCONFDIR "/main.cf\n"
	".It Pa " SYSCONFDIR "/sasl_passwd\n"
	".It Pa /etc/aliases\n"
	".El\n"
	".Sh EXAMPLES\n"
	"A relay with a password, for a host whose programs send as all kinds of users:\n"
	".Bd -literal -offset indent\n"
	"relayhost = [mail.example.com]:587\n"
	"smtp_sasl_auth_enable = yes\n"
	"smtp_sasl_password_maps = hash:" SYSCONFDIR "/sasl_passwd\n"
	"from_address = server@example.com\n"
	".Ed\n"
	".Sh SEE ALSO\n"
	".Xr mailq 1 ,\n"
	".Xr sasl_passwd 5 ,\n"
	".Xr outpost 8 ,\n"
	".Xr outpostd 8 ,\n"
	".Xr sendmail 8\n";

/* A word that mdoc can't take for a macro, an escape or punctuation of its own. */
static void put_escaped(struct span s, bool at_start)
{
	if (at_start && s.n && (s.p[0] == '.' || s.p[0] == '\''))
		fputs("\\&", stdout);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			fputs("\\e", stdout);
		else if (s.p[i] == '"')
			fputs("\\(dq", stdout);
		else
			putchar(s.p[i]);
	}
}

static bool is_parameter(struct span s)
{
	char name[128];

	if (!s.n || s.n >= sizeof(name) || !memchr(s.p, '_', s.n))
		return false;
	memcpy(name, s.p, s.n);
	name[s.n] = '\0';
	return conf_find(name) >= 0;
}

/* One word of the help; parameters' names become .Va lines. *column: 0 at the start of a line. */
static void put_word(struct span word, size_t *column)
{
	struct span core = word;

	while (core.n && strchr(".,;:)", core.p[core.n - 1]))
		core.n--;
	if (!is_parameter(core)) {
		if (*column && *column + word.n > 76) {
			putchar('\n');
			*column = 0;
		}
		if (*column)
			putchar(' ');
		put_escaped(word, !*column);
		*column += word.n + 1;
		return;
	}
	if (*column)
		putchar('\n');
	printf(".Va %.*s", (int)core.n, core.p);
	for (size_t i = core.n; i < word.n; i++)
		printf(" %c", word.p[i]);
	putchar('\n');
	*column = 0;
}

static bool ends_sentence(struct span word)
{
	return word.n && (word.p[word.n - 1] == '.' || (word.n > 1 && word.p[word.n - 1] == ')' && word.p[word.n - 2] == '.'));
}

static void put_paragraph(struct span text)
{
	size_t column = 0;
	struct span word;

	while (span_word(&text, " \n", &word)) {
		put_word(word, &column);
		if (column && ends_sentence(word)) {
			putchar('\n');
			column = 0;
		}
	}
	if (column)
		putchar('\n');
}

static void put_type(const struct conf_info *p)
{
	static const char *const words[] = {[T_STR] = "text", [T_BOOL] = "yes or no", [T_INT] = "number", [T_SIZE] = "bytes",
					    [T_TIME] = "time", [T_PATH] = "path", [T_LIST] = "list", [T_MAPS] = "maps",
					    [T_WORD] = "word"};

	printf("\n.Pq %s", words[p->type]);
	if (p->allowed && (p->type == T_INT || p->type == T_SIZE))
		printf(", %s", p->allowed);
	printf("; default: ");
	put_escaped(span_of(*p->def ? p->def : "empty"), false);
	putchar('\n');
}

static void put_parameter(const struct conf_info *p)
{
	const char *text = p->help;

	printf(".It Va %s", p->name);
	put_type(p);
	for (;;) {
		const char *end = strstr(text, "\n\n");

		printf(".Pp\n");
		put_paragraph((struct span){text, end ? (size_t)(end - text) : strlen(text)});
		if (!end)
			return;
		text = end + 2;
	}
}

static int by_name(const void *a, const void *b)
{
	const struct conf_info *const *x = a, *const *y = b;

	return strcasecmp((*x)->name, (*y)->name);
}

int main(void)
{
	const struct conf_info *sorted[CONF_PARAMS];

	for (int i = 0; i < CONF_PARAMS; i++)
		sorted[i] = &conf_table[i];
	qsort(sorted, CONF_PARAMS, sizeof(sorted[0]), by_name);
	fputs(head, stdout);
	for (int i = 0; i < CONF_PARAMS; i++)
		put_parameter(sorted[i]);
	fputs(tail, stdout);
	return fflush(stdout) == 0 ? 0 : 1;
}
