"""The counter: tables and queries, pages, health, and the answers to errors."""
