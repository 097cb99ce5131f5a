# src/base: the room that knows nothing of mail.
noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	src/base/limits.h \
	src/base/reasons.def src/base/reason.c src/base/reason.h \
	src/base/error.c src/base/error.h \
	src/base/buf.c src/base/buf.h \
	src/base/text/span.c src/base/text/span.h \
	src/base/text/number.c src/base/text/number.h \
	src/base/text/printable.c src/base/text/printable.h \
	src/base/text/base64.c src/base/text/base64.h \
	src/base/random.c src/base/random.h \
	src/base/text/text.h \
	src/base/array.c src/base/array.h \
	src/base/deadline.c src/base/deadline.h \
	src/base/frame.c src/base/frame.h \
	src/base/io.c src/base/io.h \
	src/base/text/lines.c src/base/text/lines.h \
	src/base/files/spill.c src/base/files/spill.h \
	src/base/string_set.c src/base/string_set.h \
	src/base/files/fs.c src/base/files/fs.h \
	src/base/sock.c src/base/sock.h \
	src/base/log.c src/base/log.h \
	src/base/process/proc.c src/base/process/proc.h \
	src/base/process/inherited.c src/base/process/inherited.h \
	src/base/files/room.c src/base/files/room.h \
	src/base/process/person.c src/base/process/person.h \
	src/base/process/sandbox.c src/base/process/seccomp_filter.c src/base/process/sandbox.h \
	src/base/process/step.c src/base/process/step.h \
	src/base/files/trust.c src/base/files/trust.h
libbase_a_CPPFLAGS = $(AM_CPPFLAGS) $(SECCOMP_CFLAGS)
