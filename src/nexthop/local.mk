# src/nexthop: from the configuration to an agent's session.
noinst_LIBRARIES += libnexthop.a
libnexthop_a_SOURCES = \
	src/nexthop/advice.c \
	src/nexthop/agent.c src/nexthop/nexthop.h \
	src/nexthop/relayhost.c src/nexthop/relayhost.h \
	src/nexthop/session.c \
	src/nexthop/tls_policy.c src/nexthop/tls_policy.h
