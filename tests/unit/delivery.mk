# unit tests of delivery
if HAVE_CMOCKA
check_PROGRAMS += test_delivery
TESTS += test_delivery
test_delivery_SOURCES = tests/unit/test_delivery.c
test_delivery_LDADD = libdelivery.a libbase.a $(SECCOMP_LIBS) $(CMOCKA_LIBS)
test_delivery_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
endif
