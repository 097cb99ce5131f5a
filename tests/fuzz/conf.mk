# fuzzing entries of conf
