/*
 * session.h: what an agent does, file by file: it shuts itself in, connects, logs in, and transfers messages.
 */
#ifndef SMTP_SESSION_H
#define SMTP_SESSION_H

#include "smtp/agent.h"
#include "smtp/connection/resolve.h"

/* ---- agent_sandbox.c: what an agent gives up: first all files but the system's own and those that main.cf names,
 * then, connected, all files and nearly all system calls. */

bool agent_sandbox_files(const struct delivery_session *s);
/* Connected: no files at all any more, and few system calls. again: other addresses may have to be
 * connected to. Says what took hold, for a debugging line. */
const char *agent_sandbox_all(bool again);

/* ---- dial.c: a TCP connection to one of several addresses. An address that does not answer holds up the next one
 * for a second, not for its whole time-out; the first connection wins. */

/* Connects to an endpoint that was not tried; marks those it tries. While the first connection is under
 * way the trust store is loaded. 0: a->ch is open, a->ready says to whom; -1: a->down. */
int dial(struct agent *a, struct endpoints *e);

bool dial_more(const struct endpoints *e);	/* whether any is left to be tried */

/* ---- sasl.c: logging in at the relay. The credential is asked of outpostd only when the connection is good enough
 * for it (tls_login_allowed), and wiped when the exchange is over. */

/* 0: logged in, a->ready.mechanism says how; -1: a->down. */
int sasl_login(struct agent *a);

/* ---- session.c: from nothing to a session in which mail can be sent: connect, greeting, TLS, EHLO, AUTH. */

/* Tries the endpoints in turn. 0: READY was said; -1: a->down. */
int session_open(struct agent *a, struct endpoints *e);

/* The same on a connection that stands: greeting to login. */
int session_talk(struct agent *a);

/* `outpost check`: MAIL with the sender that would be used, then RSET. 0 or -1. */
int session_check_sender(struct agent *a);

/* QUIT, not awaited, and the end of the connection. */
void session_quit(struct agent *a);

/* ---- transfer.c: messages over an open session, until outpostd has no more or the session ends. */

/* 0: ended in order (BYE); the connection may be closed with QUIT unless it is closed already. -1: a->down. */
int transfer_run(struct agent *a);

#endif
