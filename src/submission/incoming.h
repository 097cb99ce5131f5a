/*
 * incoming.h: a file in $queue_directory/incoming/, written by outpost-drop, taken in once by whoever
 * holds the queue.
 *
 * Its name is "NAME.msg", NAME 24 upper-case letters and digits: eleven for the time of arrival, so that names sort as
 * the mail came, the others by chance. Anything else in the directory is work in progress or rubbish. It holds
 * INCOMING_HEAD bytes ("OUTDROP1", four bytes real uid of the submitter, eight bytes time of arrival in microseconds,
 * all big-endian) and then the submission as it came (submission.h), which must be complete and end with the file.
 * Owner and mode: the queue's, 0600. A file that is not so is moved to corrupt/.
 */
#ifndef SUBMISSION_INCOMING_H
#define SUBMISSION_INCOMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/files/room.h"
#include "submission/submission.h"

#define INCOMING_DIR "incoming"
#define INCOMING_MAGIC "OUTDROP1"
enum { INCOMING_HEAD = 8 + 4 + 8, INCOMING_NAME = 24 };

struct incoming {
	uint32_t uid;
	int64_t arrival;	/* us */
};

/* Appends the head. */
int incoming_put_head(struct buf *out, const struct incoming *in);
/* Reads INCOMING_HEAD bytes. -1: not one. */
int incoming_get_head(const char *p, struct incoming *in);

/* A fresh name with its ".msg" in buf for what arrives now (us); -1 without random bytes. */
int incoming_name(int64_t arrival, char *buf, size_t size);
/* Whether a directory entry is a finished file. */
bool incoming_is_name(const char *name);
/* Whether it is one that is being written, where the file system has no files without a name; or was when its writer
 * was killed. */
bool incoming_is_unfinished(const char *name);

/* What a person (base/person.h) has in the directory of such files. -1: it cannot be read. */
int incoming_held(int dir, uid_t person, struct room_held *held, struct error *err);

/* Reads a finished file to its end: head, then the submission through the one strict decoder into sink.
 * On success *d is the COMPLETE decoder (the caller frees it). -1: EX_DATAERR and the like when what is in the file can
 * never be taken (it belongs in corrupt/); EX_IOERR, EX_OSERR or EX_TEMPFAIL when it may be later. */
int incoming_read(int fd, uint64_t size_limit, submission_sink sink, void *arg, struct incoming *in,
		  struct submission_decoder **d, struct error *err);

/* The message in a file that incoming_read has accepted, which so needs no third copy on its way to the queue.
 * Nobody else can write the file. */
struct incoming_body {
	int fd;
	uint64_t at;
	uint32_t left;		/* of the piece that is read */
	bool end;
};
struct incoming_body incoming_body_of(int fd);
/* How many bytes, at most n; 0 at the end, -1 (EX_IOERR). */
long incoming_body_read(void *body, char *p, size_t n, struct error *err);

#endif
