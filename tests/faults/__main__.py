"""The long form: clients count for minutes while one nemesis after another strikes.

    .venv/bin/python -m tests.faults [--seed N] [--minutes M] [--only NEMESIS,...]
        [--mysqld=PROGRAM] [--flag=OPTION]...

32 clients hit two processes of the app. Each nemesis strikes at least once, in an order that the
seed determines. The server flushes each commit, and its data are on a separate disk if one can be
mounted (Linux, root). An OPTION may weaken the server, which a checker should detect. The report
goes to standard output. After a violation, exits with status 1 and says how to repeat the run: the
seed repeats the strikes, but not their exact times.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.checkers import offences
from tests.faults.environment import Environment, set_up
from tests.faults.nemesis import NEED_DISK, WEIGHTS, name_of, schedule, strike
from tests.faults.report import markdown
from tests.faults.workload import clients_at_work

CLIENTS = 32
RECOVERED = 300  # operations that are counted after each strike


def main() -> None:
    """Run the schedule, and print the report."""
    names = ",".join(map(name_of, WEIGHTS))
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--only", default=names, help=f"of: {names}")
    parser.add_argument("--mysqld", default="", help="the server program")
    parser.add_argument("--flag", action="append", default=[], help="an option of the server")
    options = parser.parse_args()
    if unknown := set(options.only.split(",")) - set(names.split(",")):
        parser.error(f"no such nemesis: {', '.join(unknown)}; there are {names}")
    report, violated = asyncio.run(run(options))
    print(report)
    if violated:
        again = " ".join(["python -m tests.faults", *sys.argv[1:], f"--seed {options.seed}"])
        sys.exit(f"VIOLATED. To repeat: {again}")


async def run(options: argparse.Namespace) -> tuple[str, bool]:
    """Let the nemeses strike; return the report, and whether a checker found a violation."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        async with set_up(options.mysqld, Path(folder), options.flag) as env:
            async with clients_at_work(env, CLIENTS, str(options.seed), "faults"):
                left_out = await strike_all(env, options, begin + 60 * options.minutes)
            minutes = (time.monotonic() - begin) / 60
            evidence = await asyncio.to_thread(env.evidence)
            title = " ".join([str(env.server.program), *options.flag])
    found = offences(evidence)
    title = f"{title}, seed {options.seed}"
    return markdown(title, evidence.history, found, minutes, left_out), any(found.values())


async def strike_all(env: Environment, options: argparse.Namespace, end: float) -> list[str]:
    """Let each nemesis strike at least once, until the time is up, each after a recovery.

    Returns the names of those left out because they need a disk.
    """
    chosen = [nemesis for nemesis in WEIGHTS if name_of(nemesis) in options.only.split(",")]
    able = [nemesis for nemesis in chosen if env.disk or nemesis not in NEED_DISK]
    await env.history.wait_for(RECOVERED, 120)
    for number, (nemesis, chances) in enumerate(schedule(options.seed, able)):
        if number >= len(able) and time.monotonic() > end:
            break
        done = await strike(env, nemesis, chances, RECOVERED)
        line = f"{done.nemesis} ({done.injuries}), recovered in {done.recovery:.1f} s"
        print(time.strftime("%T"), line, file=sys.stderr, flush=True)
    return [name_of(nemesis) for nemesis in chosen if nemesis not in able]


if __name__ == "__main__":
    main()
