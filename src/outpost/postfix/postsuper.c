/*
 * postsuper.c: Postfix's postsuper: -d, -h, -H and -r with an id, ALL, or - for ids from standard input; names of
 * queues behind the options narrow all of them. What has no meaning here says so.
 */
#include "config.h"
#include "outpost/postfix/postfix_names.h"

#include <string.h>
#include <unistd.h>

#include "base/text/text.h"
#include "outpost/messages/active_deliveries.h"
#include "outpost/messages/change_messages.h"

static const char letters[] = "c:d:e:f:h:H:psr:Sv";

static const struct {
	char letter;
	const struct message_change *change;
} actions[] = {{'d', &change_delete}, {'h', &change_hold}, {'H', &change_release}, {'r', &change_retry}};

/* Names of Postfix's queues; each message is in one of them. */
enum { IN_INCOMING = 1, IN_ACTIVE = 2, IN_DEFERRED = 4, IN_HOLD = 8 };

static const struct {
	const char *name;
	unsigned bit;
} queues[] = {{"incoming", IN_INCOMING}, {"active", IN_ACTIVE}, {"deferred", IN_DEFERRED}, {"hold", IN_HOLD}};

struct super {
	struct context *c;
	unsigned within;	/* IN_...; 0: anywhere */
	struct active active;
	struct selection chosen;
	bool all;
};

static int add_typed(struct super *s, const char *typed, struct error *err)
{
	s->all |= strcmp(typed, "ALL") == 0;
	if (strcmp(typed, "ALL") == 0)
		return 0;
	if (ascii_case_equal(typed, "ALL"))
		return error_set(err, REASON_USAGE, "for all messages write ALL, in capitals");
	return select_add_typed(&s->chosen, typed, err);
}

/* As mailq or a script prints them: the id first, with or without its mark. */
static int add_stdin(struct super *s, struct error *err)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, " \t\r\n*!#")] = 0;
		if (*line && add_typed(s, line, err) < 0)
			return -1;
	}
	return 0;
}

static unsigned queue_of(const struct super *s, const struct queue_row *r)
{
	if (r->state == 'h')
		return IN_HOLD;
	if (r->state != 'q')
		return 0;
	if (active_has(&s->active, r->id))
		return IN_ACTIVE;
	for (size_t i = 0; i < r->nrecipients; i++)
		if (r->recipients[i].attempts)
			return IN_DEFERRED;
	return IN_INCOMING;
}

/* Of the ids that were given, those within the queues that were named; the others are not there, as Postfix sees it. */
static int narrow(struct super *s, struct queue *q, struct error *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->chosen.n; i++) {
		char *id = s->chosen.ids[i], full[QUEUE_ID];
		struct queue_row row;
		int64_t key;
		bool within = false;
		int rc = queue_find(q, id, true, &key, full, err);

		if (rc == 1)
			rc = queue_row(q, key, &row, err);
		if (rc < 0)
			return -1;
		if (rc == 1) {
			within = queue_of(s, &row) & s->within;
			queue_row_free(&row);
		}
		if (within)
			memmove(s->chosen.ids[kept++], id, QUEUE_ID);
		else if (!s->all)
			fprintf(stderr, "postsuper: %s is not in the queues that were named\n", id);
	}
	s->chosen.n = kept;
	return 0;
}

static int choose(struct super *s, const struct message_change *change, struct error *err)
{
	struct queue_filter f = {0};
	struct queue *q;
	int rc = 0;

	if (context_read_queue(s->c, &q, err) < 0)
		return -1;
	snprintf(f.states, sizeof(f.states), "%s", change->states);
	if (q && s->all)
		rc = select_all(q, &f, &s->chosen, err);
	if (q && s->within && rc == 0) {
		active_ask(s->c, q, &s->active);
		rc = narrow(s, q, err);
		active_free(&s->active);
	}
	queue_close(q);
	return rc;
}

/* One option with its argument. */
static int act(struct context *c, const struct message_change *change, const char *typed, unsigned within)
{
	struct super s = {.c = c, .within = within};
	struct error err = {0};
	int rc = strcmp(typed, "-") == 0 ? add_stdin(&s, &err) : add_typed(&s, typed, &err);

	if (rc == 0)
		rc = context_become(c, &err);
	if (rc == 0 && (s.all || s.within))
		rc = choose(&s, change, &err);
	rc = rc < 0 ? fail(&err) : change_ids(c, change, &s.chosen, false);
	select_free(&s.chosen);
	return rc;
}

static int usage(void)
{
	fprintf(stderr, "usage: postsuper [-c DIR] -d | -h | -H | -r  ID | ALL | -  [incoming] [active] [deferred] "
		"[hold]\n");
	return EX_USAGE;
}

static unsigned queue_bit(const char *name)
{
	for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++)
		if (strcmp(queues[i].name, name) == 0)
			return queues[i].bit;
	return 0;
}

/* The names of queues come last and hold for the whole line: they are read first. */
static int read_queues(struct context *c, int argc, char **argv, unsigned *within)
{
	int letter, options = 0;

	optind = 1;
	while ((letter = getopt(argc, argv, letters)) != -1) {
		if (letter == 'c')
			command_use_config(c, optarg);
		if (letter == '?')
			return usage();
		options += letter != 'c' && letter != 'v';
	}
	for (; optind < argc; optind++) {
		unsigned bit = queue_bit(argv[optind]);

		if (!bit) {
			fprintf(stderr, "postsuper: there is no queue \"%s\" here: incoming, active, deferred and hold "
				"can be named\n",
				argv[optind]);
			return EX_USAGE;
		}
		*within |= bit;
	}
	return options ? EX_OK : usage();
}

static int run_letter(struct context *c, char letter, unsigned within)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (actions[i].letter == letter)
			return act(c, actions[i].change, optarg, within);
	if (strchr("sSp", letter)) {
		printf("postsuper: -%c has nothing to do here: the queue is a database, and outpostd puts itself right "
		       "when it starts\n", letter);
		return EX_OK;
	}
	if (!strchr("ef", letter))
		return EX_OK;
	fprintf(stderr, "postsuper: -%c is not possible here: mail expires by maximal_queue_lifetime; `outpost "
		"delete` removes it\n", letter);
	return EX_USAGE;
}

int postsuper(struct context *c, int argc, char **argv)
{
	unsigned within = 0;
	int letter, rc = read_queues(c, argc, argv, &within);

	if (rc != EX_OK)
		return rc;
	optind = 1;
	while ((letter = getopt(argc, argv, letters)) != -1) {
		int one = run_letter(c, (char)letter, within);

		rc = rc == EX_OK ? one : rc;
	}
	return rc;
}
