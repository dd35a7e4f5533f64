"""Where it was measured: the facts about this machine that affect the figures."""

import os
import platform
import re
import subprocess
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from statistics import median

PROJECT = Path(__file__).resolve().parents[1]


def describe() -> dict[str, str]:
    """Return the facts."""
    processor, system = platform.machine(), platform.system()
    with suppress(OSError):  # a system without these files
        processor = re.findall(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())[0]
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    return {
        "Date": datetime.now(UTC).date().isoformat(),
        "Commit": commit(PROJECT),
        "Processor": f"{processor}, {os.cpu_count()} cores",
        "Memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "System": f"{system}, {platform.release()}",
        "A flush to disk": f"{_flush():.2f} ms",
        "Python": platform.python_version(),
    }


def commit(checkout: Path) -> str:
    """Return a checkout's commit, and whether it has uncommitted changes outside the docs."""
    git = "git", "-C", str(checkout)
    changes = output(*git, "status", "--porcelain", "--untracked-files=no", "--", ":!docs")
    return f"`{output(*git, 'rev-parse', '--short', 'HEAD')}`{' and changes' if changes else ''}"


def packages(names: str, folder: Path | None = None) -> str:
    """Return the versions of packages, of this interpreter or in a folder."""
    found = distributions(path=[str(folder)]) if folder else distributions()
    installed = {package.name.lower(): package.version for package in found}
    return ", ".join(f"{name} {installed[name]}" for name in names.split() if name in installed)


def output(*argv: str) -> str:
    """Return the first line that a program prints."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0]


def _flush() -> float:
    """Return the milliseconds to flush a few bytes to the disk for temporary files."""
    times = []
    with tempfile.TemporaryFile(buffering=0) as file:
        for _ in range(200):
            file.write(b"x" * 512)
            before = time.perf_counter()
            os.fsync(file)
            times.append(1000 * (time.perf_counter() - before))
    return median(times)
