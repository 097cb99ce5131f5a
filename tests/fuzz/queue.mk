# fuzzing entries of queue
