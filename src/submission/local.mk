# src/submission
