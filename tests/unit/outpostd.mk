# unit tests of outpostd
