"""The counter.

From the top down: page, api/ (the JSON API), fast_path (answers plain requests in front of
Quart), batching/ (counts), durability (checked at start-up), purge (runs periodically), hits, and
models (tables and queries).
"""
