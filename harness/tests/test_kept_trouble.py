"""What the system refuses, where a server is kept or ended, is one line that says which."""

import errno
import os
import resource
from pathlib import Path

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.servers.kept import end, keep_server
from throwaway_mysql.servers.run import claim
from throwaway_mysql.servers.shared import SharedLogin
from throwaway_mysql.servers.trouble import one_line


def test_a_server_that_cannot_be_kept_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "removed"
    login = SharedLogin("localhost", 0, "root", "hidden", log=str(folder / "server.log"))
    with pytest.raises(ServerError) as error:
        keep_server(login)
    line = f"the server in {folder} cannot be kept: No such file or directory"
    assert str(error.value) == f"{line} ({folder}/client.cnf)"


def test_a_server_that_cannot_be_ended_is_named(tmp_path: Path) -> None:
    folder, hold = claim(tmp_path)
    hold.close()
    for name in ("guard", "kept"):
        (folder / name).touch()
    _, most = limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, most))
    try:
        with pytest.raises(ServerError) as error:
            end(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert str(error.value) == f"{folder} cannot be ended: Too many open files ({folder}/alive)"


def test_where_no_file_is_known_none_is_named() -> None:
    line = "^no server can be made for the tests: Input/output error$"
    with pytest.raises(ServerError, match=line), one_line():
        raise OSError(errno.EIO, os.strerror(errno.EIO))
