"""The counter: its table and queries, and the page that counts."""
