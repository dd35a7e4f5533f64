"""A new server's data folder: where its system tables come from."""

from pathlib import Path

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.servers.datadir import SYSTEM_TABLES, system_tables


@pytest.mark.parametrize("family", ["mysql", "mariadb"])
def test_the_sql_of_a_mariadb_is_found_by_its_old_and_its_new_name(
    tmp_path: Path, family: str
) -> None:
    files = [tmp_path / f"{family}_{name}" for name in SYSTEM_TABLES]
    for file in files:
        file.touch()
    assert system_tables(tmp_path) == files


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for name in SYSTEM_TABLES[1:]:
        (tmp_path / f"mysql_{name}").touch()
    with pytest.raises(ServerError, match=r"without .*/mysql_system_tables\.sql"):
        system_tables(tmp_path)
