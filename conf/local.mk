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

# main.cf(5) comes from the table of parameters.
nodist_man_MANS += man/main.cf.5
CLEANFILES += man/main.cf.5
EXTRA_DIST += man/main.cf.5.in conf/params_to_man.awk
man/main.cf.5: man/main.cf.5.in conf/params.def conf/params_to_man.awk Makefile
	$(AM_V_GEN)$(MKDIR_P) man && $(AWK) -v QUEUEDIR='$(queuedir)' -v RUNDIR='$(RUNDIR)' -v HELPERDIR='$(helperdir)' \
		-v OWNER='$(OWNER)' -v SYSCONFDIR='$(confdir)' -f $(srcdir)/conf/params_to_man.awk \
		$(srcdir)/conf/params.def $(srcdir)/man/main.cf.5.in >$@.new && mv $@.new $@

dist_man_MANS += man/sasl_passwd.5
EXTRA_DIST += conf/main.cf conf/sasl_passwd
