# unit tests of sendmail
