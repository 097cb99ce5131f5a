/*
 * session.h: from nothing to a session in which mail can be sent: connect, greeting, TLS, EHLO, AUTH.
 */
#ifndef SMTP_SESSION_H
#define SMTP_SESSION_H

#include "smtp/agent.h"
#include "smtp/resolve.h"

/* Tries the endpoints in turn. 0: READY was said; -1: a->down. */
int session_open(struct agent *a, struct endpoints *e);

/* The same on a connection that stands: greeting to login. */
int session_talk(struct agent *a);

/* `outpost check`: MAIL with the sender that would be used, then RSET. 0 or -1. */
int session_check_sender(struct agent *a);

/* QUIT, not awaited, and the end of the connection. */
void session_quit(struct agent *a);

#endif
