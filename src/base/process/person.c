#include "config.h"
#include "base/process/person.h"

#include <string.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/text/text.h"

enum { KEPT_MS = 60 * 1000 };

/* Only what root alone can have written. */
static bool read_trusted(const char *path, struct buf *out)
{
	struct error ignored;
	struct stat st;

	return io_read_file(path, false, out, &st, &ignored) == 0 && st.st_uid == 0 && !(st.st_mode & 022);
}

/* The next field of a line whose fields ":" separates, empty ones too. */
static struct span next_field(struct span *line)
{
	struct span field;

	span_cut(*line, ':', &field, line);
	return field;
}

static bool is_same(struct span a, struct span b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

struct range {
	struct span owner;	/* a name, or a uid in digits */
	uint64_t first, count;
};

static bool next_range(struct span *rest, struct range *r)
{
	struct span line;

	while (span_word(rest, "\n", &line)) {
		r->owner = next_field(&line);
		if (r->owner.n && text_u64(next_field(&line), UINT32_MAX, &r->first) &&
		    text_u64(span_trim(line), UINT32_MAX, &r->count))
			return true;
	}
	return false;
}

static bool find_name(struct span name, const char *passwd, uint64_t *uid)
{
	struct buf text;
	struct span rest, line;
	bool found = false;

	buf_init(&text, LIMIT_USER_FILE);
	if (read_trusted(passwd, &text)) {
		rest = (struct span){text.data, text.len};
		while (!found && span_word(&rest, "\n", &line)) {
			bool same = is_same(next_field(&line), name);

			next_field(&line); /* the password */
			found = same && text_u64(next_field(&line), UINT32_MAX, uid);
		}
	}
	buf_free(&text);
	return found;
}

/* The owner's uid. Of an owner who is unknown, or root, it is the first uid of that owner's first range, so that
 * several ranges are one person. */
static uint64_t owner_of(struct span file, struct range r, const char *passwd)
{
	uint64_t uid;
	struct range first;

	if ((text_u64(r.owner, UINT32_MAX, &uid) || find_name(r.owner, passwd, &uid)) && uid != 0)
		return uid;
	while (next_range(&file, &first))
		if (is_same(first.owner, r.owner))
			return first.first;
	return r.first;
}

uid_t person_of_in(uid_t uid, const char *subuid, const char *passwd)
{
	uid_t person = uid;
	struct buf text;
	struct span rest;
	struct range r;

	buf_init(&text, LIMIT_USER_FILE);
	if (uid != 0 && read_trusted(subuid, &text)) {
		rest = (struct span){text.data, text.len};
		while (person == uid && next_range(&rest, &r))
			if (uid >= r.first && uid - r.first < r.count)
				person = (uid_t)owner_of((struct span){text.data, text.len}, r, passwd);
	}
	buf_free(&text);
	return person;
}

uid_t person_of(uid_t uid)
{
	return person_of_in(uid, PERSON_SUBUID, PERSON_PASSWD);
}

/* A place that is over, else the one that is so first. */
uid_t person_known(struct persons *p, uid_t uid)
{
	size_t oldest = 0;

	for (size_t i = 0; i < PERSONS_KEPT; i++) {
		if (p->list[i].uid == uid && !deadline_over(p->list[i].until))
			return p->list[i].person;
		if (p->list[i].until < p->list[oldest].until)
			oldest = i;
	}
	p->list[oldest].uid = uid;
	p->list[oldest].person = person_of(uid);
	p->list[oldest].until = deadline_in_ms(KEPT_MS);
	return p->list[oldest].person;
}
