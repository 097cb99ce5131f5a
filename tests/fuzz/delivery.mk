# fuzzing entries of delivery
