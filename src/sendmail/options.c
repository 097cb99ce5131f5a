#include "config.h"
#include "sendmail/options.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/text.h"
#include "submission/submission.h"

enum arg { NONE, WANTED, GLUED };	/* GLUED: optional, and never the next argument */

static int ignore(struct options *o, const char *arg, struct error *err)
{
	(void)o, (void)arg, (void)err;
	return 0;
}

static int bad(struct error *err, char letter, const char *arg)
{
	return error_set(err, REASON_USAGE, "no such option: -%c%s", letter, arg);
}

static int set_instance(struct options *o, const char *arg, struct error *err)
{
	(void)o;
	return strcmp(arg, "m") && strcmp(arg, "c") ? bad(err, 'A', arg) : 0;
}

static int set_body(struct options *o, const char *arg, struct error *err)
{
	if (ascii_case_equal(arg, "7BIT"))
		o->body = '7';
	else if (ascii_case_equal(arg, "8BITMIME"))
		o->body = '8';
	else
		return error_set(err, REASON_USAGE, "-B wants 7BIT or 8BITMIME, not \"%s\"", arg);
	return 0;
}

/* The first mode that asks a question, or -bs, wins over a later -bm, as scripts append "-bm -t" to what they were given. */
static int set_mode(struct options *o, const char *arg, struct error *err)
{
	static const struct {
		char letter;
		enum mode mode;
	} modes[] = {
		{'m', MODE_SUBMIT}, {'a', MODE_SUBMIT}, {'s', MODE_SMTP}, {'p', MODE_LIST}, {'P', MODE_COUNT},
		{'i', MODE_ALIASES}, {'v', MODE_VERIFY}, {'t', MODE_TEST}, {'d', MODE_DAEMON}, {'D', MODE_DAEMON},
		{'l', MODE_DAEMON}, {'h', MODE_HOSTS}, {'H', MODE_HOSTS}, {'C', MODE_CHECK},
	};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (arg[0] != modes[i].letter || arg[1])
			continue;
		if (modes[i].mode != MODE_SUBMIT && o->mode != MODE_VERSION)
			o->mode = modes[i].mode;
		return 0;
	}
	return bad(err, 'b', arg);
}

static int set_config(struct options *o, const char *arg, struct error *err)
{
	(void)err;
	o->config = arg;
	return 0;
}

static int set_debug(struct options *o, const char *arg, struct error *err)
{
	(void)err;
	if (arg[0] == '0' && (!arg[1] || arg[1] == '.'))
		o->mode = MODE_VERSION;
	return 0;
}

static int set_full_name(struct options *o, const char *arg, struct error *err)
{
	(void)err;
	o->full_name = arg;
	return 0;
}

static int set_sender(struct options *o, const char *arg, struct error *err)
{
	(void)err;
	o->sender = arg;
	return 0;
}

static int set_aliases(struct options *o, const char *arg, struct error *err)
{
	(void)arg, (void)err;
	o->mode = MODE_ALIASES;
	return 0;
}

static int set_dots(struct options *o, const char *arg, struct error *err)
{
	(void)arg, (void)err;
	o->ignore_dots = true;
	return 0;
}

static int set_json(struct options *o, const char *arg, struct error *err)
{
	(void)arg;
	if (o->mode != MODE_LIST)
		return bad(err, 'j', "");
	o->json = true;
	return 0;
}

static int set_notify(struct options *o, const char *arg, struct error *err)
{
	static const struct {
		const char *word;
		unsigned bit;
	} words[] = {{"never", DSN_NEVER}, {"success", DSN_SUCCESS}, {"failure", DSN_FAILURE}, {"delay", DSN_DELAY}};
	struct span rest = span_of(arg), word;
	unsigned bits = 0;

	while (span_word(&rest, ", ", &word)) {
		unsigned bit = 0;

		for (size_t i = 0; i < 4; i++)
			if (span_iscase(word, words[i].word))
				bit = words[i].bit;
		if (!bit)
			return error_set(err, REASON_USAGE, "-N wants never, or success, failure, delay; not \"%.*s\"",
					 (int)word.n, word.p);
		bits |= bit;
	}
	if (!bits || ((bits & DSN_NEVER) && bits != DSN_NEVER))
		return error_set(err, REASON_USAGE, "-N wants never alone, or some of success, failure, delay");
	o->notify = bits;
	return 0;
}

