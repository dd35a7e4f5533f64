"""Where it was measured: the machine, and the programs' versions."""

import os
import platform
import re
import shutil
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from statistics import median

from benchmarks.stage import PACKAGES, PROJECT

SHOWN = "quart", "uvicorn", "uvloop", "httptools", "sqlalchemy", "aiomysql", "pymysql", "redis"
FLUSHES = 200


def describe(folder: Path) -> dict[str, str]:
    """Return what matters to the figures; `folder` is on the disk of the data."""
    return where(folder) | {
        "Packages": ", ".join(_packages()),
        "Programs": f"{_program('wrk', '-v')}, {_program('redis-server', '--version')}",
    }


def where(folder: Path) -> dict[str, str]:
    """Return what matters of the machine; `folder` is on the disk of the data."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "Date": datetime.now(UTC).date().isoformat(),
        "Commit": _commit(),
        "Processor": _processor(),
        "Cores": str(os.cpu_count()),
        "Memory": f"{pages * size / 2**30:.0f} GiB",
        "System": f"{_system()}, {platform.system()} {_numbers(platform.release())}",
        "Disk of the data": f"{_disk(folder)}; a flush takes {_flush(folder):.2f} ms",
        "Python": platform.python_version(),
    }


def _commit() -> str:
    def git(*arguments: str) -> str:
        argv = [shutil.which("git") or "git", *arguments]
        return subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=False).stdout

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ":!docs")
    return f"`{git('rev-parse', '--short', 'HEAD').strip()}`{' and changes' if changed else ''}"


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", _text("/proc/cpuinfo"), re.M)
    return found[1] if found else platform.processor() or platform.machine()


def _system() -> str:
    found = re.search(r'^PRETTY_NAME="?([^"\n]+)', _text("/etc/os-release"), re.M)
    return found[1] if found else platform.system()


def _disk(folder: Path) -> str:
    """Return the type of the file system that has `folder`, and whether its disk turns."""
    mounts = [line.split()[:3] for line in _text("/proc/mounts").splitlines()]
    above = [mount for mount in mounts if folder.resolve().is_relative_to(mount[1])]
    if not above:
        return "unknown"
    device, _, kind = max(above, key=lambda mount: len(mount[1]))
    name = Path(device).resolve().name
    turns = {"0": ", solid state", "1": ", rotational as the kernel has it"}
    return kind + turns.get(_text(f"/sys/class/block/{name}/queue/rotational").strip(), "")


def _flush(folder: Path) -> float:
    """Return the milliseconds in which a few bytes come to disk."""
    times = []
    with (folder / "flush").open("wb", buffering=0) as file:
        for _ in range(FLUSHES):
            file.write(b"x" * 512)
            before = time.perf_counter()
            os.fsync(file)
            times.append(1000 * (time.perf_counter() - before))
    return median(times)


def _packages() -> list[str]:
    found = {d.name.lower(): f"{d.name} {d.version}" for d in distributions()}
    found |= {d.name: f"{d.name} {d.version}" for d in distributions(path=[str(PACKAGES)])}
    return [found[name] for name in SHOWN if name in found]


def _program(name: str, flag: str) -> str:
    done = subprocess.run([name, flag], capture_output=True, text=True, check=False)
    return f"{name} {_numbers(done.stdout)}"


def _numbers(text: str) -> str:
    """Return the version in a text, without what distributions add to it."""
    found = re.search(r"\d+(\.\d+)+", text)
    return found[0] if found else ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
