"""The command line of both benchmarks: `script/bench` and `script/bench-harness`."""

import argparse
import importlib
import signal
import subprocess
import sys
from pathlib import Path

from benchmarks import machine, report
from benchmarks.frame import Benchmark, InvalidError, Sample
from throwaway_mysql import ServerError

DOCS, QUICK = machine.PROJECT / "docs", machine.PROJECT / ".bench/quick"


def main() -> None:
    """Measure, and write the report; print each sample."""
    options = parse(sys.argv[1:])
    # Each needs packages that the other does not.
    module = importlib.import_module(f"benchmarks.{options.what}.benchmark")
    benchmark: Benchmark = module.BENCHMARK
    # Like Ctrl-C: whatever was started is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    try:
        if options.redraw:
            facts, samples = report.load((options.output / f"{benchmark.name}.json").read_text())
        else:
            samples = measure(benchmark, options)
            facts = machine.describe() | benchmark.facts(options)
        page = report.write(benchmark, options.output, facts, samples)
    except (InvalidError, ServerError, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"nothing was written: {error}")
    except KeyboardInterrupt:
        sys.exit("nothing was written: Ctrl-C")
    print(f"Written: {page}")


def parse(words: list[str]) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(prog="script/bench, script/bench-harness")
    parser.add_argument("what", choices=["service", "harness"], help=argparse.SUPPRESS)
    add = parser.add_argument
    add("--mysqld", action="append", metavar="PROGRAM", help="a server program; may be repeated")
    add("--rounds", type=int, default=11, help="of the ratios, 11 by default")
    add("--quick", action="store_true", help=f"one short round, to see that all runs; in {QUICK}")
    add("--output", type=Path, help="the folder of the report, docs/ by default")
    add("--redraw", action="store_true", help="make the report anew from the samples there")
    add("--before", type=Path, help="bench-harness: a checkout or wheel to measure beside")
    options = parser.parse_args(words)
    options.output = options.output or (QUICK if options.quick else DOCS)
    options.rounds = 1 if options.quick else options.rounds
    return options


def measure(benchmark: Benchmark, options: argparse.Namespace) -> list[Sample]:
    """Return the samples of all server programs, and print them as they arrive."""
    samples = []
    for program in options.mysqld or [""]:
        for sample in benchmark.measure(program, options):
            print(sample.engine, sample.round, sample.series, f"{sample.value:,.2f}", flush=True)
            samples.append(sample)
    return samples


if __name__ == "__main__":
    main()
