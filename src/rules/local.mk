# src/rules: from the configuration to the rules by which addresses are rewritten.
noinst_LIBRARIES += librules.a
librules_a_SOURCES = src/rules/rules.c src/rules/rules.h
