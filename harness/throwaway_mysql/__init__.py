"""Throwaway MySQL and MariaDB for tests, and a private server for development.

The room stands alone: it knows nothing of the application. Each module is built on those
that are named before it, and needs PyMySQL if anything:

    login       an account at an address, and what it meets there
    accounts    the database and the account that an application needs
    masked      mappings that a report may show
    database    throwaway databases
    program     the server program of this machine
    guard       a process that ends a server with the run that wanted it
    guarded     a folder with such a guard
    server      a server's process
    datadir     a new server's data
    image       a folder in one file
    template    data folders of new servers, kept
    private     the server of development
    process     any program that a test starts and that listens
    run         a server for tests
    shared      the one server of a run, for all its processes
    plugin      the fixtures; needs pytest
    relay       a way to a server that a test can cut
    migrations  a throwaway database at the newest schema; needs Alembic and SQLAlchemy
"""


class ServerError(RuntimeError):
    """Something is wrong with a server; the message is one line that says what to do."""
