"""A test in Jepsen's manner: clients count while a nemesis does damage, and checkers judge.

environment  a server and the app's processes, each behind a proxy
client       sends one operation at a time, and learns that it is ok, failed or unknown (info)
workload     clients of every kind at work
nemesis      one function for each kind of damage, and which strikes when
history      every operation and every strike
checkers     what must hold for a history, and for the tables at its end

`test_faults.py` is the short form, `python -m tests.faults` the long one.
"""
