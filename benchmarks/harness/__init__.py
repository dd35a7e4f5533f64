"""What the test harness is measured with; `script/bench-harness` runs it.

Each module is built on those that are named before it:

    samples     what each measurement came to
    figures     what is compared, and what it should come to
    schemas     Alembic projects of made-up revisions
    projects    the test projects of the contestants
    programs    server programs as pytest-mysql wants them
    contestants  whole test runs, and what each needs
    stage       the server, the projects and the environment of one engine's measurement
    databases   one database after the other, in a process with the peers' packages
    rounds      the runs, contestant after contestant
    page        docs/harness-benchmarks.md; page.md has its words
"""
