"""The command line: `script/bench-harness`, which installs what this needs and runs it."""

import argparse
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import VoidError, command
from benchmarks.harness import page, samples
from benchmarks.harness.contestants import DOCKER, MODULES, RUNS
from benchmarks.harness.databases import NAMES
from benchmarks.harness.figures import short_of
from benchmarks.harness.rounds import FULL, QUICK, measure
from benchmarks.harness.samples import Sample
from benchmarks.harness.stage import OWN, PROJECT, PYTHON, has_docker, stage
from benchmarks.machine import where
from throwaway_mysql import ServerError

TRIAL = OWN / "trial"
TITLES = {
    **{f"run {name}": run.title for name, run in RUNS.items()},
    **{f"modules {name}": f"200 modules, {run.title}" for name, run in MODULES.items()},
    **{f"database {name}": title for name, title in NAMES.items()},
}


def main() -> None:
    """Measure, and write the page and the samples; say on the way what came of each."""
    options = command.options(
        "script/bench-harness",
        "Measure the test harness beside its peers, and write"
        " docs/harness-benchmarks.md with its samples. Takes some minutes for each server program.",
        TRIAL.relative_to(PROJECT),
        "a minute or two",
        "the page",
    )
    folder = TRIAL if options.quick else PROJECT / "docs"
    # As Ctrl-C does it: whatever was started is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    try:
        if options.redraw:
            about, notes, measured = samples.load((folder / page.SAMPLES).read_text())
        else:
            about, notes, measured = _measure(options)
    except (ServerError, VoidError, OSError, subprocess.TimeoutExpired) as error:
        sys.exit(f"nothing was written: {error}")
    except KeyboardInterrupt:
        sys.exit("nothing was written: Ctrl-C")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / page.SAMPLES).write_text(samples.dump(about, notes, measured))
    (folder / page.PAGE).write_text(page.markdown(about, notes, measured))
    print(f"Written: {folder / page.PAGE}")
    for line in short_of(measured):
        print(f"Fell short: {line}")


def _measure(options: argparse.Namespace) -> tuple[dict[str, str], list[str], list[Sample]]:
    plan = QUICK if options.quick else FULL
    notes = [] if has_docker() else [_without_docker()]
    print("\n".join(notes))
    measured = []
    for program in options.mysqld or [""]:
        with stage(program) as servers:
            print(f"{servers.engine}: {plan.total} samples")
            notes.append(servers.note)
            number = 0
            for sample in measure(servers, plan):
                measured.append(sample)
                if title := TITLES.get(sample.name):
                    number += 1
                    print(f"{number:4} {title}: {sample.value:,.0f} ms", flush=True)
                elif sample.name.startswith("memory"):
                    print(f"     {sample.name}: {sample.value:,.0f} MB", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        return where(Path(folder)) | {"Packages": _packages()}, notes, measured


def _without_docker() -> str:
    names = " and ".join(run.title for run in RUNS.values() if run.docker)
    return f"**{names}**: {DOCKER}."


def _packages() -> str:
    """Name the pinned packages, which are what is measured."""
    argv = [str(PYTHON), "-m", "pip", "freeze", "--disable-pip-version-check"]
    frozen = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    pinned = (Path(__file__).with_name("requirements.txt")).read_text().lower()
    shown = [line for line in frozen.splitlines() if line.lower() in pinned]
    return ", ".join(line.replace("==", " ") for line in shown)


if __name__ == "__main__":
    main()
