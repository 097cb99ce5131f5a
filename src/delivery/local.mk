# src/delivery
