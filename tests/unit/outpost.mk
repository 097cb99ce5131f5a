# unit tests of outpost
