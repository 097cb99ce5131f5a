/*
 * words.h: words by which a relay says that we may send no more, until a person has asked there. The agent acts on them
 * (smtp/wording.h), and the administrator's command says what to do. Separated by '|', in no particular case
 * (text_has_word).
 */
#ifndef DELIVERY_WORDS_H
#define DELIVERY_WORDS_H

#define DELIVERY_SENDING_STOPPED                                                                                       \
	"outgoing mail from|outgoing blocked|bad outbound sender|sending paused|sending suspended"
/* In answer to RCPT it is the recipient's account. */
#define DELIVERY_ACCOUNT_CLOSED \
	"account suspended|account is suspended|account has been suspended|account disabled|" \
	"account is disabled|account has been disabled|account is blocked|account has been blocked"

#endif
