# unit tests of drop
