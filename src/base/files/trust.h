/*
 * trust.h: who controls a path, so that root never acts on what others control.
 *
 * A path is walked component by component, symbolic links included, over descriptors that follow nothing. Whoever owns
 * one of the components can change what the path leads to: where that is not root, the program becomes that user
 * before it reads a byte, and from then on an exchange of files can gain nothing.
 */
#ifndef BASE_TRUST_H
#define BASE_TRUST_H

#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

/*
 * Finds who but root controls path: *uid and *gid (of the component), 0 where it is root alone. A component may be
 * missing: then the directory above it decides. Refused (-1, REASON_PERMISSION) is what no single user answers for: a
 * directory that everybody, or a group other than root's, can change; components of several users; what is neither a
 * directory nor a regular file; a file with several names in a directory that others write to; and everything in
 * procfs, where the files are root's and the text is anybody's.
 */
int trust_walk(const char *path, uid_t *uid, gid_t *gid, struct error *err);

/*
 * Opens for reading a regular file in which nothing is a secret from those who might have led us to it: either root
 * and this process's user alone control the path, or everybody may read the file and pass every directory on the way.
 * What is opened is what was looked at. A descriptor, or -1: REASON_PERMISSION where neither holds. May block as long
 * as the file system does.
 */
int trust_open(const char *path, struct error *err);
/* trust_open, and the text up to out's ceiling; fills *st if st is not NULL. */
int trust_read_public(const char *path, struct buf *out, struct stat *st, struct error *err);
/* The same for a path that somebody else named: what everybody may read alone. */
int trust_read_everybodys(const char *path, struct buf *out, struct error *err);
/* Whether root and this process's user alone can change a file, or put another in its place: a program that is about
 * to be run, or what says which files are read. */
int trust_check(const char *path, struct error *err);

/* As root: becomes, for good, who controls path. For everybody else, and where root alone does: nothing. */
int trust_become(const char *path, struct error *err);

/* proc_become_owner; and where that leaves us root, trust_become: a queue of root's may be behind a link of somebody
 * else's. */
int trust_become_owner(const char *dir, uid_t *owner, struct error *err);

/* io_read_file with the rights of who controls path: as root it is read by a process that has become that user. */
int trust_read_file(const char *path, struct buf *out, struct error *err);

/* A text, or why there is none, from a process that reads it to the one that waits. */
int trust_send(int fd, const struct buf *text, const struct error *err);	/* text NULL: *err */
int trust_receive(const struct buf *sent, struct buf *out, struct error *err);

#endif
