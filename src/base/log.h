/*
 * log.h: where a program's words go: syslog (facility mail), a file (maillog_file), or stderr.
 *
 * A line names the part of outpost that speaks, as Postfix's do: "outpost/smtp[123]: ...". The
 * text is made printable here. One program may speak for several parts (outpostd logs for its
 * agents), so the part is an argument. This and the configuration are the only global state.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stddef.h>
#include <sys/types.h>

enum log_level { LOG_DEBUGGING, LOG_INFORMATION, LOG_WARN, LOG_FAIL };
enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_FILE };

/* Until this is called lines go to stderr. name is syslog_name ("outpost"); path is for LOG_TO_FILE
 * (opened for appending, mode 0640; /dev/stdout works) and may be opened again by log_reopen.
 * LOG_TO_SYSLOG without a listening /dev/log falls back to stderr. Returns -1 with errno when
 * the file can't be opened; then lines go to stderr. */
int log_open(enum log_target target, const char *name, const char *path);

/* The same file or socket anew. -1 with errno: the file can't be opened (any more); lines go on to what is open. */
int log_reopen(void);

/* One line. part may be "smtp", "qmgr", ...; pid 0 stands for our own. Warnings get "warning: ",
 * LOG_FAIL "error: " in front. */
void log_line(enum log_level level, const char *part, pid_t pid, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
