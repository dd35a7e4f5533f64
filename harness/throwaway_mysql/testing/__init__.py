"""What tests of servers and of whole runs use; they look at processes as Linux shows them.

It is for the package's own tests and those of its development, and promised to nobody: names here
come, go and change without notice.

Each module is built on those that are named before it:

    serving  a program that listens, while a block runs
    relay    a way to a server that a test can cut
    looking  a look at what is there, for tests that see whether anything was left
    scene    databases made by hand, for sweeps
    nested   a small project whose tests another test runs, for the same
    killing  runs of it that are killed
    keeping  a project whose runs keep databases on their private server
    moves    made-up Alembic projects
"""
