"""Benchmarks of the service (`script/bench`) and of the test harness (`script/bench-harness`).

README.md says how they measure. This folder has the frame that both share.
"""
