# conf: what the administrator says.
noinst_LIBRARIES += libconf.a
libconf_a_SOURCES = \
	conf/conf.h conf/internal.h conf/params.def conf/postfix.def \
	conf/table.c \
	conf/load.c \
	conf/expand.c \
	conf/value.c \
	conf/host.c \
	conf/users.c \
	conf/edit.c

# main.cf(5) comes from the table; a small program writes it.
noinst_PROGRAMS += gen_man
gen_man_SOURCES = conf/gen_man.c conf/table.c
gen_man_CPPFLAGS = $(AM_CPPFLAGS)
gen_man_LDADD = libbase.a

nodist_man_MANS += man/main.cf.5
CLEANFILES += man/main.cf.5
man/main.cf.5: gen_man$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) man && ./gen_man$(EXEEXT) >$@.new && mv $@.new $@

dist_man_MANS += man/sasl_passwd.5
EXTRA_DIST += conf/main.cf conf/sasl_passwd