static int set_delivery(struct options *o, const char *mode)
{
	if (*mode == 'q' || *mode == 'd')
		o->queue_only = true;
	else if (*mode)
		o->queue_only = false;
	return 0;
}

static bool is_false(const char *value)
{
	return strchr("fFnN0", *value) && *value;
}

/* -O Name=value. Only what has a meaning here is looked at. */
static int set_long(struct options *o, const char *arg, struct error *err)
{
	const char *value = strchr(arg, '=');
	struct span name;

	if (!value)
		return error_set(err, REASON_USAGE, "-O wants name=value, not \"%s\"", arg);
	name = span_trim((struct span){arg, (size_t)(value - arg)});
	value += 1 + strspn(value + 1, " ");
	if (span_iscase(name, "DeliveryMode"))
		return set_delivery(o, value);
	if (span_iscase(name, "IgnoreDots"))
		o->ignore_dots = !is_false(value);
	return 0;
}

/* -ox: Sendmail's one-letter options. */
static int set_short(struct options *o, const char *arg, struct error *err)
{
	if (!ascii_alpha(*arg) && *arg != '7' && *arg != '8')
		return bad(err, 'o', arg);
	if (*arg == 'd')
		return set_delivery(o, arg + 1);
	if (*arg == 'i')
		o->ignore_dots = !is_false(arg + 1);
	if (*arg == 'v')
		o->verbose = true;
	return 0;
}

static int set_return(struct options *o, const char *arg, struct error *err)
{
	if (ascii_case_equal(arg, "full"))
		o->ret = 'F';
	else if (ascii_case_equal(arg, "hdrs"))
		o->ret = 'H';
	else
		return error_set(err, REASON_USAGE, "-R wants full or hdrs, not \"%s\"", arg);
	return 0;
}

static int set_quarantine(struct options *o, const char *arg, struct error *err)
{
	(void)arg, (void)err;
	o->mode = MODE_QUARANTINE;
	return 0;
}

/* -q, -q30m, -qp, -qf, -qGname, -q[!]I|R|S|Qtext, -qL */
static int set_flush(struct options *o, const char *arg, struct error *err)
{
	const char *p = arg;
	bool again = false, not, text;

	for (; *p == 'p' || *p == 'f'; p++)
		again = again || *p == 'p';
	not = *p == '!';
	p += not;
	text = *p && strchr("IRS", *p);
	if ((*p && !ascii_digit(*p) && !strchr("GIRSQL", *p)) || (not && !text && *p != 'Q'))
		return bad(err, 'q', arg);
	if (text && !p[1])
		return error_set(err, REASON_USAGE, "-q%c wants a text behind it", *p);
	if (*p == 'Q' || *p == 'L')
		o->mode = MODE_QUARANTINE;
	if (o->mode == MODE_DAEMON || o->mode == MODE_LIST || o->mode == MODE_QUARANTINE)
		return 0;
	o->mode = MODE_FLUSH;
	o->flush_not = not;
	o->flush = ascii_digit(*p) || (again && !*p) ? 'T' : *p;
	o->flush_arg = o->flush == 'T' ? arg : *p ? p + 1 : p;
	return 0;
}

static int set_extract(struct options *o, const char *arg, struct error *err)
{
	(void)arg, (void)err;
	o->extract = true;
	return 0;
}

static int set_envid(struct options *o, const char *arg, struct error *err)
{
	size_t n = strlen(arg);

	for (size_t i = 0; i < n; i++)
		if (arg[i] <= ' ' || arg[i] > '~')
			return error_set(err, REASON_USAGE, "-V wants printable ASCII without blanks");
	if (!n || n > LIMIT_ENVID)
		return error_set(err, REASON_USAGE, "-V wants 1 to %d bytes", LIMIT_ENVID);
	o->envid = arg;
	return 0;
}

