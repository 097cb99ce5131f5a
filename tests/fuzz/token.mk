# fuzzing entries of token
