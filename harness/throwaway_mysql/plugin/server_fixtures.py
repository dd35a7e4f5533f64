"""The server of a project's tests, as fixtures: the configured one, or a private one.

A project says which server it is configured for by overriding `mysql_configured`, `mysql_wait`,
`mysqld` and `mysql_tcp`. pytest loads this in every run, so what only a run with databases
needs is imported in the fixtures.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.plugin import given
from throwaway_mysql.plugin.report import say
from throwaway_mysql.plugin.timing import journal_of

if TYPE_CHECKING:
    from throwaway_mysql.login import Login
    from throwaway_mysql.servers.shared import Home

HOME: pytest.StashKey[Home] = pytest.StashKey()
FOLDER_INPUT = "throwaway_mysql_folder"  # tells workers of pytest-xdist where the server is


@pytest.fixture(scope="session")
def mysql_configured() -> Sequence[Login]:
    """Return the accounts to try at the configured server, the best first; none by default."""
    return []


@pytest.fixture(scope="session")
def mysql_wait() -> float:
    """How many seconds a configured server on another machine may take to answer."""
    return 30


@pytest.fixture(scope="session")
def mysqld() -> str:
    """Name the program of private servers; by default the first that this machine has."""
    return ""


@pytest.fixture(scope="session")
def mysql_tcp() -> bool:
    """Whether a private server is to listen on a port too, not on a unix socket only."""
    return False


@pytest.fixture(scope="session")
def mysql_program(request: pytest.FixtureRequest, mysqld: str) -> str:
    """Return the path of a server program for tests that start one; skip where there is none."""
    from throwaway_mysql.servers.program import find_program

    try:
        return str(find_program(request.config.getoption("--mysqld") or mysqld).path)
    except ServerError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def mysql_server(
    request: pytest.FixtureRequest,
    mysql_configured: Sequence[Login] | Login,
    mysql_wait: float,
    mysqld: str,
    mysql_tcp: bool,  # noqa: FBT001 (a fixture)
) -> Login:
    """Return an account that may create databases.

    On the configured server if it answers, else on a private one that lives for the run.
    """
    program = request.config.getoption("--mysqld")
    tried = [] if program else given.logins(mysql_configured)
    began = time.perf_counter()
    login = configured_login(tried, mysql_wait)
    if not login:
        login = private_login(request.config, tried, program or mysqld, tcp=mysql_tcp)
    how, where = _which(login)
    journal_of(request.config).add(f"server: {how}", time.perf_counter() - began)
    print(f"Using {where}")
    return login


def private_login(
    config: pytest.Config, tried: Sequence[Login], program: str, *, tcp: bool
) -> Login:
    """Return root's account on the run's private server, as none answers where `tried` says.

    `program` and `tcp` are RunServer's. Raises ServerError, which tells of both; without one,
    the run tells at its end.
    """
    from throwaway_mysql.servers.shared import JOINED, shared_login

    addresses = " or ".join(dict.fromkeys(login.address for login in tried))
    try:
        login = shared_login(run_folder(config), program, tcp=tcp)
    except ServerError as error:
        if not tried:
            raise
        reason = f"no server answers at {addresses}, and {error}"
    else:
        if tried and login.how != JOINED:  # once for a run
            say(config, f"nothing answers at {addresses}: the tests had a private {login.program}")
        return login
    raise ServerError(reason)


def _which(login: Login) -> tuple[str, str]:
    """Tell how the server came to be, and which it is."""
    from throwaway_mysql.servers.shared import SharedLogin

    if isinstance(login, SharedLogin):
        how = f"{login.program} {login.how}"
        return how, f"{login.program}, private, {login.how}, in {login.folder}"
    return f"{login.address} answered", f"the server at {login.address}, which answered"


def run_folder(config: pytest.Config) -> Path:
    """Return the folder of the run's server; only a run that needs one has one."""
    from throwaway_mysql.servers.shared import Home

    handed_on = getattr(config, "workerinput", {}).get(FOLDER_INPUT, "")
    if handed_on and Path(handed_on).is_dir():  # else the worker is on another machine
        return Path(handed_on)
    if HOME not in config.stash:
        config.stash[HOME] = Home()
    return config.stash[HOME].folder


def configured_login(logins: Sequence[Login], wait: float) -> Login | None:
    """Return the first of `logins` that its server takes, or None where none answers.

    A server on another machine is one that someone named: it gets `wait` seconds. Raises
    ServerError where it stays away, where it may not be used, or where a server refuses every
    account.
    """
    from throwaway_mysql.databases.place import check_allowed, near
    from throwaway_mysql.login import Answer

    for login in logins:
        check_allowed(login)
    far = [login for login in logins if not near(login)]
    deadline = time.monotonic() + wait
    while True:
        answers = {login: login.answer() for login in logins}
        if taken := [login for login in logins if answers[login] is Answer.SERVICE]:
            return taken[0]
        met = [login for login in logins if answers[login] is not Answer.NOTHING]
        if not met and not far:
            return None
        if met or time.monotonic() > deadline:
            return _slow_login(met or far[:1])
        time.sleep(0.2)


def _slow_login(logins: Sequence[Login]) -> Login:
    """Return the first that is taken with patience; raises what the first of them meets."""
    errors = []
    for login in logins:
        try:
            login.connect().close()
        except ServerError as error:
            errors.append(error)
        else:
            return login
    raise errors[0]
