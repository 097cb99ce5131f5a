# src/credentials: user names, passwords and tokens. Linked by outpostd, outpost and outpost-token alone.
noinst_LIBRARIES += libcredentials.a
libcredentials_a_SOURCES = \
	src/credentials/program_answer.c \
	src/credentials/ask_token_program.c \
	src/credentials/credentials.h src/credentials/internal.h \
	src/credentials/file_modes.c \
	src/credentials/lookup.c \
	src/credentials/oauth2_file.c src/credentials/oauth2_file.h \
	src/credentials/password_program.c \
	src/credentials/sha256.c src/credentials/sha256.h
libcredentials_a_CPPFLAGS = $(AM_CPPFLAGS) $(NETTLE_CFLAGS)
CREDENTIAL_LIBS = libcredentials.a libnexthop.a libconf.a libmaps.a
