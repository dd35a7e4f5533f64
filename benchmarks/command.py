"""The options that the benchmarks' commands have in common."""

import argparse
from pathlib import Path


def options(
    prog: str, description: str, trial: Path, quick: str, redraw: str
) -> argparse.Namespace:
    """Read a command's options: `mysqld` (None, or a list), `quick` and `redraw`.

    `trial` is where a quick measurement is written, `quick` how long it takes, and `redraw`
    what is made anew from samples.
    """
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument(
        "--mysqld",
        action="append",
        metavar="PROGRAM",
        help="a server program, or more than one by repeating this; by default the first found",
    )
    parser.add_argument(
        "--quick", action="store_true", help=f"try everything in {quick}; writes into {trial}/"
    )
    parser.add_argument(
        "--redraw", action="store_true", help=f"write {redraw} anew from the samples of before"
    )
    return parser.parse_args()
