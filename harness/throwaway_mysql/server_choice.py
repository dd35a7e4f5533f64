"""Which server the tests have, and the environment variables that lead to its database."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from throwaway_mysql.databases import Database, Databases
from throwaway_mysql.errors import ServerError
from throwaway_mysql.guard import now
from throwaway_mysql.login import Answer, Login, check_allowed
from throwaway_mysql.run import RunLogin, planned_login, run_server
from throwaway_mysql.state import State

URL = "THROWAWAY_MYSQL_URL"
FOLDER = "THROWAWAY_MYSQL_RUN"  # tells workers of pytest-xdist, before their input arrives
WAIT = 30.0  # seconds; the fixture mysql_wait is not known yet where it is used


def configured() -> list[Login]:
    """Return the account of the environment variable, if it is set."""
    url = os.environ.get(URL, "")
    try:
        return [Login.from_url(url)] if url else []
    except ServerError as error:
        raise ServerError(f"{URL}: {error}") from None


def prepare(config: pytest.Config) -> None:
    """Set the variables of the ini option `mysql_env`, to what create_db will make."""
    state = State.of(config)
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    try:
        login = _plan(state, patch)
        name = Databases(login, config.getini("mysql_prefix")).name(0)
        state.environment = Database.of(login, name)
        for word in config.getini("mysql_env"):
            variable, _, value = word.partition("=")
            patch.setenv(variable, _value(state.environment, value))
    except ServerError as error:
        state.error = str(error)


def _value(database: Database, wanted: str) -> str:
    if wanted in database:
        return str(database[wanted])
    return database.url(wanted)


def _plan(state: State, patch: pytest.MonkeyPatch) -> Login:
    """Decide which server it will be, as the run's first process has decided."""
    config = state.config
    run, _, folder = os.environ.get(FOLDER, "").partition(":")
    is_worker = "PYTEST_XDIST_WORKER" in os.environ and run == str(os.getppid())
    if not is_worker:
        program = config.known_args_namespace.mysqld
        taken = None if program else answering(configured(), WAIT)
        folder = "" if taken else str(state.folder())
        patch.setenv(FOLDER, f"{os.getpid()}:{folder}")
    if not folder:
        return configured()[0]
    state.planned_private = True
    return planned_login(Path(folder), tcp=config.getini("mysql_tcp"))


def check(state: State, login: Login, prefix: str) -> None:
    """Refuse what fixtures give, where it is no account or not what `mysql_env` has told."""
    if not isinstance(login, Login):
        kind = type(login).__name__
        raise ServerError(
            f"the fixture mysql_server must give a Login, not {kind}: if it is a fixture of your "
            "own, give it another name, as throwaway-mysql has one of this name"
        )
    there = state.environment
    if there is not None and there.login.address != login.address:
        raise ServerError(
            f"mysql_env has named the server at {there.login.address} before the tests were "
            f"imported, but mysql_server gives {login.address}: set {URL} instead of a fixture"
        )
    if there is not None and not there.name.startswith(prefix):
        raise ServerError(
            f"mysql_env has named the database {there.name} before the tests were imported: "
            "set mysql_prefix in the ini file, too, to what the fixture gives"
        )


def choose(
    state: State, accounts: Sequence[Login] | Login, wait: float, program: str, *, tcp: bool
) -> Login:
    """Return the configured server's account if one answers, else the run's private server."""
    chosen = state.config.getoption("--mysqld")
    tried = [] if chosen or state.planned_private else _logins(accounts)
    if login := answering(tried, wait):
        print(f"Using the server at {login.address}, which answered")
        return login
    login = _private(state, tried, chosen or program, tcp=tcp)
    print(f"Using {login.program}, private, in {login.folder}")
    return login


def _logins(accounts: Sequence[Login] | Login) -> list[Login]:
    many = list(accounts) if isinstance(accounts, Iterable) else [accounts]
    for login in many:
        if not isinstance(login, Login):
            kind = type(login).__name__
            raise ServerError(f"the fixture mysql_configured must give Logins, not {kind}")
    return many


def _private(state: State, tried: Sequence[Login], program: str, *, tcp: bool) -> RunLogin:
    """Return root's account on the run's private server, as none answers where `tried` says."""
    addresses = " or ".join(dict.fromkeys(login.address for login in tried))
    flags = state.config.getini("mysqld_flags")
    try:
        login = run_server(state.folder(), program, tcp=tcp, flags=flags)
    except ServerError as error:
        if not tried:
            raise
        reason = f"no server answers at {addresses}, and {error}"
        raise ServerError(reason) from None
    if tried and login.first:
        line = f"nothing answers at {addresses}: the tests used a private {login.program}"
        state.lines.append(line)
    return login


def answering(logins: Sequence[Login], wait: float) -> Login | None:
    """Return the first of `logins` that its server takes, or None where none answers.

    A server on another machine is one that someone named: it gets `wait` seconds. Raises
    ServerError where it stays away, where it may not be used, or where a server refuses every
    account.
    """
    for login in logins:
        check_allowed(login)
    far = [login for login in logins if not login.near]
    deadline = now() + wait
    while True:
        answers = [(login, login.answer()) for login in logins]
        for login, answer in answers:
            if answer is Answer.SERVICE:
                return login
        there = [login for login, answer in answers if answer is not Answer.NOTHING]
        if not there and not far:
            return None
        if there or now() > deadline:
            return _patiently(there or far[:1])
        time.sleep(0.2)


def _patiently(logins: Sequence[Login]) -> Login:
    """Return the first that is taken in time; raise what the first of them meets."""
    errors = []
    for login in logins:
        try:
            login.connect().close()
        except ServerError as error:
            errors.append(error)
        else:
            return login
    raise errors[0]
