# tests/unit: control
if HAVE_CMOCKA
check_PROGRAMS += test_control
TESTS += test_control
test_control_SOURCES = tests/unit/test_control.c
test_control_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
test_control_LDADD = libcontrol.a libbase.a $(CMOCKA_LIBS) $(SECCOMP_LIBS)
endif
