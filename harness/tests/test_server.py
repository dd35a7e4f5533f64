"""A server's command line, with the programs that are there, and what its log tells."""

import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from throwaway_mysql.servers.program import find_program
from throwaway_mysql.servers.run import RunServer
from throwaway_mysql.servers.server import arguments, cause

PLUGIN = "SELECT plugin_status FROM information_schema.plugins WHERE plugin_name = 'mysqlx'"


def test_a_server_without_the_plugin_x_takes_a_mysqls_arguments(
    mysql_program: str, tmp_path: Path
) -> None:
    lacks = replace(find_program(mysql_program), family="MySQL")  # a MariaDB knows no such plugin
    (tmp_path / "tmp").mkdir()
    argv = [*arguments(lacks, tmp_path / "data"), "--verbose", "--help"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_plugin_x_does_not_run(mysql_program: str) -> None:
    if find_program(mysql_program).family == "MariaDB":
        pytest.skip("it has none")
    with (
        closing(RunServer(mysql_program, tcp=False)) as server,
        server.root.connect() as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(PLUGIN)
        assert cursor.fetchall() in ((), (("DISABLED",),))


@pytest.mark.parametrize(
    "line",
    [
        "[ERROR] InnoDB: Operating system error number 13 in a file operation.",
        '[ERROR] Can\'t create test file /d/host.lower-test (Errcode: 13 "Permission denied")',
        "[ERROR] [MY-010187] [Server] Could not open file '/d/e' for error logging: "
        "Permission denied",
    ],
)
def test_who_may_deny_a_server_its_data_is_told(tmp_path: Path, line: str) -> None:
    log = tmp_path / "server.log"
    log.write_text(f"2026-01-01  0:00:00 0 {line}\n")
    assert cause(log).endswith("check the owner, and what AppArmor allows it")
