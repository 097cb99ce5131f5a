#include "config.h"
#include "outpost/messages/select_messages.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/deadline.h"
#include "base/text/text.h"

enum { PAGE = 200 };

static int filter_user(const char *name, struct queue_filter *f, struct error *err)
{
	struct passwd *pw = getpwnam(name);
	uint64_t uid;

	f->by_uid = true;
	if (pw)
		f->uid = pw->pw_uid;
	else if (text_u64(span_of(name), UINT32_MAX, &uid))
		f->uid = (uint32_t)uid;
	else
		return error_set(err, REASON_NO_USER, "no user \"%s\"", name);
	return 0;
}

int select_filter(struct context *c, struct queue_filter *f, struct error *err)
{
	int64_t age;

	f->sender = option_value(c, "sender");
	if (option_given(c, "user") && filter_user(option_value(c, "user"), f, err) < 0)
		return -1;
	if (!option_given(c, "older-than"))
		return 0;
	if (words_parse_age(option_value(c, "older-than"), &age, err) < 0)
		return -1;
	f->older_than = clock_wall_us() - age * 1000000;
	return 0;
}

bool select_given(const struct context *c)
{
	return option_given(c, "sender") || option_given(c, "user") || option_given(c, "older-than");
}

int select_add(struct selection *s, const char id[QUEUE_ID], struct error *err)
{
	char *place = array_add(&s->ids, &s->n, &s->room, sizeof(*s->ids));

	if (!place)
		return error_set(err, REASON_SYSTEM, "out of memory for the list of messages");
	memcpy(place, id, QUEUE_ID);
	return 0;
}

int select_add_typed(struct selection *s, const char *typed, struct error *err)
{
	char id[QUEUE_ID];

	if (!select_id(typed, id))
		return error_set(err, REASON_USAGE, "\"%s\" is no queue id", typed);
	return select_add(s, id, err);
}

int select_all(struct queue *q, const struct queue_filter *f, struct selection *out, struct error *err)
{
	struct queue_row rows[PAGE];
	int64_t key = 0;
	int n, rc = 0;

	while (rc == 0 && (n = queue_list(q, f, &key, rows, PAGE, err)) != 0) {
		for (int i = 0; i < n; i++) {
			rc = rc == 0 ? select_add(out, rows[i].id, err) : rc;
			queue_row_free(&rows[i]);
		}
		rc = n < 0 ? -1 : rc;
	}
	return rc;
}

void select_free(struct selection *s)
{
	free(s->ids);
	*s = (struct selection){0};
}

bool select_id(const char *typed, char id[QUEUE_ID])
{
	size_t n = strlen(typed);

	if (n == 0 || n >= QUEUE_ID)
		return false;
	for (size_t i = 0; i <= n; i++) {
		char c = typed[i] >= 'a' && typed[i] <= 'z' ? (char)(typed[i] - 'a' + 'A') : typed[i];

		if (i < n && !ascii_digit(c) && !ascii_alpha(c))
			return false;
		id[i] = c;
	}
	return true;
}

int select_find(struct queue *q, const char *typed, int64_t *row, char id[QUEUE_ID], struct error *err)
{
	char upper[QUEUE_ID];
	int rc;

	if (!select_id(typed, upper))
		return error_set(err, REASON_USAGE, "\"%s\" is no queue id", typed);
	rc = q ? queue_find(q, upper, false, row, id, err) : 0;
	if (rc == 1)
		return 0;
	if (rc == 2)
		return error_set(err, REASON_USAGE, "several queue ids begin with %s", upper);
	return rc == 0 ? error_set(err, REASON_DATA, "no message %s in the queue", upper) : -1;
}
