# src/delivery: what crosses between outpostd and a delivery agent.
noinst_LIBRARIES += libdelivery.a
libdelivery_a_SOURCES = src/delivery/delivery.c src/delivery/delivery.h
