"""A server's command line, with the programs that are there."""

import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from throwaway_mysql.servers.program import find_program
from throwaway_mysql.servers.run import RunServer
from throwaway_mysql.servers.server import arguments

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
