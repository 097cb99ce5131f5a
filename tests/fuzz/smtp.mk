# fuzzing entries of smtp
