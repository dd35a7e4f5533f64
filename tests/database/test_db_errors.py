"""What errors of the database mean, as the servers tell them."""

from collections.abc import AsyncIterator

import pytest
from quart import Quart
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import ServiceUnavailable

import db
import db_errors
from db_errors import Kind


@pytest.fixture(scope="module", autouse=True)
async def app(create_test_app: Quart) -> AsyncIterator[Quart]:
    """Enter the app's context, in which transaction() finds its engine."""
    async with create_test_app.app_context():
        yield create_test_app


@pytest.mark.parametrize(
    ("state", "number", "kind"),
    [
        ("HY000", 1021, Kind.OUTAGE),  # the disk is full
        ("08S01", 1047, Kind.OUTAGE),  # a node that its cluster has left behind
        ("HY000", 1205, Kind.CONFLICT),
        ("HY000", 1020, Kind.CONFLICT),
        ("42000", 1142, Kind.REFUSAL),
        ("HY000", 1820, Kind.REFUSAL),
        ("42S22", 1054, Kind.SCHEMA),
        ("08S01", 1184, Kind.OUTAGE),  # by its SQLSTATE, as are those below
        ("40001", 9001, Kind.CONFLICT),
        ("28000", 9002, Kind.REFUSAL),
        ("08S01", 1153, Kind.FAULT),  # but not this
        ("23000", 1062, Kind.FAULT),
        ("HY000", 9003, Kind.FAULT),
    ],
)
async def test_an_error_is_unavailable_unless_the_statement_is_at_fault(
    state: str, number: int, kind: Kind
) -> None:
    fails = f"SIGNAL SQLSTATE '{state}' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = 'on purpose'"
    expected = DBAPIError if kind is Kind.FAULT else ServiceUnavailable
    with pytest.raises(expected) as error:
        async with db.transaction() as connection:
            await connection.execute(text(fails))
    if isinstance(error.value, ServiceUnavailable):
        assert error.value.description == db.DETAILS[kind]
        assert error.value.retry_after
    assert db_errors.number(error.value.__cause__ or error.value) in (number, 0)


async def test_a_row_that_another_has_changed_since_it_was_read_is_to_be_tried_again() -> None:
    async with db.transaction() as reader:
        if not (await reader.execute(text("SHOW VARIABLES LIKE 'innodb_snapshot%'"))).all():
            pytest.skip("MySQL has no innodb_snapshot_isolation")
    count = text("UPDATE stock SET amount = amount + 1")
    async with db.transaction() as connection:
        await connection.execute(text("CREATE TABLE stock (amount INT)"))
        await connection.execute(text("INSERT INTO stock VALUES (1)"))
    with pytest.raises(ServiceUnavailable, match="try again"):  # noqa: PT012 (the block is what is tested)
        async with db.transaction() as reader:
            await reader.execute(text("SET innodb_snapshot_isolation = ON"))
            await reader.execute(text("SELECT amount FROM stock"))
            async with db.transaction() as other:
                await other.execute(count)
            await reader.execute(count)


def test_no_number_means_two_things() -> None:
    numbers = [
        *(db_errors.CONFLICTS, db_errors.OUTAGES, db_errors.SCHEMA),
        *(db_errors.FAULTS, db_errors.REFUSALS),
    ]
    assert len(db_errors.KINDS) == sum(map(len, numbers))
