#include "config.h"
#include "sendmail/options.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/text/text.h"
#include "submission/submission.h"

enum arg { NONE, REQUIRED, GLUED };	/* GLUED: optional, and never the next argument */

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
		return error_set(err, REASON_USAGE, "-B must be 7BIT or 8BITMIME, not \"%s\"", arg);
	return 0;
}

/* The first mode that asks a question, or -bs, wins over a later -bm, as scripts append "-bm -t" to what they were
 * given. */
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

static int set_debug(struct options *o, const char *arg, struct error *err)
{
	(void)err;
	if (arg[0] == '0' && (!arg[1] || arg[1] == '.'))
		o->mode = MODE_VERSION;
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
	if (!submission_notify(span_of(arg), &o->notify))
		return error_set(err, REASON_USAGE,
				 "-N must be never alone, or some of success, failure, delay; not \"%s\"", arg);
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
		return error_set(err, REASON_USAGE, "-O must be name=value, not \"%s\"", arg);
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
		return error_set(err, REASON_USAGE, "-R must be full or hdrs, not \"%s\"", arg);
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
		return error_set(err, REASON_USAGE, "-q%c must be followed by a text", *p);
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

static int set_envid(struct options *o, const char *arg, struct error *err)
{
	size_t n = strlen(arg);

	for (size_t i = 0; i < n; i++)
		if (arg[i] <= ' ' || arg[i] > '~')
			return error_set(err, REASON_USAGE, "-V must be printable ASCII without blanks");
	if (!n || n > LIMIT_ENVID)
		return error_set(err, REASON_USAGE, "-V must have 1 to %d bytes", LIMIT_ENVID);
	o->envid = arg;
	return 0;
}

/* The table, in the order of the manual page. An option without effect has neither a function nor a field. */
static const struct option {
	char letter;
	enum arg arg;
	int (*take)(struct options *o, const char *arg, struct error *err);
	size_t flag;		/* a bool that becomes true */
	size_t text;		/* a pointer that becomes the argument */
	enum mode mode;
} table[] = {
	{'A', REQUIRED, .take = set_instance},
	{'B', REQUIRED, .take = set_body},
	{'b', REQUIRED, .take = set_mode},
	{'C', REQUIRED, .text = offsetof(struct options, config)},
	{'c', NONE, .take = NULL},
	{'D', REQUIRED, .take = NULL},
	{'d', GLUED, .take = set_debug},
	{'e', REQUIRED, .take = NULL},
	{'F', REQUIRED, .text = offsetof(struct options, full_name)},
	{'f', REQUIRED, .text = offsetof(struct options, sender)},
	{'G', NONE, .take = NULL},
	{'h', REQUIRED, .take = NULL},
	{'I', NONE, .mode = MODE_ALIASES},
	{'i', NONE, .flag = offsetof(struct options, ignore_dots)},
	{'j', NONE, .take = set_json},
	{'L', REQUIRED, .take = NULL},
	{'M', REQUIRED, .take = NULL},
	{'m', NONE, .take = NULL},
	{'N', REQUIRED, .take = set_notify},
	{'n', NONE, .take = NULL},
	{'O', REQUIRED, .take = set_long},
	{'o', REQUIRED, .take = set_short},
	{'p', REQUIRED, .take = NULL},
	{'Q', GLUED, .mode = MODE_QUARANTINE},
	{'q', GLUED, .take = set_flush},
	{'R', REQUIRED, .take = set_return},
	{'r', REQUIRED, .text = offsetof(struct options, sender)},
	{'s', NONE, .take = NULL},
	{'t', NONE, .flag = offsetof(struct options, extract)},
	{'U', NONE, .take = NULL},
	{'V', REQUIRED, .take = set_envid},
	{'v', NONE, .flag = offsetof(struct options, verbose)},
	{'X', REQUIRED, .take = NULL},
	{'x', NONE, .take = NULL},
};

static int take_option(const struct option *opt, struct options *o, const char *arg, struct error *err)
{
	if (opt->flag)
		*(bool *)((char *)o + opt->flag) = true;
	if (opt->text)
		*(const char **)((char *)o + opt->text) = arg;
	if (opt->mode)
		o->mode = opt->mode;
	return opt->take ? opt->take(o, arg, err) : 0;
}

static const struct option *find(char letter)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].letter == letter)
			return &table[i];
	return NULL;
}

/* One argument that begins with '-': a bundle of flags, the last of which may have an argument. *i is moved past what
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
			if (take_option(opt, o, "", err) < 0)
				return -1;
			continue;
		}
		if (opt->arg == REQUIRED && !*p) {
			if (*i + 1 >= argc)
				return error_set(err, REASON_USAGE, "option -%c requires an argument", opt->letter);
			p = argv[++*i];
		}
		return take_option(opt, o, p, err);
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
