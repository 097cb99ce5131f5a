# src/base: the room that knows nothing of mail.
noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	src/base/limits.h \
	src/base/reasons.def src/base/reason.c src/base/reason.h \
	src/base/error.c src/base/error.h \
	src/base/buf.c src/base/buf.h \
	src/base/span.c src/base/span.h \
	src/base/number.c src/base/number.h \
	src/base/printable.c src/base/printable.h \
	src/base/base64.c src/base/base64.h \
	src/base/random.c src/base/random.h \
	src/base/text.h \
	src/base/array.c src/base/array.h \
	src/base/deadline.c src/base/deadline.h \
	src/base/frame.c src/base/frame.h \
	src/base/io.c src/base/io.h \
	src/base/lines.c src/base/lines.h \
	src/base/spill.c src/base/spill.h \
	src/base/string_set.c src/base/string_set.h \
	src/base/fs.c src/base/fs.h \
	src/base/sock.c src/base/sock.h \
	src/base/log.c src/base/log.h \
	src/base/proc.c src/base/proc.h \
	src/base/inherited.c src/base/inherited.h \
	src/base/room.c src/base/room.h \
	src/base/person.c src/base/person.h \
	src/base/sandbox.c src/base/sandbox_calls.c src/base/sandbox.h \
	src/base/step.c src/base/step.h \
	src/base/trust.c src/base/trust.h
libbase_a_CPPFLAGS = $(AM_CPPFLAGS) $(SECCOMP_CFLAGS)
