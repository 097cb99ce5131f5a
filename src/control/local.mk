# src/control: the language of questions and orders to a running outpostd.
noinst_LIBRARIES += libcontrol.a
libcontrol_a_SOURCES = \
	src/control/control.h \
	src/control/request.c \
	src/control/client.c
