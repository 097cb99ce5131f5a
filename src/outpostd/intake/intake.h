/* intake.h: submissions come in: door, clients, incoming/, SMTP on loopback. */
#ifndef OUTPOSTD_INTAKE_H
#define OUTPOSTD_INTAKE_H

#include "base/files/spill.h"
#include "base/process/person.h"
#include "outpostd/host/this_host.h"
#include "outpostd/parts.h"
#include "submission/incoming.h"

/* ---- door.c: the listening sockets, and who is let in. Whoever may connect may submit; nobody may make another
 * wait. A person has so many clients served at a time; more wait in a line of that person's own, and those beyond
 * are turned away with 75. */

struct door {
	struct watch door, admin;
	struct waiting *waiting;	/* accepted, not looked at yet */
	size_t nwaiting, per_person;
	deadline accept_retry_at;	/* no descriptors: accept again then */
	bool ours;			/* we made the door's socket (and remove it) */
	bool managed;			/* the service manager passed it */
	const struct error *refusal;	/* for everybody; NULL: clients are served */
	char path[1024], admin_path[1024];
};

int door_open(struct outpostd *d, struct error *err);
/* When outpostd cannot start: gives the reason to all clients that wait at a door which the service manager keeps. */
void door_turn_away(struct outpostd *d, const struct error *why);
void door_unname(struct outpostd *d);		/* no new client finds it */
bool door_serving(struct outpostd *d);		/* a client is here, or was in time to be let in */
void door_close(struct outpostd *d);
void door_hang_up(struct outpostd *d);		/* all clients go */
deadline door_deadline(struct outpostd *d);
void door_tick(struct outpostd *d);
bool door_has_waiting(const struct outpostd *d, uid_t person);
/* Whether all places are taken, somebody waits for one, and this person holds more than a few of them. */
bool door_is_crowded_by(const struct outpostd *d, uid_t person);
bool door_is_quiet(const struct outpostd *d);	/* no client is served or waits */
/* Where the administrator's socket of a queue is; NULL when it does not fit into buf. */
const char *door_admin_path(const char *queue_dir, char *buf, size_t size);

/* ---- accept.c: a decoded submission becomes a message of the queue. */

struct acceptance {
	struct accepted *list;	/* in the transaction that is open */
	size_t n, cap;
};

/* Where a submission goes: its recipients, rewritten, each address once. Zeroed: none. */
struct accept_recipients {
	struct queue_new_recipient *list;	/* valid as long as the submission and the configuration */
	size_t n, cap;
};
/* Before a transaction, as it may have files read. 1: a list is being read; to be done again when it is (`since`: see
 * list_reader.h). */
int accept_prepare(struct outpostd *d, const struct submission *s, unsigned since, struct accept_recipients *to,
		   struct error *err);
void accept_recipients_free(struct accept_recipients *to);	/* zeroed afterwards */

struct accept_source {
	const struct submission *s;
	uint64_t size;
	const struct user *who;
	int64_t arrival;
	queue_source read;
	void *arg;
};
/* Inside a transaction. What was accepted is logged by accept_committed. */
int accept_submission(struct outpostd *d, const struct accept_source *from, const struct accept_recipients *to,
		      char id[QUEUE_ID], struct error *err);
/* The same for one that was acknowledged, and cannot be sent: it fails by itself, and its sender is notified as of
 * any other failure. */
int accept_to_fail(struct outpostd *d, const struct accept_source *from, const struct error *why, struct error *err);
void accept_committed(struct outpostd *d);
void accept_forget(struct outpostd *d);
void accept_free(struct outpostd *d);

/* ---- clients.c: connections to the door or to the administrator's socket. A client is read without blocking, into
 * memory and then into a file without a name, and only what the decoder calls complete goes near the queue. */

#define CLIENT_NO_GROUP ((gid_t)-1)

enum client_kind { CLIENT_NEW, CLIENT_SUBMITS, CLIENT_ASKS };

