# conf: what the administrator says.
noinst_LIBRARIES += libconf.a
libconf_a_SOURCES = \
	conf/conf.h conf/internal.h conf/params.def conf/postfix.def \
	conf/table.c \
	conf/load.c \
	conf/expand.c \
	conf/value.c \
	conf/host.c \
	conf/relay.c \
	conf/map.c \
	conf/regexp.c \
	conf/credential.c \
	conf/sha256.c conf/sha256.h \
	conf/modes.c \
	conf/tls.c conf/tls.h \
	conf/advice.c
