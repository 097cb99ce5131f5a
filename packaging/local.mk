# packaging: what installing needs beyond copying, and the packages.
EXTRA_DIST += packaging/install

INSTALL_ENV = DESTDIR='$(DESTDIR)' OWNER='$(OWNER)' prefix='$(prefix)' sbindir='$(sbindir)' bindir='$(bindir)' \
	helperdir='$(helperdir)' confdir='$(confdir)' queuedir='$(queuedir)' rundir='$(RUNDIR)' srcdir='$(srcdir)' \
	postfix_names=$(POSTFIX_NAMES_WANTED)
if POSTFIX_NAMES
POSTFIX_NAMES_WANTED = yes
else
POSTFIX_NAMES_WANTED = no
endif

install-names:
	@$(INSTALL_ENV) $(SHELL) $(srcdir)/packaging/install install
uninstall-names:
	@$(INSTALL_ENV) $(SHELL) $(srcdir)/packaging/install uninstall
INSTALL_LOCAL += install-names
UNINSTALL_LOCAL += uninstall-names
PHONY += install-names uninstall-names
