/*
 * smtp_listener.h: SMTP on the loopback interface, for programs that know no sendmail (inet_interfaces =
 * loopback-only).
 *
 * Every connection is given to a `sendmail -bs` of its own, which enters a sandbox before its first byte and can do
 * nothing but submit mail at the door. Where the kernel has no sandbox the listener stays off. The sockets are
 * bound while we are still root, or come from the service manager under the name "smtp".
 */
#ifndef OUTPOSTD_SMTP_LISTENER_H
#define OUTPOSTD_SMTP_LISTENER_H

#include "outpostd/parts.h"

enum { LISTENER_SESSIONS = 20 };
struct listener_socket {
	struct watch watch;	/* fd -1: none */
	struct outpostd *d;
	bool added;
};
struct listener {
	struct listener_socket socket[2];
	pid_t pids[LISTENER_SESSIONS];
	bool ours;		/* no service manager holds the sockets for us: they need this process to stay */
	int given;		/* one that does; kept while it is not used; -1: none */
};

void listener_bind(struct outpostd *d);		/* while we may */
void listener_reload(struct outpostd *d);	/* inet_interfaces may have changed */
void listener_open(struct outpostd *d);		/* once the door is open; failures are warnings */
void listener_close(struct outpostd *d);
void listener_reaped(struct outpostd *d, pid_t pid);

#endif
