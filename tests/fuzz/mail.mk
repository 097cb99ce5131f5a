# fuzzing entries of mail
