# conf/systemd: the service, its door, the run of the queue at boot and now and then.
service_files = \
	conf/systemd/outpost.socket conf/systemd/outpost.service \
	conf/systemd/outpost-run.service conf/systemd/outpost-run.timer \
	conf/systemd/outpost-loopback.socket \
	conf/systemd/outpost-credential.path conf/systemd/outpost-credential.service \
	conf/systemd/credential.conf conf/systemd/outpost.sysusers conf/systemd/outpost.tmpfiles

systemdsystemunit_DATA = \
	conf/systemd/outpost.socket conf/systemd/outpost.service \
	conf/systemd/outpost-run.service conf/systemd/outpost-run.timer \
	conf/systemd/outpost-loopback.socket \
	conf/systemd/outpost-credential.path conf/systemd/outpost-credential.service
serviceexampledir = $(docdir)/examples
serviceexample_DATA = conf/systemd/credential.conf

EXTRA_DIST += $(service_files:=.in)
CLEANFILES += $(service_files)

$(service_files): Makefile
	@$(MKDIR_P) conf/systemd
	$(AM_V_GEN)sed -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@rundir[@]|$(RUNDIR)|g' -e 's|@queuedir[@]|$(queuedir)|g' \
		-e 's|@confdir[@]|$(confdir)|g' -e 's|@owner[@]|$(OWNER)|g' $(srcdir)/$@.in >$@.tmp && mv $@.tmp $@
conf/systemd/outpost.socket: conf/systemd/outpost.socket.in
conf/systemd/outpost.service: conf/systemd/outpost.service.in
conf/systemd/outpost-run.service: conf/systemd/outpost-run.service.in
conf/systemd/outpost-run.timer: conf/systemd/outpost-run.timer.in
conf/systemd/outpost-loopback.socket: conf/systemd/outpost-loopback.socket.in
conf/systemd/outpost-credential.path: conf/systemd/outpost-credential.path.in
conf/systemd/outpost-credential.service: conf/systemd/outpost-credential.service.in
conf/systemd/credential.conf: conf/systemd/credential.conf.in
conf/systemd/outpost.sysusers: conf/systemd/outpost.sysusers.in
conf/systemd/outpost.tmpfiles: conf/systemd/outpost.tmpfiles.in

# They are called outpost.conf there.
all-local: conf/systemd/outpost.sysusers conf/systemd/outpost.tmpfiles
install-service: conf/systemd/outpost.sysusers conf/systemd/outpost.tmpfiles
	$(MKDIR_P) '$(DESTDIR)$(sysusersdir)' '$(DESTDIR)$(tmpfilesdir)'
	$(INSTALL_DATA) conf/systemd/outpost.sysusers '$(DESTDIR)$(sysusersdir)/outpost.conf'
	$(INSTALL_DATA) conf/systemd/outpost.tmpfiles '$(DESTDIR)$(tmpfilesdir)/outpost.conf'
uninstall-service:
	rm -f '$(DESTDIR)$(sysusersdir)/outpost.conf' '$(DESTDIR)$(tmpfilesdir)/outpost.conf'
INSTALL_LOCAL += install-service
UNINSTALL_LOCAL += uninstall-service
PHONY += install-service uninstall-service
