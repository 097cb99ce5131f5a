# src/drop