static int set_verbose(struct options *o, const char *arg, struct error *err)
{
	(void)arg, (void)err;
	o->verbose = true;
	return 0;
}

/* The table. Its order is that of the manual page. */
static const struct option {
	char letter;
	enum arg arg;
	int (*take)(struct options *o, const char *arg, struct error *err);
} table[] = {
	{'A', WANTED, set_instance},
	{'B', WANTED, set_body},
	{'b', WANTED, set_mode},
	{'C', WANTED, set_config},
	{'c', NONE, ignore},
	{'D', WANTED, ignore},
	{'d', GLUED, set_debug},
	{'e', WANTED, ignore},
	{'F', WANTED, set_full_name},
	{'f', WANTED, set_sender},
	{'G', NONE, ignore},
	{'h', WANTED, ignore},
	{'I', NONE, set_aliases},
	{'i', NONE, set_dots},
	{'j', NONE, set_json},
	{'L', WANTED, ignore},
	{'M', WANTED, ignore},
	{'m', NONE, ignore},
	{'N', WANTED, set_notify},
	{'n', NONE, ignore},
	{'O', WANTED, set_long},
	{'o', WANTED, set_short},
	{'p', WANTED, ignore},
	{'Q', GLUED, set_quarantine},
	{'q', GLUED, set_flush},
	{'R', WANTED, set_return},
	{'r', WANTED, set_sender},
	{'s', NONE, ignore},
	{'t', NONE, set_extract},
	{'U', NONE, ignore},
	{'V', WANTED, set_envid},
	{'v', NONE, set_verbose},
	{'X', WANTED, ignore},
	{'x', NONE, ignore},
};

static const struct option *find(char letter)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].letter == letter)
			return &table[i];
	return NULL;
}

/* One argument that begins with '-': a bundle of flags, the last of which may want an argument. *i is moved past what
 * was used. */
static int bundle(struct options *o, int argc, char **argv, int *i, struct error *err)
{
	const char *p = argv[*i] + 1;

	while (*p) {
		const struct option *opt = find(*p);

		if (!opt)
			return error_set(err, REASON_USAGE, "no such option: -%c (in \"%s\")", *p, argv[*i]);
		p++;
		if (opt->arg == NONE) {
			if (opt->take(o, "", err) < 0)
				return -1;
			continue;
		}
		if (opt->arg == WANTED && !*p) {
			if (*i + 1 >= argc)
				return error_set(err, REASON_USAGE, "option -%c wants an argument", opt->letter);
			p = argv[++*i];
		}
		return opt->take(o, p, err);
	}
	return 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int options_parse(struct options *o, int argc, char **argv, struct error *err)
{
	const char *name = argc > 0 ? base_name(argv[0]) : "sendmail";
	bool only_recipients = false;

	memset(o, 0, sizeof(*o));
	o->mode = strcmp(name, "mailq") == 0 ? MODE_LIST : strcmp(name, "newaliases") == 0 ? MODE_ALIASES : MODE_SUBMIT;
	o->recipients = calloc((size_t)(argc > 0 ? argc : 1), sizeof(*o->recipients));
	if (!o->recipients)
		return error_set(err, REASON_SYSTEM, "out of memory");
	for (int i = 1; i < argc; i++) {
		if (only_recipients || argv[i][0] != '-' || !argv[i][1]) {
			o->recipients[o->nrecipients++] = argv[i];
		} else if (strcmp(argv[i], "--") == 0) {
			only_recipients = true;
		} else if (strcmp(argv[i], "--help") == 0) {
			o->mode = MODE_HELP;
		} else if (strcmp(argv[i], "--sandbox") == 0) {
			o->sandbox = true;
		} else if (strcmp(argv[i], "--sandbox-probe") == 0) {
			o->sandbox = o->probe = true;
		} else if (strcmp(argv[i], "--version") == 0) {
			o->mode = MODE_VERSION;
		} else if (bundle(o, argc, argv, &i, err) < 0) {
			return -1;
		}
	}
	return 0;
}
