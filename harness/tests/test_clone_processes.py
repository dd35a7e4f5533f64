"""Copies in processes of their own: made by one, and without Alembic."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from throwaway_mysql.login import Login
from throwaway_mysql.testing.looking import rows

NewDatabase = Callable[[], str]

RACER = """
import json, os, sys, time
from pathlib import Path
from throwaway_mysql.schemas.clone import fill
from throwaway_mysql.login import Login
from throwaway_mysql import CallableSchema

folder, database, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
login = Login(**json.loads(os.environ["TEST_LOGIN"]))

def make(login, database):
    with (folder / "made").open("a") as file:
        print(database, file=file)
    while len(list(folder.glob("*.begun"))) < count:
        time.sleep(0.001)
    with login.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {database}.one (a INT)")

class Racing(CallableSchema):
    def key(self, server):
        (folder / f"{database}.begun").touch()
        return "the same"

print(fill(login, database, Racing(make), folder).cloned)
"""


def test_two_processes_at_once_make_one_dump(
    mysql_server: Login, server_environ: dict[str, str], new_database: NewDatabase, tmp_path: Path
) -> None:
    names = [new_database() for _ in range(3)]
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, tmp_path, name, str(len(names))],
            env=server_environ,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    said = sorted(racer.communicate()[0] for racer in racers)
    assert said == ["False\n", "True\n", "True\n"]
    assert len((tmp_path / "made").read_text().splitlines()) == 1
    assert {tuple(rows(mysql_server, name)) for name in names} == {("one",)}


QUICK = """
import json, os, sys
from pathlib import Path
from throwaway_mysql.schemas.clone import fill
from throwaway_mysql.login import Login
from throwaway_mysql import AlembicSchema

login = Login(**json.loads(os.environ["TEST_LOGIN"]))
filled = fill(login, sys.argv[1], AlembicSchema(Path(sys.argv[2])), Path(sys.argv[3]))
print(filled.cloned, *({"alembic", "sqlalchemy"} & set(sys.modules)))
"""


def test_a_copy_needs_no_alembic(
    server_environ: dict[str, str], new_database: NewDatabase, fifty: Path, tmp_path: Path
) -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", QUICK, new_database(), fifty, tmp_path],
            env=server_environ,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    ]
    assert sorted(said[0]) == ["False", "alembic", "sqlalchemy"]
    assert said[1] == ["True"]
