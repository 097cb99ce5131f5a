# src/token: outpost-token, the only program that links libcurl.
if OAUTH2
helper_PROGRAMS += outpost-token
outpost_token_SOURCES = src/token/main.c src/token/token.h src/token/grant.c src/token/device.c src/token/browser.c src/token/http.c \
	src/token/json.c src/token/store.c
outpost_token_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(SQLITE_CFLAGS)
outpost_token_LDADD = libconf.a libbase.a $(CURL_LIBS) $(SQLITE_LIBS) $(SECCOMP_LIBS)
endif
