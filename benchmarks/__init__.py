"""What the app's speed is measured with; `script/bench` runs it.

Each module is built on those that are named before it:

    contestants  what is measured, and what clients send to it
    samples      what each run of the load measured
    ratios       what is compared, and what it should come to
    peers/       the apps that this one is compared with
    load.lua     what clients send, in wrk's language
    wrk          one run of the load
    probe        a single request, to see that a contestant does what it should
    stage        the database, Redis and the apps of one engine
    lone         one client and one request at a time
    rounds       the runs, contestant after contestant
    machine      where it was measured
    plot         what many clients do to each, drawn
    page         docs/benchmarks.md; page.md has its words

Beside them stands what the test harness is measured with, harness/.
"""


class VoidError(RuntimeError):
    """A measurement is worth nothing; the message is one line that says why."""
