"""The environment of whole runs: the server, the projects, and the versions of the harness."""

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

from benchmarks import database
from benchmarks.database import Database
from benchmarks.frame import InvalidError, Measures
from benchmarks.harness import projects, pytest_mysql
from benchmarks.harness.contestants import Contestant
from benchmarks.machine import PROJECT

OWN = PROJECT / ".bench/harness"  # not for git
PYTHON = OWN / "venv/bin/python"  # which has all packages but the harness
ENDS_WITHIN = 600  # seconds
# What would slow runs down, or change them.
UNSET = "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTEST_ADDOPTS", "THROWAWAY_MYSQLD"
MEMORY = "Rss", "Anonymous", "Pss", "Files"


@dataclass(frozen=True)
class Runs:
    """Times whole test runs of the projects in `folder`."""

    database: Database
    folder: Path
    environ: Mapping[str, str]

    def measure(self, contestant: Contestant) -> Measures:
        """Return what a run came to, or the milliseconds of one of many things in it."""
        if not contestant.less:
            return self.run(contestant)
        less, more = (self.run(it)["ms"] for it in (contestant.less, contestant))
        return {"ms": (more - less) / contestant.times}

    def run(self, contestant: Contestant) -> Measures:
        """Return the milliseconds, all cores' load in %, and the server's MB if measured.

        hyperfine has a single run at a time, as it gives contestants no turns in rounds. Raises
        InvalidError where a test fails.
        """
        folder = self.folder / contestant.project
        result, output, memory = (folder / name for name in ("run.json", "output", "memory.json"))
        memory.unlink(missing_ok=True)
        argv = ["hyperfine", "--shell=none", "--runs=1", "--style=none", f"--output={output}"]
        argv += [f"--export-json={result}", shlex.join([str(PYTHON), *contestant.command])]
        environ = self.environ_of(contestant)
        before = _cores()
        done = subprocess.run(
            argv, cwd=folder, env=environ, capture_output=True, check=False, timeout=ENDS_WITHIN
        )
        busy, passed = (after - then for after, then in zip(_cores(), before, strict=True))
        if done.returncode:
            last = output.read_text(errors="replace")[-2000:]
            raise InvalidError(f"{contestant.title} failed: {last}")
        (of_one,) = json.loads(result.read_text())["results"]
        measures = {"ms": 1000 * of_one["mean"], "cores": 100 * busy / max(passed, 1)}
        if memory.exists():
            measured = json.loads(memory.read_text())
            measures |= {name: measured[name] / 1024 for name in MEMORY}
        return measures

    def environ_of(self, contestant: Contestant) -> dict[str, str]:
        """Return a run's environment."""
        environ = {**self.environ, **contestant.environ}
        environ["SCHEMA"] = str(self.folder / projects.schema(*contestant.schema))
        environ["XDG_CACHE_HOME"] = str(self.folder / "cache" / contestant.version)
        if contestant.is_ours:
            environ["PYTHONPATH"] = str(OWN / contestant.version)
        return environ


def _cores() -> tuple[int, int]:
    """Return for how long cores have been busy, and all of their time: proc_stat(5)."""
    user, nice, system, idle, wait, *more = map(int, Path("/proc/stat").read_text().split()[1:9])
    busy = user + nice + system + sum(more)
    return busy, busy + idle + wait


@contextmanager
def runs(program: str) -> Iterator[Runs]:
    """Start a server of the program and write the projects; end and remove all with the block."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        server = stack.enter_context(database.running(program))
        beside = tempfile.TemporaryDirectory(prefix="bench-", dir=server.place)
        memory = stack.enter_context(beside)
        user = ["--user=root"] if os.geteuid() == 0 else []
        tuned = [*user, *server.flags]
        options = {
            "pytest-mysql": pytest_mysql.write(folder / "plain", server, user),
            "pytest-mysql tuned": [
                *pytest_mysql.write(folder / "tuned", server, tuned),
                f"--basetemp={memory}/base",
            ],
        }
        projects.write(folder, options)
        environ = {name: value for name, value in os.environ.items() if name not in UNSET}
        environ |= {"THROWAWAY_MYSQLD": server.program, "PORT": str(server.port)}
        account = f"{database.USER}:{database.PASSWORD}"
        environ["SERVER_URL"] = f"mysql+pymysql://{account}@{database.HOST}:{server.port}"
        yield Runs(server, folder, environ)


def install(source: Path, version: str) -> None:
    """Install the harness from a checkout or wheel, for runs of that version."""
    shutil.rmtree(OWN / version, ignore_errors=True)
    source = source / "harness" if (source / "harness").is_dir() else source
    argv = [str(PYTHON), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
    argv += ["--target", str(OWN / version), str(source.resolve())]
    subprocess.run(argv, check=True)
