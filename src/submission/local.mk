# src/submission: what crosses from sendmail to the queue.
noinst_LIBRARIES += libsubmission.a
libsubmission_a_SOURCES = \
	src/submission/submission.h \
	src/submission/record.c src/submission/record.h \
	src/submission/encode.c src/submission/decode.c src/submission/answer_line.c \
	src/submission/incoming.c src/submission/held.c src/submission/incoming.h
