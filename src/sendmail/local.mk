# src/sendmail
