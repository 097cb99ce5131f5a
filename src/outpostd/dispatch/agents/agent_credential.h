/* agent_credential.h: the credential for an agent that asks for it. */
#ifndef OUTPOSTD_AGENT_CREDENTIAL_H
#define OUTPOSTD_AGENT_CREDENTIAL_H

#include "outpostd/parts.h"

/* At once, or when the program or token endpoint that is asked for it has answered. */
void credential_give(struct agent *a);
/* It is no longer expected. */
void credential_forget(struct agent *a);

#endif
