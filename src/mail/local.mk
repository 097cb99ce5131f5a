# src/mail: letters, as pure functions.
noinst_LIBRARIES += libmail.a
libmail_a_SOURCES = \
	src/mail/address.c src/mail/address.h \
	src/mail/alias.c \
	src/mail/dsn.c src/mail/dsn.h \
	src/mail/header.c src/mail/header.h \
	src/mail/mailq_format.c src/mail/mailq_format.h \
	src/mail/mapping.c src/mail/mapping.h \
	src/mail/recode.c src/mail/recode.h \
	src/mail/rewrite.c src/mail/rewrite.h \
	src/mail/wire.c src/mail/wire.h