struct client {
	/* clients.c */
	struct watch watch;
	struct client *next, *prev;	/* all that are served */
	struct outpostd *d;
	enum client_kind kind;
	bool admin;			/* connected to the administrator's socket */
	bool closing;			/* when all of `out` is sent */
	uid_t uid;
	gid_t gid;			/* CLIENT_NO_GROUP: the process is not the user's */
	uid_t person;			/* whose the uid is */
	uint64_t room_at;		/* so many bytes later the free space is looked at */
	deadline since, stall, whole;
	int64_t heard;			/* monotonic ms of its last bytes */
	struct buf in, out;
	struct submission_decoder *decoder;
	struct spill body;
	struct user who;		/* of a submission */
	/* submissions.c */
	struct client *ready;		/* the next whose submission is complete */
	bool complete, put;		/* put: into the transaction of this turn */
	bool waits;			/* for a list that is being read */
	unsigned lists_since;		/* list_reader.h */
	struct accept_recipients to;
	uint64_t offset;		/* of the body, while it is put into the queue */
	char id[QUEUE_ID];		/* what the commit will answer */
	struct error refusal;		/* REASON_NONE: none */
	/* questions.c */
	struct question *question;
};
struct clients {
	struct client *first;
	size_t n;
	size_t pages;			/* of listings in this turn */
};

/* Serves fd; -1: out of memory, and fd is the caller's still. */
int client_new(struct outpostd *d, int fd, uid_t uid, gid_t gid, bool admin);
void client_flush(struct client *c);		/* sends what it can, closes when all is sent */
void client_close(struct client *c);
/* Ends it with an answer. */
void client_answer(struct client *c, enum reason reason, const char *text);
void client_refuse(struct client *c, const struct error *err);

size_t clients_of(const struct outpostd *d, uid_t person);	/* at the door */
/* Whether one that is still sending was heard of just now. */
bool clients_are_sending(const struct outpostd *d, int64_t now);
/* Calls `what` for each that waits for an answer to this verb; it may close the client. */
void clients_asking(struct outpostd *d, const struct verb *verb, void (*what)(struct client *c));
deadline clients_deadline(struct outpostd *d);
void clients_tick(struct outpostd *d);		/* closes those that are too slow */
void clients_close_all(struct outpostd *d);

/* ---- submissions.c: submissions that are complete wait here for the commit of this turn, and get its answer. */

struct submissions {
	struct client *ready, **end;	/* in the order of their coming */
	size_t n;
	size_t waiting;			/* of them, for lists that are being read */
	deadline since;			/* the first of them came */
	size_t group;			/* so many were in the last commit, */
	deadline grouped;		/* then */
};

void submission_complete(struct client *c);
void submission_withdraw(struct client *c);	/* if it waits here */
bool submissions_ready(const struct outpostd *d);
/* Whether the commit should wait a moment for submissions that are nearly complete. */
bool submissions_gather(struct outpostd *d);
/* Before the transaction: rewrites the recipients of those that it will hold. False: there are none. */
bool submissions_prepare(struct outpostd *d);
void submissions_write(struct outpostd *d);	/* inside the transaction: puts them into the queue */
void submissions_lists_read(struct outpostd *d);	/* those that waited for a list go on */
void submissions_committed(struct outpostd *d);
void submissions_failed(struct outpostd *d, const struct error *why);
void submissions_forget(struct outpostd *d);	/* clients that wait for their answer get none */

/* ---- disk_share.c: whose a connection is, and what that person has in the queue. Limits count persons, as
 * subordinate uids cost nothing (base/person.h); and while little of the disk is free nobody may have more in the
 * queue than is still free for others (base/room.h). */

struct person_shares {
	struct persons known;
	struct person_share {
		uid_t person;
		uint64_t bytes;		/* of messages in the queue */
	} *list;
	size_t n, cap;
	deadline until;			/* they are counted again then */
};

uid_t person_of_uid(struct outpostd *d, uid_t uid);
/* Whether a submission of which `size` bytes have come may go on. Root and outpost itself always may. */
int person_has_room(struct outpostd *d, uid_t person, uint64_t size, struct error *err);
/* A submission of this person was accepted. */
void person_adds(struct outpostd *d, uid_t person, uint64_t size);
void person_shares_free(struct outpostd *d);

/* ---- incoming.c: taking in what outpost-drop wrote while no door was open. A file's submission is acknowledged
 * already, so it may be lost in no way: COMMIT comes before unlink, and the token makes a second taking-in after a
 * crash between the two find the first one's id. What can never be taken moves to corrupt/. */

