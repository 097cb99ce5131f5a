# src/outpostd
