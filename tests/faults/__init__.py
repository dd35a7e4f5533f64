"""A test in the manner of Jepsen: clients count, a nemesis injects faults, checkers judge.

environment  a server and the app's processes, each behind a proxy
client       sends one operation at a time, and learns if it is ok, failed or unknown (info)
workload     runs clients of every kind
nemesis      a function for each kind of fault, and the schedule of strikes
history      every operation and every strike
checkers     what must hold for a history, and for the tables at its end

`test_faults.py` is the short form, `python -m tests.faults` the long one.
"""
