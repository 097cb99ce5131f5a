/*
 * ehlo.h: what a relay says it can do (RFC 5321 4.1.1.1). Pure.
 */
#ifndef SMTP_EHLO_H
#define SMTP_EHLO_H

#include <stdbool.h>
#include <stdint.h>

#include "smtp/reply.h"

struct ehlo {
	bool pipelining, chunking, eightbit, smtputf8, dsn, starttls, size;
	uint64_t size_limit;	/* 0: none said */
	unsigned rcpt_max;	/* LIMITS RCPTMAX (RFC 9422); 0: none said */
	char auth[512];		/* mechanisms, upper case, blank between */
	char words[512];	/* all keywords, for READY */
};

/* Forgets whatever e held, then reads the lines after the first. Never fails: what can't be understood
 * is not offered. */
void ehlo_parse(const struct reply *r, struct ehlo *e);

/* A hash of what is offered, never 0: another one means that another program answers, or another version of it. */
uint32_t ehlo_hash(const struct ehlo *e);

#endif
