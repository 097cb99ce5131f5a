# unit tests of submission
