"""The environment of whole runs: the server, the projects, and the harness's versions."""

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.frame import InvalidError, Measures
from benchmarks.harness import projects
from benchmarks.harness.contestants import Contestant
from benchmarks.machine import PROJECT
from throwaway_mysql import Server

OWN = PROJECT / ".bench/harness"  # not for git
PYTHON = OWN / "venv/bin/python"  # has all packages but the harness
ENDS_WITHIN = 600  # seconds
# Variables that would slow runs down or change them.
UNSET = "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTEST_ADDOPTS"


@dataclass(frozen=True)
class Runs:
    """Times whole test runs of the projects in `folder`."""

    server: Server
    folder: Path
    environ: Mapping[str, str]

    def can(self, contestant: Contestant) -> bool:
        """Tell whether the programs that the contestant starts are installed."""
        mysql = self.server.program.family == "MySQL"
        return mysql or contestant.project != "pytest-mysql" or bool(self.environ["USR"])

    def measure(self, contestant: Contestant) -> Measures:
        """Return a run's measures, or a unit cost in milliseconds."""
        if not contestant.less:
            return self.run(contestant)
        less, more = (self.run(it)["ms"] for it in (contestant.less, contestant))
        return {"ms": (more - less) / contestant.times}

    def run(self, contestant: Contestant) -> Measures:
        """Return the milliseconds of a run, and the MB of its server's memory if measured.

        hyperfine gets a single run at a time, as it cannot interleave contestants. Raises
        InvalidError if a test fails.
        """
        folder = self.folder / contestant.project
        result, memory = folder / "run.json", folder / "memory"
        memory.unlink(missing_ok=True)
        argv = ["hyperfine", "--shell=none", "--runs=1", "--style=none", "--output=inherit"]
        argv += [f"--export-json={result}", f"{shlex.quote(str(PYTHON))} {contestant.command}"]
        done = subprocess.run(
            argv,
            cwd=folder,
            env=self._environ_of(contestant),
            capture_output=True,
            text=True,
            check=False,
            timeout=ENDS_WITHIN,
        )
        if done.returncode:
            raise InvalidError(f"{contestant.title} failed: {(done.stdout + done.stderr)[-2000:]}")
        measures = {"ms": 1000 * float(json.loads(result.read_text())["results"][0]["mean"])}
        if memory.exists():
            measures["Rss"] = int(memory.read_text()) / 1024
        return measures

    def _environ_of(self, contestant: Contestant) -> dict[str, str]:
        environ = {**self.environ, **contestant.environ}
        environ["SCHEMA"] = str(projects.schema(self.folder, *contestant.schema))
        environ["XDG_CACHE_HOME"] = str(self.folder / "cache" / contestant.version)
        if contestant.configured:
            environ["THROWAWAY_MYSQL_URL"] = self.server.root.url()
        if contestant.is_ours:
            environ["PYTHONPATH"] = str(OWN / contestant.version)
        return environ


@contextmanager
def runs(program: str) -> Iterator[Runs]:
    """Start a server and write the projects; end and remove everything with the block."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        server = stack.enter_context(Server(program))
        projects.write(folder)
        environ = {name: value for name, value in os.environ.items() if name not in UNSET}
        environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "SERVER_URL": server.root.url("pymysql")}
        environ |= {"PORT": str(server.root.port), "PASSWORD": server.root.password}
        environ["THROWAWAY_MYSQLD"] = str(server.program.path)
        number = str(server.program).removeprefix("MariaDB ")
        # The packages that the script unpacked, if they match the measured version.
        unpacked = PROJECT.glob(f".bench/mariadb-{number}-*/usr")
        environ["USR"] = str(next(unpacked, ""))
        yield Runs(server, folder, environ)


def install(source: Path, version: str) -> None:
    """Install the harness from a checkout or wheel, for runs of that version."""
    shutil.rmtree(OWN / version, ignore_errors=True)
    source = source / "harness" if (source / "harness").is_dir() else source
    argv = [str(PYTHON), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
    argv += ["--target", str(OWN / version), str(source.resolve())]
    subprocess.run(argv, check=True)
