# packaging: what installing needs beyond copying, and the packages.
EXTRA_DIST += packaging/install packaging/build-deb packaging/check-debian packaging/check-on packaging/fresh-debian \
	packaging/outpost.logcheck \
	packaging/apparmor/usr.sbin.outpostd \
	packaging/debian/changelog packaging/debian/control packaging/debian/copyright packaging/debian/rules \
	packaging/debian/source/format packaging/debian/outpost.docs \
	packaging/debian/postinst packaging/debian/prerm packaging/debian/postrm

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = packaging/completion/outpost
zshcompletiondir = $(datadir)/zsh/site-functions
dist_zshcompletion_DATA = packaging/completion/_outpost

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

# The Debian package, from what `make dist` would hand out, into ./deb.
deb: dist
	@rm -rf deb && $(SHELL) $(srcdir)/packaging/build-deb $(distdir).tar.xz deb
clean-deb:
	rm -rf deb
# The same package on a fresh Debian (SUITE), from installing to purging. Minutes, and a mirror: a part of ./bootstrap check,
# not of make check.
check-debian: deb relay$(EXEEXT) mkcert$(EXEEXT)
	$(SHELL) $(srcdir)/packaging/check-debian deb $(SUITE)
# The tarball built and tested on a fresh Debian: make check-on SUITE=trixie [ARCH=i386]. See packaging/check-on.
SUITE = bookworm
ARCH =
check-on: dist
	$(srcdir)/packaging/check-on $(distdir).tar.xz $(SUITE) $(ARCH)
# The same package under systemd, its units running as they are shipped: see tests/systemd/run.
check-systemd: deb relay$(EXEEXT) mkcert$(EXEEXT)
	$(SHELL) $(srcdir)/tests/systemd/run deb
PHONY += deb clean-deb check-on check-debian check-systemd
EXTRA_DIST += tests/systemd/run tests/systemd/inside

EXTRA_DIST += docs/relays.md docs/microsoft365.md docs/moving.md docs/fleet.md docs/containers.md docs/platforms.md docs/security.md \
	packaging/container/Dockerfile
