"""What database errors mean, as the servers raise them."""

import re
from collections.abc import AsyncIterator

import pytest
from pymysql import OperationalError
from quart import Quart
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import ServiceUnavailable

import db
import db_errors
from db_errors import Kind

SIGNAL = "SIGNAL SQLSTATE '{}' SET MYSQL_ERRNO = {}, MESSAGE_TEXT = 'on purpose'"
SIGNALS = [
    ("HY000", 1021, Kind.OUTAGE),  # the disk is full
    ("08S01", 1047, Kind.OUTAGE),  # a node cut off from its cluster
    ("HY000", 1205, Kind.CONFLICT),
    ("HY000", 1020, Kind.CONFLICT),
    ("42000", 1142, Kind.REFUSAL),
    ("HY000", 1820, Kind.REFUSAL),
    ("08S01", 1184, Kind.OUTAGE),  # by its SQLSTATE, as are those below
    ("40001", 9001, Kind.CONFLICT),
    ("28000", 9002, Kind.REFUSAL),
    ("08S01", 1153, Kind.FAULT),  # but not this
    ("HY000", 9003, Kind.FAULT),
    ("HY000", 1226, Kind.OUTAGE),  # the account has too many connections
]


@pytest.fixture(scope="module", autouse=True)
async def app(create_test_app: Quart) -> AsyncIterator[Quart]:
    """Enter the app's context, where transaction() finds its engine."""
    async with create_test_app.app_context():
        yield create_test_app


@pytest.mark.parametrize(
    ("statement", "number", "kind"),
    [
        ("SELECT colour FROM alembic_version", 1054, Kind.SCHEMA),
        ("SELECT 1 FROM missing", 1146, Kind.SCHEMA),
        ("SELEC 1", 1064, Kind.FAULT),
        ("DELETE FROM alembic_version WHERE 1 + 18446744073709551615 > 0", 1690, Kind.FAULT),
        *((SIGNAL.format(*error), *error[1:]) for error in SIGNALS),
    ],
)
async def test_an_error_is_unavailable_unless_the_statement_is_at_fault(
    statement: str, number: int, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    expected = DBAPIError if kind is Kind.FAULT else ServiceUnavailable
    with pytest.raises(expected) as error:
        async with db.transaction() as connection:
            await connection.execute(text(statement))
    assert db_errors.number(error.value.__cause__ or error.value) in (number, 0)
    if isinstance(error.value, ServiceUnavailable):
        assert error.value.description == db.DETAILS[kind]
        assert error.value.retry_after
        assert re.search("colour|missing|on purpose", caplog.text)


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (1045, "DB_USERNAME and DB_PASSWORD name"),
        (2059, "ALTER USER can let it use"),
        (1130, "CREATE USER names the host"),
        (2003, "`quart mysql start` starts"),
        (1040, ""),
    ],
)
def test_a_login_that_failed_has_a_remedy_if_waiting_is_none(number: int, remedy: str) -> None:
    told = db_errors.remedy(OperationalError(number, ""))
    assert remedy in told
    assert bool(remedy) == bool(told)


def test_no_number_means_two_things() -> None:
    numbers = [
        *(db_errors.CONFLICTS, db_errors.OUTAGES, db_errors.SCHEMA),
        *(db_errors.FAULTS, db_errors.REFUSALS),
    ]
    assert len(db_errors.KINDS) == sum(map(len, numbers))
