# fuzzing entries of control
