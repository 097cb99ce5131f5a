/* service_manager.h: sockets that the service manager passes, readiness, watchdog. Without a service manager all of
 * it does nothing. */
#ifndef OUTPOSTD_SERVICE_MANAGER_H
#define OUTPOSTD_SERVICE_MANAGER_H

#include "outpostd/parts.h"

struct watchdog {
	deadline next;		/* 0: not known yet */
	int64_t interval_ms;
};

int service_manager_socket(const char *name);		/* one that was passed under this name, or -1 */
void service_manager_notify(const char *text);
deadline watchdog_deadline(struct outpostd *d);
void watchdog_tick(struct outpostd *d);

#endif
