"""Throwaway MySQL and MariaDB for tests, and a private server for development.

The room stands alone: it knows nothing of the application, and needs only
PyMySQL, and pytest where `harness.plugin` is used.

    login -> program -> server -> private (the development server)
                               -> run (a server for one test run) -> plugin
    login -> accounts, database ------------------------------------^
"""


class ServerError(RuntimeError):
    """Something is wrong with a server; the message is one line that says what to do."""
