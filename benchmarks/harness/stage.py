"""The server, the projects and the environment of one engine's measurement."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import VoidError
from benchmarks.harness import programs, projects
from benchmarks.harness.contestants import Contestant
from throwaway_mysql import Login
from throwaway_mysql.servers.run import RunServer
from throwaway_mysql.servers.server import throwaway_flags

PROJECT = Path(__file__).resolve().parents[2]
OWN = PROJECT / ".bench"  # not for git
PYTHON = OWN / "harness/bin/python"  # which has the peers' packages
ENDS_WITHIN = 300  # seconds
# What would slow runs down, or change them.
UNSET = "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTEST_ADDOPTS", "THROWAWAY_MYSQLD"


@dataclass(frozen=True)
class Stage:
    """Everything that runs need; `words` are what {name} in their options stands for.

    `note` says in a line of Markdown what this engine's runs differ in.
    """

    engine: str
    program: str
    folder: Path
    environ: Mapping[str, str]
    words: Mapping[str, Sequence[str]]
    login: Login
    note: str

    def run(self, contestant: Contestant, **more: str) -> float:
        """Run it, and return how many milliseconds it took.

        `more` goes into its environment. Raises VoidError where a test fails.
        """
        configured = {"CONFIGURED": json.dumps(asdict(self.login)), "SERVER_URL": self.login.url()}
        environ = {**self.environ, **(configured if contestant.configured else {}), **more}
        argv = [str(PYTHON), *self._words(contestant.command)]
        began = time.perf_counter()
        done = subprocess.run(
            argv,
            cwd=self.folder / contestant.project,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ENDS_WITHIN,
            check=False,
        )
        took = 1000 * (time.perf_counter() - began)
        if done.returncode:
            said = f"{done.stdout}\n{done.stderr}".strip()
            raise VoidError(f"{contestant.title}: status {done.returncode}: {said[-2000:]}")
        return took

    def _words(self, command: Sequence[str]) -> Iterator[str]:
        for word in command:
            name = word.strip("{}")
            if word == f"{{{name}}}":
                yield from self.words[name]
            else:
                yield word.format(**{name: words[0] for name, words in self.words.items()})


@contextmanager
def stage(program: str) -> Iterator[Stage]:
    """Start a server of the program and write the projects; end and remove all with the block."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        environ = {name: value for name, value in os.environ.items() if name not in UNSET}
        environ["XDG_CACHE_HOME"] = str(folder / "cache")
        server = stack.enter_context(closing(RunServer(program)))
        beside = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="bench-", dir=server.folder.parent)
        )
        projects.write(folder)
        user = ["--user=root"] if os.geteuid() == 0 else []
        tuned = [*user, *throwaway_flags(server.program)]
        words = {
            "program": [str(server.program.path)],
            "memory": [f"{beside}/base"],
            "plain": programs.write(folder / "plain", server.program, user),
            "tuned": programs.write(folder / "tuned", server.program, tuned),
        }
        login = _account(server.root)
        engine, path = str(server.program), str(server.program.path)
        note = programs.note(server.program)
        yield Stage(engine, path, folder, environ, words, login, note)


def has_docker() -> bool:
    """Tell whether a Docker daemon answers."""
    try:
        asked = subprocess.run(["docker", "info"], capture_output=True, timeout=20, check=False)  # noqa: S607
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0 and b"ERROR" not in asked.stderr


def _account(root: Login) -> Login:
    """Make an account whose password every peer can send."""
    with root.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE USER bench@localhost IDENTIFIED BY 'bench'")
        cursor.execute("CREATE USER bench@'127.0.0.1' IDENTIFIED BY 'bench'")
        for host in ("localhost", "127.0.0.1"):
            cursor.execute(f"GRANT ALL ON *.* TO bench@'{host}' WITH GRANT OPTION")
    return Login(root.host, root.port, "bench", "bench")
