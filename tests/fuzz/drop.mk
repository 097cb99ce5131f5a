# fuzzing entries of drop