typedef char incoming_file[INCOMING_NAME + sizeof(".msg")];
struct incoming_entry {
	incoming_file name;
	bool large;
};
struct incoming_dir {
	struct watch watch;		/* of the directory; fd -1: none */
	bool look;			/* something may be there */
	unsigned looks, looked;		/* begun, and over: all that was there then is taken in, or stays */
	struct incoming_entry *names;	/* the oldest at the last look, large ones last; from `next` on not yet taken */
	size_t n, cap, next;
	incoming_file last;		/* the last look left younger ones out than this; "" when it did not */
	bool waits, waited;		/* files wait for a list that is being read; did so in this look */
	unsigned lists_since;		/* list_reader.h */
	size_t alone;			/* so many are taken one by one, as a transaction of several failed */
	size_t failures;		/* of transactions in a row */
	size_t stays;			/* could not be taken for now, */
	deadline again;			/* and are tried again then */
	int64_t pause;			/* ms, between such tries */
};

int incoming_open(struct outpostd *d);
/* Files may have come. Returns the look that finds what is there now; incoming_looked says that it is over. */
unsigned incoming_look(struct outpostd *d);
bool incoming_looked(const struct outpostd *d, unsigned look);
void incoming_tick(struct outpostd *d);		/* takes some in, in a transaction of its own */
void incoming_take(struct outpostd *d);		/* everything that is there */
bool incoming_busy(const struct outpostd *d);	/* whether there is, or may be, more to take */
deadline incoming_deadline(struct outpostd *d);
bool incoming_waits(struct outpostd *d);	/* whether a file is there that may be taken */
void incoming_lists_read(struct outpostd *d);	/* those that waited for a list are looked at again */
size_t incoming_count(struct outpostd *d);	/* files there */
void incoming_close(struct outpostd *d);
/* A file stays for now, and is looked at again. One line is logged for many. */
void incoming_leave(struct outpostd *d, const char *name, const char *why);

/* ---- corrupt.c: files of incoming/ that can never be taken in are set aside in corrupt/. */

#define CORRUPT_DIR "corrupt"

struct corrupt_dir {
	size_t files;		/* in it, counted at the first that goes there after a look; 0: not yet */
	uint64_t bytes;
	bool full;		/* and it was logged that they are too many */
};

/* incoming/ is looked at anew: somebody may have emptied corrupt/. */
void corrupt_recount(struct outpostd *d);
void corrupt_set_aside(struct outpostd *d, const char *name, const struct error *why);

/* ---- fd_quarantine.c: a stranger's socket, read and closed without ever closing a descriptor that the stranger
 * sent along. */

struct fd_quarantine {
	int keeper;		/* the process that keeps sockets which must not be closed; -1: none yet */
	unsigned given;
	uid_t uid;		/* the last user who did that, */
	deadline reported;	/* and until when it is not logged again */
};

void quarantine_open(struct outpostd *d);
void quarantine_end(struct outpostd *d);
ssize_t quarantine_read(int fd, void *p, size_t n);	/* as recv; EBADMSG: a descriptor was sent along */
void quarantine_close(struct outpostd *d, int fd, uid_t uid);
int quarantine_keep(void);		/* the keeper's life */

/* ---- smtp_listener.c: SMTP on the loopback interface, for programs that know no sendmail (inet_interfaces =
 * loopback-only).  Every connection is given to a `sendmail -bs` of its own, which enters a sandbox before its
 * first byte and can do nothing but submit mail at the door, where it counts as the user who connected
 * (NETLINK_SOCK_DIAG; nobody where the kernel does not know). A person has half of the places at most. Where the kernel
 * has no sandbox the listener stays off. The sockets are bound while we are still root, or come from the service
 * manager under the name "smtp". */

enum { LISTENER_SESSIONS = 40 };
struct listener_socket {
	struct watch watch;	/* fd -1: none */
	struct outpostd *d;
	bool added;
};
struct listener {
	struct listener_socket socket[2];
	struct listener_session {
		pid_t pid;	/* 0: none */
		uid_t uid;	/* whose connection it is */
	} sessions[LISTENER_SESSIONS];
	bool ours;		/* no service manager holds the sockets for us: they need this process to stay */
	int given;		/* one that does; kept while it is not used; -1: none */
};

void listener_bind(struct outpostd *d);		/* while we may */
void listener_reload(struct outpostd *d);	/* inet_interfaces may have changed */
void listener_open(struct outpostd *d);		/* once the door is open; failures are warnings */
void listener_close(struct outpostd *d);
/* Whether this process serves a connection, and whose: what it submits is that user's. */
bool listener_serves(const struct outpostd *d, pid_t pid, uid_t *uid);
void listener_reaped(struct outpostd *d, pid_t pid);

#endif
