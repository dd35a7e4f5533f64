"""Choose the tests' server, and set the environment variables that lead to its database."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from throwaway_mysql.databases import Database, Databases
from throwaway_mysql.errors import ServerError, wrong
from throwaway_mysql.guard import now
from throwaway_mysql.login import Answer, Login, LoginError, check_allowed
from throwaway_mysql.run import RunLogin, planned_login, run_server
from throwaway_mysql.state import State

URL = "THROWAWAY_MYSQL_URL"
FOLDER = "THROWAWAY_MYSQL_RUN"  # tells pytest-xdist's workers, before their workerinput arrives
WAIT = 30.0  # seconds that a server on another machine may take to answer


def configured() -> list[Login]:
    """Return the account in THROWAWAY_MYSQL_URL, if it is set."""
    url = os.environ.get(URL, "")
    try:
        return [Login.from_url(url)] if url else []
    except ServerError as error:
        raise ServerError(f"{URL}: {error}") from None


def prepare(config: pytest.Config) -> None:
    """Set the variables of the ini option `mysql_env` for the database that create_db will make."""
    state = State.of(config)
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    try:
        login = _plan(state, patch)
        name = Databases(login, config.getini("mysql_prefix")).name(0)
        there = state.environment = Database.of(login, name)
        for word in config.getini("mysql_env"):
            variable, _, key = word.partition("=")
            patch.setenv(variable, str(there[key]) if key in there else there.url(key))
    except ServerError as error:
        raise pytest.UsageError(str(error)) from None


def _plan(state: State, patch: pytest.MonkeyPatch) -> Login:
    """Return the account to use; a worker takes the server that the run's main process chose."""
    config = state.config
    run, _, folder = os.environ.get(FOLDER, "").partition(":")
    is_worker = "PYTEST_XDIST_WORKER" in os.environ and run == str(os.getppid())
    if not is_worker:
        program = config.known_args_namespace.mysqld
        taken = None if program else answering(configured())
        folder = "" if taken else str(state.folder())
        patch.setenv(FOLDER, f"{os.getpid()}:{folder}")
    if not folder:
        return configured()[0]
    state.planned_private = True
    return planned_login(Path(folder), tcp=config.getini("mysql_tcp"))


def check(state: State, login: Login, prefix: str) -> None:
    """Raise ServerError if a fixture gives no account, or another server than `mysql_env`."""
    if not isinstance(login, Login):
        raise wrong("mysql_server", "a Login (or rename your fixture)", login)
    there = state.environment
    if there and (login.address != there.login.address or not there.name.startswith(prefix)):
        raise ServerError(
            f"mysql_env has named {there.name} at {there.login.address} before the tests were "
            f"imported: set {URL}, and mysql_prefix in the ini file, instead of fixtures"
        )


def choose(state: State, accounts: Sequence[Login] | Login) -> Login:
    """Return an account that the configured server accepts, else the private server's."""
    if state.config.getoption("--mysqld"):
        tried = []
    else:  # a planned one was planned as none of `configured()` answered
        tried = configured() if state.planned_private else _logins(accounts)
    if not state.planned_private and (login := answering(tried)):
        print(f"Using the server at {login.address}, which answered")
        return login
    login = _private(state, tried)
    print(f"Using {login.program}, private, in {login.folder}")
    return login


def _logins(accounts: Sequence[Login] | Login) -> list[Login]:
    many = list(accounts) if isinstance(accounts, Iterable) else [accounts]
    for login in many:
        if not isinstance(login, Login):
            raise wrong("mysql_configured", "Logins", login)
    return many


def _private(state: State, tried: Sequence[Login]) -> RunLogin:
    """Return root's account on the run's private server, as no server of `tried` answers."""
    addresses = " or ".join(dict.fromkeys(login.address for login in tried))
    config = state.config
    tcp, flags = config.getini("mysql_tcp"), config.getini("mysqld_flags")
    try:
        login = run_server(state.folder(), config.getoption("--mysqld"), tcp=tcp, flags=flags)
    except ServerError as error:
        if not tried:
            raise
        raise ServerError(f"no server answers at {addresses}, and {error}") from None
    if tried and login.first:
        line = f"nothing answers at {addresses}: the tests used a private {login.program}"
        state.lines.append(line)
    return login


def answering(logins: Sequence[Login], wait: float = WAIT) -> Login | None:
    """Return the first of `logins` that its server accepts, or None if no server answers.

    A server on another machine gets `wait` seconds to answer. Raises ServerError if it does not,
    if it may not be used, or if a server refuses an account and none is accepted.
    """
    for login in logins:
        check_allowed(login)
    deadline = now() + wait
    while True:
        refusals, absences = [], []
        for login in logins:
            try:
                login.connect().close()
            except LoginError as error:
                if error.answer is not Answer.NOTHING:
                    refusals.append(error)
                elif not login.near:
                    absences.append(error)
            else:
                return login
        if refusals or (absences and now() > deadline):
            raise (refusals or absences)[0]
        if not absences:
            return None
        time.sleep(0.2)
