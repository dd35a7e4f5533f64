"""The command line: `script/bench`, which installs what this needs and runs it."""

import argparse
import resource
import signal
import sys

import settings
from benchmarks import VoidError, command, machine, page, plot, samples
from benchmarks.contestants import CONTESTANTS
from benchmarks.rounds import FULL, QUICK, measure
from benchmarks.samples import Sample
from benchmarks.stage import OWN, PROJECT, stage
from throwaway_mysql import ServerError

OPEN_FILES = 65_536  # more than enough for 1,024 clients, where the machine allows it
TRIAL = OWN / "trial"


def main() -> None:
    """Measure, and write the page, its plot and the samples; say on the way what came of each."""
    options = command.options(
        "script/bench",
        "Measure the app beside its peers, and write docs/benchmarks.md with table,"
        " plot and samples. Takes about ten minutes for each server program.",
        TRIAL.relative_to(PROJECT),
        "about a minute",
        "page and plot",
    )
    folder = TRIAL if options.quick else PROJECT / "docs"
    # As Ctrl-C does it: whatever was started is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    try:
        if options.redraw:
            about, measured = samples.load((folder / page.SAMPLES).read_text())
        else:
            about, measured = _measure(options)
    except (ServerError, VoidError, ChildProcessError) as error:
        sys.exit(f"nothing was written: {error}")
    except KeyboardInterrupt:
        sys.exit("nothing was written: Ctrl-C")
    folder.mkdir(exist_ok=True)
    (folder / page.SAMPLES).write_text(samples.dump(about, measured))
    (folder / page.PLOT).write_text(plot.svg(measured))
    (folder / page.PAGE).write_text(page.markdown(about, measured))
    print(f"Written: {folder / page.PAGE}")
    for line in page.short_of(measured):
        print(f"Fell short: {line}")


def _measure(options: argparse.Namespace) -> tuple[dict[str, str], list[Sample]]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    plan = QUICK if options.quick else FULL
    measured = []
    for program in options.mysqld or [settings.MYSQLD]:
        with stage(program) as servers:
            about = machine.describe(servers.folder)
            print(f"{servers.engine}: {plan.total} samples")
            for number, sample in enumerate(measure(servers, plan), 1):
                print(f"{number:4} {_line(sample)}", flush=True)
                measured.append(sample)
    return about, measured


def _line(sample: Sample) -> str:
    contestant = CONTESTANTS.get(sample.contestant)
    return (
        f"{contestant.title if contestant else sample.contestant}, {sample.clients} at once:"
        f" {sample.rate:,.0f} a second, p50 {sample.p50:.2f} ms, p99 {sample.p99:.2f} ms"
    )


if __name__ == "__main__":
    main()
