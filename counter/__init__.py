"""The counter.

From the top down: views (the page), api/ (the JSON API), shortcut (which answers plain requests in
front of Quart), tally/ (which counts), durability and purge (at start-up, and now and then), and
models (the tables and queries).
"""
