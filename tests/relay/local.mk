# tests/relay
