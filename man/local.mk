# man: pages in mdoc. main.cf(5) and others that are made from tables: see conf/local.mk.
dist_man_MANS += man/outpost.8 man/outpostd.8
if POSTFIX_NAMES
dist_man_MANS += man/postfix.8 man/postqueue.8 man/postsuper.8 man/postcat.8 man/postconf.8 man/postmap.8 man/postalias.8
endif

# mandoc -Tlint finds nothing in any page, but that it does not know our pages as installed.
check-man: $(nodist_man_MANS)
	@if test -z '$(MANDOC)'; then echo "SKIP check-man: mandoc is not here"; exit 0; fi; \
	for f in $(dist_man_MANS) $(nodist_man_MANS); do \
		test -f $$f || f=$(srcdir)/$$f; grep -q '^\.so ' $$f || $(MANDOC) -Tlint $$f; \
	done | grep -v -e 'referenced manual not found' -e 'outdated mandoc.db' || exit 0; exit 1
CHECK_LOCAL += check-man
PHONY += check-man
