# src/nexthop: from the configuration to an agent's session.
noinst_LIBRARIES += libnexthop.a
libnexthop_a_SOURCES = src/nexthop/nexthop.h src/nexthop/agent.c src/nexthop/session.c
