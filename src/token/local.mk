# src/token: outpost-token, the only program that links libcurl.
helper_PROGRAMS += outpost-token
outpost_token_SOURCES = src/token/main.c
if OAUTH2
outpost_token_SOURCES += src/token/token.h src/token/grant.c src/token/device.c src/token/browser.c src/token/http.c \
	src/token/json.c src/token/store.c
endif
outpost_token_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(SQLITE_CFLAGS)
outpost_token_LDADD = $(CREDENTIAL_LIBS) libbase.a $(NETTLE_LIBS) $(CURL_LIBS) $(SQLITE_LIBS) $(SECCOMP_LIBS)
