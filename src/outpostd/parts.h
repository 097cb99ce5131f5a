/* parts.h: what the header of every part of outpostd needs. */
#ifndef OUTPOSTD_PARTS_H
#define OUTPOSTD_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/limits.h"
#include "conf/conf.h"
#include "delivery/delivery.h"
#include "outpostd/loop.h"
#include "queue/queue.h"
#include "submission/submission.h"

struct agent;
struct claim;
struct client;
struct credential_question;
struct outpostd;
struct question;
struct relay;
struct user;
struct verb;
struct verdict;

#endif
