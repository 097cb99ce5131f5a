# unit tests of delivery
