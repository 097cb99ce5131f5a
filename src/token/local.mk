# src/token
