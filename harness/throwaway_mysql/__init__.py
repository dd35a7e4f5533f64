"""Throwaway MySQL and MariaDB for tests, and a private server for development.

The room stands alone: it knows nothing of the application. Each module is built on those
that are named before it, and needs PyMySQL if anything:

    login       an account at an address, and what it meets there
    accounts    the database and the account that an application needs
    masked      mappings that a report may show
    identity    the names of throwaway databases, and the process that made one
    journal     what a process of a run did and when
    place       a server where they may be, how far it is, and whether its locks tell
    ownership   a run, and the locks that say it lives
    marker      what stands in a throwaway database
    holders     who uses a database
    verdict     whose a database is, and whether it may be dropped
    database    throwaway databases
    sweep       what killed runs left
    cache       the user's folder for what takes long to make
    program     the server program of this machine
    guard       a process that ends a server with the run that wanted it
    hold        the locks that tell whether a folder's run and guard live
    guarded     a folder with such a guard
    leftovers   folders of killed runs whose guard was killed as well
    server      a server's process
    datadir     a new server's data
    image       a folder in one file
    template    data folders of new servers, kept
    private     the server of development
    process     any program that a test starts and that listens
    run         the server of a test run
    shared      the same one for all processes of the run
    kept        the same one, going on after the run
    relay       a way to a server that a test can cut
    looking     a look at what is there, for tests that see whether anything was left
    nested      a small project whose tests another test runs, for the same
    killing     runs of it that are killed
    kinds       what a database may have, and where its server tells of it
    digest      what makes two schemas the same
    ini         where an Alembic project has its files
    alembic_project  Alembic's commands on a throwaway database; needs it and SQLAlchemy
    schema      what makes a schema, and the key of what it makes
    ddl, rows   a database's objects and rows as SQL
    dump        a database as a file
    clone       a schema in an empty database, as a copy where there is one
    original    the rows that a database had when it was made, put back
    recorded    revisions that may not change any more; needs Alembic
    migration_tests  tests for a project to import; needs pytest, Alembic and SQLAlchemy
    timing      how long each step took; needs pytest
    isolation   what keeps tests apart that share a database; needs pytest
    report      what a run says at its end; needs pytest
    scheduler   which worker of pytest-xdist runs which module; needs pytest-xdist
    server_fixtures  the server of tests, as fixtures; needs pytest
    fixtures    the databases of tests, as fixtures; needs pytest
    engines     SQLAlchemy's engines on a database
    lifespan    an app between its start and its end
    loops       the event loops of tests; needs pytest
    app_fixtures  engines, the app and its client, as fixtures; needs pytest
    asyncio_fixtures  those of them in pytest-asyncio's loops; needs that
    plugin      the options; needs pytest
    cli         the command throwaway-mysql
"""


class ServerError(RuntimeError):
    """Something is wrong with a server; the message is one line that says what to do."""


class LoggedError(ServerError):
    """Something is wrong of which a log, at the path `log`, tells more than `what`."""

    def __init__(self, what: str, log: object) -> None:
        super().__init__(f"{what} ({log})")
        self.what = what
