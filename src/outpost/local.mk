# src/outpost
