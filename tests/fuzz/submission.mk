# fuzzing entries of submission
