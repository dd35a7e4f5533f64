"""Benchmarks of the service (`script/bench`) and of the test harness (`script/bench-harness`).

README.md has how they measure. The frame that both share is in this folder.
"""
