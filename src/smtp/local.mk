# src/smtp
