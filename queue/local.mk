# queue: what is owed. The only room that links SQLite.
noinst_LIBRARIES += libqueue.a
libqueue_a_SOURCES = \
	queue/queue.h queue/db.h queue/db.c queue/statements.def \
	queue/open.c queue/lock.c queue/maintenance/migrate.c queue/maintenance/integrity.c queue/maintenance/delete_old.c queue/maintenance/clock_correction.c \
	queue/put.c queue/claim.c queue/settle.c queue/backoff.c queue/relay_row.c \
	queue/list.c queue/history.c queue/hold_delete.c
libqueue_a_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
nodist_libqueue_a_SOURCES = queue/schema_sql.h
EXTRA_DIST += queue/schema.sql
BUILT_SOURCES += queue/schema_sql.h
CLEANFILES += queue/schema_sql.h

queue/schema_sql.h: $(top_srcdir)/queue/schema.sql
	@$(MKDIR_P) queue
	$(AM_V_GEN)(echo 'static const char schema_sql[] ='; \
		sed -e 's/--.*//' -e '/^[[:space:]]*$$/d' -e 's/.*/	"&\\n"/' $(top_srcdir)/queue/schema.sql; \
		echo '	;') > $@.tmp && mv $@.tmp $@
queue/libqueue_a-open.$(OBJEXT): queue/schema_sql.h

dist_man_MANS += man/outpost-queue.7
