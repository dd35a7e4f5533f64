"""The counter.

From the top down: page, api/ (the JSON API), fast_path (which answers plain requests in front of
Quart), batching/ (which counts), durability and purge (at start-up, and now and then), hits, and
models (the tables and queries).
"""
